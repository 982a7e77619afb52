"""An Auth0 tenant as far as tokens are concerned: it signs them, and serves its keys on this computer."""

import base64
import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from webapp.auth0.key_sets import KeySet, read_key_set
from webapp.auth0.tenant import Tenant

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with its id."""

    kid: str
    private: rsa.RSAPrivateKey

    def as_jwk(self, **changes: Any) -> Json:
        """Return the public key as a tenant publishes it."""
        public: Json = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        jwk = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": public["n"], "e": public["e"]}
        return {name: value for name, value in (jwk | changes).items() if value is not None}


@cache
def signing_key(kid: str, bits: int = 2048) -> SigningKey:
    """Return the key of this name; making one takes a while, so each is made once."""
    return SigningKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=bits))


def ec_jwk(kid: str, curve: ec.EllipticCurve) -> Json:
    """Return the public key of a new pair on ``curve`` as a tenant would publish it."""
    public: Json = json.loads(ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key()))
    return public | {"kid": kid, "use": "sig"}


def key_set(*kids: str) -> KeySet:
    """Return the key set of a tenant with these keys."""
    return read_key_set(json.dumps({"keys": [signing_key(kid).as_jwk() for kid in kids]}))


class Issuer:
    """Serves ``keys`` as a JWKS. ``answer`` takes the place of that answer; ``fetches`` counts the requests.

    ``clock`` says when tokens are issued, in epoch seconds.
    """

    def __init__(self) -> None:
        self.keys: list[Json] = [signing_key("first").as_jwk()]
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.fetches = 0
        self.clock = time.time
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.tenant = Tenant(f"http://127.0.0.1:{self._server.server_port}")

    def close(self) -> None:
        """Stop serving: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def claims(self, **changes: Any) -> Json:
        """Return the claims of a good ID token for "shop-client"; ``None`` takes one away."""
        now = int(self.clock())
        claims = {
            "iss": self.tenant.issuer,
            "sub": "auth0|ann",
            "aud": "shop-client",
            "iat": now,
            "exp": now + 3600,
            "sid": uuid.uuid4().hex,
        }
        return {name: value for name, value in (claims | changes).items() if value is not None}

    def token(self, claims: Json | None = None, *, key: str = "first", headers: Json | None = None, **more: Any) -> str:
        """Return a token that this tenant signed, with these claims changed."""
        return self.encode(self.claims(**(claims or {}), **more), key=key, headers=headers)

    def encode(self, claims: Json, *, key: str = "first", headers: Json | None = None) -> str:
        """Return a token of exactly these claims."""
        header = {"alg": "RS256", "kid": key, "typ": "JWT"} | (headers or {})
        return signed_text(json.dumps(header), json.dumps(claims), key)

    def _handler(issuer) -> type[BaseHTTPRequestHandler]:  # noqa: N805, the handler below has its own self
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                if issuer.answer is not None:
                    issuer.answer(self)
                elif self.path == "/.well-known/jwks.json":
                    reply(self, 200, json.dumps({"keys": issuer.keys}).encode())
                else:
                    reply(self, 404, b"")

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the name is http.server's
                """Tests print nothing."""

        return Handler


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def signed_text(header: str | bytes, payload: str | bytes, key: str = "first") -> str:
    """Return a token of exactly this header and payload, with a good signature: for what no library would write."""
    parts = [encoded(header), encoded(payload)]
    signature = RSAAlgorithm(RSAAlgorithm.SHA256).sign(".".join(parts).encode(), signing_key(key).private)
    return ".".join([*parts, encoded(signature)])


def encoded(part: str | bytes) -> str:
    """Return base64url without padding."""
    raw = part.encode() if isinstance(part, str) else part
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
