"""Where servers run: a small file for each under PATCHBAY_HOME, which the command line reads."""

import ipaddress
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from core.errors import Misconfigured

_NOTES = "server-{}.json"


def address_of(host: str, port: int) -> str:
    """What a client on this machine calls a server that listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


@contextmanager
def announced(home: Path, url: str) -> Iterator[None]:
    """Leave a note while the server runs, and clear away those of servers that were killed."""
    note, said = home / _NOTES.format(os.getpid()), orjson.dumps(_facts(url))
    try:
        home.mkdir(parents=True, exist_ok=True)
        for other in home.glob(_NOTES.format("*")):
            if _address_in(other) is None:
                other.unlink(missing_ok=True)
        note.write_bytes(said)
    except OSError as error:
        raise Misconfigured(
            f"PATCHBAY_HOME {home} cannot be written ({error.strerror})", param="PATCHBAY_HOME"
        ) from error
    try:
        yield
    finally:
        if note.is_file() and note.read_bytes() == said:  # in another container a server may have the same number
            note.unlink(missing_ok=True)


def noted(home: Path) -> str | None:
    """The address of the server that was started last, of those that still run."""
    for note in sorted(home.glob(_NOTES.format("*")), key=_written, reverse=True):
        if (url := _address_in(note)) is not None:
            return url
    return None


def trusted(url: str, host: str) -> bool:
    """Whether a note may lead there: a key and a prompt go to this machine, or to where HOST says."""
    try:
        named, ours = urlsplit(url), urlsplit(address_of(host, 0))
    except ValueError:
        return False  # not an address at all
    return named.scheme == "http" and "@" not in named.netloc and _is_here(named.hostname, ours.hostname)


def _is_here(name: str | None, configured: str | None) -> bool:
    if name in {"localhost", configured}:
        return True
    try:
        return ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return False  # a name that we would have to look up


def _facts(url: str) -> dict[str, Any]:
    return {"url": url, "pid": os.getpid(), "started": _started(os.getpid())}


def _address_in(note: Path) -> str | None:
    """The address in a note that can be read and whose process still runs."""
    try:
        facts = orjson.loads(note.read_bytes())
        url, pid, started = facts["url"], facts["pid"], facts["started"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # gone by now, or half a note of one that was killed
    if not isinstance(url, str) or type(pid) is not int or pid <= 0:
        return None
    return url if _runs(pid, started) else None


def _runs(pid: int, started: object) -> bool:
    """The process that wrote it, not another one that has its number since."""
    if started is not None:
        return _started(pid) == started
    if sys.platform == "win32":
        return True  # there signal 0 is Ctrl-C; /health tells
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True  # another user's
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _started(pid: int) -> str | None:
    """When a process began, in the clock ticks of Linux; None elsewhere, and where it is gone."""
    try:
        # The name before it is in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _written(note: Path) -> int:
    try:
        return note.stat().st_mtime_ns
    except OSError:
        return 0  # removed in this moment
