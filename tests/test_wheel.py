"""A wheel as users install it: into an empty environment, run from an empty folder."""

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import TEST_KEY, free_port, wait_until_served

HOME = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment with the wheel and the locked packages, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(build, cwd=HOME, env={**os.environ, "HATCH_BUILD_LOCATION": str(folder)}, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True)
    bin_folder = folder / "env" / "bin"
    pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(HOME / "requirements" / "run.txt")], check=True)
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return bin_folder


@pytest.fixture(scope="module")
def served(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``websync serve``, run by the wheel from an empty folder."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "WEBSYNC_MODE": "development",
        "WEBSYNC_SECRET_KEYS": TEST_KEY,
        "WEBSYNC_PORT": str(port),
        "WEBSYNC_PUBLIC_URL": f"http://localhost:{port}",
    }
    folder = tmp_path_factory.mktemp("empty")
    process = subprocess.Popen(
        [str(installed / "websync"), "serve"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    url = f"http://127.0.0.1:{port}"

    wait_until_served(url, process)
    yield url
    process.terminate()
    process.wait(timeout=20)


def test_the_wheel_serves_its_pages_and_their_styles(served: str) -> None:
    # given the installed service
    # when its first page is opened
    page = httpx2.get(f"{served}/", follow_redirects=True)
    # then it is there, with every style, script and icon that it names
    assert page.status_code == 200
    assert "Sign in" in page.text
    assets = re.findall(r'(?:src|href)="(/(?:static|bootstrap)/[^"#]+)', page.text)
    assert len(assets) > 4
    assert [path for path in assets if httpx2.get(f"{served}{path}").status_code != 200] == []


def test_the_wheel_renders_code(installed: Path, tmp_path: Path) -> None:
    # given the installed command and a file, in an empty folder
    words = [
        "snippet",
        "--config",
        str(HOME / "examples" / "web-goal.yaml"),
        "--goal",
        "web-shop-1",
        "--kind",
        "action",
    ]
    # when code is asked for
    done = subprocess.run(
        [str(installed / "websync"), *words], cwd=tmp_path, capture_output=True, check=True, text=True
    )
    # then its templates were in the wheel
    assert "exports.onExecutePostLogin" in done.stdout
