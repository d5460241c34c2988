"""`patchbay route`: a plan without the call."""

from typing import Any

import click

from infra.local import complete
from infra.local.terminal import AS_JSON, Number, call, note, show, table, target, usd


@click.command()
@click.argument("prompt", default="Hello")
@click.option("--provider", help="Goes first; the chain follows.", shell_complete=complete.providers)
@click.option("--model", help="A model, provider/model or auto.", shell_complete=complete.models)
@click.option(
    "--tier",
    type=click.Choice(["fast", "standard", "advanced", "local"], case_sensitive=False),
    help="How able, or where.",
)
@click.option("--max-cost", type=Number(0), help="USD.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@AS_JSON
def route(prompt: str, as_json: bool, no_fallback: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Who would answer, in which order and why.

    Nothing is called. Below the candidates, marked -, stand those left out.

    \b
    patchbay route
    patchbay route "Explain DNS" --tier fast --max-cost 0.001
    """
    body = {"messages": [{"role": "user", "content": prompt}], "fallback": not no_fallback}
    body |= {name: value for name, value in options.items() if value is not None}
    plan = call("POST", "/api/ai/route", "candidates", body)
    if as_json:
        show(plan)
        return
    rows = [["", "TARGET", "UP TO USD", "WHY"]]
    for number, one in enumerate(plan["candidates"], 1):
        rows.append(
            [
                str(number),
                target(one),
                usd(one["cost_estimate_nano"]),
                "; ".join([*one["reasons"], *one["warnings"]]),
            ]
        )
    rows += [["-", target(one), "", one["reason"]] for one in plan["excluded"]]
    table(rows, spare=("UP TO USD",))
    for warning in plan["warnings"]:
        note(f"warning: {warning}")
    if not plan["candidates"]:
        note("nobody would answer: see why, and `patchbay doctor` for keys")
