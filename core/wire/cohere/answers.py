"""Answers of Cohere's chat API, version 2, to and from canonical ones. Pure."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from core.errors import Malformed
from core.types.usage import Usage
from core.wire.canonical import completion, finish_of, having_used
from core.wire.openai import Completion

Body = dict[str, Any]

FORMAT = "cohere-v2"  # of items of reasoning that only it can read again
PLAN = "tool_plan"  # the id of such an item that was said before tools were called
_FINISHES = {
    "COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls",
    "ERROR": "error", "TIMEOUT": "error",
}  # fmt: skip
_REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "COMPLETE"}


def completion_from(body: Any, model: str, created: int) -> Completion:
    """Malformed when it is no answer, BrokenOff when it is half a one."""
    message = body.get("message") if type(body) is dict else None
    if type(message) is not dict or type(message.get("content") or []) is not list:
        raise Malformed("the answer has no message")
    ident, usage = str(body.get("id") or ""), read_usage(body.get("usage"))
    with having_used(usage):
        finish = reason_of(body.get("finish_reason"))
    try:
        said = said_from(message)
    except (KeyError, TypeError, AttributeError):
        raise Malformed("the answer's message is not what Cohere's are") from None
    if calls := said.get("tool_calls"):
        said["tool_calls"] = [called(one, ident, number) for number, one in enumerate(calls)]
    return completion(ident, model, created, [(said, finish)], usage)


def reason_of(word: Any) -> str:
    return finish_of(word if isinstance(word, str) else None, _FINISHES)


def called(call: Mapping[str, Any], ident: str, number: int) -> Body:
    function = call.get("function") or {}
    about = {"name": function.get("name") or "", "arguments": function.get("arguments") or "{}"}
    return {"id": call.get("id") or f"call_{ident}_{number}", "type": "function", "function": about}


def read_usage(usage: Any) -> Usage:
    """What is billed, which is less than what its own template makes of it. Its numbers are floats."""
    table = usage if type(usage) is dict else {}
    for name in ("billed_units", "tokens"):
        units = table.get(name)
        if type(units) is dict and ("input_tokens" in units or "output_tokens" in units):
            given = _count(units, "input_tokens")
            cached = min(_count(table, "cached_tokens"), given)
            return Usage("reported", given - cached, cached, output=_count(units, "output_tokens"))
    return Usage()


def _count(units: Mapping[str, Any], name: str) -> int:
    value = units.get(name)
    return max(0, ceil(value)) if isinstance(value, int | float) else 0


def said_from(message: Mapping[str, Any]) -> Body:
    """What an assistant said, in a request or an answer: text, thoughts, plan, calls and citations."""
    content = message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    texts = [one["text"] if one.get("type") == "text" else "" for one in blocks]
    thoughts = [one["thinking"] for one in blocks if one.get("type") == "thinking"]
    details = [_thought(text, at) for at, text in enumerate(thoughts)]
    if plan := message.get(PLAN):
        details.append({**_thought(plan, len(thoughts)), "id": PLAN})
    calls = message.get("tool_calls")
    spoken = any(one.get("type") == "text" for one in blocks)
    made: Body = {"content": "".join(texts) if spoken or not calls else None}
    if details:
        made["reasoning_content"] = "".join(one["text"] for one in details)
        made["reasoning_details"] = details
    if calls:
        made["tool_calls"] = calls
    if cited := message.get("citations"):
        lengths = [len(text) for text in texts]
        made["citations"] = [citation_from(one, lengths) for one in cited]
    return made


def _thought(text: str, index: int) -> Body:
    return {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index}


def citation_from(citation: Mapping[str, Any], lengths: list[int]) -> Body:
    """Where it stands in the whole text; one about something else says so by its type."""
    made = {name: value for name, value in citation.items() if name != "content_index"}
    if made.get("type") in {None, "TEXT_CONTENT"}:
        made.pop("type", None)
        before = sum(lengths[: citation.get("content_index") or 0])
        made["start"], made["end"] = (made.get("start") or 0) + before, (made.get("end") or 0) + before
    return made


def completion_to(body: Mapping[str, Any]) -> Body:
    """The first choice of a canonical answer as Cohere would have given it."""
    choice = body["choices"][0]
    message, usage = choice["message"], body.get("usage") or {}
    content: list[Body] = []
    made: Body = {"role": "assistant"}
    for one in message.get("reasoning_details") or ():
        if one.get("id") == PLAN:
            made[PLAN] = made.get(PLAN, "") + one["text"]
        elif one.get("format") == FORMAT:
            content.append({"type": "thinking", "thinking": one["text"]})
    block = len(content)
    if message.get("content") is not None:
        content.append({"type": "text", "text": message["content"]})
    if content:
        made["content"] = content
    if calls := message.get("tool_calls"):
        made["tool_calls"] = calls
    if cited := message.get("citations"):
        made["citations"] = [{"type": "TEXT_CONTENT", "content_index": block, **one} for one in cited]
    units = {"input_tokens": usage.get("prompt_tokens"), "output_tokens": usage.get("completion_tokens")}
    counted = {name: float(count) for name, count in units.items() if count is not None}
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    cache = {"cached_tokens": float(cached)} if cached else {}
    return {
        "id": body.get("id") or "",
        "finish_reason": _REASONS.get(choice.get("finish_reason") or "stop", "COMPLETE"),
        "message": made,
        **({"usage": {"billed_units": counted, **cache}} if counted else {}),
    }
