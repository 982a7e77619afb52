"""An import goal of the demo tenant, and its runs carried in this process: to their end, or up to a kill."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from tests.conftest import TEST_KEY, make_settings
from tests.demo.conftest import RunningTenant
from tests.factories import make_import_goal
from webapp.app import create_app
from webapp.connections.import_goals import ImportGoal
from webapp.connections.import_saving import add_import_goal, save_import_goal
from webapp.connections.models import Connection, ImportGoalRow
from webapp.connections.saving import Change
from webapp.database import Database
from webapp.demo.faults import set_faults
from webapp.demo.population import change_users, delete_users, populate
from webapp.demo.seed import CUSTOMERS, M2M_CLIENT_ID, M2M_CLIENT_SECRET
from webapp.importer import opened_import
from webapp.importer.models import AppliedChunk
from webapp.importer.tenant_import import TenantImporter
from webapp.profiles.models import Profile, ProfileIdentity
from webapp.runs.importers import Applied, Begun, Later, Position, Problem, RunOrder
from webapp.sealing import Sealer

KEY = make_import_goal().key


@dataclass
class Carried:
    """A run, as far as it came."""

    position: Position
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    is_over: bool = False
    began: str = ""

    @property
    def is_export(self) -> bool:
        return bool(self.position["job"])

    def note(self, applied: Applied) -> None:
        self.position = applied.position
        self.counts.update(applied.counts)
        self.problems += applied.problems
        self.remarks += [applied.remark] if applied.remark else []


def started(begun: Begun) -> Carried:
    """Return a run that has begun."""
    return Carried(begun.position, began=begun.remark)


class Runs:
    """The runs of one goal of a tenant."""

    def __init__(self, app: Flask, tenant: RunningTenant, users: int) -> None:
        self.app, self.tenant, self.number = app, tenant, 0
        self.database: Database = app.extensions["database"]
        self.importer = TenantImporter(self.database)
        with tenant.state.change() as data:
            populate(data, CUSTOMERS, users)
            set_faults(data, job_seconds=0)

    def save(self, **changes: Any) -> ImportGoal:
        """Store the goal, changed as told."""
        goal = make_import_goal(**{"databases": (CUSTOMERS,)} | changes)
        change = Change("ada", datetime.now(UTC))
        with self.database.transaction() as session:
            row = session.scalar(select(ImportGoalRow).where(ImportGoalRow.key == goal.key))
            if row is not None:
                save_import_goal(session, row, goal, change, is_on=True, expected_revision=row.revision)
                return goal
            connection = Connection(
                key="shop",
                name="Shop",
                auth0_domain=self.tenant.base_url,
                auth0_client_id=M2M_CLIENT_ID,
                sealed_client_secret=Sealer([TEST_KEY]).seal(M2M_CLIENT_SECRET),
                created_at=change.now,
                updated_at=change.now,
            )
            session.add(connection)
            session.flush()
            add_import_goal(session, connection, goal, change, is_on=True)
        return goal

    def order(self, *, is_full: bool = False) -> RunOrder:
        """Return the next run's."""
        self.number += 1
        with self.database.reading() as session:
            goal = session.scalars(select(ImportGoalRow).where(ImportGoalRow.key == KEY)).one()
        return RunOrder(f"run-{self.number}", goal.id, goal.connection_id, is_full)

    def run(self, **options: bool) -> Carried:
        """Carry a run to its end."""
        order = self.order(**options)
        with self.app.app_context():
            return self.carry(order, started(self.importer.begin(order)))

    def begin(self, **options: bool) -> tuple[RunOrder, Carried]:
        """Begin a run."""
        order = self.order(**options)
        with self.app.app_context():
            return order, started(self.importer.begin(order))

    def carry(self, order: RunOrder, run: Carried, *, steps: int = 1_000_000, kill: bool = False) -> Carried:
        """Do so many steps; with ``kill`` the last of them is done, and not noted."""
        with self.app.app_context(), self.importer.open(order, run.position) as opened:
            while steps:
                chunk = opened.next_chunk()
                if isinstance(chunk, Later):
                    continue
                if chunk is None:
                    run.is_over = True
                    break
                steps -= 1
                applied = opened.apply(chunk, now=datetime.now(UTC))
                if steps or not kill:
                    run.note(applied)
        return run

    def change(self, one_in: int, **more: Any) -> None:
        """Change one user in ``one_in`` just now."""
        with self.tenant.state.change() as data:
            change_users(data, CUSTOMERS, one_in, self.tenant.state.now_ms(), **more)

    def delete(self, one_in: int) -> None:
        """Delete one user in ``one_in``."""
        with self.tenant.state.change() as data:
            delete_users(data, CUSTOMERS, one_in, self.tenant.state.now_ms())

    def fault(self, **faults: Any) -> None:
        """Have the tenant do something badly."""
        with self.tenant.state.change() as data:
            set_faults(data, **faults)

    def profiles(self) -> dict[str, dict[str, list[str]]]:
        """Return the values of each profile by its user's id."""
        query = select(ProfileIdentity.subject, Profile.properties).join(
            Profile, Profile.id == ProfileIdentity.profile_id
        )
        with self.database.reading() as session:
            rows = session.execute(query).all()
        return {
            user_id: {name: stored["values"] for name, stored in properties.items()} for user_id, properties in rows
        }

    def profile_count(self) -> int:
        """Return how many profiles there are."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Profile)) or 0

    def remembered_chunks(self) -> int:
        """Return how many chunks are remembered."""
        with self.database.reading() as session:
            return session.scalar(select(func.count()).select_from(AppliedChunk)) or 0


def running(database_url: str, tenant: RunningTenant, users: int) -> Iterator[Runs]:
    """Yield the runs of a goal of ``tenant``, which gets so many users, on a database. Nothing has to settle."""
    app = create_app(make_settings(database_url))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opened_import, "SETTLED_AFTER", timedelta(0))
        yield Runs(app, tenant, users)
    app.extensions["database"].close()
