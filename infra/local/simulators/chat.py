"""Chat completions in the OpenAI dialect, with each vendor's own accent."""

import re
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import orjson

from infra.local.simulators.answers import Answer, ToolCall, answers, prompt_tokens, tokens
from infra.local.simulators.checks import RequestError, check
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, Stream, event, json_reply
from infra.local.simulators.samples import SchemaError
from infra.local.simulators.vendor import Vendor

THOUGHT = "Simulated thought."
CACHE_BLOCK = 64
KEEP_ALIVE = b": keep-alive\n\n"
# Arguments arrive in shreds, and a caller that parses each one by itself should notice here.
SHRED = 8
SAFE = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}
PROMPT_SAFE = [
    {
        "prompt_index": 0,
        "content_filter_results": {**SAFE, "jailbreak": {"filtered": False, "detected": False}},
    }
]


def respond(call: Call) -> Reply | Stream:
    vendor = call.vendor
    try:
        body = _decoded(call)
        check(vendor, body)
        said = answers(body, vendor.name, body["model"])
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    except SchemaError as error:
        return invalid(vendor, f"Invalid schema: {error}.", None, "invalid_json_schema")
    thinks = vendor.thinks_in is not None and (body.get("thinking") or {}).get("type") != "disabled"
    thought = THOUGHT if thinks else ""
    usage = _usage(vendor, prompt_tokens(body), sum(answer.tokens for answer in said), tokens(thought) * len(said))
    if body.get("stream"):
        return _stream(call, body, said, usage, thought)
    return _completion(call, body["model"], said, usage, thought)


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise RequestError("We expected a JSON object as the body of your request.")
    body = {name: value for name, value in body.items() if name not in call.vendor.ignored}
    if "deployment" in call.names:
        # The path decides, whatever model the body names.
        body["model"] = call.names["deployment"]
    return body


def _usage(vendor: Vendor, prompt: int, completion: int, thought: int) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion + thought,
        "total_tokens": prompt + completion + thought,
    }
    if vendor.timings:
        counts |= {"queue_time": 0.005, "prompt_time": 0.001, "completion_time": 0.02, "total_time": 0.021}
    if vendor.cache_counts:
        # As if all that it keeps of a prompt, which is whole blocks, had been seen before.
        hit = prompt // CACHE_BLOCK * CACHE_BLOCK
        counts |= {"prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": prompt - hit}
        counts["completion_tokens_details"] = {"reasoning_tokens": thought}
    if vendor.usage_details:
        counts["prompt_tokens_details"] = {"cached_tokens": 0, "audio_tokens": 0}
        counts["completion_tokens_details"] = {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        }
    return counts


def _completion(call: Call, model: str, said: tuple[Answer, ...], usage: dict[str, Any], thought: str) -> Reply:
    vendor = call.vendor
    content: dict[str, Any] = {
        "id": f"chatcmpl-{call.id}",
        "object": "chat.completion",
        "created": call.created,
        "model": model,
        "choices": [_choice(vendor, index, answer, thought) for index, answer in enumerate(said)],
        "usage": usage,
        **_marks(vendor),
    }
    if vendor.content_filter:
        content["prompt_filter_results"] = PROMPT_SAFE
    if vendor.usage_on_last_chunk:
        content["prompt"] = []
    if vendor.extension:
        content[vendor.extension] = {"id": f"req_{call.id}"}
    reply = json_reply(content)
    return replace(reply, body=b"\n\n" + reply.body) if vendor.keep_alive else reply


def _choice(vendor: Vendor, index: int, answer: Answer, thought: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text}
    if vendor.thinks_in and thought:
        message[vendor.thinks_in] = thought
    if vendor.strict:
        message |= {"refusal": None, "annotations": []}
    if answer.tool_calls:
        message["tool_calls"] = [_tool_call(call) for call in answer.tool_calls]
    choice = {"index": index, "message": message, "logprobs": None, "finish_reason": _reason(vendor, answer)}
    return {**choice, "content_filter_results": SAFE} if vendor.content_filter else choice


def _reason(vendor: Vendor, answer: Answer) -> str:
    return vendor.stop if answer.finish_reason == "stop" else answer.finish_reason


def _tool_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _marks(vendor: Vendor) -> dict[str, Any]:
    marks: dict[str, Any] = {"service_tier": "default"} if vendor.strict else {}
    return {**marks, "system_fingerprint": vendor.fingerprint} if vendor.fingerprint else marks


def _stream(call: Call, body: dict[str, Any], said: tuple[Answer, ...], usage: dict[str, Any], thought: str) -> Stream:
    vendor = call.vendor
    options = body.get("stream_options") or {}
    chunks = _Chunks(call, body["model"], options)
    opening = [KEEP_ALIVE] * 2 if vendor.keep_alive else []
    opening += [chunks.filtered_prompt()] if vendor.content_filter else []
    opening += [chunks.chunk(index, _role(answer)) for index, answer in enumerate(said)]
    output = [
        chunks.chunk(index, delta)
        for index, answer in enumerate(said)
        for delta in (*_thoughts(vendor, thought), *_deltas(vendor, answer))
    ]
    closing = []
    for index, answer in enumerate(said):
        last = vendor.usage_on_last_chunk and index == len(said) - 1
        closing.append(chunks.chunk(index, {}, _reason(vendor, answer), usage if last else None, extended=usage))
    if chunks.counting:
        closing.append(chunks.counted(usage))
    headers = {"content-type": vendor.event_stream, "cache-control": "no-cache"}
    error = event(error_body(vendor, 500))
    return Stream(headers, tuple(opening), tuple(output), (*closing, b"data: [DONE]\n\n"), error)


class _Chunks:
    def __init__(self, call: Call, model: str, options: dict[str, Any]) -> None:
        self.vendor = call.vendor
        self.counting = bool(options.get("include_usage")) and not call.vendor.usage_on_last_chunk
        self._padding = call.vendor.obfuscation and options.get("include_obfuscation") is not False
        self._frame = {
            "id": f"chatcmpl-{call.id}",
            "object": "chat.completion.chunk",
            "created": call.created,
            "model": model,
            **_marks(call.vendor),
        }

    def chunk(
        self,
        index: int,
        delta: dict[str, Any],
        finish: str | None = None,
        usage: dict[str, Any] | None = None,
        extended: dict[str, Any] | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        if self.vendor.content_filter:
            choice["content_filter_results"] = SAFE if delta.get("content") else {}
        content = {**self._frame, "choices": [choice]}
        if usage or self.counting:
            content["usage"] = usage
        if self.vendor.extension and (extended or "role" in delta):
            content[self.vendor.extension] = {"id": self._frame["id"], **({"usage": extended} if extended else {})}
        if self._padding:
            content["obfuscation"] = _obfuscation(delta)
        return event(content)

    def counted(self, usage: dict[str, Any]) -> bytes:
        return event({**self._frame, "choices": [], "usage": usage})

    def filtered_prompt(self) -> bytes:
        # Azure sends this one before the model has begun, so it carries no id and no model.
        blank = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
        return event({**blank, "prompt_filter_results": PROMPT_SAFE})


def _role(answer: Answer) -> dict[str, Any]:
    return {"role": "assistant", "content": None if answer.tool_calls else ""}


def _thoughts(vendor: Vendor, thought: str) -> list[dict[str, Any]]:
    return [{"content": None, vendor.thinks_in: thought}] if vendor.thinks_in and thought else []


def _deltas(vendor: Vendor, answer: Answer) -> list[dict[str, Any]]:
    if not answer.tool_calls:
        return [{"content": word} for word in re.findall(r"\S+\s*|\s+", answer.text or "")]
    deltas = []
    for index, call in enumerate(answer.tool_calls):
        if vendor.whole_tool_calls:
            deltas.append({"tool_calls": [{"index": index, **_tool_call(call)}]})
            continue
        named = _tool_call(ToolCall(call.id, call.name, ""))
        deltas.append({"tool_calls": [{"index": index, **named}]})
        shreds = [call.arguments[at : at + SHRED] for at in range(0, len(call.arguments), SHRED)]
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": shred}}]} for shred in shreds]
    return deltas


def _obfuscation(delta: dict[str, Any]) -> str:
    """Noise that hides a chunk's length from who watches the wire."""
    return blake2b(orjson.dumps(delta), digest_size=8).hexdigest()[: 2 + len(delta.get("content") or "") % 12]
