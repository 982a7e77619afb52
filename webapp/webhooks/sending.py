"""Sending one webhook: to an address that was looked at, within a time, and by the answer's status alone.

Source: Standard Webhooks 1.0.0, "Operational considerations".
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from webapp.webhooks.destinations import Address, Destinations, InvalidWebhookUrlError, check_webhook_url

TOTAL_SECONDS = 20.0
"""For all of it: the name, the connection, and the head of the answer."""
CONNECT_SECONDS = 5.0
"""For one of the host's addresses, before the next is tried."""
MAX_RETRY_AFTER_SECONDS = 24 * 60 * 60
USER_AGENT = "Websync"

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class WebhookError(Exception):
    """The receiver has not taken the webhook. The message says why, and holds nothing of the answer but its status.

    With ``is_final`` it would be the same the next time; ``wait_seconds`` is how long the receiver wants to be left in
    peace.
    """

    def __init__(self, message: str, *, is_final: bool = False, wait_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.is_final, self.wait_seconds = is_final, wait_seconds


async def resolve_by_system(host: str, port: int) -> list[Address]:
    """Return the addresses of a host, as the system finds them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def post_webhook(
    url: str,
    body: bytes,
    headers: dict[str, str],
    allowed: Destinations,
    *,
    seconds: float = TOTAL_SECONDS,
    resolve: Resolve = resolve_by_system,
) -> None:
    """Post ``body`` and return once the receiver has taken it (2xx).

    Raises WebhookError, at the latest after ``seconds``.

    The host's name is looked up once, its addresses are held against ``allowed``, and the connection goes to one of
    these very addresses: a name that leads elsewhere a moment later changes nothing. Redirects are not followed, and
    no proxy of the environment is used, which would look the name up anew.
    """
    asyncio.run(_post_in_time(url, body, headers, allowed, seconds, resolve))


async def _post_in_time(
    url: str, body: bytes, headers: dict[str, str], allowed: Destinations, seconds: float, resolve: Resolve
) -> None:
    try:
        check_webhook_url(url, allow_loopback=allowed.allow_loopback)
        async with asyncio.timeout(seconds):
            addresses = await _allowed_addresses(url, allowed, resolve)
            _judge(await _post_to_first(addresses, url, body, headers))
    except InvalidWebhookUrlError as error:
        raise WebhookError(str(error), is_final=True) from error
    except TimeoutError as error:
        raise WebhookError(f"It took longer than {seconds:g} seconds.") from error
    except ssl.SSLCertVerificationError as error:
        raise WebhookError("The receiver's certificate is not good.") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
        raise WebhookError(f"The receiver does not answer ({type(error).__name__}).") from error


async def _allowed_addresses(url: str, allowed: Destinations, resolve: Resolve) -> Sequence[Address]:
    parts = urlsplit(url)
    addresses = await resolve(parts.hostname or "", _port(url))
    if not addresses or not all(map(allowed.allows, addresses)):
        # All of them: else it would be a matter of chance, and of who answers first.
        raise WebhookError("The URL leads into a private network. The operator can allow it: WEBSYNC_WEBHOOK_NETWORKS.")
    return list(dict.fromkeys(addresses))


async def _post_to_first(
    addresses: Sequence[Address], url: str, body: bytes, headers: dict[str, str]
) -> httpx2.Response:
    """Post to the first address that can be connected to. The TLS certificate must be the host's all the same."""
    parts = urlsplit(url)
    headers = headers | {"Host": parts.netloc, "Content-Type": "application/json", "User-Agent": USER_AGENT}
    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
    async with httpx2.AsyncClient(
        verify=_trusted_authorities(), timeout=timeout, follow_redirects=False, trust_env=False
    ) as http:
        for number, address in enumerate(addresses, start=1):
            place = f"[{address}]" if address.version == 6 else str(address)
            target = parts._replace(netloc=f"{place}:{_port(url)}").geturl()
            request = http.build_request(
                "POST", target, content=body, headers=headers, extensions={"sni_hostname": parts.hostname or ""}
            )
            request.extensions["timeout"] = timeout.as_dict()
            try:
                response = await http.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if number == len(addresses):
                    raise
            else:
                await response.aclose()  # its body is nobody's business, and could be without an end
                return response
    raise AssertionError("there is at least one address")


def _judge(response: httpx2.Response) -> None:
    status = response.status_code
    if response.is_success:
        return
    if response.is_redirect or 300 <= status < 400:
        raise WebhookError(f"The receiver answers {status}, a redirect, which is not followed. Change the URL.")
    if status == HTTPStatus.GONE:
        raise WebhookError("The receiver answers 410: it wants no more of them.", is_final=True)
    asked = response.headers.get("Retry-After", "")
    wait_seconds = float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0.0
    raise WebhookError(f"The receiver answers {status}.", wait_seconds=min(wait_seconds, MAX_RETRY_AFTER_SECONDS))


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


@cache
def _trusted_authorities() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
