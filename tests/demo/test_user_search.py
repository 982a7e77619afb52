"""The demo tenant's user search, over kept and generated users."""

from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest

from tests.demo.conftest import ADA, RunningTenant
from webapp.demo.faults import set_faults
from webapp.demo.generated_users import stamp_of
from webapp.demo.population import change_users, delete_users, populate
from webapp.demo.seed import CUSTOMERS, STAFF
from webapp.demo.state import utc_now


def found(management: httpx2.Client, query: str, **more: str) -> dict[str, object]:
    response = management.get("users", params={"q": query, "include_totals": "true"} | more)
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


@pytest.fixture
def crowd(tenant: RunningTenant) -> RunningTenant:
    """A tenant with 5,000 customers and 10 of the staff."""
    with tenant.state.change() as data:
        populate(data, CUSTOMERS, 5_000)
        populate(data, STAFF, 10)
    return tenant


def test_users_who_changed_in_a_time_are_found_in_order(crowd: RunningTenant, management: httpx2.Client) -> None:
    # given one customer in a hundred changed now, within a second
    now_ms = crowd.state.now_ms()
    with crowd.state.change() as data:
        change_users(data, CUSTOMERS, 100, now_ms)
    since, until = stamp_of(now_ms - 20), stamp_of(now_ms)
    # when those of the last 20 milliseconds are searched
    query = f'identities.connection:"{CUSTOMERS}" AND updated_at:[{since} TO {until}]'
    answer = found(management, query, sort="updated_at:1", per_page="100")
    # then they are these, the oldest first
    users = answer["users"]
    assert isinstance(users, list)
    assert answer["total"] == len(users) == 21
    stamps = [user["updated_at"] for user in users]
    assert stamps == sorted(stamps)
    assert (stamps[0], stamps[-1]) == (since, until)
    # and an excluded bound is left out
    assert found(management, f"updated_at:{{{since} TO {until}]")["total"] == 20


def test_a_search_ends_at_a_thousand(crowd: RunningTenant, management: httpx2.Client) -> None:
    # given more users than a search gives
    # when they are paged through
    last = management.get("users", params={"per_page": 100, "page": 9, "include_totals": "true"})
    beyond = management.get("users", params={"per_page": 100, "page": 10})
    # then the number is right, and the rest out of reach
    assert (last.json()["total"], last.json()["length"]) == (5_016, 100)
    assert (beyond.status_code, beyond.json()["errorCode"]) == (400, "invalid_paging")


@pytest.mark.parametrize(
    ("query", "number"),
    [
        (f"identities.connection:{STAFF}", 10),
        (f'identities.connection:"{STAFF}" AND user_metadata.plan:"gold"', 2),
        ('email:"user.4@staff.example"', 1),
        ("updated_at:[2020-01-01 TO 2020-01-01]", 1_440 + 10),
        ("updated_at:[2020-01-01T00:00:00.000Z TO 2020-01-01T01:00:00Z}", 60 + 10),
        ("updated_at:[2020-01-01 TO *] AND identities.connection:Staff", 10),
        ("updated_at:[2019-01-01 TO 2019-12-31]", 0),
        ("created_at:[2020-01-02 TO 2020-01-02]", 1_440),
        ("logins_count:[50 TO 60]", 100),
        ("_exists_:user_metadata.note AND identities.connection:Staff", 1),
        (f'user_id:"{ADA}"', 1),
        ("", 5_016),
    ],
)
def test_terms_narrow_a_search(crowd: RunningTenant, management: httpx2.Client, query: str, number: int) -> None:
    assert found(management, query)["total"] == number


@pytest.mark.parametrize(
    "query", ["email", "NOT email:x", "(email:x OR email:y)", "email:x email:y", "plan:[a TO b]", "updated_at:[x TO y]"]
)
def test_what_is_not_understood_is_refused(management: httpx2.Client, query: str) -> None:
    assert management.get("users", params={"q": query}).json()["errorCode"] == "invalid_query_string"


def test_a_wrong_order_is_refused_and_a_right_one_holds(crowd: RunningTenant, management: httpx2.Client) -> None:
    assert management.get("users", params={"sort": "email"}).json()["errorCode"] == "invalid_query_string"
    users = management.get("users", params={"q": "identities.connection:Staff", "sort": "email:-1"}).json()
    assert [user["email"][:6] for user in users[:2]] == ["user.9", "user.8"]


def test_the_search_may_lag_behind(crowd: RunningTenant, management: httpx2.Client) -> None:
    # given a search that is ten seconds behind, and users that changed and were deleted just now
    with crowd.state.change() as data:
        set_faults(data, search_lag_seconds=10)
        change_users(data, STAFF, 5, crowd.state.now_ms())
        delete_users(data, STAFF, 5, crowd.state.now_ms())
    since = stamp_of(crowd.state.now_ms() - 3_600_000)
    query = f"updated_at:[{since} TO *] AND identities.connection:Staff"
    # when they are searched, then nothing of it is known
    assert found(management, query)["total"] == 0
    assert found(management, "identities.connection:Staff")["total"] == 10
    # and ten seconds later all is
    crowd.state.clock = lambda: utc_now() + timedelta(seconds=11)
    assert found(management, query)["total"] == 2
    assert found(management, "identities.connection:Staff")["total"] == 8


def test_a_generated_user_is_found_by_address(crowd: RunningTenant, management: httpx2.Client) -> None:
    # given a generated user's address
    (user,) = management.get("users-by-email", params={"email": "user.4@staff.example"}).json()
    assert management.get(f"users/{user['user_id']}").json() == user
    # then others' are not theirs
    for email in ("user.10@staff.example", "user.4@nowhere.example", "user.x@staff.example"):
        assert management.get("users-by-email", params={"email": email}).json() == []
    # and a change of theirs is found everywhere, once
    management.patch(f"users/{user['user_id']}", json={"name": "New Name"})
    (changed,) = management.get("users-by-email", params={"email": user["email"]}).json()
    assert changed["name"] == "New Name"
    assert found(management, 'email:"user.4@staff.example"')["total"] == 1


@pytest.mark.parametrize(
    "change", [lambda each: each[:-1], lambda each: each[:-1] + "g", lambda each: each[:6] + "f" + each[7:], str.upper]
)
def test_an_id_that_is_nearly_that_of_a_generated_user_is_nobodys(
    crowd: RunningTenant, management: httpx2.Client, change: Callable[[str], str]
) -> None:
    # given a generated user's id
    (user,) = management.get("users-by-email", params={"email": "user.7@staff.example"}).json()
    # when something of it is different
    nearly = change(user["user_id"])
    # then nobody has it
    assert management.get(f"users/{nearly}").status_code == 404


def test_errors_come_as_often_as_is_wanted(tenant: RunningTenant, management: httpx2.Client) -> None:
    # given a tenant that has an error, is limited, and then well
    with tenant.state.change() as data:
        set_faults(data, failing_calls=1, limited_calls=1)
    answers = [management.get("users") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 500, 200]
    assert answers[0].headers["x-ratelimit-remaining"] == "0"
    assert answers[0].headers["x-ratelimit-reset"].isdecimal()
    # and one that has one in three calls
    with tenant.state.change() as data:
        set_faults(data, failing_call_one_in=3)
    assert sorted(management.get("users").status_code for _ in range(6)) == [200, 200, 200, 200, 500, 500]


def test_an_unknown_fault_is_a_mistake(tenant: RunningTenant) -> None:
    with tenant.state.change() as data, pytest.raises(TypeError):
        set_faults(data, unknown=1)
