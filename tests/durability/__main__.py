"""The run in any size: ``python -m tests.durability --posts 100000 --kills 40 --database postgresql``."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.durability import posts_under_kill
from tests.durability.posts_under_kill import Plan, post_under_kill
from tools.bench import databases
from webapp.database import Database


def main() -> int:
    """Run it as told on the command line; 1 if anything was lost, doubled or answered strangely."""
    parser = argparse.ArgumentParser(description=posts_under_kill.__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--workers", type=int, default=1, help="server processes (more than one on PostgreSQL only)")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1, help="decides when the kills come")
    options = vars(parser.parse_args())
    make_databases = getattr(databases, options.pop("database"))
    folder = Path(tempfile.mkdtemp(prefix="websync-kill-"))
    with make_databases(folder) as make:
        url = make("websync")
        database = Database(url)
        database.upgrade()
        database.close()
        report = post_under_kill(url, Plan(**options))
    shutil.rmtree(folder)
    sys.stdout.write(f"{report}\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
