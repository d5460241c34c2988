"""Of those who ask the same at once, one asks the provider. Between instances the store holds the lease."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import Enum
from math import ceil
from typing import Any

from core.backends.ports import ConditionFailed, Item, Store, When
from core.clock import Clock
from core.errors import StoreUnavailable

PATIENCE = 30  # seconds; who takes longer is no longer waited for
LEASE_SECONDS = 6  # for which others wait for one that has died
_RENEW_SECONDS = 2.0  # on the loop's clock: a loop that stands still renews nothing, and is as good as dead
_FAILED_SECONDS = 1  # that a lease still says how it ended
_FIRST_LOOK = 0.05  # seconds until others look again whether the answer has come; doubles
_LONGEST_LOOK = 1.0
_ABSENT = When(exists=False)

log = logging.getLogger("patchbay")


class Ended(Enum):
    """How a flight was for those who waited for it."""

    ANSWERED = 0
    FAILED = 1  # the provider's error is theirs too: they ask for themselves
    ABANDONED = 2  # whoever led left, or had no time left: the next one leads


class Flights:
    """In this process."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[Ended]] = {}

    def lead(self, key: str) -> bool:
        if key in self._under_way:
            return False
        self._under_way[key] = asyncio.get_running_loop().create_future()
        return True

    def end(self, key: str, how: Ended) -> None:
        flight = self._under_way.pop(key, None)
        if flight is not None and not flight.done():
            flight.set_result(how)

    async def wait(self, key: str, patience: float) -> Ended:
        """Until the flight is over; FAILED when that takes too long."""
        flight = self._under_way.get(key)
        if flight is None:
            return Ended.ABANDONED
        try:
            async with asyncio.timeout(patience):
                return await asyncio.shield(flight)
        except TimeoutError:
            return Ended.FAILED


def is_under_way(item: Item) -> bool:
    """Whether this is the lease of somebody who may still answer."""
    return "owner" in item and "failed" not in item


class Lease:
    """Between instances: an item in the answer's own place, which the answer replaces; renewed while it is held."""

    def __init__(self, store: Store, clock: Clock, schema: int, pk: str, sk: str, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._fixed: dict[str, Any] = {"pk": pk, "sk": sk, "v": schema, "owner": owner}
        self._ours = When(equals={"owner": owner})
        self.held = False
        self._timer: asyncio.TimerHandle | None = None
        self._renewal: asyncio.Task[None] | None = None

    async def take(self) -> Item | None:
        """Hold it, or say what is there instead."""
        self.held = True  # a write whose answer was lost may have been done
        try:
            await self._store.put(self._item(LEASE_SECONDS), _ABSENT)
        except ConditionFailed as refusal:
            self.held = False
            return refusal.item
        self._renew_later()
        return None

    def release(self) -> None:
        """From here on it is not renewed: the answer lies in its place, or will not."""
        self.held = False
        if self._timer is not None:
            self._timer.cancel()

    async def give_back(self, *, failed: bool) -> None:
        """The next one may have it; or, where asking failed, nobody need wait for anybody."""
        self.release()
        if self._renewal is not None and not self._renewal.done():
            await asyncio.wait([self._renewal])  # else it could undo what comes now
        try:
            if failed:
                await self._store.put({**self._item(_FAILED_SECONDS), "failed": True}, self._ours)
            else:
                await self._store.delete(self._fixed["pk"], self._fixed["sk"], self._ours)
        except ConditionFailed:
            return  # it ran out, and another holds it or has answered

    async def wait(self, look: Callable[[], Awaitable[Item | None]], until: float) -> Item | None:
        """What is there once it is under way no more, or when `until` (monotonic) has come."""
        pause = _FIRST_LOOK
        item: Item | None = None
        while (left := until - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(pause, left))
            if left <= pause:
                break
            pause = min(2 * pause, _LONGEST_LOOK)
            item = await look()
            if item is None or not is_under_way(item):
                break
        return item

    def _renew_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_RENEW_SECONDS, self._start_renewal)

    def _start_renewal(self) -> None:
        self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        try:
            await self._store.put(self._item(LEASE_SECONDS), self._ours)
        except ConditionFailed:
            self.held = False  # it ran out, and another holds it or has answered
        except StoreUnavailable as failure:
            log.info("a lease of the cache is not renewed: %s", failure.message)
        if self.held:
            self._renew_later()

    def _item(self, seconds: int) -> Item:
        return {**self._fixed, "exp": ceil(self._clock.now() + seconds)}
