"""Which providers a part of a program uses, and the gateway over them, opened on the loop that asks."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from weakref import finalize

from core import bootstrap, log
from core.bootstrap import Service
from core.capabilities import Capability
from core.config.catalog import Catalog, Entry
from core.config.settings import Account, Settings
from core.gateway import Gateway
from core.health.stats import Stats
from core.library.opened import Opened
from core.library.own import Own
from core.net.transport import Transport
from core.providers.registry import Registry
from core.providers.row import Row
from core.routing.planner import Planner
from core.types.target import Place

_DOTENV = Path(".env")
_LOGGING = {"log_level", "log_format"}  # who sets one of them wants our lines; else a program's own logging decides


@dataclass(frozen=True)
class Member:
    """A provider that a program brings along."""

    row: Row
    account: Account
    entries: tuple[Entry, ...] = ()
    like: str | None = None  # whose models and prices are its own, too
    own: Own | None = None


@dataclass(frozen=True)
class Desk:
    """What can be answered without asking any provider."""

    settings: Settings
    registry: Registry
    catalog: Catalog
    planner: Planner


class Scope:
    """What the environment configures, and who was added; an exact one holds only who was added, once somebody was."""

    def __init__(
        self, *, environ: Mapping[str, str] | None = None, dotenv: Path | None = _DOTENV, exact: bool = False
    ) -> None:
        self.stats = Stats()
        self._environ = environ
        self._dotenv = dotenv
        self._exact = exact
        self._members: dict[str, Member] = {}
        self._pinned: dict[str, str] = {}
        self._lock = threading.RLock()
        self._read: Mapping[str, str] | None = None  # the environment as it was when it was first asked
        self._configured: Service | None = None
        self._desk: Desk | None = None
        self._version = 0  # rises with every change; who is opened keeps what it was opened with
        self._opened: dict[asyncio.AbstractEventLoop, Opened] = {}
        finalize(self, _abandon, self._opened).atexit = False

    @property
    def exact(self) -> bool:
        return self._exact and bool(self._members)

    @property
    def members(self) -> list[Member]:
        return list(self._members.values())

    def add(self, *members: Member) -> None:
        """From the next request on."""
        with self._lock:
            for member in members:
                self._members[member.row.name] = member
            self._changed()

    def configure(self, **values: str) -> None:
        """Settings by their environment names, over everything else that sets them."""
        with self._lock:
            self._pinned |= values
            self._configured = None
            self._changed()

    def reload(self) -> None:
        """Read the configuration anew; who was added stays."""
        with self._lock:
            self._configured = self._read = None
            self._changed()

    def sub(self, *members: Member, exact: bool = True) -> "Scope":
        """A scope of its own with the same configuration."""
        made = Scope(environ=self._environ, dotenv=self._dotenv, exact=exact)
        made._pinned, made._read = dict(self._pinned), self._read
        if members:
            made.add(*members)
        return made

    @property
    def configured(self) -> Service:
        """What the environment says, without anybody added. Never opened."""
        with self._lock:
            if self._configured is None:
                self._configured = self._built(Registry.with_plugins())
                config = self._configured.settings
                if _LOGGING & config.origins.keys():
                    log.configure(config.log_level, config.log_format)
                else:
                    log.leave_to_program()
            return self._configured

    def account_of(self, row: Row) -> Account:
        """What the environment says for a provider that is not in the table."""
        registry = Registry.with_plugins()
        registry.register(row)
        return self._built(registry).settings.accounts[row.name][0]

    @property
    def desk(self) -> Desk:
        with self._lock:
            if self._desk is None:
                made = self._assembled()
                made.registry.connect(made.settings.accounts, Transport())  # which nobody opens
                planner = Planner(made.registry, made.catalog, made.settings)
                self._desk = Desk(made.settings, made.registry, made.catalog, planner)
            return self._desk

    def available(self, capability: Capability | None = None) -> list[str]:
        """Who could answer, in the order of the chain."""
        if capability is not None:
            return list(dict.fromkeys(place.provider for place in self.chain(capability)))
        registry = self.desk.registry
        return [name for name in registry.rows if registry.is_live(name) and self._ready(name)]

    def chain(self, capability: Capability) -> list[Place]:
        """The accounts that could answer, in order."""
        return [place for place in self.desk.planner.chain(capability) if self._ready(place.provider)]

    def owner(self, name: str) -> Own | None:
        member = self._members.get(name)
        return member.own if member else None

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[Gateway]:
        """The gateway on the running loop, for one request."""
        opened = await self._here()
        opened.users += 1
        try:
            yield await opened.gateway()
        finally:
            opened.users -= 1
            await opened.let_go()

    async def close(self) -> None:
        """Close what is open on the running loop; the next request opens it anew."""
        opened = self._opened.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.close()

    async def _here(self) -> Opened:
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._opened.get(loop)
            if known is not None and known.version == self._version and known.good:
                return known
            for other in [one for one in self._opened if one.is_closed()]:
                del self._opened[other]
            fresh = self._opened[loop] = Opened(self._assembled(), self._version, loop)
        if known is not None:
            known.stale = True
            await known.let_go()
        return fresh

    def _built(self, registry: Registry, adjust: Callable[[Settings], Settings] = lambda config: config) -> Service:
        if self._read is None:
            self._read = dict(os.environ if self._environ is None else self._environ)
        return bootstrap.build(
            environ=self._read, dotenv=self._dotenv, pinned=self._pinned, registry=registry, adjust=adjust
        )

    def _ready(self, name: str) -> bool:
        own = self.owner(name)
        return own is None or own.ready

    def _changed(self) -> None:
        self._desk = None
        self._version += 1

    def _assembled(self) -> Service:
        known, members, exact = self.configured.registry, self.members, self.exact
        rows = [] if exact else list(known.rows.values())
        registry = Registry(rows)
        for member in members:
            registry.register(member.row)

        def adjust(config: Settings) -> Settings:
            given: dict[str, Any] = {
                "accounts": {row.name: config.accounts.get(row.name, ()) for row in rows}
                | {member.row.name: (member.account,) for member in members}
            }
            if exact:  # the order is the caller's own, whoever the environment prefers
                names = [one.name for one in fields(Settings)]
                given |= dict.fromkeys(name for name in names if name.endswith("_provider"))
                given |= dict.fromkeys((name for name in names if name.endswith("_chain")), ()) | {
                    "prefer_local": False
                }
            return replace(config, **given)

        made = self._built(known, adjust)
        made.registry, made.catalog, made.stats = registry, _extended(made.catalog, members), self.stats
        return made


def _extended(catalog: Catalog, members: Iterable[Member]) -> Catalog:
    """The catalogue with what members bring; of two entries for the same model the later one holds."""
    more: list[Entry] = []
    for member in members:
        like = member.like or member.row.name
        known = [entry for entry in catalog.entries.values() if entry["provider"] == like]
        if member.own is not None:
            more += (_by_own_code(entry, member.row) for entry in known)
        elif member.like is not None:
            more += ({**entry, "provider": member.row.name} for entry in known)
        more += member.entries
    return Catalog(entries=[*catalog.entries.values(), *more]) if more else catalog


def _by_own_code(entry: Entry, row: Row) -> Entry:
    """A vendor's model called by a program's own code: it knows itself which models there are and what they take."""
    kept = {name: value for name, value in entry.items() if name not in _VENDORS_WORD}
    return {**kept, "features": [one for one in entry.get("features", ()) if one in row.features]}


_VENDORS_WORD = {"lifecycle", "retires", "successor", "sampling"}


def _abandon(opened: dict[asyncio.AbstractEventLoop, Opened]) -> None:
    for one in opened.values():
        one.abandon()


_current: Scope | None = None


def current() -> Scope:
    """What the module's own verbs use: the environment and `.env`, read when first asked for."""
    global _current  # noqa: PLW0603 - the seeds' verbs have no object that could hold it
    if _current is None:
        _current = Scope()
    return _current


@contextmanager
def using(scope: Scope) -> Iterator[Scope]:
    """Let the module's own verbs use another scope for a while, as tests do."""
    global _current  # noqa: PLW0603 - see above
    before, _current = _current, scope
    try:
        yield scope
    finally:
        _current = before
