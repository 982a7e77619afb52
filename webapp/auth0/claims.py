"""The claims of Auth0's tokens: standard ones by scope, custom ones by its rules. Pure functions.

Source: Auth0 docs, secure/tokens/json-web-tokens/create-custom-claims; get-started/apis/scopes/openid-connect-scopes.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_CUSTOM_CLAIMS_BYTES = 100_000

# fmt: off
RESTRICTED = frozenset({
    "acr", "act", "active", "amr", "at_hash", "ath", "attest", "aud", "auth_time", "authorization_details",
    "azp", "c_hash", "client_id", "cnf", "cty", "dest", "entitlements", "events", "exp", "groups", "gty",
    "htm", "htu", "iat", "internalService", "iss", "jcard", "jku", "jti", "jwe", "jwk", "kid", "may_act",
    "mky", "nbf", "nonce", "object_id", "org_id", "org_name", "orig", "origid", "permissions", "roles", "rph",
    "s_hash", "sid", "sip_callid", "sip_cseq_num", "sip_date", "sip_from_tag", "sip_via_branch", "sub",
    "sub_jwk", "toe", "txn", "typ", "uuid", "vot", "vtm", "x5t#S256",
})
PROFILE_CLAIMS = (
    "birthdate", "family_name", "gender", "given_name", "locale", "middle_name", "name", "nickname",
    "picture", "preferred_username", "profile", "updated_at", "website", "zoneinfo",
)
BY_THEMSELVES = (
    "name", "family_name", "given_name", "middle_name", "nickname", "picture", "updated_at", "email",
    "email_verified",
)
# fmt: on
SCOPE_OF = {
    **dict.fromkeys(PROFILE_CLAIMS, "profile"),
    **dict.fromkeys(("email", "email_verified"), "email"),
    **dict.fromkeys(("phone_number", "phone_number_verified"), "phone"),
    "address": "address",
}
NAMESPACES_OF_AUTH0 = ("auth0.com", "webtask.io", "webtask.run")


class ClaimsTooLargeError(ValueError):
    """The custom claims of one token are over 100 KB: Auth0 fails such a login."""


def standard_claims(user: Mapping[str, Any], scopes: Collection[str]) -> dict[str, Any]:
    """Return ``sub`` and what the scopes allow of the user's profile; a field that the user lacks is left out."""
    allowed = {name: user[name] for name in BY_THEMSELVES if name in user and SCOPE_OF[name] in scopes}
    return {"sub": user["user_id"], **allowed}


@dataclass(frozen=True, slots=True)
class Issue:
    """What tokens are made for: by whom, for which application, with which scopes, when (Unix seconds)."""

    issuer: str
    client_id: str
    scopes: Collection[str]
    issued_at: int
    lifetime_seconds: int

    @property
    def userinfo_audience(self) -> str:
        """The audience that a token with the scope ``openid`` has besides the API's."""
        return f"{self.issuer}userinfo"


def id_token_claims(user: Mapping[str, Any], custom: Mapping[str, Any], issue: Issue) -> dict[str, Any]:
    """Return the claims of an ID token. ``custom`` are those that Auth0 permits. A login adds ``sid`` and ``nonce``."""
    return {
        **standard_claims(user, issue.scopes),
        **custom,
        "iss": issue.issuer,
        "aud": issue.client_id,
        "iat": issue.issued_at,
        "exp": issue.issued_at + issue.lifetime_seconds,
    }


def access_token_claims(user_id: str, custom: Mapping[str, Any], issue: Issue, *, audience: str) -> dict[str, Any]:
    """Return the claims of an access token for the API ``audience``, in Auth0's default profile."""
    return {
        **custom,
        "iss": issue.issuer,
        "sub": user_id,
        "aud": [audience, issue.userinfo_audience] if "openid" in issue.scopes else audience,
        "iat": issue.issued_at,
        "exp": issue.issued_at + issue.lifetime_seconds,
        "scope": " ".join(issue.scopes),
        "azp": issue.client_id,
    }


def permitted_claims(custom: Mapping[str, Any], scopes: Collection[str]) -> dict[str, Any]:
    """Return those of an Action's claims that Auth0 keeps; it drops the others without a word.

    Raises ClaimsTooLargeError.
    """
    kept = {name: value for name, value in custom.items() if _is_permitted(name, scopes)}
    if len(json.dumps(kept).encode()) > MAX_CUSTOM_CLAIMS_BYTES:
        raise ClaimsTooLargeError("the custom claims are larger than 100 KB")
    return kept


def _is_permitted(name: str, scopes: Collection[str]) -> bool:
    if name in RESTRICTED or name.startswith("urn:auth0"):
        return False
    if name in SCOPE_OF:
        return SCOPE_OF[name] in scopes
    if name.startswith(("http://", "https://")):
        return not _is_of_auth0(name)
    return True


def _is_of_auth0(namespace: str) -> bool:
    try:
        host = urlsplit(namespace).hostname or ""
    except ValueError:
        return False
    return any(host == domain or host.endswith("." + domain) for domain in NAMESPACES_OF_AUTH0)
