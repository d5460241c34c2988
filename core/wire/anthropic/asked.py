"""Requests of Anthropic's Messages dialect as canonical ones. Pure."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from core.errors import BadRequest
from core.wire.anthropic.blocks import Body, listed, marked, part_from
from core.wire.anthropic.turns import turn_from
from core.wire.shapes import check_type, texts_and_files

# What both sides call alike and mean alike.
_SAME: Final = ("model", "stream", "temperature", "top_p", "top_k", "thinking", "cache_control")
_TIERS: Final = {"auto": "auto", "standard_only": "default"}
_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}
THINKING: Final = frozenset({"enabled", "disabled", "adaptive", "between_tools"})
_SAID: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})  # what a turn of a chat has, too
_LONGEST_USER: Final = 64
_READ: Final = frozenset(
    {*_SAME, "max_tokens", "messages", "system", "tools", "tool_choice", "stop_sequences", "metadata", "output_config",
     "service_tier"}
)  # fmt: skip
# What is wrong with a canonical request, by the names that the caller knows.
_THEIRS: Final = {
    "max_completion_tokens": "max_tokens", "stop": "stop_sequences", "user": "metadata.user_id",
    "reasoning_effort": "output_config.effort", "response_format": "output_config.format",
    "response_format.json_schema.schema": "output_config.format.schema",
}  # fmt: skip
_TOP: Final = re.compile("^(" + "|".join(sorted(map(re.escape, _THEIRS), key=len, reverse=True)) + r")(?!\w)")
_MESSAGE: Final = re.compile(r"\bmessages\[(\d+)\](?:\.content\[(\d+)\])?")


class Place(NamedTuple):
    """Where a canonical message stands in what the caller sent."""

    message: str
    parts: tuple[str, ...] = ()  # where each part of its content does


class Translation(NamedTuple):
    body: Body  # the canonical chat
    losses: list[str]  # what it leaves out, and why
    bound: list[str]  # what cannot be left out: only who has this API can answer
    places: list[Place]  # of each message

    def in_theirs(self, error: BadRequest) -> BadRequest:
        param = self.named(error.param) if error.param else None
        return BadRequest(self.named(error.message), param=param, code=error.code)

    def named(self, text: str) -> str:
        """Words about the chat, by the names that the caller knows."""
        return _TOP.sub(lambda found: _THEIRS[found[0]], _MESSAGE.sub(self._place, text))

    def _place(self, found: re.Match[str]) -> str:
        if (number := int(found[1])) >= len(self.places):
            return found[0]
        place, part = self.places[number], found[2]
        if part is None:
            return place.message
        return place.parts[int(part)] if int(part) < len(place.parts) else f"{place.message}.content[{part}]"


def request_from(body: Mapping[str, Any]) -> tuple[Body, list[str]]:
    """A canonical chat request, and what it cannot say. BadRequest for what no Messages API would take."""
    made = translated(body)
    return made.body, made.losses


def translated(body: Mapping[str, Any]) -> Translation:
    """The same with what else is to be known of it."""
    bound, places = list[str](), list[Place]()
    losses = [f"{name} was left out: only the Messages API has it" for name in body if name not in _READ]
    made: Body = {name: body[name] for name in _SAME if body.get(name) is not None}
    if (limit := body.get("max_tokens")) is not None:
        check_type("max_tokens", limit, (int,))
        made["max_completion_tokens"] = max(limit, 1)
        if limit == 0:
            bound.append("max_tokens (0)")  # what is to be kept is read, and nothing is answered
    _read_thinking(body.get("thinking"), bound)
    made["messages"] = _messages_from(body, losses, bound, places)
    if tools := body.get("tools"):
        made |= _tools_from(tools, losses)
    if choice := body.get("tool_choice"):
        chosen = _choice_from(choice, bound)
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
    return Translation(made, losses, bound, places)


def _read_thinking(thinking: Any, bound: list[str]) -> None:
    kind = thinking.get("type") if type(thinking) is dict else "disabled"
    if kind is not None:
        check_type("thinking.type", kind, (str,))
    if kind not in THINKING:
        bound.append(f"thinking ({_said(kind)})")


def _messages_from(body: Mapping[str, Any], losses: list[str], bound: list[str], places: list[Place]) -> list[Body]:
    made: list[Body] = []
    if system := body.get("system"):
        made.append({"role": "system", "content": _plain(system, "system", losses)})
        places.append(Place("system", _numbered("system", system)))
    messages = body.get("messages")
    check_type("messages", messages, (list,))
    for index, message in enumerate(messages or ()):
        at = f"messages[{index}]"
        check_type(at, message, (dict,))
        role, content = message.get("role"), message.get("content")
        where = f"{at}.content"
        if content is None and role in {"assistant", "system", "user"}:
            raise BadRequest(f"{where} is missing", param=where, code="missing")
        if role == "assistant":
            blocks = listed(content, where)
            _check_calls(blocks, where)
            if blocks and _SAID.isdisjoint(block["type"] for block in blocks):
                bound.append(_unread(blocks, where))
            made.append(turn_from(blocks, where, losses))
            places.append(Place(at))
        elif role == "system":
            made.append({"role": "system", "content": _plain(content, where, losses)})
            places.append(Place(at, _numbered(where, content)))
        elif role == "user":
            said, found = _said_from(content, at, losses)
            if not said:
                raise BadRequest(f"{where} is empty", param=where, code="invalid_value")
            if said[-1]["content"] == []:
                bound.append(_unread(content, where))
            made += said
            places += found
        else:
            words = f"{at}.role must be one of assistant, system, user"
            raise BadRequest(words, param=f"{at}.role", code="invalid_value")
    return made


def _numbered(where: str, blocks: Any) -> tuple[str, ...]:
    return tuple(f"{where}[{index}]" for index in range(len(blocks))) if type(blocks) is list else ()


def _unread(blocks: Any, where: str) -> str:
    """A turn of which nothing is left in translation."""
    return f"{where} ({', '.join(dict.fromkeys(_said(block['type']) for block in blocks))})"


def _said(kind: Any) -> str:
    """A word of the caller's, which may be anything, as it can be repeated."""
    return str(kind)[:50]


def _check_calls(blocks: Sequence[Body], where: str) -> None:
    for index, block in enumerate(blocks):
        if block["type"] == "tool_use":
            for name in ("id", "name"):
                check_type(f"{where}[{index}].{name}", block.get(name), (str,))
            check_type(f"{where}[{index}].input", block.get("input"), (dict,))


def _plain(content: Any, where: str, losses: list[str]) -> str | list[Body]:
    """Content as a string where it is one, else as parts."""
    if type(content) is str:
        return content
    blocks = listed(content, where)
    parts = (part_from(block, f"{where}[{index}]", losses) for index, block in enumerate(blocks))
    return [part for part in parts if part]


def _said_from(content: Any, message: str, losses: list[str]) -> tuple[list[Body], list[Place]]:
    """Results of tools are messages of their own, of text alone. What the user says beside them comes after."""
    if type(content) is str:
        return [{"role": "user", "content": content}], [Place(message)]
    blocks = listed(content, f"{message}.content")
    results, attached, parts = [], list[Body](), list[Body]()
    places, told_at, files_at = list[Place](), list[str](), list[str]()
    for index, block in enumerate(blocks):
        at = f"{message}.content[{index}]"
        if block["type"] == "tool_result":
            check_type(f"{at}.tool_use_id", block.get("tool_use_id"), (str,))
            said, files = _result_from(block.get("content") or "", f"{at}.content", losses)
            attached += files
            files_at += [at] * len(files)
            result = {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": said}
            results.append(marked(result, block))
            places.append(Place(at))
            if block.get("is_error"):
                losses.append(f"{at}.is_error was left out: the result's own words have to say it")
        elif part := part_from(block, at, losses):
            parts.append(part)
            told_at.append(at)
    told = [*attached, *parts]
    if told or (blocks and not results):
        results.append({"role": "user", "content": told})
        places.append(Place(message, (*files_at, *told_at)))
    return results, places


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
            losses.append(f"tools[{index}] was left out: {_said(tool['type'])} is run by Anthropic alone")
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


def _choice_from(choice: Any, bound: list[str]) -> Body:
    check_type("tool_choice", choice, (dict,))
    kind = choice.get("type")
    check_type("tool_choice.type", kind, (str,))
    made: Body = {"parallel_tool_calls": False} if choice.get("disable_parallel_tool_use") else {}
    if kind == "tool":
        return {**made, "tool_choice": {"type": "function", "function": {"name": choice.get("name")}}}
    if kind not in _CHOICES:
        bound.append(f"tool_choice ({_said(kind)})")
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
