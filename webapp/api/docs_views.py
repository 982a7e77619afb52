"""The description of the API: for programs as OpenAPI, for people as a page. Neither tells of anything but Websync."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from webapp.accounts.api_keys import SCOPE_WORDS
from webapp.accounts.guard import public
from webapp.accounts.session import current_admin
from webapp.api.calls import CALLS, Call
from webapp.api.openapi import openapi_document, openapi_path, schemas
from webapp.settings import settings

bp = Blueprint("api_docs", __name__, url_prefix="/api")

Schema = dict[str, Any]


@bp.get("/openapi.json")
@public
def openapi() -> Response:
    """Return the OpenAPI document."""
    return jsonify(openapi_document(settings().public_url))


@bp.get("/docs")
@public
def show() -> ResponseReturnValue:
    """Show every call with what it takes and answers."""
    current_admin()  # whom the head of the page names, though nobody need sign in
    known = schemas()
    return render_template(
        "api/docs.html",
        calls=CALLS,
        path_of=openapi_path,
        example_of=example_of,
        members_of=members_of,
        with_code=with_code,
        shapes=sorted(name for name, schema in known.items() if "properties" in schema),
        scopes=SCOPE_WORDS,
        public_url=settings().public_url,
        known=known,
    )


def members_of(name: str, known: Mapping[str, Schema]) -> list[tuple[str, Markup, Markup]]:
    """Return the members of a shape: name, type, description."""
    required = known[name].get("required", [])
    return [
        (
            member,
            type_words(schema, known) + ("" if member in required else ", may be left out"),
            with_code(schema.get("description", "")),
        )
        for member, schema in known[name]["properties"].items()
    ]


def type_words(schema: Schema, known: Mapping[str, Schema]) -> Markup:
    """Return a type in words, with a link to the shape that it is."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        is_shape = "properties" in known[name]
        return Markup('<a href="#{0}">{0}</a>').format(name) if is_shape else type_words(known[name], known)
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return Markup(" or ").join(Markup("<code>{}</code>").format(each) for each in values)
    if "anyOf" in schema:
        return Markup(" or ").join(type_words(each, known) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return Markup("list of ") + type_words(schema["items"], known)
    if isinstance(more := schema.get("additionalProperties"), dict):
        return Markup("object of ") + type_words(more, known)
    return escape(schema.get("format", schema.get("type", "anything")))


def with_code(text: str) -> Markup:
    """Return a text whose words between backticks are code."""
    parts = text.replace("``", "`").split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def example_of(each: Call, public_url: str) -> str:
    """Return a call as a line for a terminal."""
    path = openapi_path(each).replace("{key}", "KEY")
    words = ["curl", *(() if each.method == "GET" else ("-X", each.method))]
    words += ["-H", '"Authorization: Bearer $WEBSYNC_KEY"']
    if each.body is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", _BODIES.get(each.body.__name__, "'{}'")]
    return " ".join([*words, f"{public_url}/api/v1{path}"])


_BODIES = {"ScheduleRequest": """'{"schedule": {"kind": "times_per_day", "at": "03:00", "times_per_day": 1}}'"""}
