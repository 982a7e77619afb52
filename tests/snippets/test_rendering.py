"""The texts themselves. ``WEBSYNC_RENEW_GOLDEN=1 pytest tests/snippets/test_rendering.py`` renews the golden files."""

import gzip
import os
import re
from pathlib import Path

import pytest

from snippets.consent import ConsentRule
from snippets.goals import PROFILE_ID, IdentifierLink, Mapping, MergeStrategy, TokenKind, WebGoal
from snippets.rendering import PIPELINE_KINDS, SITE_KINDS, SnippetKind, render
from snippets.sdks import NATIVE_SDKS, SCRIPT_SDKS, Sdk
from tests.factories import CONSENT, make_full_goal, make_goal, to_auth0
from tests.javascript import NodeProcess
from tests.snippets.test_types import NODE_MODULES

GOLDEN = Path(__file__).parent / "golden"
CODE_KINDS = [kind for kind in SnippetKind if kind not in PIPELINE_KINDS]

GOALS = {
    "full": make_full_goal(),
    "plain": make_goal(mappings=(Mapping("email", "email"),)),
    "exchange": make_full_goal(
        server_exchange=True, mappings=(*make_full_goal().mappings, to_auth0("app_metadata.tier", "tier"))
    ),
    "access-token": make_full_goal(token_kind=TokenKind.ACCESS_TOKEN, audiences=("https://api.shop.example",)),
    "consent": make_full_goal(consent=CONSENT),
}


def code_of(goal: WebGoal, kind: SnippetKind) -> str:
    return render(goal, kind).code


@pytest.mark.parametrize("kind", CODE_KINDS)
@pytest.mark.parametrize("name", GOALS)
def test_generated_code_is_what_was_reviewed(name: str, kind: SnippetKind) -> None:
    # given the code that people looked at
    golden = GOLDEN / f"{name}-{kind}.js"
    # when it is generated today
    code = code_of(GOALS[name], kind)
    if os.environ.get("WEBSYNC_RENEW_GOLDEN"):
        golden.write_text(code, encoding="utf-8")
    # then not a byte differs
    assert code == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("sdk", Sdk)
@pytest.mark.parametrize("kind", sorted(SITE_KINDS))
def test_the_code_for_each_sdk_is_what_was_reviewed(kind: SnippetKind, sdk: Sdk) -> None:
    # given the code that people looked at, for each file that the SDK needs
    for file in render(GOALS["full"], kind, sdk=sdk).files:
        golden = GOLDEN / "sdks" / sdk / file.path
        # when it is generated today
        if os.environ.get("WEBSYNC_RENEW_GOLDEN"):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(file.code, encoding="utf-8")
        # then not a byte differs
        assert file.code == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", SnippetKind)
def test_an_equal_goal_gives_identical_bytes(kind: SnippetKind) -> None:
    assert render(make_full_goal(), kind, sdk=Sdk.SPA_JS) == render(make_full_goal(), kind)


@pytest.mark.parametrize("kind", CODE_KINDS)
def test_the_header_says_what_made_it_and_where_to_change_it(kind: SnippetKind) -> None:
    # given a goal at its third revision
    goal = make_goal(name='Shop "visitors"', revision=3)
    # when its code is generated
    header = code_of(goal, kind).splitlines()[:2]
    # then the first lines name product, goal, revision and page
    assert header[0] == r'// Websync goal "Shop \"visitors\"", revision 3.'
    assert '"https://websync.example/goals/shop-goal"' in header[1]


@pytest.mark.parametrize("kind", CODE_KINDS)
def test_a_snippet_has_a_file_name_and_a_caption_of_its_kind(kind: SnippetKind) -> None:
    snippet = render(make_goal(), kind)
    [file] = snippet.files
    assert (snippet.kind, file.language, file.name) == (kind, "javascript", f"websync-{kind}.js")
    assert snippet.caption
    assert file.code == snippet.code
    assert file.code.endswith("\n")


@pytest.mark.parametrize("name", GOALS)
@pytest.mark.parametrize("kind", CODE_KINDS)
def test_the_code_is_tidy_and_parses(node: NodeProcess, name: str, kind: SnippetKind) -> None:
    code = code_of(GOALS[name], kind)
    # A Rule is a function without a name: a script only as part of an expression.
    assert node.parses(f"(\n{code})" if kind is SnippetKind.RULE else code)
    assert not re.search(r"[ \t]$|\n\n\n|\t", code, re.MULTILINE)
    assert code.isascii()


@pytest.mark.parametrize("sdk", Sdk)
@pytest.mark.parametrize("kind", sorted(SITE_KINDS))
@pytest.mark.parametrize("name", GOALS)
def test_the_code_for_each_sdk_is_tidy(name: str, kind: SnippetKind, sdk: Sdk) -> None:
    for file in render(GOALS[name], kind, sdk=sdk).files:
        assert not re.search(r"[ \t]$|\n\n\n|\t", file.code, re.MULTILINE), file.path
        assert file.code.isascii()
        assert file.code.endswith("\n")


@pytest.mark.parametrize("kind", [SnippetKind.ACTION, SnippetKind.RULE])
def test_an_action_with_nothing_to_do_says_so(kind: SnippetKind) -> None:
    # given a goal whose only field is in every ID token
    code = code_of(make_goal(mappings=(Mapping("email", "email"),)), kind)
    # then the code says that it does nothing
    assert "// Nothing to do" in code
    assert "metadata" not in code
    assert "try" not in code


@pytest.mark.parametrize("kind", [SnippetKind.ACTION, SnippetKind.RULE])
@pytest.mark.parametrize(
    ("mappings", "links", "present", "absent"),
    [
        ((Mapping("user_metadata.plan", "plan"),), (), ["valueAt"], ["store", "decode", "UserMetadata", "isEmpty"]),
        ((to_auth0("user_metadata.a", "a"),), (), ["decodeValues", "store", "set("], ["valueAt", "isEmpty", "add("]),
        (
            (to_auth0("user_metadata.a", "a", MergeStrategy.ADD),),
            (),
            ["isEmpty", "add("],
            ["setIfEmpty", "function set(", "valueAt"],
        ),
        (
            (),
            (IdentifierLink("user_metadata.bc", PROFILE_ID),),
            ["decodeProfileId", "store"],
            ["decodeValues", "isEmpty"],
        ),
        ((), (IdentifierLink("user_id", PROFILE_ID),), ["Nothing to do"], ["decodeProfileId", "store"]),
        ((), (IdentifierLink("user_metadata", PROFILE_ID),), ["valueAt"], ["decodeProfileId", "store"]),
    ],
)
def test_the_code_has_only_what_the_rows_need(
    kind: SnippetKind,
    mappings: tuple[Mapping, ...],
    links: tuple[IdentifierLink, ...],
    present: list[str],
    absent: list[str],
) -> None:
    code = code_of(make_goal(mappings=mappings, links=links, enable_token=False), kind)
    assert [part for part in present if part not in code] == []
    assert [part for part in absent if part in code] == []


def test_a_login_call_without_values_has_no_code_for_values() -> None:
    code = code_of(make_goal(), SnippetKind.APPLICATION)
    assert "ext-bc_profile_id" in code
    assert "encodeValues" not in code
    assert "loadValues" not in code


def test_the_login_call_shows_what_to_replace() -> None:
    code = code_of(make_goal(), SnippetKind.APPLICATION)
    assert "//   auth0Client.loginWithRedirect(options)\n" in code
    assert "//   loginWithWebsync(auth0Client, options)\n" in code


def test_the_rule_says_that_rules_have_ended() -> None:
    code = code_of(make_goal(), SnippetKind.RULE)
    assert "2024-11-18" in code
    assert "2026-11-18" in code
    assert not re.search(r"\?\.|\?\?|catch \{", code)  # ES2018: old tenants run old engines


@pytest.mark.parametrize("token_kind", TokenKind)
@pytest.mark.parametrize("consent", [None, CONSENT], ids=["all", "consent"])
@pytest.mark.parametrize("sdk", [sdk for sdk in Sdk if sdk is not Sdk.ANGULAR])
def test_the_token_snippet_is_small(token_kind: TokenKind, consent: ConsentRule | None, sdk: Sdk) -> None:
    # given a goal with a long name (Angular's code is not what browsers get: its compiler takes the types out)
    goal = make_full_goal(
        name="Visitors of the shop", token_kind=token_kind, audiences=("https://api.shop.example",), consent=consent
    )
    # when its code is compressed as servers do, then it is under 2 KiB, comments included
    for file in render(goal, SnippetKind.TOKEN, sdk=sdk).files:
        assert len(gzip.compress(file.code.encode())) < 2048


RULE = ConsentRule(
    ("marketing", "statistics", "personalisation", "recommendations", "service"), CONSENT.opt_in, CONSENT.opt_out
)
MINIFY = """
const compilerOptions = { experimentalDecorators: true };
const settings = { loader: given.loader, minify: true, tsconfigRaw: { compilerOptions } };
return require(given.esbuild).transformSync(given.code, settings).code;
"""


@pytest.mark.parametrize("consent", [None, RULE], ids=["all", "consent"])
@pytest.mark.parametrize("sdk", sorted(set(Sdk) - NATIVE_SDKS))
def test_what_browsers_get_of_the_token_snippet_is_small_for_long_names_too(
    node: NodeProcess, consent: ConsentRule | None, sdk: Sdk
) -> None:
    # given a goal with longer names than most
    goal = make_full_goal(
        name="Visitors of the web shop who take part in the loyalty programme",
        public_url="https://websync.marketing.a-long-company-name.example.com",
        key="PjvQCxRr4Qxk",
        consent=consent,
    )
    [file, *_] = render(goal, SnippetKind.TOKEN, sdk=sdk).files
    code = file.code
    if sdk not in SCRIPT_SDKS:  # what has imports goes through a bundler
        loader = "ts" if file.language == "typescript" else "js"
        code = node.run(MINIFY, {"esbuild": str(NODE_MODULES / "esbuild"), "code": code, "loader": loader})
    # when it is compressed as servers do, then it is under 2 KiB
    assert len(gzip.compress(code.encode())) < 2048
