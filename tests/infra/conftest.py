"""Commands run in an empty folder, with only the settings given."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from infra.local.cli import main
from tests.harness import Server
from tests.infra.results import Run
from tests.infra.stand_in import StandIn, standing_in

# What a developer's own environment must not change.
READ = ("PORT", "AI_PROVIDER_PORT", "HOST", "PATCHBAY_HOME", "PATCHBAY_API_KEY")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder with only the settings given."""
    monkeypatch.chdir(tmp_path)

    def invoke(*args: str, given: str | bytes | None = None, **environ: str) -> Result:
        env: dict[str, str | None] = {**dict.fromkeys(READ), **environ}
        return CliRunner().invoke(main, args, env=env, input=given)

    return invoke


@pytest.fixture
def patchbay(gateway: Server, run: Run) -> Run:
    """The same with the port of the running server."""
    port = str(urlsplit(gateway.url).port)

    def invoke(*args: str, given: str | bytes | None = None, **environ: str) -> Result:
        return run(*args, given=given, PORT=port, **environ)

    return invoke


@pytest.fixture(scope="session")
def closed() -> str:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with standing_in() as other:
        yield other
