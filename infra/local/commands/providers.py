"""`patchbay providers`."""

from typing import Any

import click

from core.capabilities import NOUNS, Capability
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
        for account in provider["accounts"]:
            name = provider["name"] if account["name"] == "default" else f"{provider['name']}:{account['name']}"
            first, *others = account["parts"]
            can = ", ".join(first["capabilities"])
            rows.append([name, _state(account, first), account["model"] or "-", can])
            for part in others:
                what = NOUNS[Capability(part["capabilities"][-1])]
                rows.append([f"{name} {what}", _state(account, part), "-", ", ".join(part["capabilities"])])
    table(rows, state="STATE")


def _state(account: dict[str, Any], part: dict[str, Any]) -> str:
    """Of what has credentials of its own: the rest may be live without it."""
    if account["simulated"]:
        return "simulated"
    if not account["enabled"]:
        return "disabled"
    return f"needs {' '.join(part['missing'])}" if part["missing"] else "live"
