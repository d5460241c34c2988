"""`patchbay config`: what is set, where it comes from, whether it fits; and what is changed while gateways run."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from core.config import examples
from core.config.accounts import FIELDS, KEYS, Account
from core.config.run_time import Changes
from core.config.secrets import Secret
from core.config.settings import SETTINGS, Settings
from core.errors import Misconfigured
from infra.local.commands.config_changes import CHANGES
from infra.local.terminal import AS_JSON, DOTENV, fail, show, table


@click.group()
def config() -> None:
    r"""Settings: shown, checked, and changed while gateways run.

    \b
    patchbay config check
    patchbay config show --set
    patchbay config set LLM_PROVIDER together --reason "azure is slow"
    patchbay config example env > .env
    """


for command in CHANGES:
    config.add_command(command)


@config.command("show")
@click.option("--set", "only_set", is_flag=True, help="Without what has its default.")
@AS_JSON
def config_show(as_json: bool, only_set: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Every setting with the layer it comes from; secrets are hidden.

    \b
    patchbay config show
    patchbay config show --set
    PATCHBAY_ENV=production patchbay config show --json
    """
    settings, problems, _ = _examined()
    if problems:
        fail(f"{problems[0].message} (`patchbay config check` says all that is wrong)")
    every = (*_settings(settings), *_accounts(settings), *_models(settings))
    rows = [row for row in every if row["layer"] or not only_set]
    for row in rows:
        row["layer"] = row["layer"] or "default"
    if as_json:
        show(rows)
        return
    table([["SETTING", "VALUE", "FROM"], *([row["name"], examples.shown(row["value"]), row["from"]] for row in rows)])


@config.command("check")
@AS_JSON
def config_check(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Look through all layers for what is wrong or has no effect.

    \b
    patchbay config check
    PATCHBAY_ENV=production patchbay config check --json
    """
    from infra.local.server import check_reach  # noqa: PLC0415 - the server's own check, with all that it brings

    settings, problems, concerns = _examined()
    try:
        check_reach(settings)
    except Misconfigured as error:
        problems.append(error)
    errors, warnings = [problem.message for problem in problems], [*settings.warnings, *concerns]
    if as_json:
        show({"errors": errors, "warnings": warnings})
    else:
        for kind, words in (("error", errors), ("warning", warnings)):
            for one in words:
                click.echo(f"{kind}: {one}")
        layers = dict.fromkeys(origin.layer for origin in settings.origins.values())
        read = f"read from {', '.join(layers)}" if layers else "nothing is set"
        click.echo(f"{len(errors)} errors, {len(warnings)} warnings; {read}")
    if errors:
        raise click.exceptions.Exit(1)


@config.command("example")
@click.argument("what", type=click.Choice(["env", "yaml"]))
def config_example(what: str) -> None:
    r"""Print every setting with its default, as .env or as patchbay.yaml.

    \b
    patchbay config example env > .env
    patchbay config example yaml > patchbay.yaml
    """
    from core.providers.registry import Registry  # noqa: PLC0415 - a command imports what it needs

    make = examples.env_example if what == "env" else examples.yaml_example
    click.echo(make(Registry().declared()), nl=False)


def _examined() -> tuple[Settings, list[Misconfigured], list[str]]:
    """Settings with what is changed at run time, what is wrong with them, and what of the changes does not hold."""
    from core import bootstrap  # noqa: PLC0415 - a command imports what it needs
    from core.configuration import Configuration  # noqa: PLC0415 - see above
    from core.providers.registry import Registry  # noqa: PLC0415 - see above

    try:
        registry = Registry.with_plugins()
        settings, problems = Configuration(registry, dotenv=DOTENV).examine()
        if problems:
            return settings, problems, []
        service = bootstrap.build(dotenv=DOTENV, registry=registry)
    except Misconfigured as error:  # a plug-in that is none
        fail(error.message)
    # Looking must not leave a file behind where nothing was ever changed.
    kept = settings.table is not None or (settings.home / bootstrap.STATE).is_file()
    changes = asyncio.run(bootstrap.changes_in(service)) if kept else Changes()
    settings, in_force = service.rules.settle(changes)
    return settings, [], [*service.rules.concerns, *in_force.left_out.values()]


def _row(settings: Settings, name: str, key: str | None, value: Any, origin: str) -> dict[str, Any]:
    found = settings.origins.get(origin)
    return {
        "name": name,
        "key": key,
        "value": _plain(value),
        "layer": found.layer if found else None,
        "from": str(found) if found else "default",
    }


def _settings(settings: Settings) -> Iterator[dict[str, Any]]:
    for row in SETTINGS:
        key = row.keys[0] if row.keys else None
        yield _row(settings, row.env[0], key, getattr(settings, row.name), row.name)


def _accounts(settings: Settings) -> Iterator[dict[str, Any]]:
    """What is set of each account."""
    for provider, accounts in settings.accounts.items():
        for one in accounts:
            for field in FIELDS:
                value = _field(one, field)
                if value is not None and settings.origin(provider, one.name, field):
                    name = f"{provider}:{one.name}.{KEYS.get(field, (field,))[0]}"
                    yield _row(settings, name, None, value, f"{provider}:{one.name}.{field}")


def _field(account: Account, field: str) -> Any:
    head, _, capability = field.partition(".")
    return account.models.get(capability) if capability else getattr(account, head)


def _models(settings: Settings) -> Iterator[dict[str, Any]]:
    for name, given in settings.models.items():
        yield _row(settings, f"models.{name}", f"models.{name}", given, f"models.{name}")


def _plain(value: Any) -> Any:
    if isinstance(value, Secret | Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
