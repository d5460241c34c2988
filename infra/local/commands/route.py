"""`patchbay route`: a plan without the call."""

from typing import Any

import click

from core.http.planned import CAPABILITIES
from infra.local import complete
from infra.local.terminal import AS_JSON, Number, call, note, show, table, target, usd


def _asked(capability: str, prompt: str) -> dict[str, Any]:
    """The least that such a request says, with the prompt as its text."""
    if capability == "chat":
        return {"messages": [{"role": "user", "content": prompt}]}
    if capability == "rerank":
        return {"query": prompt, "documents": [prompt]}
    if capability == "translate":
        return {"text": prompt, "target_language": "en"}
    if capability in {"embed", "speak"}:
        return {"input": prompt}
    return {"text": prompt} if capability == "beautify" else {}


@click.command()
@click.argument("prompt", default="Hello")
@click.option("-p", "--provider", help="Goes first; the chain follows.", shell_complete=complete.providers)
@click.option("-m", "--model", help="A model, provider/model or auto.", shell_complete=complete.models)
@click.option(
    "--tier",
    type=click.Choice(["fast", "standard", "advanced", "local"], case_sensitive=False),
    help="How able, or where.",
)
@click.option("--capability", type=click.Choice(CAPABILITIES), default="chat", show_default=True, help="For what.")
@click.option("--max-tokens", type=click.IntRange(1), help="Longest answer; what it may cost goes by it.")
@click.option("--max-cost", type=Number(0), help="USD.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@AS_JSON
def route(prompt: str, as_json: bool, no_fallback: bool, capability: str, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Who would answer, in which order and why.

    Nothing is called. Below the candidates, marked -, stand those left out.

    \b
    patchbay route
    patchbay route "Explain DNS" --tier fast --max-tokens 500 --max-cost 0.001
    patchbay route --capability transcribe
    """
    body: dict[str, Any] = {"capability": capability, "fallback": not no_fallback}
    body |= _asked(capability, prompt)
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
