"""The server's end of a WebSocket (RFC 6455), which can also break it as networks and services do."""

import asyncio
import struct
from base64 import b64encode
from hashlib import sha1

from infra.local.simulators.httpd import Exchange, Request

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MOST_BYTES = 16 * 2**20


class WebSocket:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._reader: asyncio.StreamReader
        self._early = b""

    async def accept(self, request: Request) -> None:
        key = request.headers.get("sec-websocket-key", "")
        headers = {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": b64encode(sha1(key.encode() + GUID, usedforsecurity=False).digest()).decode(),
        }
        if protocol := request.headers.get("sec-websocket-protocol"):
            headers["sec-websocket-protocol"] = protocol.partition(",")[0].strip()
        self._reader, self._early = await self._exchange.upgrade(headers)

    async def receive(self) -> str | bytes | None:
        """The next message; None when the client has left."""
        kind, whole = 0, b""
        try:
            while True:
                last, opcode, data = await self._frame()
                if opcode == CLOSE:
                    await self._write(CLOSE, data[:2])
                    return None
                if opcode == PING:
                    await self._write(PONG, data)
                elif opcode in (0, TEXT, BINARY):
                    kind, whole = kind or opcode, whole + data
                    if len(whole) > MOST_BYTES:
                        return None
                    if last:
                        return whole.decode() if kind == TEXT else whole
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._write(TEXT, message.encode())
        else:
            await self._write(BINARY, message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Says so, and waits until the client has left."""
        await self._write(CLOSE, struct.pack(">H", code) + reason.encode())
        while await self.receive() is not None:
            pass

    async def left(self) -> None:
        """Say nothing until the client leaves."""
        while await self.receive() is not None:
            pass

    def drop(self) -> None:
        self._exchange.reset()

    async def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        if size < 126:
            head = struct.pack(">BB", 0x80 | opcode, size)
        elif size < 2**16:
            head = struct.pack(">BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 127, size)
        await self._exchange.raw(head + data)

    async def _frame(self) -> tuple[bool, int, bytes]:
        first, second = await self._exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self._exactly(8))
        mask = await self._exactly(4) if second & 0x80 else b"\0\0\0\0"
        data = await self._exactly(size)
        key = int.from_bytes(mask * (size // 4 + 1), "big") >> (8 * ((-size) % 4 or 4))
        return bool(first & 0x80), first & 0x0F, (int.from_bytes(data, "big") ^ key).to_bytes(size, "big")

    async def _exactly(self, count: int) -> bytes:
        early, self._early = self._early[:count], self._early[count:]
        return early + await self._reader.readexactly(count - len(early)) if count > len(early) else early
