"""Table of deployed Actions."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database import Base, UtcDateTime


class Deployment(Base):
    """The Action that Websync last deployed for a goal. ``code_digest`` is that of deployment.py."""

    __tablename__ = "deployments"

    goal_id: Mapped[int] = mapped_column(ForeignKey("goals.id", ondelete="CASCADE"), primary_key=True)
    auth0_domain: Mapped[str] = mapped_column(String(255))
    action_id: Mapped[str] = mapped_column(String(64))
    action_name: Mapped[str] = mapped_column(String(128))
    revision: Mapped[int]
    code_digest: Mapped[str] = mapped_column(String(64))
    deployed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    deployed_by: Mapped[str] = mapped_column(String(254))
