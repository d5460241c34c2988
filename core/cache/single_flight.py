"""Of those who ask the same at once, one asks the provider. Between instances the store holds the lease."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from math import ceil
from typing import Any

from core.backends.ports import ConditionFailed, Item, Store, When
from core.clock import Clock

LEASE_SECONDS = 30  # who takes longer is no longer waited for
_FAILED_SECONDS = 1  # that a lease still says how it ended
_FIRST_LOOK = 0.05  # seconds until others look again whether the answer has come; doubles
_LONGEST_LOOK = 1.0
_ABSENT = When(exists=False)


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
    """Between instances: an item in the answer's own place, which the answer replaces."""

    def __init__(self, store: Store, clock: Clock, schema: int, pk: str, sk: str, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._fixed: dict[str, Any] = {"pk": pk, "sk": sk, "v": schema, "owner": owner}
        self.held = False

    async def take(self) -> Item | None:
        """Hold it, or say what is there instead."""
        self.held = True  # a write whose answer was lost may have been done
        try:
            await self._store.put(self._item(LEASE_SECONDS), _ABSENT)
        except ConditionFailed as refusal:
            self.held = False
            return refusal.item
        return None

    async def give_back(self, *, failed: bool) -> None:
        """The next one may have it; or, where asking failed, nobody need wait for anybody."""
        self.held = False
        ours = When(equals={"owner": self._fixed["owner"]})
        try:
            if failed:
                await self._store.put({**self._item(_FAILED_SECONDS), "failed": True}, ours)
            else:
                await self._store.delete(self._fixed["pk"], self._fixed["sk"], ours)
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

    def _item(self, seconds: int) -> Item:
        return {**self._fixed, "exp": ceil(self._clock.now() + seconds)}
