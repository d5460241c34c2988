"""A text sent to the gateway, its sound written as it comes, and when each word is said."""

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import orjson

from core.audio.finishing import finish
from core.errors import BadAudio
from core.types.audio import Transcript, Word
from core.wire import sse, subtitles
from core.wire.sound.ssml import is_ssml
from infra.local.door import Door, NoServer, Refused, words
from infra.local.recordings import Output, Progress, asked, facts_in, facts_of, gateway, tell, write_json, write_text

ROUTE = "/api/ai/speak"
BESIDE = (".json", ".srt", ".vtt")  # forms of the words beside the sound
_LIMIT = 64 * 2**20  # bytes of one event


def spoken(
    body: Mapping[str, Any],
    out: Path | None,
    headers: Mapping[str, str],
    *,
    beside: Path | None = None,
    quiet: bool,
    verbose: bool,
) -> None:
    progress, verbose = Progress(quiet=quiet), verbose or sys.stderr.isatty()

    async def work() -> None:
        async with gateway(verbose=verbose) as door:
            progress.say("waiting for the first sound")
            size, said = 0, _Said(body, events=beside is not None)
            try:
                async with asked(door, ROUTE, headers, json=said.body) as answer:
                    with Output(out, _finish) as file:
                        async for part in said.sound(answer):
                            size += len(part)
                            progress.say(f"receiving {size / 1e6:.1f} MB")
                            file.write(part)
                        if not size:
                            raise Refused("no sound came; ask again.")
            finally:
                progress.clear()
            facts = facts_of(said.receipt) if said.receipt else await _settled(door, answer.headers)
        if beside is not None:
            write_words(said.words, body["text"], beside)
        tell(facts, verbose=verbose, about=[f"{len(body['text'])} characters", f"{size} bytes"])

    asyncio.run(work())


def _finish(path: Path) -> None:
    """Streams of sound begin before anybody knows how long they are; players of files want to know."""
    with suppress(BadAudio):  # whatever it is, it is what came
        finish(path)


def write_words(said: Sequence[Mapping[str, Any]], text: str, path: Path) -> None:
    """A list in JSON, or the text as subtitles."""
    form = path.suffix.lower()
    if form == ".json":
        write_json(list(said), path)
        return
    text = " ".join(one["text"] for one in said) if is_ssml(text) else text
    heard = tuple(Word(one["text"], one["start"], one["end"]) for one in said)
    made = Transcript(text, words=heard)
    write_text(subtitles.srt(made) if form == ".srt" else subtitles.vtt(made), path)


class _Said:
    """An answer as sound, and what is told beside it where that was asked for."""

    def __init__(self, body: Mapping[str, Any], *, events: bool) -> None:
        self.body = {**body, "boundaries": True, "stream_format": "sse"} if events else body
        self.words: list[dict[str, Any]] = []
        self.receipt: dict[str, Any] | None = None  # of events; else it is in the ledger
        self._events = events

    async def sound(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        if not self._events:
            async for part in answer.aiter_bytes():
                yield part
            return
        cut = sse.Splitter(_LIMIT)
        async for part in answer.aiter_bytes():
            for event in sse.events(cut.feed(part)):
                data = sse.data_of(event)
                said = orjson.loads(data) if data else {}
                if "error" in said:
                    raise Refused(words(said["error"]))
                self.words += said.get("words") or ()
                self.receipt = said.get("receipt") or self.receipt
                yield b64decode(said.get("audio") or "")
        if self.receipt is None:
            raise Refused("the speech broke off before its end; ask again.")


async def _settled(door: Door, headers: httpx.Headers) -> dict[str, Any]:
    """The answer's facts, with the cost that its receipt has since its end."""
    facts, decision = facts_in(headers), headers.get("x-patchbay-decision")
    if not facts["pending"] or not decision:
        return facts
    try:
        receipt = await door.ask("GET", f"/api/ai/decisions/{decision}", "decision_id")
    except (Refused, NoServer):
        return facts  # the sound is there; only its price is not
    return {**facts, "nano_usd": receipt["cost_nano"], "warnings": receipt["warnings"], "pending": False}
