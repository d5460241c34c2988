"""The shapes of what lies inside a chat body: whoever translates it may count on them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.errors import BadRequest

_TEXT = (str,)
_WHOLE = (int,)
_LIST = (list,)
_OBJECT = (dict,)
_JSON_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false",
               list: "a list", dict: "an object"}  # fmt: skip
_ATTACHED = "The result is at the beginning of the next message."
_IN_DETAILS = ("type", "text", "data", "signature", "format")


def check_type(name: str, value: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a JSON value of another type; true and false are not numbers."""
    if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
        return
    named = (kind for kind in kinds if kind is not int or float not in kinds)
    expected = " or ".join(dict.fromkeys(_JSON_NAMES[kind] for kind in named))
    got = "null" if value is None else _JSON_NAMES.get(type(value), type(value).__name__)
    raise BadRequest(f"{name} must be {expected}, not {got}", param=name, code="invalid_type")


def check_optional(where: str, table: Mapping[str, Any], names: Iterable[str], kinds: tuple[type, ...]) -> None:
    for name in names:
        if table.get(name) is not None:
            check_type(f"{where}.{name}", table[name], kinds)


def check_tools(tools: list[dict[str, Any]]) -> None:
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        check_optional(where, tool, ("type",), _TEXT)
        if tool.get("type", "function") == "function":
            function = _function(where, tool)
            check_optional(f"{where}.function", function, ("description",), _TEXT)
            check_optional(f"{where}.function", function, ("parameters",), _OBJECT)


def check_choice(choice: Any) -> None:
    """Which tool is to be called: a word, or one that is named, or several that are allowed."""
    if type(choice) is not dict:
        return
    check_type("tool_choice.type", choice.get("type"), _TEXT)
    if choice["type"] == "function":
        _function("tool_choice", choice)
    if choice["type"] == "allowed_tools":
        check_type("tool_choice.allowed_tools", choice.get("allowed_tools"), _OBJECT)
        allowed: Mapping[str, Any] = choice["allowed_tools"]
        check_type("tool_choice.allowed_tools.tools", allowed.get("tools"), _LIST)
        for index, tool in enumerate(allowed["tools"]):
            where = f"tool_choice.allowed_tools.tools[{index}]"
            check_type(where, tool, _OBJECT)
            if tool.get("type") == "function":
                _function(where, tool)


def check_call(where: str, call: Any) -> None:
    check_type(where, call, _OBJECT)
    check_type(f"{where}.id", call.get("id"), _TEXT)
    check_optional(where, call, ("type",), _TEXT)
    check_optional(where, call, ("extra_content",), _OBJECT)
    check_optional(f"{where}.extra_content", call.get("extra_content") or {}, ("google",), _OBJECT)
    if call.get("type", "function") == "function":
        check_optional(f"{where}.function", _function(where, call), ("arguments",), _TEXT)


def check_details(where: str, details: Any) -> None:
    """What was thought, item by item, as its maker wants it back."""
    check_type(where, details, _LIST)
    for index, item in enumerate(details):
        check_type(f"{where}[{index}]", item, _OBJECT)
        check_optional(f"{where}[{index}]", item, _IN_DETAILS, _TEXT)


def check_thinking(thinking: Mapping[str, Any]) -> None:
    check_optional("thinking", thinking, ("type",), _TEXT)
    check_optional("thinking", thinking, ("budget_tokens",), _WHOLE)


def _function(where: str, table: Mapping[str, Any]) -> Mapping[str, Any]:
    function = table.get("function")
    check_type(f"{where}.function", function, _OBJECT)
    found: Mapping[str, Any] = table["function"]
    check_type(f"{where}.function.name", found.get("name"), _TEXT)
    return found


def texts_and_files(parts: Sequence[dict[str, Any]]) -> tuple[str | list[dict[str, Any]], list[dict[str, Any]]]:
    """A tool's result as text, and its pictures and files for the message that follows: a chat takes none in it."""
    texts = [part for part in parts if part["type"] == "text"]
    files = [part for part in parts if part["type"] != "text"]
    return texts or (_ATTACHED if files else ""), files
