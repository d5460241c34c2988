"""A canonical chat request as one of Anthropic's Messages. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from core.wire.anthropic.blocks import Body, block_of, listed, marked
from core.wire.anthropic.rules import NEWEST, Rules, rules_of, sampling, thinking
from core.wire.anthropic.schema import closed
from core.wire.anthropic.turns import tool_id, turn_to

_CHOICES: Final = {"auto": "auto", "required": "any", "none": "none"}
_TIERS: Final = {"auto": "auto", "default": "standard_only"}
_READ: Final = frozenset(
    {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
     "top_k", "stop", "tools", "tool_choice", "parallel_tool_calls", "response_format", "user", "safety_identifier",
     "reasoning_effort", "thinking", "documents", "service_tier", "cache_control"}
)  # fmt: skip
PLACEHOLDER: Final = "Continue."  # where the other side has to speak and has nothing to say


def request_to(body: Mapping[str, Any], *, version: str = NEWEST) -> tuple[Body, list[str]]:
    """A Messages request for the model that the body names, and what is lost on the way."""
    losses = [f"{name} was left out: it is unknown here" for name in body if name not in _READ]
    rules = rules_of(body["model"])
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or rules.max_tokens
    if limit > rules.most_tokens:
        losses.append(f"max_tokens was lowered to {rules.most_tokens}: this model writes no more")
        limit = rules.most_tokens
    system, messages = _messages(body, rules, losses)
    made: Body = {"model": body["model"], "max_tokens": limit, "messages": messages}
    if system:
        made["system"] = system
    made |= _tools(body, rules, losses)
    reason = reason_off(made, body, rules)
    thought, effort = thinking(body, rules, limit, reason_off=reason, losses=losses)
    if thought:
        made["thinking"] = thought
    if config := _config(body, rules, effort, losses):
        made["output_config"] = config
    if "format" in config:
        _uncite(messages, losses)
    made |= sampling(body, rules, version, thinks=bool(thought) and thought != {"type": "disabled"}, losses=losses)
    made |= _plain_params(body, losses)
    return made, losses


def _plain_params(body: Mapping[str, Any], losses: list[str]) -> Body:
    made: Body = {"stream": True} if body.get("stream") else {}
    if stop := body.get("stop"):
        stops = [stop] if type(stop) is str else stop
        made["stop_sequences"] = [one for one in stops if one.strip()]
        if len(made["stop_sequences"]) < len(stops):
            losses.append("stop: a sequence of blanks alone was left out, which is not taken here")
    if user := body.get("safety_identifier") or body.get("user"):
        made["metadata"] = {"user_id": user}
    if (tier := body.get("service_tier")) in _TIERS:
        made["service_tier"] = _TIERS[tier]
    elif tier:
        losses.append(f"service_tier was left out: {str(tier)[:20]} is not known here")
    return marked(made, body)


def _messages(body: Mapping[str, Any], rules: Rules, losses: list[str]) -> tuple[str | list[Body], list[Body]]:
    """The system prompt, and turns that alternate: results of tools belong to the user's."""
    system: list[Body] = []
    turns: list[Body] = []
    for index, message in enumerate(body["messages"]):
        at, role = f"messages[{index}]", message["role"]
        if role == "assistant":
            _join(turns, role, turn_to(message, at, losses))
        elif role in {"system", "developer"}:
            words = _blocks(message, at, losses)
            if turns and rules.instructed and turns[-1]["role"] in {"user", "system"}:
                _join(turns, "system", words)
                continue
            if turns:
                losses.append(f"{at} was moved to the system prompt: here it cannot stand in between")
            system += words
        elif role in {"tool", "function"}:
            _join(turns, "user", [_result(message, at, losses)])
        else:
            _join(turns, "user", _blocks(message, at, losses))
    _put_documents(turns, body.get("documents") or ())
    _open_and_close(turns, rules, losses)
    for turn in turns:
        turn["content"] = _short(turn["content"])
    return _short(system), turns


def _join(turns: list[Body], role: str, blocks: list[Body]) -> None:
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _blocks(message: Mapping[str, Any], at: str, losses: list[str]) -> list[Body]:
    where = f"{at}.content"
    parts = listed(message.get("content"), where)
    made = [block for index, part in enumerate(parts) if (block := block_of(part, f"{where}[{index}]", losses))]
    if made:
        marked(made[-1], message)
    return made


def _result(message: Mapping[str, Any], at: str, losses: list[str]) -> Body:
    content = message.get("content")
    plain = type(content) is str
    said = content if plain else _blocks({"content": content}, at, losses)
    result = {"type": "tool_result", "tool_use_id": tool_id(message.get("tool_call_id") or message.get("name"))}
    return marked({**result, "content": said or ""}, message)


def _put_documents(turns: list[Body], documents: Any) -> None:
    """Before what the user says first, where they stay cached while the conversation grows."""
    blocks = [_document({"text": one} if type(one) is str else one) for one in documents]
    if blocks:
        first = next((turn for turn in turns if turn["role"] == "user"), None)
        if first is None:
            turns.insert(0, first := {"role": "user", "content": []})
        results = sum(block["type"] == "tool_result" for block in first["content"])
        first["content"][results:results] = blocks


def _document(document: Body) -> Body:
    fields: Body = document.get("data") or {}
    text = document.get("text") or "\n".join(f"{name}: {value}" for name, value in fields.items())
    source = {"type": "text", "media_type": "text/plain", "data": text}
    title = document.get("title") or fields.get("title")
    made = {"type": "document", "source": source, "citations": {"enabled": True}}
    return marked(made | ({"title": title} if title else {}), document)


def _uncite(turns: list[Body], losses: list[str]) -> None:
    """An answer that keeps to a schema has no room for citations, and a request for both is refused."""
    blocks = [block for turn in turns if type(turn["content"]) is list for block in turn["content"]]
    if cited := [block for block in blocks if block["type"] == "document" and block.pop("citations", None)]:
        losses.append(f"citations of {len(cited)} documents are off: they do not go with response_format")


def _open_and_close(turns: list[Body], rules: Rules, losses: list[str]) -> None:
    if not turns or turns[0]["role"] != "user":
        losses.append("a user's turn was put first: a conversation begins with one here")
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": PLACEHOLDER}]})
    if turns[-1]["role"] != "assistant":
        return
    if not rules.prefill:
        losses.append("a user's turn was put last: this model does not go on with a turn of its own")
        turns.append({"role": "user", "content": [{"type": "text", "text": PLACEHOLDER}]})
        return
    last = turns[-1]["content"][-1]
    if last["type"] == "text":
        last["text"] = last["text"].rstrip()  # blanks at the very end are refused


def _short(blocks: list[Body]) -> str | list[Body]:
    """One plain text is written as a string."""
    plain = len(blocks) == 1 and set(blocks[0]) == {"type", "text"}
    return blocks[0]["text"] if plain else blocks


def _tools(body: Mapping[str, Any], rules: Rules, losses: list[str]) -> Body:
    made = []
    for index, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if type(function) is not dict:
            losses.append(f"tools[{index}] was left out: only functions are taken here")
            continue
        schema = function.get("parameters") or {"type": "object", "properties": {}}
        one: Body = {"name": function.get("name"), "input_schema": schema}
        if function.get("description"):
            one["description"] = function["description"]
        if function.get("strict") and rules.schema:
            one |= {"strict": True, "input_schema": closed(schema, f"tools[{index}].parameters", losses)}
        made.append(marked(one, tool))
    if not made:
        return {}
    choice = _choice(body, rules, losses)
    return {"tools": made, "tool_choice": choice} if choice else {"tools": made}


def _choice(body: Mapping[str, Any], rules: Rules, losses: list[str]) -> Body | None:
    wanted = body.get("tool_choice")
    made: Body | None = None
    if type(wanted) is str and wanted in _CHOICES:
        made = {"type": _CHOICES[wanted]}
    elif type(wanted) is dict and type(wanted.get("function")) is dict:
        made = {"type": "tool", "name": wanted["function"].get("name")}
    elif wanted is not None:
        losses.append("tool_choice was left out: this form of it is not known here")
    if made and made["type"] in {"any", "tool"} and not rules.forced:
        losses.append("tool_choice became auto: this model decides by itself whether it calls")
        made = {"type": "auto"}
    if body.get("parallel_tool_calls") is False and (made is None or made["type"] != "none"):
        made = {**(made or {"type": "auto"}), "disable_parallel_tool_use": True}
    return made


def reason_off(made: Body, body: Mapping[str, Any], rules: Rules) -> str | None:
    """Why the model must not think: the API refuses two kinds of requests with thinking."""
    if (made.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        return "it does not go with a tool_choice that demands a call"
    manual = rules.thinking == "budget" or (body.get("thinking") or {}).get("type") == "enabled"
    if manual and _lost_thought(made["messages"]):
        return "the tool calls under way were made without it"
    return None


def _lost_thought(messages: list[Body]) -> bool:
    """Whether results of tools come last and the turn that asked for them does not begin with a thought."""
    first: list[Body] = []
    for turn in reversed(messages):
        blocks = listed(turn["content"], "content")
        if turn["role"] == "user" and not all(block["type"] == "tool_result" for block in blocks):
            break
        if turn["role"] == "assistant":
            first = blocks
    return bool(first) and first[0]["type"] not in {"thinking", "redacted_thinking"}


def _config(body: Mapping[str, Any], rules: Rules, effort: str | None, losses: list[str]) -> Body:
    made: Body = {"effort": effort} if effort else {}
    wanted = body.get("response_format") or {}
    kind = wanted.get("type")
    if kind == "json_schema" and rules.schema:
        schema = (wanted.get("json_schema") or {}).get("schema") or {"type": "object"}
        made["format"] = {"type": "json_schema", "schema": closed(schema, "response_format", losses)}
    elif kind not in {None, "text"}:
        losses.append(f"response_format was left out: this model has no {str(kind)[:20]}")
    return made
