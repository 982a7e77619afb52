"""Posts to the running service while the demo tenant rotates and revokes its keys and goes away."""

from collections.abc import Callable, Iterator

import pytest
from werkzeug.test import TestResponse

from tests.conftest import wait_until
from tests.demo.conftest import RunningTenant, Visitor, tenant
from tests.tokens.conftest import ORIGIN, Shop
from webapp.app import create_app
from webapp.demo.seed import SPA_CLIENT_ID, new_signing_key
from webapp.settings import Settings

__all__ = ["tenant"]


@pytest.fixture
def demo_shop(make_shop: Callable[..., Shop], tenant: RunningTenant) -> Iterator[Shop]:
    """A shop whose visitors log in at the demo tenant."""
    shop = make_shop(domain=tenant.base_url, client_ids=(SPA_CLIENT_ID,))
    yield shop
    wait_until(lambda: shop.app.extensions["signing_keys"].is_idle)


def id_token(running: RunningTenant) -> str:
    token: str = Visitor(running).tokens()["id_token"]
    return token


def problem(response: TestResponse) -> str:
    return str(response.get_json()["type"]).rpartition("/")[2]


def test_a_rotation_costs_no_login(demo_shop: Shop, tenant: RunningTenant) -> None:
    # given a visitor who has posted, and another who has logged in
    assert demo_shop.post(id_token(tenant)).status_code == 200
    waiting = id_token(tenant)
    # when the tenant signs with its next key
    with tenant.state.change() as data:
        current, following = data["signing_keys"]
        data["signing_keys"] = [following, new_signing_key(), current]
    # then tokens of the previous key and of the new one are applied
    assert demo_shop.post(waiting).status_code == 200
    assert demo_shop.post(id_token(tenant)).status_code == 200


def test_a_token_of_a_key_that_no_longer_is_one_is_refused(demo_shop: Shop, tenant: RunningTenant) -> None:
    # given a token of a key that is revoked before the service has seen any
    old = id_token(tenant)
    with tenant.state.change() as data:
        data["signing_keys"] = [new_signing_key(), new_signing_key()]
    # when it is posted
    response = demo_shop.post(old)
    # then it is refused, and a new one is not
    assert (response.status_code, problem(response)) == (401, "token-key-unknown")
    assert demo_shop.post(id_token(tenant)).status_code == 200


def test_a_service_that_starts_while_its_tenant_is_away_knows_the_keys(
    demo_shop: Shop,
    tenant: RunningTenant,
    settings: Settings,
) -> None:
    # given a service that has seen the tenant's keys, and a token that it has not
    assert demo_shop.post(id_token(tenant)).status_code == 200
    wait_until(lambda: demo_shop.app.extensions["signing_keys"].is_idle)
    token = id_token(tenant)
    # when it is started again, and the tenant has no keys for it
    with tenant.state.change() as data:
        data["signing_keys"] = []
    again = create_app(settings)
    response = again.test_client().post(demo_shop.path, json={"token": token}, headers={"Origin": ORIGIN})
    again.extensions["database"].close()
    # then the visitor notices nothing
    assert response.status_code == 200
