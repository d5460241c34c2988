"""The command `patchbay`: serve, and ask a running server."""

import asyncio
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click
import orjson

from core import __version__
from core.config import settings
from core.errors import Misconfigured, PatchbayError
from infra.local import tables

_TIMEOUT = 30.0
DOTENV = Path(".env")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


def fail(message: str) -> NoReturn:
    click.echo(f"patchbay: {message}", err=True)
    sys.exit(1)


def known_server() -> tuple[str, dict[str, str]]:
    """Its address (PORT, else the note of a running server, else the default) and the header with its key."""
    from infra.local.place import address_of, noted  # noqa: PLC0415 - a command imports what it needs

    try:
        config = settings.load([], dotenv=DOTENV)
        unnamed = settings.load([], environ={}).port
    except Misconfigured as error:
        fail(error.message)
    named = config.port if config.port not in {0, unnamed} or os.environ.get("PORT") else None
    there = noted(config.home) if named is None else None
    url = there or address_of(config.host, config.port)
    return url, {"authorization": f"Bearer {config.api_key.reveal()}"} if config.api_key else {}


def call(method: str, path: str, wanted: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
    """Ask the running server for an object that has `wanted`; every failure is one line and exit code 1."""
    import httpx  # noqa: PLC0415 - 40 ms that `--help` need not pay

    url, headers = known_server()
    try:
        answer = httpx.request(
            method, url + path, json=body, params=query, headers=headers, timeout=_TIMEOUT, trust_env=False
        )
    except httpx.HTTPError as error:
        fail(f"no server at {url} ({type(error).__name__}). Start one with `make run` or `patchbay serve`.")
    except ValueError as error:
        fail(f"this cannot be asked: {error}")
    try:
        data = answer.json()
        if answer.status_code >= 400:
            fail(data["error"]["message"])
        data[wanted]
    except (ValueError, KeyError, TypeError, IndexError):
        fail(f"{url} did not answer like Patchbay (status {answer.status_code}); is another program on this port?")
    return data


def show(data: Any) -> None:
    click.echo(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode())


def table(rows: list[list[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """One door to every AI provider that keeps answering when a provider does not."""


@main.command()
def serve() -> None:
    r"""Run the gateway in this process.

    \b
    PORT=9000 patchbay serve
    HOST=0.0.0.0 PATCHBAY_API_KEY=... patchbay serve
    """
    from infra.local.server import serve as run  # noqa: PLC0415 - a command imports what it needs

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())
    except PatchbayError as error:
        fail(error.message)
    except KeyboardInterrupt:
        sys.exit(130)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where there is one: all but Windows."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 - see above

    return uvloop.new_event_loop


@main.command()
@_JSON
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
                _state(account),
                account["model"] or "-",
                ",".join(provider["capabilities"]),
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


@main.command()
@click.option("--capability", help="A capability (chat, embed, transcribe, ...) or a skill.")
@click.option("--skill", help="code, analysis, planning or complex_reasoning.")
@click.option("--tier", help="fast, standard or advanced.")
@click.option("--max-cost", type=float, help="USD per thousand input tokens; 0 means free.")
@click.option("--provider", help="Only its models.")
@click.option("--retired", is_flag=True, help="Also those that no longer answer.")
@_JSON
def models(as_json: bool, retired: bool, **options: Any) -> None:  # noqa: FBT001 - click passes options by name
    r"""Which models there are, what they can do and what they cost.

    \b
    patchbay models --skill code --tier fast
    patchbay models --capability transcribe
    """
    query = {name: value for name, value in options.items() if value is not None}
    data = call("GET", "/api/ai/models", "models", None, retired=retired, **query)["models"]
    if as_json:
        show(data)
        return
    table([tables.MODELS, *map(tables.model, data)])


@main.command()
@click.argument("prompt", default="Hello")
@click.option("--provider", help="Goes first; the chain follows.")
@click.option("--model", help="A model, provider/model or auto.")
@click.option("--tier", type=click.Choice(["fast", "standard", "advanced", "local"], case_sensitive=False))
@click.option("--max-cost", type=float, help="USD.")
@click.option("--no-fallback", is_flag=True, help="Only what you name.")
@_JSON
def route(prompt: str, as_json: bool, no_fallback: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Who would answer a chat, in which order and why; nothing is called.

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
                _target(one),
                _usd(one["cost_estimate_nano"]),
                "; ".join([*one["reasons"], *one["warnings"]]),
            ]
        )
    rows += [["-", _target(one), "", one["reason"]] for one in plan["excluded"]]
    table(rows)


def _target(one: dict[str, Any]) -> str:
    account = "" if one["account"] in {None, "default"} else f":{one['account']}"
    return f"{one['provider']}{account}/{one['model']}" if one["provider"] else "-"


def _usd(nano: int | None) -> str:
    return "unknown" if nano is None else f"{nano / 1e9:.6f}"


@main.command()
@click.argument("decision", required=False)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 200))
@_JSON
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
            [one["decision_id"], one["outcome"], _target(one), tried, f"{one['ms']:.0f}", _usd(one["cost_nano"])]
        )
    table(rows)


@main.group()
def simulate() -> None:
    """Make simulated providers fail, to see what happens."""


@simulate.command("fault")
@click.argument("provider")
@click.argument("fault")
@click.option("--rate", type=float, default=1.0, show_default=True, help="Share of requests it hits.")
@click.option("--capability", help="Only this capability.")
@click.option("--times", type=click.IntRange(1), help="Only so many requests.")
@_JSON
def simulate_fault(provider: str, fault: str, as_json: bool, **options: Any) -> None:  # noqa: FBT001 - click passes by name
    r"""Switch FAULT on at PROVIDER until it is cleared.

    FAULT is a status (500), a status with a wait (429:2), or one of slow_first_byte slow_chunks hang refuse
    drop_headers drop_body truncated_json wrong_content_type cut_stream stream_error stream_stall no_end_marker
    huge_body.

    \b
    patchbay simulate fault azure 500
    patchbay simulate fault openai 429:2 --times 2
    patchbay simulate fault together cut_stream --rate 0.3
    """
    if not 0 < options["rate"] <= 1:
        fail("rate must be above 0 and at most 1")
    done = call("POST", "/api/local/simulators/faults", "fault", {"provider": provider, "fault": fault, **options})
    show(done) if as_json else click.echo(f"{provider}: {fault} is on")


@simulate.command("clear")
@click.argument("provider", required=False)
@_JSON
def simulate_clear(provider: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Switch all faults off, or those of one provider."""
    done = call("POST", "/api/local/simulators/clear", "providers", {"provider": provider})
    show(done) if as_json else click.echo(f"{provider or 'every provider'}: no faults")


@simulate.command("status")
@_JSON
def simulate_status(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Which faults are on, and how often each has hit."""
    data = call("GET", "/api/local/simulators", "providers")
    if as_json:
        show(data)
        return
    rows = [["PROVIDER", "REQUESTS", "FAULTS", "URL"]]
    for name, one in data["providers"].items():
        faults = ", ".join(f"{fault['fault']} x{fault['fired']}" for fault in one["faults"]) or "-"
        rows.append([name, str(one["requests"]), faults, one["url"]])
    table(rows)


if __name__ == "__main__":
    main()
