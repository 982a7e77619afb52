"""Fetching a tenant's key set: from the tenant and nobody else, within a time and a size, whatever it answers."""

import asyncio
import ssl
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from webapp.auth0.key_sets import InvalidKeySetError, KeySet, read_key_set
from webapp.auth0.tenant import Tenant
from webapp.settings import is_loopback

TIMEOUT_SECONDS = 5.0
"""For all of it: the name, the connection, the head and the body of the answer."""
MAX_BODY_BYTES = 256 * 1024


class FetchError(Exception):
    """The keys did not come. The message says why and holds nothing of the answer."""


async def fetch_key_set(tenant: Tenant, *, https_only: bool, seconds: float = TIMEOUT_SECONDS) -> KeySet:
    """Return the key set of ``tenant``: by https, or unless ``https_only`` by http from this computer.

    Raises FetchError, at the latest after ``seconds``.
    """
    parts = urlsplit(tenant.jwks_url)
    is_own_computer = parts.scheme == "http" and is_loopback(parts.hostname)
    if parts.scheme != "https" and (https_only or not is_own_computer):
        raise FetchError("not https")
    try:
        # A timeout of the client begins anew with every byte that drips in. This one does not.
        async with asyncio.timeout(seconds):
            return read_key_set(await _read_body(tenant.jwks_url))
    except TimeoutError as error:
        raise FetchError(f"it took longer than {seconds:g} seconds") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:  # OSError: no file left to open, no certificates
        raise FetchError(type(error).__name__) from error
    except InvalidKeySetError as error:
        raise FetchError(str(error)) from error


async def _read_body(url: str) -> bytes:
    # Compressed answers are not asked for and not unpacked: a few bytes could become gigabytes. A redirect is an answer
    # like any other that is no key set: nobody but the tenant says what its keys are.
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    body = bytearray()
    async with (
        httpx2.AsyncClient(verify=_trusted_authorities(), timeout=None, follow_redirects=False) as http,
        http.stream("GET", url, headers=headers) as response,
    ):
        if response.status_code != HTTPStatus.OK:
            raise FetchError(f"status {response.status_code}")
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise FetchError("the answer is too large")
    return bytes(body)


@cache
def _trusted_authorities() -> ssl.SSLContext:
    """Return the certificate authorities of this computer; reading them takes longer than the rest of a fetch."""
    return httpx2.create_ssl_context()
