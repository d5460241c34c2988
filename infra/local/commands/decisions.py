"""`patchbay decisions`: receipts."""

from typing import Any
from urllib.parse import quote

import click

from infra.local.terminal import AS_JSON, call, clean, moment, note, painted, show, table, target, usd

_HEAD = ["DECISION", "WHEN", "OUTCOME", "TARGET", "MS", "USD", "ATTEMPTS"]


@click.command()
@click.argument("decision", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200), help="How many.")
@AS_JSON
def decisions(decision: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""The last receipts, or one whole.

    \b
    patchbay decisions
    patchbay decisions 0193a5...
    patchbay decisions --limit 100 --json
    """
    if decision is not None:
        one = call("GET", f"/api/ai/decisions/{quote(decision, safe='')}", "decision_id")
        show(one) if as_json else _receipt(one)
        return
    data = call("GET", "/api/ai/decisions", "decisions", limit=limit)["decisions"]
    if as_json:
        show(data)
        return
    if not data:
        note('no decisions yet; ask something: patchbay chat "Hello"')
        return
    table([_HEAD, *map(_row, data)], state="OUTCOME", spare=("ATTEMPTS", "MS", "WHEN"))


def _who(attempt: dict[str, Any]) -> str:
    account = attempt["account"]
    return str(attempt["provider"]) if account in {None, "default"} else f"{attempt['provider']}:{account}"


def _row(one: dict[str, Any]) -> list[str]:
    tried = ", ".join(f"{_who(attempt)}:{attempt.get('error') or attempt['outcome']}" for attempt in one["attempts"])
    return [
        one["decision_id"],
        moment(one["at"]),
        one["outcome"],
        target(one),
        f"{one['ms']:.0f}",
        usd(one["cost_nano"]),
        tried or "-",
    ]


def _receipt(one: dict[str, Any]) -> None:
    """One receipt for people: what came of it, what was tried, and who else could have answered."""
    used = one["usage"]
    facts = {
        "decision": one["decision_id"],
        "when": moment(one["at"]),
        "outcome": painted(one["outcome"]) + (f": {one['error']}, {one['error_message']}" if one["error"] else ""),
        "answered by": target(one) + (" (simulated)" if one["simulated"] else ""),
        "asked": ", ".join(_asked(one["asked"])) or "-",
        "took": f"{one['ms']:.0f} ms" + (f", first output after {one['first_ms']:.0f} ms" if one["first_ms"] else ""),
        "tokens": f"{used['prompt_tokens']} + {used['completion_tokens']} ({used['source']})" if used else "unknown",
        "cost": f"{usd(one['cost_nano'])} USD",
        "cache": one["cache"] + (f", repeats {one['cached']['decision_id']}" if one.get("cached") else ""),
    }
    for name, value in facts.items():
        click.echo(f"{name:<12} {' '.join(clean(value).split()) if name != 'outcome' else value}")
    for warning in one["warnings"]:
        click.echo(f"{'warning':<12} {clean(warning)}")
    if one["attempts"]:
        click.echo()
        table([["ATTEMPT", "TARGET", "OUTCOME", "MS", "THEN", "WHY"], *map(_attempt, one["attempts"])])
    if one.get("candidates") or one.get("excluded"):
        rows = [[str(n), target(each), "; ".join(each["reasons"])] for n, each in enumerate(one["candidates"], 1)]
        rows += [["-", target(each), each["reason"]] for each in one["excluded"]]
        click.echo()
        table([["", "TARGET", "WHY"], *rows])


def _asked(options: dict[str, Any]) -> list[str]:
    """What the caller wanted; not what everybody gets."""
    usual = {"fallback": True, "compatibility": "warn", "strict": False}  # the last in older receipts
    return [f"{name}={value}" for name, value in options.items() if value not in (None, [], usual.get(name))]


def _attempt(one: dict[str, Any]) -> list[str]:
    said = " ".join(str(word) for word in (one.get("error"), one.get("status")) if word)
    why = f"{said}: {one['why']}" if one.get("why") else said
    return [str(one["n"]), target(one), one["outcome"], f"{one['ms']:.0f}", one["then"] or "-", why or "-"]
