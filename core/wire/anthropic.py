"""Anthropic's Messages dialect and the canonical chat, whole requests and answers, both ways. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from core.errors import BadRequest
from core.types.usage import Usage
from core.wire import openai
from core.wire.anthropic_blocks import Body, listed, marked, part_from, turn_from, turn_to
from core.wire.chat import check_type

# What both sides call alike and mean alike.
_SAME: Final = ("model", "stream", "temperature", "top_p", "top_k", "thinking", "cache_control")
_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
_ENDS: Final = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "function_call": "tool_use",
                "content_filter": "refusal"}  # fmt: skip
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
        made |= _choice_from(choice, losses)
    if stops := body.get("stop_sequences"):
        check_type("stop_sequences", stops, (list,))
        made["stop"] = list(stops)
    if metadata := body.get("metadata"):
        check_type("metadata", metadata, (dict,))
        made |= {"user": metadata["user_id"]} if metadata.get("user_id") else {}
    if config := body.get("output_config"):
        check_type("output_config", config, (dict,))
        made |= _config_from(config)
    if tier := body.get("service_tier"):
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
            made.append(turn_from(listed(content, where), where, losses))
        elif role == "system":
            made.append({"role": "system", "content": _plain(content, where, losses)})
        elif role == "user":
            made += _user_from(content, where, losses)
        else:
            words = f"{at}.role must be one of assistant, system, user"
            raise BadRequest(words, param=f"{at}.role", code="invalid_value")
    return made


def _plain(content: Any, where: str, losses: list[str]) -> str | list[Body]:
    """Content as a string where it is one, else as parts."""
    if type(content) is str:
        return content
    blocks = listed(content, where)
    parts = (part_from(block, f"{where}[{index}]", losses) for index, block in enumerate(blocks))
    return [part for part in parts if part]


def _user_from(content: Any, where: str, losses: list[str]) -> list[Body]:
    """Results of tools are messages of their own; what the user says beside them comes after."""
    if type(content) is str:
        return [{"role": "user", "content": content}]
    results, parts = [], []
    for index, block in enumerate(listed(content, where)):
        at = f"{where}[{index}]"
        if block["type"] == "tool_result":
            said = _plain(block.get("content") or "", f"{at}.content", losses)
            result = {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said}
            results.append(marked(result, block))
            if block.get("is_error"):
                losses.append(f"{at}.is_error was left out: the result's own words have to say it")
        elif part := part_from(block, at, losses):
            parts.append(part)
    return [*results, {"role": "user", "content": parts}] if parts or not results else results


def _tools_from(tools: Any, losses: list[str]) -> Body:
    check_type("tools", tools, (list,))
    made = []
    for index, tool in enumerate(tools):
        check_type(f"tools[{index}]", tool, (dict,))
        if tool.get("type") not in {None, "custom"}:
            losses.append(f"tools[{index}] was left out: {str(tool['type'])[:50]} is run by Anthropic alone")
            continue
        function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
        function |= {name: tool[name] for name in ("description", "strict") if tool.get(name) is not None}
        made.append(marked({"type": "function", "function": function}, tool))
    return {"tools": made} if made else {}


def _choice_from(choice: Any, losses: list[str]) -> Body:
    check_type("tool_choice", choice, (dict,))
    kind = choice.get("type")
    made: Body = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    if kind == "tool":
        return {**made, "tool_choice": {"type": "function", "function": {"name": choice.get("name")}}}
    if kind not in _CHOICES:
        losses.append(f"tool_choice was left out: {str(kind)[:50]} is not known")
        return made
    return {**made, "tool_choice": _CHOICES[kind]}


def _config_from(config: Mapping[str, Any]) -> Body:
    made: Body = {"reasoning_effort": config["effort"]} if config.get("effort") else {}
    if wanted := config.get("format"):
        check_type("output_config.format", wanted, (dict,))
        schema = {"name": "answer", "strict": True, "schema": wanted.get("schema")}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    return made


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
