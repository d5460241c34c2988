"""Whether a backend answers at all: who can do without it does not wait for one that hangs, request after request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from core.clock import NEVER, Clock
from core.errors import StoreUnavailable

T = TypeVar("T")

_SILENCE = 5.0  # seconds for which nobody asks, after one has waited in vain
_SLOW = 0.2  # seconds; a failure that comes sooner costs nobody anything and is not remembered


class NotAsked(StoreUnavailable):
    """Nobody lost any time over this, and nothing new is known."""


class Reach:
    """After somebody waited in vain nobody asks for a while; then one does, and the others go on without it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._again = -NEVER  # on the clock: before that nobody asks
        self._lost = False

    @property
    def open(self) -> bool:
        return self._clock.monotonic() >= self._again

    async def ask(self, work: Callable[[], Awaitable[T]], seconds: float) -> T:
        """What `work` gives, or StoreUnavailable: when it takes too long, and for a moment after that."""
        if not self.open:
            raise NotAsked("it did not answer a moment ago, and is not asked for some seconds")
        probing = self._lost
        if probing:
            self._again = NEVER  # who comes meanwhile does not wait with this one
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(seconds):
                found = await work()
        except asyncio.CancelledError:
            if probing:
                self._again = self._clock.monotonic()  # the next one finds out
            raise
        except (TimeoutError, StoreUnavailable) as error:
            self._heard(answered=loop.time() - began < _SLOW)
            if isinstance(error, StoreUnavailable):
                raise
            raise StoreUnavailable(f"no answer in {seconds:.2g} s") from None
        except Exception:
            self._heard(answered=True)
            raise
        self._heard(answered=True)
        return found

    async def demand(self, work: Callable[[], Awaitable[T]]) -> T:
        """Asked in any case; that it was in vain spares others. That it went well may be a buffer's word alone."""
        began = asyncio.get_running_loop().time()
        try:
            return await work()
        except StoreUnavailable:
            if asyncio.get_running_loop().time() - began >= _SLOW:
                self._heard(answered=False)
            raise

    def _heard(self, *, answered: bool) -> None:
        self._lost = not answered
        self._again = -NEVER if answered else self._clock.monotonic() + _SILENCE
