"""Of those who ask the same at once one asks the provider, in one instance and in several."""

import asyncio
from dataclasses import replace

import pytest

from core.cache import single_flight
from core.cache.single_flight import LEASE_SECONDS, PATIENCE, Ended
from core.clock import SystemClock
from core.errors import StoreUnavailable
from core.types.caller import LOCAL
from tests.core.cache.instances import Failed, Provider, ask, at_it, request, until


def asking(count, cache, provider, **fields):
    return [asyncio.create_task(ask(cache, provider, **fields)) for _ in range(count)]


def test_sixteen_at_two_instances_are_one_call(place):
    async def scene(place):
        one, two = await place.instance(), await place.instance()
        provider = Provider(closed=True)
        tasks = asking(8, one, provider) + asking(8, two, provider)
        await until(lambda: provider.calls and at_it(one) and at_it(two))
        provider.open.set()
        answers = await asyncio.gather(*tasks)
        assert provider.calls == 1
        assert sorted(how for how, _ in answers) == ["hit"] * 15 + ["miss"]
        assert not at_it(one) and not at_it(two)

    place(scene, SystemClock())


def test_when_who_asks_leaves_the_next_one_asks(place):
    async def scene(place):
        one, two = await place.instance(), await place.instance()
        provider = Provider(closed=True)
        (leader,) = asking(1, one, provider)
        await provider.started.wait()
        tasks = asking(5, one, provider) + asking(5, two, provider)
        await until(lambda: at_it(two))
        leader.cancel()
        await until(lambda: provider.calls == 2)
        provider.open.set()
        answers = await asyncio.gather(*tasks)
        assert leader.cancelled() and provider.calls == 2
        assert sorted(how for how, _ in answers) == ["hit"] * 9 + ["miss"]

    place(scene, SystemClock())


def test_one_after_the_other_leaves(place):
    async def scene(place):
        cache, provider = await place.instance(), Provider(closed=True)
        tasks = asking(4, cache, provider)
        for number, task in enumerate(tasks[:3], 1):
            await until(lambda number=number: provider.calls == number)
            task.cancel()
        await until(lambda: provider.calls == 4)
        provider.open.set()
        assert (await tasks[3])[0] == "miss"

    place(scene, SystemClock())


def test_who_waits_may_leave(place):
    async def scene(place):
        cache, provider = await place.instance(), Provider(closed=True)
        leader, waiter, other = asking(3, cache, provider)
        await provider.started.wait()
        waiter.cancel()
        await asyncio.wait([waiter])
        provider.open.set()
        assert [(await leader)[0], (await other)[0]] == ["miss", "hit"]
        assert provider.calls == 1

    place(scene, SystemClock())


def test_when_asking_fails_the_others_ask_for_themselves(place):
    async def scene(place):
        cache, provider = await place.instance(), Provider(failures=1, closed=True)
        tasks = asking(4, cache, provider)
        await provider.started.wait()
        provider.open.set()
        with pytest.raises(Failed):
            await tasks[0]
        assert [(await one)[0] for one in tasks[1:]] == ["miss"] * 3
        assert provider.calls == 4

    place(scene, SystemClock())


def test_another_instance_does_not_wait_after_a_failure(place):
    async def scene(place):
        one, two = await place.instance(), await place.instance()
        with pytest.raises(Failed):
            await ask(one, Provider(failures=1))
        assert (await ask(two, Provider()))[0] == "miss"
        assert place.clock.slept == []

    place(scene)


def test_while_asking_fails_instances_do_not_ask_one_after_the_other(place):
    async def scene(place):
        one, two, three = [await place.instance() for _ in range(3)]
        with pytest.raises(Failed):
            await ask(one, Provider(failures=1))
        provider = Provider(closed=True)
        (slow,) = asking(1, two, provider)
        await provider.started.wait()
        assert (await ask(three, Provider()))[0] == "miss"
        assert place.clock.slept == []
        provider.open.set()
        await slow

    place(scene)


def test_what_others_wait_for_goes_on_after_a_deadline_that_was_not_theirs(place):
    async def scene(place):
        cache, provider = await place.instance(), Provider(failures=1, closed=True)
        hurried = asyncio.create_task(ask(cache, provider, seconds=5))
        await provider.started.wait()
        others = asking(3, cache, provider)
        await asyncio.sleep(0)
        place.clock.advance(5)
        provider.open.set()
        with pytest.raises(Failed):
            await hurried
        assert sorted([(await one)[0] for one in others]) == ["hit", "hit", "miss"]
        assert provider.calls == 2

    place(scene)


class TestLeases:
    async def _left_by_a_dead_process(self, place):
        dead = await place.instance()
        key = dead.ticket(LOCAL, request(), 0)._key
        lease = dead.lease(key)
        assert await lease.take() is None and lease.held
        return dead, key

    def test_one_of_a_dead_process_runs_out(self, place):
        async def scene(place):
            dead, key = await self._left_by_a_dead_process(place)
            place.clock.advance(3)
            cache, provider = await place.instance(), Provider(closed=True)
            task = asyncio.create_task(ask(cache, provider))
            await provider.started.wait()
            assert LEASE_SECONDS - 3 <= sum(place.clock.slept) <= LEASE_SECONDS - 1
            assert (await dead.look(key))["owner"] == cache._owner, "who comes next waits for this one"
            provider.open.set()
            assert (await task)[0] == "miss"
            assert "owner" not in await dead.look(key)

        place(scene)

    def test_one_of_who_is_at_work_is_renewed(self, place, monkeypatch):
        monkeypatch.setattr(single_flight, "_RENEW_SECONDS", 0.01)

        async def scene(place):
            one, two = await place.instance(), await place.instance()
            provider = Provider(closed=True)
            (leader,) = asking(1, one, provider)
            await provider.started.wait()
            key = one.ticket(LOCAL, request(), 0)._key
            for _ in range(5):
                place.clock.advance(LEASE_SECONDS - 1)
                least = place.clock.now() + LEASE_SECONDS
                while (await two.look(key))["exp"] < least:  # noqa: ASYNC110 - nothing rings at a renewal
                    await asyncio.sleep(0.002)
            provider.open.set()
            assert (await leader)[0] == "miss"
            assert (await ask(two, Provider()))[0] == "hit", "and no renewal has come over the answer"

        place(scene)

    def test_a_renewal_under_way_does_not_undo_what_comes_after_it(self, place, monkeypatch):
        monkeypatch.setattr(single_flight, "_RENEW_SECONDS", 0.0)

        async def scene(place):
            store = await place.store()
            one, two = await place.instance(store), await place.instance()
            lease = one.lease(key := one.ticket(LOCAL, request(), 0)._key)
            await lease.take()
            put, waits, go_on = store.put, asyncio.Event(), asyncio.Event()

            async def slow(*arguments):
                waits.set()
                await go_on.wait()
                await put(*arguments)

            store.put = slow
            await waits.wait()
            store.put = put
            giving = asyncio.create_task(lease.give_back(failed=True))
            await asyncio.sleep(0)
            go_on.set()
            await asyncio.gather(giving, lease._renewal)
            assert (await two.look(key))["failed"]

        place(scene)

    def test_nobody_waits_longer_than_half_of_his_time(self, place):
        async def scene(place):
            await self._left_by_a_dead_process(place)
            cache, provider = await place.instance(), Provider()
            assert (await ask(cache, provider, seconds=4))[0] == "miss"
            assert sum(place.clock.slept) == pytest.approx(2)

        place(scene)

    def test_waiting_here_and_there_share_one_half(self, place):
        async def scene(place):
            await self._left_by_a_dead_process(place)
            cache, provider = await place.instance(), Provider()
            key = cache.ticket(LOCAL, request(), 0)._key
            assert cache.flights.lead(key)
            waiter = asyncio.create_task(ask(cache, provider, seconds=10))
            await asyncio.sleep(0)
            place.clock.advance(4)
            cache.flights.end(key, Ended.ABANDONED)
            assert (await waiter)[0] == "miss"
            assert sum(place.clock.slept) == pytest.approx(1)

        place(scene)

    def test_a_waiter_in_the_same_instance_waits_no_longer_than_half_of_his_time(self, place):
        async def scene(place):
            cache, provider = await place.instance(), Provider(closed=True)
            (leader,) = asking(1, cache, provider)
            await provider.started.wait()
            quick = Provider()
            assert (await ask(cache, quick, seconds=0.02))[0] == "miss"
            assert quick.calls == 1
            provider.open.set()
            await leader

        place(scene, SystemClock())

    def test_one_that_ran_out_is_not_given_back_for_its_next_holder(self, place):
        async def scene(place):
            dead, key = await self._left_by_a_dead_process(place)
            old = dead.lease(key)
            old.held = True
            place.clock.advance(LEASE_SECONDS + 1)
            cache, provider = await place.instance(), Provider(closed=True)
            task = asyncio.create_task(ask(cache, provider))
            await provider.started.wait()
            for failed in (True, False):
                await old.give_back(failed=failed)
                assert (await dead.look(key))["owner"] == cache._owner
            provider.open.set()
            await task
            for failed in (True, False):
                await old.give_back(failed=failed)
                assert "owner" not in await dead.look(key), "nor the answer"

        place(scene)

    def test_streams_neither_wait_nor_make_wait(self, place):
        async def scene(place):
            one, two = await place.instance(), await place.instance()
            provider = Provider(closed=True)
            streams = asking(2, one, provider, stream=True)
            await until(lambda: provider.calls == 2)
            assert (await ask(two, quick := Provider()))[0] == "miss"
            assert quick.calls == 1 and place.clock.slept == []
            provider.open.set()
            await asyncio.gather(*streams)

        place(scene)

    def test_a_clock_that_is_far_ahead_makes_nobody_wait_for_ever(self, place):
        async def scene(place):
            ahead = await place.instance()
            key = ahead.ticket(LOCAL, request(), 0)._key
            store = await place.store()
            await store.put(
                {"pk": f"CACHE#{key}", "sk": "A", "v": 1, "owner": "x", "exp": int(place.clock.now()) + 10**7}
            )
            cache, provider = await place.instance(), Provider()
            assert (await ask(cache, provider))[0] == "miss"
            assert sum(place.clock.slept) == pytest.approx(PATIENCE)
            assert (await ask(await place.instance(), Provider()))[0] == "hit", "its answer has replaced the lease"

        place(scene)


def test_a_lease_that_may_have_been_taken_is_given_back(place):
    """The write was done, and its answer was lost."""

    async def scene(place):
        store = await place.store()
        cache = await place.instance(store)
        put = store.put

        async def lost(*arguments):
            await put(*arguments)
            store.put = put
            raise StoreUnavailable("the answer was lost")

        store.put = lost
        provider = Provider(failures=1)
        with pytest.raises(Failed):
            await ask(cache, provider)
        two = await place.instance()
        assert (await ask(two, Provider()))[0] == "miss" and place.clock.slept == []

    place(scene)


def test_two_requests_with_different_options_are_two_flights(place):
    async def scene(place):
        cache, provider = await place.instance(), Provider(closed=True)
        tasks = [asyncio.create_task(ask(cache, provider, seed=seed)) for seed in (1, 2)]
        other = replace(LOCAL, project="other")
        tasks.append(asyncio.create_task(ask(cache, provider, seed=1, caller=other)))
        await until(lambda: provider.calls == 3)
        provider.open.set()
        assert [how for how, _ in await asyncio.gather(*tasks)] == ["miss"] * 3

    place(scene)
