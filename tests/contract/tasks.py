"""What is asked of sound and of languages, and what has to come back, whoever answers."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import httpx

from core.capabilities import Capability, Feature
from core.providers.table import TABLE
from infra.local.simulators import signal
from tests.sound import recording

WORDS = "Good morning everybody."
TURNS = ((0, "Good morning."), (1, "Thank you."))
_SSML = (
    '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
    "Good <emphasis>morning</emphasis> everybody.</speak>"
)


@dataclass(frozen=True)
class Task:
    name: str
    capability: Capability
    route: str
    body: dict[str, Any]
    check: Callable[[httpx.Response], None]
    feature: Feature | None = None
    streams: bool = False  # its answer is sent while it is made
    headers: dict[str, str] = field(default_factory=dict)

    def offered(self) -> list[str]:
        return [row.name for row in TABLE if self.capability in row.capabilities]


def sound(turns: str | tuple[tuple[int, str], ...]) -> str:
    return b64encode(recording(turns)).decode()


def _heard(answer: httpx.Response) -> None:
    assert answer.json()["text"] == WORDS


def _timed(answer: httpx.Response) -> None:
    _heard(answer)
    said = answer.json()
    assert all(0 <= one["start"] < one["end"] <= said["audio_seconds"] + 0.1 for one in said["segments"])
    assert said["segments"]


def _timed_by_word(answer: httpx.Response) -> None:
    _heard(answer)
    words = answer.json()["words"]
    assert len(words) == len(WORDS.split())
    assert all(one["end"] <= other["start"] + 0.02 for one, other in pairwise(words))


def _in_english(answer: httpx.Response) -> None:
    assert answer.json()["text"]


def _first_of_it(answer: httpx.Response) -> None:
    assert answer.json()["text"] == TURNS[0][1]


def _told_apart(answer: httpx.Response) -> None:
    segments = answer.json()["segments"]
    assert [one["text"].strip() for one in segments] == [text for _, text in TURNS]
    assert len({one["speaker"] for one in segments}) == 2


def _said(answer: httpx.Response) -> None:
    assert signal.text(signal.heard(answer.content)) == WORDS


def _with_boundaries(answer: httpx.Response) -> None:
    said = answer.json()["words"]
    assert "".join(f" {one['text']}" for one in said).strip(" .") == WORDS.rstrip("."), said


def _translated(answer: httpx.Response) -> None:
    (one,) = answer.json()["translations"]
    assert one["target_language"] == "de"
    assert one["text"] and one["text"] != WORDS


def _translated_within_tags(answer: httpx.Response) -> None:
    (one,) = answer.json()["translations"]
    assert one["text"].startswith("<p>") and one["text"].endswith("</b></p>") and "morning" not in one["text"]


_HEAR = {"audio_base64": sound(WORDS), "language": "en"}
_SAY = {"input": WORDS, "voice": "alloy", "response_format": "wav"}
_SAY_IT = {"text": WORDS, "target_language": "de", "cache": "off"}
HEAR, TELL = "/api/ai/transcribe", "/api/ai/diarize"
SPEAK, TRANSLATE = "/api/ai/speak", "/api/ai/translate"

# One of each capability.
TASKS = (
    Task("transcribe", Capability.TRANSCRIBE, HEAR, _HEAR, _heard),
    Task("diarize", Capability.DIARIZE, TELL, {"audio_base64": sound(TURNS)}, _told_apart),
    Task("speak", Capability.SPEAK, SPEAK, _SAY, _said, streams=True),
    Task("translate", Capability.TRANSLATE, TRANSLATE, _SAY_IT, _translated),
)
# And of what some of their models can beside it.
FEATURES = (
    Task("segments", Capability.TRANSCRIBE, HEAR, {**_HEAR, "timestamps": ["segment"]}, _timed, Feature.SEGMENTS),
    Task("words", Capability.TRANSCRIBE, HEAR, {**_HEAR, "timestamps": ["word"]}, _timed_by_word, Feature.WORDS),
    Task("to_english", Capability.TRANSCRIBE, HEAR, {**_HEAR, "task": "translate"}, _in_english, Feature.TO_ENGLISH),
    Task(
        "one_utterance",
        Capability.TRANSCRIBE,
        HEAR,
        {"audio_base64": sound(TURNS), "language": "en", "single_utterance": True},
        _first_of_it,
        Feature.ONE_UTTERANCE,
    ),
    Task("ssml", Capability.SPEAK, SPEAK, {**_SAY, "input": _SSML}, _said, Feature.SSML),
    Task(
        "boundaries",
        Capability.SPEAK,
        SPEAK,
        {**_SAY, "boundaries": True},
        _with_boundaries,
        Feature.BOUNDARIES,
        headers={"accept": "application/json"},
    ),
    Task(
        "html",
        Capability.TRANSLATE,
        TRANSLATE,
        {**_SAY_IT, "text": "<p>Good <b>morning</b></p>", "format": "html"},
        _translated_within_tags,
        Feature.HTML,
    ),
    Task(
        "formality",
        Capability.TRANSLATE,
        TRANSLATE,
        {**_SAY_IT, "formality": "formal"},
        _translated,
        Feature.FORMALITY,
    ),
)
