"""Live sessions of a vendor's own library: how many run at once, and the few threads that start and end them.

Such a library has threads of its own, and calls of it block: none of them is made on the loop. How a session is
ended is waited for by nobody, but its place is free only then, so that the bound holds for what is really there.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from core.errors import SessionsFull, Stopping

T = TypeVar("T")

# Starting takes milliseconds. Ending takes up to a second after a failure, so many may end at once.
_STARTING, _ENDING = 4, 16
_CLOSE_SECONDS = 5.0


class Sessions:
    """`most` may run; the next one waits for its turn or, by `overflow`, is refused."""

    def __init__(self, most: int = 100, overflow: str = "wait") -> None:
        self.most = most
        self.overflow = overflow
        self.running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pools: tuple[ThreadPoolExecutor, ThreadPoolExecutor] | None = None
        self._process = 0
        self._ending: set[asyncio.Future[None]] = set()

    async def enter(self) -> None:
        """Take a place, which `leave` or `end` gives back."""
        if self.running < self.most and not self._waiting:
            self.running += 1
            return
        if self.overflow == "refuse":
            raise SessionsFull(f"all {self.most} live sessions of this gateway are in use")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # its turn came as it left
            raise

    def leave(self) -> None:
        self.running -= 1
        self._admit()

    def adjust(self, most: int, overflow: str) -> None:
        """New bounds; who is under way stays."""
        self.most, self.overflow = most, overflow
        self._admit()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run what starts or feeds a session, in one of a few threads."""
        return self._threads()[0].submit(work)

    def end(self, work: Callable[[], None]) -> None:
        """Run what ends a session, in other threads, and give its place back."""
        ending = asyncio.wrap_future(self._threads()[1].submit(work))
        self._ending.add(ending)
        ending.add_done_callback(self._ended)

    async def close(self) -> None:
        """Nobody waits any longer, and what is ending has some seconds for that."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Stopping())
        if self._ending:
            await asyncio.wait(self._ending, timeout=_CLOSE_SECONDS)
        if self._pools is not None and self._process == os.getpid():
            for pool in self._pools:
                pool.shutdown(wait=False)
        self._pools = None

    def _admit(self) -> None:
        while self._waiting and self.running < self.most:
            turn = self._waiting.popleft()
            if not turn.done():
                self.running += 1
                turn.set_result(None)

    def _ended(self, ending: "asyncio.Future[None]") -> None:
        self._ending.discard(ending)
        self.leave()
        if not ending.cancelled() and (error := ending.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a live session could not be ended", "exception": error, "future": ending}
            )

    def _threads(self) -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
        """Made on first use, and anew in a process that was forked: threads stay behind."""
        if self._pools is None or self._process != os.getpid():
            self._process = os.getpid()
            self._pools = (
                ThreadPoolExecutor(_STARTING, "session-start"),
                ThreadPoolExecutor(_ENDING, "session-end"),
            )
        return self._pools
