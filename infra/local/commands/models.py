"""`patchbay models`."""

from typing import Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, Number, call, note, show, table

_HEAD = ["PROVIDER", "MODEL", "CAPABILITY", "TIER", "CONTEXT", "USD", "STATE"]


@click.command()
@click.argument("words", nargs=-1)
@click.option(
    "--capability",
    help="A capability (chat, embed, transcribe, ...) or a skill.",
    shell_complete=complete.capabilities,
)
@click.option("--skill", type=click.Choice(complete.SKILLS, case_sensitive=False), help="What it is good at.")
@click.option(
    "--tier", type=click.Choice(["fast", "standard", "advanced"], case_sensitive=False), help="How able it is."
)
@click.option("--max-cost", type=Number(0), help="USD per thousand input tokens; 0 means free.")
@click.option("--provider", help="Only its models.", shell_complete=complete.providers)
@click.option("--retired", is_flag=True, help="Also those that no longer answer.")
@AS_JSON
def models(words: tuple[str, ...], as_json: bool, retired: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Models with what they can do and what they cost.

    WORDS are looked for in provider, model and name.

    \b
    patchbay models gpt
    patchbay models --skill code --tier fast
    patchbay models --capability transcribe
    """
    query = {name: value for name, value in options.items() if value is not None}
    data = call("GET", "/api/ai/models", "models", None, retired=retired, **query)["models"]
    data = [one for one in data if _has(one, words)]
    if as_json:
        show(data)
        return
    if not data:
        note("no model is like that; fewer words or options find more, --retired also what is gone")
        return
    table([_HEAD, *map(_row, data)], state="STATE", spare=("CONTEXT", "TIER", "CAPABILITY"))


def _has(one: dict[str, Any], words: tuple[str, ...]) -> bool:
    text = f"{one['provider']}/{one['id']} {one['display_name'] or ''}".lower()
    return all(word.lower() in text for word in words)


def _row(one: dict[str, Any]) -> list[str]:
    length = "-" if one["context"] is None else str(one["context"])
    return [one["provider"], one["id"], one["capability"], one["tier"] or "-", length, _price(one), _lifecycle(one)]


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
    if "usd_per_second" in price:
        return f"{price['usd_per_second']} per second"
    if "usd_per_1k_searches" in price:
        return f"{price['usd_per_1k_searches']} per 1K searches"
    return f"{price['usd_per_hour']} per hour" if "usd_per_hour" in price else "unknown"


def _lifecycle(one: dict[str, Any]) -> str:
    if one["lifecycle"] == "active":
        return "active"
    until = f" {one['retires']}" if one["retires"] else ""
    then = f", then {one['successor']}" if one["successor"] else ""
    return f"{one['lifecycle']}{until}{then}"
