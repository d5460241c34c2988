"""`patchbay usage`: what was asked and what it cost."""

from typing import Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, call, note, show, table, usd

_COUNTS = {
    "REQUESTS": "requests", "OK": "ok", "FAILED": "failed", "CACHED": "cache_hits",
    "IN": "input_tokens", "OUT": "output_tokens",
}  # fmt: skip


def _checked(_context: click.Context, _option: click.Parameter, given: str) -> str:
    from core.accounting import report  # noqa: PLC0415 - a command imports what it needs

    try:
        return ",".join(report.checked(given))
    except ValueError as error:
        raise click.BadParameter(str(error).removeprefix("by ")) from None


@click.command()
@click.option(
    "--days", type=click.IntRange(1, 90), default=7, show_default=True, help="Today (UTC) and those before it."
)
@click.option(
    "--by",
    default="provider,model",
    show_default=True,
    shell_complete=complete.groups,
    callback=_checked,
    help="provider, model, account, capability, project, key, route, day: some of them.",
)
@AS_JSON
def usage(days: int, by: str, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Requests, tokens and cost, grouped.

    \b
    patchbay usage
    patchbay usage --days 30 --by day
    patchbay usage --by key,model --json
    """
    data = call("GET", "/api/ai/usage", "rows", None, days=days, by=by)
    if as_json:
        show(data)
        return
    if not data["rows"]:
        note(f'no requests in {days} days; ask something: patchbay chat "Hello"')
        return
    names = data["by"]
    rows = [[str(one.get(name) or "-") for name in names] + _figures(one) for one in data["rows"]]
    total = ["total", *[""] * (len(names) - 1), *_figures(data["total"])]
    table([[*map(str.upper, names), *_COUNTS, "USD"], *rows, total], spare=("CACHED", "OUT", "IN"))
    if data["total"]["unpriced"]:
        note(f"the price of {data['total']['unpriced']} attempts is not known; they are not in the sum")
    if data["total"]["simulated"]:
        nano = data["total"]["simulated_cost"]["nano_usd"]
        note(
            f"simulators answered {data['total']['simulated']} of them; {usd(nano)} USD are what that would have cost"
        )
    if data["total"]["saved"]["nano_usd"]:
        note(f"the cache saved {usd(data['total']['saved']['nano_usd'])} USD")
    if data["unread"]:
        note(f"{data['unread']} receipts are in no sum: this version does not understand them")
    elif not data["complete"]:
        note("some days have more receipts than are added up; the sums are too low")


def _figures(one: dict[str, Any]) -> list[str]:
    return [*(str(one[name]) for name in _COUNTS.values()), usd(one["cost"]["nano_usd"])]
