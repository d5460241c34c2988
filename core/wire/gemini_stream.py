"""Gemini's stream: whole answers in pieces, and no word for its end but the finish reason. Pure."""

from typing import Any

import orjson

from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import gemini_answers as answers
from core.wire.canonical import ForeignStream
from core.wire.gemini_contents import call_from, signature_from, thought_from

Body = dict[str, Any]


class _Choice:
    """What of one candidate has come."""

    __slots__ = ("calls", "details", "finished", "thinking")

    def __init__(self) -> None:
        self.calls = 0
        self.details = 0  # items of its reasoning that are complete
        self.thinking = False  # another piece of thought continues the item that is open
        self.finished = False


class GeminiStream(ForeignStream):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._choices: dict[int, _Choice] = {}
        self._ident = ""

    def _event(self, name: str, data: Body) -> list[Frame]:  # noqa: ARG002 - its events have no names
        if data.get("error"):
            raise answers.read_error(None, orjson.dumps(data), secrets=self._secrets)
        answers.refuse_blocked(data)
        frames: list[Frame] = []
        for place, candidate in enumerate(data.get("candidates") or ()):
            parts = answers.parts_of(candidate)
            index = candidate.get("index")
            index = index if type(index) is int else place
            choice = self._choices.get(index)
            if choice is None:
                frames.append(self._open(index, data))
                choice = self._choices[index]
            for part in parts:
                frames += self._part(choice, index, part)
            frames += self._closing(choice, index, candidate)
        if data.get("usageMetadata"):
            self._count(answers.read_usage(data["usageMetadata"]), frames)
        return frames

    def _count(self, usage: Usage, frames: list[Frame]) -> None:
        """Each event counts, but what was said is counted at the end only."""
        if usage.source != "unknown" and not self._finished:
            said = self.outputs + sum(frame.kind is Kind.OUTPUT for frame in frames)
            usage = usage._replace(source="estimated", output=max(usage.output, said))
        self.usage = usage

    def _open(self, index: int, data: Body) -> Frame:
        self._choices[index] = _Choice()
        if not self._ident:
            self._ident = answers.ident_of(data)
            frame = self._begin(self._ident, data.get("modelVersion"))
            if index == 0:
                return frame
        return self.chunks.role(index)

    def _part(self, choice: _Choice, index: int, part: Body) -> list[Frame]:
        chunks, signature, text = self.chunks, part.get("thoughtSignature"), part.get("text") or ""
        if "functionCall" in part:
            made = call_from(part, f"{answers.calls_prefix(self._ident, index)}_{choice.calls}")
            choice.calls += 1
            more = {"extra_content": made["extra_content"]} if "extra_content" in made else {}
            function = made["function"]
            frame = chunks.tool(choice.calls - 1, made["id"], function["name"], function["arguments"], index, **more)
            return [frame]
        if part.get("thought"):
            choice.thinking = True
            return [chunks.reasoning(text, thought_from(text, choice.details, signature), index)]
        choice.details += choice.thinking
        choice.thinking = False
        frames = [chunks.text(text, index)] if text else []
        if signature:
            frames.append(chunks.reasoning("", signature_from(signature, choice.details), index))
            choice.details += 1
        return frames

    def _closing(self, choice: _Choice, index: int, candidate: Body) -> list[Frame]:
        logs = answers.read_logprobs(candidate)
        frames = [self.chunks.delta({}, index, kind=Kind.META, logprobs=logs)] if logs else []
        if not candidate.get("finishReason"):
            return frames
        finish = answers.finish_of(candidate["finishReason"], called=choice.calls > 0)
        choice.finished = True
        self._finished = all(one.finished for one in self._choices.values())
        return [*frames, self.chunks.finish(finish, index)]
