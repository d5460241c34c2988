"""`patchbay invoke`: an event through a function, as Lambda would."""

import asyncio
import sys
from typing import Any, BinaryIO

import click
import orjson

from core.errors import PatchbayError
from infra.local.terminal import AS_JSON, fail, show


@click.command()
@click.argument("function")
@click.argument("event", type=click.File("rb"))
@click.option("-v", "--verbose", is_flag=True, help="Print the answer's headers too.")
@AS_JSON
def invoke(function: str, event: BinaryIO, verbose: bool, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Run a function with an event, as Lambda would.

    FUNCTION is a folder of functions/, EVENT a file of events/ or - for standard input. It runs under Lambda's own
    runtime client. Its environment is yours and .env; with nothing configured simulators answer. Its log goes to
    standard error. It takes the gateway key `local-key`. Exit code 1: the function failed, or answered 500 or more.

    \b
    patchbay invoke chat events/chat.json
    patchbay invoke catalog events/catalog-status.json --json
    """
    from infra.local import sandbox  # noqa: PLC0415 - a command imports what it needs
    from infra.local.invoke import SECONDS  # noqa: PLC0415 - see above
    from infra.local.invoke import invoke as run  # noqa: PLC0415 - see above

    if function not in sandbox.known():
        fail(f"there is no function {function!r}; there are {', '.join(sandbox.known())}")
    raw = event.read()
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        fail(f"{event.name} is not JSON: {error}")
    try:
        outcome = asyncio.run(run(function, raw, lambda line: click.echo(line, err=True)))
    except PatchbayError as error:
        fail(error.message)
    except sandbox.Died as error:
        fail(str(error))
    except TimeoutError:
        fail(f"no answer within {SECONDS:g} s")
    answer = orjson.loads(outcome.body)
    if as_json:
        show(answer)
    elif outcome.kind == "response" and isinstance(answer, dict) and "statusCode" in answer:
        _print(answer, verbose=verbose)
    else:
        click.echo(f"patchbay: the function failed: {_said(answer)}", err=True)
    sys.exit(int(outcome.kind != "response" or _status(answer) >= 500))


def _print(answer: dict[str, Any], *, verbose: bool) -> None:
    click.echo(f"status {answer['statusCode']}")
    if verbose:
        for name, value in answer.get("headers", {}).items():
            click.echo(f"{name}: {value}")
        click.echo()
    body = answer.get("body") or ""
    try:
        show(orjson.loads(body))
    except orjson.JSONDecodeError:
        click.echo(body)  # a stream's events, or base64


def _said(answer: Any) -> str:
    if not isinstance(answer, dict) or "errorMessage" not in answer:
        return f"this is no answer to HTTP: {answer}"
    return f"{answer['errorType']}: {answer['errorMessage']}"


def _status(answer: Any) -> int:
    return int(answer.get("statusCode", 500)) if isinstance(answer, dict) else 500
