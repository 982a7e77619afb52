"""The OpenAPI document of the API, made of its calls and their shapes. Source: OpenAPI 3.1.0."""

import re
from typing import Any

from pydantic.json_schema import models_json_schema

from webapp.accounts.api_keys import SCOPE_WORDS
from webapp.api.calls import CALLS, Call
from webapp.api.shapes import Problem

VERSION = "1"
_PART = re.compile(r"<(\w+)>")
_REFUSALS = {
    "400": "The request does not have the documented shape.",
    "401": "There is no API key, or it is not accepted.",
    "403": "The API key lacks the scope.",
    "404": "There is no such thing.",
    "429": "Too many calls: `Retry-After` says when the next may come.",
}
_CONFLICT = "It cannot be done now: there is nothing to run, or the run is over."
_NOT_JSON = "The body is no JSON, or does not say that it is."

Document = dict[str, Any]


def openapi_document(public_url: str) -> Document:
    """Return the document."""
    paths: dict[str, Document] = {}
    for each in CALLS:
        paths.setdefault(openapi_path(each), {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Websync", "version": VERSION, "description": _description()},
        "servers": [{"url": f"{public_url}/api/v1"}],
        "security": [{"apiKey": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: wsk_…"}},
            "schemas": schemas(),
        },
    }


def schemas() -> dict[str, Document]:
    """Return the JSON schemas of all shapes by their names."""
    kinds: dict[Any, None] = dict.fromkeys([*(each.answer for each in CALLS), Problem])
    bodies: dict[Any, None] = dict.fromkeys(each.body for each in CALLS if each.body)
    inputs = [(kind, "serialization") for kind in kinds] + [(kind, "validation") for kind in bodies]
    _, found = models_json_schema(inputs, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]  # the modes are literals
    definitions: dict[str, Document] = found["$defs"]
    for each in definitions.values():
        each["description"] = each.get("description", "").replace("``", "`")
    return definitions


def openapi_path(each: Call) -> str:
    """Return a call's path as OpenAPI writes it."""
    return _PART.sub(r"{\1}", each.path)


def _operation(each: Call) -> Document:
    names = _PART.findall(each.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    parameters += [
        {"name": one.name, "in": "query", "description": one.description, "schema": {"type": one.kind}}
        for one in each.query
    ]
    content: Document = {"application/json": {"schema": _reference(each.answer.__name__)}}
    content |= {kind: {"schema": {"type": "string"}} for kind in each.also}
    refusals = _REFUSALS | ({"409": _CONFLICT} if each.method == "POST" else {})
    refusals |= {"415": _NOT_JSON} if each.body else {}
    operation: Document = {
        "operationId": each.name,
        "summary": each.summary,
        "description": f"Needs the scope `{each.scope}`.",
        "parameters": parameters,
        "responses": {str(int(each.status)): {"description": each.summary, "content": content}}
        | {status: _refusal(words) for status, words in sorted(refusals.items())},
    }
    if each.body is not None:
        body = {"application/json": {"schema": _reference(each.body.__name__)}}
        operation["requestBody"] = {"content": body, "required": each.method == "PUT"}
    return operation


def _refusal(words: str) -> Document:
    return {"description": words, "content": {"application/problem+json": {"schema": _reference(Problem.__name__)}}}


def _reference(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _description() -> str:
    scopes = "\n".join(f"- `{scope}`: {words}" for scope, words in SCOPE_WORDS.items())
    return f"Runs of imports and their schedules, for programs. Scopes of API keys:\n\n{scopes}"
