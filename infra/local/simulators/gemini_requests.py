"""A request in Gemini's format: read, refused, or put as the simulated model is asked: as a chat completion."""

from collections.abc import Iterator
from typing import Any

import orjson

from infra.local.simulators import gemini_checks as checks
from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import google
from infra.local.simulators.replies import Call, Reply, json_reply


def read(call: Call, kind: dict[str, Any]) -> dict[str, Any]:
    if call.request.headers.get("x-goog-api-key") == "invalid":
        raise RequestError("API key not valid. Please pass a valid API key.", "API_KEY_INVALID")
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"Invalid JSON payload received. {error}") from error
    found: dict[str, Any] = checks.named(kind, body)
    return found


def invalid(message: str, param: str | None) -> Reply:
    if param == "API_KEY_INVALID":
        return json_reply(
            google(400, message, {"@type": "ErrorInfo", "reason": param, "domain": "googleapis.com"}), 400
        )
    fields = [{"field": param, "description": message}] if param else []
    return json_reply(
        google(400, message, *([{"@type": "BadRequest", "fieldViolations": fields}] if fields else [])), 400
    )


def as_chat(body: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    system = (body.get("systemInstruction") or {}).get("parts") or []
    messages = [{"role": "system", "content": "".join(part.get("text", "") for part in system)}] if system else []
    messages += [message for content in body["contents"] for message in _messages(content)]
    functions = [one for tool in body.get("tools") or () for one in tool.get("functionDeclarations") or ()]
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = calling.get("allowedFunctionNames")
    tools = [_tool(one) for one in functions if not allowed or one["name"] in allowed]
    choice = {"ANY": "required", "NONE": "none"}.get(calling.get("mode", "AUTO"), "auto")
    asked: dict[str, Any] = {"messages": messages, "tools": tools, "tool_choice": choice if tools else None}
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseJsonSchema", _lowered(config.get("responseSchema")))
        shape = {"type": "json_schema", "json_schema": {"schema": schema}}
        asked["response_format"] = {"type": "json_object"} if schema is None else shape
    return {
        **asked,
        "n": config.get("candidateCount"),
        "stop": config.get("stopSequences"),
        "max_tokens": config.get("maxOutputTokens"),
    }


def _messages(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    parts = content["parts"]
    if content.get("role") == "model":
        calls = [{"function": part["functionCall"]} for part in parts if "functionCall" in part]
        said = "".join(part.get("text", "") for part in parts if not part.get("thought"))
        yield {"role": "assistant", "content": said, **({"tool_calls": calls} if calls else {})}
        return
    for part in parts:
        if "functionResponse" in part:
            given = part["functionResponse"].get("response") or {}
            plain = given.get("output") if isinstance(given.get("output"), str) else None
            yield {"role": "tool", "content": orjson.dumps(given).decode() if plain is None else plain}
    if others := [_part(part) for part in parts if "functionResponse" not in part]:
        yield {"role": "user", "content": others}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if "text" in part:
        return {"type": "text", "text": part["text"]}
    kind = (part.get("inlineData") or part.get("fileData") or {}).get("mimeType", "")
    if kind.startswith("image/"):
        data = part.get("inlineData", {}).get("data", "")
        return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
    return {"type": "input_audio" if kind.startswith("audio/") else "file"}


def _tool(declared: dict[str, Any]) -> dict[str, Any]:
    schema = declared.get("parametersJsonSchema", _lowered(declared.get("parameters")))
    return {"type": "function", "function": {"name": declared["name"], "parameters": schema}}


def _lowered(schema: Any) -> Any:
    """A schema of theirs, whose types are in capitals."""
    if isinstance(schema, list):
        return [_lowered(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: one.lower() if name == "type" and isinstance(one, str) else _lowered(one) for name, one in schema.items()
    }


def parts_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def last_words(asked: dict[str, Any]) -> str:
    users = [message for message in asked["messages"] if message["role"] == "user"]
    return " ".join(part.get("text", "") for part in parts_of(users[-1])) if users else ""
