"""`patchbay usage`: what was asked and what it cost."""

from typing import Any

import click

from infra.local.terminal import AS_JSON, call, note, show, table, usd

_BY = ("provider", "model", "account", "day", "capability", "key", "org")
_COUNTS = {
    "REQUESTS": "requests", "OK": "ok", "FAILED": "failed", "CACHED": "cache_hits",
    "IN": "input_tokens", "OUT": "output_tokens",
}  # fmt: skip


def _names(_ctx: click.Context, _param: click.Parameter, value: str) -> list[str]:
    names = [name.strip().lower() for name in value.split(",")]
    for name in names:
        if name not in _BY:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(_BY)}")
    return names


@click.command()
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="Today and those before it.")
@click.option("--by", callback=_names, default="provider,model", show_default=True, help=f"Of {', '.join(_BY)}.")
@AS_JSON
def usage(days: int, by: list[str], as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Requests, tokens and cost, grouped.

    \b
    patchbay usage
    patchbay usage --days 30 --by day
    patchbay usage --by key,model --json
    """
    data = call("GET", "/api/ai/usage", "rows", None, days=days, by=",".join(by))
    if as_json:
        show(data)
        return
    if not data["rows"]:
        note(f'no requests in {days} days; ask something: patchbay chat "Hello"')
        return
    rows = [[str(one.get(name) or "-") for name in by] + _figures(one) for one in data["rows"]]
    total = ["total", *[""] * (len(by) - 1), *_figures(data["total"])]
    table([[*map(str.upper, by), *_COUNTS, "USD"], *rows, total])
    unpriced = data["total"].get("unpriced")
    if unpriced:
        note(f"the price of {unpriced} requests is not known; they are not in the sum")


def _figures(one: dict[str, Any]) -> list[str]:
    return [*(str(one[name]) for name in _COUNTS.values()), usd(one["cost"]["nano_usd"])]
