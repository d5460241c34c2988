"""What a vendor's chat endpoint turns away before any model sees it."""

from typing import Any

from infra.local.simulators.vendor import Vendor

PARAMETERS = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    }
)
IN_MESSAGES = frozenset(
    {"annotations", "audio", "content", "function_call", "name", "refusal", "role", "tool_call_id", "tool_calls"}
)
IN_PARTS = frozenset({"file", "image_url", "input_audio", "refusal", "text", "type"})
IN_TOOLS = frozenset({"custom", "function", "type"})
IN_CALLS = IN_TOOLS | {"id", "index"}
KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str,), "a string"),
    "messages": ((list,), "an array of objects"),
    "temperature": ((int, float), "a decimal"),
    "top_p": ((int, float), "a decimal"),
    "max_tokens": ((int,), "an integer"),
    "max_completion_tokens": ((int,), "an integer"),
    "n": ((int,), "an integer"),
    "stream": ((bool,), "a boolean"),
    "stream_options": ((dict,), "an object"),
    "parallel_tool_calls": ((bool,), "a boolean"),
    "stop": ((str, list), "a string or an array of strings"),
    "tools": ((list,), "an array of objects"),
    "tool_choice": ((str, dict), "a string or an object"),
    "response_format": ((dict,), "an object"),
}
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "max_tokens": (1, None), "max_completion_tokens": (1, None)}
# The simulator's own bound is the 4.
CHOICES = (1, 4)
ROLES = frozenset({"developer", "system", "user", "assistant", "tool", "function"})
PARTS = frozenset({"text", "image_url", "input_audio", "file", "refusal"})
INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
REASONING = ("o1", "o3", "o4", "gpt-5", "gpt-6")
NOT_REASONING = ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")


class RequestError(Exception):
    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


def check(vendor: Vendor, body: dict[str, Any]) -> None:
    if vendor.strict:
        known(body, PARAMETERS | vendor.parameters)
    for name in ("model", "messages"):
        if body.get(name) is None:
            raise RequestError(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    for name, (kinds, words) in KINDS.items():
        typed(name, body.get(name), kinds, words)
    for name, (low, high) in {**RANGES, "n": CHOICES}.items():
        _ranged(name, body.get(name), low, high)
    _messages(vendor, body["messages"])
    if vendor.strict:
        _known_within(body)
    _tools(body)
    _formats(vendor, body)
    _lacking(vendor, body)
    _stream(vendor, body)
    if vendor.reasoning_rules and body["model"].startswith(REASONING):
        _reasoning(body)


def known(body: Any, parameters: frozenset[str], at: str = "") -> None:
    for name in body if isinstance(body, dict) else ():
        if name not in parameters:
            raise RequestError(f"Unknown parameter: '{at}{name}'.", f"{at}{name}", "unknown_parameter")


def _known_within(body: dict[str, Any]) -> None:
    """What is strict about parameters is so about what they hold."""
    for i, tool in enumerate(body.get("tools") or ()):
        known(tool, IN_TOOLS, f"tools[{i}].")
    for i, message in enumerate(body["messages"]):
        known(message, IN_MESSAGES, f"messages[{i}].")
        for j, part in enumerate(message["content"] if isinstance(message.get("content"), list) else ()):
            known(part, IN_PARTS, f"messages[{i}].content[{j}].")
        for j, call in enumerate(message.get("tool_calls") or ()):
            known(call, IN_CALLS, f"messages[{i}].tool_calls[{j}].")


def typed(name: str, value: Any, kinds: tuple[type, ...], words: str) -> None:
    # JSON's true is no number, though Python's is.
    wrong = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if value is not None and wrong:
        got = type(value).__name__
        raise RequestError(f"Invalid type for '{name}': expected {words}, but got {got}.", name, "invalid_type")


def _ranged(name: str, value: Any, low: float, high: float | None) -> None:
    if value is None or (value >= low and (high is None or value <= high)):
        return
    side, bound, code = (">=", low, "below_min") if value < low else ("<=", high, "above_max")
    message = f"Invalid value for '{name}': expected a value {side} {bound}, but got {value} instead."
    kind = "integer" if name not in ("temperature", "top_p") else "decimal"
    raise RequestError(message, name, f"{kind}_{code}_value")


def _messages(vendor: Vendor, messages: list[Any]) -> None:
    if not messages:
        raise RequestError("Invalid 'messages': expected at least one message.", "messages", "empty_array")
    called: set[str] = set()
    for i, message in enumerate(messages):
        at = f"messages[{i}]"
        typed(at, message, (dict,), "an object")
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise RequestError(
                f"Invalid value: '{at}.role' must be one of {sorted(ROLES)}.", f"{at}.role", "invalid_value"
            )
        content = message.get("content")
        typed(f"{at}.content", content, (str, list), "a string or an array of parts")
        if content is None and not any(message.get(name) for name in INSTEAD_OF_CONTENT):
            raise RequestError(
                f"Invalid value for '{at}.content': expected a string, got null.",
                f"{at}.content",
                "invalid_type",
            )
        for j, part in enumerate(content if isinstance(content, list) else ()):
            _part(vendor, f"{at}.content[{j}]", part)
            if vendor.strict and message["role"] == "tool" and part["type"] != "text":
                words = f"Invalid '{at}'. Only text is allowed in messages with role 'tool', not {part['type']}."
                raise RequestError(words, f"{at}.content[{j}]", "invalid_value")
        _pairing(vendor, at, message, called)


def _pairing(vendor: Vendor, at: str, message: dict[str, Any], called: set[str]) -> None:
    typed(f"{at}.tool_calls", message.get("tool_calls"), (list,), "an array of objects")
    for i, call in enumerate(message.get("tool_calls") or ()):
        if not isinstance(call, dict) or not isinstance(call.get("id"), str):
            where = f"{at}.tool_calls[{i}].id"
            raise RequestError(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")
        called.add(call["id"])
    if message["role"] == "tool" and vendor.strict and message.get("tool_call_id") not in called:
        words = "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
        raise RequestError(f"Invalid parameter: {words}", f"{at}.role")


def _part(vendor: Vendor, at: str, part: Any) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in PARTS:
        raise RequestError(f"Invalid value: {kind!r}. Supported are {sorted(PARTS)}.", f"{at}.type", "invalid_value")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise RequestError(f"Missing required parameter: '{at}.text'.", f"{at}.text", "missing_required_parameter")
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else None
        schemes = ("data:image/",) if vendor.data_images_only else ("data:image/", "https://", "http://")
        if not isinstance(url, str) or not url.startswith(schemes):
            message = f"Invalid image: expected a URL starting with one of {', '.join(schemes)}."
            raise RequestError(message, f"{at}.image_url.url", "invalid_image_url")


def _tools(body: dict[str, Any]) -> None:
    names = set()
    for i, tool in enumerate(body.get("tools") or ()):
        typed(f"tools[{i}]", tool, (dict,), "an object")
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            raise RequestError(
                f"Missing required parameter: 'tools[{i}].type'.",
                f"tools[{i}].type",
                "missing_required_parameter",
            )
        about = tool.get(kind)
        if not isinstance(about, dict) or not isinstance(about.get("name"), str):
            at = f"tools[{i}].{kind}.name"
            raise RequestError(f"Missing required parameter: '{at}'.", at, "missing_required_parameter")
        names.add(about["name"])
    choice = body.get("tool_choice")
    if choice not in (None, "none", "auto") and not names:
        raise RequestError("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        raise RequestError(f"Invalid value: '{choice}'.", "tool_choice", "invalid_value")
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function")
        if not isinstance(function, dict) or function.get("name") not in names:
            raise RequestError("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")


def _lacking(vendor: Vendor, body: dict[str, Any]) -> None:
    for name in sorted(vendor.refused):
        if body.get(name) is not None:
            raise RequestError(f"'{name}' is not supported.", name, "unsupported_parameter")
    if vendor.one_answer and body.get("n") not in (None, 1):
        raise RequestError("'n' : number must be at most 1.", "n", "integer_above_max_value")
    named = [i for i, message in enumerate(body["messages"]) if "name" in message]
    if named and not vendor.takes_names:
        at = f"messages[{named[0]}].name"
        raise RequestError(f"'{at}' is not supported.", at, "unsupported_parameter")


def _formats(vendor: Vendor, body: dict[str, Any]) -> None:
    wanted = body.get("response_format")
    if wanted is None:
        return
    if wanted.get("type") not in ("text", "json_object", "json_schema"):
        message = "Invalid value: 'response_format.type' must be text, json_object or json_schema."
        raise RequestError(message, "response_format.type", "invalid_value")
    if wanted["type"] == "json_schema":
        if not vendor.takes_schemas:
            raise RequestError("This response_format type is unavailable now.", None, "invalid_request_error")
        about = wanted.get("json_schema")
        if not isinstance(about, dict) or not isinstance(about.get("name"), str):
            at = "response_format.json_schema.name"
            raise RequestError(f"Missing required parameter: '{at}'.", at, "missing_required_parameter")


def _stream(vendor: Vendor, body: dict[str, Any]) -> None:
    stop = body.get("stop")
    if isinstance(stop, list) and (len(stop) > 4 or not all(isinstance(s, str) for s in stop)):
        raise RequestError("Invalid 'stop': expected at most 4 strings.", "stop", "invalid_value")
    if vendor.strict and body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RequestError(message, "stream_options")


def _reasoning(body: dict[str, Any]) -> None:
    if body.get("max_tokens") is not None:
        message = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise RequestError(f"Unsupported parameter: {message}", "max_tokens", "unsupported_parameter")
    if body.get("reasoning_effort") == "none":
        return  # Then these models sample as any other.
    for name in ("temperature", "top_p"):
        if body.get(name) not in (None, 1):
            message = f"'{name}' does not support {body[name]} with this model, only the default (1)."
            raise RequestError(f"Unsupported value: {message}", name, "unsupported_value")
    for name in NOT_REASONING:
        if body.get(name):
            message = f"'{name}' is not supported with this model."
            raise RequestError(f"Unsupported parameter: {message}", name, "unsupported_parameter")
