"""Live sessions of a vendor's own library: how many run at once, and the few threads that start and end them.

Such a library has threads of its own, and calls of it block: none of them is made on the loop. How a session is
ended is waited for by nobody, but its place is free only then, so that the bound holds for what is really there.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from typing import TypeVar

from core.errors import SessionsFull, Stopping

T = TypeVar("T")


class Waited:
    """What of an attempt's time went on waiting for a place here, which is nothing that its provider did."""

    def __init__(self) -> None:
        self.began = False  # a place was got
        self._longest = 0.0  # seconds
        self._since: dict[object, float] = {}  # who still waits
        self._most = 0

    def full(self, now: float, seconds: float) -> SessionsFull | None:
        """Why so many seconds were not enough, if it was for want of a place."""
        longest = max([self._longest, *(now - since for since in self._since.values())])
        if not self._since and longest < seconds / 2:
            return None
        words = f"{longest:.1f} s went on waiting for one of the {self._most} live sessions of this gateway"
        error = SessionsFull(f"{words} (PATCHBAY_SPEECH_SESSIONS)")
        error.advice = "Raise PATCHBAY_SPEECH_SESSIONS, allow more time, or let another provider answer."
        error.billed = self.began
        return error

    def waits(self, turn: object, now: float, most: int) -> None:
        self._since[turn], self._most = now, most

    def got(self, turn: object, now: float) -> None:
        self._longest = max(self._longest, now - self._since.pop(turn, now))


# Of the attempt that is under way.
WAITED: ContextVar[Waited | None] = ContextVar("waited", default=None)

# Starting takes milliseconds. Ending takes up to a second after a failure, so many may end at once.
_STARTING, _ENDING = 4, 16
_CLOSE_SECONDS = 5.0
_THREADS = 2.6  # of the library, for each session that may run: 260 for 100, so that all of ours are below 300


class Sessions:
    """`most` may run; the next one waits for its turn or, by `overflow`, is refused.

    A session has threads of the library's own, which are bounded, too: of those that send long there are fewer.
    """

    def __init__(self, most: int = 100, overflow: str = "wait") -> None:
        self.most = most
        self.overflow = overflow
        self.running = 0
        self._busy = 0  # threads of those that run
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._pools: tuple[ThreadPoolExecutor, ThreadPoolExecutor] | None = None
        self._process = 0
        self._ending: set[asyncio.Future[None]] = set()

    async def enter(self, threads: int = 2) -> None:
        """Take a place for a session of so many threads, which `leave` or `end` gives back."""
        waited = WAITED.get() or Waited()
        if not self._waiting and self._has_room(threads):
            self._take(threads)
            waited.began = True
            return
        if self.overflow == "refuse":
            raise SessionsFull(f"all {self.most} live sessions of this gateway are in use (PATCHBAY_SPEECH_SESSIONS)")
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append((turn, threads))
        waited.waits(turn, loop.time(), self.most)
        try:
            await turn
            waited.got(turn, loop.time())
            waited.began = True
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(threads)  # its turn came as it left
            raise

    def leave(self, threads: int = 2) -> None:
        self.running -= 1
        self._busy -= threads
        self._admit()

    def adjust(self, most: int, overflow: str) -> None:
        """New bounds; who is under way stays."""
        self.most, self.overflow = most, overflow
        self._admit()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run what starts or feeds a session, in one of a few threads."""
        return self._threads()[0].submit(work)

    def end(self, work: Callable[[], None], threads: int = 2) -> None:
        """Run what ends a session, in other threads, and give its place back."""
        ending = asyncio.wrap_future(self._threads()[1].submit(work))
        self._ending.add(ending)
        ending.add_done_callback(partial(self._ended, threads))

    async def close(self) -> None:
        """Nobody waits any longer, and what is ending has some seconds for that."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Stopping())
        if self._ending:
            await asyncio.wait(self._ending, timeout=_CLOSE_SECONDS)
        if self._pools is not None and self._process == os.getpid():
            for pool in self._pools:
                pool.shutdown(wait=False)
        self._pools = None

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][0].done() or self._has_room(self._waiting[0][1])):
            turn, threads = self._waiting.popleft()
            if not turn.done():
                self._take(threads)
                turn.set_result(None)

    def _has_room(self, threads: int) -> bool:
        """The first has it, whatever the bound."""
        return self.running < self.most and (not self.running or self._busy + threads <= self.most * _THREADS)

    def _take(self, threads: int) -> None:
        self.running += 1
        self._busy += threads

    def _ended(self, threads: int, ending: "asyncio.Future[None]") -> None:
        self._ending.discard(ending)
        self.leave(threads)
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
