"""No name, however hostile, becomes code: every kind still parses, does its one thing, and every literal survives."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snippets.claims import added_claims
from snippets.fields import FORBIDDEN_SEGMENTS, MAX_FIELD_LENGTH, source_of
from snippets.goals import PROFILE_ID, Direction, IdentifierLink, Mapping, MergeStrategy, TokenKind, WebGoal
from snippets.parameters import PROFILE_ID_PARAMETER, parameter_name
from snippets.rendering import PIPELINE_KINDS, SnippetKind, render
from tests.factories import make_goal, to_auth0
from tests.javascript import NodeProcess
from tests.snippets.engines import Visit, action_in_node, action_in_quickjs, rule_in_quickjs
from tests.snippets.page import visit_page

HOSTILE = (
    '");process.exit(1);//',
    "\u2028process.exit(1)",
    "\nprocess.exit(1)",
    "</script><script>process.exit(1)",
    "<!--",
    "${process.exit(1)}",
    "{{ goal.key }}{% raw %}",
    "*/process.exit(1)/*",
    "\\",
    "\\u0022);process.exit(1);//",
    "'`\"",
    "##WEBSYNC_KEY##@@WEBSYNC_KEY@@",
    "\u202e\u0000\ud800",
    "$&$1",
)

CODE_KINDS = [kind for kind in SnippetKind if kind not in PIPELINE_KINDS]

hostile_texts = st.sampled_from(HOSTILE) | st.text(max_size=40) | st.text("\"'`\\/*<>{}$#@\u2028\r\n;-", max_size=40)


def segment_of(text: str) -> str:
    """Return a segment of a path as hostile as ``text`` may be."""
    printable = "".join(letter for letter in text.replace(".", "") if letter.isprintable()).strip()
    return "x" if not printable or printable in FORBIDDEN_SEGMENTS else printable


segments = hostile_texts.map(segment_of)
paths = st.lists(segments, min_size=1, max_size=3).map(".".join)
properties = st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True).map(lambda name: "p" + name)
printable_lines = hostile_texts.map(segment_of)
namespaces = st.text("\"'`\\*<>{}$#@;:~!-az09", max_size=30).map(lambda text: f"https://shop.example/{text}/")


@st.composite
def hostile_goals(draw: st.DrawFn) -> WebGoal:
    """A valid goal in which everything that people may choose is hostile."""
    outward = draw(st.lists(st.tuples(paths, properties), max_size=4, unique=True))
    inward = draw(st.lists(st.tuples(segments, properties), max_size=3, unique_by=lambda row: row[0]))
    strategies = st.sampled_from([MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY, MergeStrategy.ADD])
    # One root for each row that writes, so that no two write the same field.
    written = tuple(
        to_auth0(f"user_metadata.{index}.{path}", name, draw(strategies)) for index, (path, name) in enumerate(inward)
    )
    read = tuple(Mapping(f"app_metadata.{path}"[:MAX_FIELD_LENGTH].rstrip(" ."), name) for path, name in outward)
    return make_goal(
        name="n" + draw(hostile_texts),
        claim_namespace=draw(namespaces),
        mappings=tuple(dict.fromkeys(read)) + written,
        links=(IdentifierLink("user_metadata.id." + draw(segments), PROFILE_ID),),
        token_kind=draw(st.sampled_from(TokenKind)),
        client_ids=("shop-client", draw(printable_lines)),
        audiences=(draw(printable_lines), "https://api.example"),
    )


def at(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Return nested objects that have ``value`` at ``path``."""
    for name in reversed(path):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for name, value in other.items():
        inner = both.get(name)
        both[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return both


FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@FEW
@given(goal=hostile_goals())
def test_every_kind_parses_and_is_the_same_twice(node: NodeProcess, goal: WebGoal) -> None:
    for kind in CODE_KINDS:
        code = render(goal, kind).code
        assert node.parses(f"(\n{code})" if kind is SnippetKind.RULE else code)
        assert code == render(goal, kind).code
        # Safe in a page, in an editor and in Auth0's Deploy CLI.
        assert code.isascii()
        assert not any(part in code for part in ("</script", "<!--", "##WEBSYNC", "@@WEBSYNC"))


@FEW
@given(goal=hostile_goals())
def test_the_name_and_the_page_survive_in_the_header(goal: WebGoal) -> None:
    for kind in CODE_KINDS:
        first, second, third = render(goal, kind).code.splitlines()[:3]
        assert json.loads(first.removeprefix("// Websync goal ").removesuffix(", revision 1.")) == goal.name
        assert json.loads(second.partition(" goal on ")[2].removesuffix(", not this file.")) == goal.page_url
        assert third.startswith("// ")


@FEW
@given(goal=hostile_goals())
def test_claims_and_metadata_keep_their_names_at_a_login(node: NodeProcess, goal: WebGoal) -> None:
    # given a user who has a value in every field that is read, and a login that brings every value
    claims = [claim for claim in added_claims(goal) if claim.auth0_field.startswith("app_metadata")]
    user: dict[str, Any] = {}
    for claim in sorted(claims, key=lambda claim: len(claim.auth0_field)):
        user = merged(user, at(source_of(claim.auth0_field).action[1:], {}))
    written = goal.mappings_to(Direction.TO_AUTH0)
    query = {parameter_name(mapping.profile_property): "sent" for mapping in written}
    visit = Visit(user, query=query | {PROFILE_ID_PARAMETER: "p-1"}, audience="https://api.example")
    # when each engine runs it
    for log_in in (action_in_node(node), action_in_quickjs, rule_in_quickjs):
        login = log_in(goal, visit)
        # then exactly the claims of the rows are there, the values are at their paths, and nothing failed
        found = login.access_token_claims if goal.token_kind is TokenKind.ACCESS_TOKEN else login.id_token_claims
        assert set(found) == {claim.name for claim in added_claims(goal)}
        expected: dict[str, Any] = {}
        for mapping in written:
            kept = ["sent"] if mapping.strategy is MergeStrategy.ADD else "sent"
            expected = merged(expected, at(tuple(mapping.auth0_field.split(".")[1:]), kept))
        link = goal.links[0].auth0_field
        assert login.user_metadata == merged(expected, at(tuple(link.split(".")[1:]), "p-1"))
        assert login.console == []


@FEW
@given(goal=hostile_goals())
def test_the_site_sends_what_the_rows_say(node: NodeProcess, goal: WebGoal) -> None:
    # given a profile with a value for every property
    names = {mapping.profile_property for mapping in goal.mappings_to(Direction.TO_AUTH0)}
    values = {name: ["sent"] for name in names}
    # when the site logs in
    code = render(goal, SnippetKind.APPLICATION).code
    seen = visit_page(node, code, "loginWithWebsync(auth0Client)", blueConic={"values": values})
    # then there is a parameter for each, and no other name on the page than the function's
    [options] = seen["logins"]
    assert options["authorizationParams"] == {"ext-bc_profile_id": "p-1"} | {
        parameter_name(name): "sent" for name in names
    }
    assert seen["leaks"] == ["loginWithWebsync"]
    # when it posts the token
    token = {"idTokens": [{"__raw": "t", "exp": 9_999_999_999}], "accessTokens": ["t"], "answers": [{"status": 200}]}
    code = render(goal, SnippetKind.TOKEN).code
    seen = visit_page(node, code, "syncWithWebsync(auth0Client)", blueConic={}, **token)
    # then it goes to Websync, for the audience of the goal
    assert [post["url"] for post in seen["posts"]] == [goal.token_url]
    if goal.token_kind is TokenKind.ACCESS_TOKEN:
        assert seen["silentCalls"] == [{"authorizationParams": {"audience": goal.audiences[0]}}]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_goal_name_never_becomes_code(node: NodeProcess, name: str) -> None:
    # given a goal whose name tries to become code
    goal = make_goal(name=name, mappings=(Mapping("user_metadata.plan", "plan"),))
    # when Auth0 runs the Action
    login = action_in_node(node)(goal, Visit({"user_metadata": {"plan": "gold"}}))
    # then it sets its one claim and does nothing else
    assert login.id_token_claims == {"https://shop.example/claims/user_metadata.plan": "gold"}
    assert (login.written, login.console) == (False, [])
