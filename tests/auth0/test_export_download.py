import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise

import httpx2
import pytest
from flask import Flask, Response, jsonify, request

from tests.auth0.conftest import Hands
from tests.auth0.scripted import TOKEN
from tests.demo.conftest import RunningTenant, serve
from webapp.auth0.answers import ExportFileError, ExportGoneError
from webapp.auth0.export_download import MAX_FAILURES, checked_location, download_export
from webapp.auth0.export_fields import as_user, export_fields
from webapp.auth0.export_jobs import create_export
from webapp.auth0.management import ManagementClient
from webapp.auth0.tenant import Tenant
from webapp.demo.faults import JobOutcome, set_faults
from webapp.demo.population import populate
from webapp.demo.seed import CUSTOMERS

FIELDS = export_fields(["email", "user_metadata.plan"])
FILE = bytes(range(256)) * 1_000


def faults(tenant: RunningTenant, **changes: object) -> None:
    with tenant.state.change() as data:
        set_faults(data, **changes)


def user_ids(file: bytes) -> list[str]:
    return [as_user(json.loads(line), FIELDS)["user_id"] for line in gzip.decompress(file).splitlines()]


def read_into(received: bytearray, pieces: Iterator[bytes]) -> None:
    for piece in pieces:
        received += piece


def test_the_file_comes_as_a_stream(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a completed job with many users
    with many.state.change() as data:
        populate(data, CUSTOMERS, 20_000)
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001")
    # when its file is fetched, then it comes piece by piece, and is whole
    pieces = list(download_export(patient, job_id, clock=hands.clock))
    assert len(pieces) > 3
    assert len(set(user_ids(b"".join(pieces)))) == 20_000


def test_a_link_that_has_expired_is_renewed(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a tenant two of whose links are refused
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001")
    faults(many, expired_downloads=2)
    # when the file is fetched, then the third link leads to it
    assert len(user_ids(b"".join(download_export(patient, job_id, clock=hands.clock)))) == 5_000
    assert hands.waits == [1, 2]


def test_links_that_are_always_refused_end_it(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a tenant whose links are over when they come
    job_id = create_export(patient, FIELDS)
    faults(many, expired_downloads=100)
    # when the file is fetched, then that is given up
    with pytest.raises(ExportFileError, match=f"broke off {MAX_FAILURES} times: status 403"):
        list(download_export(patient, job_id, clock=hands.clock))
    # and a link is made anew each time, also after its minute
    with many.state.read() as data:
        assert data["faults"]["expired_downloads"] == 100 - MAX_FAILURES


def test_a_download_that_breaks_off_goes_on_where_it_was(
    patient: ManagementClient, many: RunningTenant, hands: Hands
) -> None:
    # given the whole file
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001")
    whole = b"".join(download_export(patient, job_id, clock=hands.clock))
    # when it breaks off three times
    faults(many, cut_downloads=3, cut_after_bytes=50_000)
    pieces = list(download_export(patient, job_id, clock=hands.clock))
    # then it is the same file, with nothing in it twice
    assert b"".join(pieces) == whole
    assert len(whole) > 50_000


def test_a_download_that_always_breaks_off_ends(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a tenant whose downloads never get far
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001")
    faults(many, cut_downloads=100, cut_after_bytes=1_000)
    # when one is fetched, then its end is an error
    received = bytearray()
    with pytest.raises(ExportFileError, match="RemoteProtocolError"):
        read_into(received, download_export(patient, job_id, clock=hands.clock))
    # then what came is there, and not twice
    assert len(received) == 1_000


def test_a_reader_may_stop_in_the_middle(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a file that nobody would wait for
    with many.state.change() as data:
        populate(data, CUSTOMERS, 1_000_000)
    job_id = create_export(patient, FIELDS)
    # when the reader has enough after the first piece, then nothing hangs
    with closing(download_export(patient, job_id, clock=hands.clock)) as pieces:
        assert next(pieces).startswith(b"\x1f\x8b")


def test_a_job_without_a_file_has_none_to_fetch(patient: ManagementClient, many: RunningTenant, hands: Hands) -> None:
    # given a job that is still running, and one that is not there
    job_id = create_export(patient, FIELDS)
    faults(many, job_outcome=JobOutcome.NEVER_ENDS)
    with pytest.raises(ExportFileError, match="not completed"):
        list(download_export(patient, job_id, clock=hands.clock))
    with pytest.raises(ExportGoneError):
        list(download_export(patient, "job_0000000000000009", clock=hands.clock))


class Storage:
    """A tenant with one job, whose file breaks off after ``cuts`` bytes, each time at another place.

    It knows ranges, as real storage services do. ``answers`` take the place of the next answers.
    """

    def __init__(self, *cuts: int) -> None:
        self.cuts = list(cuts)
        self.answers: list[Response] = []
        self.headers: list[dict[str, str]] = []
        self.tag = '"first"'

    def app(self, base_url: str) -> Flask:
        app = Flask(__name__)
        app.add_url_rule("/oauth/token", "token", lambda: jsonify(TOKEN), methods=["POST"])
        job = {"id": "job_1", "status": "completed", "location": f"{base_url}/file"}
        app.add_url_rule("/api/v2/jobs/job_1", "job", lambda: jsonify(job))
        app.add_url_rule("/file", "file", self.answer)
        return app

    def answer(self) -> Response:
        self.headers.append(dict(request.headers))
        if self.answers:
            return self.answers.pop(0)
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        response = Response(self.pieces(start), status=206 if start else 200)
        if start >= len(FILE):
            response = Response(status=416, headers={"Content-Range": f"bytes */{len(FILE)}"})
        elif start:
            response.headers["Content-Range"] = f"bytes {start}-{len(FILE) - 1}/{len(FILE)}"
        response.headers["ETag"] = self.tag
        return response

    def pieces(self, start: int) -> Iterator[bytes]:
        end = self.cuts.pop(0) if self.cuts else None
        yield FILE[start:end]
        if end is not None:
            raise ConnectionResetError


def fetched(storage: Storage, hands: Hands, at_end: Callable[[], None] = lambda: None) -> bytes:
    file = b""
    for base_url in serve(storage.app):
        with ManagementClient(Tenant(base_url), "client", "secret") as client:
            file = b"".join(download_export(client, "job_1", clock=hands.clock))
        at_end()
    return file


def test_only_the_rest_is_fetched_where_the_storage_can_do_that(hands: Hands) -> None:
    # given a storage that breaks off twice, the second time at the very end
    storage = Storage(100_000, len(FILE))
    # when the file is fetched
    assert fetched(storage, hands) == FILE
    # then each time the rest of the same file was asked for, and never with an access token
    assert [each.get("Range") for each in storage.headers] == [None, "bytes=100000-", f"bytes={len(FILE)}-"]
    assert [each.get("If-Range") for each in storage.headers] == [None, '"first"', '"first"']
    assert not any("Authorization" in each for each in storage.headers)


def test_a_file_that_became_another_is_refused(hands: Hands) -> None:
    # given a storage whose file changes while it is fetched
    storage = Storage(100_000)
    answer = Response(FILE, headers={"ETag": '"second"'})
    original = storage.answer

    def changed() -> Response:
        return answer if storage.headers else original()

    storage.answer = changed  # type: ignore[method-assign]
    with pytest.raises(ExportFileError, match="another one than before"):
        fetched(storage, hands)


@pytest.mark.parametrize("content_range", ["", "bytes 0-5/6", "bytes 99999-255999/256000", "lines 100000-1/2"])
def test_another_part_than_the_asked_one_is_refused(content_range: str, hands: Hands) -> None:
    # given a storage that answers with another part
    storage = Storage(100_000)
    original = storage.answer

    def confused() -> Response:
        if not storage.headers:
            return original()
        return Response(FILE[5:], status=206, headers={"Content-Range": content_range})

    storage.answer = confused  # type: ignore[method-assign]
    with pytest.raises(ExportFileError, match="another part"):
        fetched(storage, hands)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, hands: Hands) -> None:
    # given a storage that sends us elsewhere
    storage = Storage()
    storage.answers = [Response(status=status, headers={"Location": "http://169.254.169.254/latest/meta-data/"})]
    with pytest.raises(ExportFileError, match="redirect"):
        fetched(storage, hands)
    assert len(storage.headers) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 416, 500, 503])
def test_a_storage_that_has_a_bad_moment_is_asked_again(status: int, hands: Hands) -> None:
    storage = Storage()
    storage.answers = [Response(b"<Error/>", status=status) for _ in range(MAX_FAILURES - 1)]
    assert fetched(storage, hands) == FILE
    assert all(later >= earlier for earlier, later in pairwise(hands.waits))


def test_progress_makes_up_for_failures(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a storage that breaks off more often than is borne, each time after a good part
    monkeypatch.setattr("webapp.auth0.export_download.PROGRESS_BYTES", 20_000)
    storage = Storage(*range(20_000, 220_000, 20_000))
    # then the file comes all the same
    assert fetched(storage, hands) == FILE


def test_a_storage_that_falls_silent_is_asked_again(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a storage that says nothing more after the first part
    monkeypatch.setattr("webapp.auth0.export_download.TIMEOUT", httpx2.Timeout(10.0, read=0.5))
    is_over = threading.Event()

    def silent() -> Iterator[bytes]:
        yield FILE[:1_000]
        is_over.wait(30)

    storage = Storage()
    storage.answers = [Response(silent())]
    # then the rest comes from another download
    assert fetched(storage, hands, is_over.set) == FILE
    ranges = [each.get("Range") for each in storage.headers]
    assert (ranges[0], set(ranges[1:])) == (None, {"bytes=1000-"})


def test_a_file_without_an_end_is_not_read_for_ever(hands: Hands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.auth0.export_download.MAX_FILE_BYTES", 1_000)
    with pytest.raises(ExportFileError, match="larger than any export"):
        fetched(Storage(), hands)


@pytest.mark.parametrize(
    "location",
    [
        "https://user-exports.auth0.com/job_1/acme.json.gz?Expires=1&Signature=x",
        "https://bucket.s3.eu-west-1.amazonaws.com/job_1?X-Amz-Signature=x",
        "https://files.example.com:443/x",
    ],
)
def test_a_public_place_is_right_for_a_public_tenant(location: str) -> None:
    checked = checked_location(location, Tenant("https://acme.eu.auth0.com"))
    assert str(checked) == location.replace(":443", "")


@pytest.mark.parametrize(
    "location",
    [
        "http://user-exports.auth0.com/x",
        "https://user-exports.auth0.com:8443/x",
        "https://me:secret@user-exports.auth0.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://intranet/x",
        "https://evil.example.com\\@10.0.0.1/x",
        "http://localhost:8001/exports/x",
        "file:///etc/passwd",
        "ftp://files.example.com/x",
        "//files.example.com/x",
        "/exports/x",
        "https://",
        "https://exa mple.com/",
        "https://files.example.com:99999/x",
        "x" * 70_000,
        "",
    ],
)
def test_any_other_place_is_refused_for_a_public_tenant(location: str) -> None:
    with pytest.raises(ExportFileError):
        checked_location(location, Tenant("https://acme.eu.auth0.com"))


@pytest.mark.parametrize(
    ("location", "is_right"),
    [
        ("http://localhost:8001/exports/x", True),
        ("http://127.0.0.1:8001/exports/x", True),
        ("http://localhost:5432/x", False),
        ("http://localhost/x", False),
        ("http://10.0.0.1:8001/x", False),
        ("https://files.example.com/x", False),
    ],
)
def test_a_tenant_on_this_computer_may_name_itself_only(location: str, is_right: bool) -> None:
    tenant = Tenant("http://localhost:8001")
    if is_right:
        assert str(checked_location(location, tenant)) == location
    else:
        with pytest.raises(ExportFileError):
            checked_location(location, tenant)


def test_a_link_is_used_within_its_minute_however_long_the_reading_took(
    patient: ManagementClient, many: RunningTenant, hands: Hands
) -> None:
    # given a download that breaks off, long after its link's minute
    job_id = create_export(patient, FIELDS, connection_id="con_DemoCustomers001")
    faults(many, cut_downloads=1, cut_after_bytes=50_000)
    pieces = download_export(patient, job_id, clock=hands.clock)
    first = next(pieces)
    hands.start += timedelta(minutes=10)
    # when the reader goes on, then the rest comes by a new link
    assert len(user_ids(first + b"".join(pieces))) == 5_000
