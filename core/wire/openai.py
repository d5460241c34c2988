"""What providers answer in the OpenAI chat dialect: completions, streams, usage, errors. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from core.errors import BrokenOff, Malformed, ServerFault, StreamCut, StreamFailed, TargetError
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.faults import classify, phrase, redact

_MAX_WORDS = 500  # characters of a provider's message that are passed on


class Completion(NamedTuple):
    """A whole chat answer: its bytes as the provider sent them, and what was read from them."""

    raw: bytes
    body: dict[str, Any]
    usage: Usage
    native: bytes | None = None  # the same in the dialect that was asked for, if the provider speaks it
    losses: tuple[str, ...] = ()  # what of the provider's answer is not in the body

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = self.body["choices"][0].get("message") or {}
        return message

    @property
    def finish_reason(self) -> str | None:
        reason: str | None = self.body["choices"][0].get("finish_reason")
        return reason


def read_json(raw: bytes) -> Any:
    """A provider's JSON, or Malformed with what came instead."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        kind = "a web page" if raw.lstrip()[:1] == b"<" else "half a JSON" if raw.lstrip()[:1] == b"{" else "no JSON"
        raise Malformed(f"the answer is {kind} ({len(raw)} bytes)") from None


def read_completion(raw: bytes, secrets: tuple[str, ...] = ()) -> Completion:
    """Malformed when it is not a chat completion: a proxy's page, half a JSON, no choices."""
    body = read_json(raw)
    if type(body) is dict and body.get("error"):
        raise read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    choices = body.get("choices") if type(body) is dict else None
    if not choices or type(choices) is not list or type(choices[0]) is not dict:
        raise Malformed("the answer has no choices")
    if type(choices[0].get("message")) is not dict:
        raise Malformed("the answer's first choice has no message")
    if _settle_finishes(choices):
        raw = orjson.dumps(body)
    usage = read_usage(_usage_in(body))
    if beside := _beside(body, choices, "message"):
        return Completion(raw, body, usage._replace(extras=len(beside)), losses=unpriced(beside))
    return Completion(raw, body, usage)


# How a request is served at the price of its tokens; any other tier has a price of its own.
_PLAIN_TIERS = (None, "", "default", "auto", "standard", "on_demand")


def tier_beside(body: Mapping[str, Any]) -> list[str]:
    """The tier that served an answer, if it is billed otherwise than the plain one."""
    tier = body.get("service_tier")
    return [] if tier in _PLAIN_TIERS else [f"service_tier {str(tier)[:50]}"]


def unpriced(beside: Sequence[str]) -> tuple[str, ...]:
    """What of the bill is not told by tokens, in words."""
    return (f"the cost is not known: {', '.join(beside)} is billed beside the price of its tokens",) if beside else ()


def _beside(body: Mapping[str, Any], choices: Sequence[Any], field: str) -> list[str]:
    """What an answer, or a piece of one, shows to be billed beside its tokens: its tier, and a search of the web."""
    found = tier_beside(body)
    for choice in choices:
        said = choice.get(field) if type(choice) is dict else None
        if type(said) is dict and (noted := said.get("annotations")) and _cites(noted):
            return [*found, "a web search"]
    return found


def _cites(annotations: Any) -> bool:
    return type(annotations) is list and any(
        type(one) is dict and one.get("type") == "url_citation" for one in annotations
    )


def _settle_finishes(choices: list[Any]) -> bool:
    """Say in the dialect's words why each choice ended; whether that changed one."""
    changed = False
    for choice in choices:
        reason = choice.get("finish_reason") if type(choice) is dict else None
        if type(reason) is not str:
            continue
        if reason in _BROKEN_OFF:
            raise BrokenOff(f"the answer was broken off ({reason})")
        if reason in _FINISHES:
            choice["finish_reason"] = _FINISHES[reason]
            changed = True
    return changed


_FINISHES = {"eos": "stop"}
_BROKEN_OFF = {"insufficient_system_resource"}


def _usage_in(body: Mapping[str, Any]) -> Any:
    """A report of usage under its own name, or in a vendor's extension (`x_…`), as some end their streams."""
    if usage := body.get("usage"):
        return usage
    extensions = (part for name, part in body.items() if name.startswith("x_") and type(part) is dict)
    return next((part["usage"] for part in extensions if part.get("usage")), None)


def read_usage(usage: Any) -> Usage:
    """Disjoint buckets from a report where cached input is inside input and reasoning inside output."""
    if type(usage) is not dict or type(usage.get("prompt_tokens")) is not int:
        return Usage()
    prompt, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = written = reasoning = 0
    details = usage.get("prompt_tokens_details")
    if hit := _count(details, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens"):
        cached = min(hit, prompt)
    if details:
        written = min(_count(details, "cache_write_tokens"), prompt - cached)
    if details := usage.get("completion_tokens_details"):
        reasoning = min(_count(details, "reasoning_tokens"), output)
    return Usage("reported", prompt - cached - written, cached, written, output - reasoning, reasoning)


def _count(table: Any, name: str) -> int:
    value = table.get(name) if type(table) is dict else None
    return value if type(value) is int and value > 0 else 0


def read_error(
    status: int | None,
    raw: bytes,
    *,
    secrets: tuple[str, ...] = (),
    otherwise: type[TargetError] = StreamFailed,
    **facts: Any,
) -> TargetError:
    """A refusal in the words of the dialect's error format. Any other body may quote the request: it stays out."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    table = body if type(body) is dict else {}
    error = table.get("error")
    code = kind = param = None
    if type(error) is dict:
        code, kind, param = (_text(error.get(name), secrets) for name in ("code", "type", "param"))
        said = error.get("message")
    else:
        said = error or table.get("message") or table.get("detail")
    message = _text(said, secrets) or f"{phrase(status) or 'an error'}, without a message ({len(raw)} bytes)"
    message = " ".join(message.split())[:_MAX_WORDS]
    cls = classify(status, code, kind, message)
    if status is None and cls is ServerFault:
        cls = otherwise
    return cls(message, provider_status=status, code=code, param=param, **facts)


def _text(value: Any, secrets: tuple[str, ...]) -> str | None:
    return redact(str(value), *secrets) if isinstance(value, str | int) else None


# What makes a block of events worth decoding after commit; a byte look costs a tenth of a decode. What does not
# end like an object, the end marker among it, is decoded anyway.
_MARKS = (
    b'"error"',
    b"event: error",
    b'finish_reason":"',
    b'finish_reason": "',
    b'"usage":{',
    b'"usage": {',
    b"[DONE]",
)


class ChatStream:
    """Reads a chat stream: bytes in, frames out, and usage, end and errors noticed on the way."""

    __slots__ = (
        "_beside", "_committed", "_failure", "_keep_usage", "_open", "_secrets", "_several", "_splitter",
        "ended", "outputs", "usage",
    )  # fmt: skip

    def __init__(self, *, limit: int, keep_usage: bool, secrets: tuple[str, ...] = (), several: bool = False) -> None:
        self._splitter = sse.Splitter(limit)
        self._keep_usage = keep_usage
        self._secrets = secrets
        self._several = several  # each chunk is read: of several choices each must be seen to begin and to end
        self._beside: dict[str, None] = {}  # what is billed beside the tokens, in order
        self._failure: TargetError | None = None
        self._committed = False
        self._open: dict[int, bool] = {}  # choice → whether it still waits for its finish reason
        self.ended = False
        self.usage = Usage()
        self.outputs = 0  # events with output, which is near the number of tokens

    def feed(self, part: bytes) -> list[Frame]:
        if self._failure:
            raise self._failure
        block = self._splitter.feed(part)
        return self._read(block) if block else []

    def finish(self) -> list[Frame]:
        """The provider closed the stream: a clean end only if it had said so."""
        rest = self._splitter.flush()
        frames = self._read(rest) if rest and _is_whole(rest) else []
        if self._failure:
            raise self._failure
        if not self.ended:
            if not self._all_finished():
                raise StreamCut("the stream ended without its end marker")
            self.ended = True
            frames.append(Frame(sse.DONE, Kind.END))
        return frames

    @property
    def failed(self) -> bool:
        """Whether the next `feed` raises, with no part needed."""
        return self._failure is not None

    @property
    def losses(self) -> tuple[str, ...]:
        return unpriced(tuple(self._beside))

    @property
    def complete(self) -> bool:
        """Whether all output has come, even if the connection breaks now."""
        return self.ended or self._all_finished()

    def _all_finished(self) -> bool:
        return bool(self._open) and not any(self._open.values())

    def _read(self, block: bytes) -> list[Frame]:
        if self._committed and not self._several:
            count = block.count(b"\n\n")
            if count == block.count(b"}\n\n"):
                for mark in _MARKS:
                    if mark in block:
                        break
                else:
                    self.outputs += count
                    return [Frame(block, Kind.OUTPUT)]
        committed, frames = self._committed, []
        for event in sse.events(block):
            try:
                frame = self._event(event)
            except TargetError as error:
                if not committed:
                    raise  # nothing of this block has left: the next target may still answer
                self._failure = error
                break
            if frame is not None:
                frames.append(frame)
            if self.ended:
                break  # what follows the end is nobody's
        return frames

    def _event(self, event: bytes) -> Frame | None:
        data = sse.data_of(event)
        if data is None:
            return Frame(event + b"\n\n", Kind.META)
        if data == b"[DONE]":
            if not self._all_finished():
                raise StreamCut("the stream ended without a finish reason")  # as proxies end what they have lost
            self.ended = True
            return Frame(sse.DONE, Kind.END)
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Malformed("a stream event is not JSON") from None
        if type(chunk) is not dict:
            raise Malformed("a stream event is not an object")
        if chunk.get("error") or event.startswith(b"event: error"):
            raise read_error(None, data, secrets=self._secrets)
        return self._chunk(event + b"\n\n", chunk)

    def _chunk(self, raw: bytes, chunk: dict[str, Any]) -> Frame | None:
        usage = _usage_in(chunk)
        if usage:
            self.usage = read_usage(usage)
        choices = chunk.get("choices")
        if beside := _beside(chunk, choices if type(choices) is list else (), "delta"):
            self._beside.update(dict.fromkeys(beside))
        if self._beside:
            self.usage = self.usage._replace(extras=len(self._beside))
        if type(choices) is not list or not choices:
            if usage:
                return Frame(raw, Kind.USAGE) if self._keep_usage else None
            return Frame(raw, Kind.META)
        output = False
        for choice in choices:
            if type(choice) is not dict:
                raise Malformed("a stream event has a choice that is not an object")
            delta = choice.get("delta") or {}
            if type(delta) is not dict:
                raise Malformed("a stream event has a delta that is not an object")
            output = output or _is_output(delta)
            index = choice.get("index")
            index = index if type(index) is int else 0
            self._open[index] = self._open.get(index, True) and not choice.get("finish_reason")
        if _settle_finishes(choices):
            raw = sse.event(orjson.dumps(chunk))
        if output:
            self._committed = True
            self.outputs += 1
        return Frame(raw, Kind.OUTPUT if output else Kind.META)


def _is_whole(event: bytes) -> bool:
    """Whether the last event lacks only its blank line, and is not half an event."""
    data = sse.data_of(event.strip())
    try:
        return data is not None and (data == b"[DONE]" or bool(orjson.loads(data)))
    except orjson.JSONDecodeError:
        return False


def _is_output(delta: Mapping[str, Any]) -> bool:
    return any(
        delta.get(name)
        for name in (
            "content",
            "tool_calls",
            "function_call",
            "refusal",
            "reasoning_content",
            "reasoning",
            "audio",
        )
    )
