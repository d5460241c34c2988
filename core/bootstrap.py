"""The composition root: settings → gateway. Opens what is bound to a loop, and closes it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from core import log as lines
from core.accounting.ledger import Ledger
from core.accounting.report import Report
from core.backends.ports import Blobs, Queue, Store
from core.backends.reach import Reach
from core.cache.layered import Cache
from core.clock import NEVER, Clock, Ids, SystemClock, seeded
from core.config.catalog import Catalog
from core.config.run_time import Changes, RunTime
from core.config.settings import Settings
from core.configuration import Configuration
from core.errors import StoreUnavailable
from core.execution.gate import InFlight
from core.execution.retry import Retry
from core.execution.walk import Walk
from core.gateway import Gateway
from core.health.stats import Stats
from core.net.sessions import Sessions
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing.planner import POLICY, Planner
from core.steps import Steps
from core.switches import Switches, Watch

log = logging.getLogger("patchbay")

STATE = "state.db"  # below PATCHBAY_HOME
# Seconds that requests may take to end when the service closes, and to settle after they were cancelled.
_SETTLE_SECONDS = 3.0
_CANCEL_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Lasting:
    """What outlives a change of settings: connections, state, and what was learnt from traffic."""

    transport: Transport
    store: Store
    watch: Watch
    cache: Cache
    ledger: Ledger
    report: Report
    stats: Stats
    gate: InFlight
    chance: Random
    ids: Ids


@dataclass(slots=True)
class Service:
    """A gateway with what it owns. Open it on the loop that will use it."""

    settings: Settings
    registry: Registry
    catalog: Catalog
    clock: Clock
    rules: RunTime
    stats: Stats = field(default_factory=Stats)
    gateway: Gateway | None = None
    due: float = -NEVER  # from then on a request goes by way of `current`
    under_way: set[asyncio.Task[Any]] = field(default_factory=set)  # requests
    _lasting: _Lasting | None = None
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _said: set[str] = field(default_factory=set)

    async def open(self) -> Gateway:
        async with self._opening:
            if self.gateway is None:
                self._lasting = lasting = await self._open()
                changes = await lasting.watch.look()
                self.gateway = self._made(lasting, changes or Changes())
                self._tend(lasting)
        return self.gateway

    async def current(self) -> Gateway:
        """The gateway after what has to be done now and then: a look whether settings were changed, sweeping.

        What is under way ends on the gateway it began with.
        """
        gateway, lasting = self.gateway, self._lasting
        if gateway is None or lasting is None:
            return await self.open()
        self.due = NEVER
        try:
            changes = await lasting.watch.look() if lasting.watch.due < NEVER else None
            if changes is not None and self.gateway is not None:
                gateway = self.gateway = self._made(lasting, changes)
        except Exception:
            log.exception("settings of the newest version cannot be put in force; those before stay")
        finally:
            self._tend(lasting)
        return gateway

    async def renew(self) -> None:
        """After a pause of everything: connections of before may be dead, and other clocks may have stood still."""
        if self._lasting is not None:
            await self._lasting.transport.renew()
            self.due = self._lasting.watch.due = -NEVER

    async def flush(self) -> None:
        """What was appended is durable when it returns, for who may be frozen or ended then."""
        if self._lasting is not None:
            try:
                await self._lasting.store.flush()
            except StoreUnavailable as error:
                log.error("state may be lost: %s", error.message)  # noqa: TRY400 - no trace needed

    async def close(self) -> None:
        """The store last: whoever is still under way settles there, and gives back what it holds for others."""
        self.gateway = None
        self.due = -NEVER
        if self._lasting is not None:
            await self._settled()
            await self._lasting.transport.close()
            await self._lasting.cache.close()
            await self._lasting.store.close()

    @asynccontextmanager
    async def switches(self) -> AsyncIterator[Switches]:
        """The settings changed at run time alone, for who needs no gateway."""
        store = await open_store(self.settings, self.clock)
        try:
            yield Switches(store, self.clock, self.rules)
        finally:
            await store.close()

    async def _open(self) -> _Lasting:
        config, clock, chance = self.settings, self.clock, seeded()
        store, reach = await open_store(config, clock), Reach(clock)
        sessions = Sessions(config.speech_sessions, config.speech_overflow)
        transport = Transport(connect_timeout=config.connect_timeout, proxy=config.proxy, sessions=sessions)
        await transport.open()
        return _Lasting(
            transport=transport,
            store=store,
            # What nobody can change need not be looked for.
            watch=Watch(Switches(store, clock, self.rules), reach, clock, 0 if self.rules.fixed else config.refresh),
            cache=Cache(
                store=store,
                reach=reach,
                # A folder beside a table would hold what other instances look for and do not find.
                open_blobs=None if config.table and not config.bucket else partial(open_blobs, config),
                sweeps=not config.bucket,
                clock=clock,
                ttl=config.cache_ttl,
                configuration=_fingerprint(config),
                owner=f"{chance.getrandbits(64):016x}",
            ),
            ledger=Ledger(store, clock, reach),
            report=Report(store, clock),
            stats=self.stats,
            gate=InFlight(),
            chance=chance,
            ids=Ids(clock, chance),
        )

    async def _settled(self) -> None:
        """Requests have ended, or are given up. Who stops a server has let them go on, and has then cancelled them."""
        mine = {asyncio.current_task()}
        for patience in (_SETTLE_SECONDS, _CANCEL_SECONDS):
            if not (left := self.under_way - mine):
                return
            _, late = await asyncio.wait(left, timeout=patience)
            for one in late:
                one.cancel()

    def _tend(self, lasting: _Lasting) -> None:
        if self.clock.monotonic() >= lasting.cache.due:
            lasting.cache.sweep()
        self.due = min(lasting.watch.due, lasting.cache.due)

    def _made(self, lasting: _Lasting, changes: Changes) -> Gateway:
        """A gateway on these changes."""
        before = self.settings
        config, in_force = self.rules.settle(changes)
        self._say(logging.WARNING, *config.warnings, *in_force.left_out.values())
        if config.log_level != before.log_level:
            lines.set_level(config.log_level)
        lasting.transport.connect_timeout = config.connect_timeout
        lasting.transport.sessions.adjust(config.speech_sessions, config.speech_overflow)
        self.registry = self.registry.renewed(config.accounts, lasting.transport)
        self.settings = config
        if changes.version:
            log.info("settings of version %d are in force: %s", changes.version, ", ".join(in_force.values) or "none")
        steps = Steps(
            settings=config,
            registry=self.registry,
            catalog=self.catalog,
            planner=Planner(self.registry, self.catalog, config),
            walk=Walk(
                clock=self.clock,
                chance=lasting.chance,
                gate=lasting.gate,
                patience=config.answer_timeout,
                retry=Retry(max_retries=config.max_retries, delay=config.retry_delay_ms / 1000),
            ),
            ledger=lasting.ledger,
            stats=lasting.stats,
            cache=lasting.cache.under(config.cache_ttl, _fingerprint(config)) if config.cache else None,
            clock=self.clock,
            ids=lasting.ids,
        )
        return Gateway(steps, report=lasting.report, in_force=in_force)

    def _say(self, level: int, *words: str) -> None:
        """Once in the life of a process, however often settings change."""
        for one in words:
            if one not in self._said:
                self._said.add(one)
                log.log(level, "%s", one)


def build(
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    changes: Changes | None = None,
    found: Mapping[str, str] | None = None,
    pinned: Mapping[str, str] | None = None,
    registry: Registry | None = None,
    clock: Clock | None = None,
    adjust: Callable[[Settings], Settings] = lambda config: config,
) -> Service:
    """Read the configuration; nothing is opened yet.

    Changed at run time is what the store says when it is opened, or sooner when `changes` are given; `found` and
    `pinned` are below and above that. `adjust` has the last word each time settings are put in force.
    """
    registry = registry or Registry.with_plugins()
    configuration = Configuration(registry, environ=environ, dotenv=dotenv, found=found, pinned=pinned)
    rules = RunTime(registry.declared(), lambda run_time: adjust(configuration.load(run_time)), pinned=pinned or ())
    config, _ = rules.settle(changes or Changes())
    return Service(config, registry, configuration.catalog, clock or SystemClock(), rules)


async def changes_in(service: Service) -> Changes:
    """What was changed at run time, for who must know it before the service is opened."""
    async with service.switches() as switches:
        return await switches.current()


def _fingerprint(config: Settings) -> str:
    """Stands for the settings that decide who answers. Keys print as `***`; a new key answers the same."""
    return sha256(f"{POLICY} {config.deciding!r}".encode()).hexdigest()[:16]


# Only the chosen backend is imported, so that nobody pays for another one.
async def open_store(config: Settings, clock: Clock) -> Store:
    """DynamoDB when there is a table, else SQLite under PATCHBAY_HOME."""
    if config.table:
        from core.backends.aws.dynamodb import DynamoStore  # noqa: PLC0415 - see above

        return await DynamoStore(config.table, clock).open()
    from core.backends.embedded.sqlite import SqliteStore  # noqa: PLC0415 - see above

    return await SqliteStore(config.home / STATE, clock).open()


async def open_blobs(config: Settings) -> Blobs:
    """S3 when there is a bucket, else a folder under PATCHBAY_HOME."""
    if config.bucket:
        from core.backends.aws.s3 import S3Blobs  # noqa: PLC0415 - see above

        return await S3Blobs(config.bucket).open()
    from core.backends.embedded.folder import FolderBlobs  # noqa: PLC0415 - see above

    return FolderBlobs(config.home / "blobs")


async def open_queue(config: Settings, clock: Clock) -> Queue:
    """SQS when there is a queue, else SQLite under PATCHBAY_HOME."""
    if config.queue:
        from core.backends.aws.sqs import SqsQueue  # noqa: PLC0415 - see above

        return await SqsQueue(config.queue).open()
    from core.backends.embedded.queue import SqliteQueue  # noqa: PLC0415 - see above

    return await SqliteQueue(config.home / "queue.db", clock).open()
