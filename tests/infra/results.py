"""What a command's end looks like: its lines, its data, or the one line of its failure."""

import json
from collections.abc import Callable
from typing import Any

from click.testing import Result

Run = Callable[..., Result]


def printed(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout.splitlines()


def data(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found = json.loads(result.stdout)
    assert isinstance(found, list | dict)
    return found


def line(result: Result, code: int = 1) -> str:
    """The one line of a command that could not; stdout stays empty, with --json and without."""
    assert result.exit_code == code, (result.exit_code, result.output, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("patchbay: ") and "Traceback" not in lines[0]
    return lines[0]


def empty(result: Result) -> str:
    """What is said where there is nothing to print."""
    assert result.exit_code == 0, result.output
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1
    return result.stderr
