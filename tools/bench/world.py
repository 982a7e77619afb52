"""What is posted, and by whom: a tenant on this computer, a goal, and tokens of many people."""

import http.server
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from snippets.goals import IdentifierLink, MergeStrategy
from snippets.goals import Mapping as Row
from tools.bench.servers import free_port

CLIENT_ID = "bench-application"
GOAL_KEY = "bench-goal"
GOAL_NAME = "Bench"
ORIGIN = "https://bench.example"
NAMESPACE = "https://bench.example/"
KEY_ID = "bench"
HOURS = 10
POINTS = (3, 4)
"""What the first and the second token of a person add."""
INTERESTS = (["running", "hiking"], ["hiking", "climbing"])
SPREAD = 2_654_435_761
"""Odd, so that the product modulo 2**32 is another number for each person: ids in no order, as Auth0's are."""
PEOPLE_BETWEEN = 200
"""So many people come between the two tokens of one person: the first has been answered long before."""
MAPPINGS = (
    Row("user_id", "auth0_user_id"),
    Row("email", "email"),
    Row("given_name", "first_name", strategy=MergeStrategy.SET_IF_EMPTY),
    Row("family_name", "last_name", strategy=MergeStrategy.SET_IF_EMPTY),
    Row("user_metadata.plan", "plan"),
    Row("user_metadata.interests", "interests", strategy=MergeStrategy.ADD),
    Row("app_metadata.segments", "segments", strategy=MergeStrategy.ADD),
    Row("app_metadata.points", "points", strategy=MergeStrategy.SUM),
)
LINKS = (IdentifierLink("user_id", "auth0_user_id"), IdentifierLink("email", "email"))


@dataclass(frozen=True, slots=True)
class Tenant:
    """The tenant whose tokens are posted. ``key`` signs them."""

    base_url: str
    key: rsa.RSAPrivateKey

    @property
    def issuer(self) -> str:
        """What its tokens call it."""
        return f"{self.base_url}/"


@dataclass(frozen=True, slots=True)
class Post:
    """One token, whose it is, and how often that person had a token before."""

    token: str
    person: int
    turn: int


@contextmanager
def tenant() -> Iterator[Tenant]:
    """Serve the keys of a new tenant, as Auth0 does, until the end of the block."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    base_url = f"http://127.0.0.1:{(port := free_port())}"
    jwk = {
        **json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())),
        "kid": KEY_ID,
        "alg": "RS256",
        "use": "sig",
    }
    documents = {
        "/.well-known/jwks.json": {"keys": [jwk]},
        "/.well-known/openid-configuration": {
            "issuer": f"{base_url}/",
            "jwks_uri": f"{base_url}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["RS256"],
        },
    }

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            body = json.dumps(document or {}).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Tenant(base_url, key)
        server.shutdown()


def configuration(tenant: Tenant) -> dict[str, Any]:
    """Return a connection with one goal, for ``websync config apply`` (JSON is YAML)."""
    goal = {
        "kind": "web",
        "name": GOAL_NAME,
        "key": GOAL_KEY,
        "claim_namespace": NAMESPACE,
        "client_ids": [CLIENT_ID],
        "allowed_origins": [ORIGIN],
        "links": [{"auth0_field": link.auth0_field, "profile_property": link.profile_property} for link in LINKS],
        "mappings": [
            {"auth0_field": row.auth0_field, "profile_property": row.profile_property, "strategy": row.strategy.value}
            for row in MAPPINGS
        ],
    }
    return {"connections": [{"name": "Bench", "auth0": {"domain": tenant.base_url}, "goals": [goal]}]}


def turns(count: int, first_person: int) -> list[tuple[int, int]]:
    """Return (person, turn) for ``count`` tokens: everybody has two, the second a while after the first."""
    order = []
    for start in range(first_person, first_person + (count + 1) // 2, PEOPLE_BETWEEN):
        people = range(start, min(start + PEOPLE_BETWEEN, first_person + (count + 1) // 2))
        order += [(person, turn) for turn in range(2) for person in people]
    return order[:count]


def make_posts(tenant: Tenant, count: int, first_person: int) -> list[Post]:
    """Return ``count`` distinct ID tokens of about 900 bytes. The people count from ``first_person``."""
    now = int(time.time())
    with ThreadPoolExecutor(4) as threads:  # signing lets other threads run
        return list(
            threads.map(
                lambda each: Post(_make_token(tenant, *each, now=now), *each), turns(count, first_person), chunksize=100
            )
        )


def _make_token(tenant: Tenant, person: int, turn: int, *, now: int) -> str:
    claims = {
        "iss": tenant.issuer,
        "aud": CLIENT_ID,
        "sub": user_id(person),
        "iat": now + turn - 2,
        "exp": now + HOURS * 3600,
        "email": email(person),
        "email_verified": True,
        "given_name": "Ada",
        "family_name": f"Number {person}",
        f"{NAMESPACE}user_metadata.plan": ("silver", "gold")[turn],
        f"{NAMESPACE}user_metadata.interests": INTERESTS[turn],
        f"{NAMESPACE}app_metadata.segments": ["a", "b"],
        f"{NAMESPACE}app_metadata.points": POINTS[turn],
    }
    return jwt.encode(claims, tenant.key, "RS256", headers={"kid": KEY_ID})


def user_id(person: int) -> str:
    """Return the Auth0 user id of a person."""
    return f"auth0|{_spread(person):08x}{person:016x}"


def email(person: int) -> str:
    """Return the address of a person."""
    return f"{_spread(person):08x}-{person}@bench.example"


def _spread(person: int) -> int:
    return person * SPREAD % 2**32


def http_request(method: str, path: str, body: str = "", headers: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return a whole HTTP request."""
    lines = {
        "Host": "127.0.0.1",
        "Origin": ORIGIN,
        **({"Content-Type": "application/json", "Content-Length": str(len(body))} if body else {}),
        **headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n{body}"


def expected_sums(posts: Sequence[Post]) -> tuple[int, int, int]:
    """Return how many people, points and interests the profiles have in all after ``posts`` were applied once."""
    turns_of: dict[int, set[int]] = {}
    for post in posts:
        turns_of.setdefault(post.person, set()).add(post.turn)
    points = sum(POINTS[turn] for turns in turns_of.values() for turn in turns)
    interests = sum(len({word for turn in turns for word in INTERESTS[turn]}) for turns in turns_of.values())
    return len(turns_of), points, interests
