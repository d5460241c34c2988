"""Large answers, in blobs that are opened when they are first needed and swept now and then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from core.backends.ports import Blobs, Item
from core.backends.reach import Reach
from core.clock import NEVER, Clock
from core.errors import Misconfigured, StoreUnavailable

_BLOBS = "cache/"
_SWEEP_SECONDS = 600
_SECONDS = 2.0  # what one call may cost a request

log = logging.getLogger("patchbay")


class Shelf:
    """`sweeps`: without being asked. Who pays for a list leaves it to writers and to a rule of the bucket."""

    def __init__(self, open_blobs: Callable[[], Awaitable[Blobs]], clock: Clock, *, sweeps: bool) -> None:
        self.due = -NEVER if sweeps else NEVER  # on the clock: from then on somebody should sweep
        self._sweeps = sweeps
        self._open_blobs = open_blobs
        self._clock = clock
        self._reach = Reach(clock)
        self._opening = asyncio.Lock()
        self._blobs: Blobs | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._swept = -NEVER

    async def put(self, key: str, raw: bytes, until: int) -> dict[str, Any]:
        """Where it lies; the name says itself when it is over."""
        name = f"{_BLOBS}{until:012d}/{key}"

        async def work() -> None:
            await (await self._opened()).put(name, raw, "application/json")

        await self._reach.ask(work, _SECONDS)
        if self._clock.monotonic() - self._swept >= _SWEEP_SECONDS:
            self.sweep()
        return {"blob": name, "sha256": sha256(raw).hexdigest()}

    async def get(self, item: Item, seconds: float = _SECONDS) -> bytes | None:
        """ValueError when it is not what was written."""

        async def work() -> bytes | None:
            return await (await self._opened()).get(item["blob"])

        raw = await self._reach.ask(work, min(seconds, _SECONDS))
        if raw is not None and sha256(raw).hexdigest() != item["sha256"]:
            raise ValueError("its blob is not what was written")
        return raw

    def sweep(self) -> None:
        """In the background: no request need wait for it."""
        self._swept = self._clock.monotonic()
        if self._sweeps:
            self.due = self._swept + _SWEEP_SECONDS
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep())

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

    async def _sweep(self) -> None:
        """Blobs do not expire by themselves; their names begin with when they are over."""
        try:
            blobs = await self._opened()
            for name in await blobs.list(_BLOBS):
                until = name.removeprefix(_BLOBS).partition("/")[0]
                if until.isdecimal() and int(until) <= self._clock.now():
                    await blobs.delete(name)
        except (StoreUnavailable, Misconfigured) as failure:
            log.warning("old answers are not swept: %s", failure.message)
