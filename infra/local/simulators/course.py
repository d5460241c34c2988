"""How a conversation over a WebSocket goes, and what strikes it."""

import asyncio

from infra.local.simulators.faults import SOCKET_WORDS, STREAM_WORDS, Fault
from infra.local.simulators.websocket import WebSocket

STRIKES = (*STREAM_WORDS, *SOCKET_WORDS)
# What services say when they close.
CLOSINGS = {"1007": "Quota exceeded.", "1011": "Internal server error."}


class OverError(Exception):
    """A fault has ended the conversation."""


class Course:
    """How a conversation goes: what strikes it, counted by what was said of substance."""

    def __init__(self, socket: WebSocket, fault: Fault | None, pace: float) -> None:
        self.name = fault.name if fault else ""
        self.word = fault.word if fault else ""
        self._after = fault.after if fault and self.name in STREAM_WORDS else 0
        self._socket = socket
        self._pace = pace
        self._said = 0

    @property
    def strikes(self) -> bool:
        """Whether the fault's moment has come."""
        return self.name in STRIKES and self._said >= self._after

    async def begin(self) -> None:
        if self.name == "drop_body":
            self._socket.drop()
            raise OverError

    async def step(self) -> None:
        """Before each piece of substance."""
        if self.name == "slow_chunks" or (self._pace and self._said):
            await asyncio.sleep(self._pace)
        await self.strike()
        self._said += 1

    async def strike(self, *, last: bool = False) -> None:
        """What breaks any conversation; what a service says of its own failure is said by who talks."""
        if self.name == "cut_stream" and (last or self.strikes):
            self._socket.drop()
        elif self.name == "stream_stall" and (last or self.strikes):
            await self._socket.left()
        elif self.name == "close" and (last or self.strikes):
            await self._socket.close(int(self.word), CLOSINGS.get(self.word, ""))
        elif last and self.name == "no_end_marker":
            await self._socket.close()
        else:
            return
        raise OverError
