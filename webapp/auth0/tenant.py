"""An Auth0 tenant: where it is, and what its tokens call it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from snippets.policy import domain_of, is_public_name
from webapp.settings import is_loopback


class InvalidDomainError(ValueError):
    """The text is no Auth0 domain. The message says what to type."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """``base_url`` has a scheme and no slash at the end: ``https://acme.eu.auth0.com``."""

    base_url: str

    @property
    def domain(self) -> str:
        """The tenant as people write it, and as it is stored: without ``https://``."""
        return self.base_url.removeprefix("https://")

    @property
    def issuer(self) -> str:
        """The ``iss`` of the tenant's tokens. Source: Auth0, "Get access tokens" (with a slash at the end)."""
        return f"{self.base_url}/"

    @property
    def jwks_url(self) -> str:
        """Where the tenant's signing keys are. Source: Auth0, "Locate JSON Web Key Sets"."""
        return f"{self.base_url}/.well-known/jwks.json"

    @property
    def token_url(self) -> str:
        """Where client credentials become an access token."""
        return f"{self.base_url}/oauth/token"

    @property
    def management_url(self) -> str:
        """The Management API: both its address and its audience."""
        return f"{self.base_url}/api/v2/"


def parse_domain(text: str, *, allow_loopback: bool) -> Tenant:
    """Return the tenant at the domain ``text`` ("acme.eu.auth0.com", or a custom domain).

    Websync calls this place, so it must be a public name: no address, no port, no path. With ``allow_loopback``,
    ``http://localhost:8001`` is one too. Raises InvalidDomainError.
    """
    domain = domain_of(text)
    if is_public_name(domain):
        return Tenant(f"https://{domain}")
    if domain.startswith("http://"):
        return _loopback_tenant(domain, allow_loopback=allow_loopback)
    raise InvalidDomainError("The tenant's domain, such as acme.eu.auth0.com (without a path or a port).")


def _loopback_tenant(url: str, *, allow_loopback: bool) -> Tenant:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidDomainError("The port is not a number from 1 to 65535.") from error
    if not allow_loopback or not is_loopback(parts.hostname):
        raise InvalidDomainError("Only https is safe: the tenant's domain, such as acme.eu.auth0.com.")
    if port is None or url != f"http://{parts.netloc}" or "@" in parts.netloc:
        raise InvalidDomainError("A tenant on this computer has a host and a port only, as in http://localhost:8001.")
    return Tenant(url)
