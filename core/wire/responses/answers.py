"""Answers of the Responses API ↔ chat completions: whole ones, usage and errors. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import BadRequest, Malformed, ServerFault, StreamFailed, TargetError
from core.types.usage import Usage
from core.wire.assembly import usage_body
from core.wire.openai import Completion, read_error, read_json, read_usage, tier_beside, unpriced
from core.wire.responses.items import Conversation, items_of
from core.wire.responses.tools import texts_asked

Body = dict[str, Any]

# Finish reasons of an answer that is not whole, and how a response says so.
CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FINISHES = {reason: finish for finish, reason in CUT_SHORT.items()}
# What a response repeats of its request, and what stands there where the request did not say.
_ECHOED: Body = {
    "background": False, "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "metadata": {},
    "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None, "safety_identifier": None,
    "service_tier": None, "temperature": None, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
    "tools": [], "top_logprobs": 0, "top_p": None, "truncation": "disabled", "user": None,
}  # fmt: skip


def response_of(asked: Mapping[str, Any], name: str, created: int, model: str) -> Body:
    """A response under way that repeats what was asked. It says that it is not stored: what is translated never is."""
    echoed = {one: otherwise if asked.get(one) is None else asked[one] for one, otherwise in _ECHOED.items()}
    reasoning = {"effort": None, "summary": None, **(asked.get("reasoning") or {})}
    return {
        "id": f"resp_{name}", "object": "response", "created_at": created, "status": "in_progress", "error": None,
        "incomplete_details": None, "model": model, "output": [], "reasoning": reasoning, "store": False,
        "usage": None, **echoed, "truncation": "disabled",
    }  # fmt: skip


def ended(response: Body, output: list[Body], finish: str | None, usage: Any) -> Body:
    """The same when it is over."""
    reason = CUT_SHORT.get(finish or "")
    status = {"status": "incomplete", "incomplete_details": {"reason": reason}} if reason else {"status": "completed"}
    return {**response, **status, "output": output, "usage": usage_to(read_usage(usage))}


def completion_to(chat: Mapping[str, Any], asked: Mapping[str, Any], name: str, created: int) -> Body:
    """A chat completion as a response."""
    choice = chat["choices"][0]
    finish = choice.get("finish_reason")
    logprobs = (choice.get("logprobs") or {}).get("content") or ()
    output = items_of(
        choice["message"], name, "incomplete" if finish in CUT_SHORT else "completed", logprobs, texts_asked(asked)
    )
    return ended(response_of(asked, name, created, chat.get("model") or ""), output, finish, chat.get("usage"))


def read_response(raw: bytes, secrets: tuple[str, ...] = ()) -> Completion:
    """A provider's response, which stays as it is, with the chat completion that it means."""
    body = read_json(raw)
    if type(body) is not dict or type(body.get("output")) is not list:
        if type(body) is dict and body.get("error"):
            raise failure(body["error"], secrets, ServerFault)
        raise Malformed("the answer has no output")
    if body.get("status") in ("failed", "cancelled"):
        raise failure(body.get("error") or {"message": f"the response was {body['status']}"}, secrets, ServerFault)
    try:
        chat = completion_from(body)
    except (AttributeError, TypeError, KeyError):
        raise Malformed("the answer is no response") from None
    return Completion(orjson.dumps(chat), chat, used_in(body), raw, unpriced(beside_in(body)))


def completion_from(theirs: Mapping[str, Any]) -> Body:
    """A response as a chat completion. What built-in tools did has no place in one."""
    conversation = Conversation([], [])
    for place, item in enumerate(theirs["output"]):
        if type(item) is not dict or type(item.get("type")) is not str:
            raise Malformed(f"output[{place}] is no item")
        if item["type"] in _SAID:
            try:
                conversation.add(item, f"output[{place}]")
            except BadRequest as error:
                raise Malformed(error.message) from None  # it is the provider's answer, and not the caller's fault
    message = conversation.messages[0] if conversation.messages else {"role": "assistant", "content": None}
    usage = usage_body(usage_from(theirs.get("usage")))
    return {
        "id": theirs.get("id"), "object": "chat.completion", "created": theirs.get("created_at"),
        "model": theirs.get("model"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(theirs, message)}],
        **({} if usage is None else {"usage": usage}),
    }  # fmt: skip


_SAID = frozenset({"message", "function_call", "custom_tool_call", "reasoning"})


def usage_from(theirs: Any) -> Usage:
    """Disjoint buckets; cached input is inside input and reasoning inside output, as in a chat's report."""
    if type(theirs) is not dict:
        return Usage()
    return read_usage(
        {
            "prompt_tokens": theirs.get("input_tokens"),
            "completion_tokens": theirs.get("output_tokens"),
            "prompt_tokens_details": theirs.get("input_tokens_details"),
            "completion_tokens_details": theirs.get("output_tokens_details"),
        }
    )


def used_in(response: Mapping[str, Any]) -> Usage:
    """The usage of a whole response, with what is billed beside it."""
    return usage_from(response.get("usage"))._replace(extras=len(beside_in(response)))


def beside_in(response: Mapping[str, Any]) -> list[str]:
    """What of a whole response is not paid by its tokens: its tier, and each run of a tool at the provider."""
    output = response.get("output")
    kinds = [_run_there(item) for item in output] if type(output) is list else []
    counts = Counter(kind for kind in kinds if kind)
    return [*tier_beside(response), *(f"{count} {kind}" for kind, count in counts.items())]


def _run_there(item: Any) -> str | None:
    """The kind of a call that the provider carried out and bills, as far as is known: what is new here may be."""
    kind = item.get("type") if type(item) is dict else None
    if type(kind) is not str or not kind.endswith("_call") or kind in _UNBILLED or item.get("status") == "failed":
        return None
    return kind[:50]


# Calls that the caller carries out, and those that cost their tokens alone.
_UNBILLED = frozenset({
    "function_call", "custom_tool_call", "computer_call", "local_shell_call", "apply_patch_call", "mcp_call",
    "tool_search_call",
})  # fmt: skip


def usage_to(usage: Usage, *, estimates: bool = False) -> Body | None:
    if usage.source == "unknown" or (usage.source == "estimated" and not estimates):
        return None
    written = usage.cache_write + usage.cache_write_1h
    return {
        "input_tokens": usage.input_total,
        "input_tokens_details": {"cached_tokens": usage.cached_input, "cache_write_tokens": written},
        "output_tokens": usage.output_total,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def failure(
    error: Any, secrets: tuple[str, ...] = (), otherwise: type[TargetError] = StreamFailed, **facts: Any
) -> TargetError:
    """What a response or an event of a stream says went wrong."""
    return read_error(None, orjson.dumps({"error": error}), secrets=secrets, otherwise=otherwise, **facts)


def _finish(theirs: Mapping[str, Any], message: Mapping[str, Any]) -> str:
    if theirs.get("status") == "incomplete":
        return _FINISHES.get((theirs.get("incomplete_details") or {}).get("reason", ""), "length")
    return "tool_calls" if message.get("tool_calls") else "stop"
