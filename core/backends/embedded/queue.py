"""A Queue in one SQLite file that several processes share. A message that is taken is leased, not removed."""

import asyncio
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core.backends.embedded.opening import connect
from core.backends.messages import SCHEMA, packed, unpacked
from core.backends.ports import Body, Done, Handled, Message, Poison
from core.clock import Clock
from core.errors import StoreUnavailable

T = TypeVar("T")

# `due` is when a message may be taken: after its delay, or when the lease of whoever has it ends.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, v INTEGER NOT NULL, body BLOB NOT NULL, sent REAL NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL, lease TEXT
);
CREATE INDEX IF NOT EXISTS messages_due ON messages (due);
CREATE TABLE IF NOT EXISTS dead (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL, v INTEGER NOT NULL, body BLOB NOT NULL, sent REAL NOT NULL,
    died REAL NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL
);
"""
_SEND = "INSERT INTO messages (id, v, body, sent, due, attempts) VALUES (?, ?, ?, ?, ?, 0)"
_DUE = "SELECT n, id, v, body, sent, attempts FROM messages WHERE due <= ? ORDER BY due, n LIMIT ?"
_LEASE = "UPDATE messages SET due = ?, attempts = attempts + 1, lease = ? WHERE n = ?"
_BURY = """
INSERT INTO dead (id, v, body, sent, died, attempts, reason)
SELECT id, v, body, sent, ?, attempts, ? FROM messages WHERE n = ?
"""
_KEEP_DEAD = 14 * 86_400  # seconds, the longest that SQS keeps any message
_LOST = "whoever had it never said how it went: it stopped, was killed or hung"


@dataclass(frozen=True, slots=True)
class Leased:
    """A message and the proof that it is ours until the lease ends."""

    message: Message | None  # None when what lies there is no JSON object
    id: str
    n: int
    lease: str


class SqliteQueue:
    """At least once, in about the order of sending. Times are the wall clock's, which processes share."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="patchbay-queue")
        self._closed = False
        self._bells: list[Callable[[], None]] = []

    async def open(self) -> "SqliteQueue":
        try:
            self._db = await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown(wait=False)
            raise StoreUnavailable(f"messages cannot be kept in {self._path}: {error}") from error
        return self

    async def send(self, *bodies: Body, delay: int = 0) -> None:
        now = self._clock.now()
        rows = [(uuid.uuid4().hex, SCHEMA, text.encode(), now, now + delay) for text in packed(bodies, delay)]
        await self._run(lambda db: db.executemany(_SEND, rows))
        for ring in self._bells:
            ring()

    def listen(self, ring: Callable[[], None]) -> None:
        """Call this when something was sent from here; what other processes send is found by looking."""
        self._bells.append(ring)

    async def take(self, count: int, lease: float, most: int) -> Sequence[Leased]:
        """Lease what is due for so many seconds. What was leased `most` times without a word after it is dead."""

        def work(db: sqlite3.Connection) -> list[Leased]:
            now = self._clock.now()
            taken: list[Leased] = []
            while len(taken) < count and (rows := db.execute(_DUE, (now, count - len(taken))).fetchall()):
                for n, name, v, body, sent, attempts in rows:
                    if attempts >= most:
                        self._bury(db, n, f"gave up after {attempts} attempts; the last: {_LOST}")
                        continue
                    proof = uuid.uuid4().hex
                    db.execute(_LEASE, (now + lease, proof, n))
                    fields = unpacked(body)
                    message = None if fields is None else Message(name, fields, attempts + 1, sent, v)
                    taken.append(Leased(message, name, n, proof))
            return taken

        # Whoever waits looks often: reading does not hold up those who write.
        return await self._run(work) if await self.next_due() <= self._clock.now() else []

    async def next_due(self) -> float:
        """When the next message may be taken, as far as is known now."""

        def work(db: sqlite3.Connection) -> float:
            (due,) = db.execute("SELECT MIN(due) FROM messages").fetchone()
            return float("inf") if due is None else float(due)

        return await self._run(work, writes=False)

    async def extend(self, leases: Sequence[Leased], seconds: float) -> None:
        due = self._clock.now() + seconds
        rows = [(due, one.n, one.lease) for one in leases]
        await self._run(lambda db: db.executemany("UPDATE messages SET due = ? WHERE n = ? AND lease = ?", rows))

    async def settle(self, leased: Leased, handled: Handled) -> bool:
        """What becomes of it. False when the lease had ended and somebody else has the message."""

        def work(db: sqlite3.Connection) -> bool:
            found = db.execute("SELECT 1 FROM messages WHERE n = ? AND lease = ?", (leased.n, leased.lease)).fetchone()
            if found is None:
                return False
            if isinstance(handled, Done):
                db.execute("DELETE FROM messages WHERE n = ?", (leased.n,))
            elif isinstance(handled, Poison):
                self._bury(db, leased.n, handled.reason)
            else:
                due = self._clock.now() + (handled.after or 0)
                db.execute("UPDATE messages SET due = ?, lease = NULL WHERE n = ?", (due, leased.n))
            return True

        return await self._run(work)

    async def release(self, leased: Leased) -> None:
        """Give it back as if it had never been taken."""
        sql = "UPDATE messages SET due = ?, lease = NULL, attempts = attempts - 1 WHERE n = ? AND lease = ?"
        await self._run(lambda db: db.execute(sql, (self._clock.now(), leased.n, leased.lease)))

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()

    def _bury(self, db: sqlite3.Connection, n: int, reason: str) -> None:
        now = self._clock.now()
        db.execute(_BURY, (now, reason, n))
        db.execute("DELETE FROM messages WHERE n = ?", (n,))
        db.execute("DELETE FROM dead WHERE died < ?", (now - _KEEP_DEAD,))

    def _connect(self) -> sqlite3.Connection:
        # FULL: a job that was accepted outlives even a power cut, and a queue has few writes.
        return connect(self._path, "FULL", _SCHEMA)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True) -> T:
        """On the queue's own thread. What has begun is finished, even when the caller leaves."""
        if self._closed:
            raise StoreUnavailable(f"the queue in {self._path} is closed")

        def all_or_nothing() -> T:
            if not writes:
                return work(self._db)
            self._db.execute("BEGIN IMMEDIATE")
            try:
                value = work(self._db)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            return value

        try:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, all_or_nothing))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error
