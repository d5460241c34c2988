"""The canonical chat request, which is OpenAI's body: validated once, and what routing must know of it. Pure."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import orjson

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.request import Facts
from core.wire.media import check_address, read_data_url, scheme_of
from core.wire.shapes import check_call, check_choice, check_details, check_thinking, check_tools, check_type
from core.wire.structured import Wanted, check_format, wanted_in
from core.wire.tokens import BYTES_PER_TOKEN, weight_of

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
# What some providers take beyond it and callers mean the same by everywhere.
EXTENSIONS: dict[str, tuple[type, ...]] = {
    "thinking": _OBJECT, "top_k": _WHOLE, "min_p": _NUMBER, "options": _OBJECT, "keep_alive": (str, int, float),
    "safety_settings": _LIST, "citation_options": _OBJECT, "chat_template_kwargs": _OBJECT,
}  # fmt: skip
# What the elements of a list are, and the least that a number can mean.
_ELEMENTS: dict[str, tuple[type, ...]] = {
    "tools": _OBJECT, "functions": _OBJECT, "stop": _TEXT, "modalities": _TEXT, "documents": (str, dict),
}  # fmt: skip
# What a parameter is when nobody names it, as it is when it is null: to say so asks for nothing.
_IDLE: Mapping[str, Any] = {"n": 1, "logprobs": False, "top_logprobs": 0, "store": False, "parallel_tool_calls": True}
_LEAST = {"n": 1, "max_tokens": 1, "max_completion_tokens": 1, "top_logprobs": 0}

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_PARTS = frozenset({"text", "image_url", "input_audio", "file", "refusal", "video_url", "audio_url"})
# Names for what stands inside messages and tools. A person's name is the dialect's, though not everybody takes it;
# the others are extensions, which go only to rows that list them in extra_params.
MESSAGE_NAME = "messages[].name"
REASONING = "messages[].reasoning_content"
REASONING_DETAILS = "messages[].reasoning_details"
CITATIONS = "messages[].citations"
CACHE_CONTROL = "messages[].cache_control"  # of a message or a part of it
FILE_CITATIONS = "messages[].content[].citations"  # of a file: that it is to be cited
FILE_CONTEXT = "messages[].content[].context"  # and what is to be known of it
TOOL_CACHE_CONTROL = "tools[].cache_control"
EXTRA_CONTENT = "messages[].tool_calls[].extra_content"
_IN_MESSAGES = {
    "name": MESSAGE_NAME, "reasoning_content": REASONING, "reasoning_details": REASONING_DETAILS,
    "citations": CITATIONS, "cache_control": CACHE_CONTROL,
}  # fmt: skip
_IN_FILES = {"citations": FILE_CITATIONS, "context": FILE_CONTEXT}
_INSIDE: Final = frozenset({*_IN_MESSAGES.values(), *_IN_FILES.values(), TOOL_CACHE_CONTROL, EXTRA_CONTENT})
_MARK, _EXTRA = frozenset({"cache_control"}), frozenset({"extra_content"})
_USUAL = 2  # names in a message or part that holds nothing beside what it is and its content
# Parts that hold a file, and where in them its content or its address stands.
LINKS: dict[str, tuple[str, ...]] = {
    "image_url": ("url",), "audio_url": ("url",), "video_url": ("url",), "input_audio": ("data",),
    "file": ("file_data", "file_url"),
}  # fmt: skip
_LONGEST_NAME = 300
_IMAGE_TOKENS = 800  # an image is billed as tokens; this is the middle of what vendors count


class _Seen:
    """What is found on the one way through a body."""

    __slots__ = ("extras", "features", "image_bytes", "image_types", "images", "links", "size")

    def __init__(self) -> None:
        self.features: set[Feature] = set()
        self.extras: set[str] = set()
        self.size = 0  # in bytes
        self.images = self.image_bytes = 0
        self.image_types: set[str] = set()
        self.links = False


def chat_facts(body: Mapping[str, Any]) -> Facts:
    """Validate a chat body once and say what routing must know of it."""
    unknown, idle = _check_params(body)
    messages = body.get("messages")
    if not messages:
        raise BadRequest("messages must be a list with at least one message", param="messages", code="missing")
    seen = _Seen()
    for index, message in enumerate(messages):
        _read_message(message, f"messages[{index}]", seen)
    if streaming := body.get("stream_options"):
        check_type("stream_options.include_usage", streaming.get("include_usage", False), _FLAG)
    if tools := body.get("tools") or body.get("functions"):
        _read_tools(tools, seen)
        check_tools(body.get("tools") or [])
    if (choice := body.get("tool_choice")) is not None:
        check_choice(choice)
    if thinking := body.get("thinking"):
        check_thinking(thinking)
    if (documents := body.get("documents")) is not None:
        _read_documents(documents, seen)
    if body.get("stream"):
        seen.features.add(Feature.STREAM)
    wants: Wanted | None = None
    if (wanted := body.get("response_format")) is not None:
        seen.size += _read_format(wanted, seen.features)
        wants = wanted_in(body)
    params = frozenset(body)
    if idle:
        params = params.difference(idle)
    if seen.extras:
        params |= seen.extras
        unknown += [name for name in seen.extras if name != MESSAGE_NAME]
    return Facts(
        features=frozenset(seen.features),
        params=params,
        unknown_params=frozenset(unknown),
        idle_params=frozenset(idle),
        input_tokens=seen.size // BYTES_PER_TOKEN + seen.images * _IMAGE_TOKENS + 4 * len(messages),
        max_output=body.get("max_completion_tokens") or body.get("max_tokens"),
        messages=len(messages),
        answers=body.get("n") or 1,
        as_object=wants is None or wants.is_object,
        images=seen.images,
        image_bytes=seen.image_bytes,
        image_types=frozenset(seen.image_types),
        links=seen.links,
    )


def without(body: Mapping[str, Any], drop: Collection[str]) -> dict[str, Any]:
    """The body without these parameters."""
    kept = {name: value for name, value in body.items() if name not in drop}
    if "tool_choice" in drop and body.get("tool_choice") == "none":
        kept.pop("tools", None)  # what is not there is not called
    if _INSIDE.isdisjoint(drop):
        return kept
    fields = frozenset(field for field, name in _IN_MESSAGES.items() if name in drop)
    if fields or EXTRA_CONTENT in drop:
        kept["messages"] = [_bare(one, fields, calls=EXTRA_CONTENT in drop) for one in kept["messages"]]
    if about := frozenset(field for field, name in _IN_FILES.items() if name in drop):
        kept["messages"] = [_with_parts(one, about) for one in kept["messages"]]
    if TOOL_CACHE_CONTROL in drop and kept.get("tools"):
        kept["tools"] = [_less(tool, _MARK) for tool in kept["tools"]]
    return kept


def with_defaults(body: Mapping[str, Any], defaults: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The body with what it does not name itself; the length of the output has two names."""
    missing = {name: value for name, value in defaults if body.get(name) is None}
    if body.get("max_completion_tokens") is not None:
        missing.pop("max_tokens", None)
    return {**body, **missing}


def _bare(message: dict[str, Any], fields: frozenset[str], *, calls: bool) -> dict[str, Any]:
    """A message without these fields; itself where it has none of them."""
    if message["role"] == "function":
        fields -= {"name"}  # there it says which function
    bare = _less(message, fields)
    if "cache_control" in fields:
        bare = _with_parts(bare, _MARK)
    if calls and message.get("tool_calls"):
        bare = {**bare, "tool_calls": [_less(call, _EXTRA) for call in message["tool_calls"]]}
    return bare


def _with_parts(message: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """A message whose parts are without these fields."""
    content = message.get("content")
    if type(content) is not list:
        return message
    return {**message, "content": [_less(part, fields) for part in content]}


def _less(whole: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    if fields.isdisjoint(whole):
        return whole
    return {name: value for name, value in whole.items() if name not in fields}


def _check_params(body: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Types, least values and elements of what the dialect knows; the names of what it does not, and of the idle."""
    unknown, idle = list[str](), list[str]()
    for name, value in body.items():
        kinds = CHAT_PARAMS.get(name)
        if kinds is None:
            if len(name) > _LONGEST_NAME or name in _INSIDE:
                words = "a parameter's name is too long" if name not in _INSIDE else f"{name} is no parameter's name"
                raise BadRequest(words, param=name[:50], code="unknown_parameter")
            if name in EXTENSIONS and value is not None:
                check_type(name, value, EXTENSIONS[name])
            unknown.append(name)
        elif value is None:
            idle.append(name)
        else:
            check_type(name, value, kinds)
            if name in _IDLE and value == _IDLE[name]:
                idle.append(name)
            if name in _LEAST and value < _LEAST[name]:
                raise BadRequest(f"{name} must be at least {_LEAST[name]}", param=name, code="invalid_value")
            if name in _ELEMENTS and type(value) is list:
                for index, element in enumerate(value):
                    check_type(f"{name}[{index}]", element, _ELEMENTS[name])
    return unknown, idle


def _read_format(wanted: Mapping[str, Any], features: set[Feature]) -> int:
    """The feature that a response format asks for, and the size of its schema."""
    kind = wanted.get("type")
    check_type("response_format.type", kind, _TEXT)
    needed = check_format(wanted)
    if needed is not None:
        features.add(needed)
    return len(orjson.dumps(wanted)) if needed is Feature.JSON_SCHEMA else 0


def _read_documents(documents: list[Any], seen: _Seen) -> None:
    """What an answer is to rest on: texts, or objects that hold one or other data."""
    seen.features.add(Feature.DOCUMENTS)
    for index, document in enumerate(documents):
        where = f"documents[{index}]"
        if type(document) is dict:
            check_type(f"{where}.data", document.get("data", {}), _OBJECT)
            check_type(f"{where}.id", document.get("id", ""), _TEXT)
        if not document or (type(document) is dict and not document.keys() - {"id"}):
            raise BadRequest(f"{where} has nothing to read: send a text or data", param=where, code="invalid_value")
    seen.size += len(orjson.dumps(documents))


def _read_tools(tools: list[Any], seen: _Seen) -> None:
    seen.features.add(Feature.TOOLS)
    seen.size += len(orjson.dumps(tools))
    if any(tool.get("cache_control") is not None for tool in tools):
        seen.extras.add(TOOL_CACHE_CONTROL)


def _read_message(message: Any, where: str, seen: _Seen) -> None:
    if type(message) is not dict:
        raise BadRequest(f"{where} must be an object with role and content", param=where, code="invalid_type")
    role, content = message.get("role"), message.get("content")
    if type(role) is not str or role not in ROLES:
        words = f"{where}.role must be one of {', '.join(sorted(ROLES))}"
        raise BadRequest(words, param=f"{where}.role", code="invalid_value")
    if type(content) is str:
        seen.size += weight_of(content)
    elif type(content) is list:
        for index, part in enumerate(content):
            _read_part(part, f"{where}.content[{index}]", seen)
    elif content is not None:
        words = f"{where}.content must be a string or a list of parts"
        raise BadRequest(words, param=f"{where}.content", code="invalid_type")
    elif role in {"user", "system", "developer"}:
        raise BadRequest(f"{where}.content is missing", param=f"{where}.content", code="missing")
    if role == "tool" and message.get("tool_call_id") is not None:
        check_type(f"{where}.tool_call_id", message["tool_call_id"], _TEXT)
    if len(message) > _USUAL or content is None:
        _read_extras(message, where, seen)


def _read_extras(message: dict[str, Any], where: str, seen: _Seen) -> None:
    """What a message holds beside its role and content."""
    for field, value in message.items():
        if field in _IN_MESSAGES and value is not None and (field != "name" or message["role"] != "function"):
            seen.extras.add(_IN_MESSAGES[field])
    if (details := message.get("reasoning_details")) is not None:
        check_details(f"{where}.reasoning_details", details)
    if (thought := message.get("reasoning_content")) is not None:
        check_type(f"{where}.reasoning_content", thought, _TEXT)
    if calls := message.get("tool_calls"):
        check_type(f"{where}.tool_calls", calls, _LIST)
        for index, call in enumerate(calls):
            check_call(f"{where}.tool_calls[{index}]", call)
            if call.get("extra_content") is not None:
                seen.extras.add(EXTRA_CONTENT)
        seen.size += len(orjson.dumps(calls))


def _read_part(part: Any, where: str, seen: _Seen) -> None:
    if type(part) is not dict or type(part.get("type")) is not str:
        raise BadRequest(f"{where} must be an object with a type", param=where, code="invalid_type")
    kind = part["type"]
    if kind not in _PARTS:
        words = f"{where}.type must be one of {', '.join(sorted(_PARTS))}"
        raise BadRequest(words, param=f"{where}.type", code="invalid_value")
    if len(part) > _USUAL and part.get("cache_control") is not None:
        seen.extras.add(CACHE_CONTROL)
    if kind == "text":
        check_type(f"{where}.text", part.get("text"), _TEXT)
        seen.size += weight_of(part["text"])
    elif kind == "refusal":
        check_type(f"{where}.refusal", part.get("refusal"), _TEXT)
    elif kind == "image_url":
        _read_image(part.get("image_url"), f"{where}.image_url", seen)
    elif kind in LINKS:
        if kind == "file":
            seen.features.add(Feature.FILES)
            seen.extras.update(name for field, name in _IN_FILES.items() if part.get(field) is not None)
        _read_file(part.get(kind), kind, f"{where}.{kind}", seen)


def _read_image(image: Any, where: str, seen: _Seen) -> None:
    check_type(where, image, _OBJECT)
    check_type(f"{where}.url", image.get("url"), _TEXT)
    seen.features.add(Feature.VISION)
    seen.images += 1
    if _read_address(image, "url", where) == "data":
        data = read_data_url(image["url"], f"{where}.url")
        seen.image_types.add(data.type)
        seen.image_bytes = max(seen.image_bytes, data.size)
    else:
        seen.links = True


def _read_file(given: Any, kind: str, where: str, seen: _Seen) -> None:
    """Sound, films and documents: given, or an address of them."""
    check_type(where, given, _OBJECT)
    if kind == "input_audio":
        seen.features.add(Feature.AUDIO)
    for name in LINKS[kind]:
        if (value := given.get(name)) is not None:
            check_type(f"{where}.{name}", value, _TEXT)
            if (name.endswith("url") or scheme_of(value)) and _read_address(given, name, where) != "data":
                seen.links = True


def _read_address(given: dict[str, Any], name: str, where: str) -> str:
    """Its scheme, written small from here on: all who look at it later need look for one spelling."""
    url = given[name]
    scheme = check_address(url, f"{where}.{name}")
    if not url.startswith(scheme):
        given[name] = scheme + url[len(scheme) :]
    return scheme
