"""Table of deployed Actions."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, UtcDateTime


class Deployment(Base):
    """The Action that Websync last deployed for a goal. ``code_digest`` is that of deployment.py.

    ``code`` is what was deployed, byte for byte, since a newer Websync may make other code of the same revision. It is
    empty if the deployment is older than this column.
    """

    __tablename__ = "deployments"

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    auth0_domain: Mapped[str] = mapped_column(String(255))
    action_id: Mapped[str] = mapped_column(String(64))
    action_name: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int]
    code_digest: Mapped[str] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(Text, default="")
    secret_digest: Mapped[str] = mapped_column(String(64), default="")
    deployed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deployed_by: Mapped[str] = mapped_column(String(254))
