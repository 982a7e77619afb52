"""``/oauth/token``, ``/userinfo``, discovery and keys.

Source: Auth0 Authentication API; RFC 6749; RFC 7636; OpenID Connect Discovery 1.0.
"""

import hmac
from typing import Any
from urllib.parse import unquote_plus

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from webapp.auth0.claims import standard_claims
from webapp.demo.addresses import is_loopback_url
from webapp.demo.authorization import RESPONSE_TYPES, request_facts
from webapp.demo.context import tenant
from webapp.demo.grants import OIDC_SCOPES, issue_tokens
from webapp.demo.login import Login, LoginRefusedError, process_login
from webapp.demo.seed import MANAGEMENT
from webapp.demo.tokens import key_set, sign, token_digest

bp = Blueprint("oauth", __name__)

Data = dict[str, Any]


class TokenError(Exception):
    """A refused token request: ``error``, its description and the HTTP status."""

    def __init__(self, error: str, description: str, status: int = 403) -> None:
        super().__init__(description)
        self.error, self.status = error, status


@bp.errorhandler(TokenError)
def answer_error(error: TokenError) -> ResponseReturnValue:
    """Answer as RFC 6749, 5.2, with Auth0's status codes."""
    return jsonify(error=error.error, error_description=str(error)), error.status


@bp.after_request
def allow_loopback_pages(response: Response) -> Response:
    """Let pages on this machine call these addresses (CORS), and let nobody keep the answers."""
    origin = request.headers.get("Origin", "")
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.add("Origin")
    if is_loopback_url(origin):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Auth0-Client, Content-Type, DPoP"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        response.headers["Access-Control-Max-Age"] = "600"
    return response


@bp.get("/.well-known/openid-configuration")
def show_configuration() -> ResponseReturnValue:
    """Return the discovery document."""
    base = tenant().base_url
    return jsonify(
        issuer=tenant().issuer,
        authorization_endpoint=f"{base}/authorize",
        token_endpoint=f"{base}/oauth/token",
        userinfo_endpoint=f"{base}/userinfo",
        jwks_uri=f"{base}/.well-known/jwks.json",
        response_types_supported=list(RESPONSE_TYPES),
        response_modes_supported=["query", "fragment", "web_message"],
        grant_types_supported=["authorization_code", "implicit", "refresh_token", "client_credentials"],
        code_challenge_methods_supported=["S256"],
        subject_types_supported=["public"],
        id_token_signing_alg_values_supported=["RS256"],
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post", "none"],
        scopes_supported=list(OIDC_SCOPES),
    )


@bp.get("/.well-known/jwks.json")
def show_keys() -> ResponseReturnValue:
    """Return the present and the next public key."""
    with tenant().state.read() as data:
        response = jsonify(key_set(data["signing_keys"]))
    response.headers["Cache-Control"] = "public, max-age=15"
    return response


@bp.post("/oauth/token")
def issue_token() -> ResponseReturnValue:
    """Exchange a code, a refresh token or client credentials; the body is a form or JSON."""
    body = _body()
    grant_type = body.get("grant_type", "")
    exchange = {
        "authorization_code": _exchange_code,
        "refresh_token": _exchange_refresh_token,
        "client_credentials": _exchange_credentials,
    }.get(grant_type)
    if exchange is None:
        raise TokenError("unsupported_grant_type", f"Unsupported grant type: {grant_type[:80]}")
    return jsonify(exchange(body))


@bp.route("/userinfo", methods=["GET", "POST"])
def show_user() -> ResponseReturnValue:
    """Return the claims that the access token's scopes allow, custom ones of the ID token included."""
    authorization = request.authorization
    token = authorization.token if authorization and authorization.type == "bearer" else None
    with tenant().state.read() as data:
        known = data["access_tokens"].get(token_digest(token or ""))
        if not known or known["expires_at"] <= tenant().state.now() or known["user_id"] not in data["users"]:
            response = jsonify(error="invalid_token", error_description="Unauthorized")
            response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
            return response, 401
        return jsonify(standard_claims(data["users"][known["user_id"]], known["scopes"]) | known["id_claims"])


def _body() -> dict[str, str]:
    """Return the parameters; credentials may also come as HTTP Basic. Anything that is no text is refused."""
    values = request.get_json(silent=True) if request.is_json else request.form.to_dict()
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise TokenError("invalid_request", "The body must be a form or a JSON object of texts", 400)
    basic = request.authorization
    if basic is not None and basic.type == "basic":
        # Both were form-encoded before they were joined. Source: RFC 6749, 2.3.1.
        username, password = unquote_plus(basic.username or ""), unquote_plus(basic.password or "")
        values |= {"client_id": username, "client_secret": password}
    return values


def _client(data: Data, body: dict[str, str]) -> Data:
    """Return the application: a confidential one must know its secret."""
    client: Data | None = data["clients"].get(body.get("client_id", ""))
    secret = client.get("client_secret") if client else None
    given = body.get("client_secret", "")
    if client is None or (secret is not None and not hmac.compare_digest(secret.encode(), given.encode())):
        raise TokenError("invalid_client", "Unauthorized", 401)
    return client


def _exchange_code(body: dict[str, str]) -> Data:
    state = tenant().state
    with state.change() as data:
        client = _client(data, body)
        # Taken out before it is looked at: a code serves once, also if the rest of the request is wrong.
        grant = data["codes"].pop(body.get("code", ""), None)
    if grant is None or grant["client_id"] != client["client_id"] or grant["expires_at"] <= state.now():
        raise TokenError("invalid_grant", "Invalid authorization code")
    if grant["redirect_uri"] != body.get("redirect_uri"):
        raise TokenError("invalid_grant", "Redirect URI mismatch")
    challenge = create_s256_code_challenge(body.get("code_verifier", ""))
    if not hmac.compare_digest(challenge.encode(), grant["code_challenge"].encode()):
        raise TokenError("invalid_grant", "Failed to verify code verifier")
    return issue_tokens(tenant(), grant)


def _exchange_refresh_token(body: dict[str, str]) -> Data:
    """Return new tokens. The Actions run again, and see the body instead of the query of a login."""
    state = tenant().state
    token = body.get("refresh_token", "")
    with state.read() as data:
        client = _client(data, body)
        grant = data["refresh_tokens"].get(token_digest(token))
    if grant is None or grant["client_id"] != client["client_id"] or grant["expires_at"] <= state.now():
        raise TokenError("invalid_grant", "Unknown or invalid refresh token.")
    wanted = body.get("scope", "").split() or grant["scopes"]
    scopes = [scope for scope in grant["scopes"] if scope in wanted or scope == "offline_access"]
    login = Login(
        user_id=grant["user_id"],
        client_id=grant["client_id"],
        scopes=scopes,
        session_id=grant["session_id"],
        audience=grant["audience"],
        protocol="oauth2-refresh-token",
        is_counted=False,
        request=request_facts() | {"body": body},
    )
    try:
        claims = process_login(state, login, tenant().answer)
    except LoginRefusedError as error:
        raise TokenError("access_denied", str(error)) from error
    renewed = {"scopes": scopes, "id_claims": claims.id_token, "access_claims": claims.access_token}
    return issue_tokens(tenant(), grant | renewed | {"refresh_token": token})


def _exchange_credentials(body: dict[str, str]) -> Data:
    """Return a Management API token with the scopes of the client's grant."""
    this = tenant()
    with this.state.read() as data:
        client = _client(data, body)
        if client["kind"] != "m2m":
            raise TokenError("unauthorized_client", "Grant type 'client_credentials' not allowed for the client.")
        grant = next((grant for grant in data["client_grants"] if grant["client_id"] == client["client_id"]), None)
        audience = body.get("audience", "")
        if audience != this.management_audience or grant is None or grant["audience"] != MANAGEMENT:
            raise TokenError("access_denied", f'Client is not authorized to access "{audience[:200]}".')
        key, lifetime_seconds = data["signing_keys"][0], data["access_token_lifetime_seconds"]
    now = this.state.now()
    claims = {
        "iss": this.issuer,
        "sub": f"{client['client_id']}@clients",
        "aud": audience,
        "iat": now,
        "exp": now + lifetime_seconds,
        "scope": " ".join(grant["scope"]),
        "gty": "client-credentials",
        "azp": client["client_id"],
    }
    token = sign(key, claims)
    return {"access_token": token, "scope": claims["scope"], "expires_in": lifetime_seconds, "token_type": "Bearer"}
