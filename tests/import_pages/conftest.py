"""An import goal's page, in the browser of an admin."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.code_pages.conftest import CONNECTION_KEY, connect
from tests.connections.pages import Fields, add_connection, read_form
from tests.demo.conftest import RunningTenant, tenant

__all__ = ["CONNECTION_KEY", "add_import_goal", "connect", "tenant"]


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    """SQLite alone: a page is the same on both databases, and what it stores is tested with the goals."""
    return make_sqlite()


@pytest.fixture
def address(connect: Callable[..., None], tenant: RunningTenant, admin_client: FlaskClient) -> str:
    """The address of an import goal whose connection may call the demo tenant."""
    connect(tenant.base_url)
    return add_import_goal(admin_client, f"/connections/{CONNECTION_KEY}")


def add_import_goal(client: FlaskClient, address: str = "", **changes: str) -> str:
    """Add an import goal through its page, to a new connection unless told, and return the goal's address."""
    address = f"{address or add_connection(client)}/imports/new"
    fields: Fields = read_form(client.get(address)) | changes
    response = client.post(address, data=fields)
    assert response.status_code == 303, response.text
    return response.location
