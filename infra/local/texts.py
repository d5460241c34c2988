"""Texts on the command line: words, a file or what is piped in."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from infra.local.prompts import read, read_some, text_of

_KNOWN = "text (UTF-8)"
_FILE_NAME = re.compile(r"\S*[^\s./\\]\.[A-Za-z][A-Za-z0-9]{0,4}")  # notes.txt, and no address or sum
_ADDRESS = re.compile(r"[a-z]+://|.*@", re.IGNORECASE)


def text_given(words: Sequence[str], *, limit: str = "text") -> str:
    """What is said on the command line, in the one file that it names, or what is piped in."""
    if not words or list(words) == ["-"]:
        return _piped(f"no {limit}: give it, name a file, or pipe it in", always=bool(words))
    if len(words) == 1 and _is_file(words[0]):
        return text_in(words[0])
    if len(words) == 1 and _FILE_NAME.fullmatch(words[0]) and not _ADDRESS.match(words[0]):
        raise click.UsageError(
            f"there is no file {words[0]}; if that is the text itself, pipe it in (echo ... | ... -)"
        )
    return " ".join(words)


def text_in(where: str) -> str:
    """Of a file, or what is piped in."""
    if where == "-":
        return _piped("nothing is piped in: name a file, or pipe a text in")
    return text_of(read(Path(where)), where, _KNOWN)


def _piped(missing: str, *, always: bool = False) -> str:
    if sys.stdin is None or (sys.stdin.isatty() and not always):
        raise click.UsageError(missing)
    return text_of(read_some(sys.stdin.buffer, "stdin"), "stdin", _KNOWN)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or no name at all
        return False
