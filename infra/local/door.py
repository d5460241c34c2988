"""The way to a gateway: the server that runs here, or one inside this process when none does."""

import asyncio
import logging
import os
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from core import log
from core.config import settings
from infra.local.place import address_of, noted, trusted
from infra.local.terminal import DOTENV, note

_CONNECT = 5.0  # seconds
_ANSWER = 30.0
_INSIDE = "this process"
# What HTTP calls it → what a person typed, or can.
_OPTIONS = {"x-patchbay-timeout-ms": "--timeout", "max_tokens": "--max-tokens", "max_cost": "--max-cost"}
_NAMES = re.compile(rf"(?<![\w-])({'|'.join(_OPTIONS)})(?![\w-])")


class Refused(Exception):
    """The gateway, or a provider behind it, said no. The message is for people."""


class NoServer(Exception):
    """No Patchbay answers there. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Door:
    """A gateway that can be asked."""

    client: httpx.AsyncClient
    url: str
    said: dict[str, Any]  # by /health
    inside: bool = False
    simulated: bool = False  # in this process, because nothing is configured

    @property
    def where(self) -> str:
        return _INSIDE if self.inside else self.url

    @property
    def patience(self) -> httpx.Timeout:
        """How long a model may take is the gateway's to say; here a person has Ctrl-C."""
        return httpx.Timeout(None, connect=_CONNECT)

    async def ask(
        self,
        method: str,
        path: str,
        wanted: str,
        body: Any = None,
        *,
        patient: bool = False,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """An object that has `wanted`, or the reason why not."""
        limits = self.patience if patient else self.client.timeout
        try:
            answer = await self.client.request(method, path, json=body, params=query, headers=headers, timeout=limits)
        except httpx.HTTPError as error:
            raise Refused(f"{self.where} did not answer ({type(error).__name__}); its log says more.") from error
        except ValueError as error:
            raise Refused(f"this cannot be asked: {error}") from error
        return self.judged(answer.status_code, answer.content, wanted)

    def judged(self, status: int, raw: bytes, wanted: str) -> Any:
        try:
            data = orjson.loads(raw)
            if status >= 400:
                raise Refused(words(data["error"]))
            data[wanted]
        except (ValueError, KeyError, TypeError, IndexError):
            raise stranger(self.url, status) from None
        return data


def words(error: dict[str, Any]) -> str:
    """The message with the command line's own names; and where the rest is, when something was tried."""
    more = f" See `patchbay decisions {error['decision_id']}`." if error.get("attempts") else ""
    return _NAMES.sub(lambda found: _OPTIONS[found[0]], error["message"]) + more


def stranger(url: str, status: int) -> NoServer:
    return NoServer(f"{url} did not answer like Patchbay (status {status}); is another program on this port?")


def known_server() -> tuple[str, dict[str, str]]:
    """Its address (PORT, else the note of a running server, else the default) and the header with its key."""
    config = settings.load([], dotenv=DOTENV)
    unnamed = settings.load([], environ={}).port
    named = config.port if config.port not in {0, unnamed} or os.environ.get("PORT") else None
    there = noted(config.home) if named is None else None
    url = there if there and trusted(there, config.host) else address_of(config.host, config.port)
    return url, {"authorization": f"Bearer {config.api_key.reveal()}"} if config.api_key else {}


def client_of(url: str, timeout: float) -> httpx.AsyncClient:
    """For a server on this machine; the key is added once it has answered like one."""
    # Without the world's certificates, which take 40 ms to read and which no address of ours needs.
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
    try:
        return httpx.AsyncClient(base_url=url, trust_env=False, timeout=limits, verify=nobody)
    except httpx.InvalidURL:
        raise NoServer(f"{url} is not an address") from None


async def greeted(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> dict[str, Any] | None:
    """What the server says of itself; None when nobody listens there. Only then does the client have the key."""
    said = await _health(client, url)
    client.headers.update(headers)
    return said


async def _health(client: httpx.AsyncClient, url: str) -> dict[str, Any] | None:
    try:
        answer = await client.get("/health", timeout=_CONNECT)
    except (httpx.ConnectError, httpx.UnsupportedProtocol):
        return None
    except httpx.HTTPError as error:
        raise NoServer(f"what listens on {url} does not answer ({type(error).__name__}).") from error
    try:
        said: dict[str, Any] = answer.json()
        said["version"], said["ready"]
        answer.raise_for_status()
    except (ValueError, KeyError, TypeError, httpx.HTTPStatusError):
        raise stranger(url, answer.status_code) from None
    return said


@asynccontextmanager
async def opened(*, inside: bool = True) -> AsyncIterator[Door]:
    """The running server, or else a gateway in this process; with `inside` false only the server will do."""
    url, headers = known_server()
    async with client_of(url, _ANSWER) as client:
        said = await greeted(client, url, headers)
        if said is not None:
            yield Door(client, url, said)
            return
    if not inside:
        raise NoServer(f"no server at {url}. Start one with `make run` or `patchbay serve`.")
    async with _process(url, headers) as door:
        yield door


@asynccontextmanager
async def gateway(*, verbose: bool) -> AsyncIterator[Door]:
    async with opened() as door:
        if door.inside and verbose:
            note(f"no server at {door.url}; this process answers")
        yield door


@asynccontextmanager
async def asked(door: Door, path: str, headers: Mapping[str, str], **content: Any) -> AsyncIterator[httpx.Response]:
    """An answer that is under way; a refusal is raised with the gateway's own words."""
    try:
        async with door.client.stream("POST", path, headers=headers, timeout=door.patience, **content) as answer:
            if answer.status_code >= 400:
                door.judged(answer.status_code, await answer.aread(), "error")
                raise stranger(door.url, answer.status_code)
            yield answer
    except httpx.HTTPError as error:
        raise Refused(f"{door.where} broke off ({type(error).__name__}); the answer is incomplete.") from error


@asynccontextmanager
async def _process(url: str, headers: dict[str, str]) -> AsyncIterator[Door]:
    """All routes without a socket, on the same configuration and state as `serve`."""
    from infra.local.server import app_of, composed  # noqa: PLC0415 - half a second that a running server saves

    async with AsyncExitStack() as stack:
        stack.enter_context(_quiet())
        service, fleet = await stack.enter_async_context(composed(os.environ, DOTENV))
        stack.push_async_callback(service.close)
        transport = _InProcess(app_of(service, fleet))
        # The name of the host is what the guard of a loopback gateway wants to see.
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)
        await stack.enter_async_context(client)
        await service.open()
        yield Door(client, url, (await client.get("/health")).json(), inside=True, simulated=fleet is not None)


@contextmanager
def _quiet() -> Iterator[None]:
    """A command says itself what went wrong: lines for an operator would be noise on a terminal."""
    before, log.LINES.level = log.LINES.level, logging.CRITICAL
    try:
        yield
    finally:
        log.LINES.level = before


class _InProcess(httpx.AsyncBaseTransport):
    """Calls the app as a server would; unlike httpx's own transport it hands out parts as they come."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange = _Exchange(await request.aread())
        await exchange.start(self._app, request)
        return httpx.Response(exchange.status, headers=exchange.headers, stream=exchange)


class _Exchange(httpx.AsyncByteStream):
    """One request under way."""

    def __init__(self, body: bytes) -> None:
        self.status, self.headers = 0, []  # type: ignore[var-annotated] # filled by the app's first message
        self._body: bytes | None = body
        self._left = asyncio.Event()
        self._begun = asyncio.Event()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._whole = False
        self._task: asyncio.Task[None] | None = None

    async def start(self, app: Any, request: httpx.Request) -> None:
        url = request.url
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "",
            "method": request.method, "path": url.path, "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query, "client": ("127.0.0.1", 0), "server": ("127.0.0.1", 0), "state": {},
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }  # fmt: skip
        self._task = asyncio.create_task(app(scope, self._receive, self._send))
        self._task.add_done_callback(self._ended)
        try:
            await self._begun.wait()
        except BaseException:
            await self.aclose()
            raise
        if not self.status:
            self._task.result()  # raises what the app raised

    async def _receive(self) -> dict[str, Any]:
        if self._body is None:
            await self._left.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
            self._begun.set()
        else:
            self._parts.put_nowait(message.get("body", b""))
            self._whole = not message.get("more_body", False)

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._begun.set()
        self._parts.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (part := await self._parts.get()) is not None:
            if part:
                yield part
        if not self._whole:  # as a server closes the connection of what it cannot end
            raise httpx.RemoteProtocolError("the answer has no end")

    async def aclose(self) -> None:
        """Leave: what is under way upstream is cancelled and settled, as when a caller hangs up."""
        self._left.set()
        if self._task is not None:
            await asyncio.wait([self._task])
