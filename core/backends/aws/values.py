"""JSON values as DynamoDB's typed values, and back without loss.

DynamoDB keeps numbers as decimals and forgets that 12.0 was a float. So `N` holds ints and floats with a fraction;
any other float is a set of one string, a type that JSON has no other use for. Such a float cannot be compared in
conditions; what conditions compare are ints.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from core.backends.ports import Item

Typed = dict[str, Any]
_LEAST = 1e-129  # DynamoDB's own least number is 1e-130


def encode(value: Any) -> Typed:
    """NaN and infinity become null, as in JSON."""
    if isinstance(value, str):
        return {"S": str(value)}
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(int(value))}
    if isinstance(value, float):
        whole = value.is_integer() or abs(value) < _LEAST
        return {"SS": [repr(value)]} if whole else {"N": repr(value)}
    if isinstance(value, Mapping):
        return {"M": encode_item(value)}
    if isinstance(value, list | tuple):
        return {"L": [encode(one) for one in value]}
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def decode(typed: Typed) -> Any:
    kind, value = next(iter(typed.items()))
    if kind == "N":
        return _number(value)
    if kind == "NULL":
        return None
    if kind == "M":
        return decode_item(value)
    if kind == "L":
        return [decode(one) for one in value]
    if kind == "SS":
        return float(value[0])
    return value  # a text or a bool


def encode_item(item: Mapping[str, Any]) -> dict[str, Typed]:
    return {name: encode(value) for name, value in item.items()}


def decode_item(typed: Mapping[str, Typed]) -> Item:
    return {name: decode(value) for name, value in typed.items()}


def _number(text: str) -> int | float:
    """Whole is int, in whichever way DynamoDB writes it."""
    if text.lstrip("-").isdigit():
        return int(text)
    exact = Decimal(text)
    return int(exact) if exact == exact.to_integral_value() else float(text)
