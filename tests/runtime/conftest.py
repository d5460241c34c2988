"""One warm process per function, a real table and simulated providers, for tests that change none of them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from infra.local.simulators.fleet import Fleet
from tests.functions.helpers import providers
from tests.runtime.lambdas import Function, function


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with providers("openai", "together") as running:
        yield running


@pytest.fixture(scope="session")
def configured(fleet, aws) -> dict[str, str]:
    """What template.yaml gives a function, and a provider that goes first and one that follows."""
    return {
        "PATCHBAY_TABLE": aws.table(),
        "PATCHBAY_BUCKET": aws.bucket(),
        "AWS_ENDPOINT_URL": aws.url,
        "OPENAI_API_KEY": "sk-test-1",
        "OPENAI_BASE_URL": f"{fleet.url('openai')}/v1",
        "TOGETHER_API_KEY": "sk-test-2",
        "TOGETHER_BASE_URL": f"{fleet.url('together')}/v1",
        "CHAT_PROVIDER": "openai",
        "RETRY_DELAY_MS": "1",
    }


@pytest.fixture(scope="session")
def functions(configured, tmp_path_factory):
    """Functions by name, each started once."""
    started: dict[str, Function] = {}
    with ExitStack() as stack:

        def get(name: str) -> Function:
            if name not in started:
                started[name] = stack.enter_context(function(name, tmp_path_factory.mktemp(name), **configured))
            return started[name]

        yield get


@pytest.fixture
def chat(functions) -> Function:
    made: Function = functions("chat")
    return made
