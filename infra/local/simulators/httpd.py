"""A small HTTP/1.1 server whose handler owns the socket, so that it can answer as badly as it likes."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.client import responses

import h11

MAX_BODY = 64 * 2**20
PIECE = 64 * 2**10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


class TooLargeError(Exception):
    pass


class Exchange:
    """One request's reply. A reply that is not ended when the handler returns is cut off there."""

    def __init__(self, link: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._reader = reader
        self._writer = writer

    async def head(self, status: int, headers: Mapping[str, str], length: int | None = None) -> None:
        """Without a length the body is chunked."""
        fields = [*headers.items()]
        if length is not None:
            fields.append(("content-length", str(length)))
        await self._write(h11.Response(status_code=status, headers=fields, reason=responses.get(status, "").encode()))

    async def send(self, data: bytes) -> None:
        await self._write(h11.Data(data=data))

    async def end(self) -> None:
        await self._write(h11.EndOfMessage())

    async def upgrade(self, headers: Mapping[str, str]) -> tuple[asyncio.StreamReader, bytes]:
        """From here on the connection speaks another protocol: where it is read from, and what came of it already."""
        await self._write(h11.InformationalResponse(status_code=101, headers=[*headers.items()]))
        return self._reader, self._link.trailing_data[0]

    async def raw(self, data: bytes) -> None:
        """Bytes of that protocol."""
        self._writer.write(data)
        await self._writer.drain()

    async def left(self) -> None:
        """Wait until the client leaves."""
        while await self._reader.read(PIECE):
            pass

    def reset(self) -> None:
        """Close with RST: the client sees a failure where it might take FIN for an end."""
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def _write(self, event: h11.Event) -> None:
        await _write(self._link, self._writer, event)


Handler = Callable[[Request, Exchange], Awaitable[None]]


class Server:
    """One port. It can be closed for a while and comes back under the same number."""

    def __init__(self, handler: Handler, host: str) -> None:
        self._handler = handler
        self._host = host
        self._bound: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._open = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        if self._open:
            return
        self._open = True
        bound = self._bound or self._bind()
        self._bound = None
        self._listener = await asyncio.start_server(self._accept, sock=bound, backlog=1024)

    async def refuse(self) -> None:
        """Refuse connections, and keep the port: bound but not listening, nobody else can take it."""
        await self._close()
        if self._bound is None:
            self._bound = self._bind()

    async def stop(self) -> None:
        await self._close()
        if self._bound is not None:
            self._bound.close()
            self._bound = None

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # The protocol is named because asyncio sets TCP_NODELAY only where it is: without, 40 ms per reply.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                # Connections of the last time may still linger; elsewhere the option means something else.
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self.port))
        except OSError:
            bound.close()
            raise
        self.port = bound.getsockname()[1]
        return bound

    async def _close(self) -> None:
        self._open = False
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if listener is not None:
            await listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            # Accepted by the loop just before the port was closed.
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # With no buffer of ours, a drained write is in the kernel: closing afterwards loses nothing.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            await self._converse(reader, writer)
        except ConnectionError:
            pass  # The client left, as it may.
        except Exception:
            log.exception("simulator failed")
        finally:
            writer.transport.abort()
            # It raises what the connection died of, which was dealt with above.
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = h11.Connection(h11.SERVER, max_incomplete_event_size=PIECE)
        while True:
            try:
                request = await _read(link, reader, writer)
            except (h11.RemoteProtocolError, TooLargeError) as error:
                status = 413 if isinstance(error, TooLargeError) else error.error_status_hint
                await _turn_away(link, writer, status)
                return
            if request is None:
                return
            await self._handler(request, Exchange(link, reader, writer))
            if link.our_state is not h11.DONE or link.their_state is not h11.DONE:
                return
            link.start_next_cycle()


async def _write(link: h11.Connection, writer: asyncio.StreamWriter, event: h11.Event) -> None:
    writer.write(link.send(event) or b"")
    await writer.drain()


async def _read(link: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = link.next_event()
        if event is h11.NEED_DATA:
            if link.they_are_waiting_for_100_continue:
                await _write(link, writer, h11.InformationalResponse(status_code=100, headers=[]))
            link.receive_data(await reader.read(PIECE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise TooLargeError
        elif head is not None and isinstance(event, h11.EndOfMessage):
            return _decoded(head, bytes(body))
        else:
            return None


def _decoded(head: h11.Request, body: bytes) -> Request:
    path, _, query = head.target.decode("ascii").partition("?")
    headers: dict[str, str] = {}
    for name, value in head.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return Request(head.method.decode("ascii"), path, query, headers, body)


async def _turn_away(link: h11.Connection, writer: asyncio.StreamWriter, status: int) -> None:
    if link.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
        return
    body = b'{"error":{"message":"The simulator cannot read this request."}}'
    headers = [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    await _write(link, writer, h11.Response(status_code=status, headers=headers))
    await _write(link, writer, h11.Data(data=body))
    await _write(link, writer, h11.EndOfMessage())
