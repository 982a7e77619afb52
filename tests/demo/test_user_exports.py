"""Export jobs of the demo tenant, and the files that they lead to."""

import csv
import gzip
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.demo.conftest import ADA, RunningTenant
from webapp.demo.faults import JobOutcome, set_faults
from webapp.demo.population import change_users, delete_users, populate
from webapp.demo.seed import CUSTOMERS, STAFF
from webapp.demo.state import utc_now

CUSTOMERS_ID = "con_DemoCustomers001"
FIELDS = [
    {"name": "user_id"},
    {"name": "identities[0].connection", "export_as": "database"},
    {"name": "user_metadata.plan", "export_as": "plan"},
    {"name": "user_metadata"},
]


@pytest.fixture
def give(tenant: RunningTenant) -> Callable[..., None]:
    """Return a function that generates users; jobs take no time."""

    def generate(number: int, connection: str = CUSTOMERS, **faults: Any) -> None:
        with tenant.state.change() as data:
            populate(data, connection, number)
            set_faults(data, **{"job_seconds": 0} | faults)

    return generate


def finished(management: httpx2.Client, **body: Any) -> dict[str, Any]:
    """Make a job that takes no time, and return it as it is then."""
    made = management.post("jobs/users-exports", json=body)
    assert made.status_code == 200, made.text
    job: dict[str, Any] = management.get(f"jobs/{made.json()['id']}").json()
    return job


def exported(management: httpx2.Client, **body: Any) -> list[dict[str, Any]]:
    """Export, and return the lines."""
    job = finished(management, **{"fields": FIELDS} | body)
    return [json.loads(line) for line in gzip.decompress(httpx2.get(job["location"]).content).splitlines()]


def test_a_job_is_pending_then_processing_then_completed(
    management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]
) -> None:
    # given jobs of ten seconds, and a clock in hand
    begun = utc_now()
    tenant.state.clock = lambda: begun
    give(10, job_seconds=10)
    # when one is made and looked at
    made = management.post("jobs/users-exports", json={"connection_id": CUSTOMERS_ID, "format": "json"}).json()
    seen = []
    for seconds in (0, 5, 10):
        tenant.state.clock = lambda seconds=seconds: begun + timedelta(seconds=seconds)  # type: ignore[misc]
        seen.append(management.get(f"jobs/{made['id']}").json())
    # then it says how far it is, and at last where the file is
    assert made["status"] == "pending"
    assert [(job["status"], job["percentage_done"], job["time_left_seconds"]) for job in seen] == [
        ("pending", 0, 10),
        ("processing", 50, 5),
        ("completed", 100, 0),
    ]
    assert ["location" in job for job in seen] == [False, False, True]


def test_the_file_has_the_fields_by_their_names(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given two databases with generated users
    give(120)
    give(5, STAFF)
    # when one is exported
    lines = exported(management, connection_id=CUSTOMERS_ID)
    # then it is that one, with flat names; what a user does not have is missing
    assert len(lines) == 120
    assert {line["database"] for line in lines} == {CUSTOMERS}
    assert lines[2]["plan"] == lines[2]["user_metadata"]["plan"] == "gold"
    assert "user_metadata" not in lines[49]
    assert "plan" not in lines[49]
    # and without a connection the file has everybody
    everybody = exported(management)
    assert len(everybody) == 6 + 120 + 5
    assert ADA in {line["user_id"] for line in everybody}


def test_an_exported_user_is_the_user_of_the_api(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given generated users, one of whom was changed by hand
    give(30)
    user_id = exported(management, connection_id=CUSTOMERS_ID)[7]["user_id"]
    assert management.patch(f"users/{user_id}", json={"user_metadata": {"plan": "mine"}}).status_code == 200
    # when they are exported
    lines = exported(management, connection_id=CUSTOMERS_ID)
    # then everybody is there once, and each as the API shows them
    assert len({line["user_id"] for line in lines}) == len(lines) == 30
    for line in lines:
        assert management.get(f"users/{line['user_id']}").json().get("user_metadata") == line.get("user_metadata")
    assert management.get(f"users/{user_id}").json()["user_metadata"]["plan"] == "mine"


def test_changes_and_deletions_show_in_the_next_export(
    management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]
) -> None:
    # given an export of a thousand users
    give(1_000)
    before = {line["user_id"]: line for line in exported(management, connection_id=CUSTOMERS_ID)}
    # when one in a hundred changes, twice as many only log in, and one in fifty is deleted
    with tenant.state.change() as data:
        change_users(data, CUSTOMERS, 100, tenant.state.now_ms())
        change_users(data, CUSTOMERS, 50, tenant.state.now_ms(), is_login=True)
        delete_users(data, CUSTOMERS, 50, tenant.state.now_ms())
    after = {line["user_id"]: line for line in exported(management, connection_id=CUSTOMERS_ID)}
    # then that is the whole difference
    assert len(before) - len(after) == 20
    changed = [user_id for user_id in after if after[user_id] != before[user_id]]
    assert len(changed) == 10
    gone = next(iter(set(before) - set(after)))
    assert management.get(f"users/{gone}").status_code == 404


def test_a_job_has_the_users_of_its_beginning(
    management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]
) -> None:
    # given a job
    give(100)
    job = finished(management, connection_id=CUSTOMERS_ID)
    # when users are deleted before its file is fetched
    with tenant.state.change() as data:
        delete_users(data, CUSTOMERS, 2, tenant.state.now_ms())
    # then the file still has them, each time the same bytes
    first, second = (httpx2.get(job["location"]).content for _ in range(2))
    assert first == second
    assert len(gzip.decompress(first).splitlines()) == 100


def test_a_limit_ends_the_file(management: httpx2.Client, give: Callable[..., None]) -> None:
    give(100)
    assert len(exported(management, limit=7)) == 7


def test_a_csv_keeps_texts_from_being_formulas(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given users with quotes and commas in their texts
    give(98)
    fields = [{"name": "user_id"}, {"name": "user_metadata.note", "export_as": "note"}, {"name": "email_verified"}]
    # when they are exported as CSV
    job = finished(management, connection_id=CUSTOMERS_ID, format="csv", fields=fields)
    text = gzip.decompress(httpx2.get(job["location"]).content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    # then each text has its apostrophe, and a CSV reader gets the whole of it
    assert len(rows) == 98
    assert rows[0]["user_id"].startswith("'auth0|")
    assert rows[97]["note"] == '\'likes <b>bold</b>, "quotes" &\nnew lines; =1+1'
    assert (rows[0]["email_verified"], rows[1]["email_verified"], rows[1]["note"]) == ("false", "true", "")


@pytest.mark.parametrize(
    "body",
    [
        {"connection_id": "con_1"},
        {"connection_id": "con_0000000000000009"},
        {"connection_id": 7},
        {"format": "xml"},
        {"format": []},
        {"limit": 0},
        {"limit": True},
        {"fields": {}},
        {"fields": [{"export_as": "x"}]},
        {"fields": [{"name": "x" * 101}]},
        {"fields": [{"name": "email", "as": "mail"}]},
        {"format": "csv", "fields": [{"name": "user_metadata"}]},
        {"format": "csv", "fields": [{"name": f"user_metadata.f{number}"} for number in range(31)]},
        {"unknown": 1},
    ],
)
def test_a_wrong_job_is_refused(management: httpx2.Client, body: dict[str, Any]) -> None:
    response = management.post("jobs/users-exports", json=body)
    assert (response.status_code, response.json()["error"]) == (400, "Bad Request")


def test_a_link_is_good_for_a_minute_and_no_other(
    management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]
) -> None:
    # given a link
    give(3)
    location = finished(management)["location"]
    assert "127.0.0.1" in location
    # then nobody else's will do, and an access token has no place there
    assert httpx2.get(location.replace("Signature=", "Signature=0")).status_code == 403
    assert httpx2.get(location.replace("Expires=", "Expires=9")).status_code == 403
    assert httpx2.get(location.split("?")[0]).status_code == 403
    assert httpx2.get(location, headers={"Authorization": "Bearer x"}).status_code == 400
    # and after a minute it is over, but the job gives another
    tenant.state.clock = lambda: utc_now() + timedelta(seconds=62)
    expired = httpx2.get(location)
    assert (expired.status_code, "Request has expired" in expired.text) == (403, True)
    renewed = management.get(f"jobs/{location.split('/')[-1][:20]}").json()["location"]
    assert httpx2.get(renewed).status_code == 200


def test_a_link_may_expire_early(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given a tenant one of whose links is refused
    give(3, expired_downloads=1)
    location = finished(management)["location"]
    # then it is refused once
    assert [httpx2.get(location).status_code for _ in range(2)] == [403, 200]


def test_a_job_is_gone_after_a_day(management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]) -> None:
    # given a job of yesterday
    tenant.state.clock = lambda: utc_now() - timedelta(hours=24, seconds=1)
    give(3)
    with tenant.state.change() as data:
        data["access_token_lifetime_seconds"] = 10 * 86_400
    made = management.post("jobs/users-exports", json={})
    assert made.status_code == 200
    tenant.state.clock = utc_now
    # when it is asked for, then there is none
    assert management.get(f"jobs/{made.json()['id']}").json()["errorCode"] == "inexistent_job"
    # and the next job clears it away
    management.post("jobs/users-exports", json={})
    with tenant.state.read() as data:
        assert made.json()["id"] not in data["jobs"]


def test_a_job_that_fails_says_why(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given a tenant whose jobs fail
    give(3, job_outcome=JobOutcome.FAILS)
    job = finished(management)
    # then the job and its errors have the reason
    assert job["status"] == "failed"
    assert "internal error" in job["status_details"]
    errors = management.get(f"jobs/{job['id']}/errors")
    assert (errors.status_code, errors.json()["status_details"]) == (200, job["status_details"])


def test_a_job_without_errors_has_none(management: httpx2.Client, give: Callable[..., None]) -> None:
    give(3)
    assert management.get(f"jobs/{finished(management)['id']}/errors").status_code == 204


def test_a_job_may_never_end(management: httpx2.Client, tenant: RunningTenant, give: Callable[..., None]) -> None:
    # given a tenant whose jobs go on and on
    give(3, job_outcome=JobOutcome.NEVER_ENDS)
    made = management.post("jobs/users-exports", json={}).json()
    # when somebody looks an hour later
    tenant.state.clock = lambda: utc_now() + timedelta(hours=1)
    job = management.get(f"jobs/{made['id']}").json()
    # then it still has a second to go
    assert (job["status"], job["percentage_done"], job["time_left_seconds"]) == ("processing", 99, 1)


def test_broken_lines_stand_between_the_users(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given a file with broken lines and a very long one
    give(60, broken_line_one_in=10, long_line_bytes=100_000)
    job = finished(management, connection_id=CUSTOMERS_ID)
    # when it is read
    lines = gzip.decompress(httpx2.get(job["location"]).content).split(b"\n")
    good = [line for line in lines if b'"created_at"' in line]
    # then all users are there, and so are the others
    assert len(good) == 60
    assert b"this is no JSON" in lines
    assert max(len(line) for line in lines) > 100_000


def test_a_download_breaks_off(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given a tenant whose next download ends early
    give(5_000, cut_downloads=1)
    location = finished(management)["location"]
    # when it is fetched, then the connection is lost; the next time all is there
    with pytest.raises(httpx2.RemoteProtocolError):
        httpx2.get(location)
    whole = httpx2.get(location).content
    # and a file may look whole and not be it
    give(5_000, cut_downloads=1, cut_looks_whole=True)
    short = httpx2.get(location)
    assert (short.status_code, short.content) == (200, whole[:10_000])


def test_a_file_may_be_plain_and_write_null(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given a tenant that does not compress, and writes null where a user has nothing
    give(50, is_compressed=False, missing_as_null=True)
    job = finished(management, connection_id=CUSTOMERS_ID, fields=FIELDS)
    lines = [json.loads(line) for line in httpx2.get(job["location"]).content.splitlines()]
    assert lines[49]["user_metadata"] is None


def test_a_million_users_stream_without_being_kept(management: httpx2.Client, give: Callable[..., None]) -> None:
    # given more users than anybody would wait for
    give(1_000_000)
    job = finished(management, fields=[{"name": "user_id"}])
    # when the download begins, then its first bytes are there at once
    with httpx2.stream("GET", job["location"]) as response:
        assert next(response.iter_raw()).startswith(b"\x1f\x8b")
