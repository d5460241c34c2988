"""`patchbay config`: what is set, where it comes from, whether it fits; and what is changed while gateways run."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import orjson

from core.config import examples, masking
from core.config.accounts import FIELDS, KEYS, Account
from core.config.run_time import Changes
from core.config.settings import SETTINGS, Settings
from core.errors import Misconfigured, PatchbayError
from infra.local.commands.config_changes import CHANGES
from infra.local.terminal import AS_JSON, DOTENV, fail, note, show, table

if TYPE_CHECKING:
    from core.bootstrap import Service
    from core.providers.registry import Registry

_EFFECTIVE = ("model", "embedding_model", "base_url", "enabled")  # shown though nobody has set them


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

    Layers are read anew; a running server has files and environment as they were when it started.
    """
    found = _examined()
    settings = found.settings
    if found.problems:
        fail(f"{found.problems[0].message} (`patchbay config check` says all that is wrong)")
    every = (*_settings(settings), *_accounts(settings), *_models(settings))
    rows = [row for row in every if row["layer"] or not only_set]
    for row in rows:
        row["layer"] = row["layer"] or "default"
    if as_json:
        show(rows)
    else:
        table([["SETTING", "VALUE", "FROM"], *([row["name"], _cell(row["value"]), row["from"]] for row in rows)])
        note("read anew here; a running server has files and environment as they were when it started")
    if found.unread:
        fail(found.unread)


@config.command("check")
@AS_JSON
def config_check(as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    r"""Look through all layers for what is wrong or has no effect.

    \b
    patchbay config check
    PATCHBAY_ENV=production patchbay config check --json
    """
    from infra.local.server import check_reach  # noqa: PLC0415 - the server's own check, with all that it brings

    found = _examined(detect=True)
    settings, errors = found.settings, [problem.message for problem in found.problems]
    try:
        check_reach(settings)
    except Misconfigured as error:
        errors.append(error.message)
    errors += [found.unread] if found.unread else []
    warnings = [*settings.warnings, *found.left_out, *found.ageing]
    if as_json:
        show({"errors": errors, "warnings": warnings})
    else:
        for kind, words in (("error", errors), ("warning", warnings)):
            for one in words:
                click.echo(f"{kind}: {one}")
        layers = dict.fromkeys([*(origin.layer for origin in settings.origins.values()), *found.files])
        read = f"; read from {', '.join(layers)}" if layers else "" if errors else "; nothing is set"
        click.echo(f"{len(errors)} errors, {len(warnings)} warnings{read}")
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


class _Examined(NamedTuple):
    settings: Settings
    problems: list[Misconfigured]
    files: Sequence[str] = ()
    left_out: Sequence[str] = ()  # why some of what is changed at run time does not hold
    unread: str | None = None  # why that cannot be read
    ageing: Sequence[str] = ()  # models that will stop answering


def _examined(*, detect: bool = False) -> _Examined:
    """Settings with what is changed at run time, and all that is wrong with them."""
    from core import bootstrap  # noqa: PLC0415 - a command imports what it needs
    from core.configuration import Configuration  # noqa: PLC0415 - see above
    from core.providers.registry import Registry  # noqa: PLC0415 - see above
    from core.routing import ageing  # noqa: PLC0415 - see above

    try:
        registry = Registry.with_plugins()
        configuration = Configuration(registry, dotenv=DOTENV)
    except Misconfigured as error:  # a plug-in that is none
        fail(error.message)
    settings, problems = configuration.examine()
    if problems:
        return _Examined(settings, problems, configuration.files)
    try:
        service = bootstrap.build(
            dotenv=DOTENV, registry=registry, found=_found(settings, registry) if detect else None
        )
    except Misconfigured as error:
        return _Examined(settings, [error], configuration.files)
    changes, unread = _changes(settings, service)
    settings, in_force = service.rules.settle(changes)
    going = [*ageing.expected(registry, service.catalog, settings, service.clock.now())]
    return _Examined(settings, [], configuration.files, list(in_force.left_out.values()), unread, going)


def _found(settings: Settings, registry: "Registry") -> dict[str, str] | None:
    """What runs on this machine; asked only where that could take a warning back."""
    from infra.local.server import detected  # noqa: PLC0415 - the server's own look, with all that it brings

    return asyncio.run(detected(settings, registry)) if settings.warnings else None


def _changes(settings: Settings, service: "Service") -> tuple[Changes, str | None]:
    """What was changed at run time, or why that cannot be read."""
    from core import bootstrap  # noqa: PLC0415 - a command imports what it needs

    # Looking must not leave a file behind where nothing was ever changed.
    if settings.table is None and not (settings.home / bootstrap.STATE).is_file():
        return Changes(), None
    try:
        return asyncio.run(bootstrap.changes_in(service)), None
    except PatchbayError as error:
        why = error.message
    except ImportError:
        why = "PATCHBAY_TABLE needs boto3 (pip install -e '.[aws]')"
    return Changes(), f"what is changed at run time cannot be read: {why}"


def _row(settings: Settings, name: str, key: str | None, value: Any, origin: str) -> dict[str, Any]:
    found = settings.origins.get(origin)
    return {
        "name": name,
        "key": key,
        "value": _plain(value, secret=found is not None and found.secret),
        "layer": found.layer if found else None,
        "from": str(found) if found else "default",
    }


def _settings(settings: Settings) -> Iterator[dict[str, Any]]:
    for row in SETTINGS:
        key = row.keys[0] if row.keys else None
        yield _row(settings, row.env[0], key, getattr(settings, row.name), row.name)


def _accounts(settings: Settings) -> Iterator[dict[str, Any]]:
    """What each account of a provider that is set up goes by."""
    from core.providers.registry import Registry  # noqa: PLC0415 - a command imports what it needs

    defaults = {row.provider: row.defaults for row in Registry.with_plugins().declared()}
    for provider, accounts in settings.accounts.items():
        for one in accounts:
            given = [field for field in FIELDS if settings.origin(provider, one.name, field)]
            for field in FIELDS if given or one.has_access else ():
                value = _field(one, field)
                if value is None:
                    value = defaults[provider].get(field)
                if value is not None and (field in given or field in _EFFECTIVE):
                    name = f"{provider}:{one.name}.{KEYS.get(field, (field,))[0]}"
                    yield _row(settings, name, None, value, f"{provider}:{one.name}.{field}")


def _field(account: Account, field: str) -> Any:
    head, _, capability = field.partition(".")
    return account.models.get(capability) if capability else getattr(account, head)


def _models(settings: Settings) -> Iterator[dict[str, Any]]:
    for name, given in settings.models.items():
        yield _row(settings, f"models.{name}", f"models.{name}", given, f"models.{name}")


def _plain(value: Any, *, secret: bool) -> Any:
    return masking.shown(str(value) if isinstance(value, Path) else value, secret=secret)


def _cell(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, dict) else examples.shown(value)
