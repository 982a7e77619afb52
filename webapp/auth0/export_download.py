"""The file of an export job: fetched from where Auth0 says it is, and from nowhere else, as a stream.

The link comes from the tenant's answer, and lives for 60 seconds. A download that breaks off goes on where it was, with
a new link.
"""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx2

from snippets.policy import is_public_name
from webapp.auth0.answers import ExportFileError
from webapp.auth0.export_jobs import Clock, ExportState, look_at_export
from webapp.auth0.management_calls import ManagementCalls
from webapp.auth0.tenant import Tenant
from webapp.settings import is_loopback

TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
"""How long nothing may come. Lines are the reader's: how long they are, how long they take."""
MAX_FAILURES = 5
"""So many downloads in a row may end without `PROGRESS_BYTES`."""
PROGRESS_BYTES = 1_000_000
MAX_FILE_BYTES = 50 * 2**30
HTTPS_PORTS = frozenset({None, 443})


class _BrokenOffError(Exception):
    """This download is over, another one may do better."""


def download_export(
    client: ManagementCalls,
    job_id: str,
    *,
    clock: Clock = Clock(),  # noqa: B008, it cannot change
) -> Generator[bytes, None, None]:
    """Yield the bytes of a completed job's file as they come: mostly gzip, which the reader tells by its first bytes.

    Whoever stops before the end closes it.

    Raises:
        ExportFileError: the link leads where it must not, or one download after the other broke off.
        ExportGoneError: Auth0 no longer has the job.
    """
    received, failures, tag = 0, 0, ""
    with httpx2.Client(timeout=TIMEOUT, follow_redirects=False) as http:
        while True:
            begun_at = received
            try:
                with _opened(http, _location(client, job_id), received, tag) as response:
                    if response is None:
                        return
                    tag = response.headers.get("etag", "")
                    for piece in _from_place(response, received):
                        received += len(piece)
                        if received > MAX_FILE_BYTES:
                            raise ExportFileError("The file is larger than any export can be.")
                        yield piece
                    return
            except (_BrokenOffError, httpx2.TransportError) as error:
                failures = 0 if received - begun_at >= PROGRESS_BYTES else failures + 1
                if failures >= MAX_FAILURES:
                    reason = str(error) if isinstance(error, _BrokenOffError) else type(error).__name__
                    raise ExportFileError(f"The download broke off {failures} times: {reason}.") from error
            clock.wait(min(2.0 ** max(0, failures - 1), 8.0))


def _location(client: ManagementCalls, job_id: str) -> httpx2.URL:
    job = look_at_export(client, job_id)
    if job.state is not ExportState.COMPLETED or job.location is None:
        raise ExportFileError("The export has not completed.")
    return checked_location(job.location, client.tenant)


def checked_location(location: str, tenant: Tenant) -> httpx2.URL:
    """Return the place of the file, if Websync may be sent there: a public name by https, with nothing but its address.

    An answer that names another place would have Websync call inside its own network. A public name may still lead
    there, but nothing inside has a certificate for it. Only a tenant on this computer, as the demo's, may name a place
    by http: on this computer, at its own port. Raises ExportFileError.
    """
    try:
        url = httpx2.URL(location)
    except (httpx2.InvalidURL, ValueError) as error:
        raise ExportFileError("Auth0's link to the file is no address.") from error
    own = httpx2.URL(tenant.base_url)
    if own.scheme == "http":
        is_right = url.scheme == "http" and is_loopback(url.host) and url.port == own.port
    else:
        is_right = url.scheme == "https" and is_public_name(url.host) and url.port in HTTPS_PORTS
    if not is_right or url.userinfo:
        raise ExportFileError("Auth0's link to the file leads to a place that Websync does not fetch from.")
    return url


@contextmanager
def _opened(http: httpx2.Client, url: httpx2.URL, received: int, tag: str) -> Iterator[httpx2.Response | None]:
    """Ask for the file, from a place on; give None if there is nothing after it. No access token goes along.

    Source: RFC 9110, 14.2 (Range) and 13.1.5 (If-Range).
    """
    headers = {"Accept-Encoding": "identity"}
    if received:
        headers |= {"Range": f"bytes={received}-"} | ({"If-Range": tag} if tag and not tag.startswith("W/") else {})
    with http.stream("GET", url, headers=headers) as response:
        if received and _is_at_end(response, received):
            yield None
            return
        _check(response, received, tag)
        yield response


def _is_at_end(response: httpx2.Response, received: int) -> bool:
    is_beyond = response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    return is_beyond and response.headers.get("content-range") == f"bytes */{received}"


def _check(response: httpx2.Response, received: int, tag: str) -> None:
    """Raise ExportFileError, or _BrokenOffError where a new link may help, unless the answer is the same file."""
    status = response.status_code
    if response.is_redirect:
        raise ExportFileError("The file's address answers with a redirect, which Websync does not follow.")
    if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
        # 403 is a link whose minute has passed, or one of a clock that is late.
        raise _BrokenOffError(f"status {status}")
    if status == HTTPStatus.PARTIAL_CONTENT and _start_of(response) != received:
        raise ExportFileError("The file's address answers with another part than the one that was asked for.")
    if tag and response.headers.get("etag", tag) != tag:
        raise ExportFileError("The file is another one than before. Start the import again.")


def _start_of(response: httpx2.Response) -> int | None:
    match = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", response.headers.get("content-range", ""))
    return int(match[1]) if match else None


def _from_place(response: httpx2.Response, received: int) -> Iterator[bytes]:
    """Yield what comes after the bytes that are there already: a place that knows no ranges sends the whole again."""
    to_skip = 0 if response.status_code == HTTPStatus.PARTIAL_CONTENT else received
    for piece in response.iter_raw():
        if to_skip >= len(piece):
            to_skip -= len(piece)
            continue
        yield piece[to_skip:]
        to_skip = 0
