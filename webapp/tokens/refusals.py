"""Why a token or its post is refused. docs/problems.md has a section for each slug."""

from http import HTTPStatus
from typing import ClassVar

from webapp.errors import WebsyncError


class TokenRefusedError(WebsyncError):
    """The token is not accepted. ``check`` names the check that failed, never what would have been right.

    What to do: paste the token into "Check a token" on the goal's page, which says to you what is wrong with it.
    """

    slug, title, status = "token-refused", "The token is not accepted", HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenMalformedError(TokenRefusedError):
    """The token is no well-formed JWT: three base64url parts, of which the first two are JSON objects.

    What to do: post the text that the Auth0 SDK returned, whole and unchanged.
    """

    slug, title = "token-malformed", "The token is malformed"


class TokenOpaqueError(TokenRefusedError):
    """The token is no JWT but an opaque access token, which carries nothing readable.

    What to do: have the application ask Auth0 for the audience of an API, or post the ID token.
    """

    slug, title = "token-opaque", "The token is opaque"


class TokenEncryptedError(TokenRefusedError):
    """The token has five parts: it is encrypted (JWE), and Websync has no key to open it.

    What to do: switch JSON Web Encryption off for the API in Auth0, or have the application ask for the audience of an
    API (some opaque tokens have this form too).
    """

    slug, title = "token-encrypted", "The token is encrypted"


class TokenAlgorithmError(TokenRefusedError):
    """The token is not signed with an algorithm that the goal takes: RS256, if nothing else is chosen there.

    What to do: choose RS256 in Auth0 (Applications > your application > Advanced Settings > OAuth), or the algorithm of
    the tenant on the goal's page.
    """

    slug, title = "token-algorithm", "The token's algorithm is not accepted"


class TokenExtensionError(TokenRefusedError):
    """The token's header asks for an extension of JWT (``crit``, ``b64``), and Websync knows none; nor does Auth0.

    What to do: post the tokens of Auth0 itself, which ask for none.
    """

    slug, title = "token-extension", "The token asks for an extension"


class TokenEmbeddedKeyError(TokenRefusedError):
    """The token's header brings a signing key along, or says where one is; only the tenant's own keys count.

    What to do: nothing. Auth0 makes no such tokens: somebody else made this one.
    """

    slug, title = "token-embedded-key", "The token brings its own key"


class TokenKindError(TokenRefusedError):
    """The token is of another kind than the goal asks for: an access token instead of an ID token, a token in a token.

    What to do: use the token snippet that the goal's page shows, or change the kind of token there.
    """

    slug, title = "token-kind", "The token is of another kind"


class TokenSignatureError(TokenRefusedError):
    """The signature does not fit: the token was changed, or somebody else signed it.

    What to do: post the token just as the SDK returned it, and see that it comes from the connection's tenant.
    """

    slug, title = "token-signature", "The token's signature is wrong"


class TokenIssuerError(TokenRefusedError):
    """The token comes from another Auth0 domain than the connection's.

    What to do: if visitors log in through a custom domain, enter it at the connection, or on the goal's page below
    "Advanced token checks".
    """

    slug, title = "token-issuer", "The token comes from another issuer"


class TokenAudienceError(TokenRefusedError):
    """The token was made for another application or API.

    What to do: add the application's client id, or the API's audience, to the goal.
    """

    slug, title = "token-audience", "The token is for somebody else"


class TokenExpiredError(TokenRefusedError):
    """The token is no longer in its time.

    What to do: the token snippet asks the SDK for a fresh token first. If it does, look at the computers' clocks.
    """

    slug, title = "token-expired", "The token has expired"


class TokenNotYetValidError(TokenRefusedError):
    """The token was issued in the future, or may only be used later.

    What to do: look at the clock of the computer on which Websync runs.
    """

    slug, title = "token-not-yet-valid", "The token is not yet valid"


class TokenTooOldError(TokenRefusedError):
    """The token was issued longer ago than the goal allows, though it has not expired.

    What to do: let the application ask Auth0 for a fresh token, or change the greatest age on the goal's page.
    """

    slug, title = "token-too-old", "The token is too old"


class TokenScopeError(TokenRefusedError):
    """The access token lacks a scope that the goal requires. Source: RFC 6750, 3.1.

    What to do: have the application ask for the scope, and allow it for the application and the user in Auth0.
    """

    slug, title, status = "token-scope", "The token lacks a scope", HTTPStatus.FORBIDDEN
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


class SigningSecretError(WebsyncError):
    """The goal takes tokens that are signed with HS256, and Websync does not have the secret, or cannot open it.

    What to do: type the application's client secret on the goal's page, below "Advanced token checks". It ends when the
    connection moves to another tenant, or when its key is taken out of WEBSYNC_SECRET_KEYS.
    """

    slug, title, status = "no-signing-secret", "The goal has no signing secret", HTTPStatus.FORBIDDEN


class TokenSubjectError(TokenRefusedError):
    """The token does not speak of a person: its subject is missing, malformed, or an application.

    What to do: let a person log in. A token of the client credentials grant speaks of an application.
    """

    slug, title = "token-subject", "The token is not about a person"


class TokenTooLargeError(WebsyncError):
    """The token has more than 16 KiB.

    What to do: map fewer or smaller fields; each adds a claim to the token.
    """

    slug, title, status = "token-too-large", "The token is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooLargeError(WebsyncError):
    """The body has more than 24 KiB (64 KiB where an Action calls).

    What to do: post the token alone. It has at most 16 KiB, and nothing else of size belongs there.
    """

    slug, title, status = "body-too-large", "The body is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NotJsonError(WebsyncError):
    """The body is not sent as ``application/json``.

    What to do: set the ``Content-Type``.
    """

    slug, title, status = "not-json", "The body is not JSON", HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class GoalOffError(WebsyncError):
    """The goal takes no tokens, or no calls: it, that option of it, or its connection is off.

    What to do: switch them on, on the pages of the goal and the connection.
    """

    slug, title, status = "goal-off", "The goal is switched off", HTTPStatus.FORBIDDEN


class OriginNotAllowedError(WebsyncError):
    """The page that posted stands on an origin that the goal does not allow.

    What to do: add the site's origin (scheme, host and port, such as https://www.example.com) to the goal.
    """

    slug, title, status = "origin-not-allowed", "The origin is not allowed", HTTPStatus.FORBIDDEN


class ExchangeSecretError(WebsyncError):
    """The call of an Action does not have the goal's secret, or the goal has none.

    What to do: press "Deploy to Auth0" on the goal's page. By hand: make a new secret there and give it to the Action.
    """

    slug, title, status = "exchange-secret", "The secret is not the goal's", HTTPStatus.UNAUTHORIZED
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class CallOutOfTimeError(WebsyncError):
    """The Action made its call more than five minutes ago, or in the future: it may be somebody's copy of it.

    What to do: set the clock of the machine that Websync runs on.
    """

    slug, title, status = "call-out-of-time", "The call is out of its time", HTTPStatus.BAD_REQUEST
