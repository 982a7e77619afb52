"""Two servers that do nothing, on the service's own HTTP server: what a request costs before anybody works.

Started as ``python -m tools.bench.noop flask|wsgi PORT THREADS``.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request

from tools.bench.granian_server import serve

flask = Flask(__name__)


@flask.post("/")
def answer() -> dict[str, str]:
    """Read the posted JSON, as every endpoint has to that takes some, and do nothing with it."""
    request.get_json()
    return {"status": "ok"}


def wsgi(environment: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer without a framework."""
    environment["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "16")])
    return [b'{"status": "ok"}']


def main() -> None:
    """Serve the one that is named."""
    name, port, threads = sys.argv[1:]
    serve(f"tools.bench.noop:{name}", int(port), int(threads))


if __name__ == "__main__":
    main()
