"""Where the running server is: a small file under PATCHBAY_HOME that the command line reads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from core.errors import Misconfigured

_FILE = "server.json"


def address_of(host: str, port: int) -> str:
    """What a client on this machine calls a server that listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


@contextmanager
def announced(home: Path, url: str) -> Iterator[None]:
    """Leave a note while the server runs."""
    note = home / _FILE
    try:
        home.mkdir(parents=True, exist_ok=True)
        note.write_bytes(orjson.dumps({"url": url, "pid": os.getpid()}))
    except OSError as error:
        raise Misconfigured(
            f"PATCHBAY_HOME {home} cannot be written ({error.strerror})", param="PATCHBAY_HOME"
        ) from error
    try:
        yield
    finally:
        if noted(home) == url:  # and not another server's that was started since
            note.unlink(missing_ok=True)


def noted(home: Path) -> str | None:
    """The address in the note, if there is one that can be read."""
    try:
        url = orjson.loads((home / _FILE).read_bytes())["url"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no server, or half a note of one that was killed
    return url if isinstance(url, str) else None
