"""Places for live sessions: how many, in which order, and what becomes of those who wait."""

import asyncio
import threading

import pytest

from core.errors import SessionsFull, Stopping
from core.net.sessions import Sessions


async def waiting(sessions, count, order):
    """So many who wait; each says when its turn has come."""

    async def one(name):
        await sessions.enter()
        order.append(name)

    tasks = [asyncio.create_task(one(name)) for name in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


def test_turns_come_in_order_and_who_left_takes_none():
    async def scenario():
        sessions = Sessions(1)
        order: list[int] = []
        await sessions.enter()
        tasks = await waiting(sessions, 4, order)
        tasks[1].cancel()
        for _ in range(3):
            assert sessions.running == 1
            sessions.leave()
            for _ in range(3):
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        return order, sessions.running

    assert asyncio.run(scenario()) == ([0, 2, 3], 1)


def test_who_leaves_as_its_turn_comes_gives_it_on():
    async def scenario():
        sessions = Sessions(1)
        order: list[int] = []
        await sessions.enter()
        tasks = await waiting(sessions, 2, order)
        sessions.leave()  # the first's turn, which it has not seen yet
        tasks[0].cancel()
        await asyncio.wait(tasks)
        return order, sessions.running

    assert asyncio.run(scenario()) == ([1], 1)


def test_bounds_may_change_while_sessions_run():
    async def scenario():
        sessions = Sessions(1)
        order: list[int] = []
        await sessions.enter()
        tasks = await waiting(sessions, 2, order)
        sessions.adjust(2, "refuse")
        await asyncio.wait(tasks[:1])
        with pytest.raises(SessionsFull):
            await Sessions.enter(Sessions(0, "refuse"))
        sessions.leave()
        await asyncio.wait(tasks)
        with pytest.raises(SessionsFull):
            await sessions.enter()
        return order, sessions.running

    assert asyncio.run(scenario()) == ([0, 1], 2)


def test_those_with_more_threads_are_fewer():
    async def scenario():
        sessions = Sessions(10)
        order: list[int] = []
        for _ in range(8):
            await sessions.enter(3)
        tasks = await waiting(sessions, 2, order)
        long = asyncio.create_task(sessions.enter(3))
        await asyncio.wait(tasks[:1])
        before = sessions.running, long.done()
        sessions.leave(3)
        await asyncio.gather(*tasks, asyncio.sleep(0))
        sessions.leave(2)
        await long
        return before, sessions.running

    assert asyncio.run(scenario()) == ((9, False), 9)


def test_a_place_is_free_when_what_ends_it_is_through():
    async def scenario():
        sessions, go = Sessions(1), threading.Event()
        await sessions.enter()

        def end() -> None:
            go.wait(10)

        sessions.end(end)
        before = sessions.running
        go.set()
        await sessions.close()
        return before, sessions.running

    assert asyncio.run(scenario()) == (1, 0)


def test_an_ending_that_fails_is_told_and_frees_its_place():
    async def scenario():
        told: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))
        sessions = Sessions(1)
        await sessions.enter()

        def end() -> None:
            raise RuntimeError

        sessions.end(end)
        await sessions.close()
        await asyncio.sleep(0)
        return told, sessions.running

    assert asyncio.run(scenario()) == (["a live session could not be ended"], 0)


def test_who_waits_when_it_closes_is_told():
    async def scenario():
        sessions = Sessions(1)
        await sessions.enter()
        tasks = await waiting(sessions, 2, [])
        await sessions.close()
        return await asyncio.gather(*tasks, return_exceptions=True)

    assert [type(one) for one in asyncio.run(scenario())] == [Stopping, Stopping]


def test_a_forked_process_gets_threads_of_its_own(monkeypatch):
    sessions = Sessions()
    first = sessions._threads()
    assert sessions._threads() is first
    monkeypatch.setattr("os.getpid", lambda: 1)
    second = sessions._threads()
    assert second is not first
    for pool in (*first, *second):
        pool.shutdown()
