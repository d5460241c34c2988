"""What is said of an answer beside it: who gave it, at which price, and what must be known."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import httpx

from infra.local.terminal import clean, note, usd

_NO_KEY = "nothing is configured, so a simulator answered; put a key into .env (OPENAI_API_KEY=...) for a real one"


def tell(facts: Mapping[str, Any], *, verbose: bool, about: Sequence[str] = ()) -> None:
    """On stderr: what must be known of an answer, and who gave it at which price."""
    if facts["simulated"]:
        note(_NO_KEY)
    for warning in facts["warnings"]:
        note(f"warning: {warning}")
    if verbose:
        nano, model = facts["nano_usd"], f"/{facts['model']}" if facts["model"] else ""
        words = [
            f"{facts['provider']}{model}",
            *about,
            f"${usd(nano)}" if nano is not None else "cost pending" if facts.get("pending") else "cost unknown",
            *([f"{facts['attempts']} attempts"] if facts["attempts"] > 1 else []),
            *(["cache hit"] if facts["cache"] == "hit" else []),
            *(["simulated"] if facts["simulated"] else []),
        ]
        click.echo("  ".join(clean(one) for one in words), err=True)


def facts_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Of a receipt in JSON."""
    return {
        **{name: data[name] for name in ("provider", "model", "cache", "simulated", "warnings")},
        "nano_usd": data["cost"]["nano_usd"],
        "attempts": len(data["attempts"]),
    }


def facts_in(headers: httpx.Headers) -> dict[str, Any]:
    """Of a receipt in headers, where the body is no JSON; of a stream it has not its cost yet."""
    cost = headers.get("x-patchbay-cost-usd", "")
    try:
        nano = round(float(cost) * 1e9)
    except ValueError:  # unknown, or pending
        nano = None
    warnings = headers.get("x-patchbay-warnings", "")
    return {
        "provider": headers.get("x-patchbay-provider", ""),
        "model": headers.get("x-patchbay-model", ""),
        "cache": headers.get("x-patchbay-cache", "off"),
        "simulated": headers.get("x-patchbay-simulated") == "true",
        "warnings": warnings.split("; ") if warnings else [],
        "nano_usd": nano,
        "pending": cost == "pending",
        "attempts": int(headers.get("x-patchbay-attempts", "1")),
    }
