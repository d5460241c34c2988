"""Settings changed at run time as they lie in the store: none is lost, each has a version, nobody is held up."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core import switches as module
from core.backends.aws.dynamodb import DynamoStore
from core.backends.embedded.sqlite import SqliteStore
from core.backends.reach import Reach
from core.bootstrap import build
from core.clock import NEVER, SystemClock
from core.config.run_time import Changes
from core.errors import BadRequest, Misconfigured, StoreUnavailable
from core.switches import Switches, Watch
from tests.core.fakes import FakeClock, run

WHO = "ann@desk"
NAMES = ("MAX_RETRIES", "RETRY_DELAY_MS", "LLM_PROVIDER", "ENABLE_FALLBACK")
VALUES = {"MAX_RETRIES": "5", "RETRY_DELAY_MS": "7", "LLM_PROVIDER": "together", "ENABLE_FALLBACK": "false"}


@pytest.fixture(params=["sqlite", "dynamodb"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return ("sqlite", str(tmp_path / "state.db"))
    return ("dynamodb", request.getfixturevalue("aws").table())


@asynccontextmanager
async def opened(place, clock=None, **environ):
    """The switches in a store of its own, and that store."""
    kind, where = place
    clock = clock or SystemClock()
    store = await (SqliteStore(Path(where), clock) if kind == "sqlite" else DynamoStore(where, clock)).open()
    try:
        yield Switches(store, clock, build(environ=environ).rules), store
    finally:
        await store.close()


@pytest.fixture
def use(place):
    def work(scene, clock=None, **environ):
        async def scenes():
            async with opened(place, clock, **environ) as (switches, store):
                return await scene(switches, store)

        return run(scenes())

    return work


class TestChanges:
    def test_nothing_was_changed(self, use):
        async def scene(switches, _):
            return await switches.current(), await switches.history()

        assert use(scene) == (Changes(), [])

    def test_a_change_is_kept_with_who_when_and_why(self, use):
        clock = FakeClock()

        async def scene(switches, _):
            first = await switches.set("llm_provider", " together ", WHO, "azure is slow")
            clock.advance(60)
            second = await switches.set("LLM_PROVIDER", "openai", "bob")
            return first, second, await switches.current(), await switches.history()

        first, second, current, history = use(scene, clock)
        assert first == (1, clock.at - 60, WHO, "LLM_PROVIDER", None, "together", "azure is slow")
        assert second == (2, clock.at, "bob", "LLM_PROVIDER", "together", "openai", None)
        assert current == Changes(2, {"LLM_PROVIDER": "openai"})
        assert history == [second, first]

    def test_unset_is_a_change(self, use):
        async def scene(switches, _):
            await switches.set("MAX_RETRIES", "5", WHO)
            undone = await switches.unset("max_retries", WHO)
            return undone, await switches.current()

        undone, current = use(scene)
        assert (undone.version, undone.old, undone.new) == (2, "5", None)
        assert current == Changes(2, {})

    def test_what_was_not_changed_cannot_be_unset(self, use):
        async def scene(switches, _):
            with pytest.raises(BadRequest, match="MAX_RETRIES is not changed"):
                await switches.unset("MAX_RETRIES", WHO)
            return await switches.current()

        assert use(scene) == Changes()

    def test_what_is_refused_makes_no_version(self, use):
        async def scene(switches, _):
            await switches.set("MAX_RETRIES", "5", WHO)
            for name, value in [("MAX_RETRIES", "x"), ("OPENAI_API_KEY", "sk-1"), ("PORT", "1"), ("NO_SUCH", "1")]:
                with pytest.raises(BadRequest):
                    await switches.set(name, value, WHO)
            return await switches.current(), len(await switches.history())

        assert use(scene) == (Changes(1, {"MAX_RETRIES": "5"}), 1)

    def test_history_gives_the_newest_page(self, use):
        async def scene(switches, _):
            for number in range(12):
                await switches.set("MAX_RETRIES", str(number), WHO)
            return await switches.history(3), await switches.history(1), await switches.history(100)

        three, one, everything = use(scene)
        assert [change.version for change in three] == [12, 11, 10]
        assert three[:1] == one
        assert [change.version for change in everything] == list(range(12, 0, -1))

    def test_every_item_says_its_schema_and_none_expires(self, use):
        async def scene(switches, store):
            for value in ("1", "2", "3"):
                await switches.set("MAX_RETRIES", value, WHO)
            return await store.query("CONFIG")

        items = use(scene)
        assert [one["sk"] for one in items] == ["change#000000000001", "change#000000000002", "head"]
        assert all(one["v"] == 1 and "exp" not in one for one in items)


# Never edit this: it is what version 1 of the schema looks like.
HEAD = {
    "pk": "CONFIG", "sk": "head", "v": 1, "version": 7, "values": {"GONE": "1", "MAX_RETRIES": "lots"},
    "last": {"version": 7, "at": 1.5, "who": "x", "name": "GONE", "old": None, "new": "1", "reason": None},
}  # fmt: skip


class TestStrangers:
    def test_what_another_version_wrote_can_be_taken_away(self, use):
        async def scene(switches, store):
            await store.put(HEAD)
            await switches.set("LLM_PROVIDER", "together", WHO)  # the bad ones do not stand in its way
            await switches.unset("GONE", WHO)
            await switches.unset("MAX_RETRIES", WHO)
            return await switches.current(), [one.version for one in await switches.history()]

        assert use(scene) == (Changes(10, {"LLM_PROVIDER": "together"}), [10, 9, 8, 7])

    @pytest.mark.parametrize("broken", [{"v": 2}, {"values": None}, {"last": {}}, {"version": None}], ids=str)
    def test_what_cannot_be_read_is_said_and_left_alone(self, use, broken):
        async def scene(switches, store):
            await store.put(HEAD | broken)
            for work in (switches.current(), switches.history(), switches.set("MAX_RETRIES", "1", WHO)):
                with pytest.raises(Misconfigured, match=r"schema 2|damaged"):
                    await work
            return await store.get("CONFIG", "head")

        assert use(scene) == HEAD | broken


class TestRaces:
    WRITERS = 16

    def test_no_change_of_many_writers_is_lost(self, place, use):
        rounds = 4 if place[0] == "sqlite" else 1  # the other is slow, and a race in itself
        with ThreadPoolExecutor(self.WRITERS) as threads:
            each = threads.map(lambda number: run(self.writes(place, number, rounds), 50), range(self.WRITERS))
            made = [one for ones in each for one in ones]
        current, history = use(lambda switches, _: _both(switches))
        total = rounds * self.WRITERS
        assert [one.version for one in reversed(history)] == list(range(1, total + 1))
        assert sorted(history) == sorted(made)
        values: dict[str, str | None] = {}
        for change in reversed(history):
            assert change.old == values.get(change.name)
            values[change.name] = change.new
        assert (current.version, current.values) == (total, values)
        assert len({one.who for one in history}) == self.WRITERS

    async def writes(self, place, number, rounds):
        name = NAMES[number % len(NAMES)]
        async with opened(place) as (switches, _):
            return [await switches.set(name, VALUES[name], f"writer {number}") for _ in range(rounds)]


async def _both(switches):
    return await switches.current(), await switches.history(1000)


class Stub:
    """A store of which only the head is asked."""

    def __init__(self) -> None:
        self.item = None
        self.error = None
        self.reads = 0
        self.hangs = False

    async def get(self, *_):
        self.reads += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.item


class TestWatch:
    @pytest.fixture
    def stub(self):
        return Stub()

    @pytest.fixture
    def clock(self):
        return FakeClock()

    @pytest.fixture
    def watch(self, stub, clock):
        return Watch(Switches(stub, clock, build(environ={}).rules), Reach(clock), clock, 2.0)

    def test_only_what_is_new_is_given(self, watch, stub, clock):
        async def scene():
            assert await watch.look() == Changes()
            assert watch.due == clock.at + 2
            assert await watch.look() is None
            stub.item = HEAD
            assert (await watch.look()).version == 7
            assert await watch.look() is None
            stub.item = None  # the table was made anew
            assert await watch.look() == Changes()

        run(scene())
        assert stub.reads == 5  # one each

    def test_zero_is_only_at_the_start(self, stub, clock):
        watch = Watch(Switches(stub, clock, build(environ={}).rules), Reach(clock), clock, 0)
        run(watch.look())
        assert watch.due == NEVER

    def test_a_store_that_fails_is_asked_later_and_said_once(self, watch, stub, clock, caplog):
        async def scene():
            assert await watch.look() == Changes()
            stub.error = StoreUnavailable("the table does not answer")
            for _ in range(3):
                assert await watch.look() is None
                assert watch.due == clock.at + 10
            stub.error, stub.item = None, HEAD
            assert (await watch.look()).version == 7
            assert watch.due == clock.at + 2

        with caplog.at_level(logging.WARNING, "patchbay"):
            run(scene())
        told, again = caplog.messages
        assert "the table does not answer" in told and "those in force stay" in told
        assert "again" in again

    def test_a_start_without_an_answer_looks_again_whatever_is_configured(self, stub, clock):
        stub.error = StoreUnavailable("no")
        watch = Watch(Switches(stub, clock, build(environ={}).rules), Reach(clock), clock, 0)
        assert run(watch.look()) is None
        assert watch.due == clock.at + 10

    def test_a_store_that_hangs_holds_nobody_up(self, watch, stub, clock, monkeypatch, caplog):
        monkeypatch.setattr(module, "_PATIENCE", 0.01)
        stub.hangs = True
        with caplog.at_level(logging.ERROR, "patchbay"):
            assert run(watch.look(), 5) is None
        assert "no answer in 0.01 s" in caplog.text
        assert watch.due == clock.at + 10

    def test_who_leaves_in_the_middle_leaves_the_next_look_to_others(self, watch, stub, clock):
        async def scene():
            stub.hangs = True
            looking = asyncio.create_task(watch.look())
            await asyncio.sleep(0)
            assert watch.due == NEVER  # nobody else looks meanwhile
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            assert watch.due == clock.at + 2

        run(scene())
