"""The tools of the Responses API as functions of a chat, also those that take a text of any form. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from core.errors import BadRequest
from core.wire.shapes import check_type

Body = dict[str, Any]

_CALLED = ("function", "custom")  # what the caller runs; the API's own providers run the rest
_MODES = ("none", "auto", "required")
_OF_A_FUNCTION = ("name", "description", "parameters", "strict")
_INPUT = "input"
_LONGEST = 50  # characters of a type


class Tools(NamedTuple):
    chat: Body  # the parameters that say them in a chat
    places: list[int]  # of each function there: which of the caller's tools it is


def tools_from(given: Mapping[str, Any], losses: list[str], bound: list[str], *, strict: bool) -> Tools:
    """The tools, and which of them may or must be called. What the provider runs is lost, or binds who is strict."""
    made: list[tuple[int, str, Body]] = []
    hosted = False
    for place, tool in enumerate(given.get("tools", ())):
        where = f"tools[{place}]"
        if type(tool) is not dict or type(tool.get("type")) is not str:
            raise BadRequest(f"{where} must be an object with a type", param=where, code="invalid_type")
        kind = tool["type"]
        if kind not in _CALLED:
            hosted = True
            _miss(f"{where} ({kind[:_LONGEST]})", where, kind, losses, bound, strict=strict)
            continue
        if type(tool.get("name")) is not str:
            raise BadRequest(f"{where}.name must be a string", param=f"{where}.name", code="missing")
        function = _of_text(tool, where, losses) if kind == "custom" else _function(tool)
        made.append((place, kind, {"type": "function", "function": function}))
    choice = given.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        made, choice = _allowed(made, choice, bound, strict=strict)
    elif isinstance(choice, dict):
        choice = _one(made, choice, bound)
    if choice is not None and not isinstance(choice, dict) and choice not in _MODES:
        words = f"tool_choice must be an object or one of {', '.join(_MODES)}"
        raise BadRequest(words, param="tool_choice", code="invalid_value")
    if choice == "required" and hosted and not made and not strict:
        bound.append("tool_choice (required)")
    chat: Body = {"tools": [tool for _, _, tool in made]} if made else {}
    if made and choice is not None:
        chat["tool_choice"] = choice
    return Tools(chat, [place for place, _, _ in made])


def texts_asked(asked: Mapping[str, Any]) -> frozenset[str]:
    """The names of the tools that take a text of any form."""
    tools = asked.get("tools") or ()
    return frozenset(tool["name"] for tool in tools if type(tool) is dict and tool.get("type") == "custom")


def arguments_of(text: str) -> str:
    """A text as the arguments of the function that stands for a tool of texts."""
    return orjson.dumps({_INPUT: text}).decode()


def text_of(arguments: str) -> str:
    """The text in a call of such a function; a model that says it without its JSON has said it, too."""
    try:
        said = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    found = said.get(_INPUT) if type(said) is dict else None
    return found if type(found) is str else arguments


def _function(tool: Body) -> Body:
    return {name: tool[name] for name in _OF_A_FUNCTION if tool.get(name) is not None}


def _of_text(tool: Body, where: str, losses: list[str]) -> Body:
    """A function with one argument; a grammar becomes words, for nobody else holds an answer to one."""
    words = tool.get("description")
    wanted = tool.get("format")
    if wanted is not None:
        check_type(f"{where}.format", wanted, (dict,))
        if wanted.get("type") == "grammar":
            syntax, rules = wanted.get("syntax"), wanted.get("definition")
            check_type(f"{where}.format.syntax", syntax, (str,))
            check_type(f"{where}.format.definition", rules, (str,))
            if words is not None:
                check_type(f"{where}.description", words, (str,))
            words = "\n\n".join([*([words] if words else []), f"The input must match this {syntax} grammar:\n{rules}"])
            losses.append(f"{where}.format was put in words: a chat does not hold an answer to a grammar")
    about = {"type": "string", "description": "The whole input of the tool, as it is."}
    parameters = {"type": "object", "properties": {_INPUT: about}, "required": [_INPUT]}
    return {"name": tool["name"], **({} if words is None else {"description": words}), "parameters": parameters}


def _allowed(
    made: list[tuple[int, str, Body]], choice: Mapping[str, Any], bound: list[str], *, strict: bool
) -> tuple[list[tuple[int, str, Body]], Any]:
    """The tools that may be used now, which a chat says by giving no others."""
    named = choice.get("tools")
    if type(named) is not list or not all(type(one) is dict for one in named):
        raise BadRequest("tool_choice.tools must be a list of tools", param="tool_choice.tools", code="invalid_type")
    names: set[str] = set()
    for place, one in enumerate(named):
        if one.get("type") in _CALLED:
            names.add(_known(made, one, f"tool_choice.tools[{place}].name"))
        elif strict:
            bound.append(f"tool_choice ({str(one.get('type'))[:_LONGEST]})")
    mode = choice.get("mode", "auto")
    if mode not in _MODES:
        raise BadRequest(
            f"tool_choice.mode must be one of {', '.join(_MODES)}", param="tool_choice.mode", code="invalid_value"
        )
    return [one for one in made if one[2]["function"]["name"] in names], mode


def _one(made: list[tuple[int, str, Body]], choice: Mapping[str, Any], bound: list[str]) -> Body | None:
    """The tool that must be called. Whoever demands one that the provider runs cannot do without it."""
    if choice.get("type") not in _CALLED:
        bound.append(f"tool_choice ({str(choice.get('type'))[:_LONGEST]})")
        return None
    return {"type": "function", "function": {"name": _known(made, choice, "tool_choice.name")}}


def _known(made: list[tuple[int, str, Body]], one: Mapping[str, Any], where: str) -> str:
    name = one.get("name")
    if type(name) is not str:
        raise BadRequest(f"{where} must be a string", param=where, code="missing")
    if not any(kind == one["type"] and tool["function"]["name"] == name for _, kind, tool in made):
        words = f"{where} is {name[:_LONGEST]!r}, and no tool of type {one['type']} has that name"
        raise BadRequest(words, param=where, code="invalid_value")
    return name


def _miss(named: str, where: str, kind: str, losses: list[str], bound: list[str], *, strict: bool) -> None:
    if strict:
        bound.append(named)
    else:
        losses.append(f"{where} was left out: {kind[:_LONGEST]} is run by who has this API alone")
