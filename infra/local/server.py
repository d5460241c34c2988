"""The whole product in one process: every function's routes, SQLite state, simulators when nothing is configured."""

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import orjson
import uvicorn
from fastapi import FastAPI

from core import __version__, bootstrap, log
from core.bootstrap import Service
from core.capabilities import Capability
from core.config.files import read_dotenv
from core.config.kinds import MILLISECONDS, WHOLE, Kind
from core.config.layers import Layers, named
from core.config.settings import Account, Settings
from core.errors import Misconfigured, TargetError
from core.http.app import make_app
from core.http.guards import is_loopback
from core.net.transport import Transport
from core.providers.contract import ListsModels
from core.providers.registry import Registry, load_adapter
from functions.catalog import routes as catalog
from functions.chat import routes as chat
from functions.embed import routes as embed
from functions.speak import routes as speak
from functions.transcribe import routes as transcribe
from functions.translate import routes as translate
from infra.local import simulation
from infra.local.banner import banner
from infra.local.place import address_of, announced
from infra.local.simulators.fleet import Fleet, Waits
from infra.local.simulators.vendors import VENDORS

DOTENV = Path(".env")
_DETECT_SECONDS = 0.5
_LATEST = ":latest"  # a tag that says nothing
_LOG_FLUSH_SECONDS = 0.05
_BACKLOG = 2048
_ANYWHERE = {"0.0.0.0", "::"}
SIMULATED = Kind(
    f"names from {', '.join(VENDORS)}",
    lambda text: tuple(VENDORS[name.strip().lower()].name for name in text.split(",")),
)


def check_reach(settings: Settings) -> None:
    """Beyond loopback a gateway without a key would be everybody's."""
    if not is_loopback(settings.host) and settings.api_key is None:
        raise Misconfigured(
            f"{settings.origins.get('host', 'HOST')} is {settings.host}, which others can reach: "
            "set PATCHBAY_API_KEY, or HOST=127.0.0.1",
            param="HOST",
        )
    check_circle(settings, settings.port)


def check_circle(settings: Settings, port: int) -> None:
    """A provider at this gateway's own address would have it call itself without end."""
    for provider, accounts in settings.accounts.items():
        for one in accounts:
            if one.enabled and one.base_url and _is_own(one.base_url, settings.host, port):
                origin = settings.origin(provider, one.name, "base_url")
                raise Misconfigured(
                    f"{origin}: {one.base_url} is this gateway's own address: it would call itself without end."
                    " Give the provider's, or serve at another PORT",
                    param=origin.name if origin else "base_url",
                )


def _is_own(url: str, host: str, port: int) -> bool:
    parts = urlsplit(url)
    named = (parts.hostname or "").lower()
    if (parts.port or (443 if parts.scheme == "https" else 80)) != port:
        return False
    return named == host.lower() or ((is_loopback(host) or host in _ANYWHERE) and is_loopback(named))


async def detected(settings: Settings, registry: Registry) -> dict[str, str]:
    """Settings for providers that run on this machine though nobody named them, or named no model of theirs."""
    found: dict[str, str] = {}
    transport = await Transport(connect_timeout=_DETECT_SECONDS).open()
    try:
        for row in registry.rows.values():
            account = settings.accounts[row.name][0]
            base = account.base_url or row.base_url
            if not row.detect or not base or not account.enabled or _is_complete(account):
                continue
            adapter: ListsModels = load_adapter(row)(row, replace(account, base_url=base), transport)
            names = row.declared().names
            try:
                async with asyncio.timeout(_DETECT_SECONDS):
                    models = await adapter.models()
            except (TargetError, TimeoutError):
                continue  # it does not run here, which is the usual case
            found[names["base_url"][-1]] = base
            embedding = [model for model in models if is_embedding(model)]
            talking = [model for model in models if model not in embedding]
            if talking and not account.model:
                found[names["model"][-1]] = talking[0]
            if embedding and not account.embedding_model:
                found[names["embedding_model"][-1]] = embedding[0].removesuffix(_LATEST)
    finally:
        await transport.close()
    return found


def _is_complete(account: Account) -> bool:
    return bool(account.base_url and account.model and account.embedding_model)


def is_embedding(model: str) -> bool:
    """As far as names tell: a list of models does not say what they are for."""
    return any(word in model.lower() for word in ("embed", "minilm", "bge-"))


def simulated(fleet: Fleet, registry: Registry) -> dict[str, str]:
    """Settings that point every simulated provider at its simulator."""
    values: dict[str, str] = {}
    for name in fleet.status()["providers"]:
        row = registry.rows[name]
        names = row.declared().names
        path = urlsplit(row.base_url or "").path
        values |= {
            names["base_url"][-1]: fleet.url(name) + path,
            names["key"][-1]: "simulated",
            names["simulated"][-1]: "true",
        }
        for service in ("speech", "translation"):
            if f"{service}_key" in names:
                values |= {names[f"{service}_url"][-1]: fleet.url(name), names[f"{service}_key"][-1]: "simulated"}
        vendor = VENDORS[name]
        for field, capability, listed in (
            ("model", Capability.CHAT, vendor.models),
            ("embedding_model", Capability.EMBED, tuple(vendor.embedders)),
            ("models.rerank", Capability.RERANK, vendor.rerankers),
        ):
            if capability in row.capabilities and capability not in row.default_models:
                values[names[field][-1]] = listed[0]
    return values


@asynccontextmanager
async def surroundings(environ: Mapping[str, str], dotenv: Path) -> AsyncIterator["Surroundings"]:
    """What is configured or found here; else simulators, which live as long as the block."""
    registry = Registry.with_plugins()
    build = partial(bootstrap.build, environ=environ, dotenv=dotenv, registry=registry)
    service = build()
    found = await detected(service.settings, registry)
    async with AsyncExitStack() as stack:
        fleet: Fleet | None = None
        pinned: dict[str, str] = {}
        # Beyond loopback somebody else's program would take their answers for real ones.
        if not found and not service.settings.configured and is_loopback(service.settings.host):
            fleet = fleet_here(environ, dotenv)
            await fleet.start()
            stack.push_async_callback(fleet.stop)
            pinned = simulated(fleet, registry)
        if found or pinned:
            service = build(found=found, pinned=pinned)
        yield Surroundings(service, found, pinned, fleet)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A service on what is here, and the settings that say so: below changes at run time, and above them."""

    service: Service
    found: Mapping[str, str]
    pinned: Mapping[str, str]
    fleet: Fleet | None


@asynccontextmanager
async def composed(environ: Mapping[str, str], dotenv: Path) -> AsyncIterator[tuple[Service, Fleet | None]]:
    """A service that may listen where it is told to."""
    check_reach(bootstrap.build(environ=environ, dotenv=dotenv).settings)
    async with surroundings(environ, dotenv) as here:
        yield here.service, here.fleet


def fleet_here(environ: Mapping[str, str] = os.environ, dotenv: Path = DOTENV) -> Fleet:
    """The simulators that would answer where nothing is configured."""
    return fleet_for(Layers(named("environment", environ), named(".env", read_dotenv(dotenv))))


def fleet_for(layers: Layers) -> Fleet:
    """The simulators as configured: how they decide on faults, and how long they take."""

    def seconds(name: str, default: float) -> float:
        found = layers.find((f"PATCHBAY_SIMULATOR_{name}_MS",), MILLISECONDS)
        return (default if found is None else float(found)) / 1000

    # By default long enough to see a stream move.
    waits = Waits(first_byte=seconds("FIRST_BYTE", 0), chunk=seconds("CHUNK", 15), slow=seconds("SLOW", 3000))
    seed = layers.find(("PATCHBAY_SIMULATOR_SEED",), WHOLE) or 0
    names = layers.find(("PATCHBAY_SIMULATOR_PROVIDERS",), SIMULATED)
    return Fleet(names, seed=seed, waits=waits) if names else Fleet(seed=seed, waits=waits)


def listen(settings: Settings) -> socket.socket:
    """A socket that takes connections from now on, so that what the banner says is true."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, because asyncio switches Nagle's delay off only on sockets that say so.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    where = f"cannot listen on {settings.host}:{settings.port}"
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
    except socket.gaierror as error:
        listener.close()
        raise Misconfigured(
            f"{where}: HOST is not an address of this machine ({error.strerror})", param="HOST"
        ) from error
    except OSError as error:
        listener.close()
        raise Misconfigured(f"{where} ({error.strerror}); set PORT to a free one", param="PORT") from error
    return listener


def app_of(service: Service, fleet: Fleet | None) -> FastAPI:
    """Every function's routes, and the switches of the simulators."""
    functions = (chat, embed, transcribe, speak, translate)
    routes = [*(route for one in functions for route in one.ROUTES), *catalog.ROUTES, *simulation.ROUTES]
    operations = {path: operation for one in functions for path, operation in one.OPERATIONS.items()}
    app = make_app("Patchbay", routes, operations, service)
    app.state.fleet = fleet
    return app


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections."""

    url: str
    service: Service
    fleet: Fleet | None
    server: uvicorn.Server
    listener: socket.socket

    async def until_stopped(self) -> None:
        await self.server.serve(sockets=[self.listener])


@asynccontextmanager
async def assembled(environ: Mapping[str, str], dotenv: Path = DOTENV) -> AsyncIterator[Running]:
    """All functions' routes on one bound socket; await `until_stopped` to serve."""
    async with composed(environ, dotenv) as (service, fleet):
        settings = service.settings
        listener = listen(settings)
        port = listener.getsockname()[1]
        url = address_of(settings.host, port)
        config = uvicorn.Config(
            app_of(service, fleet),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        try:
            check_circle(settings, port)  # PORT=0 has become a number
            yield Running(url, service, fleet, uvicorn.Server(config), listener)
        finally:
            listener.close()


def _is_news(line: logging.LogRecord) -> bool:
    """That an answer was broken off is how HTTP says of sound that it is not whole; why is in our own lines."""
    return "without completing response" not in str(line.msg)


async def serve(environ: Mapping[str, str] = os.environ, *, as_json: bool = False) -> None:
    """Run until interrupted."""
    with _Stop() as stop:
        async with assembled(environ) as running:
            stop.server = running.server
            settings = running.service.settings
            lines = log.configure(settings.log_level, settings.log_format, gather=True)
            with announced(settings.home, running.url):
                print(_hello(running, as_json=as_json), flush=True)  # noqa: T201 - what a person at a terminal waits for
                async with flushing(lines):
                    settle_heap()
                    await running.until_stopped()


class _Stop:
    """SIGTERM ends its block; not by an exception, which out of a signal handler may hit code that swallows it."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self._asked = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        signal.signal(signal.SIGTERM, self._stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return self._asked and kind is asyncio.CancelledError

    def _stop(self, *_: object) -> None:
        if self.server is not None:
            self.server.should_exit = True  # which it looks at once it runs, and when it hands on a signal it took
        elif self._task is not None:
            self._asked = True
            self._loop.call_soon_threadsafe(self._task.cancel)


def _hello(running: Running, *, as_json: bool) -> str:
    """What is printed once it takes connections."""
    if not as_json:
        return banner(running.service, running.url)
    facts = {"url": running.url, "pid": os.getpid(), "version": __version__, "simulated": running.fleet is not None}
    return orjson.dumps(facts).decode()


def settle_heap() -> None:
    """What is loaded now stays: the collector need not walk it again and again while it serves."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@asynccontextmanager
async def flushing(lines: log.Lines) -> AsyncIterator[None]:
    """Write gathered log lines every few milliseconds, and at the end."""

    async def flush() -> None:
        while True:
            await asyncio.sleep(_LOG_FLUSH_SECONDS)
            await asyncio.to_thread(lines.flush)  # a slow terminal or disk must not stop the gateway

    task = asyncio.create_task(flush())
    try:
        yield
    finally:
        task.cancel()
        lines.flush()
