"""Where the running server is: a small file under PATCHBAY_HOME that the command line reads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

_FILE = "server.json"


@contextmanager
def announced(home: Path, url: str) -> Iterator[None]:
    """Leave a note while the server runs."""
    home.mkdir(parents=True, exist_ok=True)
    note = home / _FILE
    note.write_bytes(orjson.dumps({"url": url, "pid": os.getpid()}))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def noted(home: Path) -> str | None:
    """The address in the note, if there is one."""
    note = home / _FILE
    if not note.is_file():
        return None
    url: str = orjson.loads(note.read_bytes())["url"]
    return url
