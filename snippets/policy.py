"""The token policy: what a goal asks of tokens beyond what every token has to be. Most goals keep the defaults.

Source: RFC 8725; Auth0, "Signing algorithms", "Validate access tokens" and "Custom domains".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

MAX_LEEWAY_SECONDS = 300
MIN_AGE_SECONDS = 60
MAX_AGE_SECONDS = 2_592_000
"""30 days: no access token of Auth0 lives longer."""
MAX_SCOPES = 20
MAX_CUSTOM_DOMAINS = 20

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PUBLIC_NAME = re.compile(rf"({_LABEL}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?")
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,200}")


class SigningAlgorithm(StrEnum):
    """How a tenant may sign. Source: RFC 7518, 3.1."""

    RS256 = "RS256"
    PS256 = "PS256"
    ES256 = "ES256"
    HS256 = "HS256"


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """The `WebGoal` that has it checks it.

    ``leeway_seconds`` None means the service's setting, ``max_age_seconds`` None any age. ``custom_domains`` are those
    of the same tenant ("login.example.com"): tokens may name them as issuer, while the keys stay the tenant's.
    """

    algorithms: tuple[SigningAlgorithm, ...] = (SigningAlgorithm.RS256,)
    required_scopes: tuple[str, ...] = ()
    leeway_seconds: int | None = None
    max_age_seconds: int | None = None
    custom_domains: tuple[str, ...] = ()

    @property
    def needs_secret(self) -> bool:
        """Say if tokens are signed with a secret that Websync has to know as well."""
        return SigningAlgorithm.HS256 in self.algorithms

    def problems(self, *, has_scopes: bool) -> Iterator[tuple[str, str]]:
        """Yield each mistake: the field, and how to mend it. ``has_scopes`` says if the goal's tokens have scopes."""
        if not self.algorithms:
            yield "algorithms", "Choose at least one."
        elif self.needs_secret and len(self.algorithms) > 1:
            # RFC 8725, 2.1: else somebody could sign with HS256, and a public key for the secret.
            yield "algorithms", "HS256 stands alone: with a public key beside it, that key could pass for the secret."
        if self.required_scopes and not has_scopes:
            yield "required_scopes", "Only access tokens have scopes: choose the access token, or take them out."
        elif len(self.required_scopes) > MAX_SCOPES or not all(map(_SCOPE.fullmatch, self.required_scopes)):
            yield "required_scopes", f"At most {MAX_SCOPES} scopes, one a line, without spaces or quotes."
        if self.leeway_seconds is not None and not 0 <= self.leeway_seconds <= MAX_LEEWAY_SECONDS:
            yield "leeway_seconds", f"A whole number from 0 to {MAX_LEEWAY_SECONDS}, or nothing."
        if self.max_age_seconds is not None and not MIN_AGE_SECONDS <= self.max_age_seconds <= MAX_AGE_SECONDS:
            yield "max_age_seconds", f"A whole number from {MIN_AGE_SECONDS} to {MAX_AGE_SECONDS}, or nothing."
        if len(self.custom_domains) > MAX_CUSTOM_DOMAINS:
            yield "custom_domains", f"At most {MAX_CUSTOM_DOMAINS}."
        for domain in self.custom_domains:
            if not is_public_name(domain):
                yield "custom_domains", f"{domain!r} is no domain such as login.example.com (no path, port or address)."


USUAL_POLICY = TokenPolicy()


def is_public_name(domain: str) -> bool:
    """Say if ``domain`` is a name of the public DNS in lower case: no address, no port, no path."""
    return len(domain) <= 253 and _PUBLIC_NAME.fullmatch(domain) is not None


def domain_of(text: str) -> str:
    """Return the domain that somebody typed or copied: ``https://`` and a slash at the end are no part of it."""
    return text.strip().removeprefix("https://").rstrip("/").lower()
