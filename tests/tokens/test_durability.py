"""``kill -9`` right after an answer: what was answered is there."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx2

from tests.conftest import TEST_KEY, free_port, wait_until_served
from tests.tokens.conftest import NAMESPACE, ORIGIN, Shop

POINTS = f"{NAMESPACE}user_metadata.points"


@contextmanager
def serving(database_url: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run the service as a process; yields its URL and the function that kills all of it."""
    port = free_port()
    environment = os.environ | {
        "WEBSYNC_MODE": "demo",
        "WEBSYNC_DATABASE_URL": database_url,
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_LOG_LEVEL": "ERROR",
    }
    command = f"-m granian --interface wsgi --factory webapp.app:create_app --host 127.0.0.1 --port {port} --workers 1"
    # A session of its own: granian's worker is a child, and the kill takes both.
    process = subprocess.Popen([sys.executable, *command.split()], env=environment, start_new_session=True)

    def kill() -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)

    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_served(url, process)
        yield url, kill
    finally:
        kill()


def test_what_was_answered_survives_kill_9(shop: Shop, database_url: str, now: datetime) -> None:
    # given tokens that add up
    tokens = [shop.issuer.token({POINTS: 1}, sub="auth0|ann") for _ in range(2)]
    profile_ids = set()
    for token in tokens:
        # when the service is killed right after each answer
        with serving(database_url) as (url, kill):
            response = httpx2.post(f"{url}{shop.path}", json={"token": token}, headers={"Origin": ORIGIN}, timeout=30)
            kill()
        assert response.status_code == 200, response.text
        profile_ids.add(response.json()["profileId"])
    # then after a restart everything is there, and what comes again is known
    with serving(database_url) as (url, _kill):
        again = httpx2.post(f"{url}{shop.path}", json={"token": tokens[-1]}, headers={"Origin": ORIGIN}, timeout=30)
    assert again.json() == response.json()
    assert len(profile_ids) == 1
    assert shop.properties(profile_ids.pop())["points"] == ["2"]
