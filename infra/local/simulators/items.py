"""What the Responses API turns away, and what the simulated model reads of the rest."""

from typing import Any

from infra.local.simulators.checks import REASONING, RequestError, known, typed
from infra.local.simulators.vendor import Vendor

PARAMETERS = frozenset({
    "background", "context_management", "conversation", "include", "input", "instructions", "max_output_tokens",
    "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id", "prompt",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
    "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools",
    "top_logprobs", "top_p", "truncation", "user",
})  # fmt: skip
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str,), "a string"),
    "input": ((str, list), "a string or an array of items"),
    "instructions": ((str,), "a string"),
    "max_output_tokens": ((int,), "an integer"),
    "previous_response_id": ((str,), "a string"),
    "reasoning": ((dict,), "an object"),
    "store": ((bool,), "a boolean"),
    "stream": ((bool,), "a boolean"),
    "temperature": ((int, float), "a decimal"),
    "text": ((dict,), "an object"),
    "tool_choice": ((str, dict), "a string or an object"),
    "tools": ((list,), "an array of objects"),
}
LEAST_OUTPUT = 16
CONVERSATIONS = ("previous_response_id", "conversation", "prompt")
# Item -> how its id begins, and what it may have beside it.
ITEMS = {
    "message": ("msg_", {"role", "content", "status", "phase"}),
    "function_call": ("fc_", {"call_id", "name", "arguments", "status", "namespace"}),
    "function_call_output": ("fc_", {"call_id", "output", "status"}),
    "custom_tool_call": ("ctc_", {"call_id", "name", "input", "status", "namespace"}),
    "custom_tool_call_output": ("ctco_", {"call_id", "output", "status"}),
    "reasoning": ("rs_", {"summary", "content", "encrypted_content", "status"}),
    "web_search_call": ("ws_", {"action", "status"}),
    "item_reference": ("", set()),
}
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
RESULTS = ("function_call_output", "custom_tool_call_output")
SPOKEN = {"output_text": "text", "refusal": "refusal"}
GIVEN = {"input_text": "text", "input_image": None, "input_file": None, "input_audio": "input_audio"}
CALLED = ("function", "custom")
BUILT_IN = ("web_search", "web_search_preview", "file_search", "code_interpreter", "image_generation", "mcp")
SEALED = "gAAAA"


def check_request(vendor: Vendor, body: dict[str, Any]) -> None:
    known(body, PARAMETERS | vendor.parameters)
    for name, (kinds, words) in KINDS.items():
        typed(name, body.get(name), kinds, words)
    if body.get("model") is None:
        raise RequestError("Missing required parameter: 'model'.", "model", "missing_required_parameter")
    if body.get("input") is None and not any(body.get(name) for name in CONVERSATIONS):
        words = "One of 'input', 'previous_response_id', 'prompt' or 'conversation' must be provided."
        raise RequestError(words, "input", "missing_required_parameter")
    most = body.get("max_output_tokens")
    if most is not None and most < LEAST_OUTPUT:
        words = f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_OUTPUT}."
        raise RequestError(words, "max_output_tokens", "integer_below_min_value")
    if isinstance(body.get("input"), list):
        _items(body["input"], continued=body.get("previous_response_id") is not None)
    _tools(body)
    _format(body)
    if vendor.reasoning_rules and body["model"].startswith(REASONING):
        _reasoning(body)


def conversation(items: list[Any], body: dict[str, Any]) -> dict[str, Any]:
    """The request as the simulated model sees it, which thinks in chats."""
    messages: list[dict[str, Any]] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    for item in items:
        match item.get("type", "message"):
            case "message":
                messages.append({"role": item["role"], "content": _content(item["content"])})
            case "function_call" | "custom_tool_call":
                function = {"name": item["name"], "arguments": item[CALLS[item["type"]]]}
                messages.append({"role": "assistant", "tool_calls": [{"id": item["call_id"], "function": function}]})
            case "function_call_output" | "custom_tool_call_output":
                messages.append({"role": "tool", "content": _content(item["output"])})
    wanted = (body.get("text") or {}).get("format") or {}
    about = {name: wanted[name] for name in ("name", "schema") if name in wanted}
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in CALLED:
        choice = {"type": "function", "function": {"name": choice["name"]}}
    functions = [tool for tool in body.get("tools") or () if tool["type"] in CALLED]
    return {
        "messages": messages,
        "tools": [{"type": "function", "function": tool} for tool in functions],
        "tool_choice": choice,
        "parallel_tool_calls": body.get("parallel_tool_calls"),
        "response_format": {"type": wanted.get("type"), "json_schema": about},
        "max_tokens": body.get("max_output_tokens"),
    }


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    found = []
    for part in content:
        match part["type"]:
            case "input_text" | "output_text":
                found.append({"type": "text", "text": part["text"]})
            case "input_image":
                found.append({"type": "image_url", "image_url": {"url": part.get("image_url") or part["file_id"]}})
            case kind:
                found.append({"type": kind.removeprefix("input_") if kind == "input_file" else kind})
    return found


def _items(items: list[Any], *, continued: bool) -> None:
    called: set[str] = set()
    answered: set[str] = set()
    for place, item in enumerate(items):
        at = f"input[{place}]"
        typed(at, item, (dict,), "an object")
        kind = item.get("type", "message")
        if kind not in ITEMS:
            raise RequestError(f"Invalid value: '{kind}'.", f"{at}.type", "invalid_value")
        start, fields = ITEMS[kind]
        if kind == "item_reference":  # nothing is kept here that could be referred to
            raise RequestError(f"Item with id '{item.get('id')}' not found.", "input")
        for name in item:
            if name not in fields | {"type", "id"}:
                raise RequestError(f"Unknown parameter: '{at}.{name}'.", f"{at}.{name}", "unknown_parameter")
        if not str(item.get("id") or start).startswith(start):
            words = f"Invalid '{at}.id': '{item['id']}'. Expected an ID that begins with '{start[:-1]}'."
            raise RequestError(words, f"{at}.id", "invalid_value")
        _item(at, kind, item)
        if kind in CALLS:
            called.add(item["call_id"])
        elif kind in RESULTS:
            if item["call_id"] not in called and not continued:
                words = f"No tool call found for function call output with call_id {item['call_id']}."
                raise RequestError(words, "input")
            answered.add(item["call_id"])
    if missing := called - answered:
        raise RequestError(f"No tool output found for function call {min(missing)}.", "input")


def _item(at: str, kind: str, item: dict[str, Any]) -> None:
    if kind == "message":
        _message(at, item)
    elif kind == "reasoning":
        sealed = item.get("encrypted_content")
        if sealed is not None and not sealed.startswith(SEALED):
            words = f"The encrypted content for item {item['id']} could not be verified."
            raise RequestError(words, None, "invalid_encrypted_content")
        _required(at, item, "summary")
    elif kind in CALLS or kind in RESULTS:
        for name in ("call_id", *(("name", CALLS[kind]) if kind in CALLS else ("output",))):
            _required(at, item, name)


def _message(at: str, item: dict[str, Any]) -> None:
    if item.get("role") not in ("user", "assistant", "system", "developer"):
        raise RequestError(f"Invalid value: '{item.get('role')}'.", f"{at}.role", "invalid_value")
    typed(f"{at}.content", item.get("content"), (str, list), "a string or an array of parts")
    _required(at, item, "content")
    if isinstance(item["content"], str):
        return
    kinds: dict[str, str | None] = dict(SPOKEN) if item["role"] == "assistant" else dict(GIVEN)
    for place, part in enumerate(item["content"]):
        where, kind = f"{at}.content[{place}]", part.get("type")
        if kind not in kinds:
            words = f"Invalid value: '{kind}'. Supported values are: {', '.join(repr(one) for one in kinds)}."
            raise RequestError(words, f"{where}.type", "invalid_value")
        if (needed := kinds[kind]) is not None:
            _required(where, part, needed)
        elif kind == "input_image" and not (part.get("image_url") or part.get("file_id")):
            _required(where, part, "image_url")


def _required(at: str, item: dict[str, Any], name: str) -> None:
    if item.get(name) is None:
        where = f"{at}.{name}"
        raise RequestError(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")


def _tools(body: dict[str, Any]) -> None:
    names = set()
    for place, tool in enumerate(body.get("tools") or ()):
        at = f"tools[{place}]"
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in (*CALLED, *BUILT_IN):
            raise RequestError(f"Invalid value: '{kind}'.", f"{at}.type", "invalid_value")
        if kind in CALLED:
            _required(at, tool, "name")
            names.add((kind, tool["name"]))
        if kind == "custom":
            _grammar(f"{at}.format", tool.get("format"))
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        named = choice.get("tools") or ()
    else:
        named = [choice] if isinstance(choice, dict) else ()
    lost = [one for one in named if one.get("type") in CALLED and (one["type"], one.get("name")) not in names]
    for choice in lost[:1]:
        raise RequestError(f"Tool choice '{choice.get('name')}' not found in 'tools' parameter.", "tool_choice")


def _grammar(at: str, wanted: Any) -> None:
    typed(at, wanted, (dict,), "an object")
    if wanted is None or wanted.get("type") == "text":
        return
    if wanted.get("type") != "grammar":
        raise RequestError(f"Invalid value: '{wanted.get('type')}'.", f"{at}.type", "invalid_value")
    if wanted.get("syntax") not in ("lark", "regex"):
        raise RequestError(f"Invalid value: '{wanted.get('syntax')}'.", f"{at}.syntax", "invalid_value")
    _required(at, wanted, "definition")


def _format(body: dict[str, Any]) -> None:
    wanted = (body.get("text") or {}).get("format") or {"type": "text"}
    if wanted.get("type") not in ("text", "json_object", "json_schema"):
        raise RequestError(f"Invalid value: '{wanted.get('type')}'.", "text.format.type", "invalid_value")
    if wanted["type"] == "json_schema":
        for name in ("name", "schema"):
            _required("text.format", wanted, name)


def _reasoning(body: dict[str, Any]) -> None:
    if (body.get("reasoning") or {}).get("effort") == "none":
        return
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            words = f"Unsupported parameter: '{name}' is not supported with this model."
            raise RequestError(words, name, "unsupported_parameter")
