"""Replicate: predictions as canonical answers, whole, in events, and failed. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson

from core.errors import BrokenOff, ContentRefused, ContextTooLong, Malformed, Overloaded, StreamFailed, TargetError
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire import openai
from core.wire.canonical import ForeignStream, completion, having_used
from core.wire.faults import redact
from core.wire.openai import Completion

DONE = frozenset({"succeeded", "failed", "canceled", "aborted"})
_MAX_WORDS = 500
_LONGEST = 10**7  # seconds


def prediction_of(body: Any) -> dict[str, Any]:
    """A prediction, or Malformed when what came is none."""
    if type(body) is not dict or type(body.get("id")) is not str or type(body.get("status")) is not str:
        raise Malformed("the answer is not a prediction")
    return body


def completion_from(prediction: Mapping[str, Any], model: str, limit: int | None, *secrets: str) -> Completion:
    """What a prediction that is over came to."""
    usage = usage_of(prediction)
    with having_used(timed(usage)):
        if error := failure_of(prediction, BrokenOff, *secrets):
            raise error
        message = {"content": text_of(prediction)}
    return completion(prediction["id"], model, created_of(prediction), [(message, finish_of(usage, limit))], usage)


def text_of(prediction: Mapping[str, Any]) -> str:
    """Models that write give pieces of text, or all of it at once."""
    output = prediction.get("output")
    pieces = [output] if type(output) is str else output or []
    if type(pieces) is not list or not all(type(piece) is str for piece in pieces):
        raise Malformed("the output of the prediction is not text")
    return "".join(pieces)


def usage_of(prediction: Mapping[str, Any]) -> Usage:
    """Tokens, which only models that are sold by them report, and how long it ran, by which all others are."""
    metrics = prediction.get("metrics")
    table = metrics if type(metrics) is dict else {}
    asked, output, seconds = (table.get(name) for name in ("input_token_count", "output_token_count", "predict_time"))
    run_ms = round(seconds * 1000) if isinstance(seconds, int | float) and 0 < seconds < _LONGEST else 0
    if type(asked) is int and type(output) is int:
        return Usage("reported", asked, output=output, run_ms=run_ms)
    return Usage(run_ms=run_ms)


def timed(usage: Usage) -> Usage:
    """Of what came to nothing: how long that ran is known, if not what it read and wrote."""
    return usage._replace(source="estimated") if usage.run_ms and usage.source == "unknown" else usage


def finish_of(usage: Usage, limit: int | None) -> str:
    """Nobody says why an answer ended: one that is as long as it may be was most likely cut."""
    return "length" if limit and usage.output >= limit else "stop"


def created_of(prediction: Mapping[str, Any]) -> int:
    try:
        return int(datetime.fromisoformat(str(prediction.get("created_at"))).timestamp())
    except ValueError:
        return 0


_CONTENT = re.compile(r"flagged as sensitive|content policy|safety|nsfw|\(E005\)", re.IGNORECASE)
_CONTEXT = re.compile(r"context (length|window)|too many tokens|(prompt|input) (length|is too long)", re.IGNORECASE)
_BUSY = re.compile(r"high demand|temporarily unavailable|rate limit|overloaded|queue", re.IGNORECASE)


def failure_of(prediction: Mapping[str, Any], otherwise: type[TargetError], *secrets: str) -> TargetError | None:
    """Why there is no answer: a prediction fails in an answer that is fine as HTTP."""
    match prediction.get("status"):
        case "succeeded":
            return None
        case "canceled":
            return otherwise("the prediction was cancelled at the provider")
        case "aborted":
            return Overloaded("the prediction was given up before it began")
        case "failed":
            return error_of(str(prediction.get("error") or "without a reason"), otherwise, *secrets)
        case other:
            return Malformed(f"the prediction is {str(other)[:40]!r}")


def error_of(words: str, otherwise: type[TargetError], *secrets: str) -> TargetError:
    said = " ".join(redact(words, *secrets).split())[:_MAX_WORDS]
    message = f"the prediction failed: {said}"
    for pattern, kind in ((_CONTENT, ContentRefused), (_CONTEXT, ContextTooLong), (_BUSY, Overloaded)):
        if pattern.search(said):
            return kind(message)
    return otherwise(message)


_EXTRA = re.compile(r"additional property (\S+) is not allowed", re.IGNORECASE)
_AVAILABLE = re.compile(r"available in (\d{1,5}) second", re.IGNORECASE)


def read_error(status: int | None, raw: bytes, *, retry_after: float | None = None, **facts: Any) -> TargetError:
    """A refusal, which is a problem document with a title and a detail."""
    error = openai.read_error(status, raw, retry_after=retry_after, **facts)
    if found := _EXTRA.search(error.message):
        error.param = found[1]
    if retry_after is None and (hint := _AVAILABLE.search(error.message)):
        error.retry_after = float(hint[1])
    return error


class ReplicateStream(ForeignStream):
    """Reads a prediction's events. Its `end` is told by who asks how the prediction ended."""

    def __init__(self, *, ident: str, length: int | None, **more: Any) -> None:
        super().__init__(**more)
        self._ident = ident
        self._length = length
        self._begun = False
        self.over = False  # there, whether it came to an answer or not

    def text(self, text: str) -> list[Frame]:
        """A piece of output."""
        begun = [] if self._begun else [self._begin(self._ident)]
        self._begun = True
        return [*begun, *([self.chunks.text(text)] if text else ())]

    def settled(self, prediction: Mapping[str, Any] | None) -> list[Frame]:
        """The end, with what it used if that is known."""
        self.over = True
        if prediction is not None:
            if error := failure_of(prediction, StreamFailed, *self._secrets):
                self.count(prediction)
                raise error
            self.usage = usage_of(prediction)
        return self._end()

    def count(self, prediction: Mapping[str, Any]) -> None:
        """What was used for what failed."""
        self.usage = timed(usage_of(prediction))

    def _end(self) -> list[Frame]:
        begun = self.text("")
        return [*begun, self.chunks.finish(finish_of(self.usage, self._length)), *super()._end()]

    def _events(self, block: bytes) -> Iterable[tuple[str, bytes]]:
        """Output comes as bare text."""
        for name, data in super()._events(block):
            yield name, orjson.dumps({"text": data.decode(errors="replace")})

    def _event(self, name: str, data: dict[str, Any]) -> list[Frame]:
        words = data["text"]
        self.over = name in {"error", "done"}
        match name:
            case "output":
                return self.text(words)
            case "error":
                raise error_of(_detail(words), StreamFailed, *self._secrets)
            case "done" if reason := _reason(words):
                raise StreamFailed(f"the prediction ended: {redact(reason, *self._secrets)[:40]}")
            case "done":
                self._finished = True
        return []


def _detail(words: str) -> str:
    try:
        return str(orjson.loads(words)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return words


def _reason(words: str) -> str | None:
    try:
        found = orjson.loads(words)
    except orjson.JSONDecodeError:
        return None
    return str(found["reason"]) if type(found) is dict and found.get("reason") else None
