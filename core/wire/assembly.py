"""A chat stream as one answer, and one answer as a stream, in the OpenAI dialect. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse

Body = dict[str, Any]

_PIECE = 120  # characters of a replayed piece of text
_ONCE = frozenset({"id", "type", "role", "name", "index"})  # said again, not continued
_TEXTS = ("reasoning_content", "reasoning", "content", "refusal")


def completion_of(raws: Iterable[bytes], usage: Usage) -> bytes | None:
    """The whole answer that a stream's events add up to; None when one of its choices has no end."""
    head: Body = {}
    choices: dict[int, Body] = {}
    for raw in raws:
        for event in sse.events(raw):
            data = sse.data_of(event)
            if data is None or data == b"[DONE]":
                continue
            chunk = orjson.loads(data)
            head |= {name: value for name, value in chunk.items() if name not in head or name == "usage"}
            for choice in chunk.get("choices") or ():
                _add(choices.setdefault(choice.get("index") or 0, {}), choice)
    if not choices or not all(choice.get("finish_reason") for choice in choices.values()):
        return None
    made = [_choice(index, choices[index]) for index in sorted(choices)]
    # What each chunk hides its length with means nothing in a whole answer.
    head = {name: value for name, value in head.items() if name not in {"choices", "usage", "obfuscation"}}
    return orjson.dumps({**head, "object": "chat.completion", "choices": made, "usage": usage_body(usage)})


def frames_of(body: Body, *, wants_usage: bool) -> Iterator[Frame]:
    """The answer as a provider would have streamed it, without the end marker."""
    head = {name: value for name, value in body.items() if name not in {"choices", "usage"}}
    head["object"] = "chat.completion.chunk"
    for choice in body["choices"]:
        index, message = choice.get("index", 0), choice["message"]
        yield _frame(head, index, {"role": message.get("role", "assistant"), "content": ""}, kind=Kind.META)
        for delta in _deltas(message):
            yield _frame(head, index, delta)
        end = {name: choice[name] for name in ("logprobs", "finish_reason") if name in choice}
        yield _frame(head, index, {}, kind=Kind.META, **end)
    if wants_usage and body.get("usage"):
        chunk = {**head, "choices": [], "usage": body["usage"]}
        yield Frame(sse.event(orjson.dumps(chunk)), Kind.USAGE)


def usage_body(usage: Usage) -> Body | None:
    """Usage in the dialect's own form."""
    if usage.source == "unknown":
        return None
    return {
        "prompt_tokens": usage.input_total,
        "completion_tokens": usage.output_total,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cached_input},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _add(made: Body, choice: Body) -> None:
    _merge(made.setdefault("delta", {}), choice.get("delta") or {})
    if choice.get("finish_reason"):
        made["finish_reason"] = choice["finish_reason"]
    if choice.get("logprobs"):
        logprobs = made.setdefault("logprobs", {})
        for name, tokens in choice["logprobs"].items():
            logprobs[name] = [*(logprobs.get(name) or ()), *tokens] if isinstance(tokens, list) else tokens


def _merge(made: Body, delta: Body) -> None:
    for name, value in delta.items():
        old = made.get(name)
        if value is None or (old and name in _ONCE):
            continue
        if isinstance(value, str) and isinstance(old, str):
            made[name] = old + value
        elif isinstance(value, dict):
            _merge(made.setdefault(name, {}), value)
        elif isinstance(value, list):
            _merge_list(made.setdefault(name, []), value)
        else:
            made[name] = value


def _merge_list(made: list[Any], more: list[Any]) -> None:
    """Tool calls come in pieces that say which one they continue; other lists grow."""
    for one in more:
        index = one.get("index") if isinstance(one, dict) else None
        if type(index) is not int:
            made.append(one)
            continue
        found = next((each for each in made if isinstance(each, dict) and each.get("index") == index), None)
        if found is None:
            made.append(found := {"index": index})
        _merge(found, one)


def _choice(index: int, made: Body) -> Body:
    delta = made["delta"]
    message = {"role": "assistant", "content": None, **delta}
    if calls := delta.get("tool_calls"):
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
        message["content"] = message["content"] or None
    return {
        "index": index,
        "message": message,
        "logprobs": made.get("logprobs"),
        "finish_reason": made["finish_reason"],
    }


def _deltas(message: Body) -> Iterator[Body]:
    """Texts in pieces, each tool call whole, and what else there is at once."""
    for name in _TEXTS:
        text = message.get(name) or ""
        for start in range(0, len(text), _PIECE):
            yield {name: text[start : start + _PIECE]}
    for number, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{"index": number, **call}]}
    rest = {
        name: value
        for name, value in message.items()
        if value is not None and name not in {"role", "tool_calls", *_TEXTS}
    }
    if rest:
        yield rest


def _frame(head: Body, index: int, delta: Body, *, kind: Kind = Kind.OUTPUT, **more: Any) -> Frame:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **more}
    return Frame(sse.event(orjson.dumps({**head, "choices": [choice]})), kind)
