"""What the commands of sound and text share: where a recording or a text is, how far it is sent, where it goes."""

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Self

import click
import httpx
import orjson

from core.wire.media import SCHEMES, scheme_of
from infra.local.door import Door, Refused, opened, stranger
from infra.local.prompts import read_some, text_of
from infra.local.terminal import clean, note, show, usd

_NO_KEY = "nothing is configured, so a simulator answered; put a key into .env (OPENAI_API_KEY=...) for a real one"
_EVERY = 0.25  # seconds between two looks at how long it takes
_KNOWN = "text (UTF-8)"


class Progress:
    """One line on a terminal that says how far it is, and is gone at the end; elsewhere nothing."""

    def __init__(self, *, quiet: bool) -> None:
        self._seen = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._said = ""

    def say(self, words: str) -> None:
        if self._seen and words != self._said:
            click.echo(f"\r\x1b[K{clean(words)}", err=True, nl=False)
            self._said = words

    def clear(self) -> None:
        if self._said:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._said = ""

    @asynccontextmanager
    async def waiting(self, words: str) -> AsyncIterator[None]:
        """While something is awaited: what, and for how many seconds by now."""
        task = asyncio.create_task(self._count(words)) if self._seen else None
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
            self.clear()

    async def _count(self, words: str) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(_EVERY)
            if not self._said.startswith("sending") or self._said.endswith("100 %"):
                self.say(f"{words} {loop.time() - began:.0f} s")


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


def text_given(words: Sequence[str], *, limit: str = "text") -> str:
    """What is said on the command line, in the one file that it names, or what is piped in."""
    if not words and (sys.stdin is None or sys.stdin.isatty()):
        raise click.UsageError(f"no {limit}: give it, name a file, or pipe it in")
    if not words or list(words) == ["-"]:
        return text_of(read_some(sys.stdin.buffer, "stdin"), "stdin", _KNOWN)
    if len(words) == 1 and _is_file(words[0]):
        with Path(words[0]).open("rb") as file:
            return text_of(read_some(file, words[0]), words[0], _KNOWN)
    return " ".join(words)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a text that is too long for a name, or no name at all
        return False


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


@asynccontextmanager
async def gateway(*, verbose: bool) -> AsyncIterator[Door]:
    async with opened() as door:
        if door.inside and verbose:
            note(f"no server at {door.url}; this process answers")
        yield door


@asynccontextmanager
async def asked(door: Door, path: str, headers: Mapping[str, str], **content: Any) -> AsyncIterator[httpx.Response]:
    """An answer that is under way; a refusal is raised with the gateway's own words."""
    try:
        async with door.client.stream("POST", path, headers=headers, timeout=door.patience, **content) as answer:
            if answer.status_code >= 400:
                door.judged(answer.status_code, await answer.aread(), "error")
                raise stranger(door.url, answer.status_code)
            yield answer
    except httpx.HTTPError as error:
        raise Refused(f"{door.where} broke off ({type(error).__name__}); the answer is incomplete.") from error


def tell(facts: Mapping[str, Any], *, verbose: bool, about: Sequence[str] = ()) -> None:
    """On stderr: what must be known of an answer, and who gave it at which price."""
    if facts["simulated"]:
        note(_NO_KEY)
    for warning in facts["warnings"]:
        note(f"warning: {warning}")
    if verbose:
        nano, model = facts["nano_usd"], f"/{facts['model']}" if facts["model"] else ""
        words = [
            f"{facts['provider']}{model}",
            *about,
            f"${usd(nano)}" if nano is not None else "cost pending" if facts.get("pending") else "cost unknown",
            *([f"{facts['attempts']} attempts"] if facts["attempts"] > 1 else []),
            *(["cache hit"] if facts["cache"] == "hit" else []),
            *(["simulated"] if facts["simulated"] else []),
        ]
        click.echo("  ".join(clean(one) for one in words), err=True)


def facts_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of a receipt in JSON."""
    return {
        **{name: data[name] for name in ("provider", "model", "cache", "simulated", "warnings")},
        "nano_usd": data["cost"]["nano_usd"],
        "attempts": len(data["attempts"]),
    }


def facts_in(headers: httpx.Headers) -> dict[str, Any]:
    """Of a receipt in headers, where the body is no JSON; of a stream it has not its cost yet."""
    cost = headers.get("x-patchbay-cost-usd", "")
    try:
        nano = round(float(cost) * 1e9)
    except ValueError:  # unknown, or pending
        nano = None
    warnings = headers.get("x-patchbay-warnings", "")
    return {
        "provider": headers.get("x-patchbay-provider", ""),
        "model": headers.get("x-patchbay-model", ""),
        "cache": headers.get("x-patchbay-cache", "off"),
        "simulated": headers.get("x-patchbay-simulated") == "true",
        "warnings": warnings.split("; ") if warnings else [],
        "nano_usd": nano,
        "pending": cost == "pending",
        "attempts": int(headers.get("x-patchbay-attempts", "1")),
    }
