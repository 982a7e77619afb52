"""Serves a WSGI app of the bench with what `webapp.serving.serve` gives to Granian."""

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels


def serve(target: str, port: int, threads: int, *, is_factory: bool = False) -> None:
    """Serve the app ``target`` (``module:name``), or what it returns, until the process is ended."""
    Granian(
        target,
        factory=is_factory,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=threads,
        log_level=LogLevels.error,
    ).serve()
