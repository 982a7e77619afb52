"""Where a run of an import stands, as it is kept between its chunks: no word of it names a person."""

from datetime import datetime
from typing import NamedTuple

from webapp.runs.importers import Position


class Place(NamedTuple):
    """How far a run is, for the goal's ``revision``.

    With a ``job`` it reads the file of that export, of which so many ``chunks`` are done. Without one it searches those
    who changed from ``since`` until ``covered_until`` (ISO 8601): in the goal's database with the number ``database``
    it goes on at ``searched``. ``covered_until`` is the moment from which the goal's next run needs changes only.
    ``expected`` users may come. ``unread`` lines were no users. Of the sweep so many steps are done (``swept``).
    """

    revision: int
    job: str = ""
    chunks: int = 0
    covered_until: str = ""
    since: str = ""
    database: int = 0
    searched: str = ""
    expected: int | None = None
    unread: int = 0
    swept: int = 0
    is_swept: bool = False

    def as_position(self) -> Position:
        """Return it as it is kept with the run."""
        return self._asdict()

    @property
    def until(self) -> datetime:
        """The end of the time that is searched."""
        return datetime.fromisoformat(self.covered_until)
