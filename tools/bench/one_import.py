"""One case of the import bench in a process of its own, so that each has its own memory and nothing is warm.

Started as ``python -m tools.bench.one_import FILE [DATABASE_URL]``: reads the file, or imports it. Prints JSON.
"""

import gzip
import json
import resource
import sys
import time
from pathlib import Path

import orjson

from tools.bench.exports import IMPORT_KEY
from webapp import garbage
from webapp.connections.import_saving import find_import_goals, live_import_goal
from webapp.database import Database
from webapp.importer.applying import ImportRun
from webapp.importer.importing import import_users, new_run_id
from webapp.importer.reading import format_of, open_users


def main() -> None:
    """Do it, and say how many users there were, how long that took, and how much memory."""
    file, *database_url = sys.argv[1:]
    begin, cpu = time.perf_counter(), time.process_time()
    told = import_file(Path(file), database_url[0]) if database_url else {"users": decode(Path(file))}
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_bytes = peak if sys.platform == "darwin" else peak * 1024
    print(json.dumps({**told, "seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak_bytes}))


def decode(file: Path) -> int:
    """Unpack and decode each line, which is the least that an import has to do; return how many there were."""
    count = 0
    with gzip.open(file, "rb") as lines:
        for line in lines:
            orjson.loads(line)
            count += 1
    return count


def import_file(file: Path, database_url: str) -> dict[str, int]:
    """Import the users of the file, as ``websync import --file`` does; return the counts."""
    database = Database(database_url)
    with database.reading() as session:
        goal = live_import_goal(find_import_goals(session, IMPORT_KEY)[0], allow_loopback=True)
    garbage.look_seldom(garbage.OBJECTS_OF_AN_IMPORT)
    with file.open("rb") as stream:
        users = open_users(stream, format_of(str(file)))
        result = import_users(database, ImportRun(new_run_id(), goal), users, reads_ahead=True)
    database.close()
    return {
        "users": result.read,
        "unchanged": result.unchanged,
        **{state.lower(): count for state, count in result.states.items()},
    }


if __name__ == "__main__":
    main()
