"""One server per combination of settings, started when the first test wants it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import httpx2
import openai
import pytest

from tests.contract.cases import OTHERS, SERVERS
from tests.harness import Server, server


class Gateways(Protocol):
    def __call__(self, name: str, provider: str = "") -> Server: ...


Clients = Callable[[Server], openai.OpenAI]


@pytest.fixture(scope="session")
def started(shared_gateway: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    with ExitStack() as stack:
        running = {"quick": shared_gateway}

        def named(name: str) -> Server:
            if name not in running:
                home = tmp_path_factory.mktemp(name)
                running[name] = stack.enter_context(server(home, **SERVERS[name]))
            return running[name]

        yield named


@pytest.fixture
def gateways(started: Callable[[str], Server]) -> Iterator[Gateways]:
    """A server by the name of its settings that has a provider, without any faults before and after."""
    used: dict[str, Server] = {}

    def named(name: str, provider: str = "") -> Server:
        name += "-others" if provider in OTHERS else ""
        used[name] = started(name)
        used[name].clear()
        return used[name]

    yield named
    for one in used.values():
        one.clear()


@pytest.fixture(scope="session")
def _http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as http:
        yield http


@pytest.fixture
def sdk(_http: httpx2.Client) -> Clients:
    """The official client, pointed at a gateway."""
    return lambda gateway: openai.OpenAI(
        base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, http_client=_http, timeout=20
    )
