"""Asking the gateway over HTTP, and what was heard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.contract.cases import Case, Mode
from tests.harness import HELLO, Server

DONE = "[DONE]"


@dataclass(frozen=True)
class Heard:
    status: int
    headers: httpx.Headers
    body: dict[str, Any]  # of an answer that is no stream
    events: tuple[dict[str, Any], ...]  # of a stream, without its end marker
    done: bool  # whether the very last event was the end marker

    @property
    def text(self) -> str:
        if not self.events:
            return self.body.get("content") or ""
        choices = [choice for event in self.events for choice in event.get("choices") or ()]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [event["error"] for event in self.events if "error" in event]

    @property
    def error(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["error"]
        return found

    @property
    def decision(self) -> str:
        return self.headers["x-patchbay-decision"]


def heard(answer: httpx.Response) -> Heard:
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return Heard(answer.status_code, answer.headers, answer.json(), (), done=False)
    assert answer.text.endswith("\n\n"), "an event was left open"
    lines = [event for event in answer.text.split("\n\n") if event and not event.startswith(":")]
    said = [line.removeprefix("data: ") for line in lines]
    events = tuple(json.loads(data) for data in said if data != DONE)
    assert said.count(DONE) <= 1
    return Heard(answer.status_code, answer.headers, {}, events, done=said[-1] == DONE)


def ask(gateway: Server, route: str, mode: Mode = "plain", *, timeout_ms: int | None = None, **fields: Any) -> Heard:
    headers = {} if timeout_ms is None else {"x-patchbay-timeout-ms": str(timeout_ms)}
    body = {**HELLO, "stream": mode == "stream", **fields}
    return heard(gateway.http.post(route, json=body, headers=headers))


def within(case: Case, targets: int) -> int | None:
    """The deadline that gives the first of so many targets its share."""
    return None if case.share_ms is None else case.share_ms * targets


def said_by(heard: Heard) -> str:
    """The whole text that the provider in the headers says to Hello."""
    provider, model = heard.headers["x-patchbay-provider"], heard.headers["x-patchbay-model"]
    return f'Simulated answer from {provider} ({model}): you said "Hello".'


class Requests:
    """How often each simulator was asked for an answer since this was made; looks at one under way do not count."""

    def __init__(self, gateway: Server) -> None:
        self._gateway = gateway
        self._before = self._now()

    def _now(self) -> dict[str, int]:
        providers: Mapping[str, Any] = self._gateway.fleet.status()["providers"]
        return {name: facts["calls"] for name, facts in providers.items()}

    def since(self) -> dict[str, int]:
        return {name: count - self._before[name] for name, count in self._now().items() if count != self._before[name]}
