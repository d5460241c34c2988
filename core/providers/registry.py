"""Name → row → live adapter. Adapters are imported on first use; plug-ins join by entry point."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from core.capabilities import Capability
from core.config.accounts import DEFAULT, names_of
from core.config.masking import quoted
from core.config.settings import Account, Declared
from core.errors import Misconfigured
from core.net.transport import Transport
from core.providers.row import Images, Row
from core.providers.table import TABLE
from core.types.target import Place

ENTRY_POINTS = "patchbay.providers"


class Part(NamedTuple):
    """What an account can do with one set of credentials."""

    title: str
    capabilities: tuple[Capability, ...]
    missing: list[str]  # the environment names that it lacks


class Registry:
    def __init__(self, rows: Iterable[Row] = TABLE) -> None:
        self.rows: dict[str, Row] = {}
        self._names: dict[str, str] = {}
        self._live: dict[tuple[str, str, Capability], Any] = {}
        self._accounts: Mapping[str, tuple[Account, ...]] = {}
        self._transport: Transport | None = None
        for row in rows:
            self.register(row)

    @classmethod
    def with_plugins(cls) -> "Registry":
        """The table, and what installed packages add under the entry point `patchbay.providers`."""
        registry = cls()
        for point in entry_points(group=ENTRY_POINTS):
            row = point.load()
            if not isinstance(row, Row):
                raise Misconfigured(f"plug-in {point.name} ({point.value}): expected a Row, got {type(row).__name__}")
            registry.register(row)
        return registry

    def register(self, row: Row) -> None:
        names = [name.lower() for name in (row.name, *row.aliases)]
        for name in names:
            taken = self._names.get(name, row.name)
            if taken != row.name:
                raise Misconfigured(f"provider name {name!r} is taken by {taken}")
        self._names |= dict.fromkeys(names, row.name)
        self.rows[row.name] = row

    def canonical(self, name: str) -> str | None:
        """A provider's name from any of its names; None when nobody has it."""
        return self._names.get(name.strip().lower())

    def place(self, name: str, accounts: Mapping[str, tuple[Account, ...]] | None = None) -> Place | None:
        """Whom a name means: a provider, its account (`provider:account`), or an account that nobody else has."""
        found = self._places(name, self._accounts if accounts is None else accounts)
        return found[0] if len(found) == 1 else None

    def unknown(self, name: str, accounts: Mapping[str, tuple[Account, ...]] | None = None, *more: str) -> str:
        """Why a name means nobody, or nobody in particular."""
        found = self._places(name, self._accounts if accounts is None else accounts)
        if found:
            owners = " and of ".join(one.provider for one in found)
            names = " or ".join(f"{one.provider}:{one.account}" for one in found)
            return f"{quoted(name)} is an account of {owners}; write {names}"
        return f"provider {quoted(name)} is not known; known: {', '.join([*more, *self.known(accounts)])}"

    def _places(self, name: str, accounts: Mapping[str, tuple[Account, ...]]) -> list[Place]:
        name = name.strip().lower()
        provider = self.canonical(name)
        if provider is not None:
            return [Place(provider)]
        head, colon, account = name.partition(":")
        owner = self.canonical(head) if colon else None
        return [
            Place(row, one.name)
            for row, ones in accounts.items()
            for one in ones
            if (owner == row and one.name == account) or (not colon and one.name == name != DEFAULT)
        ]

    def known(self, accounts: Mapping[str, tuple[Account, ...]] | None = None) -> list[str]:
        """Names of providers and of their accounts, for messages."""
        accounts = self._accounts if accounts is None else accounts
        return [
            *self.rows,
            *(str(Place(row, one.name)) for row, ones in accounts.items() for one in ones if one.name != DEFAULT),
        ]

    def declared(self) -> list[Declared]:
        return [row.declared() for row in self.rows.values()]

    def connect(self, accounts: Mapping[str, tuple[Account, ...]], transport: Transport) -> None:
        self._accounts, self._transport = accounts, transport
        self._live.clear()

    @property
    def transport(self) -> Transport:
        if self._transport is None:
            raise RuntimeError("the registry is not connected")
        return self._transport

    def renewed(self, accounts: Mapping[str, tuple[Account, ...]], transport: Transport) -> "Registry":
        """The same providers with these accounts; an account that is as it was keeps its adapter."""
        new = Registry(self.rows.values())
        new.connect(accounts, transport)
        if self._transport is transport:
            for (provider, name, capability), live in self._live.items():
                before = next(one for one in self.accounts(provider) if one.name == name)
                if before in new.accounts(provider):
                    new._live[provider, name, capability] = live
        return new

    def accounts(self, name: str) -> tuple[Account, ...]:
        return self._accounts.get(name, ())

    def missing(self, row: Row, account: Account, capability: Capability = Capability.CHAT) -> list[str]:
        """The environment names that would make this account usable; empty when it is."""
        declared, row = row.declared(), row.of(account, capability)
        key, given = getattr(account, row.key_field), getattr(account, row.url_field)
        if not key and given and row.base_url and not row.is_vendors_host(given):
            return []  # the user's own server in place of the vendor's may need no key
        has = {row.key_field} if row.token(account) else set()
        # A need may be met in one of several ways: by a region, or by an address.
        lacking = [need.split("|") for need in row.needs if need not in has]
        return [
            " or ".join(_name(declared, account, name) for name in names)
            for names in lacking
            if not any(getattr(account, name) for name in names)
        ]

    def is_ready(
        self, provider: str, account: Account, capability: Capability | None = None, *, alone: bool = False
    ) -> bool:
        """Whether an account of a provider could answer at all, or what is asked of it; `alone`: by no other way."""
        row = self.rows[provider]
        asked = row.capabilities if capability is None else (capability,)
        ways = [way for one in asked or (Capability.CHAT,) for way in ((one,) if alone else row.ways(one))]
        return account.enabled and any(not self.missing(row, account, way) for way in ways)

    def parts(self, provider: str, account: Account) -> list[Part]:
        """What of an account has credentials of its own, and what each lacks."""
        row = self.rows[provider]
        return [
            Part(one.title, can, self.missing(row, account, can[0] if can else Capability.CHAT))
            for one, can in row.parts()
        ]

    def is_live(self, name: str) -> bool:
        """Whether any of a provider's accounts could."""
        return any(self.is_ready(name, one) for one in self.accounts(name))

    def able(self, name: str) -> list[Capability]:
        """What any of a provider's accounts could do."""
        asked = [one for one in Capability if one in self.rows[name].capabilities]
        return [one for one in asked if any(self.is_ready(name, account, one) for account in self.accounts(name))]

    def offering(self, capability: Capability) -> list[Row]:
        return [row for row in self.rows.values() if capability in row.capabilities]

    def account(self, provider: str, name: str) -> Account:
        return next(one for one in self.accounts(provider) if one.name == name)

    def takes(self, place: Place, dialect: str) -> bool:
        """Whether an account takes bodies of a dialect as they are."""
        if place.account is None or dialect not in self.rows[place.provider].dialects:
            return False
        account = self.account(place.provider, place.account)
        row = self.rows[place.provider].of(account)
        return dialect in row.dialects and not row.is_dated(account.api_version)

    def row(self, provider: str, account_name: str, capability: Capability = Capability.CHAT) -> Row:
        """A provider's row as it is for one of its accounts."""
        return self.rows[provider].of(self.account(provider, account_name), capability)

    def images(self, provider: str, account_name: str) -> Images:
        """How an account takes images. Who is not the vendor may stand where he reaches what users must not."""
        account = self.account(provider, account_name)
        row = self.rows[provider].of(account)
        return row.images if row.is_vendors(account) else row.images._replace(urls=False, documents=False)

    def adapter(self, provider: str, account_name: str, capability: Capability = Capability.CHAT) -> Any:
        """The live adapter of an account; one for all that the same row does."""
        live = self._live.get((provider, account_name, capability))
        if live is None:
            transport, account = self.transport, self.account(provider, account_name)
            row = self.rows[provider].of(account, capability)
            others = (one for one in Capability if self.rows[provider].of(account, one) is row)
            made = (self._live.get((provider, account_name, one)) for one in others)
            live = next((one for one in made if one is not None), None)
            live = live or load_adapter(row)(row, account, transport)
            self._live[provider, account_name, capability] = live
        return live


def _name(declared: Declared, account: Account, field: str) -> str:
    """What sets a field of an account."""
    names = names_of(declared, account.name, field)
    return names[0] if names else f"{field} of {declared.provider}:{account.name}"


def load_adapter(row: Row) -> Callable[..., Any]:
    if not isinstance(row.adapter, str):
        return row.adapter
    module, _, name = row.adapter.partition(":")
    adapter: type[Any] = getattr(import_module(module), name)
    return adapter
