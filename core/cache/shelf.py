"""Large answers, in blobs that are opened when the first one comes and swept now and then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from core.backends.ports import Blobs, Item
from core.clock import Clock
from core.errors import StoreUnavailable

_BLOBS = "cache/"
_SWEEP_SECONDS = 600

log = logging.getLogger("patchbay")


class Shelf:
    def __init__(self, open_blobs: Callable[[], Awaitable[Blobs]], clock: Clock) -> None:
        self._open_blobs = open_blobs
        self._clock = clock
        self._opening = asyncio.Lock()
        self._blobs: Blobs | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._swept = float("-inf")

    async def put(self, key: str, raw: bytes, until: int) -> dict[str, Any]:
        """Where it lies; the name says itself when it is over."""
        blobs = await self._opened()
        name = f"{_BLOBS}{until:012d}/{key}"
        await blobs.put(name, raw, "application/json")
        if self._clock.monotonic() - self._swept >= _SWEEP_SECONDS:
            self._swept = self._clock.monotonic()
            # In the background: whoever wrote this answer need not wait for it.
            self._sweeper = asyncio.create_task(self._sweep(blobs))
        return {"blob": name, "sha256": sha256(raw).hexdigest()}

    async def get(self, item: Item) -> bytes | None:
        """ValueError when it is not what was written."""
        raw = await (await self._opened()).get(item["blob"])
        if raw is not None and sha256(raw).hexdigest() != item["sha256"]:
            raise ValueError("its blob is not what was written")
        return raw

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        if self._blobs is not None:
            await self._blobs.close()

    async def _opened(self) -> Blobs:
        async with self._opening:
            if self._blobs is None:
                self._blobs = await self._open_blobs()
            return self._blobs

    async def _sweep(self, blobs: Blobs) -> None:
        """Blobs do not expire by themselves; their names begin with when they are over."""
        try:
            for name in await blobs.list(_BLOBS):
                until = name.removeprefix(_BLOBS).partition("/")[0]
                if until.isdecimal() and int(until) <= self._clock.now():
                    await blobs.delete(name)
        except StoreUnavailable as failure:
            log.warning("old answers are not swept: %s", failure.message)
