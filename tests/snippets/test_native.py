"""The code for native apps: read by grammars of its languages, and for React Native run in Node."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tree_sitter_dart
import tree_sitter_kotlin
import tree_sitter_swift
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser

from snippets.goals import TokenKind, WebGoal
from snippets.literals import Code, dart_literal, kotlin_literal, swift_literal
from snippets.parameters import encode_values
from snippets.rendering import SITE_KINDS, CodeFile, SnippetKind, render
from snippets.sdks import NATIVE_SDKS, Sdk
from tests.factories import make_full_goal, make_goal, to_auth0
from tests.javascript import NodeProcess
from tests.snippets.test_hostile_text import FEW, HOSTILE, hostile_goals
from tests.snippets.test_literals import texts
from tests.snippets.test_sdks import TRANSPILE
from tests.snippets.test_types import NODE_MODULES

PARSERS = {
    "swift": Parser(Language(tree_sitter_swift.language())),
    "kotlin": Parser(Language(tree_sitter_kotlin.language())),
    "dart": Parser(Language(tree_sitter_dart.language())),
}
GOALS = {
    "full": make_full_goal(),
    "plain": make_goal(),
    "access-token": make_full_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example",)),
}
NEWSLETTER = make_goal(mappings=(to_auth0("user_metadata.newsletter", "newsletter"),))


def files_of(goal: WebGoal) -> Iterator[CodeFile]:
    """Yield the files that no engine here can run."""
    for sdk in sorted(NATIVE_SDKS - {Sdk.REACT_NATIVE}):
        for kind in sorted(SITE_KINDS):
            yield from render(goal, kind, sdk=sdk).files


def nodes_of(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from nodes_of(child)


def parse(language: str, code: str) -> Node:
    return PARSERS[language].parse(code.encode()).root_node


@pytest.mark.parametrize("name", GOALS)
def test_each_file_has_the_syntax_of_its_language(name: str) -> None:
    for file in files_of(GOALS[name]):
        mistakes = [str(node.start_point) for node in nodes_of(parse(file.language, file.code)) if node.is_missing]
        assert not parse(file.language, file.code).has_error, file.path
        assert mistakes == []


@pytest.mark.parametrize("file", list(files_of(GOALS["full"])), ids=lambda file: file.name)
def test_the_grammars_see_a_mistake(file: CodeFile) -> None:
    # given code that lacks its last bracket
    code = file.code.rstrip().removesuffix("}")
    # when it is read, then the mistake is found
    assert parse(file.language, code).has_error


@FEW
@given(goal=hostile_goals())
def test_a_hostile_goal_adds_nothing_to_the_code(goal: WebGoal) -> None:
    # given the code of a goal in which everything is hostile, and of one with the same rows and a plain name
    same = {name: getattr(goal, name) for name in ("mappings", "links", "token_kind", "audiences")}
    for file, expected in zip(files_of(goal), files_of(make_goal(name="plain", **same)), strict=True):
        # when both are read
        found = parse(file.language, file.code)
        # then they consist of the same declarations and comments
        assert not found.has_error
        assert [node.type for node in found.children] == [
            node.type for node in parse(file.language, expected.code).children
        ]


@given(text=texts)
@pytest.mark.parametrize(
    ("language", "make", "line"),
    [
        ("swift", swift_literal, "let a = {}\n"),
        ("kotlin", kotlin_literal, "val a = {}\n"),
        ("dart", dart_literal, "final a = {};\n"),
    ],
)
def test_a_literal_is_one_text_without_anything_put_in(
    language: str, make: Callable[[str], Code], line: str, text: str
) -> None:
    # when a declaration has any text as its value
    found = parse(language, line.format(make(text)))
    # then it is read as one declaration, and nothing in the text is an expression
    assert not found.has_error
    assert len([node for node in found.children if node.is_named]) <= 2
    kinds = {node.type for node in nodes_of(found)}
    assert not any(part in kind for kind in kinds for part in ("interpol", "template", "comment", "call"))


@FEW
@given(texts=st.lists(st.text() | st.sampled_from(HOSTILE), max_size=4))
def test_react_native_encodes_values_as_sites_do(node: NodeProcess, texts: list[str]) -> None:
    # when a login has any values
    found = run_react_native(
        node,
        NEWSLETTER,
        SnippetKind.APPLICATION,
        "return exports.websyncParameters(given.profileId, given.values);",
        {"profileId": "p-1", "values": {"newsletter": texts, "other": ["x"]}},
    )
    # then the parameters are those that the Action reads
    encoded = encode_values(texts)
    assert found == {"ext-bc_profile_id": "p-1"} | ({} if encoded is None else {"ext-bcp_newsletter": encoded})


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString"])
def test_react_native_finds_no_value_in_a_name_that_every_object_inherits(node: NodeProcess, name: str) -> None:
    # given a property with such an id, for which the app has no value
    goal = make_goal(mappings=(to_auth0("user_metadata.odd", name), *NEWSLETTER.mappings))
    call = "return exports.websyncParameters(null, given);"
    # when somebody logs in, then the login goes on with the others
    found = run_react_native(node, goal, SnippetKind.APPLICATION, call, {"newsletter": ["yes"]})
    assert found == {"ext-bcp_newsletter": "yes"}


@pytest.mark.parametrize("profile_id", [None, "", "p 1", "p-1\n", "x" * 65])
def test_react_native_leaves_out_what_is_no_profile_id(node: NodeProcess, profile_id: str | None) -> None:
    call = "return exports.websyncParameters(given.profileId);"
    assert run_react_native(node, GOALS["plain"], SnippetKind.APPLICATION, call, {"profileId": profile_id}) == {}


@pytest.mark.parametrize(("name", "token"), [("full", "id.token"), ("access-token", "access.token")])
@pytest.mark.parametrize(
    "answer", ["Promise.resolve({ ok: false, status: 503 })", 'Promise.reject(new Error("offline"))']
)
def test_react_native_posts_once_and_never_fails(node: NodeProcess, name: str, token: str, answer: str) -> None:
    # given an app that has just logged in, and a service that may be out of reach
    stub = f"const posts = [], fetch = (url, options) => {{ posts.push({{ url, ...options }}); return {answer}; }};"
    call = """
      await exports.syncWithWebsync({ idToken: "id.token", accessToken: "access.token" }, given.profileId);
      return posts;
    """
    # when it tells Websync
    [post] = run_react_native(node, GOALS[name], SnippetKind.TOKEN, call, {"profileId": "p-1"}, before=stub)
    # then the goal's token went there, with the profile
    assert (post["url"], post["method"]) == (GOALS[name].token_url, "POST")
    assert post["headers"] == {"content-type": "application/json"}
    assert json.loads(post["body"]) == {"token": token, "profileId": "p-1"}


def run_react_native(
    node: NodeProcess, goal: WebGoal, kind: SnippetKind, call: str, given: object, *, before: str = ""
) -> Any:
    [file] = render(goal, kind, sdk=Sdk.REACT_NATIVE).files
    code = node.run(TRANSPILE, {"typescript": str(NODE_MODULES / "typescript"), "code": file.code})
    return node.run(f"const exports = {{}};\n{before}\n{code}\n{call}", given)
