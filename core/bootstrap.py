"""The composition root: settings → gateway. Opens what is bound to a loop, and closes it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.accounting.ledger import Ledger
from core.backends.ports import Blobs, Store
from core.clock import Clock, Ids, SystemClock, seeded
from core.config import catalog, settings
from core.config.catalog import Catalog
from core.config.settings import Settings
from core.errors import Misconfigured
from core.execution.gate import InFlight
from core.execution.retry import Retry
from core.execution.walk import Walk
from core.gateway import Gateway
from core.health.stats import Stats
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.routing.strategies import STRATEGIES

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
            if config.strategy not in STRATEGIES:
                known = ", ".join(STRATEGIES)
                log.warning("PROVIDER_STRATEGY %r is not known (known: %s); using fallback", config.strategy, known)
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

    async def renew(self) -> None:
        """After a long pause in which nobody was served: no connection to a provider is older than that."""
        if self._transport is not None:
            await self._transport.renew()

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
    registry: Registry | None = None,
    clock: Clock | None = None,
) -> Service:
    """Read the configuration; nothing is opened yet."""
    registry = registry or Registry.with_plugins()
    config = settings.load(registry.declared(), environ=environ, dotenv=dotenv, run_time=run_time)
    check(config, registry)
    return Service(config, registry, catalog.load(), clock or SystemClock())


def check(config: Settings, registry: Registry) -> None:
    """Refuse settings that name what is not there, in one line each."""
    for setting, name in (("LLM_PROVIDER", config.llm_provider), ("CHAT_PROVIDER", config.chat_provider)):
        if name is not None and name != "auto" and registry.canonical(name) is None:
            known = ", ".join(registry.rows)
            raise Misconfigured(f"{setting}: provider {name!r} is not known; known: auto, {known}", param=setting)


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
