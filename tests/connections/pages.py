"""Reads pages as somebody sees them, and fills their forms as somebody would."""

from collections.abc import Iterator
from html.parser import HTMLParser

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from webapp.accounts.models import AuditEntry

Fields = dict[str, str]

CONNECTION = {"name": "Shop", "is_on": "y", "auth0_domain": "acme.eu.auth0.com", "version": "0"}
GOAL = {
    "name": "Shop visitors",
    "client_ids": "shop-client",
    "allowed_origins": "https://shop.example",
}


class _FormReader(HTMLParser):
    """Collects what the page's editing form would send, and the texts of elements with an id."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Fields = {}
        self.descriptions: dict[str, list[str]] = {}
        self.texts: dict[str, str] = {}
        self._is_inside = False
        self._template_depth = 0
        self._textarea = ""
        self._select = ""
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        found = {name: value or "" for name, value in attrs}
        self._template_depth += tag == "template"
        if tag == "form":
            self._is_inside = "data-unsaved-changes" in found
        if tag not in {"input", "meta", "link", "br"}:
            self._open.append((tag, found.get("id", "")))
        name = found.get("name", "")
        if not name or not self._is_inside or self._template_depth or "disabled" in found:
            self._select_option(tag, found)
            return
        self.descriptions[name] = found.get("aria-describedby", "").split()
        if tag == "textarea":
            self._textarea = name
            self.fields[name] = ""
        elif tag == "select":
            self._select = name
        elif tag == "input" and (found.get("type") not in {"checkbox", "radio"} or "checked" in found):
            self.fields[name] = found.get("value", "")

    def _select_option(self, tag: str, found: dict[str, str]) -> None:
        if tag == "option" and self._select and "selected" in found:
            self.fields[self._select] = found["value"]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._template_depth -= tag == "template"
        if tag == "form":
            self._is_inside = False
        if tag == "textarea":
            self.fields[self._textarea] = self.fields[self._textarea].removeprefix("\r\n").removeprefix("\n")
            self._textarea = ""
        if tag == "select":
            self._select = ""
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if self._textarea:
            self.fields[self._textarea] += data
        for _, element_id in self._open:
            if element_id:
                self.texts[element_id] = self.texts.get(element_id, "") + data


def read_form(response: TestResponse) -> Fields:
    """Return what the form on the page would send, were it sent at once."""
    return _read(response).fields


def message_at(response: TestResponse, name: str) -> str:
    """Return the text that describes the field ``name`` on the page (help and mistakes)."""
    page = _read(response)
    return " ".join(" ".join(page.texts[each].split()) for each in page.descriptions[name])


def _read(response: TestResponse) -> _FormReader:
    reader = _FormReader()
    reader.feed(response.text)
    return reader


def add_connection(client: FlaskClient, **changes: str) -> str:
    """Add a connection through its page and return its address."""
    response = client.post("/connections/new", data=CONNECTION | changes)
    assert response.status_code == 303, response.text
    return response.location


def add_goal(client: FlaskClient, **changes: str) -> str:
    """Add a connection and a web goal through their pages and return the goal's address."""
    address = f"{add_connection(client)}/goals/new"
    fields = read_form(client.get(address))
    fields.update(GOAL | changes)
    response = client.post(address, data=fields)
    assert response.status_code == 303, response.text
    return response.location


def audit_entries(app: Flask, object_type: str) -> list[AuditEntry]:
    """Return the audit log's entries of a kind, oldest first."""
    with app.extensions["database"].transaction() as session:
        query = select(AuditEntry).where(AuditEntry.object_type == object_type).order_by(AuditEntry.id)
        return list(session.scalars(query))


def rows(fields: Fields, kind: str = "mappings") -> list[str]:
    """Return the Auth0 fields of the form's rows, from top to bottom."""

    def found() -> Iterator[str]:
        index = 0
        while (name := f"{kind}-{index}-auth0_field") in fields:
            yield fields[name]
            index += 1

    return list(found())
