"""From a granted login to tokens: the answer of ``/oauth/token`` and what is remembered of it."""

from typing import Any

from webapp.auth0.claims import Issue, access_token_claims, id_token_claims
from webapp.demo.context import Tenant
from webapp.demo.state import prune
from webapp.demo.tokens import at_hash, opaque_token, sign, token_digest

Data = dict[str, Any]
REFRESH_TOKEN_LIFETIME_SECONDS = 30 * 86_400
OIDC_SCOPES = ("openid", "profile", "email", "phone", "address", "offline_access")


def granted_scopes(data: Data, requested: str, audience: str | None) -> list[str]:
    """Return the requested scopes that exist: those of OpenID Connect and those of the API."""
    known = {*OIDC_SCOPES, *(data["resource_servers"][audience]["scopes"] if audience else ())}
    return [scope for scope in dict.fromkeys(requested.split()) if scope in known]


def issue_tokens(tenant: Tenant, grant: Data) -> Data:
    """Return the token response for ``grant`` and remember its tokens by their digests.

    A grant has ``client_id user_id session_id scopes audience nonce id_claims access_claims``; the last two are custom
    claims that have already been filtered.
    """
    now = tenant.state.now()
    with tenant.state.change() as data:
        access_token = _access_token(tenant, data, grant, now)
        lifetime_seconds = data["access_token_lifetime_seconds"]
        prune(data["access_tokens"], now)
        data["access_tokens"][token_digest(access_token)] = {
            "user_id": grant["user_id"],
            "scopes": grant["scopes"],
            "id_claims": grant["id_claims"],
            "expires_at": now + lifetime_seconds,
        }
        response = {
            "access_token": access_token,
            "scope": " ".join(grant["scopes"]),
            "expires_in": lifetime_seconds,
            "token_type": "Bearer",
        }
        if "openid" in grant["scopes"]:
            response["id_token"] = _id_token(tenant, data, grant, now, access_token)
        if "offline_access" in grant["scopes"]:
            response["refresh_token"] = _refresh_token(data, grant, now)
    return response


def _id_token(tenant: Tenant, data: Data, grant: Data, now: int, access_token: str) -> str:
    issue = _issue(tenant, grant, now, data["id_token_lifetime_seconds"])
    claims = id_token_claims(data["users"][grant["user_id"]], grant["id_claims"], issue)
    claims |= {"sid": grant["session_id"], "at_hash": at_hash(access_token)}
    if grant.get("nonce"):
        claims["nonce"] = grant["nonce"]
    return sign(data["signing_keys"][0], claims)


def _access_token(tenant: Tenant, data: Data, grant: Data, now: int) -> str:
    """Return a JWT for a registered API, and an opaque token if no API was asked for."""
    audience = grant["audience"]
    if audience is None:
        return opaque_token()
    issue = _issue(tenant, grant, now, data["access_token_lifetime_seconds"])
    claims = access_token_claims(grant["user_id"], grant["access_claims"], issue, audience=audience)
    # Auth0's default profile has no jti. Two tokens of one second would otherwise be one and the same.
    return sign(data["signing_keys"][0], claims | {"jti": opaque_token()})


def _issue(tenant: Tenant, grant: Data, now: int, lifetime_seconds: int) -> Issue:
    return Issue(tenant.issuer, grant["client_id"], grant["scopes"], now, lifetime_seconds)


def _refresh_token(data: Data, grant: Data, now: int) -> str:
    """Return the token that was used, or a new one if none was or if the client rotates them."""
    prune(data["refresh_tokens"], now)
    used = grant.get("refresh_token")
    if used and not data["clients"][grant["client_id"]].get("rotate_refresh_tokens"):
        return str(used)
    if used:
        data["refresh_tokens"].pop(token_digest(used), None)
    token = opaque_token()
    kept = {name: grant[name] for name in ("client_id", "user_id", "session_id", "scopes", "audience")}
    data["refresh_tokens"][token_digest(token)] = kept | {"expires_at": now + REFRESH_TOKEN_LIFETIME_SECONDS}
    return token
