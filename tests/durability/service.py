"""`websync serve` as a process that can be killed without warning, and started again."""

import os
import signal
import subprocess
import sys

from tests.conftest import TEST_KEY, free_port, wait_until_served


class KillableService:
    """The service on a port that stays the same from one life to the next."""

    def __init__(self, database_url: str, *, workers: int = 1) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "webapp.cli", "serve", "--no-worker", "--workers", str(workers)]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("WEBSYNC_")} | {
            "WEBSYNC_MODE": "demo",
            "WEBSYNC_DATABASE_URL": database_url,
            "WEBSYNC_SECRET_KEYS": TEST_KEY,
            "WEBSYNC_PORT": str(self.port),
            "WEBSYNC_LOG_LEVEL": "ERROR",
            # All posts come from this computer, as fast as they can.
            "WEBSYNC_ADDRESS_POSTS_PER_MINUTE": "0",
            "WEBSYNC_GOAL_POSTS_PER_MINUTE": "0",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and do not wait: its first answers come when they come."""
        # A session of its own: the server's workers are children, and the kill takes all of them.
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def wait_until_ready(self) -> None:
        """Wait until it answers; fail if it ended instead."""
        assert self._process is not None
        wait_until_served(self.url, self._process)

    def kill(self) -> None:
        """End all its processes at once, with SIGKILL, in the middle of whatever they do."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=10)
            self._process = None

    def has_ended(self) -> bool:
        """Say if it ended although nobody killed it."""
        return self._process is not None and self._process.poll() is not None
