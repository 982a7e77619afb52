"""/metrics: what Prometheus reads, from one process and from several, and that docs/operate.md says the same."""

import re
import timeit
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from tests.conftest import wait_until
from tests.runs.conftest import served
from tests.tokens.conftest import Shop
from webapp.metrics import Metrics

DOCS = Path(__file__).parents[2] / "docs" / "operate.md"


@pytest.fixture
def database_url(make_sqlite: Callable[[], str]) -> str:
    return make_sqlite()


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by the values of its labels, in the order of their names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def received(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """Return how many were received by goal, kind and outcome."""
    return samples(client.get("/metrics").text, "websync_received_total")


def test_each_post_is_counted_by_its_outcome(shop: Shop) -> None:
    # given a token that is new, comes again, is somebody else's, and no token at all
    client = shop.app.test_client()
    token = shop.issuer.token()
    shop.post(token)
    shop.post(token)
    shop.post(shop.issuer.token(aud="other"))
    client.post(shop.path, data="token=a")
    client.post(shop.path, json={"token": 7})
    # when Prometheus asks
    answer = client.get("/metrics")
    # then each has its outcome and took its time
    assert answer.mimetype == "text/plain"
    assert received(client) == {
        ("shop-goal", "token", "CREATED"): 2,
        ("shop-goal", "token", "token-audience"): 1,
        ("shop-goal", "token", "not-json"): 1,
        ("shop-goal", "token", "malformed-request"): 1,
    }
    counts = samples(answer.text, "websync_received_seconds_count")
    assert counts == {("shop-goal", "token", "applied"): 2, ("shop-goal", "token", "refused"): 3}
    assert 0 < samples(answer.text, "websync_received_seconds_sum")[("shop-goal", "token", "applied")] < 60


def test_an_action_that_calls_is_counted_as_a_login(make_shop: Callable[..., Shop]) -> None:
    # given a goal whose Action calls, without the secret
    shop = make_shop(server_exchange=True)
    client = shop.app.test_client()
    client.post("/sync/shop-goal/login", json={})
    # then
    assert received(client) == {("shop-goal", "login", "exchange-secret"): 1}


def test_invented_goals_and_preflights_make_no_series(shop: Shop) -> None:
    # when somebody posts to goals that are not there, with names of all kinds, and a browser asks first
    client = shop.app.test_client()
    for key in ("made-up", "a" * 3000, 'x"} 1\nevil 2', "ünïcode"):
        client.post(f"/sync/{key}/token", json={"token": "x"})
        client.post(f"/sync/{key}/login", json={})
    client.options(shop.path, headers={"Origin": "https://shop.example"})
    # then there is one series for each kind, and none has such a name
    assert received(client) == {("", "token", "not-found"): 4, ("", "login", "not-found"): 4}


def test_a_bug_is_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # given a service with a bug
    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr("webapp.tokens.desk.verify_token", bug)
    # when a token comes
    assert shop.post(shop.issuer.token()).status_code == 500
    # then
    assert received(shop.app.test_client()) == {("shop-goal", "token", "status-500"): 1}


def test_the_metrics_may_be_closed_by_a_token(app: Flask) -> None:
    # given a setting
    token = SecretStr("a-long-metrics-token")
    app.extensions["settings"] = app.extensions["settings"].model_copy(update={"metrics_token": token})
    client = app.test_client()
    # when Prometheus asks without it, with another, with it
    answers = [
        client.get("/metrics", headers={"Authorization": value} if value else {})
        for value in ("", "Bearer other", "Basic a-long-metrics-token", "Bearer ü", "Bearer a-long-metrics-token")
    ]
    # then only the last one is answered
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 200]
    assert answers[0].get_json(force=True)["type"].endswith("/problems/metrics-token")
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_the_processes_own_use_is_there(client: FlaskClient) -> None:
    text = client.get("/metrics").text
    assert samples(text, "websync_web_processes") == {(): 1}
    assert samples(text, "process_resident_memory_bytes")[()] > 10_000_000
    assert samples(text, "process_cpu_seconds_total")[()] > 0


def test_the_documentation_has_every_metric_and_no_other(client: FlaskClient) -> None:
    # given what /metrics says it has
    found = set(re.findall(r"^# TYPE (\S+)", client.get("/metrics").text, re.MULTILINE))
    # then the table of docs/operate.md has the same
    table = re.findall(r"^\| (`(?:websync|process)_[^|]+`) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for cell in table for name in re.findall(r"`([a-z_]+)`", cell)} == found


def test_counting_costs_next_to_nothing() -> None:
    # given metrics
    metrics = Metrics()

    def count() -> None:
        metrics.count_received("shop-goal", "token", "CREATED", is_applied=True, seconds=0.01)

    # when many are counted, then one takes some microseconds (50 would be a mistake, on the slowest machine)
    assert min(timeit.repeat(count, number=1000, repeat=5)) / 1000 < 50e-6


def test_several_processes_count_together(shop: Shop, database_url: str, tmp_path: Path) -> None:
    # given three web processes
    folder = tmp_path / "temporary"
    folder.mkdir()
    with served(database_url, 3, TMPDIR=str(folder)) as (url, _process):

        def processes() -> float:
            return samples(httpx2.get(f"{url}/metrics", timeout=10).text, "websync_web_processes")[()]

        wait_until(lambda: processes() == 3, seconds=60)
        # when tokens are posted over many connections
        for _ in range(12):
            assert httpx2.post(f"{url}{shop.path}", json={"token": "x"}, timeout=30).status_code == 401
        # then whoever answers knows all of them
        for _ in range(6):
            text = httpx2.get(f"{url}/metrics", timeout=10).text
            assert samples(text, "websync_received_total") == {("shop-goal", "token", "token-opaque"): 12}
            assert samples(text, "websync_received_seconds_count") == {("shop-goal", "token", "refused"): 12}
        assert len(list(folder.glob("websync-metrics-*"))) == 1
    # and when it has stopped, nothing is left behind
    assert list(folder.iterdir()) == []
