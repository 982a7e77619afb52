"""The choice of the SDK, its guides and its files."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from snippets.goals import Mapping
from snippets.rendering import SnippetKind, render
from snippets.sdks import NATIVE_SDKS, SCRIPT_SDKS, Sdk
from tests.code_pages.conftest import GOAL_KEY, PUBLIC_URL, SaveGoal
from tests.code_pages.test_pages import NOWHERE, PAGE, shown_code, text_of
from tests.factories import make_full_goal, to_auth0
from webapp.code_pages.sdk_guides import GUIDE_GROUPS, GUIDES


@pytest.fixture
def stored(connect: Callable[..., None], save: SaveGoal) -> None:
    """A goal with both options on."""
    connect(NOWHERE)
    save()


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("sdk", Sdk)
def test_the_page_shows_the_code_of_the_sdk_that_was_chosen_last(admin_client: FlaskClient, sdk: Sdk) -> None:
    # when an SDK is chosen
    answer = admin_client.get(f"{PAGE}/code?sdk={sdk}")
    # then the page shows its code from now on, and its lines to replace
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#code")
    page = admin_client.get(PAGE).text
    goal = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1)
    for kind in (SnippetKind.APPLICATION, SnippetKind.TOKEN):
        assert shown_code(page, kind) == render(goal, kind, sdk=sdk).code
    for line in (*GUIDES[sdk].login_lines(goal).splitlines(), *GUIDES[sdk].token_call.splitlines()):
        assert " ".join(line.split()) in text_of(page)
    # and only where a page can load it as a script, it says how
    assert (f"/sync/{GOAL_KEY}/token.js" in text_of(page)) == (sdk in SCRIPT_SDKS)


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("path", ["code?sdk=jquery", "code/token?sdk=jquery", "guides/token/jquery"])
def test_an_sdk_that_there_is_not_is_not_found(admin_client: FlaskClient, path: str) -> None:
    assert admin_client.get(f"{PAGE}/{path}").status_code == 404


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("sdk", Sdk)
@pytest.mark.parametrize("kind", [SnippetKind.APPLICATION, SnippetKind.TOKEN])
def test_each_file_of_an_sdk_can_be_downloaded(admin_client: FlaskClient, kind: SnippetKind, sdk: Sdk) -> None:
    for file in render(make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1), kind, sdk=sdk).files:
        # when a file is asked for by its name
        response = admin_client.get(f"{PAGE}/code/{kind}?sdk={sdk}&file={file.name}")
        # then it comes, to the letter
        assert response.text == file.code
        assert response.headers["Content-Disposition"] == f'attachment; filename="{file.name}"'


@pytest.mark.usefixtures("stored")
def test_a_file_that_there_is_not_is_not_found(admin_client: FlaskClient) -> None:
    assert admin_client.get(f"{PAGE}/code/token?file=other.js").status_code == 404


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("sdk", Sdk)
def test_only_classic_scripts_are_served_to_pages(client: FlaskClient, sdk: Sdk) -> None:
    for kind in (SnippetKind.APPLICATION, SnippetKind.TOKEN):
        response = client.get(f"/sync/{GOAL_KEY}/{kind}.js?sdk={sdk}")
        if sdk in SCRIPT_SDKS:
            goal = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1)
            assert response.text == render(goal, kind, sdk=sdk).code
        else:
            assert response.status_code == 404


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("sdk", Sdk)
@pytest.mark.parametrize(("option", "kind"), [("rule", "application"), ("token", "token")])
def test_each_guide_is_a_page_of_its_own(admin_client: FlaskClient, option: str, kind: SnippetKind, sdk: Sdk) -> None:
    # when a guide is opened
    page = admin_client.get(f"{PAGE}/guides/{option}/{sdk}").text
    # then it has that SDK's code and lines, whichever was chosen before
    goal = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1)
    assert shown_code(page, SnippetKind(kind)) == render(goal, SnippetKind(kind), sdk=sdk).code
    guide = GUIDES[sdk]
    for line in (guide.login_lines(goal) if option == "rule" else guide.token_call).splitlines():
        assert " ".join(line.split()) in text_of(page)


@pytest.mark.parametrize("mappings", [(), (to_auth0("user_metadata.newsletter", "newsletter"),)], ids=["none", "one"])
@pytest.mark.parametrize("sdk", sorted(NATIVE_SDKS))
def test_the_guide_of_an_app_calls_the_code_as_the_goal_makes_it(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, sdk: Sdk, mappings: tuple[Mapping, ...]
) -> None:
    # given a goal that sends values to Auth0, or none
    connect(NOWHERE)
    save(mappings=mappings)
    # when the guide for an app is opened
    page = text_of(admin_client.get(f"{PAGE}/guides/rule/{sdk}").text)
    # then it passes to the code exactly what that takes, and says what values there are
    goal = make_full_goal(mappings=mappings)
    code = render(goal, SnippetKind.APPLICATION, sdk=sdk).code
    [call] = re.findall(r"^//.*(websyncParameters\([^)]*\))", code, re.MULTILINE)
    assert page.count(call) == 2  # in the lines to write, and in the comment of the code
    assert ("values" in call) == bool(mappings)
    assert ("What it lacks is not sent." in page) == bool(mappings)


@pytest.mark.parametrize("sdk", sorted(NATIVE_SDKS))
def test_the_token_guide_of_an_app_needs_nothing_of_the_rule_option(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, sdk: Sdk
) -> None:
    # given a goal whose Rule option is off, so that there is no code for the login
    connect(NOWHERE)
    save(enable_rule=False)
    # when the guide for an app is opened, then its lines call only what is there
    assert "websyncParameters" not in admin_client.get(f"{PAGE}/guides/token/{sdk}").text


@pytest.mark.parametrize("option", ["rule", "token", "nothing"])
def test_a_guide_of_an_option_that_is_off_is_not_found(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, option: str
) -> None:
    connect(NOWHERE)
    save(**({f"enable_{option}": False} if option != "nothing" else {}))
    assert admin_client.get(f"{PAGE}/guides/{option}/auth0-spa-js").status_code == 404


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("sdk", Sdk)
def test_the_guide_of_an_app_has_no_rules_of_browsers(admin_client: FlaskClient, sdk: Sdk) -> None:
    # when the guides of an SDK are opened
    rule, token = (text_of(admin_client.get(f"{PAGE}/guides/{option}/{sdk}").text) for option in ("rule", "token"))
    # then an app's say nothing of origins, a Content-Security-Policy or a console, and what our tests cannot do
    is_native = sdk in NATIVE_SDKS
    for text in ("Pages of these origins", "Content-Security-Policy", "In the browser's console"):
        assert (text in token) == (not is_native)
    assert ("login call of your app" in rule) == is_native
    assert ("try it in your app before you release it" in rule) == is_native
    assert ("try it in your app before you release it" in token) == is_native


def test_every_sdk_has_its_guide_in_the_group_where_it_belongs() -> None:
    assert set(GUIDES) == set(Sdk)
    assert set(GUIDE_GROUPS["Native apps"]) == NATIVE_SDKS
