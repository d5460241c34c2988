"""Requests of Cohere's chat API, version 2, to and from the canonical form. Pure.

What cannot be said there is left out, and each loss is told in words.
"""

from collections.abc import Mapping
from typing import Any

from core.wire.cohere.messages import message_from, messages_to

Body = dict[str, Any]
Losses = list[str]

_SCHEMA_NAME = "answer"  # it has no name for a schema
_SAME = frozenset({
    "model", "stream", "temperature", "seed", "frequency_penalty", "presence_penalty", "safety_mode",
    "citation_options", "priority",
})  # fmt: skip
_RENAMED = {"top_p": "p", "top_k": "k", "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens"}
_RANGES = {"p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0, 1), "presence_penalty": (0, 1)}
# Said elsewhere.
_HANDLED = frozenset({
    "messages", "tools", "tool_choice", "response_format", "stop", "documents", "thinking", "reasoning_effort",
    "stream_options",
})  # fmt: skip
_MOST_STOPS = 5
_NO_PARAMETERS: Body = {"type": "object", "properties": {}}


def request_to(body: Mapping[str, Any]) -> tuple[Body, Losses]:
    """The canonical request as Cohere's."""
    losses: Losses = []
    made: Body = {}
    for name, value in body.items():
        if value is None or name in _HANDLED:
            continue
        if name in _SAME or name in _RENAMED:
            to = _RENAMED.get(name, name)
            made[to] = _bounded(name, value, _RANGES.get(to), losses)
        else:
            losses.append(f"{name} was left out: not known here")
    made["messages"] = messages_to(body["messages"], losses)
    _tools_to(body, made, losses)
    if documents := body.get("documents"):
        made["documents"] = [_document_to(one) for one in documents]
    _format_to(body.get("response_format"), made, losses)
    if stop := body.get("stop"):
        stops = [stop] if isinstance(stop, str) else stop
        if len(stops) > _MOST_STOPS:
            losses.append(f"stop[{_MOST_STOPS}:] was left out: at most {_MOST_STOPS} here")
        made["stop_sequences"] = stops[:_MOST_STOPS]
    if thinking := _thinking_to(body, losses):
        made["thinking"] = thinking
    return made, losses


def _bounded(name: str, value: Any, bounds: tuple[float, float] | None, losses: Losses) -> Any:
    if bounds is None or bounds[0] <= value <= bounds[1]:
        return value
    nearest = min(max(value, bounds[0]), bounds[1])
    losses.append(f"{name} was sent as {nearest}: it is from {bounds[0]} to {bounds[1]} here")
    return nearest


def _tools_to(body: Mapping[str, Any], made: Body, losses: Losses) -> None:
    tools = []
    for at, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if tool.get("type") != "function" or type(function) is not dict:
            losses.append(f"tools[{at}] was left out: only functions here")
            continue
        if "cache_control" in tool:
            losses.append(f"tools[{at}].cache_control was left out: not known here")
        about = {name: function[name] for name in ("name", "description") if function.get(name) is not None}
        parameters = function.get("parameters")
        about["parameters"] = _NO_PARAMETERS if parameters is None else parameters
        tools.append((about, bool(function.get("strict"))))
    if not tools:
        return
    match body.get("tool_choice"):
        case None | "auto":
            pass
        case "none" | "required" as word:
            made["tool_choice"] = word.upper()
        case {"type": "function", "function": {"name": wanted}} if any(one[0]["name"] == wanted for one in tools):
            # Who must call one of one tool calls that tool.
            tools = [one for one in tools if one[0]["name"] == wanted]
            made["tool_choice"] = "REQUIRED"
        case {"type": "function", "function": {"name": wanted}}:
            losses.append(f"tool_choice was left out: no tool is called {wanted[:64]}")
        case _:
            losses.append("tool_choice was left out: not known here")
    made["tools"] = [{"type": "function", "function": about} for about, _ in tools]
    strict = [wants for _, wants in tools]
    if all(strict):
        made["strict_tools"] = True
    elif any(strict):
        losses.append("tools[].function.strict was left out: all tools are strict here, or none")


def _document_to(document: Any) -> Any:
    """A text is one already; a title is a datum like any other."""
    if type(document) is not dict:
        return document
    data = document.get("data")
    if data is None:
        data = {name: value for name, value in document.items() if name != "id"}
    return {"id": document["id"], "data": data} if document.get("id") else {"data": data}


def _format_to(wanted: Any, made: Body, losses: Losses) -> None:
    kind = wanted.get("type") if type(wanted) is dict else None
    if kind in {None, "text"}:
        return
    if "tools" in made or "documents" in made:
        losses.append("response_format was left out: not together with tools or documents here")
    elif kind == "json_object":
        made["response_format"] = {"type": "json_object"}
    elif kind == "json_schema":
        schema = (wanted.get("json_schema") or {}).get("schema")
        made["response_format"] = {"type": "json_object", **({"json_schema": schema} if schema else {})}
    else:
        losses.append("response_format was left out: not known here")


def _thinking_to(body: Mapping[str, Any], losses: Losses) -> Body | None:
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    if type(thinking) is dict:
        if thinking.get("type") == "disabled":
            return {"type": "disabled"}
        budget = thinking.get("budget_tokens")
        return {"type": "enabled", **({"token_budget": budget} if budget else {})}
    if effort is None:
        return None
    if effort == "none":
        return {"type": "disabled"}
    losses.append(f"reasoning_effort {effort} was sent as on: only thinking.budget_tokens limits it here")
    return {"type": "enabled"}


def request_from(body: Mapping[str, Any]) -> tuple[Body, Losses]:
    """Cohere's request as the canonical one."""
    losses: Losses = []
    back = {"p": "top_p", "k": "top_k", "stop_sequences": "stop", "max_tokens": "max_tokens", "documents": "documents"}
    made: Body = {}
    for name, value in body.items():
        if value is not None and (name in _SAME or name in back):
            made[back.get(name, name)] = value
        elif value not in (None, False) and name not in _FROM:
            losses.append(f"{name} was left out: not known here")
    made["messages"] = [message_from(one, f"messages[{at}]", losses) for at, one in enumerate(body["messages"])]
    if documents := body.get("documents"):
        made["documents"] = [_document_from(one) for one in documents]
    if tools := body.get("tools"):
        strict = {"strict": True} if body.get("strict_tools") else {}
        made["tools"] = [{**tool, "function": {**tool["function"], **strict}} for tool in tools]
    if choice := body.get("tool_choice"):
        made["tool_choice"] = choice.lower()
    wanted = body.get("response_format") or {}
    if schema := wanted.get("json_schema"):
        made["response_format"] = {"type": "json_schema", "json_schema": {"name": _SCHEMA_NAME, "schema": schema}}
    elif wanted:
        made["response_format"] = {"type": wanted["type"]}
    if thinking := body.get("thinking"):
        budget = thinking.get("token_budget")
        made["thinking"] = {"type": thinking["type"], **({"budget_tokens": budget} if budget else {})}
    return made, losses


_FROM = frozenset({"messages", "tools", "strict_tools", "tool_choice", "response_format", "thinking"})


def _document_from(document: Any) -> Any:
    if type(document) is not dict:
        return document
    ident = {"id": document["id"]} if document.get("id") else {}
    data = document["data"]
    if isinstance(data.get("text"), str) and data.keys() <= {"title", "text"}:
        return {**ident, **data}
    return {**ident, "data": data}
