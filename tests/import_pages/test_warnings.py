"""What an import goal may be saved with, though it may not do what was meant."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from snippets.goals import IdentifierLink, MergeStrategy
from tests.connections.pages import read_form
from tests.factories import make_import_goal
from tests.import_pages.conftest import add_import_goal
from tests.trying.conftest import text_of
from webapp.connections.import_goals import ImportMapping
from webapp.connections.transforms import Transform, TransformKind
from webapp.import_pages.warnings import warnings_of

IDENTIFYING = {"auth0_user_id", "email", "crm_id"}
BY_EMAIL = IdentifierLink("email", "email")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"mappings": (ImportMapping("email", "email"),), "links": (BY_EMAIL,)}, ""),
        ({"mappings": (ImportMapping("app_metadata.id", "crm_id"),)}, ""),
        ({"mappings": (ImportMapping("user_metadata.id", "crm_id"),)}, "stored for nobody"),
        ({"mappings": (ImportMapping("nickname", "email"),)}, "stored for nobody"),
        (
            {"mappings": (ImportMapping("user_id", "crm_id", transforms=(Transform(TransformKind.CONSTANT, "x"),)),)},
            "stored for nobody",
        ),
        (
            {
                "mappings": (ImportMapping("user_metadata.id", "crm_id"),),
                "links": (IdentifierLink("user_metadata.id", "crm_id"),),
            },
            "",
        ),
        ({"mappings": (ImportMapping("logins_count", "logins", MergeStrategy.SUM),)}, "Use Set"),
        ({"mappings": (ImportMapping("logins_count", "logins"),)}, ""),
        ({"enable_batch": False}, "nobody is imported"),
    ],
)
def test_what_may_not_be_meant_is_told(changes: dict[str, Any], message: str) -> None:
    found = " ".join(each.message for each in warnings_of(make_import_goal(**changes), IDENTIFYING))
    assert message in found
    assert bool(found) is bool(message)


def test_a_warning_stands_at_its_row_and_keeps_nobody_from_saving(admin_client: FlaskClient) -> None:
    # when a goal is saved that sums a total
    row = {"mappings-1-auth0_field": "logins_count", "mappings-1-strategy": "sum"}
    address = add_import_goal(admin_client, **row)
    # then it is saved, and its page says so at the top and at the row
    page = admin_client.get(address)
    assert "This goal may not do what you mean: Mapping 2: This is a total already" in text_of(page.text)
    assert "mappings-1-auth0_field-warnings" in page.text
    # and as soon as the form says otherwise, it is gone
    typed = read_form(page) | {"mappings-1-strategy": "set", "do": "add-link"}
    assert "This is a total already" not in admin_client.post(address, data=typed).text
