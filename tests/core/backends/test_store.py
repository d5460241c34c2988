"""What every store promises, on SQLite and on DynamoDB: the same tests, also under races."""

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.backends.aws.dynamodb import DynamoStore
from core.backends.embedded.sqlite import SqliteStore
from core.backends.ports import Change, ConditionFailed, When
from core.clock import SystemClock
from core.errors import StoreUnavailable
from tests.core.fakes import JSON, FakeClock, examples, run

NEW = When(exists=False)
OLD = When(exists=True)
BUDGET = 200


@pytest.fixture(scope="module", params=["sqlite", "dynamodb"])
def fresh(request, tmp_path_factory):
    """Gives a kind of store and where it is; whoever opens it finds what others left."""
    if request.param == "sqlite":
        return lambda: ("sqlite", str(tmp_path_factory.mktemp("store") / "state.db"))
    aws = request.getfixturevalue("aws")
    return lambda: ("dynamodb", aws.table())


@pytest.fixture
def place(fresh):
    return fresh()


def made(place, clock):
    kind, where = place
    return SqliteStore(Path(where), clock) if kind == "sqlite" else DynamoStore(where, clock)


@pytest.fixture
def opened(place):
    @asynccontextmanager
    async def work(clock=None):
        store = await made(place, clock or FakeClock()).open()
        try:
            yield store
        finally:
            await asyncio.wait_for(store.close(), 5)

    return work


@pytest.fixture
def use(opened):
    """Run a coroutine function on a fresh store and its clock."""

    def work(scene):
        async def scenes():
            clock = FakeClock()
            async with opened(clock) as store:
                return await scene(store, clock)

        return run(scenes())

    return work


def item(sk, pk="a", **more):
    return {"pk": pk, "sk": sk, **more}


class TestItems:
    def test_what_was_put_can_be_read(self, use):
        whole = item("1", text="señor 你好", number=2**53, nothing=None, deep={"a": [1, 2.5, True]}, v=1)

        async def scene(store, _):
            await store.put(whole)
            assert await store.get("a", "1") == whole
            assert await store.get("a", "2") is None
            assert await store.get("b", "1") is None

        use(scene)

    def test_a_put_replaces_the_whole_item(self, use):
        async def scene(store, _):
            await store.put(item("1", x=1))
            await store.put(item("1", y=2))
            assert await store.get("a", "1") == item("1", y=2)

        use(scene)

    def test_what_was_appended_is_read_at_once(self, use):
        async def scene(store, _):
            for number in range(100):
                await store.append(item(f"{number:03}", n=number))
                assert await store.get("a", f"{number:03}") == item(f"{number:03}", n=number)
            await store.append(item("000", n=-1))
            assert (await store.get("a", "000"))["n"] == -1
            assert len(await store.query("a")) == 100

        use(scene)

    def test_the_last_of_several_appends_counts(self, use):
        async def scene(store, _):
            for number in range(200):
                await store.append(item("1", n=number))
            assert await store.get("a", "1") == item("1", n=199)

        use(scene)

    def test_puts_and_appends_keep_their_order(self, use):
        async def scene(store, _):
            for number in range(50):
                await store.append(item("1", n=number, by="append"))
                await store.put(item("1", n=number, by="put"))
                assert (await store.get("a", "1"))["by"] == "put"

        use(scene)

    def test_what_was_read_can_be_changed_without_harm(self, use):
        async def scene(store, _):
            await store.put(item("1", tags=["x"]))
            read = await store.get("a", "1")
            read["tags"].append("y")
            assert await store.get("a", "1") == item("1", tags=["x"])

        use(scene)

    def test_delete(self, use):
        async def scene(store, _):
            await store.put(item("1"))
            await store.delete("a", "1")
            await store.delete("a", "1")
            assert await store.get("a", "1") is None

        use(scene)

    def test_they_are_there_after_opening_again(self, opened):
        async def scene():
            async with opened() as store:
                await store.put(item("1", x=1))
                await store.append(item("2", x=2))
            async with opened() as store:
                return await store.query("a")

        assert run(scene()) == [item("1", x=1), item("2", x=2)]


class TestConditions:
    @pytest.mark.parametrize(
        ("when", "holds"),
        [
            (When(), True),
            (OLD, True),
            (NEW, False),
            (When(equals={"state": "open"}), True),
            (When(equals={"state": "shut"}), False),
            (When(equals={"missing": 1}), False),
            (When(equals={"missing": None}), True),
            (When(at_least={"avail": 5}), True),
            (When(at_least={"avail": 6}), False),
            (When(at_least={"missing": 0}), False),
            (When(below={"avail": 6}), True),
            (When(below={"avail": 5}), False),
            (When(below={"missing": 10}), False),
            (When(exists=True, equals={"state": "open"}, at_least={"avail": 5}, below={"avail": 6}), True),
            (When(exists=True, equals={"state": "open"}, at_least={"avail": 5}, below={"avail": 5}), False),
        ],
    )
    @pytest.mark.parametrize("verb", ["put", "update", "delete"])
    def test_on_an_item(self, use, verb, when, holds):
        before = item("1", state="open", avail=5)

        async def scene(store, _):
            await store.put(before)
            act = {
                "put": lambda: store.put(item("1", state="new"), when),
                "update": lambda: store.update("a", "1", Change(set={"state": "new"}), when),
                "delete": lambda: store.delete("a", "1", when),
            }[verb]
            if holds:
                await act()
                after = await store.get("a", "1")
                assert after is None if verb == "delete" else after["state"] == "new"
                return
            with pytest.raises(ConditionFailed) as caught:
                await act()
            assert caught.value.item == before
            assert await store.get("a", "1") == before

        use(scene)

    @pytest.mark.parametrize(
        ("when", "holds"),
        [
            (NEW, True),
            (OLD, False),
            (When(equals={"state": "open"}), False),
            (When(at_least={"avail": 0}), False),
            (When(below={"avail": 9}), False),
        ],
    )
    def test_on_nothing(self, use, when, holds):
        async def scene(store, _):
            if holds:
                await store.put(item("1"), when)
                assert await store.get("a", "1") == item("1")
                return
            with pytest.raises(ConditionFailed) as caught:
                await store.put(item("1"), when)
            assert caught.value.item is None
            assert await store.get("a", "1") is None

        use(scene)

    def test_it_sees_what_was_just_appended(self, use):
        async def scene(store, _):
            await store.append(item("1"))
            with pytest.raises(ConditionFailed):
                await store.put(item("1"), NEW)

        use(scene)

    def test_a_refusal_leaves_the_store_as_it_was(self, use):
        async def scene(store, _):
            for _ in range(20):
                with pytest.raises(ConditionFailed):
                    await store.update("a", "1", Change(add={"n": 1}), OLD)
            await store.put(item("1"), NEW)
            assert await store.query("a") == [item("1")]

        use(scene)


class TestUpdate:
    def test_it_adds_and_sets_and_gives_the_result(self, use):
        async def scene(store, _):
            await store.put(item("1", n=5, keep="this"))
            after = await store.update("a", "1", Change(add={"n": -2, "new": 3}, set={"state": "open"}))
            assert after == item("1", n=3, new=3, state="open", keep="this")
            assert await store.get("a", "1") == after

        use(scene)

    def test_it_makes_what_is_not_there(self, use):
        async def scene(store, _):
            assert await store.update("a", "1", Change(add={"n": 1})) == item("1", n=1)
            assert await store.get("a", "1") == item("1", n=1)

        use(scene)

    def test_what_is_both_set_and_added_to_is_the_sum(self, use):
        async def scene(store, _):
            await store.put(item("1", n=5))
            assert await store.update("a", "1", Change(add={"n": 1}, set={"n": 10})) == item("1", n=11)
            assert await store.get("a", "1") == item("1", n=11)

        use(scene)

    def test_no_name_is_special(self, use):
        names = dict.fromkeys(("ttl", "status", "until", "name", "size", "a.b", "a-b", "#n", ":v", "with space"), 1)

        async def scene(store, _):
            await store.put(item("1", **names))
            when = When(exists=True, equals={"status": 1}, at_least={"ttl": 1}, below={"a.b": 2})
            after = await store.update("a", "1", Change(add=dict.fromkeys(names, 1), set={"data": "x"}), when)
            assert after == item("1", data="x", **dict.fromkeys(names, 2))
            assert await store.get("a", "1") == after

        use(scene)


class TestExpiry:
    def test_what_is_over_is_gone(self, use):
        async def scene(store, clock):
            now = int(clock.now())
            await store.put(item("1", exp=now + 10))
            await store.append(item("2", exp=now + 20))
            await store.put(item("3"))
            assert len(await store.query("a")) == 3
            clock.advance(9)
            assert await store.get("a", "1") is not None
            clock.advance(1)
            assert await store.get("a", "1") is None
            assert [one["sk"] for one in await store.query("a")] == ["2", "3"]
            clock.advance(1000)
            assert [one["sk"] for one in await store.query("a")] == ["3"]

        use(scene)

    def test_reading_one_and_many_agree_at_every_moment(self, use):
        async def scene(store, clock):
            clock.at = 1000.0
            await store.put(item("1", exp=1002))
            for _ in range(12):
                one, many = await store.get("a", "1"), await store.query("a")
                assert (one is None) == (len(many) == 0)
                clock.advance(0.25)
            assert await store.get("a", "1") is None

        use(scene)

    def test_a_condition_does_not_see_it(self, use):
        async def scene(store, clock):
            await store.put(item("1", exp=int(clock.now()) + 10, n=5))
            with pytest.raises(ConditionFailed):
                await store.put(item("1"), NEW)
            clock.advance(10)
            with pytest.raises(ConditionFailed):
                await store.update("a", "1", Change(add={"n": 1}), OLD)
            assert await store.update("a", "1", Change(add={"n": 1}), NEW) == item("1", n=1)
            assert await store.get("a", "1") == item("1", n=1)

        use(scene)

    def test_a_change_of_what_is_over_begins_anew(self, use):
        async def scene(store, clock):
            await store.put(item("1", exp=int(clock.now()), n=5, old="x"))
            with pytest.raises(ConditionFailed) as caught:
                await store.update("a", "1", Change(add={"n": 1}), When(at_least={"n": 1}))
            assert caught.value.item is None
            with pytest.raises(ConditionFailed):
                await store.delete("a", "1", OLD)
            assert await store.update("a", "1", Change(add={"n": 1})) == item("1", n=1)
            assert await store.get("a", "1") == item("1", n=1)

        use(scene)

    def test_an_update_can_move_it(self, use):
        async def scene(store, clock):
            await store.put(item("1", exp=int(clock.now()) + 10))
            await store.update("a", "1", Change(set={"exp": int(clock.now()) + 100}))
            clock.advance(50)
            assert await store.get("a", "1") is not None

        use(scene)


class TestQuery:
    SKS = ("a#1", "a#2", "a#3", "b#1", "b#2", "ä#1", "你#1")

    def ask(self, use, **options):
        async def scene(store, _):
            for sk in reversed(self.SKS):
                await store.append(item(sk))
            await store.put(item("a#9", pk="other"))
            return [one["sk"] for one in await store.query("a", **options)]

        return use(scene)

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({}, list(SKS)),
            ({"prefix": "a#"}, ["a#1", "a#2", "a#3"]),
            ({"prefix": "b"}, ["b#1", "b#2"]),
            ({"prefix": "ä"}, ["ä#1"]),
            ({"prefix": "c"}, []),
            ({"prefix": "%"}, []),
            ({"prefix": "a_"}, []),
            ({"limit": 2}, ["a#1", "a#2"]),
            ({"newest_first": True, "limit": 2}, ["你#1", "ä#1"]),
            ({"prefix": "a#", "newest_first": True}, ["a#3", "a#2", "a#1"]),
            ({"prefix": "a#", "after": "a#1"}, ["a#2", "a#3"]),
            ({"prefix": "a#", "after": "a#3"}, []),
            ({"prefix": "a#", "after": "a#3", "newest_first": True}, ["a#2", "a#1"]),
            ({"after": "a#2", "limit": 2}, ["a#3", "b#1"]),
            ({"prefix": "a#", "after": "a#15"}, ["a#2", "a#3"]),
        ],
    )
    def test_prefix_order_limit_and_after(self, use, options, found):
        assert self.ask(use, **options) == found

    @pytest.mark.parametrize("newest_first", [False, True])
    def test_page_by_page_it_gives_everything_once(self, use, newest_first):
        async def scene(store, _):
            for number in range(57):
                await store.append(item(f"{number:04}"))
            pages, after = [], None
            while page := await store.query("a", limit=10, after=after, newest_first=newest_first):
                pages += [one["sk"] for one in page]
                after = page[-1]["sk"]
            return pages

        assert use(scene) == sorted((f"{number:04}" for number in range(57)), reverse=newest_first)


class TestRaces:
    def test_many_tasks_spend_exactly_what_there_is(self, use):
        async def scene(store, _):
            await store.put(item("budget", avail=BUDGET))

            async def spender():
                won = 0
                for _ in range(25):
                    try:
                        await store.update("a", "budget", Change(add={"avail": -1}), When(at_least={"avail": 1}))
                    except ConditionFailed:
                        continue
                    won += 1
                return won

            won = await asyncio.gather(*(spender() for _ in range(16)))
            return sum(won), (await store.get("a", "budget"))["avail"]

        assert use(scene) == (BUDGET, 0)

    def test_one_of_many_makes_it(self, use):
        async def scene(store, _):
            async def one(number):
                try:
                    await store.put(item("claim", by=number), NEW)
                except ConditionFailed:
                    return None
                return number

            winners = [by for by in await asyncio.gather(*map(one, range(50))) if by is not None]
            assert len(winners) == 1
            assert (await store.get("a", "claim"))["by"] == winners[0]

        use(scene)

    def test_who_leaves_early_harms_nobody(self, use):
        async def scene(store, _):
            tasks = [asyncio.ensure_future(store.put(item(f"{number:03}"))) for number in range(100)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            kept = {one["sk"] for one in await store.query("a")}
            assert kept >= {f"{number:03}" for number in range(1, 100, 2)}

        use(scene)

    def test_threads_with_stores_of_their_own_spend_exactly_what_there_is(self, place, use):
        async def prepare(store, _):
            await store.put(item("budget", avail=BUDGET))

        async def left(store, _):
            return (await store.get("a", "budget"))["avail"]

        use(prepare)
        with ThreadPoolExecutor(16) as threads:
            won = list(threads.map(lambda _: run(spend(place), 50), range(16)))
        assert sum(won) == BUDGET
        assert use(left) == 0

    def test_processes_spend_exactly_what_there_is(self, place, use):
        async def prepare(store, _):
            await store.put(item("budget", avail=BUDGET))

        async def left(store, _):
            return (await store.get("a", "budget"))["avail"]

        use(prepare)
        code = f"import asyncio, {__name__} as here; print(asyncio.run(here.spend({place!r})))"
        command = [sys.executable, "-c", code]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        assert sum(int(child.communicate(timeout=50)[0]) for child in children) == BUDGET
        assert use(left) == 0


async def spend(place):
    """Take one until there is none; how often it worked."""
    store, won = await made(place, SystemClock()).open(), 0
    while True:
        try:
            await store.update("a", "budget", Change(add={"avail": -1}), When(at_least={"avail": 1}))
        except ConditionFailed:
            await store.close()
            return won
        won += 1


class TestEnds:
    @pytest.mark.parametrize(
        "act",
        [
            lambda store: store.get("a", "1"),
            lambda store: store.put(item("1")),
            lambda store: store.append(item("1")),
            lambda store: store.update("a", "1", Change()),
            lambda store: store.delete("a", "1"),
            lambda store: store.query("a"),
            lambda store: store.flush(),
        ],
    )
    def test_a_closed_store_says_so(self, opened, act):
        async def scene():
            async with opened() as store:
                pass
            await store.close()
            await act(store)

        with pytest.raises(StoreUnavailable):
            run(scene(), 5)


KEYS = st.sampled_from(["a", "b", "c#1", "c#2"])
STEPS = st.one_of(
    st.tuples(st.just("put"), KEYS, st.integers(0, 5), st.sampled_from([None, True, False])),
    st.tuples(st.just("append"), KEYS, st.integers(0, 5), st.none()),
    st.tuples(st.just("add"), KEYS, st.integers(-3, 3), st.sampled_from([None, 0, 2])),
    st.tuples(st.just("delete"), KEYS, st.just(0), st.sampled_from([None, True])),
)


@examples(40)
@given(st.lists(STEPS, max_size=25))
def test_it_behaves_as_a_dictionary(fresh, steps):
    async def scene():
        model: dict[str, int] = {}
        store = await made(fresh(), FakeClock()).open()
        try:
            for verb, sk, number, condition in steps:
                found = model.get(sk)
                refused = None
                try:
                    if verb == "append":
                        await store.append(item(sk, n=number))
                    elif verb == "put":
                        await store.put(item(sk, n=number), When(exists=condition))
                    elif verb == "delete":
                        await store.delete("a", sk, When(exists=condition))
                    else:
                        when = When() if condition is None else When(at_least={"n": condition})
                        await store.update("a", sk, Change(add={"n": number}), when)
                except ConditionFailed as refusal:
                    refused = refusal
                if refused is not None:
                    assert refused.item == (None if found is None else item(sk, n=found))
                elif verb == "delete":
                    model.pop(sk, None)
                else:
                    model[sk] = (found or 0) + number if verb == "add" else number
            assert await store.query("a") == [item(sk, n=model[sk]) for sk in sorted(model)]
            assert [one["sk"] for one in await store.query("a", "c#")] == sorted(k for k in model if k[0] == "c")
        finally:
            await store.close()

    run(scene())


def nameable(value):
    """DynamoDB has no empty names."""
    if isinstance(value, dict):
        return "" not in value and all(map(nameable, value.values()))
    return not isinstance(value, list) or all(map(nameable, value))


def text(value):
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@examples(40)
@given(st.lists(JSON.filter(nameable), max_size=20))
@example([0.0, -0.0, 1.0, 2**53, 2.0**53, 1e300, -1e300, 5e-324, 1e-128, 0.1, 10**18, 2**64 - 1, -(2**63), True, None])
@example([{}, [], "", [[]], {"S": "x"}, {"SS": ["1.0"]}, {"NULL": True}, {"a": {"b": [{"c": 1.0}]}}])
def test_json_comes_back_as_it_was(fresh, values):
    """Ints are ints and floats are floats, however large, small or whole."""

    async def scene():
        store = await made(fresh(), FakeClock()).open()
        try:
            await store.put(item("1", values=values))
            again = await store.update("a", "1", Change(set={"again": values}))
            return again, await store.get("a", "1"), await store.query("a")
        finally:
            await store.close()

    whole = item("1", values=values, again=values)
    again, read, (listed,) = run(scene())
    assert text(again) == text(read) == text(listed) == text(whole)
