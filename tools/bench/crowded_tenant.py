"""A demo tenant with many generated users, in a process of its own.

Started as ``python -m tools.bench.crowded_tenant PORT USERS``.
"""

import sys

from werkzeug.serving import WSGIRequestHandler, make_server

from tools.bench.exports import DATABASE
from webapp.demo.faults import set_faults
from webapp.demo.population import populate
from webapp.demo.state import TenantState
from webapp.demo.tenant import create_tenant


class QuietHandler(WSGIRequestHandler):
    """Serves without a line for each request."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002, the name is werkzeug's
        """Say nothing."""


def main() -> None:
    """Serve until a signal ends it."""
    port, users = map(int, sys.argv[1:])
    state = TenantState()
    with state.change() as data:
        populate(data, DATABASE, users)
        set_faults(data, job_seconds=0.0)
    tenant = create_tenant(f"http://localhost:{port}", state)
    make_server("127.0.0.1", port, tenant, threaded=True, request_handler=QuietHandler).serve_forever()


if __name__ == "__main__":
    main()
