"""The OpenAI chat dialect, which is also our canonical one: bytes ↔ facts, both ways. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from core.capabilities import Feature
from core.errors import BadRequest, Malformed, ServerFault, StreamCut, StreamFailed, TargetError
from core.types.frame import Frame, Kind
from core.types.request import Facts
from core.types.usage import Usage
from core.wire import sse
from core.wire.faults import classify, redact

_TEXT = (str,)
_NUMBER = (int, float)
_WHOLE = (int,)
_FLAG = (bool,)
_LIST = (list,)
_OBJECT = (dict,)
_ANY = (str, dict, list, bool, int, float)

# What the chat API takes, and as which JSON types. Everything else is a provider's own.
CHAT_PARAMS: dict[str, tuple[type, ...]] = {
    "model": _TEXT, "messages": _LIST, "stream": _FLAG, "stream_options": _OBJECT,
    "temperature": _NUMBER, "top_p": _NUMBER, "n": _WHOLE, "seed": _WHOLE, "stop": (str, list),
    "max_tokens": _WHOLE, "max_completion_tokens": _WHOLE,
    "presence_penalty": _NUMBER, "frequency_penalty": _NUMBER, "logit_bias": _OBJECT,
    "logprobs": (bool, int), "top_logprobs": _WHOLE,
    "tools": _LIST, "tool_choice": (str, dict), "parallel_tool_calls": _FLAG,
    "functions": _LIST, "function_call": (str, dict),
    "response_format": _OBJECT, "modalities": _LIST, "audio": _OBJECT, "prediction": _OBJECT,
    "reasoning_effort": _TEXT, "verbosity": _TEXT, "service_tier": _TEXT, "store": _FLAG,
    "metadata": _OBJECT, "user": _TEXT, "safety_identifier": _TEXT,
    "prompt_cache_key": _TEXT, "prompt_cache_options": _OBJECT, "prompt_cache_retention": _TEXT,
    "web_search_options": _OBJECT,
}  # fmt: skip

_JSON_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false",
               list: "a list", dict: "an object"}  # fmt: skip
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_IMAGE_TOKENS = 800  # an image is billed as tokens; this is the middle of what vendors count
_CHARS_PER_TOKEN = 4
_MAX_WORDS = 500  # characters of a provider's message that are passed on


def check_type(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a JSON value of another type; true and false are not numbers."""
    if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
        return
    expected = " or ".join(dict.fromkeys(_JSON_NAMES[kind] for kind in kinds))
    got = "null" if value is None else _JSON_NAMES.get(type(value), type(value).__name__)
    raise BadRequest(f"{name} must be {expected}, not {got}", param=name, code="invalid_type")


def chat_facts(body: Mapping[str, Any]) -> Facts:
    """Validate a chat body once and say what routing must know of it."""
    unknown = []
    for name, value in body.items():
        kinds = CHAT_PARAMS.get(name)
        if kinds is None:
            unknown.append(name)
        elif value is not None:
            check_type(name, value, kinds)
    messages = body.get("messages")
    if not messages:
        raise BadRequest("messages must be a list with at least one message", param="messages", code="missing")
    features, chars, images = _read_messages(messages)
    if tools := body.get("tools") or body.get("functions"):
        features.add(Feature.TOOLS)
        chars += len(orjson.dumps(tools))
    if body.get("stream"):
        features.add(Feature.STREAM)
    wanted = (body.get("response_format") or {}).get("type")
    if wanted == "json_schema":
        features.add(Feature.JSON_SCHEMA)
    elif wanted == "json_object":
        features.add(Feature.JSON_MODE)
    return Facts(
        features=frozenset(features),
        params=frozenset(body),
        unknown_params=frozenset(unknown),
        input_tokens=chars // _CHARS_PER_TOKEN + images * _IMAGE_TOKENS + 4 * len(messages),
        max_output=body.get("max_completion_tokens") or body.get("max_tokens"),
        messages=len(messages),
        answers=max(1, body.get("n") or 1),
    )


def _read_messages(messages: list[Any]) -> tuple[set[Feature], int, int]:
    features: set[Feature] = set()
    chars = images = 0
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if type(message) is not dict:
            raise BadRequest(f"{where} must be an object with role and content", param=where, code="invalid_type")
        role = message.get("role")
        if type(role) is not str or role not in ROLES:
            raise BadRequest(
                f"{where}.role must be one of {', '.join(sorted(ROLES))}",
                param=f"{where}.role",
                code="invalid_value",
            )
        content = message.get("content")
        if type(content) is str:
            chars += _length(content)
        elif type(content) is list:
            size, pictures, sounds = _read_parts(content, f"{where}.content")
            chars += size
            images += pictures
            features |= {Feature.VISION} if pictures else set()
            features |= {Feature.AUDIO} if sounds else set()
        elif content is not None:
            raise BadRequest(
                f"{where}.content must be a string or a list of parts",
                param=f"{where}.content",
                code="invalid_type",
            )
        elif role in {"user", "system", "developer"}:
            raise BadRequest(f"{where}.content is missing", param=f"{where}.content", code="missing")
        if calls := message.get("tool_calls"):
            chars += len(orjson.dumps(calls))
    return features, chars, images


def _length(text: str) -> int:
    """In bytes, which other scripts than ours need more of, as they need more tokens."""
    return len(text) if text.isascii() else len(text.encode())


def _read_parts(parts: list[Any], where: str) -> tuple[int, int, int]:
    chars = images = sounds = 0
    for index, part in enumerate(parts):
        if type(part) is not dict or type(part.get("type")) is not str:
            name = f"{where}[{index}]"
            raise BadRequest(f"{name} must be an object with a type", param=name, code="invalid_type")
        match part["type"]:
            case "text":
                check_type(f"{where}[{index}].text", part.get("text"), _TEXT)
                chars += _length(part["text"])
            case "image_url":
                images += 1
            case "input_audio":
                sounds += 1
    return chars, images, sounds


class Completion(NamedTuple):
    """A whole chat answer: its bytes as the provider sent them, and what was read from them."""

    raw: bytes
    body: dict[str, Any]
    usage: Usage

    @property
    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = self.body["choices"][0].get("message") or {}
        return message

    @property
    def finish_reason(self) -> str | None:
        reason: str | None = self.body["choices"][0].get("finish_reason")
        return reason


def read_completion(raw: bytes, content_type: str | None) -> Completion:
    """Malformed when it is not a chat completion: a proxy's page, half a JSON, no choices."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        what = f"{content_type or 'no content type'}, {len(raw)} bytes"
        raise Malformed(f"the answer is not JSON ({what})") from None
    choices = body.get("choices") if type(body) is dict else None
    if not choices or type(choices) is not list or type(choices[0]) is not dict:
        raise Malformed("the answer has no choices")
    if type(choices[0].get("message")) is not dict:
        raise Malformed("the answer's first choice has no message")
    return Completion(raw, body, read_usage(body.get("usage")))


def read_usage(usage: Any) -> Usage:
    """Disjoint buckets from a report where cached input is inside input and reasoning inside output."""
    if type(usage) is not dict or type(usage.get("prompt_tokens")) is not int:
        return Usage()
    prompt, output = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    cached = written = reasoning = 0
    if details := usage.get("prompt_tokens_details"):
        cached = min(_count(details, "cached_tokens"), prompt)
        written = min(_count(details, "cache_write_tokens"), prompt - cached)
    if details := usage.get("completion_tokens_details"):
        reasoning = min(_count(details, "reasoning_tokens"), output)
    return Usage("reported", prompt - cached - written, cached, written, output - reasoning, reasoning)


def _count(table: Any, name: str) -> int:
    value = table.get(name) if type(table) is dict else None
    return value if type(value) is int and value > 0 else 0


def read_error(status: int | None, raw: bytes, *, secrets: tuple[str, ...] = (), **facts: Any) -> TargetError:
    """A refusal in the dialect's error format, or in whatever a proxy sent instead."""
    code = kind = param = None
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    error = body.get("error") if type(body) is dict else None
    if type(error) is dict:
        code, kind, param = (_text(error.get(name), secrets) for name in ("code", "type", "param"))
        message = _text(error.get("message"), secrets) or "no message"
    else:
        message = _text(error, secrets) or redact(raw.decode("utf-8", "replace"), *secrets).strip() or "empty body"
    message = " ".join(message.split())[:_MAX_WORDS]
    cls = classify(status, code, kind, message)
    if status is None and cls is ServerFault:
        cls = StreamFailed
    return cls(message, provider_status=status, code=code, param=param, **facts)


def _text(value: Any, secrets: tuple[str, ...]) -> str | None:
    return redact(str(value), *secrets) if isinstance(value, str | int) else None


# What makes a block of events worth decoding after commit; a byte look costs a tenth of a decode.
_MARKS = (b'"error"', b'finish_reason":"', b'finish_reason": "', b'"usage":{', b'"usage": {', b"[DONE]")


class ChatStream:
    """Reads a chat stream: bytes in, frames out, and usage, end and errors noticed on the way."""

    __slots__ = (
        "_committed", "_failure", "_finished", "_keep_usage", "_secrets", "_splitter", "ended", "outputs", "usage",
    )  # fmt: skip

    def __init__(self, *, limit: int, keep_usage: bool, secrets: tuple[str, ...] = ()) -> None:
        self._splitter = sse.Splitter(limit)
        self._keep_usage = keep_usage
        self._secrets = secrets
        self._failure: TargetError | None = None
        self._committed = False
        self._finished = False
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
            if not self._finished:
                raise StreamCut("the stream ended without its end marker")
            self.ended = True
            frames.append(Frame(sse.DONE, Kind.END))
        return frames

    @property
    def failed(self) -> bool:
        """Whether the next `feed` raises, with no part needed."""
        return self._failure is not None

    @property
    def complete(self) -> bool:
        """Whether all output has come, even if the connection breaks now."""
        return self._finished or self.ended

    def _read(self, block: bytes) -> list[Frame]:
        if self._committed:
            for mark in _MARKS:
                if mark in block:
                    break
            else:
                self.outputs += block.count(b"\n\n")
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
            self.ended = True
            return Frame(sse.DONE, Kind.END)
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Malformed("a stream event is not JSON") from None
        if type(chunk) is not dict:
            raise Malformed("a stream event is not an object")
        if chunk.get("error"):
            raise read_error(None, data, secrets=self._secrets)
        return self._chunk(event + b"\n\n", chunk)

    def _chunk(self, raw: bytes, chunk: dict[str, Any]) -> Frame | None:
        usage = chunk.get("usage")
        if usage:
            self.usage = read_usage(usage)
        choices = chunk.get("choices")
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
            self._finished = self._finished or bool(choice.get("finish_reason"))
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
