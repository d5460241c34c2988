"""What only SQLite has: a window, processes that share a file, disks; what was promised survives a kill."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import orjson
import pytest

from core.backends.embedded.sqlite import SqliteStore
from core.backends.ports import Change, When
from core.errors import StoreUnavailable
from tests.core.fakes import FakeClock, run

WINDOW = 0.05  # seconds within which an append is durable


@asynccontextmanager
async def opened(path, clock=None):
    store = await SqliteStore(path / "state.db", clock or FakeClock()).open()
    try:
        yield store
    finally:
        await asyncio.wait_for(store.close(), 5)


def item(sk, pk="a", **more):
    return {"pk": pk, "sk": sk, **more}


HEAD = """
import asyncio, os, resource, sys, time
from pathlib import Path
from core.backends.embedded.sqlite import SqliteStore
from core.backends.ports import Change, ConditionFailed, When
from core.clock import SystemClock
from core.errors import StoreUnavailable

def store():
    return SqliteStore(Path(sys.argv[1]) / "state.db", SystemClock())
"""
BEGINNER = """
async def main():
    mine = await store().open()
    await mine.put({"pk": "a", "sk": str(os.getpid())})
    await mine.close()
    print("ok")
"""
APPENDER = """
async def main():
    mine, number = await store().open(), 0
    while True:
        await mine.append({"pk": "a", "sk": f"{number:06}", "text": "x" * 200})
        print(number, time.time(), flush=True)
        number += 1
        await asyncio.sleep(0.001)
"""
# A limit on the size of files is the nearest thing to a full disk that needs no disk.
FULL_DISK = """
async def main():
    import logging
    logging.getLogger("patchbay").disabled = True
    mine = await store().open()
    await mine.append({"pk": "a", "sk": "before"})
    await mine.flush()
    wal = os.path.getsize(sys.argv[1] + "/state.db-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal, resource.RLIM_INFINITY))
    for number in range(100):
        await mine.append({"pk": "a", "sk": f"during{number:03}", "text": "x" * 1000})
    await asyncio.sleep(0.1)
    try:
        await mine.put({"pk": "a", "sk": "refused"})
        print("put: no error")
    except StoreUnavailable as error:
        print("put:", error.message.lower())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await mine.append({"pk": "a", "sk": "later"})
    print("kept:", len(await mine.query("a", "during", limit=200)))
    print("others:", [one["sk"] for one in await mine.query("a", limit=200) if not one["sk"].startswith("during")])
    await mine.close()
"""


def child(script, path):
    return subprocess.Popen(
        [sys.executable, "-c", HEAD + script + "\nasyncio.run(main())\n", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.getcwd(),  # noqa: PTH109 - the repository's root, where core is
    )


class TestProcesses:
    def test_processes_can_begin_at_the_same_moment(self, tmp_path):
        lines = [process.communicate(timeout=50)[0] for process in [child(BEGINNER, tmp_path) for _ in range(4)]]
        assert [line.strip() for line in lines] == ["ok"] * 4


class TestDurability:
    def test_appends_older_than_the_window_survive_a_kill(self, tmp_path):
        process = child(APPENDER, tmp_path)
        assert process.stdout is not None
        with process.stdout:
            printed = [process.stdout.readline().split() for _ in range(300)]
            killed = time.time()
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        due = [int(number) for number, at in printed if float(at) < killed - WINDOW]
        assert len(due) > 50

        async def kept():
            async with opened(tmp_path) as store:
                return {int(one["sk"]) for one in await store.query("a", limit=10_000)}

        assert set(due) <= run(kept())

    def test_what_was_put_survives_a_kill_at_once(self, tmp_path):
        script = """
async def main():
    mine = await store().open()
    for number in range(100):
        await mine.put({"pk": "a", "sk": str(number)})
    os.kill(os.getpid(), 9)
"""
        process = child(script, tmp_path)
        process.communicate(timeout=20)
        assert process.returncode == -signal.SIGKILL

        async def kept():
            async with opened(tmp_path) as store:
                return len(await store.query("a", limit=200))

        assert run(kept()) == 100

    def test_a_full_disk_loses_nothing_and_says_so(self, tmp_path):
        lines = child(FULL_DISK, tmp_path).communicate(timeout=30)[0].splitlines()
        assert lines[0].startswith("put: ")
        assert "disk" in lines[0]
        assert lines[1:] == ["kept: 100", "others: ['before', 'later']"]


class TestEnds:
    def test_a_place_that_cannot_be_written_is_said_at_once(self, tmp_path):
        (tmp_path / "state.db").mkdir()

        async def scene():
            async with opened(tmp_path):
                pass

        with pytest.raises(StoreUnavailable, match=r"state\.db"):
            run(scene(), 5)

    def test_a_file_that_is_no_database_is_said_at_once(self, tmp_path):
        (tmp_path / "state.db").write_bytes(b"hello " * 1000)

        async def scene():
            async with opened(tmp_path):
                pass

        with pytest.raises(StoreUnavailable):
            run(scene(), 5)

    def test_the_folder_is_made(self, tmp_path):
        async def scene():
            async with opened(tmp_path / "deep" / "er") as store:
                await store.put(item("1"))
                return await store.get("a", "1")

        assert run(scene()) == item("1")

    @pytest.mark.parametrize(
        "act",
        [
            lambda store: store.put(item("1", bad={1, 2})),
            lambda store: store.put(item("1", big=2**70)),
            lambda store: store.put({"pk": "a"}),
            lambda store: store.append(item("1", bad=object())),
            lambda store: store.update("a", "0", Change(add={"text": 1})),
            lambda store: store.update("a", "0", Change(), When(at_least={"text": 1})),
            lambda store: store.update("a", "0", Change(), When(below={"text": 1})),
        ],
    )
    def test_a_callers_mistake_fails_its_own_call_alone(self, tmp_path, act, caplog):
        async def scene():
            async with opened(tmp_path) as store:
                await store.put(item("0", text="words"))
                mistake = await asyncio.gather(asyncio.wait_for(act(store), 1), return_exceptions=True)
                await asyncio.wait_for(store.put(item("2")), 1)
                return mistake[0], await asyncio.wait_for(store.query("a"), 1)

        with caplog.at_level(logging.CRITICAL):
            mistake, kept = run(scene())
        assert isinstance(mistake, Exception)
        assert not isinstance(mistake, TimeoutError)
        assert kept == [item("0", text="words"), item("2")]


def test_the_document_is_json(tmp_path):
    """Whoever opens the file with another tool can read it."""
    import sqlite3

    async def scene():
        async with opened(tmp_path) as store:
            await store.put(item("1", n=1))

    run(scene())
    db = sqlite3.connect(tmp_path / "state.db")
    rows = db.execute("SELECT pk, sk, doc FROM items").fetchall()
    db.close()
    assert [(pk, sk, orjson.loads(doc)) for pk, sk, doc in rows] == [("a", "1", item("1", n=1))]
