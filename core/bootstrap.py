"""The composition root: settings → gateway. Opens what is bound to a loop, and closes it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from core.accounting.ledger import Ledger
from core.backends.ports import Blobs, Store
from core.clock import Clock, Ids, SystemClock, seeded
from core.config import catalog, settings
from core.config.catalog import Catalog
from core.config.overrides import merge
from core.config.settings import Account, Settings
from core.errors import Misconfigured
from core.execution.gate import InFlight
from core.execution.retry import Retry
from core.execution.walk import Walk
from core.gateway import Gateway
from core.health.stats import Stats
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing import fitness
from core.routing.planner import Planner

log = logging.getLogger("patchbay")


@dataclass(slots=True)
class Service:
    """A gateway with what it owns. Open it on the loop that will use it."""

    settings: Settings
    registry: Registry
    catalog: Catalog
    clock: Clock
    gateway: Gateway | None = None
    _transport: Transport | None = None
    _store: Store | None = None

    async def open(self) -> Gateway:
        if self.gateway is None:
            config, chance = self.settings, seeded()
            for words in config.warnings:
                log.warning("%s", words)
            self._transport = await Transport(connect_timeout=config.connect_timeout, proxy=config.proxy).open()
            self._store = await open_store(config, self.clock)
            self.registry.connect(config.accounts, self._transport)
            self.gateway = Gateway(
                settings=config,
                registry=self.registry,
                catalog=self.catalog,
                planner=Planner(self.registry, self.catalog, config),
                walk=Walk(
                    clock=self.clock,
                    chance=chance,
                    gate=InFlight(),
                    patience=config.answer_timeout,
                    retry=Retry(max_retries=config.max_retries, delay=config.retry_delay_ms / 1000),
                ),
                ledger=Ledger(self._store, self.clock),
                stats=Stats(),
                clock=self.clock,
                ids=Ids(self.clock, chance),
            )
        return self.gateway

    async def close(self) -> None:
        self.gateway = None
        if self._transport is not None:
            await self._transport.close()
        if self._store is not None:
            await self._store.close()


def build(
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    run_time: Mapping[str, str] | None = None,
    found: Mapping[str, str] | None = None,
    registry: Registry | None = None,
    clock: Clock | None = None,
) -> Service:
    """Read the configuration; nothing is opened yet. `found` is what this machine itself says, over all layers."""
    registry = registry or Registry.with_plugins()
    config, models, problems = examine(registry, environ=environ, dotenv=dotenv, run_time=run_time, found=found)
    if problems:
        raise problems[0]
    return Service(config, registry, models, clock or SystemClock())


def examine(
    registry: Registry,
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    run_time: Mapping[str, str] | None = None,
    found: Mapping[str, str] | None = None,
) -> tuple[Settings, Catalog, list[Misconfigured]]:
    """Settings and catalogue as far as they go, and all that keeps them from being used."""
    config, problems = settings.examine(
        registry.declared(), environ=environ, dotenv=dotenv, run_time=run_time, found=found
    )
    models = catalog.load()
    if config.models:
        try:
            models = merge(models, config.models, registry.canonical)
        except Misconfigured as error:
            problems.append(_in_file(error, config))
    config = whole_names(config, models)
    problems += fitness.problems(config, registry)
    return replace(config, warnings=(*config.warnings, *fitness.warnings(config, registry))), models, problems


def _in_file(error: Misconfigured, config: Settings) -> Misconfigured:
    """With the file that names the model."""
    param = error.param or ""
    labels = [origin.layer for name, origin in config.origins.items() if f"{param}.".startswith(f"{name}.")]
    return Misconfigured(f"{labels[0]}: {error.message}", param=error.param) if labels else error


def whole_names(config: Settings, models: Catalog) -> Settings:
    """Models of accounts by their whole ids where somebody gave the last part only."""
    words = []
    made: dict[str, tuple[Account, ...]] = {}
    for provider, accounts in config.accounts.items():
        for one in accounts:
            whole = models.whole_name(provider, one.model) if one.model else None
            if whole is not None:
                words.append(f"{config.origin(provider, one.name, 'model')}: {one.model} is taken for {whole}")
                made.setdefault(provider, accounts)
                made[provider] = tuple(replace(each, model=whole) if each is one else each for each in made[provider])
    if not made:
        return config
    return replace(config, accounts={**config.accounts, **made}, warnings=(*config.warnings, *words))


# Only the chosen backend is imported, so that nobody pays for another one.
async def open_store(config: Settings, clock: Clock) -> Store:
    """DynamoDB when there is a table, else SQLite under PATCHBAY_HOME."""
    if config.table:
        from core.backends.aws.dynamodb import DynamoStore  # noqa: PLC0415 - see above

        return await DynamoStore(config.table, clock).open()
    from core.backends.embedded.sqlite import SqliteStore  # noqa: PLC0415 - see above

    return await SqliteStore(config.home / "state.db", clock).open()


async def open_blobs(config: Settings) -> Blobs:
    """S3 when there is a bucket, else a folder under PATCHBAY_HOME."""
    if config.bucket:
        from core.backends.aws.s3 import S3Blobs  # noqa: PLC0415 - see above

        return await S3Blobs(config.bucket).open()
    from core.backends.embedded.folder import FolderBlobs  # noqa: PLC0415 - see above

    return FolderBlobs(config.home / "blobs")
