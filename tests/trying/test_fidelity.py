"""A trial against what the demo tenant does when the same person really logs in with the deployed code."""

import json
from collections.abc import Callable

from flask.testing import FlaskClient

from snippets.goals import IdentifierLink, Mapping
from snippets.parameters import encode_values, parameter_name
from tests.code_pages.conftest import GOAL_KEY, SaveGoal, connect, save, tenant
from tests.demo.conftest import ADA, RunningTenant, Visitor, visitor
from tests.factories import make_full_goal
from tests.trying.conftest import TryPage, token_of, typed
from webapp.demo.seed import SPA_CLIENT_ID

__all__ = ["connect", "save", "tenant", "visitor"]

# What each login has anew.
OF_ONE_LOGIN = {"iat", "exp", "sid", "nonce", "at_hash", "updated_at"}


def test_a_trial_ends_with_the_token_of_a_real_login(
    admin_client: FlaskClient,
    connect: Callable[..., None],
    save: SaveGoal,
    tenant: RunningTenant,
    visitor: Visitor,
) -> None:
    # given a goal with all there is, whose Action is deployed
    connect(tenant.base_url)
    links = (*make_full_goal().links, IdentifierLink("app_metadata.customer_number", "customer"))
    mappings = (*make_full_goal().mappings, Mapping("user_metadata.interests", "interests"))
    save(client_ids=(SPA_CLIENT_ID,), links=links, mappings=mappings)
    assert admin_client.post(f"/goals/{GOAL_KEY}/deploy").status_code == 303
    page = TryPage(admin_client, f"/goals/{GOAL_KEY}/try")
    # when the login of a real user is tried, in the browser of somebody with values
    loaded = page.send("load", lookup=ADA).text
    user, around = json.loads(typed(loaded, "user")), json.loads(typed(loaded, "around"))
    around = around | {"authorization": {"roles": []}, "stats": {"logins_count": 1}}
    values = {"newsletter": ["yes", "ünïcode ~*"], "favouriteCategory": ["hiking"]}
    typed_values = {f"value-{name}": "\r\n".join(texts) for name, texts in values.items()}
    tried = token_of(page.run(user, around=around, profile_id="browser-1", **typed_values, **{"value-first_visit": ""}))
    # and then the user really logs in there
    parameters = {parameter_name(name): encode_values(texts) or "" for name, texts in values.items()}
    real = visitor.claims(ADA, **{"ext-bc_profile_id": "browser-1"}, **parameters)
    # then both tokens say the same
    assert set(tried) == set(real) - {"sid", "nonce", "at_hash"}
    assert {name: value for name, value in tried.items() if name not in OF_ONE_LOGIN} == {
        name: value for name, value in real.items() if name not in OF_ONE_LOGIN
    }
