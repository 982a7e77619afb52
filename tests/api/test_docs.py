from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS31Validator

from webapp.accounts.api_keys import Scope
from webapp.api.calls import CALLS
from webapp.api.openapi import openapi_path


def test_the_document_has_every_call_and_good_schemas(app: Flask, client: FlaskClient) -> None:
    # given the routes below /api/v1
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    routes = {(method, rule.rule) for rule in rules for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    # when the document is read
    document = client.get("/api/openapi.json").get_json()
    # then it has each of them
    assert routes == {(call.method, f"/api/v1{call.path}") for call in CALLS}
    assert {path: set(methods) for path, methods in document["paths"].items()} == {
        openapi_path(call): {each.method.lower() for each in CALLS if each.path == call.path} for call in CALLS
    }
    assert document["openapi"] == "3.1.0"
    # and each reference leads to a good schema
    for schema in document["components"]["schemas"].values():
        OAS31Validator.check_schema(schema)
    named = {text.partition('"')[0] for text in client.get("/api/openapi.json").text.split("#/components/schemas/")[1:]}
    assert named <= set(document["components"]["schemas"])


def test_the_page_shows_every_call_scope_and_shape(client: FlaskClient, admin_client: FlaskClient) -> None:
    # given somebody who has not signed in, and an admin
    for reader in (client, admin_client):
        # when they read the page
        page = reader.get("/api/docs")
        # then every call, scope and shape is on it
        assert page.status_code == 200
        for call in CALLS:
            assert f"{call.method} {openapi_path(call)}" in page.text
            assert f'id="{call.answer.__name__}"' in page.text
        assert all(scope in page.text for scope in Scope)
