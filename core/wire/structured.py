"""JSON that meets a schema, from whoever has any means: the request by those means, the answer as content. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, count
from typing import Any, NamedTuple

import orjson

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.plan import Means
from core.wire.schemas import WHERE, is_object, schema_of

Body = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FENCED = re.compile(r"\s*```(?:json)?[^\S\n]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)
_MARK = "\ufeff"
_JSON_NAME = "answer"  # of the function, where nobody gave a name
_THINKS_LITTLE = {None, "none", "minimal"}
_DELIVERY = frozenset({"stream", "stream_options"})
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}


class Wanted(NamedTuple):
    """What a response format asks for."""

    name: str  # no other function of the request has it
    schema: Mapping[str, Any] | None  # None: any JSON object
    description: str | None = None

    @property
    def is_object(self) -> bool:
        return self.schema is None or is_object(self.schema)


def check_format(given: Mapping[str, Any]) -> Feature | None:
    """What a response format needs; BadRequest where it cannot be met, None for text and for vendors' own types."""
    kind = given.get("type")
    if kind == "json_object":
        return Feature.JSON_MODE
    if kind != "json_schema":
        return None
    table = given.get("json_schema")
    if type(table) is not dict:
        raise _wrong(WHERE, "must be an object with a name and a schema", table)
    name, schema, description = table.get("name"), table.get("schema"), table.get("description")
    if type(name) is not str or not _NAME.fullmatch(name):
        raise _wrong(f"{WHERE}.name", "must be 1 to 64 letters, digits, _ or -", name)
    if type(schema) is not dict:
        raise _wrong(f"{WHERE}.schema", "must be an object: a JSON schema", schema)
    if description is not None and type(description) is not str:
        raise _wrong(f"{WHERE}.description", "must be a string", description)
    if type(table.get("strict", False)) not in {bool, type(None)}:
        raise _wrong(f"{WHERE}.strict", "must be true or false", table["strict"])
    schema_of(schema)
    return Feature.JSON_SCHEMA


def wanted_in(body: Mapping[str, Any]) -> Wanted | None:
    """The JSON that a checked body asks for."""
    given = body.get("response_format") or {}
    kind = given.get("type")
    if kind not in ("json_object", "json_schema"):  # a tuple: it may be anything
        return None
    table: Body = given["json_schema"] if kind == "json_schema" else {"name": _JSON_NAME}
    functions = [tool.get("function") for tool in body.get("tools") or ()]
    own = [one.get("name") for one in functions if type(one) is dict]
    names = chain((table["name"],), (f"{_JSON_NAME}_{number}" for number in count()))
    name = next(one for one in names if one not in own)
    return Wanted(name, table.get("schema"), table.get("description"))


def _wrong(where: str, words: str, value: Any) -> BadRequest:
    code = "missing" if value is None else "invalid_value"
    return BadRequest(f"{where} {words}", param=where, code=code)


def means_of(asked: Collection[Feature], has: Collection[Feature], *, as_object: bool) -> Means | None:
    """The best means of somebody with these features; None when there is none, or when none is needed."""
    wanted = next((one for one in (Feature.JSON_SCHEMA, Feature.JSON_MODE) if one in asked), None)
    if wanted is None:
        return None
    if wanted in has:
        return "native"
    if not as_object:
        return None  # JSON mode and the arguments of a function are objects
    if Feature.JSON_MODE in has:
        return "json_mode"
    return "tool" if Feature.TOOLS in has else None


def asking(body: Mapping[str, Any], wanted: Wanted, means: Means, lacks: Collection[str] = ()) -> Body:
    """The request by these means, for somebody who does not take some parameters."""
    if means == "native":
        return dict(body)
    body = {name: value for name, value in body.items() if name not in _DELIVERY}
    if means == "json_mode":
        told = with_instruction(body, _instruction(wanted))
        return {**told, "response_format": {"type": "json_object"}}
    told = with_instruction(body, f"Give your final answer by calling the function {wanted.name}, once and in full.")
    told.pop("response_format", None)
    tools = body.get("tools") or []
    told["tools"] = [*tools, _function(wanted)]
    choice = None if "tool_choice" in lacks else _choice(body, wanted, tools)
    if choice is None:
        told.pop("tool_choice", None)
    else:
        told["tool_choice"] = choice
    return told


def _choice(body: Mapping[str, Any], wanted: Wanted, tools: Sequence[Any]) -> Any:
    """Our function, or one of the caller's. Who is to think first may be refused when a function is forced."""
    given = body.get("tool_choice")
    if isinstance(given, dict):
        return given  # the caller demands one of his own
    thinks = body.get("reasoning_effort") not in _THINKS_LITTLE or body.get("thinking")
    if thinks:
        return "auto"
    if tools and given != "none":
        return "required"
    return {"type": "function", "function": {"name": wanted.name}}


def _function(wanted: Wanted) -> Body:
    schema = dict(_ANY_OBJECT if wanted.schema is None else {**wanted.schema, "type": "object"})
    description = wanted.description or "The final answer."
    return {
        "type": "function",
        "function": {"name": wanted.name, "description": description, "parameters": schema},
    }


def _instruction(wanted: Wanted) -> str:
    """Providers of a JSON mode want the word JSON in the messages."""
    if wanted.schema is None:
        return "Answer with one JSON object and nothing else."
    about = f" ({wanted.description})" if wanted.description else ""
    schema = orjson.dumps(wanted.schema).decode()
    return (
        "Answer with one JSON object and nothing else: no words around it, no fences. "
        f"It has to meet this JSON schema, called {wanted.name}{about}:\n{schema}"
    )


def with_instruction(body: Mapping[str, Any], words: str) -> Body:
    """The body with these words at the end of its first system message; some take only one, and only there."""
    messages = list(body["messages"])
    first = messages[0]
    if first["role"] not in {"system", "developer"}:
        messages.insert(0, {"role": "system", "content": words})
    elif isinstance(first.get("content"), list):
        messages[0] = {**first, "content": [*first["content"], {"type": "text", "text": words}]}
    else:
        messages[0] = {**first, "content": f"{first.get('content') or ''}\n\n{words}".lstrip()}
    return {**body, "messages": messages}


def mending(body: Mapping[str, Any], wrong: str, complaint: str) -> Body:
    """The conversation with the wrong answer and what is wrong with it."""
    said = [{"role": "assistant", "content": wrong}] if wrong else []
    words = f"That answer cannot be used. {complaint} Give the whole answer again, corrected, and nothing else."
    return {**body, "messages": [*body["messages"], *said, {"role": "user", "content": words}]}


def settled(body: Body, wanted: Wanted, means: Means) -> tuple[Body, list[str]]:
    """The answer with its JSON as content, and what was done to it beyond what the means made necessary."""
    made, notes = [], []
    for choice in body["choices"]:
        changed = _called(choice, wanted.name) if means == "tool" else choice
        text = content_of(changed)
        if text is not None:
            plain = text.removeprefix(_MARK)
            bare = unfenced(plain)
            if plain != text:
                notes.append("a byte order mark stood before the answer's JSON, and was taken off")
            if bare != plain:
                notes.append("the answer's JSON stood in a code fence, which was taken off")
            if bare != text:
                changed = {**changed, "message": {**changed["message"], "content": bare}}
        made.append(changed)
    if all(new is old for new, old in zip(made, body["choices"], strict=True)):
        return body, []
    return {**body, "choices": made}, list(dict.fromkeys(notes))


def _called(choice: Body, name: str) -> Body:
    """A choice that called our function, with its arguments as content; the caller's own functions come first."""
    message = choice["message"]
    calls = message.get("tool_calls") or []
    ours = [call for call in calls if (call.get("function") or {}).get("name") == name]
    if not ours:
        return choice
    others = [call for call in calls if call not in ours]
    kept = {field: value for field, value in message.items() if field != "tool_calls"}
    if others:
        return {**choice, "message": {**kept, "tool_calls": others}}
    arguments = ours[0]["function"].get("arguments")
    finish = "stop" if choice.get("finish_reason") == "tool_calls" else choice.get("finish_reason")
    return {**choice, "message": {**kept, "content": arguments}, "finish_reason": finish}


def unfenced(text: str) -> str:
    """What is in a fence that holds the whole text; words around it may mean something, and stay."""
    if "```" not in text:
        return text
    match = _FENCED.fullmatch(text)
    return text if match is None or "```" in match[1] else match[1]


def content_of(choice: Mapping[str, Any]) -> str | None:
    """The text that has to be JSON; None where there is another outcome: a refusal, a call, an answer cut short."""
    message = choice["message"]
    if message.get("refusal") or message.get("tool_calls") or message.get("function_call"):
        return None
    if choice.get("finish_reason") in {"length", "content_filter", "tool_calls"}:
        return None
    content = message.get("content")
    return content if isinstance(content, str) else ""


def is_cut(body: Mapping[str, Any]) -> bool:
    """Whether the answer ends where its length did."""
    return any(choice.get("finish_reason") == "length" for choice in body["choices"])
