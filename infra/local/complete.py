"""What the shell offers for an option's value, where it is known without asking anybody."""

from collections.abc import Iterable

import click

SKILLS = ("code", "analysis", "planning", "complex_reasoning")


def _from(known: Iterable[str], incomplete: str) -> list[str]:
    return sorted({one for one in known if one.startswith(incomplete)})


def providers(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from core.providers.table import TABLE  # noqa: PLC0415 - only completion needs it

    return _from((row.name for row in TABLE), incomplete)


def models(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from core.config import catalog  # noqa: PLC0415 - only completion needs it

    found = catalog.load().list_models(catalog.Query(), 0.0, ())
    return _from((name for one in found for name in (one.id, f"{one.provider}/{one.id}")), incomplete)


def capabilities(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from core.capabilities import Capability  # noqa: PLC0415 - only completion needs it

    return _from((one.value for one in Capability), incomplete)


def faults(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from infra.local.simulators.faults import WORDS  # noqa: PLC0415 - only completion needs it

    return _from((*WORDS, "500", "429:2"), incomplete)


def groups(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from core.accounting.report import BY  # noqa: PLC0415 - only completion needs it

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + one for one in _from(BY, last)]
