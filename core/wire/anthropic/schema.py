"""JSON schemas as Anthropic compiles them: objects are closed, and bounds of values are words. Pure."""

from collections.abc import Mapping
from typing import Any, Final

# What it refuses to compile. The answer is checked against the whole schema afterwards.
_BOUNDS: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
     "maxItems", "uniqueItems", "minProperties", "maxProperties"}
)  # fmt: skip
_NAMED: Final = ("properties", "$defs", "definitions")
_LISTS: Final = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
_FORMATS: Final = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
_TAKEN: Final[dict[str, tuple[Any, ...]]] = {"minItems": (0, 1), "format": _FORMATS}


def closed(schema: Any, where: str, losses: list[str]) -> Any:
    """The same schema, with no properties beside the named ones, and with bounds told in the description."""
    if not isinstance(schema, Mapping):
        return schema
    made: dict[str, Any] = {}
    told = []
    for name, value in schema.items():
        at = f"{where}.{name}"
        if name in _BOUNDS or value not in _TAKEN.get(name, (value,)):
            told.append(f"{name}: {value}")
        elif name in _NAMED and isinstance(value, Mapping):
            made[name] = {key: closed(one, f"{at}.{key}", losses) for key, one in value.items()}
        elif name in _LISTS and isinstance(value, list):
            made[_LISTS[name]] = [closed(one, f"{at}[{index}]", losses) for index, one in enumerate(value)]
        else:
            made[name] = closed(value, at, losses) if name == "items" else value
    kinds = made.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in made:
        if isinstance(made.get("additionalProperties"), Mapping):
            losses.append(f"{where}.additionalProperties was left out: objects have only named properties here")
        made["additionalProperties"] = False
    if told:
        words = "{" + ", ".join(told) + "}"
        made["description"] = f"{made['description']}\n\n{words}" if made.get("description") else words
    return made
