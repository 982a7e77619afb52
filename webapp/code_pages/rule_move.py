"""The page that moves an old Rule to a goal's Action: the steps in their order, and the Action with a guard.

Source: Auth0, "Migrate from Rules to Actions" and "Migrate a Rule to an Action".
"""

from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from snippets.actions import action_name
from snippets.exchange import action_secrets
from snippets.goals import WebGoal
from snippets.rendering import RULE_ID, Snippet, SnippetKind, render
from webapp.code_pages.old_rules import OldRule, OldRuleError, RuleSearch, read_old_rule, search_rules
from webapp.connections.goals import find_goal, to_web_goal
from webapp.connections.models import Connection
from webapp.database import reading
from webapp.errors import NotFoundError
from webapp.settings import settings

bp = Blueprint("rule_move", __name__)

JAVASCRIPT = "text/javascript; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Move:
    """All that the page says. ``snippet`` is the guarded Action, as soon as the Rule's id is known.

    ``search`` is what the tenant said to a name; None if an id was typed, or nothing.
    """

    goal: WebGoal
    connection: Connection
    typed: str
    rule: OldRule | None
    mistake: str | None
    search: RuleSearch | None
    snippet: Snippet | None

    @property
    def action_name(self) -> str:
        """The name to give the Action: "Deploy to Auth0" finds it by that."""
        return action_name(self.goal)

    @property
    def secret_names(self) -> tuple[str, ...]:
        """The secrets that the Action needs besides its code."""
        return action_secrets(self.goal)


@bp.get("/goals/<key>/move-rule")
def steps(key: str) -> ResponseReturnValue:
    """Show how the old Rule of the query (``?rule=``) is moved to the goal's Action.

    A name is looked up in the tenant. No transaction is open meanwhile, and nothing is changed anywhere.
    """
    move = _read_move(key, request.args.get("rule"))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if move.mistake else HTTPStatus.OK
    return render_template("code_pages/rule_move.html", move=move), status


@bp.get("/goals/<key>/move-rule/<rule_id>.js")
def guarded_action(key: str, rule_id: str) -> ResponseReturnValue:
    """Offer the Action that leaves a login to the old Rule, as a file."""
    if not RULE_ID.fullmatch(rule_id):
        raise NotFoundError("There is no Rule with such an id.")
    goal, _ = _read_goal(key)
    snippet = render(goal, SnippetKind.ACTION, old_rule_id=rule_id)
    headers = {"Content-Disposition": f'attachment; filename="{snippet.file_name}"', "Cache-Control": "no-store"}
    return Response(snippet.code, content_type=JAVASCRIPT, headers=headers)


def _read_move(key: str, typed: str | None) -> Move:
    """Return what the page says to ``typed``, which is None before anybody has typed something."""
    goal, connection = _read_goal(key)
    rule, mistake, search = None, None, None
    if typed is not None:
        try:
            rule = read_old_rule(typed)
        except OldRuleError as error:
            mistake = str(error)
    if rule is not None and rule.id is None:
        search = search_rules(connection, rule.name)
        if search.only is not None:
            rule = OldRule(search.only.id, search.only.name)
    snippet = render(goal, SnippetKind.ACTION, old_rule_id=rule.id) if rule and rule.id else None
    return Move(goal, connection, typed or "", rule, mistake, search, snippet)


def _read_goal(key: str) -> tuple[WebGoal, Connection]:
    """Return the goal and its connection. Raises NotFoundError, also if its Action is switched off."""
    with reading() as session:
        row = find_goal(session, key)
        goal, connection = to_web_goal(row, public_url=settings().public_url), row.connection
    if not goal.enable_rule:
        raise NotFoundError("This goal's Rule option is switched off, so there is no Action to move to.")
    return goal, connection
