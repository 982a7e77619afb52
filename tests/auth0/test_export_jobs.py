import pytest
from flask import jsonify

from tests.auth0.conftest import Hands
from tests.auth0.scripted import ScriptedTenant, problem
from tests.demo.conftest import RunningTenant
from webapp.auth0.answers import (
    Auth0AnswerError,
    Auth0UnavailableError,
    ExportFailedError,
    ExportGoneError,
    ExportLateError,
    MissingScopeError,
)
from webapp.auth0.export_fields import export_fields
from webapp.auth0.export_jobs import (
    LONGEST_ABSENCE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    ExportJob,
    ExportState,
    ExportWatch,
    create_export,
    look_at_export,
    pause_seconds,
)
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.demo.faults import JobOutcome, set_faults
from webapp.demo.seed import M2M_CLIENT_ID, M2M_CLIENT_SECRET

FIELDS = export_fields(["email", "user_metadata.plan"])
JOB = {"id": "job_0000000000000001", "type": "users_export", "status": "pending"}


def await_export(client: ManagementClient, job_id: str, hands: Hands, **options: float) -> list[ExportJob | None]:
    """Wait until the job has completed, and return it as each look found it (None: the look failed at first)."""
    watch, seen = ExportWatch(client, job_id, now=hands.clock.now, **options), []
    while not isinstance(found := watch.look(), ExportJob):
        seen.append(watch.job)
        hands.clock.wait(found)
    return [*seen, found]


def completed(seen: list[ExportJob | None]) -> ExportJob:
    """Return the job as the last look found it, which has completed."""
    job = seen[-1]
    assert job is not None
    assert job.state is ExportState.COMPLETED
    return job


def faults(tenant: RunningTenant, **changes: object) -> None:
    with tenant.state.change() as data:
        set_faults(data, **changes)


def test_a_job_is_waited_for_until_it_has_completed(
    tenant: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given jobs of a minute
    faults(tenant, job_seconds=60)
    # when one is made and waited for
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001", limit=10)
    found = await_export(patient, job_id, hands)
    seen, job = [each for each in found if each is not None], completed(found)
    assert len(seen) == len(found)
    # then it completes, and each look was told
    assert (job.state, job.percentage_done) == (ExportState.COMPLETED, 100)
    assert job.location is not None
    assert {each.state for each in seen[:-1]} == {ExportState.RUNNING}
    assert [each.percentage_done for each in seen] == sorted(each.percentage_done or 0 for each in seen)
    assert 60 <= sum(hands.waits) <= 60 + LONGEST_PAUSE_SECONDS
    # and Auth0 was asked for what was wanted
    with tenant.state.read() as data:
        stored = data["jobs"][job_id]
    assert (stored["connection"], stored["limit"], stored["format"]) == ("Customers", 10, "json")
    assert {"name": "user_metadata.plan", "export_as": "user_metadata_plan"} in stored["fields"]


def test_the_link_is_in_no_log(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a completed job, whose link is all that it takes to read the users
    job = completed(await_export(patient, create_export(patient, FIELDS), hands))
    assert job.location is not None
    assert "Signature" not in repr(job)


def test_a_job_that_fails_says_why(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a tenant whose jobs fail
    faults(many, job_outcome=JobOutcome.FAILS)
    with pytest.raises(ExportFailedError, match="internal error"):
        await_export(patient, create_export(patient, FIELDS), hands)


def test_a_job_that_never_ends_is_given_up(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a tenant whose jobs go on and on
    faults(many, job_outcome=JobOutcome.NEVER_ENDS)
    # when one is waited for, then that ends after the time that was given, with few looks
    with pytest.raises(ExportLateError, match="2 minutes"):
        await_export(patient, create_export(patient, FIELDS), hands, longest_seconds=120)
    assert 100 < sum(hands.waits) <= 120
    assert len(hands.waits) < 16


def test_a_job_of_yesterday_is_gone(patient: ManagementClient, many: RunningTenant) -> None:
    # given a job that was begun a day ago
    job_id = create_export(patient, FIELDS)
    with many.state.change() as data:
        data["jobs"][job_id]["begun"] -= 86_401
    # when it is looked at, then it is gone
    with pytest.raises(ExportGoneError):
        look_at_export(patient, job_id)


def test_errors_now_and_then_do_not_end_the_waiting(
    tenant: RunningTenant, patient: ManagementClient, hands: Hands
) -> None:
    # given a tenant with an error in every other call, and one call in three over the limit
    faults(tenant, job_seconds=60)
    job_id = create_export(patient, FIELDS)
    faults(tenant, failing_call_one_in=2, limited_call_one_in=3, limit_seconds=0)
    # when the job is waited for, then it completes
    assert completed(await_export(patient, job_id, hands))


def test_a_tenant_that_is_away_for_a_while_is_waited_for(
    tenant: RunningTenant, patient: ManagementClient, many: RunningTenant, hands: Hands
) -> None:
    # given a tenant that fails for several looks
    job_id = create_export(patient, FIELDS)
    faults(tenant, failing_calls=4 * 5)
    # then the sixth one succeeds
    assert completed(await_export(patient, job_id, hands))
    assert len(hands.waits) == 5


def test_a_tenant_that_stays_away_is_given_up(
    patient: ManagementClient, many: RunningTenant, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.auth0.export_jobs.MAX_MISSED_LOOKS", 3)
    # given a tenant that fails on and on
    job_id = create_export(patient, FIELDS)
    faults(many, failing_calls=10_000)
    # then the waiting ends with its error
    with pytest.raises(Auth0UnavailableError, match="Internal error"):
        await_export(patient, job_id, hands)
    assert len(hands.waits) == 3


def test_a_tenant_that_sends_us_away_for_long_is_left_alone_that_long(hands: Hands) -> None:
    # given a tenant that is over its limit for two minutes, then for a day
    answers = [
        problem(429, "Global limit has been reached", **{"Retry-After": "120"}),
        problem(429, "Global limit has been reached", **{"Retry-After": "86400"}),
        lambda: jsonify(JOB | {"status": "completed", "location": "https://files.example.com/x"}),
    ]
    with ScriptedTenant(answers).client() as client:
        # when a job is waited for
        await_export(client, JOB["id"], hands)
    # then nobody asks for two minutes, and then for as long as is good
    assert hands.waits == [120, LONGEST_ABSENCE_SECONDS]


@pytest.mark.parametrize("status", ["pending", "processing", "queued", "", "COMPLETED"])
def test_a_word_that_nobody_documents_is_a_job_that_runs(status: str) -> None:
    with ScriptedTenant([lambda: jsonify(JOB | {"status": status, "percentage_done": None})]).client() as client:
        assert look_at_export(client, JOB["id"]).state is ExportState.RUNNING


@pytest.mark.parametrize(
    "answer",
    [[], 5, {}, {"id": "job_1"}, JOB | {"status": 7}, JOB | {"status": "completed"}, JOB | {"percentage_done": "half"}],
)
def test_what_is_no_job_is_refused(answer: object) -> None:
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client, pytest.raises(Auth0AnswerError):
        look_at_export(client, JOB["id"])


def test_a_reason_that_is_no_text_is_left_out() -> None:
    answer = JOB | {"status": "failed", "status_details": {"code": 7}}
    with ScriptedTenant([lambda: jsonify(answer)]).client() as client:
        assert look_at_export(client, JOB["id"]).failure == ""


def test_a_job_id_stays_one_part_of_the_path() -> None:
    scripted = ScriptedTenant([problem(404, "The job does not exist.")])
    with scripted.client() as client, pytest.raises(ExportGoneError):
        look_at_export(client, "../users/x")
    assert scripted.requests[-1] == "GET /api/v2/jobs/../users/x"


def test_a_connection_that_is_not_there_is_told(patient: ManagementClient) -> None:
    with pytest.raises(Auth0AnswerError, match="connection does not exist"):
        create_export(patient, FIELDS, connection_id="con_0000000000000009")


def test_a_missing_permission_is_named(tenant: RunningTenant) -> None:
    # given an application that may not read users
    with tenant.state.change() as data:
        data["client_grants"][0]["scope"] = ["read:actions"]
    with (
        ManagementClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET) as client,
        pytest.raises(MissingScopeError, match="lacks the scope read:users"),
    ):
        create_export(client, FIELDS)


def test_a_job_that_may_have_begun_is_not_begun_again(tenant: RunningTenant, patient: ManagementClient) -> None:
    # given a tenant that breaks down while it makes a job
    faults(tenant, failing_calls=1)
    with pytest.raises(Auth0UnavailableError):
        create_export(patient, FIELDS)
    # then it was asked for once, and the fault is over
    with tenant.state.read() as data:
        assert data["faults"]["failing_calls"] == 0
        assert data["jobs"] == {}


def test_calls_over_the_limit_are_spaced(tenant: RunningTenant, many: RunningTenant, hands: Hands) -> None:
    # given a tenant that takes two calls a second
    with tenant.state.change() as data:
        data["management_requests_per_second"] = 2
    with ManagementClient(Tenant(tenant.base_url), M2M_CLIENT_ID, M2M_CLIENT_SECRET, wait=hands.waits.append) as client:
        # when it is called five times
        for _ in range(5):
            client.read_patiently("users", {"per_page": "1"})
    # then a wait of a second comes before the third and the fifth
    assert len(hands.waits) == 2
    assert all(1 <= seconds <= 2 for seconds in hands.waits)


@pytest.mark.parametrize(
    ("looks", "seconds_left", "expected"),
    [(0, None, 1), (1, None, 1.5), (4, None, 5.0625), (50, None, 15), (0, 8, 8), (0, 4_000, 15), (9, 1, 15)],
)
def test_pauses_grow_up_to_a_bound(looks: int, seconds_left: float | None, expected: float) -> None:
    assert pause_seconds(looks, seconds_left) == pytest.approx(expected)
