"""`patchbay doctor`: what is wrong here, and the fix."""

import asyncio
import sys

import click

from infra.local.terminal import AS_JSON, FAILED, Number, clean, painted, show


@click.command()
@click.option("--offline", is_flag=True, help="Call no provider.")
@click.option("--timeout", type=Number(0, min_open=True), default=5.0, show_default=True, help="Seconds for each.")
@AS_JSON
def doctor(offline: bool, timeout: float, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Look for what is wrong here, and say the fix.

    Versions, configuration, keys, reachability, chains, strategy, state, disk and clock, with or without a server.
    Keys are tried with a free call, a provider's list of models, and never shown. Ends with 1 when a check fails.

    \b
    patchbay doctor
    patchbay doctor --offline
    patchbay doctor --json | jq '.findings[] | select(.state == "fail")'
    """
    from infra.local.doctor import examined  # noqa: PLC0415 - a command imports what it needs

    findings = asyncio.run(examined(offline=offline, patience=timeout))
    failed = any(one.state == "fail" for one in findings)
    if as_json:
        show({"ok": not failed, "findings": [one.row() for one in findings]})
    else:
        width = max(len(one.name) for one in findings)
        for one in findings:
            click.echo(f"{painted(f'{one.state:<4}', one.state)}  {one.name:<{width}}  {_line(one.said)}")
            if one.fix:
                click.echo(f"{'':<4}  {'':<{width}}  fix: {_line(one.fix)}")
    if failed:
        sys.exit(FAILED)


def _line(text: str) -> str:
    return " ".join(clean(text).split())
