"""The canonical chat request, which is OpenAI's body: validated once, and what routing must know of it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.request import Facts

_TEXT = (str,)
_NUMBER = (int, float)
_WHOLE = (int,)
_FLAG = (bool,)
_LIST = (list,)
_OBJECT = (dict,)

# What the chat API takes, and as which JSON types. Everything else is a provider's own.
CHAT_PARAMS: dict[str, tuple[type, ...]] = {
    "model": _TEXT, "messages": _LIST, "stream": _FLAG, "stream_options": _OBJECT,
    "temperature": _NUMBER, "top_p": _NUMBER, "n": _WHOLE, "seed": _WHOLE, "stop": (str, list),
    "max_tokens": _WHOLE, "max_completion_tokens": _WHOLE,
    "presence_penalty": _NUMBER, "frequency_penalty": _NUMBER, "logit_bias": _OBJECT,
    "logprobs": (bool, int), "top_logprobs": _WHOLE,
    "tools": _LIST, "tool_choice": (str, dict), "parallel_tool_calls": _FLAG,
    "functions": _LIST, "function_call": (str, dict),
    "response_format": _OBJECT, "modalities": _LIST, "audio": _OBJECT, "prediction": _OBJECT,
    "reasoning_effort": _TEXT, "verbosity": _TEXT, "service_tier": _TEXT, "store": _FLAG,
    "metadata": _OBJECT, "moderation": _OBJECT, "user": _TEXT, "safety_identifier": _TEXT,
    "prompt_cache_key": _TEXT, "prompt_cache_options": _OBJECT, "prompt_cache_retention": _TEXT,
    "web_search_options": _OBJECT, "documents": _LIST,
}  # fmt: skip
# What the elements of a list are, and the least that a number can mean.
_ELEMENTS = {"tools": dict, "functions": dict, "stop": str, "modalities": str}
_LEAST = {"n": 1, "max_tokens": 1, "max_completion_tokens": 1, "top_logprobs": 0}

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_PARTS = frozenset({"text", "image_url", "input_audio", "file", "refusal", "video_url", "audio_url"})
_JSON_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false",
               list: "a list", dict: "an object"}  # fmt: skip
MESSAGE_NAME = "messages[].name"  # what a person in the conversation is called: not everybody takes it
_LONGEST_NAME = 300
_IMAGE_TOKENS = 800  # an image is billed as tokens; this is the middle of what vendors count
_BYTES_PER_TOKEN = 4


def check_type(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a JSON value of another type; true and false are not numbers."""
    if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
        return
    named = (kind for kind in kinds if kind is not int or float not in kinds)
    expected = " or ".join(dict.fromkeys(_JSON_NAMES[kind] for kind in named))
    got = "null" if value is None else _JSON_NAMES.get(type(value), type(value).__name__)
    raise BadRequest(f"{name} must be {expected}, not {got}", param=name, code="invalid_type")


def chat_facts(body: Mapping[str, Any]) -> Facts:
    """Validate a chat body once and say what routing must know of it."""
    unknown = _check_params(body)
    messages = body.get("messages")
    if not messages:
        raise BadRequest("messages must be a list with at least one message", param="messages", code="missing")
    features: set[Feature] = set()
    size = images = 0
    for index, message in enumerate(messages):
        more, pictures = _read_message(message, f"messages[{index}]", features)
        size += more
        images += pictures
    if streaming := body.get("stream_options"):
        check_type("stream_options.include_usage", streaming.get("include_usage", False), _FLAG)
    if tools := body.get("tools") or body.get("functions"):
        features.add(Feature.TOOLS)
        size += len(orjson.dumps(tools))
    if body.get("stream"):
        features.add(Feature.STREAM)
    if documents := body.get("documents"):
        size += _read_documents(documents, features)
    if (wanted := body.get("response_format")) is not None:
        size += _read_format(wanted, features)
    return Facts(
        features=frozenset(features),
        params=frozenset(body) | ({MESSAGE_NAME} if any(map(_is_named, messages)) else frozenset()),
        unknown_params=frozenset(unknown),
        input_tokens=size // _BYTES_PER_TOKEN + images * _IMAGE_TOKENS + 4 * len(messages),
        max_output=body.get("max_completion_tokens") or body.get("max_tokens"),
        messages=len(messages),
        answers=body.get("n") or 1,
    )


def without(body: Mapping[str, Any], drop: Collection[str]) -> dict[str, Any]:
    """The body without these parameters."""
    kept = {name: value for name, value in body.items() if name not in drop}
    if MESSAGE_NAME in drop:
        kept["messages"] = [
            {name: value for name, value in message.items() if name != "name"} if _is_named(message) else message
            for message in kept["messages"]
        ]
    return kept


def with_defaults(body: Mapping[str, Any], defaults: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The body with what it does not name itself; the length of the output has two names."""
    missing = {name: value for name, value in defaults if body.get(name) is None}
    if body.get("max_completion_tokens") is not None:
        missing.pop("max_tokens", None)
    return {**body, **missing}


def _is_named(message: Mapping[str, Any]) -> bool:
    return message.get("name") is not None and message["role"] != "function"  # there it says which function


def _check_params(body: Mapping[str, Any]) -> list[str]:
    """Types, least values and elements of what the dialect knows; the names of what it does not."""
    unknown = []
    for name, value in body.items():
        kinds = CHAT_PARAMS.get(name)
        if kinds is None:
            if len(name) > _LONGEST_NAME:
                raise BadRequest("a parameter's name is too long", param=name[:50], code="unknown_parameter")
            unknown.append(name)
        elif value is not None:
            check_type(name, value, kinds)
            if name in _LEAST and value < _LEAST[name]:
                raise BadRequest(f"{name} must be at least {_LEAST[name]}", param=name, code="invalid_value")
            if name in _ELEMENTS and type(value) is list:
                for index, element in enumerate(value):
                    check_type(f"{name}[{index}]", element, (_ELEMENTS[name],))
    return unknown


def _read_format(wanted: Mapping[str, Any], features: set[Feature]) -> int:
    """The feature that a response format asks for, and the size of its schema."""
    kind = wanted.get("type")
    check_type("response_format.type", kind, _TEXT)
    if kind == "json_object":
        features.add(Feature.JSON_MODE)
    if kind != "json_schema":
        return 0
    features.add(Feature.JSON_SCHEMA)
    return len(orjson.dumps(wanted))


def _read_documents(documents: list[Any], features: set[Feature]) -> int:
    """What an answer is to rest on: texts, or objects that hold one or other data. Their size."""
    features.add(Feature.DOCUMENTS)
    for index, document in enumerate(documents):
        where = f"documents[{index}]"
        check_type(where, document, (str, dict))
        if type(document) is dict:
            check_type(f"{where}.data", document.get("data", {}), _OBJECT)
            check_type(f"{where}.id", document.get("id", ""), _TEXT)
        if not document or (type(document) is dict and not document.keys() - {"id"}):
            raise BadRequest(f"{where} has nothing to read: send a text or data", param=where, code="invalid_value")
    return len(orjson.dumps(documents))


def _read_message(message: Any, where: str, features: set[Feature]) -> tuple[int, int]:
    """Its size in bytes and its pictures; adds the features it needs."""
    if type(message) is not dict:
        raise BadRequest(f"{where} must be an object with role and content", param=where, code="invalid_type")
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in ROLES:
        words = f"{where}.role must be one of {', '.join(sorted(ROLES))}"
        raise BadRequest(words, param=f"{where}.role", code="invalid_value")
    size = images = 0
    if type(content) is str:
        size = _length(content)
    elif type(content) is list:
        for index, part in enumerate(content):
            more, picture = _read_part(part, f"{where}.content[{index}]", features)
            size += more
            images += picture
    elif content is not None:
        words = f"{where}.content must be a string or a list of parts"
        raise BadRequest(words, param=f"{where}.content", code="invalid_type")
    elif role in {"user", "system", "developer"}:
        raise BadRequest(f"{where}.content is missing", param=f"{where}.content", code="missing")
    if calls := message.get("tool_calls"):
        check_type(f"{where}.tool_calls", calls, _LIST)
        size += len(orjson.dumps(calls))
    return size, images


def _read_part(part: Any, where: str, features: set[Feature]) -> tuple[int, int]:
    if type(part) is not dict or type(part.get("type")) is not str:
        raise BadRequest(f"{where} must be an object with a type", param=where, code="invalid_type")
    kind = part["type"]
    if kind not in _PARTS:
        words = f"{where}.type must be one of {', '.join(sorted(_PARTS))}"
        raise BadRequest(words, param=f"{where}.type", code="invalid_value")
    if kind == "text":
        check_type(f"{where}.text", part.get("text"), _TEXT)
        return _length(part["text"]), 0
    if kind == "image_url":
        check_type(f"{where}.image_url", part.get("image_url"), _OBJECT)
        check_type(f"{where}.image_url.url", part["image_url"].get("url"), _TEXT)
        features.add(Feature.VISION)
        return 0, 1
    if kind == "input_audio":
        check_type(f"{where}.input_audio", part.get("input_audio"), _OBJECT)
        features.add(Feature.AUDIO)
    return 0, 0


def _length(text: str) -> int:
    """In bytes, which other scripts than ours need more of, as they need more tokens."""
    return len(text) if text.isascii() else len(text.encode())
