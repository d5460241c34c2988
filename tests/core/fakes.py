"""What the tests of core share: time that a test moves, the size of a property test, a loop with an end."""

import asyncio
from collections.abc import Coroutine, Iterable
from itertools import pairwise
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], seconds: float = 20) -> T:
    """On a loop of its own; what hangs is a failure and not a test run without an end."""

    async def limited() -> T:
        return await asyncio.wait_for(work, seconds)

    return asyncio.run(limited())


def examples(count: int = 150) -> settings:
    """The same examples on every machine, however slow it is."""
    return settings(max_examples=count, deadline=None, database=None, derandomize=True)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The bytes in parts, cut at these places modulo their length."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(edges)]


PLACES = st.lists(st.integers(0, 10_000), max_size=40)

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


class FakeClock:
    """Both clocks move together, and only when somebody sleeps or the test says so."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self.at += seconds


class HandClock(FakeClock):
    """Whoever sleeps wakes when the test has moved the clock so far."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        sleeper = (self.at + seconds, asyncio.get_running_loop().create_future())
        self.sleepers.append(sleeper)
        try:
            await sleeper[1]
        finally:
            self.sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        for until, future in self.sleepers:
            if until <= self.at and not future.done():
                future.set_result(None)
