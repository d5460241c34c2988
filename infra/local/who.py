"""Who is to answer, at most at which cost: the options of every command for sound and text, and their fields."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from infra.local import complete
from infra.local.terminal import Number

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("-m", "--model", help="A model or provider/model.", shell_complete=complete.models),
    click.option("-p", "--provider", help="Goes first; the chain follows.", shell_complete=complete.providers),
    click.option("--max-cost", type=Number(0), help="USD; dearer targets are left out."),
    click.option("--strict", is_flag=True, help="Only who takes all that is asked."),
    click.option("--no-fallback", is_flag=True, help="Only what you name."),
    click.option("--timeout", type=Number(0, min_open=True), help="Seconds for all attempts."),
)
_SENT = ("model", "provider", "max_cost")


def with_who(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def who(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request."""
    found = {name: options[name] for name in _SENT if options[name] is not None}
    found |= {"strict": True} if options["strict"] else {}
    return found | ({"fallback": False} if options["no_fallback"] else {})
