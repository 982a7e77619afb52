"""The page "Try it" of a goal, used as a person uses it: what it shows is what is sent back, unless it is changed."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.tokens.conftest import Shop, issuer, make_shop, shop

__all__ = ["issuer", "make_shop", "shop"]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TryPage:
    """The page in the browser of an admin."""

    client: FlaskClient
    path: str

    def sample(self) -> tuple[Json, Json]:
        """Return the user and the login that the page begins with."""
        page = self.client.get(self.path).text
        user, around = (json.loads(typed(page, name)) for name in ("user", "around"))
        return user, around

    def send(self, do: str = "run", **changes: Any) -> TestResponse:
        """Press a button. ``changes`` replace fields; dicts are sent as JSON."""
        user, around = self.sample()
        fields = {
            "code": "action",
            "login_kind": "redirect",
            "user": user,
            "around": around,
            "profile_id": "",
        } | changes
        return self.client.post(self.path, data={"do": do} | {name: as_text(value) for name, value in fields.items()})

    def run(self, user: Json | None = None, **changes: Any) -> str:
        """Run the code for the sample user with changes to them; return the page."""
        response = self.send(user=self.sample()[0] | (user or {}), **changes)
        assert response.status_code == 200, text_of(response.text)
        return response.text


@pytest.fixture
def open_page(admin_client: FlaskClient) -> Callable[[Shop], TryPage]:
    """Return a function that opens the page of a shop's goal."""
    return lambda shop: TryPage(admin_client, f"/goals/{shop.goal.key}/try")


@pytest.fixture
def page(shop: Shop, open_page: Callable[[Shop], TryPage]) -> TryPage:
    """The page of `shop`'s goal."""
    return open_page(shop)


def as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def typed(page: str, name: str) -> str:
    """Return what stands in a text field of several lines."""
    found = re.search(rf'<textarea[^>]*\bname="{name}"[^>]*>\r?\n?(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def text_of(page: str) -> str:
    """Return the text that people read, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.partition("<main")[2])).split())


def changes(page: str) -> dict[str, tuple[list[str], list[str]]]:
    """Return the table of the profile: before and after, by property."""
    rows = re.findall(r'<tr data-property="([^"]+)".*?</tr>', page, re.DOTALL)
    found = {}
    for name in rows:
        row = re.search(rf'<tr data-property="{name}".*?</tr>', page, re.DOTALL)
        assert row is not None
        cells = [re.search(rf"<td[^>]*data-{cell}>(.*?)</td>", row[0], re.DOTALL) for cell in ("before", "after")]
        assert all(cells)
        before, after = (re.findall(r"<li>(.*?)</li>", cell[1], re.DOTALL) for cell in cells if cell)
        found[name] = ([unescape(text) for text in before], [unescape(text) for text in after])
    return found


def token_of(page: str) -> Json:
    """Return the claims of the token that the page shows."""
    found = re.search(r'aria-label="All claims of the token">(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    claims: Json = json.loads(unescape(found[1]))
    return claims
