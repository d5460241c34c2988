"""A whole server on loopback in a thread of its own, with simulators whose faults a test can switch."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from infra.local.server import Running, assembled

T = TypeVar("T")

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
# Quick simulators and quick failures; nothing here makes a test wait for long.
QUICK = {
    "PORT": "0",
    "PATCHBAY_SIMULATOR_CHUNK_MS": "0",
    "PATCHBAY_SIMULATOR_SLOW_MS": "100",
    "RETRY_DELAY_MS": "1",
    "LOG_LEVEL": "error",
}


# Where servers keep their state beside their home: `--state aws` puts a table and a bucket here.
places: Callable[[Path], Mapping[str, str]] | None = None


class Server:
    """What a test does with a running server."""

    def __init__(self, running: Running, loop: asyncio.AbstractEventLoop) -> None:
        self.url = running.url
        self.service = running.service
        self.uvicorn = running.server
        self._fleet = running.fleet
        self._loop = loop
        self.http = httpx.Client(base_url=running.url, trust_env=False, timeout=20)

    @property
    def fleet(self) -> Any:
        assert self._fleet is not None, "this server runs without simulators"
        return self._fleet

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def fault(self, provider: str, fault: str, **options: Any) -> None:
        self.on_loop(self.fleet.fault(provider, fault, **options))

    def clear(self) -> None:
        self.on_loop(self.fleet.clear())

    def chat(self, body: Mapping[str, Any] | None = None, **fields: Any) -> httpx.Response:
        return self.http.post("/api/ai/chat", json={**HELLO, **(body or {}), **fields})

    def receipt(self, decision: str) -> dict[str, Any]:
        answer = self.http.get(f"/api/ai/decisions/{decision}")
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt


@contextmanager
def server(home: Path, **environ: str) -> Iterator[Server]:
    """Start, hand out, stop; a failure to start is raised here."""
    started = threading.Event()
    box: dict[str, Any] = {}

    async def run() -> None:
        given = {**QUICK, "PATCHBAY_HOME": str(home), **(places(home) if places else {}), **environ}
        async with assembled(given, home / ".env") as running:
            box["running"], box["loop"] = running, asyncio.get_running_loop()
            running.server.install_signal_handlers = lambda: None  # type: ignore[attr-defined] # not the main thread
            serving = asyncio.create_task(running.until_stopped())
            while not running.server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)
            started.set()
            await serving

    def work() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            box["error"] = error
        finally:
            started.set()

    thread = threading.Thread(target=work, name="server")
    thread.start()
    started.wait(20)
    if "error" in box:
        thread.join()
        raise box["error"]
    made = Server(box["running"], box["loop"])
    try:
        yield made
    finally:
        made.http.close()
        box["running"].server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"
        if "error" in box:
            raise box["error"]
