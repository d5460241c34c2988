"""Ollama's own chat API ↔ the canonical chat: messages, tools, formats, options and answers, both ways. Pure."""

from binascii import Error, a2b_base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from core.wire.canonical import arguments_of
from core.wire.media import kind_of

# Canonical parameter → Ollama's option; of two names for one option the first is written back.
OPTIONS: Mapping[str, str] = {
    "max_tokens": "num_predict", "max_completion_tokens": "num_predict", "temperature": "temperature",
    "top_p": "top_p", "seed": "seed", "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty", "top_k": "top_k", "min_p": "min_p",
    "repetition_penalty": "repeat_penalty", "num_ctx": "num_ctx",
}  # fmt: skip
_NAMES = tuple(reversed(list(OPTIONS)))  # so that the first name of an option is written last
_BACK = {OPTIONS[ours]: ours for ours in _NAMES}
FORMAT = "ollama-v1"  # of items of reasoning that were thought there
# What each side has as it is, or what is read where it stands.
_SAME = ("model", "keep_alive", "stream")
_READ = frozenset({
    *_SAME, *OPTIONS, "messages", "tools", "tool_choice", "parallel_tool_calls", "stop", "options", "think",
    "reasoning_effort", "thinking", "response_format", "stream_options",
})  # fmt: skip
_LEVELS: Mapping[str, bool | str] = {"none": False, "minimal": "low", "xhigh": "max"}
_ROLES = {"developer": "system", "function": "tool"}
_MESSAGE = frozenset({
    "role", "content", "tool_calls", "tool_call_id", "name", "reasoning_content", "reasoning_details", "refusal",
    "cache_control", "annotations", "audio", "function_call", "citations",
})  # fmt: skip
_HEAD = 64  # characters of base64 that show what a picture is
_CACHE = "cache_control was left out: it has no prompt cache to mark"

_LOADED = 4096  # tokens of context that a model has when nobody asked for more
_SLACK = 1.5  # estimates of tokens err
_ROOM = (1024, 4096)  # tokens of context kept for an answer: at least, and at most, for memory is what they cost


def context_for(asked: int, output: int | None) -> int | None:
    """The context that a request needs, where that is more than a model is loaded with: the prompt would be cut.

    Powers of two, because each other size loads the model anew.
    """
    room = min(max(output or 0, _ROOM[0]), _ROOM[1])
    needed = int(asked * _SLACK) + room
    return None if needed <= _LOADED else 1 << (needed - 1).bit_length()


def request_to(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A canonical request as Ollama takes it, and what of it could not be said there."""
    losses = [f"{name} was left out: it has no such parameter" for name in body if name not in _READ]
    theirs = {name: body[name] for name in _SAME if body.get(name) is not None}
    theirs["messages"] = list(_messages_to(body.get("messages") or (), losses))
    if tools := _tools_to(body, losses):
        theirs["tools"] = tools
    options = {
        **(body.get("options") or {}),
        **{OPTIONS[name]: body[name] for name in _NAMES if body.get(name) is not None},
    }
    if stop := body.get("stop"):
        options["stop"] = [stop] if isinstance(stop, str) else stop
    if options:
        theirs["options"] = options
    if (think := _think_to(body, losses)) is not None:
        theirs["think"] = think
    if (form := _format_to(body.get("response_format") or {}, losses)) is not None:
        theirs["format"] = form
    return theirs, losses


def _messages_to(messages: Iterable[Mapping[str, Any]], losses: list[str]) -> Iterator[dict[str, Any]]:
    names: dict[str, str] = {}  # of the functions, by the ids of their calls
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        text, images = _content_to(message.get("content"), f"{where}.content", losses)
        theirs: dict[str, Any] = {"role": _ROLES.get(message["role"], message["role"]), "content": text}
        if images:
            theirs["images"] = images
        if thought := _thought_to(message, where, losses):
            theirs["thinking"] = thought
        if calls := list(calls_to(message.get("tool_calls") or (), f"{where}.tool_calls", losses)):
            theirs["tool_calls"] = calls
            names |= {call["id"]: call["function"]["name"] for call in calls if "id" in call}
        if theirs["role"] == "tool":
            called = message.get("tool_call_id")
            name = names.get(called or "") or message.get("name")
            theirs |= {"tool_name": name} if name else {}
            theirs |= {"tool_call_id": called} if called else {}
        losses += _lost_of(message, where)
        yield theirs


def _thought_to(message: Mapping[str, Any], where: str, losses: list[str]) -> str:
    """What was thought there; another's thoughts are not handed over as its own."""
    details = message.get("reasoning_details") or ()
    own = [one.get("text") or "" for one in details if one.get("format") == FORMAT]
    if formats := {str(one.get("format")) for one in details} - {FORMAT}:
        losses.append(f"{where}.reasoning_details was left out: only {', '.join(sorted(formats))} can read it")
    elif message.get("reasoning_content") and not own:
        losses.append(f"{where}.reasoning_content was left out: nobody says whose it is")
    return "".join(own)


def details_from(thought: str) -> list[dict[str, Any]]:
    return [{"type": "reasoning.text", "text": thought, "format": FORMAT, "index": 0}]


def _lost_of(message: Mapping[str, Any], where: str) -> Iterator[str]:
    if message.get("cache_control"):
        yield f"{where}.{_CACHE}"
    if message.get("name") and message["role"] not in {"function", "tool"}:
        yield f"{where}.name was left out: it knows no names of people"
    for name in ("refusal", "audio", "function_call"):
        if message.get(name):
            yield f"{where}.{name} was left out: it has no such field"
    for name in message.keys() - _MESSAGE:
        yield f"{where}.{name} was left out: it has no such field"


def _content_to(content: Any, where: str, losses: list[str]) -> tuple[str, list[str]]:
    """The text of a message, and its pictures as bare base64."""
    if not isinstance(content, list):
        return content or "", []
    texts, images = [], []
    for index, part in enumerate(content):
        at = f"{where}[{index}]"
        if part.get("cache_control"):
            losses.append(f"{at}.{_CACHE}")
        if part["type"] == "text":
            texts.append(part["text"])
        elif part["type"] == "image_url":
            head, comma, data = part["image_url"]["url"].partition(",")
            if comma and head.startswith("data:") and head.endswith(";base64"):
                images.append(data)
            else:
                losses.append(f"{at} was left out: it takes pictures as base64 data only")
            if part["image_url"].get("detail") not in {None, "auto"}:
                losses.append(f"{at}.image_url.detail was left out: it looks at pictures in one way only")
        else:
            losses.append(f"{at} was left out: it takes no {part['type']}")
    return "".join(texts), images


def calls_to(calls: Iterable[Mapping[str, Any]], where: str, losses: list[str]) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(calls):
        function = call.get("function")
        if not isinstance(function, dict):
            losses.append(f"{where}[{index}] was left out: it calls functions only")
            continue
        arguments = arguments_of(function, f"{where}[{index}]", losses)
        given = {"index": index, "name": function["name"], "arguments": arguments}
        yield {**({"id": call["id"]} if call.get("id") else {}), "function": given}


def _tools_to(body: Mapping[str, Any], losses: list[str]) -> list[dict[str, Any]]:
    choice = body.get("tool_choice")
    if body.get("parallel_tool_calls") is False:
        losses.append("parallel_tool_calls was left out: it may call several functions at once")
    if choice == "none":
        return []  # what is not there is not called
    functions = [one["function"] for one in body.get("tools") or () if isinstance(one.get("function"), dict)]
    named = choice["function"]["name"] if isinstance(choice, dict) and "function" in choice else None
    wanted = named if any(one["name"] == named for one in functions) else None
    if choice not in {None, "auto"} if not isinstance(choice, dict) else True:
        losses.append("tool_choice was left out: whether a function is called is the model's own choice")
    tools = []
    for index, tool in enumerate(body.get("tools") or ()):
        function = tool.get("function")
        if not isinstance(function, dict):
            losses.append(f"tools[{index}] was left out: it knows functions only")
            continue
        if tool.get("cache_control"):
            losses.append(f"tools[{index}].{_CACHE}")
        if function.get("strict"):
            losses.append(f"tools[{index}].function.strict was left out: arguments are not held to the schema")
        if wanted in {None, function["name"]}:
            kept = {name: value for name, value in function.items() if name != "strict"}
            tools.append({"type": "function", "function": kept})
    return tools


def _think_to(body: Mapping[str, Any], losses: list[str]) -> bool | str | None:
    effort, thinking = body.get("reasoning_effort"), body.get("thinking") or {}
    if thinking.get("budget_tokens") is not None:
        losses.append("thinking.budget_tokens was left out: it has levels of thinking only")
    if body.get("think") is not None:
        own: bool | str = body["think"]  # Ollama's own word, which its server judges
        return own
    if thinking.get("type") == "disabled":
        return False
    if effort == "minimal":
        losses.append("reasoning_effort minimal was sent as low: it has no less")
    if effort is not None:
        level: bool | str = _LEVELS.get(effort, effort)
        return level
    return True if thinking else None


def _format_to(wanted: Mapping[str, Any], losses: list[str]) -> Any:
    match wanted.get("type"):
        case "json_object":
            return "json"
        case "json_schema":
            return (wanted.get("json_schema") or {}).get("schema") or "json"
        case None | "text":
            return None
        case other:
            losses.append(f"response_format was left out: it has no {other}")
            return None


def request_from(theirs: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A request in Ollama's own words as a canonical one, and what of it could not be said here."""
    body: dict[str, Any] = {name: theirs[name] for name in _SAME if theirs.get(name) is not None}
    losses: list[str] = []
    body["messages"] = list(_messages_from(theirs.get("messages") or (), losses))
    if tools := theirs.get("tools"):
        body["tools"] = tools
    options = dict(theirs.get("options") or {})
    if stop := options.pop("stop", None):
        body["stop"] = stop
    if (options.get("num_predict") or 1) < 1:
        del options["num_predict"]  # no limit, which is what silence means here
    body |= {_BACK[name]: options.pop(name) for name in list(options) if name in _BACK}
    if options:
        body["options"] = options
    match theirs.get("think"):
        case bool() as think:
            body["thinking"] = {"type": "enabled" if think else "disabled"}
        case str() as level:
            body["reasoning_effort"] = "xhigh" if level == "max" else level
    match theirs.get("format"):
        case "json":
            body["response_format"] = {"type": "json_object"}
        case dict() as schema:
            body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    known = {*_SAME, "messages", "tools", "options", "think", "format"}
    losses += [f"{name} was left out: the chat has no such parameter" for name in theirs if name not in known]
    return body, losses


def _messages_from(messages: Iterable[Mapping[str, Any]], losses: list[str]) -> Iterator[dict[str, Any]]:
    waiting: list[tuple[str, str]] = []  # calls without an answer yet: id and function
    for index, theirs in enumerate(messages):
        message: dict[str, Any] = {"role": theirs["role"], "content": _content_from(theirs)}
        if thought := theirs.get("thinking"):
            message |= {"reasoning_content": thought, "reasoning_details": details_from(thought)}
        if calls := theirs.get("tool_calls"):
            message["tool_calls"] = calls_from(calls, f"call_{index}")
            waiting += [(call["id"], call["function"]["name"]) for call in message["tool_calls"]]
        if theirs["role"] == "tool":
            message["tool_call_id"] = theirs.get("tool_call_id") or _answered(theirs.get("tool_name"), waiting)
            waiting = [one for one in waiting if one[0] != message["tool_call_id"]]
        elif theirs.get("tool_name"):
            losses.append(f"messages[{index}].tool_name was left out: only a tool has one")
        yield message


def _answered(name: str | None, waiting: list[tuple[str, str]]) -> str:
    """Which call is meant by a function's name: the first of its calls that still waits, else the first of all."""
    found = next((one for one, called in waiting if called == name), None)
    return found or (waiting[0][0] if waiting else f"call_{name}")


def _content_from(theirs: Mapping[str, Any]) -> Any:
    text, images = theirs.get("content") or "", theirs.get("images") or ()
    if not images:
        return text
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
    urls = (f"data:{_kind_of(data)};base64,{data}" for data in images)
    return [*parts, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]


def _kind_of(data: str) -> str:
    """Pictures come without their type."""
    try:
        return kind_of(a2b_base64(data[:_HEAD])) or "image/png"
    except Error:
        return "image/png"  # whoever looks at it will say what is wrong


def calls_from(calls: Iterable[Mapping[str, Any]], mark: str, start: int = 0) -> list[dict[str, Any]]:
    """Their calls of functions with an id each, which older servers do not give."""
    return [
        {
            "id": call.get("id") or f"{mark}_{number}",
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": orjson.dumps(call["function"].get("arguments") or {}).decode(),
            },
        }
        for number, call in enumerate(calls, start)
    ]
