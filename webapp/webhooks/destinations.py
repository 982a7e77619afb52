"""Where webhooks may go: to the world by https, and to networks of the operator's own that the settings name.

An admin types the URL, but what Websync can reach inside its network is the operator's business: else the URL would
be a way to call whatever listens there.
"""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from webapp.settings import Network, Settings, is_loopback

MAX_URL_LENGTH = 2000
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = tuple(ipaddress.ip_network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""NAT64: the last four bytes are an IPv4 address. Source: RFC 6052, RFC 8215."""


class InvalidWebhookUrlError(ValueError):
    """No webhook can go there. The message says why."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """What is allowed beside public addresses by https: this computer (also by http), and these networks."""

    allow_loopback: bool = False
    networks: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Say if an address may be called."""
        if any(address in network for network in self.networks):
            return True
        inner = _inner(address)
        if inner is not None:
            return self.allows(inner)
        if address.is_loopback:
            return self.allow_loopback
        is_odd = address.is_multicast or address.is_reserved or getattr(address, "is_site_local", False)
        return address.is_global and not is_odd


def destinations_of(settings: Settings) -> Destinations:
    """Return what the settings allow."""
    return Destinations(settings.mode != "production", settings.webhook_networks)


def check_webhook_url(url: str, *, allow_loopback: bool) -> str:
    """Return ``url`` if a webhook could go there, as far as the URL alone tells. Raises InvalidWebhookUrlError."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise InvalidWebhookUrlError("Write a URL such as https://hooks.example.com/websync.") from None
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL_LENGTH:
        raise InvalidWebhookUrlError(f"Printable ASCII without spaces only, at most {MAX_URL_LENGTH} characters.")
    is_here = allow_loopback and parts.scheme == "http" and is_loopback(host)
    if (parts.scheme != "https" and not is_here) or not host or port == 0:
        raise InvalidWebhookUrlError("Write an https:// URL such as https://hooks.example.com/websync.")
    if "@" in parts.netloc or parts.fragment:
        raise InvalidWebhookUrlError("Leave out user, password and fragment: receivers know Websync by its signature.")
    return url


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, where it does: that is where it leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if any(address in network for network in _TRANSLATED):
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
