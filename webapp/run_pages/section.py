"""What stands of runs on a connection's page: the last and the next one, what runs now, and "Run now"."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import render_template
from markupsafe import Markup
from sqlalchemy.orm import Session

from webapp.connections.models import Connection, ImportGoalRow
from webapp.database import reading
from webapp.runs import showing
from webapp.runs.heartbeats import count_living
from webapp.runs.history import KnownRun, Reached, Upcoming, list_ended, list_under_way, reached, upcoming
from webapp.runs.requesting import batch_goals
from webapp.settings import settings


@dataclass(frozen=True, slots=True)
class Overview:
    """What is to be said of a connection's runs."""

    goals: list[ImportGoalRow]
    under_way: list[KnownRun]
    last: KnownRun | None
    upcoming: Upcoming
    reached: Reached | None
    now: datetime


def runs_section(connection: Connection) -> Markup:
    """Return the part of the connection's page that speaks of runs; nothing if it has no import goal."""
    if not connection.import_goals:
        return Markup("")
    with reading() as session:
        page = render_template(
            "run_pages/section.html",
            connection=connection,
            overview=read_overview(session, connection, datetime.now(UTC)),
            has_worker=has_worker(session),
            shown=showing,
        )
    return Markup(page)  # noqa: S704, the template escapes


def read_overview(session: Session, connection: Connection, now: datetime) -> Overview:
    """Return what is to be said of a connection's runs."""
    ended = list_ended(session, connection, length=1).runs
    return Overview(
        goals=batch_goals(session, connection.id),
        under_way=list_under_way(session, connection),
        last=ended[0] if ended else None,
        upcoming=upcoming(session, connection, now),
        reached=reached(session, connection),
        now=now,
    )


def has_worker(session: Session) -> bool:
    """Say if any worker is alive: without one, runs wait."""
    lost_after = timedelta(seconds=settings().worker_lost_seconds)
    return count_living(session, datetime.now(UTC), lost_after=lost_after) > 0
