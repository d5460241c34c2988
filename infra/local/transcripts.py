"""A recording sent to the gateway, and its transcript as a person wants to see it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import httpx
import orjson

from core.wire import sse
from infra.local.door import Door, Refused, asked, gateway, words
from infra.local.outputs import checked_output, write_json, write_text
from infra.local.progress import Progress
from infra.local.receipts import facts_in, facts_of, tell
from infra.local.recordings import Recording, recording
from infra.local.terminal import clean, note, told

Headers = Mapping[str, str]

_OPENAI = "/v1/audio/transcriptions"
_OPENAI_ONLY = ("verbose_json", "diarized_json")  # forms that only its route has
_PLAIN = ("srt", "vtt")
_WAITING = "waiting for the transcript"
_LIMIT = 64 * 2**20  # bytes of one event


def transcribed(where: str, path: str, body: Mapping[str, Any], options: Mapping[str, Any], headers: Headers) -> None:
    """`options`: form, out, as_json, stream, quiet, verbose."""
    checked_output(options["out"])
    with told(), recording(where) as given:
        asyncio.run(_Task(given, path, body, options, headers).run())


class _Task:
    """One recording on its way."""

    def __init__(
        self, given: Recording, path: str, body: Mapping[str, Any], options: Mapping[str, Any], headers: Headers
    ) -> None:
        self._given, self._path, self._body, self._headers = given, path, body, headers
        self._form: str = options["form"]
        self._out: Path | None = options["out"]
        self._options = options
        self._progress = Progress(quiet=options["quiet"])
        self._verbose = options["verbose"] or sys.stderr.isatty()

    async def run(self) -> None:
        async with gateway(verbose=self._verbose) as door:
            if self._options["stream"]:
                await self._streamed(door)
            elif self._form in (*_PLAIN, *_OPENAI_ONLY):
                await self._rendered(door)
            else:
                await self._native(door)

    @asynccontextmanager
    async def _asked(self, door: Door, path: str, **more: Any) -> AsyncIterator[httpx.Response]:
        content = self._given.content({**self._body, **more}, self._progress)
        async with asked(door, path, self._headers, **content) as answer:
            yield answer

    async def _native(self, door: Door) -> None:
        async with self._progress.waiting(_WAITING), self._asked(door, self._path) as answer:
            data = door.judged(answer.status_code, await answer.aread(), "decision_id")
        if self._options["as_json"] or self._form == "json":
            write_json(data, self._out)
            return
        speakers = self._body.get("diarize") or self._path.endswith("diarize")
        write_text(_page(data) if speakers else data["text"], self._out)
        _tell_of(data, verbose=self._verbose)

    async def _rendered(self, door: Door) -> None:
        """A form that the gateway writes."""
        route = self._path if self._form in _PLAIN else _OPENAI
        more = {"response_format": self._form}
        async with self._progress.waiting(_WAITING), self._asked(door, route, **more) as answer:
            raw = await answer.aread()
        write_text(raw.decode(), self._out)
        tell(facts_in(answer.headers), verbose=self._verbose)

    async def _streamed(self, door: Door) -> None:
        """Words as they are recognised, then the receipt."""
        last: dict[str, Any] | None = None
        page, cut = _Written(), sse.Splitter(_LIMIT)
        async with self._asked(door, self._path, stream=True) as answer:
            try:
                async for part in answer.aiter_bytes():
                    for event in sse.events(cut.feed(part)):
                        data = sse.data_of(event)
                        said = orjson.loads(data) if data and data != b"[DONE]" else {}
                        if "error" in said:
                            raise Refused(words(said["error"]))
                        self._progress.clear()
                        page.add(said.get("delta") or "")
                        last = said if "decision_id" in said else last
            finally:
                self._progress.clear()
                page.end()
        if last is None:
            raise Refused("the transcript broke off before its end; ask again.")
        _tell_of(last, verbose=self._verbose)


class _Written:
    """What has gone to standard output."""

    def __init__(self) -> None:
        self._last = ""
        self._terminal = sys.stdout.isatty()

    def add(self, text: str) -> None:
        if text:
            self._last = text
            click.echo(clean(text) if self._terminal else text, nl=False)

    def end(self) -> None:
        if self._last and not self._last.endswith("\n"):
            click.echo()


def _page(data: Mapping[str, Any]) -> str:
    """A line for each turn."""
    lines: list[str] = []
    before = None
    for one in data["segments"]:
        speaker = one.get("speaker") or "?"
        if lines and speaker == before:
            lines[-1] += f" {one['text'].strip()}"
        else:
            lines.append(f"{speaker} ({_clock(one['start'])}): {one['text'].strip()}")
        before = speaker
    return "\n".join(lines) or data["text"]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _tell_of(data: Mapping[str, Any], *, verbose: bool) -> None:
    if not data["text"] and data.get("reason"):
        note(f"no text: {data['reason']}")
    seconds = data.get("audio_seconds")
    heard = [f"{seconds:.1f} s heard"] if seconds is not None else []
    spoken = [data["detected_language"]] if data.get("detected_language") else []
    tell(facts_of(data), verbose=verbose, about=[*heard, *spoken])
