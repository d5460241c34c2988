"""`patchbay config set | unset | history`: settings changed while gateways run. No server is asked: the store is."""

import asyncio
import getpass
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.config.run_time import Changes
from core.errors import PatchbayError
from core.switches import Change, Switches
from infra.local.terminal import AS_JSON, DOTENV, fail, note, show, table

if TYPE_CHECKING:
    from core.providers.registry import Registry

T = TypeVar("T")
Warnings = Callable[[Changes], Awaitable[list[str]]]

REASON = click.option("--reason", help="Why; kept with the change.")


@click.command("set")
@click.argument("name")
@click.argument("value")
@REASON
@AS_JSON
def set_(name: str, value: str, reason: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Change the setting NAME in running gateways.

    In all that keep their state in the same place.

    \b
    patchbay config set LLM_PROVIDER together
    patchbay config set PATCHBAY_TOTAL_TIMEOUT 120 --reason "INC-42"
    """
    _made(lambda switches: switches.set(name, value, _who(), reason), as_json=as_json)


@click.command("unset")
@click.argument("name")
@REASON
@AS_JSON
def unset(name: str, reason: str | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Take a change back: NAME is again what the environment says.

    \b
    patchbay config unset LLM_PROVIDER
    """
    _made(lambda switches: switches.unset(name, _who(), reason), as_json=as_json)


@click.command("history")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="How many.")
@AS_JSON
def history(limit: int, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Who changed what, the newest first.

    \b
    patchbay config history --limit 5
    """
    changes, _ = _with(lambda switches, _: switches.history(limit))
    if as_json:
        show([one._asdict() for one in changes])
        return
    rows = [["VERSION", "WHEN", "WHO", "NAME", "OLD", "NEW", "REASON"]]
    rows += [
        [str(one.version), _when(one.at), one.who, one.name, one.old or "-", one.new or "-", one.reason or ""]
        for one in changes
    ]
    table(rows)


CHANGES = (set_, unset, history)


def _made(change: Callable[[Switches], Awaitable[Change]], *, as_json: bool) -> None:
    before: list[str] = []
    after: list[str] = []

    async def work(switches: Switches, warnings: Warnings) -> Change:
        before.extend(await warnings(await switches.current()))
        done = await change(switches)
        after.extend(await warnings(await switches.current()))
        return done

    done, place = _with(work)
    new = [one for one in after if one not in before]
    if as_json:
        show(done._asdict() | place | {"warnings": new})
        return
    what = f"{done.name} is {done.new}" if done.new is not None else f"{done.name} is no longer changed at run time"
    seconds = place["within_seconds"]
    soon = f"within {seconds:g} s" if seconds else "when they start again (PATCHBAY_REFRESH is 0)"
    click.echo(f"{what}: version {done.version} in {place['store']}; running gateways see it {soon}")
    for one in new:
        note(f"warning: {one}")


def _with(work: Callable[[Switches, Warnings], Awaitable[T]]) -> tuple[T, dict[str, Any]]:
    """Do something with the store that the settings name, and say which that is."""
    from core import bootstrap  # noqa: PLC0415 - a command imports what it needs

    async def warnings(changes: Changes) -> list[str]:
        """What is odd about settings with these changes, on this machine."""
        config, _ = service.rules.settle(changes)
        if not config.warnings:
            return []
        from infra.local.server import detected, fleet_here  # noqa: PLC0415 - only where what runs here may take a warning back

        found = await detected(config, service.registry)
        pinned = None if found or config.configured else _stand_ins(service.registry, fleet_here().names)
        config, _ = bootstrap.build(dotenv=DOTENV, found=found, pinned=pinned).rules.settle(changes)
        return list(config.warnings)

    async def run() -> T:
        async with service.switches() as switches:
            return await work(switches, warnings)

    try:
        service = bootstrap.build(dotenv=DOTENV)
        config = service.settings
        done = asyncio.run(run())
    except PatchbayError as error:
        fail(error.message)
    where = f"DynamoDB table {config.table}" if config.table else str(config.home / "state.db")
    return done, {"store": where, "within_seconds": config.refresh}


def _stand_ins(registry: "Registry", simulated: Iterable[str]) -> dict[str, str]:
    """Where nobody is set up, simulators answer in the place of these."""
    names = [registry.rows[name].declared().names for name in simulated]
    keys = {one["key"][-1]: "simulated" for one in names}
    return keys | {one["base_url"][-1]: "http://127.0.0.1" for one in names}


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"  # a container may run as a number without a name
    return f"{user}@{socket.gethostname()}"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))
