"""Lambda's Runtime API (2018-06-01) for one function on this machine: it asks for events and posts its answers."""

import asyncio
import time
import uuid
from typing import Literal, NamedTuple, Self

_PREFIX = "/2018-06-01/runtime"
START_SECONDS = 60.0
LARGEST = 6_291_556  # bytes that a function may answer
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
_TOO_LARGE = (
    b'{"errorType":"Function.ResponseSizeTooLarge",'
    b'"errorMessage":"Response payload size exceeded maximum allowed payload size (%d bytes)."}' % LARGEST
)

# error: the handler raised, or answered too much; init: it could not even be loaded.
Kind = Literal["response", "error", "init"]


class Outcome(NamedTuple):
    kind: Kind
    body: bytes


class _Invocation(NamedTuple):
    id: str
    event: bytes
    seconds: float
    trace: str
    given: "asyncio.Future[None]"  # done when the function has asked for it: its time begins there
    outcome: "asyncio.Future[Outcome]"


class _Request(NamedTuple):
    method: str
    path: str
    body: bytes


class RuntimeApi:
    """What awslambdaric talks to. `invoke` gives an event to whoever asks next."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._waiting: asyncio.Queue[_Invocation] = asyncio.Queue()
        self._running: dict[str, _Invocation] = {}
        self._talks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address = ""
        self.init_error: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        talks = list(self._talks)
        for talk in talks:
            talk.cancel()  # a function that still asks for its next event
        await asyncio.gather(*talks, return_exceptions=True)
        self.init_error.cancel()

    async def invoke(self, event: bytes, seconds: float) -> Outcome:
        """What the function makes of an event. TimeoutError: it has not started, or not ended, in its time."""
        loop = asyncio.get_running_loop()
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=1"
        one = _Invocation(str(uuid.uuid4()), event, seconds, trace, loop.create_future(), loop.create_future())
        self._waiting.put_nowait(one)
        try:
            for future, limit in ((one.given, START_SECONDS), (one.outcome, seconds)):
                async with asyncio.timeout(limit):
                    await asyncio.wait({future, self.init_error}, return_when=asyncio.FIRST_COMPLETED)
                if self.init_error.done():
                    return self.init_error.result()
        finally:
            self._running.pop(one.id, None)
        return one.outcome.result()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader, writer)) is not None:
                await self._answer(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the function ended: its process says why
        finally:
            writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        steps = request.path.removeprefix(_PREFIX).strip("/").split("/")
        match (request.method, *steps):
            case ("GET", "invocation", "next"):
                one = await self._waiting.get()
                self._running[one.id] = one
                one.given.set_result(None)
                writer.write(_head("200 OK", len(one.event), **self._fields(one)) + one.event)
                return
            case ("POST", "init", "error"):
                _settle(self.init_error, Outcome("init", request.body))
            case ("POST", "invocation", id_, "response") if id_ in self._running and len(request.body) > LARGEST:
                _settle(self._running[id_].outcome, Outcome("error", _TOO_LARGE))
                writer.write(_head("413 Request Entity Too Large", len(_TOO_LARGE)) + _TOO_LARGE)
                return
            case ("POST", "invocation", id_, "response" | "error" as kind) if id_ in self._running:
                _settle(self._running[id_].outcome, Outcome("error" if kind == "error" else "response", request.body))
            case _:
                said = b'{"errorType":"InvalidRequestID","errorMessage":"no such invocation or path"}'
                writer.write(_head("400 Bad Request", len(said)) + said)
                return
        said = b'{"status":"OK"}'
        writer.write(_head("202 Accepted", len(said)) + said)

    def _fields(self, one: _Invocation) -> dict[str, str]:
        return {
            "Lambda-Runtime-Aws-Request-Id": one.id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + one.seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": _ARN + self._function,
            "Lambda-Runtime-Trace-Id": one.trace,
        }


def _settle(future: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _head(status: str, length: int, **fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Request | None:
    """A request whole, its body with a length or in chunks; None when the other end has gone."""
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    fields: dict[str, str] = {}
    while (line := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.strip().lower()] = value.strip()
    if "expect" in fields:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if fields.get("transfer-encoding", "").lower() != "chunked":
        return _Request(method, path, await reader.readexactly(int(fields.get("content-length", 0))))
    body = b""
    while size := int((await reader.readline()).partition(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while await reader.readline() not in {b"\r\n", b""}:
        pass  # trailers: only a streaming runtime sends them
    return _Request(method, path, body)
