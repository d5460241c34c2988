"""What the seeds' verbs of sound and languages return, with their literal fields."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from core.answers import Answer
from core.http.surfaces import summary
from core.http.transcripts import method_of
from core.library.results import Said
from core.types.audio import Transcript
from core.types.receipt import Receipt
from core.types.translation import Translation
from core.verbs.speak import Spoken
from core.wire.beautify.parts import Beautified
from core.wire.sound import transcript_answers


@dataclass(frozen=True)
class STTResult:
    text: str
    detected_language: str | None = None
    confidence: float | None = None
    duration_ms: float | None = None  # that it took
    method: str | None = None
    metadata: dict[str, Any] | None = None

    @classmethod
    def of(cls, answer: Answer[Transcript]) -> Self:
        found, receipt = answer
        return cls(
            found.text, found.language, found.confidence, round(receipt.ms, 1), method_of(found, receipt.target),
            {**_told(found), **summary(receipt)},
        )  # fmt: skip


@dataclass(frozen=True)
class TranscriptionResponse:
    text: str
    provider: str
    processing_time: float  # seconds
    language: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    segments: list[dict[str, Any]] = field(default_factory=list)  # where times or speakers were asked for

    @classmethod
    def of(cls, answer: Answer[Transcript]) -> Self:
        found, receipt = answer
        told = _told(found)
        segments = told.pop("segments")
        facts = {**told, **summary(receipt)}
        return cls(found.text, Said("", receipt).provider, receipt.ms / 1000, found.language, facts, segments)


@dataclass(frozen=True)
class TTSResult:
    audio_data: bytes = field(repr=False)
    audio_format: str
    voice: str | None = None  # the provider's own name of it
    duration_ms: float | None = None  # that it took
    method: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer[Spoken]) -> Self:
        found, receipt = answer
        words = [{"text": one.text, "start": one.start, "end": one.end} for one in found.words]
        told = {"audio_ms": found.ms, "characters": receipt.request.facts.characters}
        facts = {**told, **({"words": words} if words else {}), **summary(receipt)}
        return cls(
            found.data, found.sound.kind, receipt.voice, round(receipt.ms, 1), _method(receipt, "speech"), facts
        )


@dataclass(frozen=True)
class TranslationResult:
    """Of one text in one language; of several, `translations` has them all."""

    translated_text: str
    source_language: str | None = None  # as said or detected
    target_language: str | None = None
    confidence: float | None = None  # in the source language, where it was detected
    duration_ms: float | None = None
    method: str | None = None
    translations: dict[str, list[str]] = field(default_factory=dict)  # language → the texts in their order
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer[Translation], targets: Sequence[str]) -> Self:
        results, receipt = answer.value.results, answer.receipt
        first = results[0]
        return cls(
            first.texts[targets[0]], first.source, targets[0], first.score, round(receipt.ms, 1),
            _method(receipt, "translation"), {one: [each.texts[one] for each in results] for one in targets},
            summary(receipt),
        )  # fmt: skip


@dataclass(frozen=True)
class BeautifyResult:
    text: str
    summary: str | None = None
    action_items: list[dict[str, Any]] | None = None
    segments: list[dict[str, Any]] | None = None  # of a transcript, with its speakers and times
    provider: str | None = None
    model: str | None = None
    duration_ms: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer[Beautified]) -> Self:
        found, receipt = answer
        said = Said("", receipt)
        return cls(
            found.text, found.summary, found.action_items, found.segments, said.provider, said.model,
            round(receipt.ms, 1), {"parts": found.parts, **said.facts},
        )  # fmt: skip


def _told(found: Transcript) -> dict[str, Any]:
    """What a transcript has beside its text, in the same words as over HTTP."""
    return {name: value for name, value in transcript_answers.native(found).items() if name != "text"}


def _method(receipt: Receipt, what: str) -> str | None:
    return f"{receipt.target.provider}_{what}" if receipt.target else None
