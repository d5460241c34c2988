"""Where answers go: standard output, or a file that is there when it is whole."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Self

import click
import orjson

from infra.local.terminal import clean, show


def checked_output(out: Path | None) -> None:
    """Refused before anybody is paid."""
    if out is not None and str(out) != "-" and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise click.UsageError(f"{out} cannot be written: {'it is a folder' if out.is_dir() else 'no such folder'}")


class Output:
    """Standard output, or a file that is there when it is whole."""

    def __init__(self, out: Path | None, finish: Callable[[Path], None] = lambda _: None) -> None:
        """`finish` is told where a file lies when all of it is there, before it has its name."""
        self._finish = finish
        self._to = None if out is None or str(out) == "-" else out
        # What is no file (/dev/null, a pipe) is written to, and never replaced by one.
        whole = self._to is not None and (self._to.is_file() or not self._to.exists())
        self._made = (
            self._to.resolve().with_name(f".{self._to.name}.{os.getpid()}") if self._to and whole else self._to
        )
        self._file: BinaryIO | None = None

    def write(self, part: bytes) -> None:
        if self._made is None:
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
            return
        if self._file is None:
            self._file = self._made.open("wb")
        self._file.write(part)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None or self._made is None or self._to is None:
            return
        whole = self._made is not self._to
        try:
            self._file.close()
            if kind is None and whole:
                self._finish(self._made)
                self._made.replace(self._to.resolve())
        finally:
            if whole:
                self._made.unlink(missing_ok=True)


def write_text(text: str, out: Path | None) -> None:
    """Ends with a line's end; a terminal gets nothing that would steer it."""
    text = text if not text or text.endswith("\n") else f"{text}\n"
    if out is None or str(out) == "-":
        click.echo(clean(text) if sys.stdout.isatty() else text, nl=False)
        return
    with Output(out) as file:
        file.write(text.encode())


def write_json(data: Any, out: Path | None) -> None:
    if out is None:
        show(data)
    else:
        write_text(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode(), out)
