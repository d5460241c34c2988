"""How a reply reaches the client: as it should, or with a fault on the way."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from infra.local.simulators.course import Course, OverError
from infra.local.simulators.faults import Fault
from infra.local.simulators.httpd import PIECE, Exchange
from infra.local.simulators.replies import Reply, Socket, Stream
from infra.local.simulators.websocket import WebSocket

BREAKS = ("stream_error", "no_end_marker", "truncated_json")


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds; slow is what the slow faults wait. huge_bytes is the size of huge_body."""

    first_byte: float = 0.0
    chunk: float = 0.0
    slow: float = 0.15
    huge_bytes: int = 64 * 2**20


async def deliver(exchange: Exchange, reply: Reply | Stream | Socket, fault: Fault | None, waits: Waits) -> None:
    name = fault.name if fault else ""
    if name == "hang":
        await exchange.left()
        return
    await asyncio.sleep(waits.first_byte + (waits.slow if name == "slow_first_byte" else 0))
    if name == "drop_headers":
        exchange.reset()
    elif isinstance(reply, Socket):
        await _socket(exchange, reply, fault, waits)
    elif isinstance(reply, Stream):
        await _stream(exchange, reply, fault, waits)
    else:
        await _whole(exchange, reply, name, waits)


async def _whole(exchange: Exchange, reply: Reply, name: str, waits: Waits) -> None:
    body, half = reply.body, len(reply.body) // 2
    if name == "huge_body":
        await exchange.head(reply.status, reply.headers)
        for piece in swollen(body, waits.huge_bytes):
            await exchange.send(piece)
    elif name == "truncated_json":
        await exchange.head(reply.status, reply.headers, half)
        await exchange.send(body[:half])
    elif name in ("drop_body", "slow_chunks"):
        await exchange.head(reply.status, reply.headers, len(body))
        await exchange.send(body[:half])
        if name == "drop_body":
            return
        await asyncio.sleep(waits.slow)
        await exchange.send(body[half:])
    else:
        await exchange.head(reply.status, reply.headers, len(body))
        await exchange.send(body)
    await exchange.end()


async def _stream(exchange: Exchange, reply: Stream, fault: Fault | None, waits: Waits) -> None:
    name = fault.name if fault else ""
    await exchange.head(200, reply.headers)
    if name == "drop_body":
        return
    pace = waits.slow if name == "slow_chunks" else waits.chunk
    for index, event in enumerate(script(reply, fault)):
        if index:
            await asyncio.sleep(pace)
        huge = name == "huge_body" and index == len(reply.opening)
        for piece in swollen(event, waits.huge_bytes) if huge else (event,):
            await exchange.send(piece)
    if name == "stream_stall":
        await exchange.left()
    elif name != "cut_stream" and not (reply.bare and name in BREAKS):
        await exchange.end()


async def _socket(exchange: Exchange, reply: Socket, fault: Fault | None, waits: Waits) -> None:
    socket = WebSocket(exchange)
    await socket.accept(reply.request)
    with suppress(OverError):
        await reply.talk(socket, Course(socket, fault, waits.slow if fault and fault.name == "slow_chunks" else 0))


def script(reply: Stream, fault: Fault | None) -> tuple[bytes, ...]:
    """The events that are sent."""
    if fault is None:
        return (*reply.opening, *reply.output, *reply.closing)
    match fault.name:
        case "cut_stream" | "stream_stall":
            return (*reply.opening, *reply.output[: fault.after])
        case "stream_error":
            return (*reply.opening, *reply.output[: fault.after], reply.error)
        case "no_end_marker":
            return (*reply.opening, *reply.output)
        case "truncated_json":
            first = (*reply.output, *reply.closing)[0].rstrip()
            return (*reply.opening, first[: len(first) // 2] + reply.end)
        case _:
            return (*reply.opening, *reply.output, *reply.closing)


def swollen(data: bytes, size: int) -> Iterator[bytes]:
    """The same with size bytes more: inside its content, else in a member of its own, in plain text at its end."""
    mark = b'"content":"'
    at = data.find(mark)
    if at >= 0:
        at += len(mark)
        before, after = data[:at], data[at:]
    elif b"{" in data or not data:
        at = data.find(b"{") + 1
        before, after = data[:at] + b'"padding":"', b'",' + data[at:]
    else:
        at = len(data.rstrip(b"\n"))
        before, after = data[:at], data[at:]
    yield before
    block = b"a" * PIECE
    for start in range(0, size, PIECE):
        yield block[: size - start]
    yield after
