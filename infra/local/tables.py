"""What the command line shows of an answer, as rows of a table."""

from typing import Any

MODELS = ["PROVIDER", "MODEL", "CAPABILITY", "TIER", "CONTEXT", "USD", "STATE"]


def model(one: dict[str, Any]) -> list[str]:
    length = "-" if one["context"] is None else str(one["context"])
    return [one["provider"], one["id"], one["capability"], one["tier"], length, _price(one), _lifecycle(one)]


def _price(one: dict[str, Any]) -> str:
    """Its first price in words: more of them in `--json`."""
    if one["free"]:
        return "free"
    price = one["price"] or {}
    tokens = price.get("usd_per_mtok")
    if tokens is not None:
        sold = [tokens[kind] for kind in ("input", "output") if kind in tokens]
        return f"{'/'.join(sold)} per 1M tokens"
    if "usd_per_mchar" in price:
        return f"{price['usd_per_mchar']} per 1M characters"
    return f"{price['usd_per_hour']} per hour" if "usd_per_hour" in price else "unknown"


def _lifecycle(one: dict[str, Any]) -> str:
    if one["lifecycle"] == "active":
        return "active"
    until = f" {one['retires']}" if one["retires"] else ""
    then = f", then {one['successor']}" if one["successor"] else ""
    return f"{one['lifecycle']}{until}{then}"
