"""`patchbay decisions`: receipts."""

from urllib.parse import quote

import click

from infra.local.terminal import AS_JSON, call, show, table, target, usd


@click.command()
@click.argument("decision", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@AS_JSON
def decisions(decision: str | None, limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""The last decisions, or one receipt whole.

    \b
    patchbay decisions
    patchbay decisions 0193a5...
    """
    if decision is not None:
        show(call("GET", f"/api/ai/decisions/{quote(decision, safe='')}", "decision_id"))
        return
    data = call("GET", "/api/ai/decisions", "decisions", limit=limit)["decisions"]
    if as_json:
        show(data)
        return
    rows = [["DECISION", "OUTCOME", "TARGET", "ATTEMPTS", "MS", "USD"]]
    for one in data:
        tried = ",".join(f"{attempt['provider']}:{attempt.get('error') or 'ok'}" for attempt in one["attempts"])
        rows.append(
            [one["decision_id"], one["outcome"], target(one), tried, f"{one['ms']:.0f}", usd(one["cost_nano"])]
        )
    table(rows)
