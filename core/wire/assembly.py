"""A chat stream as one answer, and one answer as a stream, in the OpenAI dialect. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire import sse

Body = dict[str, Any]

_PIECE = 120  # characters of a replayed piece of text
_ONCE = frozenset({"id", "type", "role", "name", "index", "format"})  # said again, not continued
_REASONING = ("reasoning_content", "reasoning")
_TEXTS = (*_REASONING, "content", "refusal")
# What a whole answer says elsewhere, or what says something of a chunk alone, as noise that hides its length does.
_OF_A_CHUNK = frozenset({"object", "choices", "usage", "obfuscation"})
# What every chunk says. All else a vendor says once.
_OF_EACH_CHUNK = frozenset({"id", "created", "model", "system_fingerprint", "service_tier"})


class _Pieces(list[str]):
    """A text under way: a sum of strings would be copied for each of its pieces."""


def completion_of(raws: Iterable[bytes], usage: Usage) -> bytes | None:
    """The whole answer that a stream's events add up to; None when they do not, or when a choice has no end."""
    head: Body = {}
    choices: dict[int, Body] = {}
    reported: Body | None = None
    try:
        for raw in raws:
            for event in sse.events(raw):
                data = sse.data_of(event)
                if data is not None and data != b"[DONE]":
                    chunk = orjson.loads(data)
                    _read(chunk, head, choices)
                    reported = chunk.get("usage") or reported
        if not choices or not all(choice.get("finish_reason") for choice in choices.values()):
            return None
        made = [_choice(index, choices[index]) for index in sorted(choices)]
        said = reported if usage.source == "reported" and reported else usage_body(usage)
        body = {**head, "object": "chat.completion", "choices": made, "usage": said}
        return orjson.dumps(body)
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None  # output is passed on without a look, so this is the first one


def frames_of(body: Body, *, wants_usage: bool) -> Iterator[Frame]:
    """The answer as a provider would have streamed it, without the end marker."""
    head = {name: value for name, value in body.items() if name in _OF_EACH_CHUNK}
    head["object"] = "chat.completion.chunk"
    once = {name: value for name, value in body.items() if name not in _OF_EACH_CHUNK | _OF_A_CHUNK}
    for choice in body["choices"]:
        index, message = choice.get("index", 0), choice["message"]
        start = {"role": message.get("role", "assistant"), "content": None if message.get("content") is None else ""}
        yield _frame({**head, **once}, index, start, kind=Kind.META)
        once = {}
        for delta in _deltas(message):
            yield _frame(head, index, delta)
        end = {name: value for name, value in choice.items() if name not in {"index", "message"}}
        yield _frame(head, index, {}, kind=Kind.META, **end)
    if wants_usage and body.get("usage"):
        chunk = {**head, "choices": [], "usage": body["usage"]}
        yield Frame(sse.event(orjson.dumps(chunk)), Kind.USAGE)


def usage_body(usage: Usage) -> Body | None:
    """What a provider reported, in the dialect's own form; an estimate is ours and does not go in its answer.

    Nor does a zero: who reported nothing of a kind may not know it.
    """
    if usage.source != "reported":
        return None
    counts = {"prompt_tokens": usage.input_total, "completion_tokens": usage.output_total, "total_tokens": usage.total}
    prompt = {"cached_tokens": usage.cached_input, "cache_write_tokens": usage.cache_write + usage.cache_write_1h}
    details = {
        "prompt_tokens_details": {name: count for name, count in prompt.items() if count},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning} if usage.reasoning else {},
    }
    return {**counts, **{name: parts for name, parts in details.items() if parts}}


def _read(chunk: Body, head: Body, choices: dict[int, Body]) -> None:
    for name, value in chunk.items():
        if name not in _OF_A_CHUNK and value and not head.get(name):
            head[name] = value  # a first event may come before there is an id or a model
    for choice in chunk.get("choices") or ():
        _add(choices.setdefault(choice.get("index") or 0, {"delta": {}}), choice)


def _add(made: Body, choice: Body) -> None:
    for name, value in choice.items():
        if name == "delta":
            _merge(made["delta"], value or {})
        elif name == "logprobs":
            _lengthen(made, value or {})
        elif value:
            made[name] = value  # how it ended, and what a vendor says of it


def _lengthen(made: Body, logprobs: Body) -> None:
    for name, tokens in logprobs.items():
        if tokens:
            made.setdefault("logprobs", {}).setdefault(name, []).extend(tokens)


def _merge(made: Body, delta: Body) -> None:
    for name, value in delta.items():
        if value is None:
            continue
        if name in _ONCE:
            made[name] = made.get(name) or value
        elif isinstance(value, str):
            made.setdefault(name, _Pieces()).append(value)
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
        found = next((each for each in reversed(made) if isinstance(each, dict) and each.get("index") == index), None)
        if found is None or (one.get("id") and found.get("id") and one["id"] != found["id"]):
            made.append(found := {})  # some number all their calls alike
        _merge(found, one)


def _choice(index: int, made: Body) -> Body:
    delta = _joined(made.pop("delta"))
    message = {"role": "assistant", "content": None, **delta}
    if calls := delta.get("tool_calls"):
        message["tool_calls"] = [{name: value for name, value in call.items() if name != "index"} for call in calls]
        message["content"] = message["content"] or None
    return {"logprobs": None, **made, "index": index, "message": message}


def _joined(value: Any) -> Any:
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _joined(one) for name, one in value.items()}
    return [_joined(one) for one in value] if isinstance(value, list) else value


def _deltas(message: Body) -> Iterator[Body]:
    """Texts in pieces, each tool call whole, and what else there is at once."""
    texts = {name: text for name in _TEXTS if isinstance(text := message.get(name), str)}
    said = {"role", "tool_calls", "reasoning_details", *texts}
    if details := message.get("reasoning_details"):
        # They say the same as the text beside them, so they come with it, and before what was thought out.
        yield {name: texts.pop(name) for name in _REASONING if name in texts} | {"reasoning_details": details}
    for name, text in texts.items():
        for start in range(0, len(text), _PIECE):
            yield {name: text[start : start + _PIECE]}
    for number, call in enumerate(message.get("tool_calls") or ()):
        yield {"tool_calls": [{**call, "index": number}]}
    rest = {name: value for name, value in message.items() if value and name not in said}
    if rest:
        yield rest


def _frame(head: Body, index: int, delta: Body, *, kind: Kind = Kind.OUTPUT, **more: Any) -> Frame:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": None, **more}
    return Frame(sse.event(orjson.dumps({**head, "choices": [choice]})), kind)
