"""Which addresses the demo accepts: loopback, and nothing else."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback_url(url: str) -> bool:
    """Say if ``url`` is http(s) on this machine: ``localhost``, 127.0.0.0/8 or ::1."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or parts.username or any(letter in url for letter in "\\\r\n\t ;,"):
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(url: str) -> str:
    """Return scheme, host and port of ``url``, as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def loopback_base(base_url: str) -> str:
    """Return ``base_url`` without a slash at its end. Raises ValueError if it is no loopback address."""
    if not is_loopback_url(base_url):
        raise ValueError(f"the demo runs on loopback addresses only, not on {base_url!r}")
    return base_url.rstrip("/")
