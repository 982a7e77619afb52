"""The web goal's page: the goal as it is stored, or a form as it was typed with what keeps it from being saved."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import render_template
from flask.typing import ResponseReturnValue

from snippets.fields import SUGGESTED_FIELDS
from snippets.goals import PROFILE_ID, Problem
from snippets.limits import warnings_of
from webapp.connections.confirming import UnseenWarningsError, marks_of
from webapp.connections.editor import Edited, Mistake, place_warnings
from webapp.connections.forms import GoalForm, LinkForm, MappingForm, goal_form
from webapp.connections.goals import StaleRevisionError, find_connection, find_goal, to_web_goal
from webapp.connections.listing import suggested_properties
from webapp.database import reading
from webapp.settings import settings


def goal_page(
    typed: GoalForm | Edited | None,
    *,
    connection_key: str = "",
    goal_key: str | None = None,
    mistakes: Sequence[Mistake] = (),
    stale: StaleRevisionError | None = None,
    unseen: UnseenWarningsError | None = None,
) -> ResponseReturnValue:
    """Show what was typed, or the goal as it is stored if ``typed`` is None."""
    warnings: Sequence[Problem] = unseen.warnings if unseen else ()
    edited = typed if isinstance(typed, Edited) else None
    form = typed.form if isinstance(typed, Edited) else typed
    with reading() as session:
        stored = find_goal(session, goal_key) if goal_key else None
        connection = stored.connection if stored else find_connection(session, connection_key)
        if stored and form is None:
            web_goal = to_web_goal(stored, public_url=settings().public_url)
            form, warnings = goal_form(web_goal, is_on=stored.is_on), warnings_of(web_goal)
        if stored and form and stale:
            form.expected_revision.data = str(stored.revision)  # saving again replaces the other's, as the page says
        if form and unseen:
            form.seen_warnings.data = marks_of(warnings)
        page = render_template(
            "connections/goal.html",
            form=form,
            goal=stored,
            connection=connection,
            edited=edited,
            mistakes=mistakes,
            warnings=place_warnings(form, warnings) if form else [],
            is_to_confirm=unseen is not None,
            stale=stale,
            blank_mapping=MappingForm(prefix="mappings-__index__-"),
            blank_link=LinkForm(prefix="links-__index__-"),
            suggested_fields=SUGGESTED_FIELDS,
            suggested_properties=suggested_properties(session),
            profile_id=PROFILE_ID,
        )
    return page, page_status(has_mistakes=bool(mistakes) or unseen is not None, stale=stale)


def page_status(*, has_mistakes: bool, stale: StaleRevisionError | None) -> HTTPStatus:
    """Return the status of a page with a form: what was sent was saved, or why not."""
    if stale:
        return stale.status
    return HTTPStatus.UNPROCESSABLE_ENTITY if has_mistakes else HTTPStatus.OK
