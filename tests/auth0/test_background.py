"""The thread in the background: there while something is to be done, and not otherwise."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from tests.conftest import wait_until
from webapp.auth0.background import Background


def is_running(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_there_is_no_thread_while_nothing_is_due() -> None:
    # given
    background = Background("idle-test")
    assert not is_running("idle-test")
    done = threading.Event()

    async def job() -> None:
        done.set()

    # when something is to be done, it is done
    background.run(job)
    assert done.wait(10)
    # then the thread goes
    wait_until(lambda: background.is_idle and not is_running("idle-test"))
    # and comes again
    done.clear()
    background.run(job)
    assert done.wait(10)


def test_jobs_run_side_by_side_in_one_thread() -> None:
    # given a job that waits for others
    background = Background("busy-test")
    threads: list[str] = []
    release, ended = threading.Event(), threading.Event()

    async def hang() -> None:
        await asyncio.to_thread(release.wait, 10)
        ended.set()

    async def note() -> None:
        threads.append(threading.current_thread().name)

    background.run(hang)
    # when others come meanwhile
    for _ in range(20):
        background.run(note)
    # then none waits for it, and all share a thread
    wait_until(lambda: len(threads) == 20)
    assert set(threads) == {"busy-test"}
    assert not background.is_idle
    release.set()
    assert ended.wait(10)


def test_many_threads_may_hand_in_jobs_at_once() -> None:
    # given jobs that are short enough for the thread to end between them
    background = Background("many-test")
    lock, done = threading.Lock(), [0]

    async def count() -> None:
        with lock:
            done[0] += 1

    def hand_in() -> None:
        for _ in range(100):
            background.run(count)

    # when eight threads hand them in
    threads = [threading.Thread(target=hand_in) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # then each runs once
    wait_until(lambda: done[0] == 800)
    wait_until(lambda: background.is_idle)
    assert done[0] == 800


def test_a_job_that_fails_takes_no_other_with_it() -> None:
    # given a job with a bug
    background = Background("bug-test")
    done = threading.Event()

    async def bug() -> None:
        raise RuntimeError("a bug")

    async def job() -> None:
        done.set()

    # when another comes with it
    background.run(bug)
    background.run(job)
    # then that one is done
    assert done.wait(10)
    wait_until(lambda: background.is_idle)


def refuse_thread(*_arguments: object) -> None:
    raise RuntimeError("can't start new thread")


def refuse_loop(*_arguments: object) -> None:
    raise OSError("Too many open files")


@pytest.mark.parametrize(
    ("place", "refuse"), [("threading.Thread.start", refuse_thread), ("asyncio.Runner.get_loop", refuse_loop)]
)
def test_a_job_that_finds_no_thread_is_dropped_and_the_next_is_done(
    monkeypatch: pytest.MonkeyPatch, place: str, refuse: Callable[..., None]
) -> None:
    # given a computer that has no thread, or no file, left
    background = Background("poor-test")
    done: list[str] = []

    async def job(name: str) -> None:
        done.append(name)

    with monkeypatch.context() as patch:
        patch.setattr(place, refuse)
        background.run(lambda: job("first"))
        wait_until(lambda: background.is_idle)
    # when it has again
    background.run(lambda: job("second"))
    # then work goes on
    wait_until(lambda: background.is_idle)
    assert done == ["second"]
