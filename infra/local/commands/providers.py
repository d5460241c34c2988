"""`patchbay providers`."""

from typing import Any

import click

from infra.local.terminal import AS_JSON, call, show, table


@click.command()
@AS_JSON
def providers(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Providers: which are live, and what the others lack.

    \b
    patchbay providers
    patchbay providers --json
    """
    data = call("GET", "/api/ai/providers", "providers")
    if as_json:
        show(data["providers"])
        return
    rows = [["PROVIDER", "STATE", "MODEL", "CAPABILITIES"]]
    for provider in data["providers"]:
        can = ", ".join(provider["capabilities"])
        for account in provider["accounts"]:
            name = provider["name"] if account["name"] == "default" else f"{provider['name']}:{account['name']}"
            rows.append([name, _state(account), account["model"] or "-", can])
    table(rows, state="STATE")


def _state(account: dict[str, Any]) -> str:
    if account["simulated"]:
        return "simulated"
    if not account["enabled"]:
        return "disabled"
    return f"needs {' '.join(account['missing'])}" if account["missing"] else "live"
