"""Recordings on the command line: a file, an address or what is piped in, and how they are sent."""

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import click

from core.wire.media import SCHEMES, scheme_of
from infra.local.progress import Progress


class _Sent(io.BufferedIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def read(self, size: int | None = -1) -> bytes:
        part = self._file.read(-1 if size is None else size)
        if self._size:
            self._progress.say(f"sending {self._size / 1e6:.1f} MB: {100 * self._file.tell() // self._size} %")
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@dataclass(frozen=True)
class Recording:
    """A file or what is piped in, which is sent as a form; or an address, which the gateway reads."""

    fields: Mapping[str, str] = field(default_factory=dict)
    file: BinaryIO | None = None
    name: str = ""

    def content(self, body: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
        """How an HTTP client sends it with the fields of a request."""
        if self.file is None:
            return {"json": {**body, **self.fields}}
        size = self.file.seek(0, os.SEEK_END)
        self.file.seek(0)
        return {"data": _form(body), "files": {"file": (self.name, _Sent(self.file, size, progress))}}


@contextmanager
def recording(where: str) -> Iterator[Recording]:
    if where == "-":
        yield Recording(file=io.BytesIO(_piped()), name="stdin")
    elif where[:5].lower() == "s3://":
        yield Recording({"audio_s3": where})
    elif scheme_of(where) in SCHEMES:
        yield Recording({"audio_url": where})
    else:
        try:
            file = Path(where).open("rb")  # noqa: SIM115 - closed below, and its failure is the caller's
        except OSError as error:
            raise click.UsageError(f"{where} cannot be read ({error.strerror})") from error
        with file:
            yield Recording(file=file, name=Path(where).name)


def _piped() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("nothing is piped in: name a file, or pipe a recording in")
    return sys.stdin.buffer.read()


def _form(body: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a form; lists are repeated under name[]."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if isinstance(value, list):
            found[f"{name}[]"] = [_word(one) for one in value]
        else:
            found[name] = _word(value)
    return found


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
