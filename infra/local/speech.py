"""A text sent to the gateway, its sound written as it comes, and when each word is said."""

import asyncio
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson

from core.types.audio import Segment, Transcript
from core.wire import sse, subtitles
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
                    with Output(out) as file:
                        async for part in said.sound(answer):
                            size += len(part)
                            progress.say(f"receiving {size / 1e6:.1f} MB")
                            file.write(part)
                        if not size:
                            raise Refused("no sound came; ask again.")
            finally:
                progress.clear()
            facts = facts_of(said.receipt) if said.receipt else await _settled(door, facts_in(answer.headers), answer)
        if beside is not None:
            write_words(said.words, beside)
        tell(facts, verbose=verbose, about=[f"{len(body['text'])} characters", f"{size} bytes"])

    asyncio.run(work())


def write_words(said: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A list in JSON, or subtitles."""
    form = path.suffix.lower()
    if form == ".json":
        write_json(list(said), path)
        return
    segments = tuple(Segment(one["text"], one["start"], one["end"]) for one in _lines(said))
    made = Transcript(" ".join(one["text"] for one in said), None, segments[-1].end if segments else 0.0, segments)
    write_text(subtitles.srt(made) if form == ".srt" else subtitles.vtt(made), path)
