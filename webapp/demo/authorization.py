"""``/authorize``, the login page and ``/v2/logout``: authorization code with PKCE, and implicit, as Auth0 answers them.

Of Authlib's server only the code challenge is used: JSON bodies, ``web_message``, and running Actions before a code is
issued are Auth0's own ways, and nearly all of the rest. Sources: RFC 6749, RFC 7636, OpenID Connect Core 1.0; Auth0
docs, authenticate/login/configure-silent-authentication.
"""

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.demo.addresses import is_loopback_url, origin_of
from webapp.demo.context import tenant
from webapp.demo.grants import granted_scopes, issue_tokens
from webapp.demo.login import Login, LoginRefusedError, process_login
from webapp.demo.state import prune
from webapp.demo.tokens import opaque_token

bp = Blueprint("authorization", __name__)

Data = dict[str, Any]
SESSION_LIFETIME_SECONDS = 7 * 86_400
LOGIN_LIFETIME_SECONDS = 3_600
CODE_LIFETIME_SECONDS = 60
RESPONSE_TYPES = ("code", "id_token", "token", "id_token token")
MAX_EXT_PARAMETERS = 10
EXT_NAME = re.compile(r"ext-[\w-]{1,28}", re.ASCII)
EXT_VALUE = re.compile(r"[-\w.*~@+ /:]{1,255}", re.ASCII)


class AuthorizationError(Exception):
    """The login cannot go on: told to the application as ``error`` and ``error_description``."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


class BadApplicationError(Exception):
    """The request names no known application or callback: nobody may be redirected, so the visitor is told."""


@bp.errorhandler(BadApplicationError)
def show_error(error: BadApplicationError) -> ResponseReturnValue:
    """Show a page instead of redirecting to an address that nobody vouches for."""
    return render_template("demo/error.html", message=str(error)), 400


@bp.route("/authorize", methods=["GET", "POST"])
def authorize() -> ResponseReturnValue:
    """Start a login: at once with a session, through the login page without; never a page with ``prompt=none``."""
    query, body = _values(request.args), _values(request.form)
    parameters = {name: _first(value) for name, value in {**query, **body}.items()}
    _check_application(parameters)
    try:
        _check_parameters(parameters)
        prompts = parameters.get("prompt", "").split()
        session_id = None if "login" in prompts else _open_session_id()
        if session_id is None:
            return _ask_to_log_in(parameters, query, body)
        return _complete(parameters, query, body, session_id, is_counted="none" not in prompts)
    except AuthorizationError as error:
        return _answer(parameters, {"error": error.error, "error_description": str(error)})


@bp.get("/u/login")
def show_login_page() -> ResponseReturnValue:
    """List the demo users: a click on one logs in."""
    login_state = request.args.get("state", "")
    with tenant().state.read() as data:
        pending = data["logins"].get(login_state)
        if pending is None:
            raise BadApplicationError("This login has expired. Go back to the application and start again.")
        client = data["clients"][pending["parameters"]["client_id"]]
        users = list(data["users"].values())
        g.form_target = origin_of(pending["parameters"]["redirect_uri"])
        return render_template("demo/login.html", users=users, client=client, login_state=login_state)


@bp.post("/u/login")
def log_in() -> ResponseReturnValue:
    """Log in as the chosen user, then go back to the application."""
    now = tenant().state.now()
    with tenant().state.change() as data:
        prune(data["sessions"], now)
        prune(data["logins"], now)
        user_id = request.form.get("user_id", "")
        if user_id not in data["users"]:
            raise BadApplicationError("There is no such user.")
        pending = data["logins"].pop(request.form.get("state", ""), None)
        if pending is None:
            raise BadApplicationError("This login has expired. Go back to the application and start again.")
        session_id = opaque_token()
        data["sessions"][session_id] = {"user_id": user_id, "expires_at": now + SESSION_LIFETIME_SECONDS}
    parameters = pending["parameters"]
    try:
        answer = _complete(parameters, pending["query"], pending["body"], session_id, is_counted=True)
    except AuthorizationError as error:
        answer = _answer(parameters, {"error": error.error, "error_description": str(error)})
        with tenant().state.change() as data:
            del data["sessions"][session_id]
        return answer
    response = make_response(answer)
    response.set_cookie(
        _cookie_name(), session_id, max_age=SESSION_LIFETIME_SECONDS, httponly=True, samesite="Lax", path="/"
    )
    return response


@bp.get("/v2/logout")
def log_out() -> ResponseReturnValue:
    """End the tenant's session and go to ``returnTo``, which must be a loopback address."""
    return_to = request.args.get("returnTo")
    if return_to is not None and not is_loopback_url(return_to):
        raise BadApplicationError('The "returnTo" address is not an allowed logout URL.')
    session_id = request.cookies.get(_cookie_name(), "")
    with tenant().state.change() as data:
        data["sessions"].pop(session_id, None)
    response = make_response(redirect(return_to) if return_to else render_template("demo/logged_out.html"))
    response.delete_cookie(_cookie_name(), path="/")
    return response


def _values(parameters: Any) -> Data:
    """Return each parameter as text, a repeated one as a list, as an Action sees them."""
    return {name: values[0] if len(values) == 1 else values for name, values in parameters.lists()}


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]


def _check_application(parameters: Data) -> None:
    with tenant().state.read() as data:
        client = data["clients"].get(parameters.get("client_id", ""))
    if client is None or client["kind"] == "m2m":
        raise BadApplicationError("The application is not known to this tenant.")
    if not is_loopback_url(parameters.get("redirect_uri", "")):
        raise BadApplicationError("Callback URL mismatch. The demo allows loopback addresses only.")
    if parameters.get("response_mode", "query") not in {"query", "fragment", "web_message"}:
        raise BadApplicationError("The demo answers as query, fragment or web_message only.")


def _check_parameters(parameters: Data) -> None:
    """Raise AuthorizationError for what Auth0 refuses of a public client's request."""
    response_type = _response_type(parameters)
    if response_type not in RESPONSE_TYPES:
        raise AuthorizationError("unsupported_response_type", f"The demo tenant supports {', '.join(RESPONSE_TYPES)}")
    if response_type == "code":
        if not parameters.get("code_challenge") or parameters.get("code_challenge_method") != "S256":
            raise AuthorizationError("invalid_request", "Parameter 'code_challenge' with method S256 is required")
    elif parameters.get("response_mode") == "query":
        raise AuthorizationError("invalid_request", "Tokens do not travel in a query")
    if "id_token" in response_type and not parameters.get("nonce"):
        raise AuthorizationError("invalid_request", "Missing required parameter: nonce")
    audience = parameters.get("audience") or None
    with tenant().state.read() as data:
        if audience is not None and audience not in data["resource_servers"]:
            raise AuthorizationError("access_denied", f"Service not found: {audience}")
    extensions = {name: value for name, value in parameters.items() if name.startswith("ext-")}
    if len(extensions) > MAX_EXT_PARAMETERS:
        raise AuthorizationError("invalid_request", f"More than {MAX_EXT_PARAMETERS} ext- parameters")
    for name, value in extensions.items():
        if not EXT_NAME.fullmatch(name) or not EXT_VALUE.fullmatch(value):
            raise AuthorizationError("invalid_request", f"The parameter {name[:32]!r} is not allowed")


def _cookie_name() -> str:
    # Cookies don't tell ports apart: two tenants on this machine would share a session.
    return f"demo_tenant_{urlsplit(tenant().base_url).port or 80}"


def _open_session_id() -> str | None:
    session_id = request.cookies.get(_cookie_name(), "")
    with tenant().state.read() as data:
        session = data["sessions"].get(session_id)
        is_open = session and session["expires_at"] > tenant().state.now() and session["user_id"] in data["users"]
    return session_id if is_open else None


def _ask_to_log_in(parameters: Data, query: Data, body: Data) -> ResponseReturnValue:
    """Send the visitor to the login page. Raises AuthorizationError if no page may be shown."""
    if "none" in parameters.get("prompt", "").split():
        raise AuthorizationError("login_required", "Login required")
    login_state = opaque_token()
    now = tenant().state.now()
    with tenant().state.change() as data:
        prune(data["logins"], now)
        pending = {"parameters": parameters, "query": query, "body": body, "expires_at": now + LOGIN_LIFETIME_SECONDS}
        data["logins"][login_state] = pending
    return redirect(url_for("authorization.show_login_page", state=login_state))


def _complete(parameters: Data, query: Data, body: Data, session_id: str, *, is_counted: bool) -> ResponseReturnValue:
    """Run the Actions and answer with a code or with tokens. Raises AuthorizationError if they refuse."""
    this, audience = tenant(), parameters.get("audience") or None
    with this.state.read() as data:
        user_id = data["sessions"][session_id]["user_id"]
        scopes = granted_scopes(data, parameters.get("scope", ""), audience)
    login = Login(
        user_id=user_id,
        client_id=parameters["client_id"],
        scopes=scopes,
        session_id=session_id,
        audience=audience,
        is_counted=is_counted,
        request=request_facts() | {"query": query, "body": body},
        transaction={
            "redirect_uri": parameters["redirect_uri"],
            "response_type": _response_type(parameters).split(),
            "response_mode": _response_mode(parameters),
            "prompt": parameters.get("prompt", "").split(),
            "state": parameters.get("state", ""),
        },
    )
    try:
        claims = process_login(this.state, login, this.answer)
    except LoginRefusedError as error:
        raise AuthorizationError("access_denied", str(error)) from error
    grant = {
        **{name: parameters.get(name) for name in ("client_id", "redirect_uri", "code_challenge", "nonce")},
        "user_id": user_id,
        "session_id": session_id,
        "scopes": scopes,
        "audience": audience,
        "id_claims": claims.id_token,
        "access_claims": claims.access_token,
    }
    return _answer(parameters, _code(grant) if _response_type(parameters) == "code" else _tokens(parameters, grant))


def _code(grant: Data) -> Data:
    code, now = opaque_token(), tenant().state.now()
    with tenant().state.change() as data:
        prune(data["codes"], now)
        data["codes"][code] = grant | {"expires_at": now + CODE_LIFETIME_SECONDS}
    return {"code": code}


def _tokens(parameters: Data, grant: Data) -> Data:
    """Return what the implicit flow answers: no refresh token, and only what was asked for. Source: OIDC Core, 3.2."""
    scopes = [scope for scope in grant["scopes"] if scope != "offline_access"]
    tokens = issue_tokens(tenant(), grant | {"scopes": scopes})
    id_token = tokens.pop("id_token", None)
    wanted = _response_type(parameters).split()
    answer = tokens if "token" in wanted else {}
    return answer | {"id_token": id_token} if "id_token" in wanted and id_token else answer


def _response_type(parameters: Data) -> str:
    """Return the wanted kinds in alphabetical order: their own order means nothing."""
    return " ".join(sorted(parameters.get("response_type", "").split()))


def _response_mode(parameters: Data) -> str:
    default = "query" if _response_type(parameters) == "code" else "fragment"
    return str(parameters.get("response_mode") or default)


def request_facts() -> Data:
    """Return what ``event.request`` says of the caller."""
    return {
        "ip": request.remote_addr or "127.0.0.1",
        "method": request.method,
        "hostname": request.host.partition(":")[0],
        "user_agent": request.user_agent.string,
    }


def _answer(parameters: Data, answer: Data) -> ResponseReturnValue:
    """Hand the answer to the application: by redirect, or by a message to the window that embeds or opened this one."""
    if "state" in parameters:
        answer = answer | {"state": parameters["state"]}
    redirect_uri = parameters["redirect_uri"]
    if parameters.get("response_mode") == "web_message":
        g.frame_ancestor = origin_of(redirect_uri)
        return render_template("demo/web_message.html", answer=answer, target_origin=origin_of(redirect_uri))
    if _response_mode(parameters) == "fragment":
        return redirect(f"{redirect_uri.partition('#')[0]}#{urlencode(answer)}")
    address, _, fragment = redirect_uri.partition("#")
    joined = f"{address}{'&' if '?' in address else '?'}{urlencode(answer)}"
    return redirect(joined + (f"#{fragment}" if fragment else ""))
