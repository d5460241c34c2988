"""Cohere's own API, version 2: chat with tools, documents, citations and thoughts."""

import re
from typing import Any

import orjson

from infra.local.simulators.answers import Answer, answers, prompt_tokens, tokens
from infra.local.simulators.errors import refusal
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.samples import SchemaError

THOUGHT = "Simulated thought."
THINKING = ("reasoning", "command-a-plus")  # models that think unless they are told not to
SEEING = ("vision", "command-a-plus")
TEMPLATE_TOKENS = 60  # of its own around a prompt, which it counts and does not bill
SHRED = 8
MOST_STOPS = 5
META = {"api_version": {"version": "2"}}
PARAMETERS = frozenset({
    "model", "messages", "stream", "tools", "strict_tools", "documents", "citation_options", "response_format",
    "safety_mode", "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty",
    "k", "p", "logprobs", "tool_choice", "thinking", "priority",
})  # fmt: skip
RANGES = {"p": (0.01, 0.99), "k": (0, 500), "frequency_penalty": (0, 1), "presence_penalty": (0, 1)}
ROLES = ("system", "user", "assistant", "tool")
PARTS = {
    "system": ("text",),
    "user": ("text", "image_url"),
    "assistant": ("text", "thinking"),
    "tool": ("text", "document"),
}
REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}


class RefusedError(Exception):
    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


def decoded(call: Call, known: frozenset[str], *required: str) -> dict[str, Any]:
    """A body with what it must have, and nothing that it cannot have."""
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError:
        raise RefusedError("invalid json syntax: the request body could not be parsed") from None
    if not isinstance(body, dict):
        raise RefusedError("invalid type: the request body must be an object")
    for name in body:
        if name not in known:
            raise RefusedError(f"unknown field: parameter '{name}' is not a valid field", 422)
    for name in required:
        if body.get(name) is None:
            raise RefusedError(f"invalid request: {name} is required")
    if body["model"] not in call.vendor.all_models and not body["model"].startswith("ft:"):
        words = "make sure the correct model ID was used and that you have access to the model"
        raise RefusedError(f"model '{body['model']}' not found, {words}", 404)
    return body


def refused(call: Call, error: RefusedError) -> Reply:
    return refusal(call.vendor, error.status, error.message)


def chat(call: Call) -> Reply | Stream:
    try:
        body = decoded(call, PARAMETERS, "model", "messages")
        _check(body)
        plain = _plain(body)
        said = answers({**plain, "stop": None}, "cohere", body["model"])[0]
        cut = answers(plain, "cohere", body["model"])[0]
    except RefusedError as error:
        return refused(call, error)
    except SchemaError as error:
        return refusal(call.vendor, 400, f"invalid json_schema: {error}")
    reason = REASONS[cut.finish_reason]
    if reason == "COMPLETE" and cut.text != said.text:
        reason = "STOP_SEQUENCE"
    thinks = any(word in body["model"] for word in THINKING)
    thought = THOUGHT if thinks and (body.get("thinking") or {}).get("type") != "disabled" else ""
    message, citations = _message(body, cut, thought)
    usage = _usage(plain, body, cut, thought)
    if body.get("stream"):
        return _stream(call, message, citations, reason, usage)
    if citations:
        message["citations"] = citations
    return json_reply({"id": call.id, "finish_reason": reason, "message": message, "usage": usage})


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body["messages"], list) or not body["messages"]:
        raise RefusedError("invalid request: messages must have at least one item")
    called: set[str] = set()
    for index, message in enumerate(body["messages"]):
        _check_message(f"messages[{index}]", message, called, body["model"])
    if body["messages"][-1]["role"] not in ("user", "tool"):
        raise RefusedError("invalid request: the last message must be from the user or a tool")
    for name, (low, high) in RANGES.items():
        if body.get(name) is not None and not low <= body[name] <= high:
            raise RefusedError(f"invalid request: {name} must be between {low} and {high} inclusive.", 422)
    if body.get("temperature") is not None and body["temperature"] < 0:
        raise RefusedError("invalid request: temperature must be non-negative", 422)
    if len(body.get("stop_sequences") or ()) > MOST_STOPS:
        raise RefusedError(f"invalid request: at most {MOST_STOPS} stop sequences are allowed")
    if body.get("tool_choice") not in (None, "REQUIRED", "NONE"):
        raise RefusedError("invalid request: tool_choice must be one of REQUIRED, NONE")
    if body.get("tool_choice") and not body.get("tools"):
        raise RefusedError("invalid request: tool_choice can only be specified with tools")
    for tool in body.get("tools") or ():
        function = tool.get("function") if tool.get("type") == "function" else None
        if (
            not isinstance(function, dict)
            or not function.get("name")
            or not isinstance(function.get("parameters"), dict)
        ):
            raise RefusedError("invalid request: all tools must be functions with a name and parameters")
    _check_format(body)
    _check_thinking(body.get("thinking"))


def _check_format(body: dict[str, Any]) -> None:
    wanted = body.get("response_format") or {"type": "text"}
    if wanted.get("type") not in ("text", "json_object"):
        raise RefusedError("invalid request: response_format.type must be one of text, json_object")
    if wanted.keys() - {"type", "json_schema"} or (wanted["type"] == "text" and wanted.get("json_schema")):
        raise RefusedError("invalid request: response_format is not valid")
    if wanted["type"] == "json_object" and (body.get("tools") or body.get("documents")):
        raise RefusedError("invalid request: response_format is not supported with tools or documents")


def _check_thinking(thinking: Any) -> None:
    if thinking is None:
        return
    if thinking.get("type") not in ("enabled", "disabled"):
        raise RefusedError("invalid request: thinking.type must be one of enabled, disabled")
    budget = thinking.get("token_budget")
    if budget is not None and (not isinstance(budget, int) or budget < 1):
        raise RefusedError("invalid request: thinking.token_budget must be a positive integer")


def _check_message(at: str, message: Any, called: set[str], model: str) -> None:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ROLES:
        raise RefusedError(f"invalid request: {at}.role must be one of {', '.join(ROLES)}")
    extra = message.keys() - {"role", "content", "tool_calls", "tool_plan", "citations", "tool_call_id"}
    if extra:
        raise RefusedError(f"unknown field: parameter '{at}.{min(extra)}' is not a valid field", 422)
    if not message.get("content") and not message.get("tool_calls"):
        raise RefusedError(f"invalid request: {at} must have content")
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if part.get("type") not in PARTS[role]:
            raise RefusedError(f"invalid request: {at}.content has an invalid type for role {role}")
        if part["type"] == "image_url" and not any(word in model for word in SEEING):
            raise RefusedError("invalid request: image content is not supported with this model")
    called |= {one["id"] for one in message.get("tool_calls") or ()}
    if role == "tool" and message.get("tool_call_id") not in called:
        raise RefusedError(f"invalid request: {at}.tool_call_id not found in the previous tool calls")


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """The request as the simulated model reads it."""
    wanted = dict(body.get("response_format") or {})
    if schema := wanted.pop("json_schema", None):
        wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    choice = {"REQUIRED": "required", "NONE": "none"}.get(body.get("tool_choice") or "", "auto")
    messages = [{**message, "content": _contents(message)} for message in body["messages"]]
    return {
        "messages": messages,
        "tools": body.get("tools"),
        "tool_choice": choice,
        "response_format": wanted,
        "max_tokens": body.get("max_tokens"),
        "stop": body.get("stop_sequences"),
    }


def _contents(message: dict[str, Any]) -> Any:
    content = message.get("content")
    if message["role"] != "tool" or not isinstance(content, list):
        return content
    shown = [part.get("text") or orjson.dumps(part["document"]["data"]).decode() for part in content]
    return [{"type": "text", "text": text} for text in shown]


def _message(body: dict[str, Any], said: Answer, thought: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    message: dict[str, Any] = {"role": "assistant"}
    content = [{"type": "thinking", "thinking": thought}] if thought else []
    if said.tool_calls:
        names = " and ".join(one.name for one in said.tool_calls)
        message["tool_plan"] = f"I will use {names}."
        message["tool_calls"] = [
            {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in said.tool_calls
        ]
        return ({**message, "content": content} if content else message), []
    text = said.text or ""
    citations: list[dict[str, Any]] = []
    if said.finish_reason == "stop":
        text, citations = _cited(body, text, len(content))
    message["content"] = [*content, {"type": "text", "text": text}]
    return message, citations


def _cited(body: dict[str, Any], text: str, block: int) -> tuple[str, list[dict[str, Any]]]:
    """What it says of each document, and which words rest on it; of a tool's result, that it said so."""
    if (body.get("citation_options") or {}).get("mode") in ("OFF", "DISABLED"):
        return text, []
    found = []
    for index, given in enumerate(body.get("documents") or ()):
        one = {"data": {"text": given}} if isinstance(given, str) else given
        name = one.get("id") or f"doc:{index}"
        start = len(text) + 1
        words = str(next(iter(one["data"].values()), ""))[:80]
        text = f"{text} {words}"
        source = {"type": "document", "id": name, "document": {"id": name, **one["data"]}}
        found.append(_citation(start, words, source, block))
    last = body["messages"][-1]
    if last["role"] == "tool" and (quoted := re.search('"(.+)"', text)):
        output = {"content": quoted[1]}
        source = {"type": "tool", "id": f"{last['tool_call_id']}:0", "tool_output": output}
        found.append(_citation(quoted.start(1), quoted[1], source, block))
    return text, [one for one in found if one["text"]]


def _citation(start: int, words: str, source: dict[str, Any], block: int) -> dict[str, Any]:
    place = {"start": start, "end": start + len(words), "text": words}
    return {**place, "sources": [source], "content_index": block, "type": "TEXT_CONTENT"}


def _usage(plain: dict[str, Any], body: dict[str, Any], said: Answer, thought: str) -> dict[str, Any]:
    documents = tokens(orjson.dumps(body["documents"]).decode()) if body.get("documents") else 0
    prompt, output = float(prompt_tokens(plain) + documents), float(said.tokens + tokens(thought))
    return {
        "billed_units": {"input_tokens": prompt, "output_tokens": output},
        "tokens": {"input_tokens": prompt + TEMPLATE_TOKENS, "output_tokens": output},
        "cached_tokens": 0.0,
    }


def _stream(
    call: Call, message: dict[str, Any], citations: list[dict[str, Any]], reason: str, usage: dict[str, Any]
) -> Stream:
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    opening = _event("message-start", empty, id=call.id)
    output: list[bytes] = []
    for index, block in enumerate(message.get("content") or ()):
        kind = block["type"]
        start = _event("content-start", {"content": {"type": kind, kind: ""}}, index=index)
        words = re.findall(r"\S+\s*|\s+", block[kind]) if kind == "text" else [block[kind]]
        said = [_event("content-delta", {"content": {kind: word}}, index=index) for word in words]
        cited = [
            _event("citation-start", {"citations": one}, index=number) + _event("citation-end", index=number)
            for number, one in enumerate(citations if kind == "text" else ())
        ]
        output += _around(start, said, b"".join(cited) + _event("content-end", index=index))
    plan = re.findall(r"\S+\s*", message.get("tool_plan", ""))
    output += [_event("tool-plan-delta", {"tool_plan": word}) for word in plan]
    for index, one in enumerate(message.get("tool_calls") or ()):
        arguments = one["function"]["arguments"]
        begun = {**one, "function": {**one["function"], "arguments": ""}}
        shreds = [arguments[at : at + SHRED] for at in range(0, len(arguments), SHRED)]
        pieces = [
            _event("tool-call-delta", {"tool_calls": {"function": {"arguments": shred}}}, index=index)
            for shred in shreds
        ]
        start = _event("tool-call-start", {"tool_calls": begun}, index=index)
        output += [start, *_around(b"", pieces, _event("tool-call-end", index=index))]
    ending = _ended(call.id, {"finish_reason": reason, "usage": usage})
    error = _ended(call.id, {"finish_reason": "ERROR", "error": "an internal error occurred during generation"})
    headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
    return Stream(headers, (opening,), tuple(output), (ending, b"data: [DONE]\n\n"), error)


def _around(start: bytes, said: list[bytes], end: bytes) -> list[bytes]:
    """Each piece of output with the events around it that say nothing, so that faults can count what was said."""
    if not said:
        return [start + end]
    said[0] = start + said[0]
    said[-1] += end
    return said


def _event(kind: str, message: dict[str, Any] | None = None, **fields: Any) -> bytes:
    delta = {} if message is None else {"delta": {"message": message}}
    return _sent({"type": kind, **fields, **delta})


def _ended(answer: str, delta: dict[str, Any]) -> bytes:
    return _sent({"type": "message-end", "id": answer, "delta": delta})


def _sent(content: dict[str, Any]) -> bytes:
    return f"event: {content['type']}\ndata: {orjson.dumps(content).decode()}\n\n".encode()
