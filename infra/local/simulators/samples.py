"""The smallest value a JSON schema accepts, so that answers with a schema parse at the caller."""

import math
from collections.abc import Mapping
from typing import Any

# A few bytes of schema must not make gigabytes of answer.
LARGEST = 10_000
FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class SchemaError(Exception):
    pass


class EndlessError(SchemaError):
    """A schema that contains itself with no way out."""


def sample(schema: Any) -> Any:
    """Patterns, conditions and negations are not looked at."""
    try:
        return _sample(schema, schema, ())
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise SchemaError(f"not a usable JSON schema: {error}") from error


def _sample(schema: Any, root: Any, trail: tuple[str, ...]) -> Any:
    if not isinstance(schema, Mapping):
        return {}
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    if isinstance(ref := schema.get("$ref"), str):
        if ref in trail:
            raise EndlessError(ref)
        return _sample(_resolved(root, ref), root, (*trail, ref))
    if isinstance(parts := schema.get("allOf"), list):
        return _sample(_merged(schema, parts, root), root, trail)
    for options in (schema.get("anyOf"), schema.get("oneOf")):
        if isinstance(options, list) and options:
            return _first(options, root, trail)
    return _typed(schema, root, trail)


def _first(options: list[Any], root: Any, trail: tuple[str, ...]) -> Any:
    for option in options[:-1]:
        try:
            return _sample(option, root, trail)
        except EndlessError:
            continue  # this option contains itself; the next may end
    return _sample(options[-1], root, trail)


def _typed(schema: Mapping[str, Any], root: Any, trail: tuple[str, ...]) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    match kind:
        case "string":
            return _string(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            return _array(schema, root, trail)
        case _:
            return _object(schema, root, trail)


def _object(schema: Mapping[str, Any], root: Any, trail: tuple[str, ...]) -> dict[str, Any]:
    properties = schema.get("properties") or {}
    return {name: _sample(properties.get(name, {}), root, trail) for name in schema.get("required") or ()}


def _array(schema: Mapping[str, Any], root: Any, trail: tuple[str, ...]) -> list[Any]:
    firsts = schema.get("prefixItems") or []
    values = [_sample(item, root, trail) for item in firsts]
    missing = _least(schema, "minItems") - len(values)
    return values + [_sample(schema.get("items"), root, trail) for _ in range(missing)]


def _string(schema: Mapping[str, Any]) -> str:
    text = FORMATS.get(schema.get("format", ""), "simulated")
    return text.ljust(_least(schema, "minLength"), ".")[: schema.get("maxLength")]


def _least(schema: Mapping[str, Any], key: str) -> int:
    size = int(schema.get(key, 0))
    if size > LARGEST:
        raise ValueError(f"{key} is above {LARGEST}")
    return size


def _number(schema: Mapping[str, Any]) -> float:
    """Zero if it is allowed, else the allowed multiple next to a bound, else the middle between two."""
    step = schema.get("multipleOf", 1)
    lows = [schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema]
    highs = [schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema]
    tries = [
        0,
        *(math.ceil(low / step) * step for low in lows),
        *(math.floor(high / step) * step for high in highs),
    ]
    tries += [value + step for value in tries[1 : 1 + len(lows)]] + [value - step for value in tries[1 + len(lows) :]]
    tries += [(max(lows) + min(highs)) / 2] if lows and highs else []
    return next((value for value in tries if _allowed(schema, value)), 0)


def _allowed(schema: Mapping[str, Any], value: float) -> bool:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    above, below = schema.get("exclusiveMinimum", -math.inf), schema.get("exclusiveMaximum", math.inf)
    return bool(low <= value <= high and above < value < below)


def _resolved(root: Any, ref: str) -> Any:
    node = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if name:
            node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _merged(schema: Mapping[str, Any], parts: list[Any], root: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in [*parts, {k: v for k, v in schema.items() if k != "allOf"}]:
        found = _resolved(root, part["$ref"]) if isinstance(part, Mapping) and "$ref" in part else part
        for key, value in found.items() if isinstance(found, Mapping) else ():
            if key == "properties":
                whole[key] = {**whole.get(key, {}), **value}
            elif key == "required":
                whole[key] = [*whole.get(key, []), *value]
            else:
                whole[key] = value
    return whole
