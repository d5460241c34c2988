"""The Store on one SQLite file. All statements run on one thread, which commits what it is given in batches."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import orjson

from core.backends.embedded.opening import connect
from core.backends.ports import ALWAYS, Change, ConditionFailed, Item, When
from core.clock import Clock
from core.errors import StoreUnavailable

T = TypeVar("T")
Row = tuple[str, str, int | None, bytes]

log = logging.getLogger("patchbay")

# Documents lie in order of arrival: a table ordered by key would split a page for every other item.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    pk TEXT NOT NULL, sk TEXT NOT NULL, exp INTEGER, doc BLOB NOT NULL, UNIQUE (pk, sk)
);
CREATE INDEX IF NOT EXISTS items_exp ON items (exp) WHERE exp IS NOT NULL;
"""
_PUT = """
INSERT INTO items (pk, sk, exp, doc) VALUES (?, ?, ?, ?)
ON CONFLICT (pk, sk) DO UPDATE SET exp = excluded.exp, doc = excluded.doc
"""
# One statement for many rows: each statement hands the GIL over, and takes it back from a busy loop.
_BLOCK = 32
_PUT_BLOCK = _PUT.replace("(?, ?, ?, ?)", ", ".join(["(?, ?, ?, ?)"] * _BLOCK))
_WINDOW = 0.02  # seconds that appends gather; with the commit it stays below the promised 50 ms
_PAUSE = 1.0  # seconds before the next try after a write that failed
_SWEEP_SECONDS = 600
_MAX_BACKLOG = 50_000  # appends kept in memory while the disk is full
_STOP = object()


class SqliteStore:
    """Reads wait for what was appended before them, so everybody reads their own writes."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="patchbay-sqlite", daemon=True)
        self._appends: deque[Row] = deque()  # filled by the loop, emptied by the thread; both ends are atomic
        self._ringing = False
        self._closed = False
        self._failure: sqlite3.Error | None = None

    async def open(self) -> "SqliteStore":
        try:
            self._db = await asyncio.to_thread(self._connect)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"state cannot be kept in {self._path}: {error}") from error
        self._thread.start()
        return self

    async def append(self, item: Item) -> None:
        if self._closed:
            raise StoreUnavailable("the state store is closed")
        if len(self._appends) >= _MAX_BACKLOG:
            raise StoreUnavailable(f"state cannot be written to {self._path}: {self._failure}")
        self._appends.append(_row(item))
        if not self._ringing:
            self._ringing = True
            self._queue.put(None)

    async def get(self, pk: str, sk: str) -> Item | None:
        return await self._run(lambda db: self._get(db, pk, sk))

    async def put(self, item: Item, when: When = ALWAYS) -> None:
        def work(db: sqlite3.Connection) -> None:
            self._check(self._get(db, item["pk"], item["sk"]) if when is not ALWAYS else None, when)
            db.execute(_PUT, _row(item))

        await self._run(work)

    async def update(self, pk: str, sk: str, change: Change, when: When = ALWAYS) -> Item:
        def work(db: sqlite3.Connection) -> Item:
            old = self._get(db, pk, sk)
            self._check(old, when)
            new = {**(old or {"pk": pk, "sk": sk}), **change.set}
            for name, amount in change.add.items():
                new[name] = new.get(name, 0) + amount
            db.execute(_PUT, _row(new))
            return new

        return await self._run(work)

    async def delete(self, pk: str, sk: str, when: When = ALWAYS) -> None:
        def work(db: sqlite3.Connection) -> None:
            self._check(self._get(db, pk, sk) if when is not ALWAYS else None, when)
            db.execute("DELETE FROM items WHERE pk = ? AND sk = ?", (pk, sk))

        await self._run(work)

    async def query(
        self,
        pk: str,
        prefix: str = "",
        *,
        limit: int = 100,
        newest_first: bool = False,
        after: str | None = None,
    ) -> Sequence[Item]:
        order, beyond = ("DESC", "<") if newest_first else ("ASC", ">")
        sql = "SELECT doc FROM items WHERE pk = ? AND sk >= ? AND sk < ? AND (exp IS NULL OR exp > ?)"
        values: list[Any] = [pk, prefix, prefix + "\U0010ffff", int(self._clock.now())]
        if after is not None:
            sql += f" AND sk {beyond} ?"
            values.append(after)
        sql += f" ORDER BY sk {order} LIMIT ?"
        rows = await self._run(lambda db: db.execute(sql, [*values, limit]).fetchall())
        return [orjson.loads(doc) for (doc,) in rows]

    async def flush(self) -> None:
        await self._run(_nothing)

    async def close(self) -> None:
        if self._closed or not self._thread.is_alive():
            return
        await self.flush()
        self._closed = True
        self._queue.put(_STOP)
        await asyncio.to_thread(self._thread.join)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the state store is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put((work, future, loop))
        return await future

    def _get(self, db: sqlite3.Connection, pk: str, sk: str) -> Item | None:
        row = db.execute("SELECT exp, doc FROM items WHERE pk = ? AND sk = ?", (pk, sk)).fetchone()
        if row is None or (row[0] is not None and row[0] <= self._clock.now()):
            return None
        item: Item = orjson.loads(row[1])
        return item

    @staticmethod
    def _check(item: Item | None, when: When) -> None:
        if not when.holds(item):
            raise ConditionFailed(item)

    def _work(self) -> None:
        """The thread: one statement at a time, one commit for all appends that gathered."""
        db = self._db
        swept = 0.0
        while (job := self._queue.get()) is not _STOP:
            job = job or self._gather()
            if job is _STOP:
                break
            self._write_appends(db)
            if job is not None:
                self._answer(db, *job)
            if time.monotonic() - swept > _SWEEP_SECONDS:
                swept = time.monotonic()
                self._guard(lambda: db.execute("DELETE FROM items WHERE exp <= ?", (int(self._clock.now()),)))
        self._write_appends(db)
        db.close()

    def _connect(self) -> sqlite3.Connection:
        # WAL with NORMAL survives the death of the process; only a power cut may cost the last commits.
        return connect(self._path, "NORMAL", _SCHEMA)

    def _gather(self) -> Any:
        """Let more appends come; a read or a conditional write cuts the wait short."""
        try:
            return self._queue.get(timeout=_PAUSE if self._failure else _WINDOW)
        except Empty:
            return None

    def _write_appends(self, db: sqlite3.Connection) -> None:
        self._ringing = False
        rows = [self._appends.popleft() for _ in range(len(self._appends))]
        if rows:
            self._failure = self._guard(lambda: self._transaction(db, lambda: _insert(db, rows)))
            if self._failure is not None:
                log.error("state cannot be written to %s: %s; %d items wait", self._path, self._failure, len(rows))
                self._appends.extendleft(reversed(rows))
                self._ringing = True
                self._queue.put(None)  # tried again after a pause, whether or not more comes

    @staticmethod
    def _guard(work: Callable[[], object]) -> sqlite3.Error | None:
        try:
            work()
        except sqlite3.Error as error:
            return error
        return None

    @staticmethod
    def _transaction(db: sqlite3.Connection, work: Callable[[], T]) -> T:
        db.execute("BEGIN IMMEDIATE")
        try:
            value = work()
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return value

    def _answer(
        self,
        db: sqlite3.Connection,
        work: Callable[[sqlite3.Connection], T],
        future: "asyncio.Future[T]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        def deliver(value: T | None, error: Exception | None) -> None:
            if future.done():
                return  # the caller left
            if error is None:
                future.set_result(value)  # type: ignore[arg-type] # None comes only with an error
            else:
                future.set_exception(error)

        try:
            value = self._transaction(db, lambda: work(db))
        except ConditionFailed as refusal:
            loop.call_soon_threadsafe(deliver, None, refusal)
        except sqlite3.Error as error:
            loop.call_soon_threadsafe(deliver, None, StoreUnavailable(f"{self._path}: {error}"))
        except Exception as mistake:  # noqa: BLE001 - the caller's own, and not the thread's end
            loop.call_soon_threadsafe(deliver, None, mistake)
        else:
            loop.call_soon_threadsafe(deliver, value, None)


def _insert(db: sqlite3.Connection, rows: list[Row]) -> None:
    whole = len(rows) - len(rows) % _BLOCK
    for start in range(0, whole, _BLOCK):
        db.execute(_PUT_BLOCK, [value for row in rows[start : start + _BLOCK] for value in row])
    db.executemany(_PUT, rows[whole:])


def _row(item: Item) -> Row:
    return item["pk"], item["sk"], item.get("exp"), orjson.dumps(item)


def _nothing(db: sqlite3.Connection) -> None:
    """Done when everything queued before it is."""
    db.execute("SELECT 1")
