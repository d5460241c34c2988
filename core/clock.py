"""Time, chance and names of things, passed in so that a test can say what they are."""

import asyncio
import time
from random import Random
from typing import Protocol

NEVER = float("inf")  # on a clock


class Clock(Protocol):
    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


class Ids:
    """Decision ids: sortable by time; their day and shard can be read from them. They protect nothing."""

    def __init__(self, clock: Clock, chance: Random) -> None:
        self._clock = clock
        self._chance = chance

    def decision(self) -> str:
        return f"{int(self._clock.now() * 1000):012x}{self._chance.getrandbits(80):020x}"


def seeded(seed: int | None = None) -> Random:
    """Jitter is not a secret."""
    return Random(seed)  # noqa: S311 - spreads retries, protects nothing
