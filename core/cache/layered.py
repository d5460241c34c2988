"""Answers kept for a while: in this process, in the store, and in blobs where they are large."""

import logging
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any, Self

from core.backends.ports import Blobs, Item, Store
from core.cache.key import key_of, mode_of
from core.cache.memory import Memory, Stored
from core.cache.single_flight import LEASE_SECONDS, Ended, Flights, Lease
from core.clock import Clock
from core.errors import StoreUnavailable
from core.types.caller import Caller
from core.types.receipt import Receipt
from core.types.request import Request
from core.types.target import Target
from core.types.usage import Usage

SCHEMA = 1
_SK = "A"
_MEMORY_BYTES = 64 * 2**20
_INLINE_BYTES = 32 * 1024  # beyond it a blob is cheaper than an item
LARGEST = 8 * 2**20  # larger answers are not kept
_SWEEP_SECONDS = 600
_BLOBS = "cache/"
_LONGEST_WAIT = LEASE_SECONDS

log = logging.getLogger("patchbay")


class Cache:
    def __init__(
        self,
        *,
        store: Store,
        open_blobs: Callable[[], Awaitable[Blobs]],
        clock: Clock,
        ttl: float,
        configuration: str,
        owner: str,
    ) -> None:
        self._store = store
        self._open_blobs = open_blobs
        self._blobs: list[Blobs] = []  # one, from when it is needed; shared with all of `under`
        self._clock = clock
        self._ttl = ttl
        self._configuration = configuration
        self._owner = owner  # names this process in leases
        self._memory = Memory(_MEMORY_BYTES)
        self.flights = Flights()
        self._swept = 0.0

    def ticket(self, caller: Caller, request: Request, deadline: float) -> "Ticket | None":
        """What a request needs to use the cache; None when it does not. `deadline` is monotonic."""
        mode = mode_of(request)
        if mode == "off" or not self._ttl:
            return None
        patience = min(_LONGEST_WAIT, (deadline - self._clock.monotonic()) / 2)
        return Ticket(self, key_of(caller, request, self._configuration), mode, request, patience)

    def under(self, ttl: float, configuration: str) -> Self:
        """The same places under other settings; requests under way stay with theirs."""
        made = copy(self)
        made._ttl, made._configuration = ttl, configuration  # noqa: SLF001 - its own
        return made

    async def close(self) -> None:
        for blobs in self._blobs:
            await blobs.close()

    async def look(self, key: str) -> Item | None:
        return await self._store.get(_pk(key), _SK)

    def lease(self, key: str) -> Lease:
        return Lease(self._store, self._clock, _pk(key), _SK, self._owner)

    def near(self, key: str) -> Stored | None:
        return self._memory.get(key, self._clock.now())

    def now(self) -> float:
        return self._clock.now()

    async def read(self, key: str, item: Item | None) -> Stored | None:
        """The answer in an item, if it is one that this version can read."""
        if item is None or "owner" in item or item["v"] > SCHEMA or item["until"] <= self._clock.now():
            return None
        raw = item["raw"].encode() if "raw" in item else await self._blob(item["blob"])
        if raw is None:
            return None
        stored = Stored(
            raw=raw,
            target=Target(item["provider"], item["account"], item["model"]),
            usage=Usage(**item["usage"]),
            cost_nano=item["cost_nano"],
            decision=item["decision"],
            at=item["at"],
            until=item["until"],
            warnings=tuple(item["warnings"]),
        )
        self._memory.put(key, stored)
        return stored

    async def write(self, key: str, raw: bytes, receipt: Receipt) -> None:
        if len(raw) > LARGEST or receipt.target is None:
            return
        now = self._clock.now()
        stored = Stored(
            raw, receipt.target, receipt.usage, receipt.cost.nano, receipt.id,
            now, now + self._ttl, tuple(receipt.warnings),
        )  # fmt: skip
        self._memory.put(key, stored)
        await self._store.append({**_facts(key, stored), **await self._place(key, stored)})

    async def _place(self, key: str, stored: Stored) -> dict[str, Any]:
        """Inline, or the name of a blob that says itself when it is over."""
        if len(stored.raw) <= _INLINE_BYTES:
            return {"raw": stored.raw.decode()}
        blobs = await self._opened()
        name = f"{_BLOBS}{int(stored.until) + 1:012d}/{key}"
        await blobs.put(name, stored.raw, "application/json")
        await self._sweep(blobs)
        return {"blob": name}

    async def _blob(self, name: str) -> bytes | None:
        return await (await self._opened()).get(name)

    async def _opened(self) -> Blobs:
        if not self._blobs:
            self._blobs.append(await self._open_blobs())
        return self._blobs[0]

    async def _sweep(self, blobs: Blobs) -> None:
        """Blobs do not expire by themselves; their names begin with when they are over."""
        if self._clock.monotonic() - self._swept < _SWEEP_SECONDS:
            return
        self._swept = self._clock.monotonic()
        for name in await blobs.list(_BLOBS):
            if int(name.split("/")[1]) > self._clock.now():
                break
            await blobs.delete(name)


class Ticket:
    """One request's way through the cache. Entered until its answer is written, or will not be."""

    def __init__(self, cache: Cache, key: str, mode: str, request: Request, patience: float) -> None:
        self._cache = cache
        self._key = key
        self._reads = mode in {"read", "on"}
        self._writes = mode in {"write", "on"}
        # A stream's reader would wait for another's whole answer instead of seeing its own begin.
        self._waits = mode == "on" and not request.stream
        self._patience = patience
        self._lease: Lease | None = None
        self._leading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._leading:
            self._cache.flights.end(self._key, self._how(kind))
        if self._lease is not None and self._lease.held:
            await _unharmed(self._lease.give_back(), "a lease of the cache stays until it runs out")

    async def read(self) -> Stored | None:
        """An answer from before, or from who asks the same right now; None: ask the provider."""
        if not self._reads:
            return None
        found = self._cache.near(self._key)
        if found is None and not self._waits:
            return await self._far()
        while found is None:
            if self._cache.flights.lead(self._key):
                self._leading = True
                return await self._far()
            if await self._cache.flights.wait(self._key, self._patience) is Ended.FAILED:
                return None
            found = self._cache.near(self._key)
        return found

    async def write(self, raw: bytes, receipt: Receipt) -> None:
        """Keep an answer. That it could not be kept is no reason to withhold it."""
        if not self._writes:
            return
        await _unharmed(self._cache.write(self._key, raw, receipt), "an answer is not kept")
        if self._lease is not None:
            self._lease.held = False  # the answer has replaced it

    def _how(self, kind: type[BaseException] | None) -> Ended:
        if kind is not None and not issubclass(kind, Exception):
            return Ended.ABANDONED
        return Ended.FAILED if self._cache.near(self._key) is None else Ended.ANSWERED

    async def _far(self) -> Stored | None:
        """From the store; where another instance is at it, its answer when that comes in time."""
        found: Stored | None = await _unharmed(self._from_store(), "the cache is not read")
        return found

    async def _from_store(self) -> Stored | None:
        cache, key = self._cache, self._key
        item = await cache.look(key)
        if item is None and self._waits:
            self._lease = cache.lease(key)
            item = await self._lease.take(SCHEMA)
        if item is not None and "owner" in item:
            if not self._waits:
                return None
            until = min(item["until"], cache.now() + self._patience)
            item = await cache.lease(key).wait(lambda: cache.look(key), until)
        return await cache.read(key, item)


async def _unharmed(work: Awaitable[Any], otherwise: str) -> Any:
    """The cache is a help: while its store fails, requests are answered without it."""
    try:
        return await work
    except StoreUnavailable as failure:
        log.warning("%s: %s", otherwise, failure.message)
        return None


def _pk(key: str) -> str:
    return f"CACHE#{key}"


def _facts(key: str, stored: Stored) -> Item:
    target = stored.target
    return {
        "pk": _pk(key), "sk": _SK, "v": SCHEMA, "exp": int(stored.until) + 1,
        "at": stored.at, "until": stored.until,
        "provider": target.provider, "account": target.account, "model": target.model,
        "usage": stored.usage._asdict(), "cost_nano": stored.cost_nano,
        "decision": stored.decision, "warnings": list(stored.warnings),
    }  # fmt: skip
