"""Opening a SQLite file that several processes may open at the same moment."""

import sqlite3
import time
from pathlib import Path

_BUSY_SECONDS = 5.0
_PAUSE = 0.01
_TAKEN = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PRIMARY = 0xFF  # the bits of a code that are not its refinement


def connect(path: Path, synchronous: str, schema: str) -> sqlite3.Connection:
    """A file of its owner's alone, made on first use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; {schema}")
        except sqlite3.Error as error:
            # SQLite's own wait for others does not hold for the change to WAL.
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
            if code not in _TAKEN or time.monotonic() >= until:
                db.close()
                raise
            time.sleep(_PAUSE)
        else:
            return db
