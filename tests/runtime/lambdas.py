"""A function in a process of its own under awslambdaric, for tests that are not asynchronous themselves."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.runtime_api import Outcome
from infra.local.sandbox import ROOT, Sandbox, handler_of, known, sandbox
from tests.aws import ENVIRON

EVENTS = ROOT / "events"
KEY = "local-key"  # the key that the events carry


def event(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def events(function: str) -> list[str]:
    """The names of a function's events."""
    return sorted(path.stem for path in EVENTS.glob("*.json") if path.stem.partition("-")[0] == function)


def of_functions_there() -> list[tuple[str, str]]:
    return [(function, name) for function in known() for name in events(function)]


class Function:
    """A warm function. Its lines arrive beside its answers, so they are waited for."""

    def __init__(self, runner: asyncio.Runner, running: Sandbox, written: list[str], news: asyncio.Event) -> None:
        self._runner = runner
        self._running = running
        self._written = written
        self._news = news
        self.pid = running.pid

    def outcome(self, event: Any, seconds: float = 20.0) -> Outcome:
        """What it makes of an event; what it wrote before is forgotten."""
        self._written.clear()
        return self._runner.run(self._running.invoke(json.dumps(event).encode(), seconds))

    def answer(self, event: Any, seconds: float = 20.0) -> dict[str, Any]:
        outcome = self.outcome(event, seconds)
        assert outcome.kind == "response", outcome.body
        answer: dict[str, Any] = json.loads(outcome.body)
        return answer

    def error(self, event: Any) -> dict[str, Any]:
        outcome = self.outcome(event)
        assert outcome.kind != "response", outcome.body
        error: dict[str, Any] = json.loads(outcome.body)
        return error

    def lines(self, last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Every line written up to the one that is the last."""

        async def read() -> None:
            async with asyncio.timeout(20):
                while not any(last(json.loads(line)) for line in self._written):
                    self._news.clear()
                    await self._news.wait()

        self._runner.run(read())
        return [json.loads(line) for line in self._written]

    def whole(self) -> list[dict[str, Any]]:
        """The lines of the last invocation: its metrics end them."""
        return self.lines(lambda line: "Requests" in line)


@contextmanager
def function(
    name: str, home: Path, *, handler: str = "", exactly: Mapping[str, str] | None = None, **environ: str
) -> Iterator[Function]:
    """Started with nothing of this machine's environment but its PATH; `exactly` is in place of what tests have."""
    given = {"PATCHBAY_API_KEY": KEY, **ENVIRON} if exactly is None else exactly
    values = {"PATH": "/usr/bin:/bin", "HOME": str(home), **given, **environ}
    written: list[str] = []
    with asyncio.Runner() as runner:
        news = asyncio.Event()

        def say(line: str) -> None:
            written.append(line)
            news.set()

        started = sandbox(name, handler or handler_of(name), values, say)
        running = runner.run(started.__aenter__())
        try:
            yield Function(runner, running, written, news)
        finally:
            runner.run(started.__aexit__(None, None, None))
