"""How a provider becomes a member of a scope: a row of the table with a configuration, or a caller's own object."""

import inspect
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

from core.config.accounts import ACCOUNT_KINDS
from core.config.kinds import Kind
from core.config.settings import Account
from core.errors import BadRequest, Misconfigured
from core.library.own import Own
from core.library.requests import ProviderConfig
from core.library.scope import Member, Scope
from core.library.words import text_of
from core.providers.row import Row

_LONGEST = 60  # characters of a wrong name that are shown
_FIELDS = {"api_key": "key", "base_url": "base_url", "model": "model", "embedding_model": "embedding_model"}


def row_of(where: Scope, name: str) -> Row:
    """A row by any of its names. Refuses what nobody knows."""
    registry = where.configured.registry
    known = name_of(where, name)
    if known is None:
        names = ", ".join(registry.rows)
        raise BadRequest(f"provider {name!r} is not known; known: {names}", param="provider", code="unknown_provider")
    return registry.rows[known]


def name_of(where: Scope, name: str) -> str | None:
    """A provider's own name from any of its names."""
    return where.configured.registry.canonical(name)


def from_row(where: Scope, row: Row, config: ProviderConfig | None = None) -> Member:
    """The environment's account, with what the configuration says in its place; a further name is an instance."""
    found = where.configured.settings.accounts.get(row.name, ())
    account = replace(found[0] if found else Account(), name="default")
    if row.detect and not account.base_url:
        account = replace(account, base_url=row.base_url)  # who names it means the one that runs here
    if config is None:
        return Member(row, account)
    given = {field: _parsed(name, field, getattr(config, name)) for name, field in _FIELDS.items()}
    given = {field: value for field, value in given.items() if value is not None}
    if "base_url" in given and "key" not in given:
        account = replace(account, key=None, token=None)  # the environment's key is not for another address
    if "key" in given:
        account = replace(account, token=None)
    account = replace(account, **given, enabled=config.enabled, priority=config.priority)
    name = config.name.strip().lower()
    if name in {"", row.name, *row.aliases}:
        return Member(row, account)
    checked_name(name)
    return Member(replace(row, name=name, aliases=(), title=f"{row.title} ({name})"), account, like=row.name)


def from_own(where: Scope, name: str | None, provider: Any, config: ProviderConfig | None = None) -> Member:
    """A caller's own provider: an object, or a class to make one of."""
    if isinstance(provider, type):
        provider = made(where, name or "", provider, config)
    own = Own(provider)
    name = text_of(name or getattr(provider, "name", None) or type(provider).__name__)
    row = own.row(where.configured.registry.canonical(name) or checked_name(name))
    # Its code may be another in the next process: what is kept of its answers is for this one.
    account = Account(api_version=uuid4().hex)
    if config is not None:
        account = replace(account, enabled=config.enabled, priority=config.priority)
    return Member(row, account, own.entries(row), own=own)


def checked_name(name: str) -> str:
    """One that can stand before the slash of provider/model, in chains and in receipts."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise BadRequest(
            f"{name[:_LONGEST]!r} cannot be a provider's name: letters, digits, dashes, underscores and dots are",
            param="name",
            code="invalid_value",
        )
    return name


def unranked(member: Member) -> Member:
    """For a chain whose order is that of joining."""
    return replace(member, account=replace(member.account, priority=None, first=False))


def made(where: Scope, name: str, cls: type[Any], config: ProviderConfig | None, **more: Any) -> Any:
    """An instance, given what its constructor takes of config, capability and key."""
    if config is None:
        found = where.account_of(Row(name=name, title=name))
        key = found.key.reveal() if found.key else None
        config = ProviderConfig(
            name=name, api_key=key, base_url=found.base_url, model=found.model, enabled=found.enabled
        )
    offers = {"config": config, "api_key": config.api_key, "base_url": config.base_url, **more}
    takes = inspect.signature(cls).parameters
    given = {one: offers.get(one) for one, what in takes.items() if one in offers or what.default is what.empty}
    return cls(**{one: value for one, value in given.items() if takes[one].kind not in _VARIABLE})


_VARIABLE = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def _parsed(name: str, field: str, value: Any) -> Any:
    """A configuration's value, checked as the same setting from the environment is."""
    if value is None or value == "":
        return None
    kind: Kind = ACCOUNT_KINDS[field]
    try:
        return kind.parse(str(value))
    except (ValueError, KeyError):
        raise Misconfigured(f"ProviderConfig.{name}: expected {kind.expects}", param=name) from None
