from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import jsonify

from tests.auth0.conftest import Hands
from tests.auth0.scripted import ScriptedTenant, problem
from tests.demo.conftest import RunningTenant
from webapp.auth0.answers import Auth0AnswerError, Auth0UnavailableError, ChangesUnknownError
from webapp.auth0.management import ManagementClient
from webapp.auth0.user_search import (
    OVERLAP,
    PAGE_SIZE,
    User,
    Window,
    changed_users,
    count_changed_users,
    count_changes,
    count_users,
    has_user,
    linked_user_id,
    next_window,
)
from webapp.demo.faults import set_faults
from webapp.demo.population import Population, change_users, populate, populations
from webapp.demo.seed import CUSTOMERS, STAFF

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=1))


def change(tenant: RunningTenant, one_in: int, **more: Any) -> None:
    with tenant.state.change() as data:
        change_users(data, CUSTOMERS, one_in, tenant.state.now_ms(), **more)


def since(hands: Hands, **ago: float) -> Window:
    """Return the window from a time ago until now."""
    return Window(hands.moment() - timedelta(**ago), hands.moment())


def customers(tenant: RunningTenant) -> Population:
    with tenant.state.read() as data:
        return populations(data)[0]


def ids(users: Sequence[User]) -> list[str]:
    return [user["user_id"] for user in users]


def test_all_who_changed_come_once_and_in_order(many: RunningTenant, patient: ManagementClient, hands: Hands) -> None:
    # given one customer in ten changed within the last second
    change(many, 10)
    # when those of the last ten seconds are asked for
    window = since(hands, seconds=10)
    users = list(changed_users(patient, window, CUSTOMERS))
    # then all are there, once, the oldest first
    expected = {customers(many).user_id(number) for number in range(0, 5_000, 10)}
    assert set(ids(users)) == expected
    assert len(users) == count_changed_users(patient, window, CUSTOMERS) == 500
    moments = [user["updated_at"] for user in users]
    assert moments == sorted(moments)


def test_more_than_a_search_gives_are_found_all_the_same(
    many: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given 2,500 changes in a second: more than twice what one query gives
    change(many, 2)
    # when they are asked for, then all come
    users = list(changed_users(patient, since(hands, seconds=10), CUSTOMERS, ["email"]))
    assert len(set(ids(users))) == 2_500


@pytest.mark.parametrize(("most", "expected"), [(5_000, 2_500), (100, None)])
def test_changes_are_counted_past_what_a_search_tells(
    many: RunningTenant, patient: ManagementClient, hands: Hands, most: int, expected: int | None
) -> None:
    # given 2,500 changes in a second
    change(many, 2)
    # when they are counted, up to so many
    count = count_changes(patient, since(hands, seconds=10), CUSTOMERS, most=most)
    # then it is their number, or more than was asked for
    assert count == expected if expected else count > most


def test_changes_that_no_search_can_part_are_more_than_can_be_said(
    many: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given 5,000 changes in a millisecond, when they are counted, then that ends
    change(many, 1, spread_ms=1)
    assert count_changes(patient, since(hands, days=300), CUSTOMERS, most=4_000) > 4_000


def test_all_users_are_counted(many: RunningTenant, patient: ManagementClient) -> None:
    # given 5,000 customers and some more, when they are counted, then it is all of them
    with many.state.read() as data:
        kept = len(data["users"])
    assert count_users(patient) == 5_000 + kept


def test_a_user_is_there_or_not_also_while_auth0_has_errors(many: RunningTenant, patient: ManagementClient) -> None:
    # given a tenant that fails twice
    with many.state.change() as data:
        set_faults(data, failing_calls=2)
    # when users are asked for by their ids, then it says who is there
    assert has_user(patient, customers(many).user_id(7))
    assert not has_user(patient, "auth0|nobody/../x")
    # and an error is no answer
    with many.state.change() as data:
        set_faults(data, failing_calls=100)
    with pytest.raises(Auth0UnavailableError):
        has_user(patient, customers(many).user_id(7))


def test_a_page_of_one_millisecond_and_more_is_read_whole(
    many: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given 500 changes in one millisecond, and some before and after it
    change(many, 500, spread_ms=1)
    hands.waits.append(1)
    change(many, 10, spread_ms=1)
    hands.waits.append(1)
    change(many, 500, spread_ms=1)
    # when they are asked for
    users = list(changed_users(patient, since(hands, seconds=10), CUSTOMERS))
    # then nobody is missing
    everybody = customers(many)
    assert set(ids(users)) == {everybody.user_id(n) for n in range(5_000) if n % 10 == 1 or n % 500 in {0, 2}}


def test_a_thousand_changes_in_one_millisecond_are_too_many(
    many: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    change(many, 5, spread_ms=1)
    with pytest.raises(ChangesUnknownError, match="1000 users or more"):
        list(changed_users(patient, since(hands, seconds=10), CUSTOMERS))


def test_other_databases_and_times_are_left_out(many: RunningTenant, patient: ManagementClient, hands: Hands) -> None:
    # given staff, and customers who changed an hour ago and now
    with many.state.change() as data:
        populate(data, STAFF, 10)
        change_users(data, STAFF, 1, many.state.now_ms())
    change(many, 100)
    hands.waits.append(3_600)
    change(many, 200)
    # when what happened since is asked for, then it is that alone
    assert len(list(changed_users(patient, since(hands, minutes=5), CUSTOMERS))) == 25
    assert len(list(changed_users(patient, since(hands, hours=2), STAFF))) == 10
    # and without a database it is everybody
    everybody = list(changed_users(patient, since(hands, hours=2)))
    assert len(set(ids(everybody))) == 50 + 25 + 10 + 6


def test_nobody_is_lost_when_somebody_changes_meanwhile(
    many: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given 500 changes, some of whose users change again after the first page was read
    change(many, 10)
    users = changed_users(patient, since(hands, seconds=10), CUSTOMERS)
    first = [next(users) for _ in range(PAGE_SIZE)]
    hands.waits.append(1)
    change(many, 50)
    # when the rest is read
    found = {*ids(first), *ids(list(users))}
    # then all are there but those who changed again: the next window has them
    everybody = customers(many)
    missing = {everybody.user_id(number) for number in range(0, 5_000, 10)} - found
    again = {everybody.user_id(number) for number in range(5_000) if number % 50 == 1}
    assert missing <= again
    later = ids(list(changed_users(patient, next_window(hands.moment(), hands.moment()), CUSTOMERS)))
    assert again <= set(later)


def test_errors_and_limits_on_the_way_are_borne(many: RunningTenant, patient: ManagementClient, hands: Hands) -> None:
    # given a tenant with an error in every other call and a limit in every third
    change(many, 10)
    with many.state.change() as data:
        set_faults(data, failing_call_one_in=2, limited_call_one_in=3)
    # when users are asked for, then all come
    assert len(list(changed_users(patient, since(hands, seconds=10), CUSTOMERS))) == 500


def test_only_the_fields_that_are_needed_come(many: RunningTenant, patient: ManagementClient, hands: Hands) -> None:
    # given a changed user
    change(many, 5_000)
    window = since(hands, seconds=10)
    # when fields are asked for, then no others come, unless one is an identity provider's own
    (user,) = changed_users(patient, window, CUSTOMERS, ["user_metadata.plan", "identities[0].connection"])
    assert set(user) == {"user_id", "updated_at", "user_metadata", "identities"}
    (user,) = changed_users(patient, window, CUSTOMERS, ["locale", "email"])
    assert "nickname" in user


def test_no_change_is_one_call(many: RunningTenant, patient: ManagementClient, hands: Hands) -> None:
    assert list(changed_users(patient, since(hands, seconds=10), CUSTOMERS)) == []
    assert list(changed_users(patient, Window(hands.moment(), hands.moment() - timedelta(1)), CUSTOMERS)) == []


ADA = "auth0|650a1f3c9d1e8b0012ab0001"


def test_whoever_was_linked_is_found_with_the_user_they_belong_to(
    tenant: RunningTenant, patient: ManagementClient
) -> None:
    # given a login that was linked to Ada's user, and one with a number for an id
    with tenant.state.change() as data:
        del data["users"]["twitter|5120478813"]
        data["users"][ADA]["identities"] += [
            {"connection": "twitter", "provider": "twitter", "user_id": "5120478813", "isSocial": True},
            {"connection": "acme", "provider": "samlp", "user_id": "acme|jane@x.example", "isSocial": False},
            {"connection": "shop", "provider": "oauth2", "user_id": 77, "isSocial": True},
        ]
    # when they are looked for, then they are Ada's; another provider's login of the same id is not
    for linked in ("twitter|5120478813", "samlp|acme|jane@x.example", "oauth2|77", ADA):
        assert linked_user_id(patient, linked) == ADA
    for gone in ("facebook|5120478813", "auth0|nobody", "nobody", 'x|"'):
        assert linked_user_id(patient, gone) is None


@pytest.mark.parametrize("identities", [None, 7, ["text"], [{}], [{"provider": "x"}]])
def test_identities_of_another_shape_are_nobodys(identities: object) -> None:
    users = [{"user_id": "auth0|1", "identities": identities}]
    with ScriptedTenant([lambda: jsonify(total=1, users=users)]).client() as client:
        assert linked_user_id(client, "twitter|5") is None


def test_the_next_window_reaches_back() -> None:
    assert next_window(START, START + timedelta(hours=1)) == Window(START - OVERLAP, START + timedelta(hours=1))
    # and does so also where a clock went back
    assert next_window(START + timedelta(hours=1), START) == Window(START - OVERLAP, START)


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (START, "2026-11-22T10:00:00.000Z"),
        (START.replace(microsecond=123_999), "2026-11-22T10:00:00.123Z"),
        (datetime.fromisoformat("2026-11-22T12:30:00+02:30"), "2026-11-22T10:00:00.000Z"),
    ],
)
def test_a_window_is_written_as_auth0_writes_moments(moment: datetime, written: str) -> None:
    assert Window(moment, moment).query == f"updated_at:[{written} TO {written}]"


def a_user(number: int, moment: datetime = START) -> User:
    return {"user_id": f"auth0|{number}", "updated_at": moment.isoformat()}


@pytest.mark.parametrize("updated_at", [None, 7, "yesterday", {}, "2026-11-22T10:00:00"])
def test_a_search_that_does_not_say_when_cannot_be_followed(updated_at: object) -> None:
    # given a tenant whose users have no readable time
    users = [a_user(number) | {"updated_at": updated_at} for number in range(PAGE_SIZE)]
    # when changes are asked for, then that is an error and no endless search
    with (
        ScriptedTenant([lambda: jsonify(total=400, users=users)]).client() as client,
        pytest.raises(ChangesUnknownError),
    ):
        list(changed_users(client, WINDOW))


@pytest.mark.parametrize("first", [0, 1])
def test_a_search_that_answers_in_no_order_cannot_be_followed(first: int) -> None:
    # given a search that finds users as they were, and shows them, all or all but one, as they are now
    later = START + timedelta(days=1)
    users = [a_user(0), *(a_user(number, later) for number in range(1, PAGE_SIZE))][first:]
    with (
        ScriptedTenant([lambda: jsonify(total=400, users=users)]).client() as client,
        pytest.raises(ChangesUnknownError),
    ):
        list(changed_users(client, WINDOW))


def test_a_user_who_is_newer_than_the_window_comes_too() -> None:
    # given a search that shows one of two users as they are now
    users = [a_user(1), a_user(2, START + timedelta(days=1))]
    with ScriptedTenant([lambda: jsonify(total=2, users=users)]).client() as client:
        assert list(changed_users(client, WINDOW)) == users


@pytest.mark.parametrize("answer", [[], {}, {"total": "many"}, {"total": 1, "users": 7}, {"total": 1, "users": [{}]}])
def test_what_is_no_page_of_users_is_refused(answer: object) -> None:
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client, pytest.raises(Auth0AnswerError):
        list(changed_users(client, WINDOW))


def test_a_search_that_takes_too_long_is_told(hands: Hands, patient: ManagementClient) -> None:
    # given a tenant whose search always takes longer than it may
    with (
        ScriptedTenant([problem(503, "The query exceeded the timeout.")]).client() as client,
        pytest.raises(Auth0UnavailableError, match="exceeded the timeout"),
    ):
        # when changes are asked for, then its error goes up after some tries
        list(changed_users(client, WINDOW))


def test_a_name_stays_inside_its_quotes() -> None:
    # given a name that would end its own quotes
    scripted = ScriptedTenant([lambda: jsonify(total=0, users=[])])
    with scripted.client() as client:
        list(changed_users(client, WINDOW, 'x" OR email:"*'))
    # then it is one text
    assert scripted.queries[-1]["q"].startswith(r'identities.connection:"x\" OR email:\"*" AND updated_at:[')
