"""The least that a server in Python has to do with a token: a bound for Websync, and nothing that anybody should run.

It does the Express peer's work on SQLite, on the service's own HTTP server and in its manner: one thread verifies all
tokens that have gathered, and commits them together. Of what the token service is there for it has nothing: no rule of
verification but signature and dates, no mapping but eight lines of code, no types, consent, conflicts, limits, record.

Started as ``python -m tools.bench.barest PORT THREADS``. Settings: ISSUER_BASE_URL, CLAIM_NAMESPACE, DATABASE (a file).
"""

import hashlib
import os
import sqlite3
import sys
import threading
import time
import urllib.request
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tools.bench.granian_server import serve

MOST_AT_ONCE = 64
LEEWAY_SECONDS = 60
KEPT_SECONDS = 120
Claims = dict[str, Any]
Json = dict[str, Any]

_TABLES = """
    CREATE TABLE profiles (id TEXT PRIMARY KEY, properties TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE identifiers (name TEXT, value TEXT, profile_id TEXT, PRIMARY KEY (name, value)) WITHOUT ROWID;
    CREATE TABLE receipts (digest BLOB PRIMARY KEY, outcome BLOB NOT NULL, keep_until INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Post:
    """A posted body, and its answer once ``is_done`` can be acquired."""

    body: bytes
    outcome: bytes = b""
    is_done: threading.Lock = field(default_factory=threading.Lock)


class Desk:
    """Takes posts, in a thread of its own."""

    def __init__(self) -> None:
        base_url = os.environ["ISSUER_BASE_URL"]
        with urllib.request.urlopen(f"{base_url}/.well-known/jwks.json") as answer:
            self._key: RSAPublicKey = jwt.PyJWK(orjson.loads(answer.read())["keys"][0]).key
        self._prefix = os.environ["CLAIM_NAMESPACE"]
        self._database = sqlite3.connect(os.environ["DATABASE"], isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_TABLES)
        self._padding, self._hash = PKCS1v15(), hashes.SHA256()
        self._waiting: SimpleQueue[Post] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def take(self, body: bytes) -> bytes:
        """Return the outcome once it is committed."""
        post = Post(body)
        post.is_done.acquire()
        self._waiting.put(post)
        post.is_done.acquire()
        return post.outcome

    def _run(self) -> None:
        while True:
            posts = [self._waiting.get()]
            posts += [self._waiting.get() for _ in range(min(MOST_AT_ONCE - 1, self._waiting.qsize()))]
            self._apply(posts, [orjson.loads(post.body)["token"].encode() for post in posts])
            for post in posts:
                post.is_done.release()

    def _apply(self, posts: Sequence[Post], tokens: Sequence[bytes]) -> None:
        digests = [hashlib.sha256(token).digest() for token in tokens]
        everybody = [self._verified(token) for token in tokens]
        execute = self._database.execute
        execute("BEGIN IMMEDIATE")
        earlier = dict(execute(f"SELECT digest, outcome FROM receipts WHERE digest IN {_row(len(posts))}", digests))
        names = [part for claims in everybody for part in ("user", claims["sub"], "email", claims["email"])]
        found = execute(
            f"SELECT i.name, i.value, i.profile_id FROM (VALUES {_rows(2, 2 * len(posts))}) AS wanted "
            "CROSS JOIN identifiers AS i WHERE i.name = wanted.column1 AND i.value = wanted.column2",
            names,
        )
        ids = {(name, value): profile_id for name, value, profile_id in found}
        known = list(set(ids.values()))
        stored = execute(f"SELECT id, properties FROM profiles WHERE id IN {_row(len(known))}", known)
        profiles: dict[str, Json] = {profile_id: orjson.loads(properties) for profile_id, properties in stored}
        identifiers: list[object] = []
        receipts: list[object] = []
        written: dict[str, Json] = {}
        for post, digest, claims in zip(posts, digests, everybody, strict=True):
            if (outcome := earlier.get(digest)) is None:
                user, email = ("user", claims["sub"]), ("email", claims["email"])
                profile_id = ids.get(user) or ids.get(email)
                state = "MODIFIED" if profile_id else "CREATED"
                if not profile_id:
                    profile_id = ids[user] = ids[email] = str(uuid.uuid4())
                    identifiers += (*user, profile_id, *email, profile_id)
                properties = profiles.setdefault(profile_id, {})
                updated = self._merge(properties, claims)
                written[profile_id] = properties
                outcome = orjson.dumps({"state": state, "profileId": profile_id, "updated": sorted(updated)})
                receipts += (digest, outcome, claims["exp"] + KEPT_SECONDS)
            post.outcome = outcome
        rows = [part for each, properties in written.items() for part in (each, orjson.dumps(properties).decode())]
        for into, width, values in (
            ("REPLACE INTO profiles", 2, rows),
            ("INSERT INTO identifiers", 3, identifiers),
            ("INSERT INTO receipts", 3, receipts),
        ):
            if values:
                execute(f"{into} VALUES {_rows(width, len(values) // width)}", values)
        execute("COMMIT")

    def _verified(self, token: bytes) -> Claims:
        signed, _, signature = token.rpartition(b".")
        self._key.verify(_decoded(signature), signed, self._padding, self._hash)
        claims: Claims = orjson.loads(_decoded(signed.partition(b".")[2]))
        if not claims["iat"] - LEEWAY_SECONDS <= time.time() < claims["exp"] + LEEWAY_SECONDS:
            raise ValueError("the token is not of now")
        return claims

    def _merge(self, properties: Json, claims: Claims) -> set[str]:
        """Do what the eight mappings of the bench's goal do, and return which properties that changed."""
        before = dict(properties)
        properties["auth0_user_id"], properties["email"] = claims["sub"], claims["email"]
        properties.setdefault("first_name", claims["given_name"])
        properties.setdefault("last_name", claims["family_name"])
        properties["plan"] = claims[f"{self._prefix}user_metadata.plan"]
        for name, claim in (("interests", "user_metadata.interests"), ("segments", "app_metadata.segments")):
            old = properties.get(name, [])
            properties[name] = old + [value for value in claims[self._prefix + claim] if value not in old]
        properties["points"] = properties.get("points", 0) + claims[f"{self._prefix}app_metadata.points"]
        return {name for name, value in properties.items() if before.get(name) != value}


def app() -> Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]:
    """Return the WSGI app, with its desk."""
    desk = Desk()

    def answer(environment: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        outcome = b"{}"  # of /healthz
        if environment["REQUEST_METHOD"] == "POST":
            outcome = desk.take(environment["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(outcome)))])
        return [outcome]

    return answer


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _row(width: int) -> str:
    return f"({', '.join('?' * width)})"


def _rows(width: int, count: int) -> str:
    return ", ".join([_row(width)] * count)


def main() -> None:
    """Serve it."""
    port, threads = map(int, sys.argv[1:])
    serve("tools.bench.barest:app", port, threads, is_factory=True)


if __name__ == "__main__":
    main()
