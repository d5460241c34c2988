"""Ollama's own API: chat in lines of JSON, embeddings, what it says of a model."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from datetime import UTC, datetime
from typing import Any

import orjson

from infra.local.simulators.answers import Answer, ToolCall, answers, prompt_tokens, tokens
from infra.local.simulators.checks import RequestError
from infra.local.simulators.embeddings import UNKNOWN, vector
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.samples import SchemaError

THOUGHT = "Simulated thought."
THINKING = ("qwen3", "deepseek-r1", "gpt-oss")
BLIND = ("llama3.2", "qwen3")  # as /api/show has it; a picture is counted by all, as under /v1
# Newer versions give calls an id; who must do with both meets both here.
WITH_IDS = ("qwen3",)
CONTEXT = 4096  # what a model is loaded with unless a request asks for more
LEVELS = ("low", "medium", "high", "max")
ROLES = ("system", "user", "assistant", "tool")
KINDS: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("model", (str,), "string"),
    ("messages", (list,), "[]api.Message"),
    ("stream", (bool,), "bool"),
    ("tools", (list,), "api.Tools"),
    ("options", (dict,), "map[string]interface {}"),
    ("keep_alive", (int, float, str), "api.Duration"),
)
OPTIONS: dict[str, tuple[type, ...]] = {
    "num_predict": (int,), "num_ctx": (int,), "seed": (int,), "top_k": (int,), "temperature": (int, float),
    "top_p": (int, float), "min_p": (int, float), "stop": (list,), "presence_penalty": (int, float),
    "frequency_penalty": (int, float), "repeat_penalty": (int, float),
}  # fmt: skip
PICTURES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def chat(call: Call) -> Reply | Stream:
    try:
        body = _decoded(call)
        asked = _asked(body)
        thinks = _thinks(body)
        if not body.get("messages"):
            return _loaded(call, body)
        said = answers(asked, call.vendor.name, body["model"])[0]
    except RequestError as error:
        return invalid(call.vendor, error.message, None, None)
    except SchemaError as error:
        return invalid(call.vendor, f"invalid JSON schema in format: {error}", None, None)
    context = (body.get("options") or {}).get("num_ctx") or CONTEXT
    thought = THOUGHT if thinks else ""
    last = _counted(min(prompt_tokens(asked), context), said.tokens + tokens(thought), said.finish_reason)
    calls = [_tool_call(body["model"], index, one) for index, one in enumerate(said.tool_calls)]
    head = _head(call, body["model"])
    if body.get("stream") is False:
        message = {"role": "assistant", "content": said.text or "", **({"thinking": thought} if thought else {})}
        return json_reply({**head, "message": message | ({"tool_calls": calls} if calls else {}), **last})
    return _stream(call, head, _pieces(said, thought, calls), last)


def embed(call: Call) -> Reply:
    vendor = call.vendor
    try:
        body = _decoded(call)
        items = _texts(body.get("input") or [])
    except RequestError as error:
        return invalid(vendor, error.message, None, None)
    model = vendor.embedders.get(body["model"], UNKNOWN)
    counts = [tokens(item) for item in items]
    if body.get("truncate") is False and any(count > model.context for count in counts):
        return invalid(vendor, "the input length exceeds the context length", None, None)
    size = min(body.get("dimensions") or model.dimensions, model.dimensions)
    vectors = [vector(body["model"], item, size).tolist() for item in items]
    durations = {"total_duration": 14_143_917, "load_duration": 1_019_500}
    return json_reply({"model": body["model"], "embeddings": vectors, **durations, "prompt_eval_count": sum(counts)})


def _texts(given: Any) -> list[str]:
    items = [given] if isinstance(given, str) else given
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise RequestError("invalid input type")
    return items


def show(call: Call) -> Reply:
    try:
        body = _decoded(call)
    except RequestError as error:
        return invalid(call.vendor, error.message, None, None)
    name = body["model"]
    if name not in call.vendor.all_models:
        return json_reply(error_body(call.vendor, 404, f"model '{name}' not found"), 404)
    embedder = call.vendor.embedders.get(name)
    family = re.match(r"[a-z]+", name)
    about = {"format": "gguf", "family": family[0] if family else "", "quantization_level": "Q4_K_M"}
    length = embedder.context if embedder else 131_072
    facts = {"general.architecture": about["family"], f"{about['family']}.context_length": length}
    return json_reply({"details": about, "model_info": facts, "capabilities": _abilities(name, bool(embedder))})


def _abilities(name: str, embeds: bool) -> list[str]:  # noqa: FBT001 - what the model is for
    if embeds:
        return ["embedding"]
    more = (("tools", True), ("vision", not name.startswith(BLIND)), ("thinking", name.startswith(THINKING)))
    return ["completion", *(word for word, has in more if has)]


def _decoded(call: Call) -> dict[str, Any]:
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("unexpected end of JSON input") from error
    if not isinstance(body, dict):
        raise RequestError("json: cannot unmarshal into Go value of type api.ChatRequest")
    if not body.get("model"):
        raise RequestError("model is required")
    for name, kinds, word in KINDS:
        _go_type(body.get(name), kinds, f"ChatRequest.{name} of type {word}")
    return body


def _go_type(value: Any, kinds: tuple[type, ...], what: str) -> None:
    if value is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise RequestError(f"json: cannot unmarshal {type(value).__name__} into Go struct field {what}")


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    """The request as the simulated model reads it."""
    asked: dict[str, Any] = {"messages": [_message(one) for one in body.get("messages") or ()]}
    asked["tools"] = [_tool(one) for one in body.get("tools") or ()]
    options = body.get("options") or {}
    for name, value in options.items():
        if name in OPTIONS:
            kind = " or ".join(one.__name__ for one in OPTIONS[name])
            if not isinstance(value, OPTIONS[name]) or isinstance(value, bool):
                raise RequestError(f'option "{name}" must be of type {kind}')
    if (options.get("num_predict") or -1) > 0:
        asked["max_tokens"] = options["num_predict"]
    asked["stop"] = options.get("stop")
    match body.get("format"):
        case None | "":
            pass
        case "json":
            asked["response_format"] = {"type": "json_object"}
        case dict() as schema:
            asked["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        case other:
            raise RequestError(f'invalid format: {other!r}; expected "json" or a valid JSON Schema object')
    return asked


def _message(message: Any) -> dict[str, Any]:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise RequestError(f"invalid role: {message!r:.60}, must be one of {list(ROLES)}")
    _go_type(message.get("content"), (str,), "Message.messages.content of type string")
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.get("content") or ""}]
    for index, image in enumerate(message.get("images") or ()):
        _go_type(image, (str,), "Message.messages.images of type api.ImageData")
        try:
            data = b64decode(image, validate=True)
        except NotBase64 as error:
            raise RequestError(f"illegal base64 data at input byte {len(image.partition(':')[0])}") from error
        kind = next((kind for start, kind in PICTURES.items() if data.startswith(start)), "image")
        parts.append({"type": "image_url", "image_url": {"url": f"data:{kind};base64,{image}"}, "at": index})
    for one in message.get("tool_calls") or ():
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise RequestError("json: cannot unmarshal into Go struct field Message.messages.tool_calls")
        what = "ToolCallFunction.messages.tool_calls.function.arguments of type api.ToolCallFunctionArguments"
        _go_type(function.get("arguments"), (dict,), what)
    read = {"role": message["role"], "content": parts if len(parts) > 1 else parts[0]["text"]}
    return read | ({"tool_calls": message["tool_calls"]} if message.get("tool_calls") else {})


def _tool(tool: Any) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise RequestError("json: cannot unmarshal into Go struct field ChatRequest.tools of type api.Tool")
    return {"type": "function", "function": function}


def _thinks(body: dict[str, Any]) -> bool:
    think, able = body.get("think"), body["model"].startswith(THINKING)
    if isinstance(think, str) and think not in LEVELS:
        raise RequestError(f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')
    if think and not able:
        raise RequestError(f'"{body["model"]}" does not support thinking')
    return able and think is not False


def _loaded(call: Call, body: dict[str, Any]) -> Reply:
    """Without messages it only brings the model into memory, or takes it out."""
    reason = "unload" if body.get("keep_alive") in (0, "0") else "load"
    message = {"role": "assistant", "content": ""}
    return json_reply({**_head(call, body["model"]), "message": message, "done": True, "done_reason": reason})


def _head(call: Call, model: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(call.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    return {"model": model, "created_at": at}


def _counted(prompt: int, output: int, reason: str) -> dict[str, Any]:
    return {
        "done": True,
        "done_reason": "length" if reason == "length" else "stop",  # a call of a tool is a stop, too
        "total_duration": 4_883_583_458,
        "load_duration": 1_334_875,
        "prompt_eval_count": prompt,
        "prompt_eval_duration": 342_546_000,
        "eval_count": output,
        "eval_duration": 4_535_599_000,
    }


def _tool_call(model: str, index: int, call: ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments)
    except orjson.JSONDecodeError:
        arguments = {}  # cut by the limit of its output: what cannot be parsed never becomes a call's arguments
    function = {"index": index, "name": call.name, "arguments": arguments}
    return {**({"id": call.id} if model.startswith(WITH_IDS) else {}), "function": function}


def _pieces(said: Answer, thought: str, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    words = [{"content": word} for word in re.findall(r"\S+\s*|\s+", said.text or "")]
    thinking = [{"content": "", "thinking": word} for word in re.findall(r"\S+\s*", thought)]
    return [*thinking, *words, *({"content": "", "tool_calls": [call]} for call in calls)]


def _stream(call: Call, head: dict[str, Any], pieces: list[dict[str, Any]], last: dict[str, Any]) -> Stream:
    output = tuple(_line({**head, "message": {"role": "assistant", **piece}, "done": False}) for piece in pieces)
    closing = _line({**head, "message": {"role": "assistant", "content": ""}, **last})
    broken = "an error was encountered while running the model: unexpected EOF"
    headers = {"content-type": "application/x-ndjson"}
    return Stream(headers, (), output, (closing,), _line(error_body(call.vendor, 500, broken)), b"\n")


def _line(content: Any) -> bytes:
    return orjson.dumps(content) + b"\n"
