"""Anthropic's Messages dialect and the canonical chat, whole requests and answers, both ways. Pure."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from core.errors import BadRequest, Malformed, ServerFault, TargetError
from core.types.usage import Usage
from core.wire import openai
from core.wire.anthropic_blocks import Body, listed, marked, part_from
from core.wire.anthropic_request import request_to
from core.wire.anthropic_turns import turn_from, turn_to
from core.wire.canonical import completion, finish_of
from core.wire.chat import check_type
from core.wire.shapes import texts_and_files

__all__ = [
    "completion_from", "completion_to", "read_error", "read_usage", "request_from", "request_to", "stop_reason_to",
    "usage_to",
]  # fmt: skip

# What both sides call alike and mean alike.
_SAME: Final = ("model", "stream", "temperature", "top_p", "top_k", "thinking", "cache_control")
_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
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
_LONGEST_USER: Final = 64
_PATH: Final = re.compile(r"([a-z_]+(?:\.\w+)*): ")  # what a refusal begins with when it names a parameter
_READ: Final = frozenset(
    {*_SAME, "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences", "metadata", "output_config",
     "service_tier"}
)  # fmt: skip


# Requests, theirs → canonical


def request_from(body: Mapping[str, Any]) -> tuple[Body, list[str]]:
    """A canonical chat request, and what it cannot say. BadRequest for what no Messages API would take."""
    losses = [f"{name} was left out: only the Messages API has it" for name in body if name not in _READ]
    made: Body = {name: body[name] for name in _SAME if body.get(name) is not None}
    if (limit := body.get("max_tokens")) is not None:
        check_type("max_tokens", limit, (int,))
        made["max_completion_tokens"] = max(limit, 1)
    made["messages"] = _messages_from(body, losses)
    if tools := body.get("tools"):
        made |= _tools_from(tools, losses)
    if choice := body.get("tool_choice"):
        chosen = _choice_from(choice, losses)
        if "tools" in made or not body.get("tools"):
            made |= chosen
        elif chosen:
            losses.append("tool_choice was left out: there is nothing left to choose from")
    if stops := body.get("stop_sequences"):
        check_type("stop_sequences", stops, (list,))
        made["stop"] = list(stops)
    if metadata := body.get("metadata"):
        check_type("metadata", metadata, (dict,))
        made |= _user_from(metadata.get("user_id"), losses)
    if config := body.get("output_config"):
        check_type("output_config", config, (dict,))
        made |= _config_from(config)
    if tier := body.get("service_tier"):
        check_type("service_tier", tier, (str,))
        made["service_tier"] = _TIERS.get(tier, tier)
    return made, losses


def _messages_from(body: Mapping[str, Any], losses: list[str]) -> list[Body]:
    made: list[Body] = []
    if system := body.get("system"):
        made.append({"role": "system", "content": _plain(system, "system", losses)})
    messages = body.get("messages")
    check_type("messages", messages, (list,))
    for index, message in enumerate(messages or ()):
        at = f"messages[{index}]"
        check_type(at, message, (dict,))
        role, content = message.get("role"), message.get("content")
        where = f"{at}.content"
        if role == "assistant":
            blocks = listed(content, where)
            _check_calls(blocks, where)
            made.append(turn_from(blocks, where, losses))
        elif role == "system":
            made.append({"role": "system", "content": _plain(content, where, losses)})
        elif role == "user":
            made += _said_from(content, where, losses)
        else:
            words = f"{at}.role must be one of assistant, system, user"
            raise BadRequest(words, param=f"{at}.role", code="invalid_value")
    return made


def _check_calls(blocks: Sequence[Body], where: str) -> None:
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            for name in ("id", "name"):
                check_type(f"{where}[{index}].{name}", block.get(name), (str,))


def _plain(content: Any, where: str, losses: list[str]) -> str | list[Body]:
    """Content as a string where it is one, else as parts."""
    if type(content) is str:
        return content
    blocks = listed(content, where)
    parts = (part_from(block, f"{where}[{index}]", losses) for index, block in enumerate(blocks))
    return [part for part in parts if part]


def _said_from(content: Any, where: str, losses: list[str]) -> list[Body]:
    """Results of tools are messages of their own, of text alone. What the user says beside them comes after."""
    if type(content) is str:
        return [{"role": "user", "content": content}]
    results, attached, parts = [], list[Body](), list[Body]()
    for index, block in enumerate(listed(content, where)):
        at = f"{where}[{index}]"
        if block["type"] == "tool_result":
            check_type(f"{at}.tool_use_id", block.get("tool_use_id"), (str,))
            said, files = _result_from(block.get("content") or "", f"{at}.content", losses)
            attached += files
            result = {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said}
            results.append(marked(result, block))
            if block.get("is_error"):
                losses.append(f"{at}.is_error was left out: the result's own words have to say it")
        elif part := part_from(block, at, losses):
            parts.append(part)
    told = [*attached, *parts]
    return [*results, {"role": "user", "content": told}] if told or not results else results


def _result_from(content: Any, where: str, losses: list[str]) -> tuple[str | list[Body], list[Body]]:
    """A result's text, and its pictures and files."""
    said = _plain(content, where, losses)
    return (said, []) if isinstance(said, str) else texts_and_files(said)


def _tools_from(tools: Any, losses: list[str]) -> Body:
    check_type("tools", tools, (list,))
    made = []
    for index, tool in enumerate(tools):
        check_type(f"tools[{index}]", tool, (dict,))
        if tool.get("type") not in (None, "custom"):
            losses.append(f"tools[{index}] was left out: {str(tool['type'])[:50]} is run by Anthropic alone")
            continue
        check_type(f"tools[{index}].name", tool.get("name"), (str,))
        check_type(f"tools[{index}].input_schema", tool.get("input_schema"), (dict,))
        function = {"name": tool["name"], "parameters": tool["input_schema"]}
        function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
        made.append(marked({"type": "function", "function": function}, tool))
    return {"tools": made} if made else {}


def _user_from(ident: Any, losses: list[str]) -> Body:
    """Chat APIs take no longer names of a caller's user; a hash stands for him as well."""
    if ident is None:
        return {}
    check_type("metadata.user_id", ident, (str,))
    if len(ident) > _LONGEST_USER:
        losses.append(f"metadata.user_id is longer than {_LONGEST_USER} characters; its hash was sent")
        ident = sha256(ident.encode()).hexdigest()
    return {"user": ident} if ident else {}


def _choice_from(choice: Any, losses: list[str]) -> Body:
    check_type("tool_choice", choice, (dict,))
    kind = choice.get("type")
    check_type("tool_choice.type", kind, (str,))
    made: Body = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    if kind == "tool":
        return {**made, "tool_choice": {"type": "function", "function": {"name": choice.get("name")}}}
    if kind not in _CHOICES:
        losses.append(f"tool_choice was left out: {str(kind)[:50]} is not known")
        return made
    return {**made, "tool_choice": _CHOICES[kind]}


def _config_from(config: Mapping[str, Any]) -> Body:
    made: Body = {}
    if effort := config.get("effort"):
        check_type("output_config.effort", effort, (str,))
        made["reasoning_effort"] = effort
    if wanted := config.get("format"):
        check_type("output_config.format", wanted, (dict,))
        schema = {"name": "answer", "strict": True, "schema": wanted.get("schema")}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    return made


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


def unpriced(usage: Any) -> list[str]:
    """What of the bill is not told by tokens, in words."""
    found = _extras(usage) if type(usage) is dict else []
    return [f"the cost is not known: {', '.join(found)} is billed beside the price of its tokens"] if found else []


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
