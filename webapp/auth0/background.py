"""One thread in the background that is there only while it has something to do."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger()

Job = Callable[[], Coroutine[Any, Any, None]]


class Background:
    """Runs jobs side by side in one daemon thread: started by the first, over with the last. Threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._is_running = False
        self._wake: Callable[[], object] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no job is under way or waiting."""
        return not self._is_running

    def run(self, job: Job) -> None:
        """Have ``job`` run soon; it handles its own errors. It is dropped if the computer has no thread left for it."""
        with self._lock:
            self._waiting.append(job)
            if self._wake is not None:
                self._wake()
            if self._is_running:
                return
            self._is_running = True
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError as error:
            self._give_up(error)

    def _run(self) -> None:
        runner = asyncio.Runner()
        try:
            runner.get_loop()
        except OSError as error:  # the process has opened as many files as it may
            self._give_up(error)
            return
        with runner:
            runner.run(self._work())

    def _give_up(self, error: Exception) -> None:
        log.error("background_work_dropped", thread=self._name, reason=type(error).__name__)
        with self._lock:
            self._waiting.clear()
            self._is_running = False

    async def _work(self) -> None:
        loop, news, tasks = asyncio.get_running_loop(), asyncio.Event(), set[asyncio.Task[None]]()

        def end(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            news.set()

        while True:
            news.clear()
            with self._lock:
                for job in self._waiting:
                    task = loop.create_task(job())
                    tasks.add(task)
                    task.add_done_callback(end)
                self._waiting.clear()
                self._is_running = bool(tasks)
                self._wake = (lambda: loop.call_soon_threadsafe(news.set)) if tasks else None
                if not tasks:
                    return
            await news.wait()
