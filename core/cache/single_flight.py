"""Of those who ask the same at once, one asks the provider. Between instances the store holds the lease."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

from core.backends.ports import ConditionFailed, Item, Store, When
from core.clock import Clock

LEASE_SECONDS = 30.0  # who takes longer is no longer waited for
_FIRST_LOOK = 0.05  # seconds until others look again whether the answer has come; doubles
_LONGEST_LOOK = 1.0
_ABSENT = When(exists=False)


class Ended(Enum):
    """How a flight was for those who waited for it."""

    ANSWERED = 0
    FAILED = 1  # the provider's error is theirs too: they ask for themselves
    ABANDONED = 2  # whoever led left: the next one leads


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


class Lease:
    """Between instances: an item in the answer's own place, which the answer replaces."""

    def __init__(self, store: Store, clock: Clock, pk: str, sk: str, owner: str) -> None:
        self._store = store
        self._clock = clock
        self._pk, self._sk, self._owner = pk, sk, owner
        self.held = False

    async def take(self, schema: int) -> Item | None:
        """Hold it, or the item that is there instead."""
        now = self._clock.now()
        lease = {
            "pk": self._pk, "sk": self._sk, "v": schema,
            "owner": self._owner, "until": now + LEASE_SECONDS, "exp": int(now + LEASE_SECONDS) + 1,
        }  # fmt: skip
        try:
            await self._store.put(lease, _ABSENT)
        except ConditionFailed as refusal:
            return refusal.item
        self.held = True
        return None

    async def give_back(self) -> None:
        self.held = False
        try:
            await self._store.delete(self._pk, self._sk, When(equals={"owner": self._owner}))
        except ConditionFailed:
            return  # it ran out, and another holds it or has answered

    async def wait(self, look: Callable[[], Awaitable[Item | None]], until: float) -> Item | None:
        """The item once it is no lease any more; None when it never becomes an answer in time."""
        pause = _FIRST_LOOK
        while (left := until - self._clock.now()) > 0:
            await self._clock.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_LOOK)
            item = await look()
            if item is None or "owner" not in item:
                return item
            until = min(until, item["until"])
        return None
