"""One Node for all tests of a run."""

from collections.abc import Iterator

import pytest

from tests.javascript import NodeProcess


@pytest.fixture(scope="session")
def node() -> Iterator[NodeProcess]:
    with NodeProcess() as process:
        yield process
