"""The demo tenant for the tests of what calls it, and time that passes only when somebody waits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import stamina

from tests.demo.conftest import RunningTenant, tenant
from webapp.auth0.export_jobs import Clock
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.demo.faults import set_faults
from webapp.demo.population import populate
from webapp.demo.seed import CUSTOMERS, M2M_CLIENT_ID, M2M_CLIENT_SECRET
from webapp.demo.state import utc_now

__all__ = ["tenant"]


@dataclass
class Hands:
    """A clock that moves only when somebody waits; ``waits`` are the seconds of each time."""

    start: datetime = field(default_factory=utc_now)
    waits: list[float] = field(default_factory=list)

    def moment(self) -> datetime:
        return self.start + timedelta(seconds=sum(self.waits))

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: sum(self.waits), wait=self.waits.append)


@pytest.fixture
def hands(tenant: RunningTenant) -> Hands:
    """The clock of the tenant, and of whoever waits for it."""
    hands = Hands()
    tenant.state.clock = hands.moment
    return hands


@pytest.fixture
def many(tenant: RunningTenant) -> RunningTenant:
    """The tenant with 5,000 customers, and jobs that take no time."""
    with tenant.state.change() as data:
        populate(data, CUSTOMERS, 5_000)
        set_faults(data, job_seconds=0)
    return tenant


@pytest.fixture
def patient(tenant: RunningTenant, hands: Hands) -> Iterator[ManagementClient]:
    """A client whose waiting takes no time: its own by the clock in hand, between tries of one call none."""
    with (
        stamina.set_testing(True, attempts=4, cap=True),
        ManagementClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET, wait=hands.waits.append) as client,
    ):
        yield client
