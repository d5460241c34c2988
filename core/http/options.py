"""The request fields that are for Patchbay and not for a provider, the same on every generation route."""

from collections.abc import Mapping
from typing import Any

from core.errors import BadRequest, CallsItself
from core.providers.contract import HOP
from core.types.request import Options
from core.wire.shapes import check_type

FIELDS: dict[str, tuple[type, ...]] = {
    "provider": (str,), "fallback": (bool,), "models": (list,), "strategy": (str,), "cache": (str, bool),
    "max_cost": (int, float), "tier": (str,), "strict": (bool,), "compatibility": (str,),
}  # fmt: skip
_NAMES = frozenset(FIELDS)
_CACHE = ("off", "read", "write", "on")
_COMPATIBILITY = ("strict", "warn", "permissive")
_TIERS = ("fast", "standard", "advanced", "local")
_TIMEOUT_HEADER = b"x-patchbay-timeout-ms"
_HOP_HEADER = HOP.encode()
_MOST_HOPS = 3  # gateways before gateways are legal; a circle has no end
_LONGEST_NAME = 300
_MOST_MODELS = 50
_MOST_DIGITS = 12  # 30 years


def take(body: dict[str, Any]) -> Options:
    """Remove our fields from the body and check them."""
    model = body.get("model")
    if model is not None:
        check_type("model", model, (str,))
        _check_length("model", model)
    if body.keys().isdisjoint(_NAMES):
        return Options(model=model)
    given = {name: body.pop(name) for name in FIELDS if name in body}
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        check_type(name, value, FIELDS[name])
        if isinstance(value, str):
            _check_length(name, value)
    if "models" in given:
        given["models"] = _models(given["models"])
    if isinstance(given.get("cache"), bool):
        given["cache"] = "on" if given["cache"] else "off"
    for name, words in (("cache", _CACHE), ("tier", _TIERS), ("compatibility", _COMPATIBILITY)):
        if name in given:
            given[name] = _one_of(name, given[name], words)
    if given.pop("strict", False) and given.setdefault("compatibility", "strict") != "strict":
        opposite = f"strict says the opposite of compatibility={given['compatibility']}"
        raise BadRequest(opposite, param="compatibility", code="invalid_value")
    if "max_cost" in given and not given["max_cost"] >= 0:
        raise BadRequest("max_cost must be a number of USD, 0 or more", param="max_cost", code="invalid_value")
    return Options(model=model, **given)


def timeout(headers: Mapping[bytes, bytes]) -> float | None:
    """The caller's own deadline in seconds."""
    text = headers.get(_TIMEOUT_HEADER)
    if text is None:
        return None
    if not text.isdigit() or len(text) > _MOST_DIGITS or not int(text):
        raise BadRequest(
            "x-patchbay-timeout-ms must be a whole number of milliseconds above 0",
            param="x-patchbay-timeout-ms",
            code="invalid_value",
        )
    return int(text) / 1000


def hop(headers: Mapping[bytes, bytes]) -> int:
    """How many gateways it came through."""
    text = headers.get(_HOP_HEADER)
    if text is None:
        return 0
    if not text.isdigit():
        raise BadRequest(f"{HOP} must be a whole number", param=HOP, code="invalid_value")
    if len(text) > 1 or int(text) > _MOST_HOPS:
        raise CallsItself(
            f"The request has come through more than {_MOST_HOPS} gateways: one of them has its own address, or"
            " that of one before it, as a provider's base URL. Correct that.",
            param=HOP,
            code="circle",
        )
    return int(text)


def _check_length(name: str, value: str) -> None:
    if len(value) > _LONGEST_NAME:
        raise BadRequest(f"{name} is longer than {_LONGEST_NAME} characters", param=name, code="invalid_value")


def _models(names: list[Any]) -> tuple[str, ...]:
    if not names or not all(type(name) is str and name for name in names):
        raise BadRequest("models must be a list of model names", param="models", code="invalid_type")
    if len(names) > _MOST_MODELS:
        raise BadRequest(f"models must not name more than {_MOST_MODELS}", param="models", code="invalid_value")
    for name in names:
        _check_length("models", name)
    return tuple(names)


def _one_of(name: str, value: str, words: tuple[str, ...]) -> str:
    lowered = value.lower()
    if lowered not in words:
        raise BadRequest(f"{name} must be one of {', '.join(words)}", param=name, code="invalid_value")
    return lowered
