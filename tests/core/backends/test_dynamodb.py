"""What only DynamoDB has: throttling, lost answers, a table that is not there, items that are too large."""

import asyncio
import json
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.backends.aws import calls
from core.backends.aws.dynamodb import DynamoStore
from core.backends.ports import Change, ConditionFailed, When
from core.errors import Misconfigured, StoreUnavailable
from tests.core.fakes import FakeClock, run

THROTTLED = json.dumps({"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"}).encode()
BROKEN = json.dumps({"__type": "x#InternalServerError", "message": "oh"}).encode()
DENIED = json.dumps(
    {"__type": "x#AccessDeniedException", "message": "User: arn:aws:sts::123:role/x is not authorized"}
).encode()


@asynccontextmanager
async def opened(table, clock=None):
    store = await DynamoStore(table, clock or FakeClock()).open()
    try:
        yield store
    finally:
        await asyncio.wait_for(store.close(), 10)


@pytest.fixture
def use(aws):
    def work(scene, table=None):
        async def scenes():
            async with opened(table or aws.table()) as store:
                return await scene(store)

        try:
            return run(scenes())
        finally:
            aws.fail.clear()

    return work


def item(sk, pk="a", **more):
    return {"pk": pk, "sk": sk, **more}


def failure(use, work, table=None):
    with pytest.raises(StoreUnavailable) as caught:
        use(work, table)
    return caught.value.message


class TestFailures:
    def test_a_table_that_is_not_there(self, use):
        for work in (lambda store: store.get("a", "1"), lambda store: store.append(item("1"))):
            assert failure(use, work, "nowhere") == (
                "DynamoDB table nowhere: there is no such table, bucket or queue in this account and region"
            )

    def test_an_item_that_is_too_large(self, use):
        async def grow(store):
            await store.put(item("1", text="x" * 300_000))
            await store.update("a", "1", Change(set={"more": "x" * 300_000}))

        for work in (lambda store: store.append(item("1", text="x" * 410_000)), grow):
            assert "the item is too large; DynamoDB keeps items of at most 400 KB" in failure(use, work)

    def test_a_value_that_is_not_json_is_the_callers_mistake(self, use):
        with pytest.raises(TypeError, match="set is not a JSON value"):
            use(lambda store: store.put(item("1", bad={1})))

    def test_a_change_that_cannot_be_made(self, use):
        async def scene(store):
            await store.put(item("1", text="words"))
            with pytest.raises(StoreUnavailable, match="refuses a write"):
                await store.update("a", "1", Change(add={"text": 1}))
            return await store.get("a", "1")

        assert use(scene) == item("1", text="words")

    def test_words_of_aws_that_name_accounts_stay_here(self, use, aws):
        aws.fail = [("GetItem", 400, DENIED)]
        assert failure(use, lambda store: store.get("a", "1"), "t").endswith(
            "the credentials in use may not do GetItem"
        )

    def test_nobody_listens(self, use, monkeypatch):
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        began = time.monotonic()
        assert "127.0.0.1:9" in failure(use, lambda store: store.append(item("1")), "t")
        assert time.monotonic() - began < 5

    def test_no_region(self, use, monkeypatch):
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        assert "region" in failure(use, lambda store: store.get("a", "1"), "t")

    def test_no_boto3(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "boto3.session", None)
        with pytest.raises(Misconfigured, match=r"install patchbay\[aws\]"):
            run(DynamoStore("t", FakeClock()).open())


class TestRetries:
    @pytest.mark.parametrize(
        ("status", "body", "code"), [(400, THROTTLED, "ThroughputExceeded"), (500, BROKEN, "InternalServerError")]
    )
    def test_what_can_be_repeated_is_asked_twice(self, use, aws, status, body, code):
        async def scene(store):
            await store.append(item("1"))
            return await store.get("a", "1")

        aws.fail = [("PutItem", status, body)]
        assert use(scene) == item("1")
        aws.fail = [("PutItem", status, body)] * 2
        assert code in failure(use, scene)

    def test_a_conditional_write_is_repeated_only_when_nothing_was_done(self, use, aws):
        async def scene(store):
            return await store.update("a", "1", Change(add={"n": 1}))

        aws.fail = [("UpdateItem", 400, THROTTLED)]
        assert use(scene) == item("1", n=1)
        aws.fail = [("UpdateItem", 500, BROKEN)]
        assert "InternalServerError" in failure(use, scene)
        aws.fail = [("UpdateItem", 400, THROTTLED)] * 2
        assert "ProvisionedThroughputExceeded" in failure(use, scene)

    def test_a_lost_answer_is_not_a_lost_claim(self, use, aws, monkeypatch):
        """Sent again after a timeout, the claim would be refused because of itself."""

        async def scene(store):
            aws.delay = 0.5
            with pytest.raises(StoreUnavailable, match="timeout"):
                await store.put(item("claim"), When(exists=False))
            await asyncio.sleep(0.6)
            aws.delay = 0.0
            return await store.get("a", "claim")

        monkeypatch.setattr(calls, "_READ_SECONDS", 0.2)
        try:
            assert use(scene) == item("claim")
        finally:
            aws.delay = 0.0


class TestThreads:
    def test_it_keeps_off_the_loops_own_threads(self, use):
        async def scene(store):
            await asyncio.gather(*(store.put(item(str(number))) for number in range(40)))
            names = [thread.name for thread in threading.enumerate()]
            loop: Any = asyncio.get_running_loop()
            assert loop._default_executor is None
            assert 1 <= len([name for name in names if name.startswith("patchbay-dynamodb")]) <= 16

        use(scene)

    def test_its_threads_end_with_it(self, use):
        use(lambda store: store.put(item("1")))
        assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("patchbay-dynamodb")]

    def test_who_waits_behind_a_store_that_hangs_is_told_soon(self, use, aws, monkeypatch):
        async def scene(store):
            aws.delay = 0.5
            began = time.monotonic()
            ends = await asyncio.gather(*(store.append(item(str(n))) for n in range(100)), return_exceptions=True)
            return ends, time.monotonic() - began

        monkeypatch.setattr(calls, "_PATIENCE", 0.2)
        try:
            ends, seconds = use(scene)
        finally:
            aws.delay = 0.0
        assert seconds < 3
        assert ends.count(None) == 16
        assert all("does not keep up" in end.message for end in ends if end)

    def test_a_write_that_began_is_finished_though_its_caller_left(self, use, aws):
        async def scene(store):
            aws.delay = 0.2
            task = asyncio.ensure_future(store.append(item("1")))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            aws.delay = 0.0

        table = aws.table()
        use(scene, table)  # closing waits for it
        assert use(lambda store: store.get("a", "1"), table) == item("1")


class TestQuery:
    def test_what_is_over_does_not_shorten_a_page(self, aws):
        async def scene(clock):
            async with opened(aws.table(), clock) as store:
                for number in range(30):
                    old = {"exp": int(clock.now()) + 5} if number % 3 else {}
                    await store.put(item(f"{number:02}", **old))
                clock.advance(5)
                return [one["sk"] for one in await store.query("a", limit=8)]

        assert run(scene(FakeClock())) == [f"{number:02}" for number in range(0, 24, 3)]

    def test_more_than_a_megabyte_comes_in_one_answer(self, use):
        async def scene(store):
            for number in range(7):
                await store.put(item(str(number), text="x" * 300_000))
            return [one["sk"] for one in await store.query("a")]

        assert use(scene) == list("0123456")

    @pytest.mark.parametrize(
        ("after", "newest_first", "found"),
        [("a", False, ["b1", "b2"]), ("c", False, []), ("c", True, ["b2", "b1"]), ("a", True, [])],
    )
    def test_after_may_lie_outside_the_prefix(self, use, after, newest_first, found):
        async def scene(store):
            for sk in ("a1", "b1", "b2", "c1"):
                await store.put(item(sk))
            return [one["sk"] for one in await store.query("a", "b", after=after, newest_first=newest_first)]

        assert use(scene) == found


def test_of_many_who_find_something_over_one_begins_anew(aws):
    """All of them count, and nothing of what is over is left."""

    async def scene(clock):
        async with opened(aws.table(), clock) as store:
            await store.put(item("1", exp=int(clock.now()), n=100, old=True))
            await asyncio.gather(*(store.update("a", "1", Change(add={"n": 1})) for _ in range(16)))
            await store.put(item("2", exp=int(clock.now())))
            claims = [store.put(item("2", by=n), When(exists=False)) for n in range(16)]
            lost = [end for end in await asyncio.gather(*claims, return_exceptions=True) if end]
            return await store.get("a", "1"), lost

    one, lost = run(scene(FakeClock()))
    assert one == item("1", n=16)
    assert len(lost) == 15
    assert all(isinstance(end, ConditionFailed) and end.item is not None for end in lost)
