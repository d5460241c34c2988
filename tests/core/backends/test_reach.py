"""Who waited in vain spares the others: for a while nobody asks, then one does."""

import asyncio

import pytest

from core.backends import reach as module
from core.backends.reach import NotAsked, Reach
from core.errors import StoreUnavailable
from tests.core.fakes import FakeClock, run


class Backend:
    def __init__(self):
        self.asked = 0
        self.failure = None
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self):
        self.asked += 1
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return "answer"


@pytest.fixture
def lost(monkeypatch):
    """A Reach after somebody waited in vain, its backend and clock."""
    monkeypatch.setattr(module, "_SLOW", 0.01)

    async def made():
        clock, backend = FakeClock(), Backend()
        reach = Reach(clock)
        backend.open.clear()
        with pytest.raises(StoreUnavailable, match="no answer in"):
            await reach.ask(backend, 0.02)
        return reach, backend, clock

    return made


def test_for_a_while_nobody_asks(lost):
    async def scene():
        reach, backend, clock = await lost()
        for _ in range(3):
            with pytest.raises(NotAsked):
                await reach.ask(backend, 60)
        clock.advance(module._SILENCE - 0.1)
        assert not reach.open and backend.asked == 1
        clock.advance(0.1)
        backend.open.set()
        assert await reach.ask(backend, 60) == "answer" == await reach.ask(backend, 60)

    run(scene())


def test_then_one_asks_and_the_others_go_on_without(lost):
    async def scene():
        reach, backend, clock = await lost()
        clock.advance(module._SILENCE)
        prober = asyncio.create_task(reach.ask(backend, 60))
        await asyncio.sleep(0)
        with pytest.raises(NotAsked):
            await reach.ask(backend, 60)
        backend.open.set()
        assert await prober == "answer" and reach.open

    run(scene())


def test_one_who_leaves_while_asking_leaves_it_to_the_next(lost):
    async def scene():
        reach, backend, clock = await lost()
        clock.advance(module._SILENCE)
        prober = asyncio.create_task(reach.ask(backend, 60))
        await asyncio.sleep(0)
        prober.cancel()
        await asyncio.wait([prober])
        backend.open.set()
        assert await reach.ask(backend, 60) == "answer"

    run(scene())


def test_one_who_asks_in_vain_begins_another_while(lost):
    async def scene():
        reach, backend, clock = await lost()
        clock.advance(module._SILENCE)
        with pytest.raises(StoreUnavailable, match="no answer"):
            await reach.ask(backend, 0.02)
        with pytest.raises(NotAsked):
            await reach.ask(backend, 60)

    run(scene())


def test_what_has_to_be_asked_is_asked_and_tells_the_others(monkeypatch):
    monkeypatch.setattr(module, "_SLOW", 0.0)

    async def scene():
        reach, backend = Reach(FakeClock()), Backend()
        assert await reach.demand(backend) == "answer" and reach.open
        backend.failure = StoreUnavailable("too late")
        for number in (2, 3):
            with pytest.raises(StoreUnavailable, match="too late"):
                await reach.demand(backend)
            assert backend.asked == number and not reach.open
            with pytest.raises(NotAsked):
                await reach.ask(backend, 60)
        monkeypatch.setattr(module, "_SLOW", 60)
        other = Reach(FakeClock())
        with pytest.raises(StoreUnavailable):
            await other.demand(backend)
        assert other.open

    run(scene())


@pytest.mark.parametrize("failure", [StoreUnavailable("refused"), ValueError("a word on the item")])
def test_a_failure_that_comes_at_once_costs_nobody_anything(monkeypatch, failure):
    monkeypatch.setattr(module, "_SLOW", 60)

    async def scene():
        reach, backend = Reach(FakeClock()), Backend()
        backend.failure = failure
        for number in (1, 2):
            with pytest.raises(type(failure), match=str(failure)):
                await reach.ask(backend, 60)
            assert reach.open and backend.asked == number

    run(scene())
