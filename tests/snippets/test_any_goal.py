"""What holds for every goal, every kind of code and every SDK."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from snippets.claims import added_claims, claim_name, fields_to_read
from snippets.exchange import action_secrets, exchange_url, login_claim, sent_claims
from snippets.fields import LOGIN_FIELDS, VERIFIED_BY, parse_field, source_of
from snippets.goals import Direction, IdentifierLink, Mapping, TokenKind, WebGoal
from snippets.parameters import parameter_name
from snippets.rendering import SITE_KINDS, CodeFile, SnippetKind, render
from snippets.sdks import Sdk
from tests.factories import make_full_goal
from tests.javascript import NodeProcess
from tests.snippets.arbitrary_goals import goals
from tests.snippets.test_hostile_text import at, hostile_goals, merged
from tests.snippets.test_types import NODE_MODULES
from webapp.auth0.action_engine import FetchAnswer, Fetched, run_action
from webapp.auth0.claims import RESTRICTED, permitted_claims
from webapp.profiles.values import PropertyType
from webapp.tokens.claim_values import link_values, read_mappings

MANY = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
VERIFICATIONS = frozenset(VERIFIED_BY.values())

# What each file means to a parser: its mistakes, the tree of its code without the texts in it, and these texts.
PARSE = """
const ts = require(given.typescript);
const name = (index) => `${index}.${given.files[index].language === "typescript" ? "ts" : "jsx"}`;
const sources = Object.fromEntries(given.files.map(({ code }, index) =>
  [name(index), ts.createSourceFile(name(index), code, ts.ScriptTarget.ES2022)]));
const host = {
  fileExists: () => false, getCanonicalFileName: (path) => path, getCurrentDirectory: () => "",
  getDefaultLibFileName: () => "", getNewLine: () => "",
  getSourceFile: (path) => sources[path], readFile: () => undefined, useCaseSensitiveFileNames: () => true,
};
const settings = { allowJs: true, noLib: true, noResolve: true, target: ts.ScriptTarget.ES2022 };
const program = ts.createProgram(Object.keys(sources), settings, host);
return Object.values(sources).map((source) => {
  const tree = [], texts = [];
  (function walk(node) {
    tree.push(node.kind);
    if (ts.isIdentifier(node)) tree.push(node.text);
    else if (ts.isStringLiteralLike(node)) texts.push(node.text);
    ts.forEachChild(node, walk);
    tree.push(0);
  })(source);
  const mistakes = program.getSyntacticDiagnostics(source);
  return {
    mistakes: mistakes.map((each) => ts.flattenDiagnosticMessageText(each.messageText, " ")),
    tree: tree.join(" "),
    texts,
  };
});
"""


def files_of(goal: WebGoal) -> Iterator[CodeFile]:
    """Give every file of JavaScript and TypeScript; a Rule is an expression, as Auth0 takes it."""
    for kind in SITE_KINDS:
        for sdk in Sdk:
            files = render(goal, kind, sdk=sdk).files
            yield from (file for file in files if file.language in {"javascript", "typescript"})
    for old_rule_id in (None, "rul_0123456789abcDEF"):
        yield from render(goal, SnippetKind.ACTION, old_rule_id=old_rule_id).files
    [rule] = render(goal, SnippetKind.RULE).files
    yield replace(rule, code=f"(\n{rule.code});\n")


def parse(node: NodeProcess, files: list[CodeFile]) -> list[dict[str, Any]]:
    """Return what TypeScript's parser makes of each file."""
    given = [{"code": file.code, "language": file.language} for file in files]
    found: list[dict[str, Any]] = node.run(PARSE, {"typescript": str(NODE_MODULES / "typescript"), "files": given})
    return found


@MANY
@given(goal=goals(server_exchange=True) | goals())
def test_every_file_parses_and_is_the_same_twice(node: NodeProcess, goal: WebGoal) -> None:
    files = list(files_of(goal))
    assert [each["mistakes"] for each in parse(node, files)] == [[]] * len(files)
    assert files == list(files_of(deepcopy(goal)))


def test_the_parser_sees_a_mistake(node: NodeProcess) -> None:
    # given code with a brace too many, and with a type where there are none
    files = [replace(file, code=file.code + "}") for file in files_of(make_full_goal())]
    files.append(CodeFile("typed.js", "const text: string = '';", "javascript"))
    # when it is parsed, then that is seen in every file
    assert all(each["mistakes"] for each in parse(node, files))


def tame(goal: WebGoal) -> WebGoal:
    """Return a goal of the same shape in which no name is hostile: segments of paths are numbered."""
    numbers: dict[str, str] = {}

    def field(path: str) -> str:
        root, *rest = path.split(".")
        if path in LOGIN_FIELDS:
            return path
        return ".".join([root, *(numbers.setdefault(segment, f"s{len(numbers)}") for segment in rest)])

    return replace(
        goal,
        name="Tame",
        claim_namespace="https://shop.example/claims/",
        mappings=tuple(replace(each, auth0_field=field(each.auth0_field)) for each in goal.mappings),
        links=tuple(replace(each, auth0_field=field(each.auth0_field)) for each in goal.links),
        client_ids=tuple(f"client-{index}" for index, _ in enumerate(goal.client_ids)),
        audiences=tuple(f"https://api-{index}.example" for index, _ in enumerate(goal.audiences)),
    )


@MANY
@given(goal=hostile_goals() | goals(server_exchange=True))
def test_no_name_changes_what_the_code_is(node: NodeProcess, goal: WebGoal) -> None:
    # given the code of a goal with hostile names, and that of one with tame names
    parsed, expected = (parse(node, list(files_of(each))) for each in (goal, tame(goal)))
    # then both are the same code: whatever is hostile stays inside of texts
    assert [each["tree"] for each in parsed] == [each["tree"] for each in expected]
    # and the texts are whole
    texts = [text for each in parsed for text in each["texts"]]
    names = {claim.name for claim in added_claims(goal)} | {goal.token_url, *goal.client_ids}
    names |= {parameter_name(each) for each in goal.browser_properties}
    names |= set(goal.audiences) if goal.token_kind is TokenKind.ACCESS_TOKEN else set()
    names |= {exchange_url(goal), *(claim.name for claim in sent_claims(goal))} if goal.server_exchange else set()
    assert names <= set(texts)


class ReadClaims(dict[str, Any]):
    """A token's claims, which remember the names that somebody asks for."""

    def __init__(self, claims: dict[str, Any]) -> None:
        super().__init__(claims)
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def full_login(goal: WebGoal) -> dict[str, Any]:
    """Return a login that has a value for every field that ``goal`` reads."""
    event: dict[str, Any] = {"user": {"user_metadata": {}, "app_metadata": {}}, "request": {"query": {}}}
    for field in fields_to_read(goal):
        # An object leaves room for the fields that stand inside of it.
        value: object = "value" if field in LOGIN_FIELDS else True if field in VERIFICATIONS else {"\u00b7": "value"}
        event = merged(event, at(source_of(field).action, value))
    return merged(
        event, {"client": {"client_id": "shop-client"}, "resource_server": {"identifier": "https://api.example"}}
    )


@MANY
@given(goal=goals())
def test_the_action_sets_exactly_the_claims_that_the_token_service_reads(goal: WebGoal) -> None:
    # given a login that has a value for every field
    effects = run_action(render(goal, SnippetKind.ACTION).code, full_login(goal))
    assert (effects.error, effects.console) == (None, [])
    is_id_token = goal.token_kind is TokenKind.ID_TOKEN
    found = effects.id_token_claims if is_id_token else effects.access_token_claims
    assert (effects.access_token_claims if is_id_token else effects.id_token_claims) == {}
    # when the token service reads a token with these claims and those that it has by itself
    standard = {claim_name(goal, field): True for field in fields_to_read(goal)}
    claims = ReadClaims(standard | found)
    properties = {each.profile_property for each in goal.mappings}
    types = dict.fromkeys(properties, PropertyType.TEXT)
    link_values(goal, claims, types)
    read_mappings(goal, claims, types, identifiers=properties)
    # then it asks for each of them, and for no other
    asked = {name for name in claims.asked if name.startswith(goal.claim_namespace)}
    assert set(found) == {claim.name for claim in added_claims(goal)}
    assert asked <= set(found)
    assert set(found) - asked <= verifications_of_trusting_links(goal)


@MANY
@given(goal=goals(server_exchange=True))
def test_the_call_and_the_token_of_an_exchange_carry_the_same_claims(goal: WebGoal) -> None:
    # given a login that has a value for every field, and a Websync that answers one for every property
    calls: list[dict[str, Any]] = []
    properties = {each.profile_property for each in goal.mappings}

    def answer(fetched: Fetched) -> FetchAnswer:
        assert fetched.url == exchange_url(goal)
        calls.append(json.loads(fetched.body))
        return FetchAnswer(200, json.dumps({"values": {name: ["answered"] for name in properties}}))

    # when the Action runs
    event = full_login(goal)
    secrets = dict.fromkeys(action_secrets(goal), "s3cret")
    effects = run_action(render(goal, SnippetKind.ACTION).code, event, secrets=secrets, answer=answer)
    # then it called once, with all that the token service would read, under the same names
    assert (effects.error, effects.console, len(calls)) == (None, [], 1 if secrets else 0)
    if not secrets:  # two of the rows could not be told apart, so this is another goal
        return
    assert set(calls[0]["claims"]) == {claim_name(goal, field) for field in fields_to_read(goal)} - {"sub"}
    # the token has the claims that it would lack, and the name of the login; Auth0 keeps them all
    is_id_token = goal.token_kind is TokenKind.ID_TOKEN
    found = effects.id_token_claims if is_id_token else effects.access_token_claims
    assert set(found) == {claim.name for claim in added_claims(goal)} | {login_claim(goal)}
    assert permitted_claims(found, ()) == found
    # and the answer went to the rows' own places, and nowhere else
    roots = {"user_metadata": set(effects.user_metadata), "app_metadata": set(effects.app_metadata)}
    for kind, written in roots.items():
        rows = [parse_field(each.auth0_field) for each in goal.mappings_to(Direction.TO_AUTH0)]
        assert written == {path[1] for path in rows if path[0] == kind}


def verifications_of_trusting_links(goal: WebGoal) -> set[str]:
    """Return the claims that say what is verified where a link does without: then nobody has to look."""
    return {
        claim_name(goal, VERIFIED_BY[link.auth0_field])
        for link in goal.links
        if link.auth0_field in VERIFIED_BY and not link.require_verified
    }


@MANY
@given(goal=goals())
def test_auth0_keeps_every_claim_of_the_action(goal: WebGoal) -> None:
    # given the claims that an Action adds, and an application that asked for no scope
    names = dict.fromkeys((claim.name for claim in added_claims(goal)), "value")
    # then none is restricted, and Auth0 drops none of them
    assert RESTRICTED.isdisjoint(names)
    assert permitted_claims(names, ()) == names


@pytest.mark.parametrize("name", sorted(RESTRICTED))
def test_not_even_a_field_with_a_restricted_name_becomes_such_a_claim(name: str) -> None:
    # given rows and a link whose fields have a restricted name
    fields = (name, f"user_metadata.{name}", f"app_metadata.{name}")
    goal = make_full_goal(
        mappings=tuple(Mapping(field, f"p{index}") for index, field in enumerate(fields)),
        links=(IdentifierLink(name, "id"),),
    )
    # when the Action runs
    event = {
        "client": {"client_id": "shop-client"},
        "user": {name: 1, "user_metadata": {name: 1}, "app_metadata": {name: 1}},
    }
    claims = run_action(render(goal, SnippetKind.ACTION).code, event).id_token_claims
    # then its claims have the goal's namespace before the name
    assert set(claims) == {goal.claim_namespace + field for field in fields}
