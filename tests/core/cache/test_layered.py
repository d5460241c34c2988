"""Answers in this process, in the store and in blobs; what is broken there costs an answer nothing."""

import asyncio
import logging

import pytest

from core.backends import reach
from core.cache import layered
from core.cache.key import key_of
from core.clock import NEVER
from core.errors import Misconfigured, StoreUnavailable
from core.types.caller import ALL_SCOPES, LOCAL, Caller
from tests.core.cache.instances import TARGET, USAGE, Provider, ask, request

LARGE = b'{"large":"' + b"x" * layered._INLINE_BYTES + b'"}'
OTHERS = Caller(org="others", project="default", key="k", scopes=ALL_SCOPES)


def where(**fields):
    return f"CACHE#{key_of(LOCAL, request(**fields), 'c')}", "A"


async def stored(place, **fields):
    return await (await place.store()).get(*where(**fields))


@pytest.mark.parametrize("answer", [b'{"a":"\xc3\xa4\\u0000\xf0\x9f\x8d\x8b"}\n', LARGE], ids=["small", "large"])
def test_what_one_instance_wrote_another_reads(place, answer):
    async def scene(place):
        one, two = await place.instance(), await place.instance()
        provider = Provider(answer)
        assert [(await ask(cache, provider)) for cache in (one, one, two)] == [
            ("miss", answer), ("hit", answer), ("hit", answer),
        ]  # fmt: skip
        assert provider.calls == 1
        found = two.near(where()[0].removeprefix("CACHE#"))
        assert (found.target, found.usage, found.cost_nano, found.decision) == (TARGET, USAGE, 7, "d" * 32)
        item = await stored(place)
        assert ("blob" in item) == (answer is LARGE) and item["v"] == 1
        names = await (await place.blobs()).list("cache/")
        assert names == ([item["blob"]] if answer is LARGE else [])

    place(scene)


def test_it_is_over_after_its_time_here_and_there(place):
    async def scene(place):
        one, two, three = [await place.instance() for _ in range(3)]
        provider = Provider()
        await ask(one, provider)
        place.clock.advance(299.5)
        assert (await ask(one, provider))[0] == (await ask(two, provider))[0] == "hit"
        place.clock.advance(0.5)
        assert [(await ask(cache, provider))[0] for cache in (three, one, two)] == ["miss", "hit", "hit"]
        assert provider.calls == 2

    place(scene)


def test_a_tenant_never_gets_another_s(place):
    async def scene(place):
        one = await place.instance()
        assert (await ask(one, Provider(b"{}")))[0] == "miss"
        assert await ask(one, Provider(b"[]"), caller=OTHERS) == ("miss", b"[]")
        assert await ask(one, Provider(), caller=OTHERS) == ("hit", b"[]")

    place(scene)


def test_modes(place):
    async def scene(place):
        one = await place.instance()
        assert (await ask(one, Provider(), cache="read"))[0] == "miss"
        assert await stored(place) is None
        assert one.ticket(LOCAL, request(cache="off"), 0) is None
        assert await ask(one, Provider(b"1"), cache="write") == ("miss", b"1")
        assert await ask(one, Provider(b"2"), cache="write") == ("miss", b"2")
        assert await ask(await place.instance(), Provider(), cache="read") == ("hit", b"2")
        assert await ask(one, Provider(), cache="on", stream=True) == ("hit", b"2")

    place(scene)


def test_what_is_too_large_is_not_kept_and_nobody_waits_for_it(place, monkeypatch):
    monkeypatch.setattr(layered, "LARGEST", 10)

    async def scene(place):
        one, two = await place.instance(), await place.instance()
        provider = Provider(b'{"longer":"than that"}')
        assert [(await ask(cache, provider))[0] for cache in (one, two, one)] == ["miss"] * 3
        assert place.clock.slept == []

    place(scene)


class TestWhatIsBroken:
    def test_a_blob_that_is_missing(self, place):
        async def scene(place):
            await ask(await place.instance(), Provider(LARGE))
            await (await place.blobs()).delete((await stored(place))["blob"])
            two = await place.instance()
            assert await ask(two, Provider(b"{}")) == ("miss", b"{}")
            assert await ask(await place.instance(), Provider()) == ("hit", b"{}"), "the new answer has replaced it"

        place(scene)

    def test_a_blob_that_is_something_else(self, place, caplog):
        async def scene(place):
            await ask(await place.instance(), Provider(LARGE))
            await (await place.blobs()).put((await stored(place))["blob"], LARGE[:-5], "application/json")
            assert await ask(await place.instance(), Provider(b"{}")) == ("miss", b"{}")

        with caplog.at_level(logging.WARNING, "patchbay"):
            place(scene)
        assert "cannot be read" in caplog.text

    @pytest.mark.parametrize(
        "more",
        [{"v": 2}, {"usage": {"colour": 1}}, {"usage": None}, {"raw": 5}, {"warnings": None}, {"at": "yesterday"}],
        ids=str,
    )
    def test_an_item_that_this_version_does_not_know(self, place, more):
        async def scene(place):
            await ask(await place.instance(), Provider())
            await (await place.store()).put({**(await stored(place)), **more})
            assert await ask(await place.instance(), Provider(b"{}")) == ("miss", b"{}")
            assert await ask(await place.instance(), Provider()) == ("hit", b"{}")

        place(scene)

    def test_an_item_without_its_parts(self, place):
        async def scene(place):
            pk, sk = where()
            await (await place.store()).put({"pk": pk, "sk": sk, "v": 1, "exp": int(place.clock.now()) + 100})
            assert (await ask(await place.instance(), Provider()))[0] == "miss"

        place(scene)


class Down:
    """A store that refuses everything, or never answers."""

    def __init__(self, *, hangs=False):
        self.asked = 0
        self._hangs = hangs

    async def _fail(self, *_):
        self.asked += 1
        if self._hangs:
            await asyncio.Event().wait()
        raise StoreUnavailable("no store")

    get = put = append = delete = _fail

    async def flush(self):
        pass


@pytest.mark.parametrize("hangs", [False, True])
def test_a_store_that_is_down_costs_no_answer(place, monkeypatch, hangs, caplog):
    monkeypatch.setattr(layered, "_STORE_SECONDS", 0.02)

    async def scene(place):
        store = Down(hangs=hangs)
        cache, provider = await place.instance(store), Provider()
        assert (await ask(cache, provider))[0] == "miss"
        assert (await ask(cache, provider))[0] == "hit", "this process remembers"
        assert store.asked == 2
        assert (await ask(cache, provider, text="Ho", stream=True))[0] == "miss"

    with caplog.at_level(logging.WARNING, "patchbay"):
        place(scene)
    assert "the cache is not read: " in caplog.text and "an answer is not kept: " in caplog.text


def test_a_store_that_hangs_is_waited_for_once_in_a_while(place, monkeypatch, caplog):
    monkeypatch.setattr(layered, "_STORE_SECONDS", 0.02)
    monkeypatch.setattr(reach, "_SLOW", 0.01)

    async def scene(place):
        store = Down(hangs=True)
        cache, provider = await place.instance(store), Provider()
        for number in range(5):
            assert (await ask(cache, provider, seed=number))[0] == "miss"
        assert store.asked == 1, "neither the others' reads nor anybody's write"
        assert [(await ask(cache, provider, seed=number))[0] for number in range(5)] == ["hit"] * 5
        place.clock.advance(5)
        for number in range(5, 8):
            assert (await ask(cache, provider, seed=number))[0] == "miss"
        assert store.asked == 2

    with caplog.at_level(logging.WARNING, "patchbay"):
        place(scene)
    assert caplog.text.count("the cache is not read: ") == 2 and "not kept" not in caplog.text


def test_a_store_that_hangs_leaves_half_of_the_time_for_the_provider(place, monkeypatch):
    monkeypatch.setattr(layered, "_STORE_SECONDS", 60)

    async def scene(place):
        cache = await place.instance(Down(hangs=True))
        ticket = cache.ticket(LOCAL, request(), place.clock.monotonic() + 0.1)
        async with asyncio.timeout(5), ticket:
            assert await ticket.read() is None

    place(scene)


def test_a_place_for_blobs_that_cannot_be_opened_costs_no_answer(place):
    async def scene(place):
        cache = await place.instance()

        async def refuse():
            raise Misconfigured("no boto3")

        cache._shelf._open_blobs = refuse
        assert await ask(cache, Provider(LARGE)) == ("miss", LARGE)
        assert (await stored(place))["failed"], "no lease that others would wait for"
        assert (await ask(await place.instance(), Provider()))[0] == "miss" and place.clock.slept == []

    place(scene)


def test_blobs_are_opened_once(place):
    async def scene(place):
        cache = await place.instance()
        first, second = await asyncio.gather(cache._shelf._opened(), cache._shelf._opened())
        assert first is second

    place(scene)


def test_without_a_place_for_blobs_large_answers_stay_in_this_process(place):
    async def scene(place):
        one, two = await place.instance(open_blobs=None), await place.instance(open_blobs=None)
        provider = Provider(LARGE)
        assert [(await ask(one, provider))[0] for _ in range(2)] == ["miss", "hit"]
        assert (await stored(place))["failed"], "nothing that others could not find"
        assert [(await ask(two, provider))[0] for _ in range(2)] == ["miss", "hit"]
        assert place.clock.slept == [], "nor anything that they would wait for"
        assert await (await place.blobs()).list() == []
        small = Provider()
        assert [(await ask(cache, small, text="small"))[0] for cache in (one, two)] == ["miss", "hit"]

    place(scene)


def test_what_another_one_s_place_holds_is_a_miss_here(place):
    async def scene(place):
        assert (await ask(await place.instance(), Provider(LARGE)))[0] == "miss"
        assert (await ask(await place.instance(open_blobs=None), Provider(LARGE)))[0] == "miss"

    place(scene)


def test_who_keeps_answers_for_less_time_repeats_none_that_is_older(place):
    async def scene(place):
        one = await place.instance()
        assert (await ask(one, Provider()))[0] == "miss"
        place.clock.advance(20)
        for cache in (one.under(10, "c"), await place.instance(ttl=10)):
            assert await ask(cache, Provider(), cache="read") == ("miss", b'{"a":1}')
        assert (await ask(one, Provider()))[0] == "hit"

    place(scene)


def test_whoever_sweeps_unasked_does_so_at_once_and_every_ten_minutes(place):
    async def scene(place):
        blobs, now = await place.blobs(), int(place.clock.now())
        names = [f"cache/{now + seconds:012d}/x" for seconds in (-1, 300, 9999)]
        for name in names:
            await blobs.put(name, b"", "text/plain")
        asked, cache = await place.instance(), await place.instance(sweeps=True)
        assert asked.due == NEVER
        for rest, seconds in ((names[1:], 600), (names[2:], 600)):
            assert cache.due <= place.clock.monotonic()
            cache.sweep()
            await cache._shelf._sweeper
            assert list(await blobs.list()) == rest
            assert cache.due == place.clock.monotonic() + seconds
            place.clock.advance(seconds)

    place(scene)


def test_old_blobs_are_swept_and_nothing_else(place):
    async def scene(place):
        blobs = await place.blobs()
        for name in ("cache/read-me", "cache/1", "jobs/000000000001/x"):
            await blobs.put(name, b"", "text/plain")
        cache = await place.instance()
        await ask(cache, Provider(LARGE), text="first")
        place.clock.advance(200)
        await ask(cache, Provider(LARGE), text="second")
        await cache._shelf._sweeper
        assert len(await blobs.list("cache/0")) == 2, "nothing is over yet"
        place.clock.advance(420)
        await ask(cache, Provider(LARGE), text="third")
        await cache._shelf._sweeper
        assert list(await blobs.list("cache/0")) == [(await stored(place, text="third"))["blob"]]
        assert {"cache/read-me", "jobs/000000000001/x"} <= set(await blobs.list())

    place(scene)
