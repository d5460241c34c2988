"""Messages of Cohere's chat API, version 2, to and from canonical ones. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from core.errors import ParameterRefused
from core.wire.canonical import arguments_of
from core.wire.cohere.answers import FORMAT, PLAN, said_from

Body = dict[str, Any]
Losses = list[str]

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
_PLACEHOLDER = "Continue."  # where the user has to speak and has nothing to say


def messages_to(messages: Iterable[Mapping[str, Any]], losses: Losses) -> list[Body]:
    made: list[Body] = []
    called: set[str] = set()
    for index, message in enumerate(messages):
        at = f"messages[{index}]"
        one = _message_to(message, at, losses)
        called |= {call["id"] for call in one.get("tool_calls") or ()}
        if one["role"] == "tool" and one["tool_call_id"] not in called:
            words = f"{at}.tool_call_id: no tool call before it has this id, which is refused here"
            raise ParameterRefused(words, param=f"{at}.tool_call_id")
        made.append(one)
    return _ending_in_another(made, losses)


def _ending_in_another(messages: list[Body], losses: Losses) -> list[Body]:
    """Only the user or a tool has the last word here; what the system says last, as agents have it do, comes first."""
    end = len(messages)
    while end and messages[end - 1]["role"] == "system":
        end -= 1
    if not end:
        return messages
    if end < len(messages):
        losses += [f"messages[{at}] was moved to the front: the system has not the last word here" for at in
                   range(end, len(messages))]  # fmt: skip
        start = next(at for at, one in enumerate(messages) if one["role"] != "system")
        messages = [*messages[:start], *messages[end:], *messages[start:end]]
    if messages[-1]["role"] == "assistant":
        losses.append("a user's turn was put last: no model goes on with a turn of its own here")
        messages = [*messages, {"role": "user", "content": _PLACEHOLDER}]
    return messages


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
        if message.get("reasoning_content"):
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
    before = len(losses)
    wrapped = arguments_of(function, where, losses)
    text = function.get("arguments") or "{}" if len(losses) == before else orjson.dumps(wrapped).decode()
    about = {"name": function.get("name") or "", "arguments": text}
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


def message_from(message: Mapping[str, Any], where: str, losses: Losses) -> Body:
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
