"""Anthropic's Messages: answers, streams, counts of tokens and the list of models."""

import base64
import re
from typing import Any

import orjson

from infra.local.simulators.answers import CHARS_PER_TOKEN, Answer, answers, prompt_tokens, tokens
from infra.local.simulators.anthropic_checks import Line, check, marked, signature
from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.samples import SchemaError

THOUGHT = "Simulated thought."
IN_STEPS = "in steps"  # by these words the model thinks again between what it says
SHRED = 8
ENDS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
TOLD = re.compile(r"\{([^{}]*)\}$")
BOUND = re.compile(r"(\w+): (\d+)")
CREATED = "2026-09-22T00:00:00Z"
Block = dict[str, Any]


def respond(call: Call) -> Reply | Stream:
    try:
        body = _checked(call)
        answer = answers(_seen(body), call.vendor.name, body["model"])[0]
    except RequestError as error:
        return _refused(call, error)
    except SchemaError as error:
        return _refused(call, RequestError(f"output_config.format.schema: {error}"))
    blocks = _blocks(body, answer)
    usage = _usage(body, answer, thought=any(block["type"] == "thinking" for block in blocks))
    message = {
        "id": f"msg_{call.id}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks,
        **_end(body, answer),
        "usage": usage,
    }
    return _stream(call, message) if body.get("stream") else json_reply(message)


def count_tokens(call: Call) -> Reply:
    try:
        body = _checked(call, counting=True)
    except RequestError as error:
        return _refused(call, error)
    return json_reply({"input_tokens": prompt_tokens(_seen(body))})


def models(call: Call) -> Reply:
    yes, no = {"supported": True}, {"supported": False}
    rows = []
    for name in call.vendor.models:
        line = Line.of(name)
        adaptive = {"supported": line.version >= (4, 6)}
        rows.append(
            {
                "type": "model",
                "id": name,
                "display_name": name.replace("-", " ").title(),
                "created_at": CREATED,
                "lifecycle": "active",
                "deprecated_at": None,
                "retires_at": None,
                "max_input_tokens": 200_000 if line.version < (4, 6) else 1_000_000,
                "max_tokens": line.most,
                "capabilities": {"image_input": yes, "pdf_input": yes, "citations": yes, "batch": no,
                                 "thinking": {**yes, "types": {"adaptive": adaptive}}},
            }
        )  # fmt: skip
    return json_reply({"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]})


def _checked(call: Call, *, counting: bool = False) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("The request body is not valid JSON") from error
    if not isinstance(body, dict):
        raise RequestError("Input should be a valid dictionary")
    try:
        check(body, call.request.headers.get("anthropic-version"), counting=counting)
    except (AttributeError, KeyError, TypeError) as error:
        raise RequestError(f"Input should be of another type: {error}") from error
    return body


def _refused(call: Call, error: RequestError) -> Reply:
    status = 404 if error.code == "not_found_error" else 400
    reply = invalid(call.vendor, error.message, None, error.code, status)
    return json_reply({**orjson.loads(reply.body), "request_id": f"req_{call.id}"}, status)


# What the model sees of a request, in the words of answers.py


def _seen(body: dict[str, Any]) -> dict[str, Any]:
    messages = []
    if system := _text(body.get("system")):
        messages.append({"role": "system", "content": system})
    for message in body["messages"]:
        messages += _said(message)
    choice = body.get("tool_choice") or {}
    wanted = (body.get("output_config") or {}).get("format")
    return {
        "messages": messages,
        "max_tokens": body.get("max_tokens"),
        "stop": body.get("stop_sequences"),
        "tools": [
            {"type": "function", "function": {"name": tool["name"], "parameters": tool["input_schema"]}}
            for tool in body.get("tools") or ()
            if "input_schema" in tool
        ],
        "tool_choice": {
            "any": "required",
            "none": "none",
            "tool": {"type": "function", "function": {"name": choice.get("name")}},
        }.get(choice.get("type", "auto"), "auto"),
        "parallel_tool_calls": not choice.get("disable_parallel_tool_use"),
        "response_format": {"type": "json_schema", "json_schema": {"schema": _read(wanted["schema"])}}
        if wanted
        else None,
    }


def _said(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    if isinstance(content, str):
        return [{"role": message["role"], "content": content}]
    results = [
        {"role": "tool", "content": _text(block.get("content"))} for block in content if block["type"] == "tool_result"
    ]
    parts = [part for block in content if (part := _part(block))]
    called = [{"name": block["name"], "input": block["input"]} for block in content if block["type"] == "tool_use"]
    own = {"role": message["role"], "content": parts, **({"tool_calls": called} if called else {})}
    return [*results, own] if parts or called else results


def _part(block: Block) -> dict[str, Any] | None:
    source = block.get("source") or {}
    match block["type"]:
        case "text":
            return {"type": "text", "text": block["text"]}
        case "image":
            url = source.get("url") or f"data:{source['media_type']};base64,{source['data']}"
            return {"type": "image_url", "image_url": {"url": url}}
        case "document":
            return {"type": "file"}
        case _:
            return None


def _read(schema: Any) -> Any:
    """A schema with the bounds that the official client moves into descriptions, which a model reads."""
    if isinstance(schema, list):
        return [_read(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    words = schema.get("description")
    told = TOLD.search(words) if isinstance(words, str) else None
    bounds = {name: int(value) for name, value in BOUND.findall(told[1])} if told else {}
    return {**{name: _read(part) for name, part in schema.items()}, **bounds}


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(block["text"] for block in content if block["type"] == "text")
    return content or ""


# What it says


def _blocks(body: dict[str, Any], answer: Answer) -> list[Block]:
    blocks: list[Block] = []
    thinking = body.get("thinking") or {}
    thinks = thinking.get("type") in ("enabled", "adaptive")
    thought = {"type": "thinking", "thinking": "" if thinking.get("display") == "omitted" else THOUGHT}
    if thinks:
        blocks.append(dict(thought))
    if thinks and answer.tool_calls and IN_STEPS in _last_words(body):
        steps = ["First I look.", "", "Then I ask."]
        blocks += [block for text in steps for block in ({"type": "text", "text": text}, dict(thought))]
    if answer.text is not None:
        cited = _citations(body)
        blocks.append({"type": "text", "text": answer.text, **({"citations": cited} if cited else {})})
    for call in answer.tool_calls:
        try:
            given = orjson.loads(call.arguments)
        except orjson.JSONDecodeError:
            given = {}  # the limit struck amid the arguments
        name = "toolu_" + call.id.removeprefix("call_")
        blocks.append({"type": "tool_use", "id": name, "name": call.name, "input": given})
    for place, block in enumerate(blocks):
        if block["type"] == "thinking":
            block["signature"] = signature(block["thinking"], blocks[:place])
    return blocks


def _last_words(body: dict[str, Any]) -> str:
    said = [message["content"] for message in body["messages"] if message["role"] == "user"]
    return _text(said[-1]) if said else ""


def _citations(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The beginning of each document that may be cited."""
    found = []
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    documents = [block for content in contents for block in content if block["type"] == "document"]
    for index, block in enumerate(documents):
        source = block["source"]
        if not (block.get("citations") or {}).get("enabled") or source["type"] not in ("text", "base64"):
            continue
        where = {"document_index": index, "document_title": block.get("title")}
        if source["type"] == "text":
            text = source["data"][:40]
            place = {"type": "char_location", "start_char_index": 0, "end_char_index": len(text)}
        else:
            text = f"{len(base64.b64decode(source['data']))} bytes"
            place = {"type": "page_location", "start_page_number": 1, "end_page_number": 2}
        found.append({**place, "cited_text": text, **where})
    return found


def _end(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    stops = body.get("stop_sequences") or []
    struck = None
    if answer.finish_reason == "stop" and stops and answer.text is not None:
        whole = answers(_seen({**body, "stop_sequences": []}), "anthropic", body["model"])[0].text or ""
        struck = next((stop for stop in stops if whole[len(answer.text) :].startswith(stop)), None)
    return {
        "stop_reason": "stop_sequence" if struck else ENDS[answer.finish_reason],
        "stop_sequence": struck,
        "stop_details": None,
    }


def _usage(body: dict[str, Any], answer: Answer, *, thought: bool) -> dict[str, Any]:
    """Of several cache markers all but the last are taken for seen before: what the last one adds is written."""
    total = prompt_tokens(_seen(body))
    sizes, size = [], 0
    for block in marked(body):
        bare = {name: value for name, value in block.items() if name != "cache_control"}
        size += len(block["text"]) if block.get("type") == "text" else len(orjson.dumps(bare))
        if marker := block.get("cache_control"):
            sizes.append((min(size // CHARS_PER_TOKEN, total), marker.get("ttl", "5m")))
    read = sizes[-2][0] if len(sizes) > 1 else 0
    written = sizes[-1][0] - read if sizes else 0
    hour = written if sizes and sizes[-1][1] == "1h" else 0
    spent = tokens(THOUGHT) if thought else 0
    return {
        "input_tokens": total - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": answer.tokens + spent,
        "output_tokens_details": {"thinking_tokens": spent},
        "service_tier": "standard",
        **({"speed": body["speed"]} if body.get("speed") else {}),
    }


# Streams: message_start, each block with its start, deltas and stop, message_delta, message_stop


def _stream(call: Call, message: dict[str, Any]) -> Stream:
    usage = message["usage"]
    start = {
        **message,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": 1},
    }
    begun = [_event("message_start", message=start)]
    events = [event for index, block in enumerate(message["content"]) for event in _block_events(index, block)]
    begun += events[:1]
    begun.append(_event("ping"))
    delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    counts = {name: usage[name] for name in ("output_tokens", "output_tokens_details", "input_tokens")}
    closing = [*events[-1:], _event("message_delta", delta=delta, usage=counts), _event("message_stop")]
    error = {**error_body(call.vendor, 500), "request_id": f"req_{call.id}"}
    raw = b"event: error\ndata: " + orjson.dumps(error) + b"\n\n"
    headers = {"content-type": call.vendor.event_stream, "cache-control": "no-cache"}
    return Stream(headers, tuple(begun), tuple(events[1:-1]), tuple(closing), raw)


def _block_events(index: int, block: Block) -> list[bytes]:
    empty, deltas = dict(block), []
    match block["type"]:
        case "text":
            empty = {"type": "text", "text": ""}
            pieces = re.findall(r"\S+\s*|\s+", block["text"])
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
            deltas += [{"type": "citations_delta", "citation": cited} for cited in block.get("citations") or ()]
        case "thinking":
            empty |= {"thinking": "", "signature": ""}
            pieces = re.findall(r"\S+\s*", block["thinking"])
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "tool_use":
            empty["input"] = {}
            text = orjson.dumps(block["input"]).decode() if block["input"] else ""
            shreds = ["", *(text[at : at + SHRED] for at in range(0, len(text), SHRED))]
            deltas = [{"type": "input_json_delta", "partial_json": shred} for shred in shreds]
    events = [_event("content_block_start", index=index, content_block=empty)]
    events += [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [*events, _event("content_block_stop", index=index)]


def _event(kind: str, **content: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **content}) + b"\n\n"
