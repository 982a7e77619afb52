import socket
from pathlib import Path

import pytest

from snippets.goals import Direction
from webapp.connections.configuration_file import read_configuration
from webapp.demo.first_goal import Ports, demo_configuration
from webapp.demo.launch import DemoRefusedError, run


@pytest.mark.parametrize(
    ("name", "value"), [("WEBSYNC_MODE", "production"), ("WEBSYNC_PUBLIC_URL", "https://websync.example.com")]
)
def test_the_demo_does_not_start_with_production_settings(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # given an environment that is meant for production
    monkeypatch.setenv(name, value)
    # when the demo is started
    with pytest.raises(DemoRefusedError) as caught:
        run(tmp_path / "demo", Ports())
    # then it refuses, says what to do, and has touched nothing
    assert "does not start with production settings" in str(caught.value)
    assert not (tmp_path / "demo").exists()


def test_a_taken_port_is_named_and_nothing_is_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # given a port on which somebody listens
    for name in ("WEBSYNC_MODE", "WEBSYNC_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # when the demo wants it for its tenant
        with pytest.raises(DemoRefusedError) as caught:
            run(tmp_path, Ports(tenant=port))
    # then it says which port, and how to choose another; a link of a running demo was not ended
    assert f"Port {port} is taken" in str(caught.value)
    assert "websync demo --help" in str(caught.value)
    assert not (tmp_path / "websync.db").exists()


def test_the_first_goals_are_good_ones_and_show_both_directions() -> None:
    # given the configuration with which the demo begins
    plain = demo_configuration(Ports())
    # when it is read as any file would be
    (connection,) = read_configuration(plain, public_url="http://localhost:8000", allow_loopback=True).connections
    # then it is complete, for the shop's origin
    (goal,) = connection.goals
    assert goal.web_goal.allowed_origins == ("http://localhost:8002",)
    assert goal.web_goal.mappings_to(Direction.TO_AUTH0)
    assert goal.web_goal.mappings_to(Direction.TO_PROFILE)
    # and its import goal brings all of the tenant's users by the same links
    (import_goal,) = (each.import_goal for each in connection.import_goals)
    assert import_goal.links == goal.web_goal.links
    assert (import_goal.enable_batch, import_goal.databases) == (True, ())


def test_the_keys_of_a_demo_are_kept_for_its_owner_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # given a demo that got as far as its keys
    monkeypatch.delenv("WEBSYNC_MODE", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(DemoRefusedError):
        run(tmp_path, Ports(tenant=listener.getsockname()[1]))
    # when somebody looks at the file
    mode = (tmp_path / "secret-key").stat().st_mode & 0o777
    # then only its owner may read it
    assert mode == 0o600
