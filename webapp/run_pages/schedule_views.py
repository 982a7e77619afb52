"""The schedule of a connection: a page of its own, which static/js/dialog.js opens in a window."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.accounts.session import signed_in_admin
from webapp.connections.goals import find_connection
from webapp.connections.saving import Change
from webapp.connections.schedule import Schedule, next_runs, shortest_gap, time_zones
from webapp.connections.schedules import find_schedule, save_schedule, schedule_of
from webapp.database import reading, transaction
from webapp.run_pages.schedule_form import Preview, ScheduleForm, schedule_form
from webapp.runs.history import usual_duration
from webapp.runs.showing import duration_words

bp = Blueprint("schedules", __name__)


@bp.route("/connections/<key>/schedule", methods=["GET", "POST"])
def edit(key: str) -> ResponseReturnValue:
    """Show when a connection's imports run, look at what another schedule would come to, or save it."""
    if request.method == "GET":
        with reading() as session:
            row = find_schedule(session, find_connection(session, key))
        form = schedule_form(row)
        return _page(key, form, is_new=row is None)
    form = ScheduleForm()
    schedule = form.schedule()
    if schedule is None or request.form.get("do") == "preview":
        return _page(key, form, schedule, is_new=False)
    with transaction() as session:
        change = Change(signed_in_admin().email, datetime.now(UTC))
        switches = {"is_on": bool(form.is_on.data), "run_missed": bool(form.run_missed.data)}
        connection = find_connection(session, key)
        is_changed = save_schedule(session, connection, schedule, change, **switches)
        hint = _preview(schedule, usual_duration(session, connection), change.now).hint
    flash("The schedule is saved." if is_changed else "Nothing had changed.", "success" if is_changed else "info")
    if hint:
        flash(hint, "warning")
    return redirect(url_for("connections.show", key=key), HTTPStatus.SEE_OTHER)


def _page(key: str, form: ScheduleForm, schedule: Schedule | None = None, *, is_new: bool) -> ResponseReturnValue:
    now = datetime.now(UTC)
    with reading() as session:
        connection = find_connection(session, key)
        took = usual_duration(session, connection)
        if request.method == "GET":
            row = find_schedule(session, connection)
            schedule = schedule_of(row) if row else Schedule()
    page = render_template(
        "run_pages/schedule.html",
        form=form,
        connection=connection,
        preview=_preview(schedule, took, now) if schedule else None,
        now=now,
        time_zones=time_zones(),
        is_new=is_new,
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK


def _preview(schedule: Schedule, took: timedelta, now: datetime) -> Preview:
    gap = shortest_gap(schedule, now)
    hint = ""
    if took > gap:
        hint = (
            f"This is more often than a run takes: the last ones took {duration_words(took)} together, and the next "
            f"would begin after {duration_words(gap)}. What comes too early waits, so choose fewer times."
        )
    return Preview(tuple(next_runs(schedule, now)), hint)
