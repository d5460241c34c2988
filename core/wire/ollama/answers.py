"""What Ollama's own API answers, whole and line by line, as canonical answers. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from core.errors import Malformed, ServerFault
from core.types.frame import Frame
from core.types.usage import Usage
from core.wire.canonical import ForeignStream, completion, finish_of
from core.wire.ollama.request import calls_from, calls_to, details_from
from core.wire.openai import Completion, read_error, read_json

_FINISHES = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
_NOT_SAID = "the answer has no message"


def completion_from(raw: bytes, model: str, *, asked: int, secrets: tuple[str, ...] = ()) -> Completion:
    """A whole answer; `asked` estimates the tokens of the prompt, for servers that do not count it."""
    theirs = read_json(raw)
    if type(theirs) is dict and theirs.get("error"):
        raise read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    said = theirs.get("message") if type(theirs) is dict else None
    if type(said) is not dict:
        raise Malformed(_NOT_SAID)
    if theirs.get("done") is not True:
        raise Malformed("the answer is not whole")
    ident, usage = _ident(raw), usage_of(theirs, asked)
    message: dict[str, Any] = {"content": said.get("content") or ""}
    if thought := said.get("thinking"):
        message |= {"reasoning_content": thought, "reasoning_details": details_from(thought)}
    if calls := _calls(said, ident):
        message |= {"tool_calls": calls, "content": message["content"] or None}
    finish = _finish(theirs, called=bool(calls))
    name = str(theirs.get("model") or model)
    return completion(f"chatcmpl-{ident}", name, created_of(theirs), [(message, finish)], usage)


def completion_to(body: Mapping[str, Any]) -> dict[str, Any]:
    """A canonical answer as Ollama would have said it."""
    choice = body["choices"][0]
    message, finish = choice["message"], choice.get("finish_reason")
    said: dict[str, Any] = {"role": "assistant", "content": message.get("content") or ""}
    if thought := message.get("reasoning_content"):
        said["thinking"] = thought
    if calls := list(calls_to(message.get("tool_calls") or (), "tool_calls", [])):
        said["tool_calls"] = calls
    at = datetime.fromtimestamp(body["created"], UTC).isoformat()
    theirs = {"model": body["model"], "created_at": at, "message": said, "done": True}
    theirs["done_reason"] = "length" if finish == "length" else "stop"
    if counts := body.get("usage"):
        theirs |= {"prompt_eval_count": counts["prompt_tokens"], "eval_count": counts["completion_tokens"]}
    return theirs


def usage_of(theirs: Mapping[str, Any], asked: int) -> Usage:
    """A prompt that was in its cache as a whole is not counted by some versions."""
    prompt, output = theirs.get("prompt_eval_count"), theirs.get("eval_count")
    if type(output) is not int:
        return Usage()
    return (
        Usage("reported", prompt, output=output) if type(prompt) is int else Usage("estimated", asked, output=output)
    )


def created_of(theirs: Mapping[str, Any]) -> int:
    try:
        return int(datetime.fromisoformat(str(theirs.get("created_at"))).timestamp())
    except ValueError:
        return 0


class Lines:
    """As core.wire.sse.Splitter, for lines of JSON."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int) -> None:
        self._rest = bytearray()
        self._limit = limit

    def feed(self, part: bytes) -> bytes:
        """All whole lines so far; empty when none is whole."""
        if not self._rest and part.endswith(b"\n"):
            return part
        rest = self._rest
        seen = len(rest)
        rest += part
        end = rest.rfind(b"\n", seen) + 1
        if len(rest) - end > self._limit:
            raise Malformed(f"a line of the stream is larger than {self._limit} bytes")
        block = bytes(rest[:end])
        del rest[:end]
        return block

    def flush(self) -> bytes:
        rest = bytes(self._rest).strip()
        self._rest.clear()
        return rest


class OllamaStream(ForeignStream):
    """Reads a chat in lines of JSON."""

    def __init__(self, *, limit: int, asked: int, **more: Any) -> None:
        super().__init__(limit=limit, created=0, **more)
        self._splitter = Lines(limit)
        self._asked = asked
        self._ident = ""
        self._calls = 0

    def _events(self, block: bytes) -> Iterable[tuple[str, bytes]]:
        return (("", line) for line in block.split(b"\n") if line.strip())

    def _event(self, name: str, data: dict[str, Any]) -> list[Frame]:  # noqa: ARG002 - lines have no names
        if data.get("error"):
            raise read_error(None, orjson.dumps(data), secrets=self._secrets)
        said, frames = data.get("message"), list[Frame]()
        if type(said) is not dict:
            raise Malformed(_NOT_SAID)
        if not self._ident:
            self._ident, self._created = _ident(orjson.dumps(data)), created_of(data)
            frames.append(self._begin(f"chatcmpl-{self._ident}", data.get("model")))
        if thought := said.get("thinking"):
            frames.append(self.chunks.reasoning(thought, details_from(thought)[0]))
        if text := said.get("content"):
            frames.append(self.chunks.text(text))
        for call in _calls(said, self._ident, self._calls):
            function = call["function"]
            frames.append(self.chunks.tool(self._calls, call["id"], function["name"], function["arguments"]))
            self._calls += 1
        return frames + self._last(data) if data.get("done") else frames

    def _last(self, data: dict[str, Any]) -> list[Frame]:
        self.usage, self._finished = usage_of(data, self._asked), True
        return [self.chunks.finish(_finish(data, called=self._calls > 0)), *self._end()]


def _finish(theirs: Mapping[str, Any], *, called: bool) -> str:
    """To call a function is to stop, there."""
    finish = finish_of(theirs.get("done_reason"), _FINISHES)
    return "tool_calls" if called and finish == "stop" else finish


def _calls(said: Mapping[str, Any], ident: str, start: int = 0) -> list[dict[str, Any]]:
    try:
        return calls_from(said.get("tool_calls") or (), f"call_{ident}", start)
    except (AttributeError, KeyError, TypeError):
        raise Malformed("the answer calls something that is no function") from None


def _ident(raw: bytes) -> str:
    """Answers have no id there: one that is the same for the same bytes."""
    return blake2b(raw, digest_size=12).hexdigest()
