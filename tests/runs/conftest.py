"""A shop whose tokens are received, and the service as `websync serve` runs it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import TEST_KEY, free_port, wait_until_served
from tests.tokens.conftest import issuer, make_shop, shop  # noqa: F401, fixtures


@contextmanager
def served(database_url: str, workers: int = 1, **settings: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `websync serve`; yields its URL and the process. ``settings`` are more of them, by their name."""
    port = free_port()
    environment = os.environ | {
        "WEBSYNC_MODE": "demo",
        "WEBSYNC_DATABASE_URL": database_url,
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_PORT": str(port),
        "WEBSYNC_LOG_LEVEL": "ERROR",
        **settings,
    }
    command = [sys.executable, "-m", "webapp.cli", "serve", "--no-worker", "--workers", str(workers)]
    # A session of its own: whatever is sent to the tests' terminal does not stop it.
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_served(url, process)
        yield url, process
    finally:
        process.terminate()
        process.wait(timeout=30)
