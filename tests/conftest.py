"""One shared server with simulators for tests that do not change its settings, and one AWS."""

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import settings

from tests import harness
from tests.aws import Aws, serving
from tests.harness import Server, server

# The same examples in every run.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.load_profile("fixed")

# What each provider of the table can do, as the contract tests found it: (provider, feature) → what they saw.
MATRIX = pytest.StashKey[dict[tuple[str, str], str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    matrix = config.stash.get(MATRIX, {})
    if not matrix:
        return
    rows, columns = dict.fromkeys(row for row, _ in matrix), dict.fromkeys(column for _, column in matrix)
    widths = {
        column: max(len(column), *(len(matrix.get((row, column), "HOLE")) for row in rows)) for column in columns
    }
    terminalreporter.section("providers and features (-: neither table nor catalogue has one, and it is refused so)")
    for row in ("", *rows):
        cells = [(matrix.get((row, one), "HOLE") if row else one).ljust(widths[one]) for one in columns]
        terminalreporter.line("  ".join((row.ljust(12), *cells)).rstrip())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--state", choices=["embedded", "aws"], default="embedded", help="where servers keep their state")


@pytest.fixture(scope="session", autouse=True)
def _state(request: pytest.FixtureRequest) -> None:
    """With `--state aws` every server of the tests keeps its state in a table and a bucket, one of each per home."""
    if request.config.getoption("--state") == "aws":
        aws: Aws = request.getfixturevalue("aws")
        harness.places = cache(lambda _home: {"PATCHBAY_TABLE": aws.table(), "PATCHBAY_BUCKET": aws.bucket()})


@pytest.fixture(scope="session")
def shared_gateway(_state: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
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
