"""The library over simulated providers on loopback, and a way to run lines of Python as the seeds show them."""

import ast
import inspect
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core import library, log
from core.audio.decoding import decode
from core.library import Scope, using
from core.library.manager import get_provider_manager
from core.providers.registry import Registry
from infra.local.server import simulated
from infra.local.simulators.signal import hear
from tests.core.fakes import run
from tests.harness import Server, server
from tests.sound import recording

PROVIDERS = ("azure", "together", "anthropic", "openai", "groq", "local", "ollama")


@dataclass
class House:
    """What a test of the library needs: where things are, and the environment that says so."""

    server: Server
    environ: dict[str, str]
    scope: Scope

    def url(self, name: str) -> str:
        return str(self.server.fleet.url(name))

    def count(self, name: str) -> int:
        return int(self.server.fleet.status()["providers"][name]["requests"])

    def sent(self, name: str) -> Any:
        """The body of the latest request that a provider received."""
        import json

        return json.loads(self.server.fleet.requests(name)[-1].body)

    def names(self, text: str, **more: Any) -> dict[str, Any]:
        """A namespace with all of the library that a text names."""
        found = {"url": self.url, "hello": [library.user_message("Hello")], **more}
        for word in set(re.findall(r"\b[A-Za-z_]\w*", text)) - set(found):
            if hasattr(library, word):
                found[word] = getattr(library, word)
        return found

    def python(self, text: str, names: dict[str, Any]) -> Any:
        """Run lines that may `await` at the top, on a loop of their own; an expression gives its value."""
        try:
            code = compile(text, "<seed>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            code = compile(text, "<seed>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        async def work() -> Any:
            value = eval(code, names)
            return await value if code.co_flags & inspect.CO_COROUTINE else value

        return run(work())


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """The library sets up the logging of its process, which here is that of other tests, too."""
    logger = logging.getLogger("patchbay")
    ours, handlers, level, propagate = dict(vars(log.LINES)), logger.handlers[:], logger.level, logger.propagate
    yield
    vars(log.LINES).update(ours)
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate = propagate


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("library")
    with server(home, PATCHBAY_SIMULATOR_PROVIDERS=",".join(PROVIDERS)) as running:
        yield running


@pytest.fixture
def make(providers: Server, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """A house on the simulators of these providers, with settings of the test's own."""
    providers.clear()

    def made(*names: str, **environ: str) -> House:
        known = simulated(providers.fleet, Registry())
        chosen = names or PROVIDERS
        kept = {name: value for name, value in known.items() if _owner(name) in chosen}
        base = {"PATCHBAY_HOME": str(tmp_path / "home"), "RETRY_DELAY_MS": "1", "LOG_LEVEL": "error"}
        whole = {**base, **kept, **environ}
        return House(providers, whole, Scope(environ=whole, dotenv=None))

    yield made
    providers.clear()


@pytest.fixture
def house(make: Callable[..., House]) -> Iterator[House]:
    """All simulated providers, as the surrounding scope."""
    made = make()
    get_provider_manager.cache_clear()
    with using(made.scope):
        yield made
    get_provider_manager.cache_clear()


@pytest.fixture(scope="session")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file in which somebody speaks."""
    path = tmp_path_factory.mktemp("meeting") / "meeting.mp3"
    path.write_bytes(recording("Good morning. Shall we begin?", "mp3"))
    return str(path)


def heard(data: bytes) -> str:
    """What is said in it."""
    pcm = b"".join(decode(data, 16_000))
    return " ".join(one.word for one in hear(np.frombuffer(pcm, np.int16), 16_000))


def _owner(name: str) -> str:
    return re.split(r"[_.]", name.lower())[0]


def blocks(path: Path) -> list[tuple[str, str]]:
    """Title and code of each fenced block of a text file."""
    return re.findall(r"^## (.+?)\n+```python\n(.*?)```", path.read_text(), re.DOTALL | re.MULTILINE)
