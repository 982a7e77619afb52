"""Metrics for Prometheus: what was received and how long it took, and what the processes use (docs/operate.md).

Several web processes (`websync serve --workers N`) keep their numbers in files of one folder, and whichever of them is
asked answers for all.
"""

import hmac
import os
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from flask import Blueprint, Flask, Response, current_app, request
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from webapp.errors import WebsyncError
from webapp.settings import settings

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder that several processes share. The name is prometheus-client's."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

bp = Blueprint("metrics", __name__)


class MetricsTokenError(WebsyncError):
    """The metrics are only for whoever has the token of the setting ``WEBSYNC_METRICS_TOKEN``.

    What to do: give it to Prometheus as ``authorization: {credentials: …}`` of the scrape job.
    """

    slug, title, status = "metrics-token", "The metrics need a token", HTTPStatus.UNAUTHORIZED
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Metrics:
    """What is counted. One for each app, so that two in one process do not count together."""

    def __init__(self) -> None:
        # Chosen when the module is imported, which is before `websync serve` has made the folder.
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        disable_created_metrics()  # type: ignore[no-untyped-call]  # twice the series, which nobody asks for
        self.registry = CollectorRegistry()
        self._received = Counter(
            "websync_received",
            "Tokens and logins received, by their outcome: a profile's state, or why it was refused.",
            ["goal", "kind", "outcome"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "websync_received_seconds",
            "How long receiving took, from the request's arrival to its answer.",
            ["goal", "kind", "result"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._live_dropped = Counter(
            "websync_live_dropped",
            "Received items that the Live page does not show: too many came, or the database was away.",
            registry=self.registry,
        )
        # Counted at once, so that a process is known before anything comes to it.
        Counter("websync_process_starts", "Web processes started.", registry=self.registry).inc()

    def count_received(self, goal_key: str, kind: str, outcome: str, *, is_applied: bool, seconds: float) -> None:
        """Count one received item. ``goal_key`` is empty unless such a goal exists: nobody else may make series."""
        self._received.labels(goal_key, kind, outcome).inc()
        self._seconds.labels(goal_key, kind, "applied" if is_applied else "refused").observe(seconds)

    def count_live_dropped(self, count: int) -> None:
        """Count items that could not be kept for the Live page."""
        self._live_dropped.inc(count)

    def as_text(self) -> bytes:
        """Return all metrics, of all web processes, in Prometheus' text format."""
        folder = os.environ.get(FOLDER_VARIABLE)
        if folder is None:
            return generate_latest(self.registry) + _process_metrics([os.getpid()])
        together = CollectorRegistry()
        MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
        return generate_latest(together) + _process_metrics(_processes_of(Path(folder)))


def install_metrics(app: Flask) -> None:
    """Give the app its metrics, and the page ``/metrics``."""
    app.extensions["metrics"] = Metrics()
    app.register_blueprint(bp)


def metrics() -> Metrics:
    """Return the metrics of the running app."""
    found: Metrics = current_app.extensions["metrics"]
    return found


@bp.get("/metrics")
def show() -> Response:
    """Answer Prometheus."""
    token = settings().metrics_token
    if token is not None and not _has(token.get_secret_value(), request.headers.get("Authorization", "")):
        raise MetricsTokenError("Send the token of WEBSYNC_METRICS_TOKEN as a bearer token.")
    return Response(metrics().as_text(), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _has(token: str, authorization: str) -> bool:
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


class _Processes(Collector):
    """What the processes with these ids use, added up. Those that have ended use nothing."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """Yield the usual process metrics."""
        found: dict[str, list[float]] = {}
        for pid in self._pids:
            for family in ProcessCollector(registry=None, pid=lambda pid=pid: pid).collect():  # type: ignore[misc]
                found.setdefault(family.name, []).append(family.samples[0].value)
        yield GaugeMetricFamily("websync_web_processes", "Web processes.", len(found.get("process_open_fds", [])))
        for name, text, add_up in (
            ("process_resident_memory_bytes", "Resident memory of the web processes together.", sum),
            ("process_open_fds", "Open files of the web processes together.", sum),
            ("process_max_fds", "Files that one web process may open.", min),
            ("process_start_time_seconds", "When the oldest web process started, in seconds since 1970.", min),
        ):
            if name in found:
                yield GaugeMetricFamily(name, text, add_up(found[name]))
        if "process_cpu_seconds" in found:
            text = "Processor time of the web processes together."
            yield CounterMetricFamily("process_cpu_seconds", text, sum(found["process_cpu_seconds"]))


def _process_metrics(pids: Iterable[int]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Processes(pids))
    return generate_latest(registry)


def _processes_of(folder: Path) -> set[int]:
    """Return the ids of the processes that wrote into the folder and still live. This one may not have counted yet."""
    pids = {int(path.stem.rpartition("_")[2]) for path in folder.glob("counter_*.db")}
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()} | {os.getpid()}
