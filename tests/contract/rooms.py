"""A gateway on a registry of the test's own choice, in the test's own loop, spoken to over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from core import bootstrap
from core.bootstrap import Service
from core.clock import Clock
from core.http.app import make_app
from core.providers.registry import Registry
from functions.catalog import routes as catalog
from functions.chat import routes as chat
from functions.embed import routes as embed
from functions.speak import routes as speak
from functions.transcribe import routes as transcribe
from functions.translate import routes as translate
from infra.local.simulators.fleet import Fleet
from tests.contract.cases import NATIVE, Mode
from tests.contract.talk import Heard, heard
from tests.harness import HELLO


@dataclass(frozen=True)
class Room:
    http: httpx.AsyncClient
    service: Service

    async def ask(self, route: str = NATIVE, mode: Mode = "plain", **fields: Any) -> Heard:
        return heard(await self.http.post(route, json={**HELLO, "stream": mode == "stream", **fields}))


@asynccontextmanager
async def room(
    registry: Registry, home: Path, environ: Mapping[str, str], clock: Clock | None = None
) -> AsyncIterator[Room]:
    settings = {"PATCHBAY_HOME": str(home), "RETRY_DELAY_MS": "1", "LOG_LEVEL": "error", **environ}
    service = bootstrap.build(registry=registry, environ=settings, clock=clock)
    functions = (chat, embed, transcribe, speak, translate)
    routes = [*(route for one in functions for route in one.ROUTES), *catalog.ROUTES]
    operations = {path: operation for one in functions for path, operation in one.OPERATIONS.items()}
    app = make_app("Patchbay", routes, operations, service)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
            yield Room(http, service)
    finally:
        await service.close()


@asynccontextmanager
async def fleet(names: Iterable[str]) -> AsyncIterator[Fleet]:
    running = Fleet(tuple(names))
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def counted(url: str) -> AsyncIterator[tuple[str, list[None]]]:
    """The address of a relay to a server, and one item for each connection that was made to it."""
    host, port = url.removeprefix("http://").split(":")
    made: list[None] = []
    open_ones: set[asyncio.StreamWriter] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.append(None)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        open_ones.update((writer, far_writer))
        await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
    finally:
        server.close()
        for writer in open_ones:
            writer.close()
        await server.wait_closed()
