"""Moving an old Rule to the Action: what may be typed, the steps, and the code with its guard."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from snippets.rendering import SnippetKind, render
from tests.code_pages.conftest import GOAL_KEY, PUBLIC_URL, SaveGoal
from tests.code_pages.test_pages import NOWHERE, PAGE, shown_code, text_of
from tests.factories import make_full_goal
from webapp.code_pages.old_rules import OldRule, OldRuleError, read_old_rule

RULE_ID = "rul_0123456789abcDEF"
MOVE = f"{PAGE}/move-rule"


@pytest.fixture
def stored(connect: Callable[..., None], save: SaveGoal) -> None:
    """A goal with both options on."""
    connect(NOWHERE)
    save()


def guarded_code() -> str:
    goal = make_full_goal(key=GOAL_KEY, public_url=PUBLIC_URL, revision=1)
    return render(goal, SnippetKind.ACTION, old_rule_id=RULE_ID).code


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (RULE_ID, OldRule(RULE_ID)),
        (f"  {RULE_ID}\n", OldRule(RULE_ID)),
        (f"https://manage.auth0.com/dashboard/eu/shop/rules/{RULE_ID}", OldRule(RULE_ID)),
        (f"https://manage.auth0.com/dashboard/eu/shop/rules/{RULE_ID}?tab=code#x", OldRule(RULE_ID)),
        (" BlueConic sync - 2 ", OldRule(name="BlueConic sync - 2")),
        ("a", OldRule(name="a")),
    ],
)
def test_a_rule_is_known_by_its_id_its_address_or_its_name(text: str, rule: OldRule) -> None:
    assert read_old_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Type the id or the name"),
        ("  ", "Type the id or the name"),
        ("rul_short", "16 letters or digits"),
        (f"{RULE_ID}7", "16 letters or digits"),
        (f"x{RULE_ID}", "16 letters or digits"),
        ('");process.exit(1);//', "letters, digits, spaces and - only"),
        ("-name", "letters, digits, spaces and - only"),
        ("ru\u017fe", "letters, digits, spaces and - only"),
    ],
)
def test_what_names_no_rule_is_refused_with_the_way_to_mend_it(text: str, message: str) -> None:
    with pytest.raises(OldRuleError, match=message):
        read_old_rule(text)


@pytest.mark.usefixtures("stored")
def test_the_guide_of_the_legacy_rule_asks_for_the_old_one(admin_client: FlaskClient) -> None:
    # given the goal's page, and the guide as a page of its own
    for path in (PAGE, f"{PAGE}/guides/rule/auth0-react"):
        page = admin_client.get(path).text
        # then there is a form that needs no JavaScript
        assert f'<form method="get" action="{MOVE}"' in page
        assert 'name="rule"' in page


@pytest.mark.usefixtures("stored")
def test_an_id_gives_the_steps_in_their_order_and_the_guarded_action(admin_client: FlaskClient) -> None:
    # when the id of an old Rule is given
    page = admin_client.get(f"{MOVE}?rule={RULE_ID}").text
    # then the guarded Action is there, to the letter
    assert shown_code(page, SnippetKind.ACTION) == guarded_code()
    # and it is deployed before the Rule is switched off, and the plain one after that
    text = text_of(page)
    places = [
        text.index(step)
        for step in (
            "Begin with the last Rule",
            "Make the Action, with the guard",
            "Let logins run it",
            "Check a login with both",
            "Switch the Rule off",
            "Check a login without the Rule",
            "Later: take the guard out",
        )
    ]
    assert places == sorted(places)
    assert f"Websync Shop visitors everything ({GOAL_KEY})" in text


@pytest.mark.parametrize("server_exchange", [False, True])
def test_the_steps_name_the_secret_of_the_server_exchange(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal, server_exchange: bool
) -> None:
    # given a goal whose Action calls Websync, or does not
    connect(NOWHERE)
    save(server_exchange=server_exchange)
    # when an old Rule is moved to it, then the Action's secret is named if it needs one
    text = text_of(admin_client.get(f"{MOVE}?rule={RULE_ID}").text)
    assert ("Give it the secret WEBSYNC_SECRET" in text) == server_exchange


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("typed", ["rul_123", "<script>alert(1)</script>", '"><img src=x>', ""])
def test_what_was_mistyped_comes_back_with_a_message(admin_client: FlaskClient, typed: str) -> None:
    # when something is typed that is neither
    response = admin_client.get(MOVE, query_string={"rule": typed})
    # then it stands in the form again, as text, with a message
    assert response.status_code == 422
    assert 'aria-invalid="true"' in response.text
    assert "<script>alert" not in response.text
    assert "<img src=x" not in response.text


@pytest.mark.usefixtures("stored")
def test_without_a_rule_the_page_asks_for_one(admin_client: FlaskClient) -> None:
    response = admin_client.get(MOVE)
    assert response.status_code == 200
    assert "Which Rule?" in response.text
    assert "aria-invalid" not in response.text


@pytest.mark.usefixtures("stored")
def test_the_guarded_action_can_be_downloaded(admin_client: FlaskClient) -> None:
    response = admin_client.get(f"{MOVE}/{RULE_ID}.js")
    assert response.text == guarded_code()
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="websync-action.js"'


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize("rule_id", ["rul_1", "name", RULE_ID + "0", "rul_0123456789abcD'F"])
def test_there_is_no_action_for_what_is_no_id(admin_client: FlaskClient, rule_id: str) -> None:
    assert admin_client.get(f"{MOVE}/{rule_id}.js").status_code == 404


def test_a_goal_without_the_rule_option_has_no_action_to_move_to(
    admin_client: FlaskClient, connect: Callable[..., None], save: SaveGoal
) -> None:
    # given a goal whose Rule option is off
    connect(NOWHERE)
    save(enable_rule=False)
    # when the page is asked for, then there is none
    for path in (MOVE, f"{MOVE}/{RULE_ID}.js"):
        assert admin_client.get(path).status_code == 404


def test_the_page_is_for_admins(client: FlaskClient) -> None:
    assert "/sign-in" in client.get(MOVE).location
