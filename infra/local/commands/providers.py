"""`patchbay providers`."""

from typing import Any

import click

from infra.local.terminal import AS_JSON, call, show, table


@click.command()
@AS_JSON
def providers(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Which providers there are, which are live and what the others lack."""
    data = call("GET", "/api/ai/providers", "providers")
    if as_json:
        show(data["providers"])
        return
    rows = [["PROVIDER", "ACCOUNT", "STATE", "MODEL", "CAPABILITIES"]]
    for provider in data["providers"]:
        rows += [
            [
                provider["name"],
                account["name"],
                _state(account) if provider["capabilities"] else "not in this version",
                account["model"] or "-",
                ",".join(provider["capabilities"]) or "-",
            ]
            for account in provider["accounts"]
        ]
    table(rows)


def _state(account: dict[str, Any]) -> str:
    if account["simulated"]:
        return "simulated"
    if not account["enabled"]:
        return "disabled"
    return f"needs {' '.join(account['missing'])}" if account["missing"] else "live"
