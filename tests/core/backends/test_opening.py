"""A fresh home that many open at the same moment."""

import asyncio
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from core.backends.embedded import opening
from core.backends.embedded.queue import SqliteQueue
from core.backends.embedded.sqlite import SqliteStore
from core.errors import StoreUnavailable
from tests.core.fakes import FakeClock, run

SCHEMA = "CREATE TABLE IF NOT EXISTS items (n INTEGER);"
each_kind = pytest.mark.parametrize("kind", [SqliteStore, SqliteQueue])


@each_kind
def test_a_file_that_somebody_holds_is_waited_for(kind, tmp_path):
    """Who is about to write refuses the change to WAL at once, whatever SQLite's own timeout."""

    async def scene():
        holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None, check_same_thread=False)
        holder.executescript("CREATE TABLE other (n INTEGER); BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.2, holder.close)
        mine = await kind(tmp_path / "state.db", FakeClock()).open()
        await mine.close()

    run(scene())


@each_kind
def test_not_for_ever(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_BUSY_SECONDS", 0.05)

    async def scene():
        holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await kind(tmp_path / "state.db", FakeClock()).open()
        holder.close()

    run(scene())


def test_what_no_waiting_mends_is_said_at_once(tmp_path, monkeypatch):
    (tmp_path / "state.db").write_bytes(b"no database" * 100)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        opening.connect(tmp_path / "state.db", "NORMAL", SCHEMA)


def test_threads_that_open_at_once(tmp_path):
    threads, rounds = 16, 10
    barrier = Barrier(threads)

    def work(_):
        for number in range(rounds):
            barrier.wait(20)
            opening.connect(tmp_path / f"{number}" / "state.db", "NORMAL", SCHEMA).close()

    with ThreadPoolExecutor(threads) as pool:
        assert len(list(pool.map(work, range(threads)))) == threads


PROCESS = f"""
import sys
from pathlib import Path
from core.backends.embedded.opening import connect
for line in sys.stdin:
    connect(Path(line.strip()), "FULL", {SCHEMA!r}).close()
    print("ok", flush=True)
"""


def test_processes_that_open_at_once(tmp_path):
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for _ in range(6)
    ]
    try:
        for number in range(10):
            for child in children:
                assert child.stdin is not None
                child.stdin.write(f"{tmp_path / str(number) / 'state.db'}\n")
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == "ok\n"
    finally:
        for child in children:
            child.communicate(timeout=20)
