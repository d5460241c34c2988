"""Requests of Cohere's chat API, version 2, to and from the canonical form. Pure.

What cannot be said there is left out, and each loss is told in words.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from core.wire.cohere_answers import FORMAT, PLAN, said_from

Body = dict[str, Any]
Losses = list[str]

_SCHEMA_NAME = "answer"  # it has no name for a schema
_SAME = frozenset({
    "model", "stream", "temperature", "seed", "frequency_penalty", "presence_penalty", "safety_mode",
    "citation_options", "priority",
})  # fmt: skip
_RENAMED = {"top_p": "p", "top_k": "k", "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens"}
_RANGES = {"p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0, 1), "presence_penalty": (0, 1)}
# Said elsewhere, or by nobody as long as they have these values.
_HANDLED = frozenset({
    "messages", "tools", "tool_choice", "response_format", "stop", "documents", "thinking", "reasoning_effort",
    "stream_options",
})  # fmt: skip
_USUAL: Mapping[str, Any] = {
    "n": 1, "parallel_tool_calls": True, "logprobs": False, "store": False, "top_logprobs": 0,
}  # fmt: skip
_MOST_STOPS = 5
_TO_ROLE = {"developer": "system"}
_PARTS = {
    "system": frozenset({"text"}),
    "user": frozenset({"text", "image_url"}),
    "assistant": frozenset({"text", "refusal"}),
    "tool": frozenset({"text"}),
}
_NOUNS = {"image_url": "images", "input_audio": "audio", "file": "files", "video_url": "videos", "audio_url": "audio"}
_KNOWN = frozenset({
    "role", "content", "tool_calls", "tool_call_id", "citations", "reasoning_content", "reasoning_details", "refusal",
})  # fmt: skip
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
        elif name not in _USUAL or _USUAL[name] != value:
            losses.append(f"{name} was left out: not known here")
    messages = [_message_to(one, f"messages[{at}]", losses) for at, one in enumerate(body["messages"])]
    made["messages"] = _ending_in_another(messages, losses)
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


def _ending_in_another(messages: list[Body], losses: Losses) -> list[Body]:
    """What the system says last, as agents have it do, comes first: nobody else but the user or a tool ends here."""
    end = len(messages)
    while end and messages[end - 1]["role"] == "system":
        end -= 1
    if not end or end == len(messages):
        return messages
    losses += [f"messages[{at}] was moved to the front: the system has not the last word here" for at in
               range(end, len(messages))]  # fmt: skip
    start = next(at for at, one in enumerate(messages) if one["role"] != "system")
    return [*messages[:start], *messages[end:], *messages[start:end]]


def _message_to(message: Mapping[str, Any], where: str, losses: Losses) -> Body:
    role = _TO_ROLE.get(message["role"], message["role"])
    for name in message:
        if name not in _KNOWN and message[name] is not None:
            losses.append(f"{where}.{name} was left out: not known here")
    content = _content_to(message.get("content"), role, f"{where}.content", losses)
    if role == "tool":
        return {"role": role, "tool_call_id": message.get("tool_call_id") or "", "content": content or ""}
    made: Body = {"role": role}
    if role != "assistant":
        return {**made, "content": content or ""}
    thoughts, plan = _thoughts_to(message, where, losses)
    if plan:
        made[PLAN] = plan
    if calls := message.get("tool_calls"):
        made["tool_calls"] = [_call_to(one, f"{where}.tool_calls[{at}]", losses) for at, one in enumerate(calls)]
    if thoughts:
        rest = [{"type": "text", "text": content}] if isinstance(content, str) else content
        content = [*thoughts, *(rest or ())]
    if content is not None or not calls:
        made["content"] = content or message.get("refusal") or ""
    if cited := _citations_to(message.get("citations"), len(thoughts), f"{where}.citations", losses):
        made["citations"] = cited
    return made


def _content_to(content: Any, role: str, where: str, losses: Losses) -> Any:
    if type(content) is not list:
        return content
    made = []
    for at, part in enumerate(content):
        kind = part["type"]
        if kind not in _PARTS.get(role, ()):
            losses.append(f"{where}[{at}] was left out: no {_NOUNS.get(kind, kind)} here")
            continue
        if "cache_control" in part:
            losses.append(f"{where}[{at}].cache_control was left out: not known here")
        made.append({"type": kind, kind: part[kind]} if kind != "refusal" else {"type": "text", "text": part[kind]})
    return made


def _thoughts_to(message: Mapping[str, Any], where: str, losses: Losses) -> tuple[list[Body], str]:
    """Blocks of thinking and the plan; what another provider thought is of no use here."""
    details = message.get("reasoning_details")
    if not details:
        said = message.get("reasoning_content")
        if said and message.get("tool_calls"):
            return [], said  # which is what a plan is
        if said:
            losses.append(f"{where}.reasoning_content was left out: nobody says whose it is")
        return [], ""
    own = [one for one in details if one.get("format") == FORMAT and isinstance(one.get("text"), str)]
    if foreign := sorted({str(one.get("format")) for one in details if one not in own}):
        losses.append(f"{where}.reasoning_details was left out: {', '.join(foreign)} cannot be read here")
    plan = "".join(one["text"] for one in own if one.get("id") == PLAN)
    return [{"type": "thinking", "thinking": one["text"]} for one in own if one.get("id") != PLAN], plan


def _call_to(call: Mapping[str, Any], where: str, losses: Losses) -> Body:
    if "extra_content" in call:
        losses.append(f"{where}.extra_content was left out: not known here")
    function = call.get("function") or {}
    about = {"name": function.get("name") or "", "arguments": function.get("arguments") or "{}"}
    return {"id": call.get("id") or "", "type": "function", "function": about}


def _citations_to(citations: Any, block: int, where: str, losses: Losses) -> list[Body]:
    """A citation is about the text, which comes after what was thought."""
    made = []
    for at, one in enumerate(citations or ()):
        sources = [source for source in one.get("sources") or () if source.get("type") in {"document", "tool"}]
        if sources:
            made.append({"type": "TEXT_CONTENT", "content_index": block, **one, "sources": sources})
        else:
            losses.append(f"{where}[{at}] was left out: no such sources here")
    return made


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
        case {"type": "function", "function": {"name": wanted}}:
            # Who must call one of one tool calls that tool.
            tools = [one for one in tools if one[0]["name"] == wanted] or tools
            made["tool_choice"] = "REQUIRED"
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
    made["messages"] = [_message_from(one, f"messages[{at}]", losses) for at, one in enumerate(body["messages"])]
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


def _message_from(message: Mapping[str, Any], where: str, losses: Losses) -> Body:
    content = message.get("content")
    if message["role"] == "assistant":
        return {"role": "assistant", **said_from(message)}
    made: Body = {"role": message["role"]}
    if message["role"] == "tool":
        made["tool_call_id"] = message["tool_call_id"]
        if type(content) is list:
            content = [_tool_part_from(part, f"{where}.content[{at}]", losses) for at, part in enumerate(content)]
    return {**made, "content": content}


def _tool_part_from(part: Mapping[str, Any], where: str, losses: Losses) -> Body:
    if part["type"] != "document":
        return dict(part)
    losses.append(f"{where} was sent as text: no documents of tools here")
    return {"type": "text", "text": orjson.dumps(part["document"]["data"]).decode()}


def _document_from(document: Any) -> Any:
    if type(document) is not dict:
        return document
    ident = {"id": document["id"]} if document.get("id") else {}
    data = document["data"]
    if isinstance(data.get("text"), str) and data.keys() <= {"title", "text"}:
        return {**ident, **data}
    return {**ident, "data": data}
