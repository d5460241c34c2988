"""`patchbay models`."""

from typing import Any

import click

from infra.local.terminal import AS_JSON, call, show, table

_HEAD = ["PROVIDER", "MODEL", "CAPABILITY", "TIER", "CONTEXT", "USD", "STATE"]


@click.command()
@click.option("--capability", help="A capability (chat, embed, transcribe, ...) or a skill.")
@click.option("--skill", help="code, analysis, planning or complex_reasoning.")
@click.option("--tier", help="fast, standard or advanced.")
@click.option("--max-cost", type=float, help="USD per thousand input tokens; 0 means free.")
@click.option("--provider", help="Only its models.")
@click.option("--retired", is_flag=True, help="Also those that no longer answer.")
@AS_JSON
def models(as_json: bool, retired: bool, **options: Any) -> None:  # noqa: FBT001 - click passes options by name
    r"""Which models there are, what they can do and what they cost.

    \b
    patchbay models --skill code --tier fast
    patchbay models --capability transcribe
    """
    query = {name: value for name, value in options.items() if value is not None}
    data = call("GET", "/api/ai/models", "models", None, retired=retired, **query)["models"]
    if as_json:
        show(data)
        return
    table([_HEAD, *map(_row, data)])


def _row(one: dict[str, Any]) -> list[str]:
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
