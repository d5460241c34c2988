"""A provider of the tests' own that really hears what it is sent, and says what it was sent."""

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import orjson

from core.capabilities import Capability, Feature
from core.errors import Overloaded, ServerFault, TooManyInputs
from core.providers import registry
from core.providers.contract import Call, Reply
from core.providers.row import Hears, Row
from core.types.audio import Audio, Segment, Transcript, Word
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from infra.local.simulators import signal
from tests.harness import Server, server

BOTH = frozenset({Capability.TRANSCRIBE, Capability.DIARIZE})
ALL = frozenset({Feature.SPEAKERS, Feature.SEGMENTS, Feature.WORDS, Feature.TO_ENGLISH})


def spoken(*texts: str, rate: int = 16_000, gap: float = 0.6) -> bytes:
    """A wav of texts, each by the next speaker in turn."""
    import numpy as np

    pieces = []
    for number, text in enumerate(texts):
        pieces += [signal.say(text, speaker=number % 2, rate=rate), signal.silence(gap, rate)]
    return signal.wav(np.concatenate(pieces) if pieces else signal.silence(1.0, rate), rate)


def encoded(data: bytes) -> str:
    return b64encode(data).decode()


class Ears:
    """Each request is one of `asked`; `fails` is raised as long as it is there."""

    def __init__(self, row: Row, account: Any, transport: Any) -> None:
        self.row = row
        self.asked: list[Call] = asked_of(row.name)

    async def transcribe(self, call: Call) -> Reply[Transcript]:
        self.asked.append(call)
        if error := FAILS.get(self.row.name):
            raise error
        if len(self.asked) > FAILS_AFTER.get(self.row.name, len(self.asked)):
            raise Overloaded("enough for today")
        audio: Audio = call.body["audio"]
        if audio.ms > MOST_MS.get(self.row.name, audio.ms):
            raise TooManyInputs("that is too much at once", provider_status=413)
        found = transcript(await asyncio.to_thread(signal.heard, bytes(audio.data)), call.body)
        return Reply(found, Usage("reported", audio_ms=audio.ms), f"req_{len(self.asked)}")


class LiveEars(Ears):
    async def transcribe_stream(self, call: Call) -> "Live":
        self.asked.append(call)
        if error := FAILS.get(self.row.name):
            raise error
        heard = await asyncio.to_thread(signal.heard, call.body["audio"].data)
        return Live(transcript(heard, call.body), call.body["audio"].ms)


class Live:
    """A word at a time, and speakers' segments where they are wanted; BREAKS after that many frames."""

    request_id = "req_live"
    outputs = 0

    def __init__(self, found: Transcript, ms: int) -> None:
        self.transcript = found
        self.usage = Usage("reported", audio_ms=ms)
        events: list[dict[str, Any]] = []
        for number, segment in enumerate(found.segments):
            events += [{"type": "transcript.text.delta", "delta": f"{word.text} "} for word in segment.words]
            if segment.speaker:
                told = {"id": f"live_{number}", "start": segment.start, "end": segment.end, "text": segment.text}
                events.append({"type": "transcript.text.segment", **told, "speaker": segment.speaker})
        self._frames = [Frame(orjson.dumps(one), Kind.OUTPUT) for one in events]
        done = {"type": "transcript.text.done", "text": found.text}
        self._frames.append(Frame(orjson.dumps(done), Kind.END))

    async def next(self) -> list[Frame] | None:
        if LIVE_BREAKS and len(self._frames) <= LIVE_BREAKS[0]:
            raise ServerFault("it broke while it listened")
        return [self._frames.pop(0)] if self._frames else None

    def close(self) -> None:
        self._frames = []


FAILS_AFTER: dict[str, int] = {}  # so many answers
FAILS: dict[str, Exception] = {}
MOST_MS: dict[str, int] = {}
LIVE_BREAKS: list[int] = []
_ASKED: dict[str, list[Call]] = {}


def asked_of(name: str) -> list[Call]:
    return _ASKED.setdefault(name, [])


def forget() -> None:
    for one in (FAILS, FAILS_AFTER, MOST_MS, LIVE_BREAKS):
        one.clear()
    for calls in _ASKED.values():
        calls.clear()


def transcript(heard: list[signal.Heard], body: Any) -> Transcript:
    """Segments by sentence and speaker; speakers by the names that only this provider gives them."""
    words = [Word(one.word, round(one.start, 3), round(one.end, 3), 0.9) for one in heard]
    segments: list[Segment] = []
    held: list[int] = []
    for place, one in enumerate(heard):
        held.append(place)
        last = place + 1 == len(heard)
        if last or one.word.endswith((".", "!", "?")) or heard[place + 1].speaker != one.speaker:
            said = tuple(words[each] for each in held)
            speaker = f"Guest-{one.speaker + 1}" if body["diarize"] else None
            text = " ".join(word.text for word in said)
            segments.append(Segment(text, said[0].start, said[-1].end, speaker, 0.9, said))
            held = []
    text = " ".join(one.text for one in segments)
    language = "english" if words else None
    return Transcript(text, language, segments=tuple(segments), words=tuple(words), confidence=0.9 if words else None)


def row(name: str, **fields: Any) -> Row:
    return Row(
        name=name,
        title=name.title(),
        base_url=f"https://{name}.invalid",
        capabilities=fields.pop("capabilities", BOTH),
        features=fields.pop("features", ALL),
        default_models={Capability.TRANSCRIBE: f"{name}-1"},
        adapter=fields.pop("adapter", Ears),
        **fields,
    )


ROWS = (
    row("ears"),
    row("second", lacks_params=frozenset({"vocabulary"})),
    row("plain", features=frozenset()),
    row("live", adapter=LiveEars, features=ALL | {Feature.STREAM}),
    row("short", hears=Hears(most_seconds=12.0, kinds=frozenset({"wav", "flac", "mp3"}))),
)
KEYS = {f"{one.name.upper()}_API_KEY": "k" for one in ROWS}


@contextmanager
def plugged(*rows: Row) -> Iterator[None]:
    """As if packages had brought these providers along."""

    class Point:
        def __init__(self, given: Row) -> None:
            self.name, self.value = given.name, "tests"
            self.load = lambda: given

    points = [Point(one) for one in rows or ROWS]
    with mock.patch.object(registry, "entry_points", lambda group: points if group == registry.ENTRY_POINTS else []):
        yield


@contextmanager
def serving(home: Path, *rows: Row, **environ: str) -> Iterator[Server]:
    """A server whose only providers these are."""
    forget()
    with plugged(*rows), server(home, **KEYS, **environ) as running:
        yield running
    forget()
