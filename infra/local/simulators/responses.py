"""The Responses API as OpenAI documents it: items in, items out, and its own events."""

import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import orjson

from infra.local.simulators.answers import Answer, answers, prompt_tokens, tokens
from infra.local.simulators.chat import SHRED, THOUGHT
from infra.local.simulators.checks import REASONING, RequestError
from infra.local.simulators.errors import invalid
from infra.local.simulators.items import check_request, conversation
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.samples import SchemaError

MOST_STORED = 1000
SEARCHES = ("web_search", "web_search_preview")
TEXT = "Simulated input."  # of a tool that takes a text
CITED = "https://example.com/simulated"
# Conversations by the id of the response that ended them, for who goes on with one of them.
_stored: OrderedDict[str, list[Any]] = OrderedDict()

Item = dict[str, Any]


def respond(call: Call) -> Reply | Stream:
    vendor = call.vendor
    try:
        body = _decoded(call)
        check_request(vendor, body)
        items = _history(body)
        said = answers(conversation(items, body), vendor.name, body["model"])[0]
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    except SchemaError as error:
        return invalid(vendor, f"Invalid schema: {error}.", "text.format.schema", "invalid_json_schema")
    output = list(_output(call, body, said))
    response = _response(call, body)
    whole = _ended(response, output, said, _usage(items, body, said, output))
    if body.get("store") is not False:
        _keep(response["id"], [*items, *output])
    return _stream(call, body, response, whole) if body.get("stream") else json_reply(whole)


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise RequestError("We expected a JSON object as the body of your request.")
    return body


def _history(body: dict[str, Any]) -> list[Any]:
    """All items of the conversation, those of earlier responses first."""
    given = body.get("input")
    own = [{"role": "user", "content": given}] if isinstance(given, str) else given or []
    earlier = body.get("previous_response_id")
    if earlier is None:
        return own
    if earlier not in _stored:
        words = f"Previous response with id '{earlier}' not found."
        raise RequestError(words, "previous_response_id", "previous_response_not_found")
    return [*_stored[earlier], *own]


def _keep(name: str, items: list[Any]) -> None:
    _stored[name] = items
    if len(_stored) > MOST_STORED:
        _stored.popitem(last=False)


def _output(call: Call, body: dict[str, Any], said: Answer) -> Iterator[Item]:
    status = "incomplete" if said.finish_reason == "length" else "completed"
    if _thinks(body):
        summary = [{"type": "summary_text", "text": THOUGHT}] if (body.get("reasoning") or {}).get("summary") else []
        yield {"id": f"rs_{call.id}", "type": "reasoning", "encrypted_content": f"gAAAA{call.id}", "summary": summary}
    notes = []
    if any(tool["type"] in SEARCHES for tool in body.get("tools") or ()):
        action = {"type": "search", "query": "simulated"}
        yield {"id": f"ws_{call.id}", "type": "web_search_call", "status": "completed", "action": action}
        notes = [{"type": "url_citation", "start_index": 0, "end_index": 9, "title": "Simulated", "url": CITED}]
    texts = {tool["name"] for tool in body.get("tools") or () if tool["type"] == "custom"}
    for number, one in enumerate(said.tool_calls):
        if one.name in texts:
            yield {
                "id": f"ctc_{call.id}{number}", "type": "custom_tool_call", "status": status, "call_id": one.id,
                "input": TEXT, "name": one.name,
            }  # fmt: skip
            continue
        yield {
            "id": f"fc_{call.id}{number}", "type": "function_call", "status": status, "arguments": one.arguments,
            "call_id": one.id, "name": one.name,
        }  # fmt: skip
    if said.text is not None:
        part = {"type": "output_text", "annotations": notes, "logprobs": [], "text": said.text}
        yield {"id": f"msg_{call.id}", "type": "message", "status": status, "content": [part], "role": "assistant"}


def _thinks(body: dict[str, Any]) -> bool:
    return body["model"].startswith(REASONING) and (body.get("reasoning") or {}).get("effort") != "none"


def _response(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    def said(name: str, otherwise: Any) -> Any:
        return otherwise if body.get(name) is None else body[name]

    return {
        "id": f"resp_{call.id}", "object": "response", "created_at": call.created, "status": "in_progress",
        "background": False, "error": None, "incomplete_details": None, "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"), "max_tool_calls": None, "model": body["model"],
        "output": [], "parallel_tool_calls": said("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"), "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None, **said("reasoning", {})}, "safety_identifier": None,
        "service_tier": "default", "store": said("store", True), "temperature": said("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium", **said("text", {})},
        "tool_choice": said("tool_choice", "auto"), "tools": said("tools", []), "top_logprobs": 0,
        "top_p": said("top_p", 1.0), "truncation": said("truncation", "disabled"), "usage": None,
        "user": body.get("user"), "metadata": said("metadata", {}),
    }  # fmt: skip


def _ended(response: dict[str, Any], output: list[Item], said: Answer, usage: dict[str, Any]) -> dict[str, Any]:
    ended: dict[str, Any] = {**response, "status": "completed", "output": output, "usage": usage}
    if said.finish_reason == "length":
        ended |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return ended


def _usage(items: list[Any], body: dict[str, Any], said: Answer, output: list[Item]) -> dict[str, Any]:
    prompt = prompt_tokens(conversation(items, body))
    thought = tokens(THOUGHT) if any(item["type"] == "reasoning" for item in output) else 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said.tokens + thought,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": prompt + said.tokens + thought,
    }


def _stream(call: Call, body: dict[str, Any], response: dict[str, Any], whole: dict[str, Any]) -> Stream:
    hides = call.vendor.obfuscation and (body.get("stream_options") or {}).get("include_obfuscation") is not False
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": response}),
        ("response.in_progress", {"response": response}),
    ]
    for place, item in enumerate(whole["output"]):
        events += _item_events(place, item)
    events.append((f"response.{whole['status']}", {"response": whole}))
    raws = [_event(kind, number, fields, hides=hides) for number, (kind, fields) in enumerate(events)]
    output = [number for number, (kind, _) in enumerate(events) if kind.endswith(".delta")]
    first, last = (output[0], output[-1] + 1) if output else (len(raws) - 1, len(raws) - 1)
    fields = {"code": "server_error", "message": "The server had an error processing your request.", "param": None}
    error = _event("error", last, fields, hides=False)
    headers = {"content-type": call.vendor.event_stream, "cache-control": "no-cache"}
    return Stream(headers, tuple(raws[:first]), tuple(raws[first:last]), tuple(raws[last:]), error)


def _event(kind: str, number: int, fields: dict[str, Any], *, hides: bool) -> bytes:
    said = {"type": kind, "sequence_number": number, **fields}
    if hides and kind.endswith(".delta"):
        said["obfuscation"] = "0" * (16 - len(fields["delta"]) % 16)
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(said) + b"\n\n"


def _item_events(place: int, item: Item) -> Iterator[tuple[str, dict[str, Any]]]:
    where = {"item_id": item["id"], "output_index": place}
    match item["type"]:
        case "message":
            yield "response.output_item.added", {"output_index": place, "item": _begun(item, content=[])}
            yield from _text_events({**where, "content_index": 0}, item["content"][0])
        case "function_call":
            yield "response.output_item.added", {"output_index": place, "item": _begun(item, arguments="")}
            for shred in _shreds(item["arguments"]):
                yield "response.function_call_arguments.delta", {**where, "delta": shred}
            yield "response.function_call_arguments.done", {**where, "arguments": item["arguments"]}
        case "custom_tool_call":
            yield "response.output_item.added", {"output_index": place, "item": _begun(item, input="")}
            for shred in _shreds(item["input"]):
                yield "response.custom_tool_call_input.delta", {**where, "delta": shred}
            yield "response.custom_tool_call_input.done", {**where, "input": item["input"]}
        case "reasoning":
            yield "response.output_item.added", {"output_index": place, "item": {**item, "summary": []}}
            for part in item["summary"]:
                yield from _summary_events({**where, "summary_index": 0}, part)
        case _:
            yield "response.output_item.added", {"output_index": place, "item": _begun(item)}
            for state in ("in_progress", "searching", "completed"):
                yield f"response.web_search_call.{state}", where
    yield "response.output_item.done", {"output_index": place, "item": item}


def _begun(item: Item, **empty: Any) -> Item:
    return {**item, "status": "in_progress", **empty}


def _text_events(where: dict[str, Any], part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    empty = {**part, "text": "", "annotations": []}
    yield "response.content_part.added", {**where, "part": empty}
    for word in re.findall(r"\S+\s*|\s+", part["text"]):
        yield "response.output_text.delta", {**where, "delta": word, "logprobs": []}
    for number, note in enumerate(part["annotations"]):
        yield "response.output_text.annotation.added", {**where, "annotation_index": number, "annotation": note}
    yield "response.output_text.done", {**where, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**where, "part": part}


def _summary_events(where: dict[str, Any], part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "response.reasoning_summary_part.added", {**where, "part": {**part, "text": ""}}
    yield "response.reasoning_summary_text.delta", {**where, "delta": part["text"]}
    yield "response.reasoning_summary_text.done", {**where, "text": part["text"]}
    yield "response.reasoning_summary_part.done", {**where, "part": part}


def _shreds(text: str) -> list[str]:
    return [text[at : at + SHRED] for at in range(0, len(text), SHRED)]
