"""Anthropic's Messages dialect and the canonical chat, whole requests and answers, both ways. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from core.errors import Malformed, ServerFault, TargetError
from core.types.usage import Usage
from core.wire import openai
from core.wire.anthropic.asked import request_from
from core.wire.anthropic.blocks import Body
from core.wire.anthropic.request import request_to
from core.wire.anthropic.turns import turn_from, turn_to
from core.wire.canonical import completion, finish_of

__all__ = [
    "completion_from", "completion_to", "read_error", "read_usage", "request_from", "request_to", "stop_reason_to",
    "usage_to",
]  # fmt: skip

_ENDS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
                "content_filter": "refusal"}  # fmt: skip
FINISHES: Final = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length",
    "model_context_window_exceeded": "length", "tool_use": "tool_calls", "refusal": "content_filter",
}  # fmt: skip
# Of what usage says, what goes by the price of tokens; anything else has prices of its own.
_PLAIN: Final[dict[str, tuple[str | None, ...]]] = {
    "service_tier": (None, "standard"), "speed": (None, "standard"),
    "inference_geo": (None, "", "global", "not_available"),
}  # fmt: skip
_FREE_TOOL: Final = "web_fetch_requests"
_PATH: Final = re.compile(r"([a-z_]+(?:\.\w+)*): ")  # what a refusal begins with when it names a parameter


# Answers, theirs → canonical


def completion_from(
    raw: bytes, *, created: int = 0, names: Sequence[str] = (), secrets: tuple[str, ...] = (), native: bool = False
) -> openai.Completion:
    """A canonical answer; `names` are what the caller calls his documents, `native` keeps theirs beside it."""
    body = openai.read_json(raw)
    if type(body) is dict and body.get("type") == "error":
        raise read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    content = body.get("content") if type(body) is dict else None
    if type(content) is not list or not all(type(one) is dict and type(one.get("type")) is str for one in content):
        raise Malformed("the answer has no content")
    usage, losses = read_usage(body.get("usage")), list[str]()
    if type(body.get("stop_reason")) is not str:
        raise Malformed("the answer does not say why it ended", usage=usage)
    message = turn_from(content, "content", losses)
    name_sources(message.get("citations") or (), names)
    if said := refused(body):
        message["refusal"] = said
    ended = [(message, ended_by(body["stop_reason"], losses))]
    made = completion(str(body.get("id") or ""), str(body.get("model") or ""), created, ended, usage)
    if stop := body.get("stop_sequence"):
        made.body["choices"][0]["stop_reason"] = stop
        made = made._replace(raw=orjson.dumps(made.body))
    if native:
        losses.clear()  # it goes out as it came
    losses += unpriced(body.get("usage"))
    return made._replace(native=raw if native else None, losses=tuple(losses))


def ended_by(reason: str, losses: list[str]) -> str:
    """Why it ended in a chat's words, which have none for a turn that is to go on, or for what is new."""
    if reason == "pause_turn" or reason not in FINISHES:
        why = "the provider paused amid its turn" if reason == "pause_turn" else "it is not known here"
        losses.append(f"finish_reason stop stands for {reason[:50]}: {why}")
    return finish_of(reason, FINISHES)


def name_sources(citations: Sequence[Body], names: Sequence[str]) -> None:
    """Sources by the names that the caller gave his documents."""
    for source in (source for one in citations for source in one["sources"]):
        index = source["document"].get("document_index")
        if type(index) is int and 0 <= index < len(names):
            source["id"] = names[index]


def refused(body: Mapping[str, Any]) -> str | None:
    """What is said of a refusal, if anything is."""
    details = body.get("stop_details")
    said = details.get("explanation") if type(details) is dict else None
    return said if type(said) is str else None


def read_usage(usage: Any) -> Usage:
    """Disjoint buckets: here cached input is beside the input, and thinking inside the output."""
    if type(usage) is not dict or type(usage.get("input_tokens")) is not int:
        return Usage()
    written, output = _count(usage, "cache_creation_input_tokens"), _count(usage, "output_tokens")
    hour = min(_count(usage.get("cache_creation"), "ephemeral_1h_input_tokens"), written)
    thought = min(_count(usage.get("output_tokens_details"), "thinking_tokens"), output)
    return Usage(
        "reported", _count(usage, "input_tokens"), _count(usage, "cache_read_input_tokens"), written - hour,
        output - thought, thought, hour, extras=len(_extras(usage)),
    )  # fmt: skip


def unpriced(usage: Any) -> tuple[str, ...]:
    return openai.unpriced(_extras(usage) if type(usage) is dict else [])


def _extras(usage: Body) -> list[str]:
    ways = [f"{name} {str(usage[name])[:50]}" for name, plain in _PLAIN.items() if usage.get(name) not in plain]
    served = usage.get("server_tool_use")
    runs = served if type(served) is dict else {}
    return [*ways, *(f"{count} {name}" for name in runs if name != _FREE_TOOL and (count := _count(runs, name)))]


def _count(table: Any, name: str) -> int:
    value = table.get(name) if type(table) is dict else None
    return value if type(value) is int and value > 0 else 0


def read_error(status: int | None, raw: bytes, **how: Any) -> TargetError:
    """A refusal; its stable code lies deeper here, and the parameter is the beginning of its words."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    error = body.get("error") if type(body) is dict else None
    if type(error) is dict:
        details = error.get("details")
        path = _PATH.match(error["message"]) if type(error.get("message")) is str else None
        found = {"code": details.get("error_code") if type(details) is dict else None}
        raw = orjson.dumps({"error": {**error, **found, "param": path[1] if path else None}})
    return openai.read_error(status, raw, **how)


# Answers, canonical → theirs


def completion_to(body: Mapping[str, Any], model: str | None = None) -> Body:
    """A Messages answer from a canonical one; `model` is what the caller shall read, else the answer's own."""
    choice = body["choices"][0]
    made = {
        "id": message_id(body.get("id")),
        "type": "message",
        "role": "assistant",
        "model": model or body.get("model"),
        "content": turn_to(choice["message"], "message", [], foreign=True),
        "stop_reason": stop_reason_to(choice.get("finish_reason")),
        "stop_sequence": None,
        "usage": usage_to(openai.read_usage(body.get("usage"))),
    }
    if made["stop_reason"] == "end_turn" and type(choice.get("stop_reason")) is str:
        made |= {"stop_reason": "stop_sequence", "stop_sequence": choice["stop_reason"]}
    return made


def message_id(ident: Any) -> str:
    name = str(ident or "")
    return name if name.startswith("msg_") else f"msg_{name.removeprefix('chatcmpl-')}"


def stop_reason_to(finish_reason: str | None) -> str:
    return _ENDS.get(finish_reason or "stop", "end_turn")


def usage_to(usage: Usage) -> Body:
    """What was used, in the words of the Messages API: what was cached is beside the input and not in it."""
    written = {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": usage.cache_write_1h}
    made: Body = {
        "input_tokens": usage.input + usage.audio_input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cached_input,
        "cache_creation": written,
        "output_tokens": usage.output_total,
    }
    if usage.reasoning:
        made["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return made
