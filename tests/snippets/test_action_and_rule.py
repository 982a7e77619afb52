"""What a login does when Auth0 runs the generated Action, or ran the Rule: the same tests for all of them."""

from typing import Any

import pytest

from snippets.goals import PROFILE_ID, Direction, IdentifierLink, Mapping, MergeStrategy, TokenKind
from snippets.parameters import PROFILE_ID_PARAMETER
from snippets.rendering import SnippetKind, render
from tests.factories import make_full_goal, make_goal, to_auth0
from tests.javascript import NodeProcess
from tests.snippets.engines import Engine, Visit, action_in_node, action_in_quickjs, rule_in_quickjs
from webapp.auth0.action_engine import run_action

ADD, SET, SET_IF_EMPTY = MergeStrategy.ADD, MergeStrategy.SET, MergeStrategy.SET_IF_EMPTY
NS = "https://shop.example/claims/"


@pytest.fixture(params=["action in node", "action in quickjs", "rule in quickjs"])
def log_in(request: pytest.FixtureRequest, node: NodeProcess) -> Engine:
    engines: dict[str, Engine] = {
        "action in node": action_in_node(node),
        "action in quickjs": action_in_quickjs,
        "rule in quickjs": rule_in_quickjs,
    }
    return engines[request.param]


def test_a_field_that_the_token_lacks_becomes_a_claim(log_in: Engine) -> None:
    # given mappings of a standard claim, of metadata, of the login and of its surroundings
    fields = ("email", "user_metadata.plan", "app_metadata.customer.number", "logins_count", "geoip.country_code")
    goal = make_goal(mappings=tuple(Mapping(field, "property_" + field.replace(".", "_")) for field in fields))
    user = {
        "email": "ann@example.org",
        "user_metadata": {"plan": "gold"},
        "app_metadata": {"customer": {"number": "C-1"}},
    }
    # when somebody logs in
    login = log_in(goal, Visit(user, query={}))
    # then the token carries what it would lack, and nothing was written or logged
    assert login.id_token_claims == {
        NS + "user_metadata.plan": "gold",
        NS + "app_metadata.customer.number": "C-1",
        NS + "logins_count": 5,
        NS + "geoip.country_code": "NL",
    }
    assert (login.access_token_claims, login.written, login.console) == ({}, False, [])


@pytest.mark.parametrize("metadata", [{}, {"plan": None}, {"plan": "gold"}, {"plan": {"name": None}}, {"plan": [1]}])
def test_a_missing_field_gives_no_claim(log_in: Engine, metadata: dict[str, Any]) -> None:
    goal = make_goal(mappings=(Mapping("user_metadata.plan.name", "plan"),))
    assert log_in(goal, Visit({"user_metadata": metadata})).id_token_claims == {}


def test_a_missing_field_that_clears_its_property_is_null(log_in: Engine) -> None:
    # given a row with "set or clear"
    goal = make_goal(mappings=(Mapping("nickname", "nickname", strategy=MergeStrategy.SET_OR_CLEAR),))
    # when the user has no nickname, then the claim says so, and otherwise it has the nickname
    assert log_in(goal, Visit()).id_token_claims == {NS + "nickname": None}
    assert log_in(goal, Visit({"nickname": "annie"})).id_token_claims == {NS + "nickname": "annie"}


def test_linked_accounts_have_the_fields_of_each(log_in: Engine) -> None:
    # given rows that read a user's accounts, of which there may be several
    fields = ("identities.0.provider", "identities.1.profileData.given_name", "identities.2.provider")
    goal = make_goal(mappings=tuple(Mapping(field, f"account_{index}") for index, field in enumerate(fields)))
    accounts = [
        {"provider": "auth0", "connection": "users", "user_id": "1", "isSocial": False},
        {"provider": "google-oauth2", "user_id": "2", "isSocial": True, "profileData": {"given_name": "Ann"}},
    ]
    # when somebody with two accounts logs in, and somebody with one
    both, one = (log_in(goal, Visit({"identities": accounts[:count]})) for count in (2, 1))
    # then the token has what there is
    assert both.id_token_claims == {NS + fields[0]: "auth0", NS + fields[1]: "Ann"}
    assert one.id_token_claims == {NS + fields[0]: "auth0"}
    assert (both.console, one.console) == ([], [])


@pytest.mark.parametrize("name", ["toString", "hasOwnProperty", "valueOf", "length"])
def test_a_name_that_every_object_inherits_is_not_a_field(log_in: Engine, name: str) -> None:
    # given rows that read such a name, what is inside it, and one that writes it
    goal = make_goal(
        mappings=(
            Mapping(f"user_metadata.{name}", "odd"),
            Mapping(f"user_metadata.{name}.name", "odder"),
            to_auth0(f"user_metadata.kept.{name}", "value", SET_IF_EMPTY),
        )
    )
    # then nothing is found where nobody stored it, and it can be stored
    assert log_in(goal, Visit()).id_token_claims == {}
    login = log_in(goal, Visit({"user_metadata": {name: "mine"}}, query={"ext-bcp_value": "x"}))
    assert login.id_token_claims == {NS + f"user_metadata.{name}": "mine"}
    assert login.user_metadata == {name: "mine", "kept": {name: "x"}}


@pytest.mark.parametrize(
    ("strategy", "stored", "sent", "expected"),
    [
        (SET, {}, "yes", "yes"),
        (SET, {"field": "no"}, "yes", "yes"),
        (SET, {"field": ["no", "maybe"]}, "yes", "yes"),
        (SET, {}, "a*b", ["a", "b"]),
        (SET, {}, "caf~C3~A9~20~E2~82~AC~20100~25", "café € 100%"),
        (SET_IF_EMPTY, {}, "yes", "yes"),
        (SET_IF_EMPTY, {"field": None}, "a*b", ["a", "b"]),
        (SET_IF_EMPTY, {"field": ""}, "yes", "yes"),
        (SET_IF_EMPTY, {"field": []}, "yes", "yes"),
        (SET_IF_EMPTY, {"field": "no"}, "yes", "no"),
        (SET_IF_EMPTY, {"field": 0}, "yes", 0),
        (SET_IF_EMPTY, {"field": False}, "yes", False),
        (ADD, {}, "a", ["a"]),
        (ADD, {"field": None}, "a*b*a", ["a", "b"]),
        (ADD, {"field": "a"}, "b", ["a", "b"]),
        (ADD, {"field": "a"}, "a", "a"),
        (ADD, {"field": ["b", "a"]}, "c*a", ["b", "a", "c"]),
        (ADD, {"field": 5}, "a", [5, "a"]),
        (ADD, {"field": list("x" * 99)}, "a", [*"x" * 99, "a"]),
        (ADD, {"field": list("x" * 100)}, "a", list("x" * 100)),
    ],
)
def test_a_value_meets_what_is_stored_by_its_strategy(
    log_in: Engine, strategy: MergeStrategy, stored: dict[str, Any], sent: str, expected: object
) -> None:
    # given a stored field beside another one
    goal = make_goal(mappings=(to_auth0("user_metadata.field", "value", strategy),))
    before = {"other": "stays", **stored}
    # when the login brings a value
    login = log_in(goal, Visit({"user_metadata": before}, query={"ext-bcp_value": sent}))
    # then the field is what the strategy says, and Auth0 is asked for a change only if there is one
    assert login.user_metadata == {"other": "stays", "field": expected}
    assert login.written is (login.user_metadata != before)


@pytest.mark.parametrize("strategy", [SET, SET_IF_EMPTY, ADD])
@pytest.mark.parametrize(
    "sent",
    [None, "", "*", "**", "~", "~E9", "~C3", "a~ZZ", "a b", "100%", "é", "x" * 256, 5, ["yes"], {"a": "b"}, True],
)
def test_a_value_that_is_absent_or_not_ours_changes_nothing(
    log_in: Engine, strategy: MergeStrategy, sent: object
) -> None:
    goal = make_goal(mappings=(to_auth0("user_metadata.field", "value", strategy),))
    login = log_in(goal, Visit({"user_metadata": {"field": "kept"}}, query={"ext-bcp_value": sent}))
    assert (login.user_metadata, login.written, login.console) == ({"field": "kept"}, False, [])


def test_a_login_without_a_request_is_normal(log_in: Engine) -> None:
    # given a user who has values already
    metadata = {"newsletter": "yes", "bc_profile_id": "p-1", "plan": "gold"}
    # when a login brings nothing at all (a blocked script, another flow)
    login = log_in(make_full_goal(), Visit({"user_metadata": metadata}))
    # then nothing is erased and the claims are there
    assert (login.user_metadata, login.written) == (metadata, False)
    assert login.id_token_claims[NS + "user_metadata.plan"] == "gold"


def test_a_refresh_brings_its_values_in_the_body(log_in: Engine) -> None:
    login = log_in(make_full_goal(), Visit(body={"ext-bcp_newsletter": "yes", PROFILE_ID_PARAMETER: "p-1"}))
    assert login.user_metadata == {"newsletter": "yes", "bc_profile_id": "p-1"}


def test_a_nested_field_keeps_its_neighbours(log_in: Engine) -> None:
    # given two rows into one object that has other content
    interests = {"categories": ["shoes"], "last": {"seen": 1}}
    visit = Visit(
        {"user_metadata": {"interests": interests, "other": 1}},
        query={"ext-bcp_favouritecategory": "ignored", "ext-bcp_first_visit": "2026-01-01", favourite(): "hats"},
    )
    # when both values come
    login = log_in(make_full_goal(), visit)
    # then the object has them and what it had
    assert login.user_metadata == {
        "interests": {"categories": ["shoes", "hats"], "last": {"seen": 1}, "first": "2026-01-01"},
        "other": 1,
    }


def favourite() -> str:
    """The parameter of ``favouriteCategory``, as the login call sends it."""
    code = render(make_full_goal(), SnippetKind.APPLICATION).code
    return code.partition('["favouriteCategory", "')[2].partition('"')[0]


@pytest.mark.parametrize("name", ["b", "0"])
@pytest.mark.parametrize("in_the_way", ["text", 5, ["a"], True])
def test_something_in_the_way_of_a_nested_field_stays(log_in: Engine, in_the_way: object, name: str) -> None:
    goal = make_goal(mappings=(to_auth0(f"user_metadata.a.{name}", "value"),))
    login = log_in(goal, Visit({"user_metadata": {"a": in_the_way}}, query={"ext-bcp_value": "x"}))
    assert (login.user_metadata, login.written) == ({"a": in_the_way}, False)


def test_a_claim_shows_the_value_that_this_login_brought(log_in: Engine) -> None:
    # given one field that goes to Auth0 and comes back to the profile as a claim
    rows = (to_auth0("user_metadata.newsletter", "newsletter"), Mapping("user_metadata.newsletter", "auth0_newsletter"))
    visit = Visit({"user_metadata": {"newsletter": "no"}}, query={"ext-bcp_newsletter": "yes"})
    # when a login changes it, then the token of the same login has the new value
    assert log_in(make_goal(mappings=rows), visit).id_token_claims == {NS + "user_metadata.newsletter": "yes"}


@pytest.mark.parametrize(
    ("sent", "stored"), [("0f-A", "0f-A"), ("", "old"), ("a_b", "old"), ("a" * 65, "old"), (1, "old")]
)
def test_only_a_profile_id_is_kept_as_a_profile_id(log_in: Engine, sent: object, stored: str) -> None:
    goal = make_goal(mappings=(), links=(IdentifierLink("user_metadata.bc.id", PROFILE_ID),))
    login = log_in(goal, Visit({"user_metadata": {"bc": {"id": "old"}}}, query={PROFILE_ID_PARAMETER: sent}))
    assert login.user_metadata == {"bc": {"id": stored}}
    assert login.written is (stored != "old")


def test_the_profile_id_that_is_stored_already_is_not_written_again(log_in: Engine) -> None:
    visit = Visit({"user_metadata": {"bc_profile_id": "p-1"}}, query={PROFILE_ID_PARAMETER: "p-1"})
    assert log_in(make_full_goal(), visit).written is False


def test_another_application_is_left_alone(log_in: Engine) -> None:
    login = log_in(make_full_goal(), Visit(client_id="other", query={"ext-bcp_newsletter": "yes"}))
    assert (login.id_token_claims, login.access_token_claims, login.written) == ({}, {}, False)


def test_a_goal_without_client_ids_minds_every_application(log_in: Engine) -> None:
    goal = make_goal(client_ids=(), enable_token=False)
    login = log_in(goal, Visit({"user_metadata": {"plan": "gold"}}, client_id="any"))
    assert login.id_token_claims == {NS + "user_metadata.plan": "gold"}


def test_an_access_token_carries_the_claims_for_the_api_of_the_goal(log_in: Engine) -> None:
    # given a goal whose browser posts an access token
    api = "https://api.shop.example"
    goal = make_full_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=(api,))
    user = {"email": "ann@example.org"}
    # when the login is for that API
    login = log_in(goal, Visit(user, query={"ext-bcp_newsletter": "yes"}, audience=api))
    # then the access token has the fields, also those that an ID token would have by itself
    assert login.access_token_claims[NS + "email"] == "ann@example.org"
    assert login.id_token_claims == {}
    # when it is for another one, then there are no claims, but the values are kept
    other = log_in(goal, Visit(user, query={"ext-bcp_newsletter": "yes"}, audience="https://other.example"))
    assert (other.access_token_claims, other.user_metadata) == ({}, {"newsletter": "yes"})


def test_nothing_to_do_does_nothing(log_in: Engine) -> None:
    login = log_in(make_goal(mappings=(Mapping("email", "email"),)), Visit({"email": "ann@example.org"}))
    assert (login.id_token_claims, login.written, login.console) == ({}, False, [])


def test_metadata_with_a_hostile_prototype_key_is_harmless(log_in: Engine) -> None:
    # given metadata that somebody wrote with the key __proto__
    metadata = {"__proto__": {"plan": "gold"}, "newsletter": "no"}
    rows = (Mapping("user_metadata.plan", "plan"), to_auth0("user_metadata.newsletter", "newsletter"))
    # when a login changes another key, then nothing was inherited from it
    login = log_in(make_goal(mappings=rows), Visit({"user_metadata": metadata}, query={"ext-bcp_newsletter": "yes"}))
    assert login.id_token_claims == {}
    assert login.user_metadata["newsletter"] == "yes"


def test_a_failure_inside_ends_as_the_name_of_an_error(node: NodeProcess) -> None:
    # given an event that no Action ever gets
    code = render(make_full_goal(), SnippetKind.ACTION).code
    # when the Action runs
    effects = run_action(code, {"client": {"client_id": "shop-client"}})
    # then the login goes on, and the log has a name and no data
    assert (effects.error, effects.denied) == (None, None)
    assert effects.console == ["websync TypeError"]


RUN_RULE = """
const { code, failure } = given;
const seen = { calls: [], console: [] };
const updateUserMetadata = async () => { throw Object.assign(new Error("ann@example.org"), failure); };
const auth0 = { users: { updateUserMetadata } };
const log = (...parts) => seen.console.push(parts.join(" "));
const rule = new Function("auth0", "console", `return (\\n${code});`)(auth0, { log });
await new Promise((resolve) => {
  const context = { clientID: "shop-client", request: { query: { "ext-bcp_newsletter": "yes" } } };
  rule({ user_id: "auth0|1", user_metadata: { plan: "gold" } }, context, (...answer) => {
    seen.calls.push(answer);
    setImmediate(resolve);
  });
});
return seen;
"""


def test_a_rule_that_cannot_write_metadata_lets_the_login_go_on(node: NodeProcess) -> None:
    # given an Auth0 that refuses the write
    code = render(make_full_goal(), SnippetKind.RULE).code
    # when the Rule runs
    seen = node.run(RUN_RULE, {"code": code, "failure": {"name": "TooManyRequests"}})
    # then it calls back once, without an error, with the claims and the metadata as stored, and logs only a name
    [[error, user, context]] = seen["calls"]
    assert error is None
    assert user["user_metadata"] == {"plan": "gold"}
    assert context["idToken"][NS + "user_metadata.plan"] == "gold"
    assert seen["console"] == ["websync TooManyRequests"]


RUN_ACTION = """
const seen = { claims: {}, console: [] };
const exports = {};
const refuse = () => { throw Object.assign(new Error("ann@example.org"), { name: "Refused" }); };
const setCustomClaim = (name, value) => { seen.claims[name] = value; };
const api = { user: { setUserMetadata: refuse }, idToken: { setCustomClaim } };
new Function("exports", "console", given.code)(exports, { log: (...parts) => seen.console.push(parts.join(" ")) });
const user = { user_metadata: { plan: "gold" } };
const request = { query: { "ext-bcp_newsletter": "yes" } };
await exports.onExecutePostLogin({ user, request, client: { client_id: "shop-client" } }, api);
return seen;
"""


def test_an_action_that_cannot_write_metadata_still_adds_its_claims(node: NodeProcess) -> None:
    # given an Auth0 that refuses the write
    code = render(make_full_goal(), SnippetKind.ACTION).code
    # when the Action runs
    seen = node.run(RUN_ACTION, {"code": code})
    # then the claims are there, and only a name is logged
    assert seen["claims"][NS + "user_metadata.plan"] == "gold"
    assert seen["console"] == ["websync Refused"]


def test_every_row_to_auth0_that_a_goal_allows_has_a_merge_function() -> None:
    for strategy in (SET, SET_IF_EMPTY, ADD):
        row = Mapping("user_metadata.a", "a", Direction.TO_AUTH0, strategy)
        assert "store(metadata" in render(make_goal(mappings=(row,)), SnippetKind.ACTION).code
