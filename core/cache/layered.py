"""Answers kept for a while: in this process, in the store, and in blobs where they are large."""

import logging
from collections.abc import Awaitable, Callable
from copy import copy
from math import ceil
from typing import Any, Self, TypeVar

from core.backends.ports import Blobs, Item, Store
from core.backends.reach import NotAsked, Reach
from core.cache.key import key_of, mode_of
from core.cache.memory import Memory, Stored
from core.cache.shelf import Shelf
from core.cache.single_flight import PATIENCE, Ended, Flights, Lease, is_under_way
from core.clock import NEVER, Clock
from core.errors import Misconfigured, StoreUnavailable
from core.types.caller import Caller
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.target import Target
from core.types.usage import Usage

T = TypeVar("T")

SCHEMA = 1
_SK = "A"
_MEMORY_BYTES = 64 * 2**20
_INLINE_BYTES = 32 * 1024  # beyond it a blob is cheaper than an item
LARGEST = 8 * 2**20  # larger answers are not kept
_STORE_SECONDS = 2.0  # what one call to the store may cost a request
_ALMOST = 0.05  # seconds before a deadline in which nothing more can be done

log = logging.getLogger("patchbay")


class Cache:
    """Without a place for blobs, large answers stay in this process."""

    def __init__(
        self,
        *,
        store: Store,
        reach: Reach,
        open_blobs: Callable[[], Awaitable[Blobs]] | None,
        sweeps: bool = False,
        clock: Clock,
        ttl: float,
        configuration: str,
        owner: str,
    ) -> None:
        self.clock = clock
        self.flights = Flights()
        self._store = store
        self.reach = reach
        self._shelf = None if open_blobs is None else Shelf(open_blobs, clock, sweeps=sweeps)
        self._ttl = ttl
        self._configuration = configuration
        self._owner = owner  # names this process in leases
        self._memory = Memory(_MEMORY_BYTES)

    def ticket(self, caller: Caller, request: Request, deadline: float) -> "Ticket | None":
        """What a request needs to use the cache; None when it does not. `deadline` is monotonic."""
        mode = mode_of(request)
        if mode == "off":
            return None
        return Ticket(self, key_of(caller, request, self._configuration), mode, deadline, stream=request.stream)

    def under(self, ttl: float, configuration: str) -> Self:
        """The same places under other settings; requests under way stay with theirs."""
        made = copy(self)
        made._ttl, made._configuration = ttl, configuration  # noqa: SLF001 - its own
        return made

    @property
    def due(self) -> float:
        """From then on, on the clock, somebody should sweep."""
        return NEVER if self._shelf is None else self._shelf.due

    def sweep(self) -> None:
        if self._shelf is not None:
            self._shelf.sweep()

    async def close(self) -> None:
        if self._shelf is not None:
            await self._shelf.close()

    async def look(self, key: str) -> Item | None:
        return await self._store.get(_pk(key), _SK)

    def lease(self, key: str) -> Lease:
        return Lease(self._store, self.clock, SCHEMA, _pk(key), _SK, self._owner)

    def near(self, key: str) -> Stored | None:
        return self._in_time(self._memory.get(key, self.clock.now()))

    async def read(self, key: str, item: Item, seconds: float) -> Stored | None:
        """The answer in an item, if it is one that this version can read."""
        if "owner" in item or item.get("v", 0) > SCHEMA:
            return None
        try:
            if "raw" in item:
                raw: bytes | None = item["raw"].encode()
            else:
                raw = None if self._shelf is None else await self._shelf.get(item, seconds)
            stored = None if raw is None else self._in_time(_stored(item, raw))
            if stored is None or not stored.is_good(self.clock.now()):
                return None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("an answer in the cache cannot be read: %s: %s", type(error).__name__, error)
            return None
        self._memory.put(key, stored)
        return stored

    async def write(self, key: str, raw: bytes, receipt: Receipt) -> bool:
        """Whether it lies where other instances find it."""
        if len(raw) > LARGEST or receipt.target is None:
            return False
        now, doubts = self.clock.now(), receipt.doubts  # these are of its attempts and not of the answer
        warnings = tuple(one for one in receipt.warnings if one not in doubts)
        stored = Stored(
            raw, receipt.target, receipt.usage, receipt.cost.nano, receipt.id, now, ceil(now + self._ttl), warnings
        )
        self._memory.put(key, stored)
        place = await self._place(key, stored)
        if place is None:
            return False
        item = {**_facts(key, stored), **place}
        await self.reach.ask(lambda: self._store.append(item), _STORE_SECONDS)
        return True

    async def _place(self, key: str, stored: Stored) -> dict[str, Any] | None:
        if len(stored.raw) <= _INLINE_BYTES:
            return {"raw": stored.raw.decode()}
        return None if self._shelf is None else await self._shelf.put(key, stored.raw, stored.until)

    def _in_time(self, stored: Stored | None) -> Stored | None:
        """Who wrote it may have kept answers for longer than is wanted here and now."""
        return None if stored is None or self.clock.now() >= ceil(stored.at + self._ttl) else stored


class Ticket:
    """One request's way through the cache. Entered until its answer is written, or will not be."""

    def __init__(self, cache: Cache, key: str, mode: str, deadline: float, *, stream: bool) -> None:
        self.writes = mode in {"write", "on"}
        self._cache = cache
        self._key = key
        self._reads = mode in {"read", "on"}
        # A stream's reader would wait for another's whole answer instead of seeing its own begin.
        self._waits = mode == "on" and not stream
        self._deadline = deadline
        now = cache.clock.monotonic()
        self._until = now + min(PATIENCE, (deadline - now) / 2)  # then there is still time to ask
        self._lease: Lease | None = None
        self._leading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        how = self._how(kind)
        try:
            if self._lease is not None and self._lease.held:
                await _unharmed(self._give_back(self._lease, how), "a lease of the cache stays until it runs out")
        finally:
            if self._leading:
                self._cache.flights.end(self._key, how)

    async def read(self) -> Stored | None:
        """An answer from before, or from who asks the same right now; None: ask the provider."""
        if not self._reads:
            return None
        found = self._cache.near(self._key)
        if found is None and not self._waits:
            return await self._far()
        while found is None and (left := self._left()) > 0:
            if self._cache.flights.lead(self._key):
                self._leading = True
                return await self._far()
            if await self._cache.flights.wait(self._key, left) is Ended.FAILED:
                return None
            found = self._cache.near(self._key)
        return found

    async def write(self, raw: bytes, receipt: Receipt) -> None:
        """Keep an answer. That it could not be kept is no reason to withhold it."""
        if not self.writes:
            return
        work = self._cache.write(self._key, raw, receipt)
        if await _unharmed(work, "an answer is not kept") and self._lease is not None:
            self._lease.release()

    async def _give_back(self, lease: Lease, how: Ended) -> None:
        # An answer that others cannot see is to them as if there were none.
        failed = how is not Ended.ABANDONED
        lease.release()
        await self._ask(lambda: lease.give_back(failed=failed), _STORE_SECONDS)

    def _left(self) -> float:
        return self._until - self._cache.clock.monotonic()

    def _how(self, kind: type[BaseException] | None) -> Ended:
        if kind is not None and not issubclass(kind, Exception):
            return Ended.ABANDONED
        if self._cache.near(self._key) is not None:
            return Ended.ANSWERED
        late = self._cache.clock.monotonic() > self._deadline - _ALMOST
        return Ended.ABANDONED if late else Ended.FAILED

    async def _far(self) -> Stored | None:
        """From the store; where another instance is at it, its answer when that comes in time."""
        found: Stored | None = await _unharmed(self._from_store(), "the cache is not read")
        return found

    async def _from_store(self) -> Stored | None:
        item = await self._look()
        if self._waits:
            item = await self._led(item)
        return None if item is None else await self._cache.read(self._key, item, self._left())

    async def _led(self, item: Item | None) -> Item | None:
        """What is there once nobody is at it any more; None when this one is to ask, with the lease in its hands."""
        lease = self._lease = self._cache.lease(self._key)
        while (left := self._left()) > 0:
            if item is None:
                item = await self._ask(lease.take, left)
                if lease.held:
                    return None
            elif is_under_way(item):
                item = await lease.wait(self._look, self._until)
            else:
                break
        return item

    async def _look(self) -> Item | None:
        return await self._ask(lambda: self._cache.look(self._key), self._left())

    async def _ask(self, work: Callable[[], Awaitable[T]], left: float) -> T:
        """A store that hangs is a store that is not there."""
        return await self._cache.reach.ask(work, min(left, _STORE_SECONDS))


async def _unharmed(work: Awaitable[T], otherwise: str) -> T | None:
    """The cache is a help: while its store fails, requests are answered without it."""
    try:
        return await work
    except NotAsked:
        return None  # that it is not there has been said
    except (StoreUnavailable, Misconfigured) as failure:
        log.warning("%s: %s", otherwise, failure.message)
        return None


def _pk(key: str) -> str:
    return f"CACHE#{key}"


def _facts(key: str, stored: Stored) -> Item:
    target = stored.target
    return {
        "pk": _pk(key), "sk": _SK, "v": SCHEMA, "exp": stored.until, "at": stored.at,
        "provider": target.provider, "account": target.account, "model": target.model,
        "usage": stored.usage._asdict(), "cost_nano": stored.cost_nano,
        "decision": stored.decision, "warnings": list(stored.warnings),
    }  # fmt: skip


def _stored(item: Item, raw: bytes) -> Stored:
    return Stored(
        raw=raw,
        target=Target(item["provider"], item["account"], item["model"]),
        usage=Usage(**item["usage"]),
        cost_nano=item["cost_nano"],
        decision=item["decision"],
        at=item["at"],
        until=item["exp"],
        warnings=tuple(item["warnings"]),
    )
