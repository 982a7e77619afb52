"""The Action of a move: it leaves a login to the old Rule if that ran, and else does all that the plain one does."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.rendering import SnippetKind, render
from tests.factories import make_full_goal
from tests.javascript import NodeProcess
from tests.snippets.engines import Engine, Visit, action_in_node, action_in_quickjs, rule_in_quickjs
from webapp.auth0.action_engine import run_action

RULE_ID = "rul_0123456789abcDEF"
OTHER_RULE_ID = "rul_fedcba9876543210"
START = "exports.onExecutePostLogin = async (event, api) => {\n  try {"
ENGINES: dict[str, Callable[[NodeProcess, str | None], Engine]] = {
    "node": lambda node, rule_id: action_in_node(node, old_rule_id=rule_id),
    "quickjs": lambda _node, rule_id: lambda goal, visit: action_in_quickjs(goal, visit, old_rule_id=rule_id),
}


def visit_after(*executed_rules: str) -> Visit:
    user = {"email": "ann@example.org", "user_metadata": {"plan": "gold"}, "nickname": "Ann"}
    query = {"ext-bc_profile_id": "p-1", "ext-bcp_newsletter": "yes"}
    return Visit(user, query=query, executed_rules=executed_rules)


@pytest.mark.parametrize("engine", ENGINES)
def test_after_the_old_rule_the_action_does_nothing(node: NodeProcess, engine: str) -> None:
    # given a login in which the old Rule ran, which did all of it
    by_rule = rule_in_quickjs(make_full_goal(), visit_after(RULE_ID))
    assert by_rule.written
    assert by_rule.id_token_claims
    # when the guarded Action runs after it
    visit = visit_after(OTHER_RULE_ID, RULE_ID)
    login = ENGINES[engine](node, RULE_ID)(make_full_goal(), visit)
    # then it does nothing at all
    assert (login.id_token_claims, login.access_token_claims) == ({}, {})
    assert (login.written, login.console) == (False, [])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("executed_rules", [(), (OTHER_RULE_ID,)])
def test_without_the_old_rule_the_action_does_everything(
    node: NodeProcess, engine: str, executed_rules: tuple[str, ...]
) -> None:
    # given a login in which the old Rule did not run
    visit = visit_after(*executed_rules)
    # when the guarded Action runs
    login = ENGINES[engine](node, RULE_ID)(make_full_goal(), visit)
    # then it does what the plain one does, which is what the Rule would have done
    assert login == ENGINES[engine](node, None)(make_full_goal(), visit)
    assert login == rule_in_quickjs(make_full_goal(), visit)


@pytest.mark.parametrize("server_exchange", [False, True])
def test_the_guard_is_all_that_is_added(server_exchange: bool) -> None:
    # given both Actions of a goal
    goal = make_full_goal(server_exchange=server_exchange)
    plain = render(goal, SnippetKind.ACTION).code
    guarded = render(goal, SnippetKind.ACTION, old_rule_id=RULE_ID).code
    # then they differ by the guard, which stands before all else that a login does
    _, comment, guard, empty, *rest = guarded.partition(START)[2].split("\n")
    assert comment.startswith("    // While the old Rule is on")
    assert (guard, empty) == (f'    if (api.rules.wasExecuted("{RULE_ID}")) return;', "")
    assert rest == plain.partition(START)[2].split("\n")[1:]


@given(text=st.text(max_size=30) | st.from_regex(r"rul_[A-Za-z0-9]{15,17}\n?", fullmatch=True))
def test_only_the_id_of_a_rule_becomes_a_guard(text: str) -> None:
    is_id = len(text) == 20 and text.startswith("rul_") and text.isascii() and text[4:].isalnum()
    if is_id:
        assert f'wasExecuted("{text}")' in render(make_full_goal(), SnippetKind.ACTION, old_rule_id=text).code
    else:
        with pytest.raises(ValueError, match="is not the id of a Rule"):
            render(make_full_goal(), SnippetKind.ACTION, old_rule_id=text)


def test_the_engine_tells_which_rules_ran() -> None:
    # given an Action that asks for two Rules, one of which ran
    code = f"""exports.onExecutePostLogin = async (event, api) => {{
      for (const id of ["{RULE_ID}", "{OTHER_RULE_ID}"]) api.idToken.setCustomClaim(id, api.rules.wasExecuted(id));
    }};"""
    # when it runs, then it learns which
    effects = run_action(code, {}, executed_rules=[RULE_ID])
    assert effects.id_token_claims == {RULE_ID: True, OTHER_RULE_ID: False}
    assert run_action(code, {}).id_token_claims == {RULE_ID: False, OTHER_RULE_ID: False}
