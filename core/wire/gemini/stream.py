"""Gemini's stream: whole answers in pieces, and no word for its end but the finish reason. Pure."""

from typing import Any

import orjson

from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.canonical import ForeignStream
from core.wire.gemini import answers
from core.wire.gemini.turns import call_from, is_text, left_out, signature_from, thought_from

Body = dict[str, Any]


class _Choice:
    """What of one candidate has come."""

    __slots__ = ("calls", "details", "finished", "length", "thinking")

    def __init__(self) -> None:
        self.calls = 0
        self.length = 0  # of its text
        self.details = 0  # items of its reasoning that are complete
        self.thinking = False  # another piece of thought continues the item that is open
        self.finished = False

    def rests(self) -> None:
        """What it thinks next is another item."""
        self.details += self.thinking
        self.thinking = False


class GeminiStream(ForeignStream):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._choices: dict[int, _Choice] = {}
        self._ident = ""

    def _event(self, name: str, data: Body) -> list[Frame]:  # noqa: ARG002 - its events have no names
        if data.get("error"):
            raise answers.read_error(None, orjson.dumps(data), secrets=self._secrets)
        if data.get("usageMetadata"):
            self.usage = answers.read_usage(data["usageMetadata"])  # also of what comes to nothing
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
        self._finished = False
        if not self._ident:
            self._ident = answers.ident_of(data)
            frame = self._begin(self._ident, data.get("modelVersion"))
            if index == 0:
                return frame
        return self.chunks.role(index)

    def _part(self, choice: _Choice, index: int, part: Body) -> list[Frame]:
        chunks, signature, text = self.chunks, part.get("thoughtSignature"), part.get("text") or ""
        if "functionCall" in part:
            choice.rests()
            made = call_from(part, f"{answers.calls_prefix(self._ident, index)}_{choice.calls}")
            choice.calls += 1
            more = {"extra_content": made["extra_content"]} if "extra_content" in made else {}
            function = made["function"]
            frame = chunks.tool(choice.calls - 1, made["id"], function["name"], function["arguments"], index, **more)
            return [frame]
        if part.get("thought"):
            return [self._thought(choice, index, text, signature)]
        choice.rests()
        if not is_text(part):
            loss = left_out(part, f"candidates[{index}]")
            self.losses += [loss] if loss not in self.losses else []
            return []
        start, choice.length = choice.length, choice.length + len(text)
        frames = [chunks.text(text, index)] if text else []
        if signature:
            item = signature_from(signature, choice.details, (start, choice.calls, choice.length))
            frames.append(chunks.reasoning("", item, index))
            choice.details += 1
        return frames

    def _thought(self, choice: _Choice, index: int, text: str, signature: str | None) -> Frame:
        """A piece of what is thought; a signature ends its item."""
        place = (0, 0, 0) if choice.thinking else (choice.length, choice.calls, choice.length)
        item = thought_from(text, choice.details, signature, place)
        choice.thinking = True
        if signature:
            choice.rests()
        return self.chunks.reasoning(text, item, index)

    def _closing(self, choice: _Choice, index: int, candidate: Body) -> list[Frame]:
        logs = answers.read_logprobs(candidate)
        frames = [self.chunks.delta({}, index, kind=Kind.META, logprobs=logs)] if logs else []
        if not candidate.get("finishReason"):
            return frames
        finish = answers.finish_of(candidate["finishReason"], called=choice.calls > 0)
        choice.finished = True
        self._finished = all(one.finished for one in self._choices.values())
        return [*frames, self.chunks.finish(finish, index)]
