"""Health checks for load balancers: alive, and ready for visitors."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from webapp.database import reading
from webapp.rates import rates

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Answer as long as the process can answer."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Answer 200 when the database is there and has its tables. A Redis that is away stops no login."""
    try:
        with reading() as session:
            session.execute(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        return {"status": "database unavailable"}, 503
    if rates().is_degraded:
        return {"status": "ok", "limits": "Redis is away: each process counts by itself"}
    return {"status": "ok"}
