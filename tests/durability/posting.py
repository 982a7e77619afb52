"""One of the processes that post: it makes its share of the tokens, and posts each until it is answered.

It runs in a process of its own, so it imports nothing of the service.
"""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

REPEATED_SHARE = 0.02
"""So many answered tokens are posted once more, as a second tab would."""
PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 30
PATIENCE_SECONDS = 120
"""So long nothing may be answered before somebody has to look."""
TRY_AGAIN = frozenset({502, 503})

_never = threading.Event()
_answered: "Synchronized[int] | None" = None
_start: Barrier | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """The tokens of one process: every ``step``-th from ``first`` on, of ``count`` in all."""

    first: int
    step: int
    count: int
    people: int
    port: int
    path: str
    issuer: str
    namespace: str
    private_pem: bytes

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the tokens."""
        yield from range(self.first, self.count, self.step)


@dataclass(slots=True)
class Posted:
    """What one process saw: how often a post got no answer, and what should not have been answered."""

    unanswered: int = 0
    surprises: list[str] = field(default_factory=list)
    profile_ids: dict[int, set[str]] = field(default_factory=dict)


def person_of(number: int, people: int) -> int:
    """Return whose token this is. Neighbours are other people's, so that many people are at it all the time."""
    return number * 7919 % people


def points_of(number: int) -> int:
    """Return how many points a token adds."""
    return 1 + number % 9


def id_of(number: int) -> str:
    """Return what a token adds to the list."""
    return f"t{number}"


def prepare(answered: "Synchronized[int]", start: Barrier) -> None:
    """Take over what the processes share: the number of answered tokens, and the moment to begin."""
    global _answered, _start
    _answered, _start = answered, start


def post_share(share: Share) -> Posted:
    """Make the tokens, wait for the others, and post until every token of the share is answered with 200."""
    assert _answered is not None
    assert _start is not None
    key = load_pem_private_key(share.private_pem, password=None)  # once: reading it takes longer than signing
    assert isinstance(key, RSAPrivateKey)
    tokens = [(number, _token(share, number, key)) for number in share.numbers()]
    dice = random.Random(share.first)
    dice.shuffle(tokens)
    connection = http.client.HTTPConnection("127.0.0.1", share.port, timeout=ANSWER_SECONDS)
    posted = Posted()
    _start.wait(timeout=600)
    for number, token in tokens:
        answer = _post(connection, share, token, posted)
        posted.profile_ids.setdefault(person_of(number, share.people), set()).add(str(answer.get("profileId")))
        with _answered.get_lock():
            _answered.value += 1
        if dice.random() < REPEATED_SHARE and (again := _post(connection, share, token, posted)) != answer:
            posted.surprises.append(f"token {number}: {answer}, then {again}")
    connection.close()
    return posted


def _post(connection: http.client.HTTPConnection, share: Share, token: str, posted: Posted) -> dict[str, object]:
    """Post one token until it is answered, and return the answer; what is no 200 and no 503 is a surprise."""
    body = json.dumps({"token": token})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            connection.request("POST", share.path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            posted.unanswered += 1
            connection.close()
            _never.wait(PAUSE_SECONDS)
            continue
        if response.status == 200:
            answer: dict[str, object] = json.loads(text)
            return answer
        if response.status not in TRY_AGAIN:
            posted.surprises.append(f"{response.status} {text[:200]!r}")
            return {}
        _never.wait(PAUSE_SECONDS)
    posted.surprises.append(f"no answer in {PATIENCE_SECONDS} seconds")
    return {}


def _token(share: Share, number: int, key: RSAPrivateKey) -> str:
    now = int(time.time())
    claims = {
        "iss": share.issuer,
        "sub": f"auth0|person-{person_of(number, share.people)}",
        "aud": "shop-client",
        "iat": now,
        "exp": now + 7200,
        "name": f"Token {number}",
        f"{share.namespace}user_metadata.points": points_of(number),
        f"{share.namespace}user_metadata.posts": 1,
        f"{share.namespace}user_metadata.tokens": [id_of(number)],
    }
    return jwt.encode(claims, key, "RS256", headers={"kid": "first"})
