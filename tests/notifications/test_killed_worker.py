from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tests.conftest import TEST_KEY, wait_until
from tests.notifications.conftest import BOTH, Shop
from tests.receivers import Receiver
from tests.runs.summing import make_tables, plan
from tests.runs.workers import ask, wait_for, working
from webapp.database import Database
from webapp.notifications.models import Notification, NotificationState
from webapp.runs.models import RunState
from webapp.sealing import Sealer


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    make_tables(database)
    yield database
    database.close()


def test_a_worker_that_is_killed_while_it_sends_loses_nothing_and_runs_do_not_wait(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    # given a receiver that does not answer
    shop = Shop(database, Sealer([TEST_KEY]))
    shop.tell(webhook_url=receiver.url, webhook_events=BOTH)
    receiver.may_answer.clear()
    plan(database, shop.goal.id, chunks=1)
    first = ask(database, shop.goal)
    with working(database_url) as worker:
        # when a run has finished, and its worker is killed while it tells of it
        wait_until(lambda: len(receiver.requests) == 1, seconds=60)
        # (another run does not wait for the receiver)
        second = ask(database, shop.goal)
        assert wait_for(database, second, lambda run: run.ended_at is not None).state == RunState.FINISHED
        worker.kill()
    # then the next worker tells of it, by the same key, once its time is over
    receiver.may_answer.set()
    with database.transaction() as session:
        session.execute(update(Notification).values(next_try_at=datetime.now(UTC)))
    with working(database_url):
        wait_until(lambda: all(each.state == NotificationState.SENT for each in shop.told()), seconds=60)
    keys = [headers["webhook-id"] for _, headers, _ in receiver.requests]
    assert keys[0] in keys[1:]
    assert {each.news["run"] for each in shop.told()} == {first, second}
