"""What only the embedded queue has: leases, a worker and its end, processes that share a file and are killed."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from core.backends.embedded.queue import SqliteQueue
from core.backends.embedded.worker import Worker
from core.backends.ports import Done, Poison
from core.clock import SystemClock
from core.errors import StoreUnavailable
from tests.core.backends.queues import MOST, Embedded, consumer, idle, until, working
from tests.core.fakes import HandClock, run

LEASE = 30.0


class Scene:
    """One file, one clock, and as many queues and workers on them as a test wants."""

    def __init__(self, home):
        self.clock = HandClock()
        self.place = Embedded(home)
        self.file = home / "queue.db"
        self._queues = []

    async def queue(self):
        self._queues.append(await SqliteQueue(self.file, self.clock).open())
        return self._queues[-1]

    async def worker(self, handler, queue=None, **options):
        return Worker(queue or await self.queue(), consumer(handler), self.clock, lease=LEASE, **options)

    async def close(self):
        for queue in self._queues:
            await queue.close()


@pytest.fixture
def use(tmp_path):
    def work(act):
        async def acts():
            scene = Scene(tmp_path)
            try:
                return await act(scene)
            finally:
                await scene.close()

        return run(acts())

    return work


class Gate:
    """A handler that waits inside until the test opens it."""

    def __init__(self):
        self.inside = []
        self.most = 0
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()
        self.ended = []

    async def __call__(self, message):
        self.inside.append(message)
        self.most = max(self.most, len(self.inside))
        self.entered.set()
        try:
            await self.opened.wait()
        finally:
            self.inside.remove(message)
        self.ended.append(message)
        return Done()


def taken(queue, count=10):
    return queue.take(count, LEASE, MOST)


def test_what_was_sent_here_is_handled_without_waiting(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue)
        async with working(worker):
            await idle(worker, scene.clock)
            await queue.send({"n": 1})
            await gate.entered.wait()  # the clock stands
            gate.opened.set()

    use(act)


def test_what_another_process_sent_is_found_within_a_second(use):
    async def act(scene):
        gate, other = Gate(), await scene.queue()
        worker = await scene.worker(gate)
        async with working(worker):
            await idle(worker, scene.clock)
            await other.send({"n": 1})
            await idle(worker, scene.clock)
            assert not gate.entered.is_set()
            scene.clock.advance(1)
            await gate.entered.wait()
            gate.opened.set()

    use(act)


def test_it_wakes_when_the_next_is_due(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue)
        await queue.send({"n": 1}, delay=1)
        async with working(worker):
            scene.clock.advance(0.75)
            await idle(worker, scene.clock)
            scene.clock.advance(0.25)
            await gate.entered.wait()
            gate.opened.set()

    use(act)


def test_no_more_at_once_than_it_may(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue, at_once=3)
        await queue.send(*({"n": number} for number in range(20)))
        async with working(worker):
            await until(lambda: len(gate.inside) == 3)
            rest = await taken(queue, 20)
            assert len(rest) == 17
            for one in rest:
                await queue.release(one)
            gate.opened.set()
            await idle(worker, scene.clock)
        assert gate.most == 3
        assert [message.body["n"] for message in gate.ended] == list(range(20))

    use(act)


def test_a_lease_is_renewed_while_its_message_is_handled(use):
    async def act(scene):
        gate, queue, other = Gate(), await scene.queue(), await scene.queue()
        worker = await scene.worker(gate, queue)
        await queue.send({"n": 1})
        async with working(worker):
            await gate.entered.wait()
            for _ in range(20):
                before = await queue.next_due()
                scene.clock.advance(LEASE / 3)
                while await queue.next_due() == before:
                    pass
                assert await taken(other) == []
            gate.opened.set()
            await idle(worker, scene.clock)
        assert len(gate.ended) == 1
        assert scene.place.left() == 0

    use(act)


def test_what_a_dead_worker_had_comes_back_when_its_lease_ends(use):
    async def act(scene):
        dead, queue = await scene.queue(), await scene.queue()
        await queue.send({"n": 1})
        (lost,) = await taken(dead)
        scene.clock.advance(LEASE - 1)
        assert await taken(queue) == []
        scene.clock.advance(1)
        (found,) = await taken(queue)
        assert (found.message.body, found.message.attempt) == ({"n": 1}, 2)
        # Who comes too late is told so, and harms nothing.
        assert not await dead.settle(lost, Done())
        assert not await dead.settle(lost, Poison("late"))
        await dead.extend([lost], 1000)
        await dead.release(lost)
        assert await queue.settle(found, Done())
        assert (scene.place.left(), scene.place.dead()) == (0, [])

    use(act)


def test_who_handled_it_after_its_lease_says_so(use, caplog):
    async def act(scene):
        gate, queue, other = Gate(), await scene.queue(), await scene.queue()
        worker = await scene.worker(gate, queue, at_once=1)
        await queue.send({"n": 1})
        running = asyncio.create_task(worker.run())
        await gate.entered.wait()
        scene.clock.at += LEASE  # without its beats: a laptop that slept
        (again,) = await taken(other)
        gate.opened.set()
        worker.stop()
        await running
        assert scene.place.left() == 1
        assert await other.settle(again, Done())

    use(act)
    assert "may be handled twice" in caplog.text


def test_after_a_sleep_it_does_not_take_what_it_still_has(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue)
        await queue.send({"n": 1})
        async with working(worker):
            await gate.entered.wait()
            await until(lambda: len(scene.clock.sleepers) == 2)  # it looked for more and found none
            scene.clock.at += LEASE * 10
            await queue.send({"n": 2})
            await until(lambda: len(gate.inside) == 2)
            gate.opened.set()
            await idle(worker, scene.clock)
        assert sorted(message.body["n"] for message in gate.ended) == [1, 2]
        assert scene.place.left() == 0

    use(act)


def test_a_message_that_kills_every_worker_is_dead_in_the_end(use):
    async def act(scene):
        queue = await scene.queue()
        await queue.send({"n": 1}, {"n": 2})
        for _ in range(MOST):
            both = {one.message.body["n"]: one for one in await taken(queue)}
            assert set(both) == {1, 2}
            await queue.release(both[2])
            scene.clock.advance(LEASE)
        (rest,) = await taken(queue)
        assert rest.message.body == {"n": 2}
        assert rest.message.attempt == 1
        ((body, reason, attempts),) = scene.place.dead()
        assert (body, attempts) == ({"n": 1}, MOST)
        assert "stopped, was killed or hung" in reason

    use(act)


def test_a_stop_waits_for_what_is_in_hand(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue, at_once=1)
        await queue.send({"n": 1}, {"n": 2})
        running = asyncio.create_task(worker.run())
        await gate.entered.wait()
        worker.stop()
        await asyncio.sleep(0)
        gate.opened.set()
        await running
        assert [message.body for message in gate.ended] == [{"n": 1}]
        assert [one.message.body for one in await taken(queue)] == [{"n": 2}]

    use(act)


@pytest.mark.parametrize("how", ["stop", "cancel"])
def test_what_does_not_end_in_time_is_given_back_at_once(use, how):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        worker = await scene.worker(gate, queue)
        await queue.send({"n": 1})
        running = asyncio.create_task(worker.run(grace=0))
        await gate.entered.wait()
        if how == "stop":
            worker.stop()
            await running
        else:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert gate.ended == []
        (again,) = await taken(queue)
        assert (again.message.body, again.message.attempt) == ({"n": 1}, 1)

    use(act)


def test_a_store_that_fails_for_a_moment_does_not_end_the_worker(use, caplog, monkeypatch):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        gate.opened.set()
        worker = await scene.worker(gate, queue)
        with contextlib.closing(sqlite3.connect(scene.file, isolation_level=None)) as db:
            db.execute("ALTER TABLE messages RENAME TO elsewhere")
            async with working(worker):
                await idle(worker, scene.clock)
                with pytest.raises(StoreUnavailable, match=r"queue\.db: no such table"):
                    await queue.send({"n": 1})
                db.execute("ALTER TABLE elsewhere RENAME TO messages")
                await queue.send({"n": 2})
                await gate.entered.wait()
                await idle(worker, scene.clock)
        assert [message.body for message in gate.ended] == [{"n": 2}]

    use(act)
    assert "no message could be taken" in caplog.text


def test_what_is_no_json_is_dead(use):
    async def act(scene):
        gate, queue = Gate(), await scene.queue()
        scene.place.leave("{half", 1)
        worker = await scene.worker(gate, queue)
        async with working(worker):
            await idle(worker, scene.clock)
        assert gate.ended == []
        with contextlib.closing(sqlite3.connect(scene.file)) as db:
            assert db.execute("SELECT body, reason FROM dead").fetchall() == [(b"{half", "its body is no JSON object")]

    use(act)


def test_dead_letters_are_kept_for_two_weeks(use):
    async def act(scene):
        queue = await scene.queue()
        for number, wait in enumerate((86_400 * 13, 86_400, 1)):
            await queue.send({"n": number})
            (one,) = await taken(queue)
            await queue.settle(one, Poison(f"{number}"))
            scene.clock.advance(wait)
        assert [reason for _, reason, _ in scene.place.dead()] == ["0", "1", "2"]
        scene.clock.advance(10)
        await queue.send({"n": 3})
        (one,) = await taken(queue)
        await queue.settle(one, Poison("3"))
        assert [reason for _, reason, _ in scene.place.dead()] == ["1", "2", "3"]

    use(act)


def test_they_come_in_about_the_order_they_were_sent(use):
    async def act(scene):
        queue = await scene.queue()
        for number in range(30):
            await queue.send({"n": number})
        assert [one.message.body["n"] for one in await taken(queue, 30)] == list(range(30))

    use(act)


def test_a_place_that_cannot_be_says_so(tmp_path):
    (tmp_path / "home").write_text("a file")

    async def act():
        await SqliteQueue(tmp_path / "home" / "queue.db", HandClock()).open()

    with pytest.raises(StoreUnavailable, match=r"messages cannot be kept in .*queue\.db"):
        run(act())


def test_only_its_owner_reads_it(use):
    async def act(scene):
        await scene.queue()
        assert scene.file.stat().st_mode & 0o077 == 0

    use(act)


# Each process sends its share and works; whoever is the first to meet the last message dies in the middle of it.
PROCESS = """
import asyncio, os, signal, sys
from pathlib import Path
from core.backends.embedded.queue import SqliteQueue
from core.backends.embedded.worker import Worker
from core.backends.messages import Consumer
from core.backends.ports import Done
from core.clock import SystemClock, seeded

folder, mine = Path(sys.argv[1]), sys.argv[2]
book = os.open(folder / "book", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

async def handler(message):
    if message.body["n"] == "kill" and message.attempt == 1:
        os.write(book, b"killed\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    os.write(book, f"{message.body['of']} {message.body['n']}\\n".encode())
    return Done()

async def main():
    queue = await SqliteQueue(folder / "queue.db", SystemClock()).open()
    worker = Worker(queue, Consumer(handler, seeded(), 20), SystemClock(), lease=0.5)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
    running = asyncio.create_task(worker.run())
    for number in range(40):
        await queue.send({"of": mine, "n": number})
    os.write(book, f"{mine} sent\\n".encode())
    await running
    await queue.close()

asyncio.run(main())
"""


def test_processes_share_it_and_what_a_killed_one_had_comes_back(tmp_path):
    book = tmp_path / "book"
    book.touch()
    started = [subprocess.Popen([sys.executable, "-c", PROCESS, tmp_path, str(number)]) for number in range(4)]

    def written(wanted):
        end = time.monotonic() + 25
        while missing := wanted - set(book.read_text().splitlines()):
            assert time.monotonic() < end, sorted(missing)
            time.sleep(0.01)

    async def send_the_last():
        queue = await SqliteQueue(tmp_path / "queue.db", SystemClock()).open()
        await queue.send({"of": "parent", "n": "kill"})
        await queue.close()

    try:
        written({f"{number} sent" for number in range(4)})
        run(send_the_last())
        written({f"{process} {number}" for process in range(4) for number in range(40)} | {"killed", "parent kill"})
    finally:
        for one in started:
            if one.poll() is None:
                os.kill(one.pid, signal.SIGTERM)
        codes = sorted(one.wait(20) for one in started)
    assert codes == [-signal.SIGKILL, 0, 0, 0]
    assert book.read_text().splitlines().count("killed") == 1
    assert (Embedded(tmp_path).left(), Embedded(tmp_path).dead()) == (0, [])
