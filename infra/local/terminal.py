"""What every command needs: where the server is, how it is asked, and how an answer looks on a terminal."""

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click
import orjson

from core.config import settings
from core.errors import Misconfigured

_TIMEOUT = 30.0
DOTENV = Path(".env")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")


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


def target(one: dict[str, Any]) -> str:
    account = "" if one["account"] in {None, "default"} else f":{one['account']}"
    return f"{one['provider']}{account}/{one['model']}" if one["provider"] else "-"


def usd(nano: int | None) -> str:
    return "unknown" if nano is None else f"{nano / 1e9:.6f}"
