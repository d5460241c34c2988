"""What the edge tests share: judging an error answer, counting provider calls, a provider of the test's own."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from infra.local.simulators.fleet import Fleet, Waits
from tests.harness import Server

RECEIPT_HEADERS = (
    "x-patchbay-provider",
    "x-patchbay-model",
    "x-patchbay-attempts",
    "x-patchbay-cost-usd",
    "x-patchbay-cache",
    "x-patchbay-decision",
    "x-patchbay-simulated",
)
CHAT_ROUTES = ("/api/ai/chat", "/v1/chat/completions")
CALL_ROUTES = (*CHAT_ROUTES, "/api/ai/route")


def calls(gateway: Server) -> dict[str, int]:
    """How many requests each simulated provider has received."""
    return {name: one["requests"] for name, one in gateway.fleet.status()["providers"].items()}


def has_receipt_headers(answer: httpx.Response) -> None:
    missing = [name for name in RECEIPT_HEADERS if name not in answer.headers]
    assert not missing, f"{answer.status_code} without {missing}"
    assert answer.headers["x-patchbay-cache"] in {"hit", "miss", "off"}
    assert answer.headers["x-patchbay-simulated"] in {"true", "false"}


def problem(answer: httpx.Response, status: int, param: str | None = None) -> dict[str, Any]:
    """The complete error object of an answer with this status."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text[:300]}"
    return complete(answer, param)


def complete(answer: httpx.Response, param: str | None = None) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    has_receipt_headers(answer)
    error: dict[str, Any] = answer.json()["error"]
    assert isinstance(error["type"], str) and error["type"]
    assert isinstance(error["message"], str) and len(error["message"]) > 10
    assert "Traceback" not in answer.text
    assert "param" in error
    if param is not None:
        assert error["param"] == param, error
    return error


def sse(text: str) -> list[Any]:
    """The data of each event; [DONE] stays a string."""
    found: list[Any] = []
    for event in text.split("\n\n"):
        if event:
            assert event.startswith("data: "), event
            data = event.removeprefix("data: ")
            found.append(data if data == "[DONE]" else json.loads(data))
    return found


def said(events: list[Any]) -> str:
    """The text that a stream's chunks add up to."""
    chunks = [one for one in events if isinstance(one, dict)]
    return "".join(choice["delta"].get("content") or "" for one in chunks for choice in one.get("choices", ()))


@contextmanager
def providers(*names: str, waits: Waits | None = None) -> Iterator[Fleet]:
    """Simulators of the test's own, in place of real providers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="providers")
    thread.start()
    fleet = Fleet(names or ("openai",), waits=waits or Waits())
    try:
        asyncio.run_coroutine_threadsafe(fleet.start(), loop).result(20)
        yield fleet
    finally:
        asyncio.run_coroutine_threadsafe(fleet.stop(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
