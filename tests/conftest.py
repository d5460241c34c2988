"""One shared server with simulators for tests that do not change its settings, and one AWS."""

from collections.abc import Iterator

import pytest

from tests.aws import Aws, serving
from tests.harness import Server, server


@pytest.fixture(scope="session")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def gateway(shared_gateway: Server) -> Iterator[Server]:
    """The shared server without any faults, before and after."""
    shared_gateway.clear()
    yield shared_gateway
    shared_gateway.clear()


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    with serving() as running:
        yield running
