"""The `providers` of a file: which accounts it names, and their values under keys that all layers share."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from core.config.accounts import DEFAULT, KEYS, Declared, key_of
from core.config.files import flat, shape
from core.config.masking import quoted, shown
from core.errors import Misconfigured

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_STRUCTURE = ("type", "provider", "name", "accounts")
_AUTH = {"api_key", "key", "token", "bearer"}
_OWN_LOGIN = "cli"  # as an auth_method: who is logged in to the vendor's own program
_NO_EFFECT = {
    "cost_per_token": "prices belong to models: models.<provider/model>.usd_per_mtok",
    "rate_limit": "this version sets no limits of its own; who is refused by one moves on to the next",
    "requests_per_minute": "see rate_limit: this version sets no limits of its own",
    "tokens_per_minute": "see rate_limit: this version sets no limits of its own",
    "timeout": "time is limited for all providers alike: timeouts.answer, timeouts.total",
    "region": "this version has no service with regions; the address of an endpoint is base_url",
    "weight": "accounts take turns by priority only",
}


class Instance(NamedTuple):
    """An account that a file names."""

    provider: str
    account: str
    where: str  # its key


class Spread(NamedTuple):
    """The `providers` of one file: values by canonical key, how the file spells them, whom it names."""

    values: dict[str, str]
    spelled: dict[str, str]
    instances: list[Instance]


class Spreader:
    """Reads the `providers` of files; what is wrong with them is collected."""

    def __init__(self, rows: Iterable[Declared], problems: list[Misconfigured], warnings: list[str]) -> None:
        self._rows = {row.provider: row for row in rows}
        self._names = {
            name.lower(): row.provider for row in self._rows.values() for name in (row.provider, *row.aliases)
        }
        self._problems = problems
        self._warnings = warnings

    def spread(self, label: str, section: Any) -> Spread:
        made = Spread({}, {}, [])
        for name, where, given in self._entries(label, section):
            if not isinstance(given, Mapping | None):
                self._refuse(label, where, f"expected a mapping, got {shape(given)}")
            elif instance := self._instance(label, str(name), where, given or {}):
                self._take(label, made, instance, given or {})
        return made

    def _entries(self, label: str, section: Any) -> list[tuple[Any, str, Any]]:
        if section is None:
            return []
        if isinstance(section, Mapping):
            return [(name, f"providers.{name}", given) for name, given in section.items()]
        if not isinstance(section, list):
            self._refuse(label, "providers", f"expected a mapping or a list, got {shape(section)}")
            return []
        found = []
        for number, given in enumerate(section):
            where = f"providers[{number}]"
            if not isinstance(given, Mapping):
                self._refuse(label, where, f"expected a mapping, got {shape(given)}")
                continue
            name = given.get("name") or given.get("type") or given.get("provider")
            if name is None:
                self._refuse(label, where, "needs type: <provider>")
            else:
                found.append((name, where, given))
        return found

    def _instance(self, label: str, name: str, where: str, given: Mapping[Any, Any]) -> Instance | None:
        """Which account an entry is about."""
        own, asked = self._names.get(name.lower()), given.get("type") or given.get("provider")
        provider = own if asked is None else self._names.get(str(asked).lower())
        if provider is None:
            near = get_close_matches(str(asked or name).lower(), self._names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            if asked is not None:
                self._refuse(label, f"{where}.type", f"provider {quoted(str(asked))} is not known{hint}")
            else:
                words = f"{where} is not known{hint or '.'} An account of your own needs type: <provider>"
                self._warnings.append(f"{label}: {words}")
            return None
        if own == provider:
            return Instance(provider, DEFAULT, where)
        if own is not None:
            self._refuse(label, where, f"is called like the provider {own}; choose another name")
            return None
        return self._named(label, provider, name, where)

    def _named(self, label: str, provider: str, name: str, where: str) -> Instance | None:
        name = name.lower()
        if name == "auto" or not _NAME.fullmatch(name):
            self._refuse(label, where, "an account's name has letters, digits, dots and dashes, and is not auto")
            return None
        return Instance(provider, name, where)

    def _take(self, label: str, made: Spread, instance: Instance, given: Mapping[Any, Any]) -> None:
        provider, account, where = instance
        self._check_structure(label, instance, given)
        if account != DEFAULT:
            made.instances.append(instance)
        inner = given.get("accounts") if account == DEFAULT else None
        if not isinstance(inner, Mapping | None):
            self._refuse(label, f"{where}.accounts", f"expected a mapping of names, got {shape(inner)}")
            inner = None
        for name, one in (inner or {}).items():
            place = f"{where}.accounts.{name}"
            if not isinstance(one, Mapping | None):
                self._refuse(label, place, f"expected a mapping, got {shape(one)}")
            elif str(name).lower() == DEFAULT:
                self._check_structure(label, Instance(provider, DEFAULT, place), one or {})
                self._values(label, made, Instance(provider, DEFAULT, place), one or {})
            elif named := self._named(label, provider, str(name), place):
                self._take(label, made, named, one or {})
        self._values(label, made, instance, given)

    def _check_structure(self, label: str, instance: Instance, given: Mapping[Any, Any]) -> None:
        """What says whose an account is must not be overlooked: its key would go to somebody else."""
        provider, account, where = instance
        for word in ("type", "provider"):
            said = given.get(word)
            if said is not None and self._names.get(str(said).lower()) != provider:
                words = f"{said!r} is another provider than {provider}, whose account this is"
                self._refuse(label, f"{where}.{word}", words)
        inside = ".accounts." in where
        if given.get("accounts") is not None and (inside or account != DEFAULT):
            words = f"an account has no accounts of its own: write them below providers.{provider}.accounts"
            self._refuse(label, f"{where}.accounts", words)
        name = given.get("name")
        if name is not None and not where.endswith("]") and str(name).lower() != where.rpartition(".")[2].lower():
            self._refuse(
                label, f"{where}.name", f"it is called {where.rpartition('.')[2]} here: remove its other name"
            )

    def _values(self, label: str, made: Spread, instance: Instance, given: Mapping[Any, Any]) -> None:
        provider, account, where = instance
        values = flat({key: value for key, value in given.items() if key not in _STRUCTURE})
        if isinstance(given.get("models"), list):
            self._refuse(label, f"{where}.models", "expected a mapping of capabilities to models, got a list")
            values.pop("models", None)
        program = self._rows[provider].command
        if program and values.get("auth_method", "").lower() == _OWN_LOGIN:
            del values["auth_method"]
            values.setdefault("command", program)
        for name, spellings in KEYS.items():
            if name == "command" and not program:
                continue
            for spelling in spellings:
                if spelling not in values:
                    continue
                key, value = key_of(provider, account, name), values.pop(spelling)
                if key in made.values:
                    self._warnings.append(f"{label}: {where}.{spelling} has no effect beside {made.spelled[key]}")
                else:
                    made.values[key], made.spelled[key] = value, f"{where}.{spelling}"
        for left, value in values.items():
            self._left_over(label, where, left, value)

    def _left_over(self, label: str, where: str, key: str, value: str) -> None:
        if key == "auth_method":
            if value.lower() not in _AUTH:
                words = (
                    "this version sends a key (api_key) or a token (token) there, and runs no program of its vendor's"
                )
                self._warnings.append(f"{label}: {where}.auth_method: {shown(value)} has no effect: {words}")
            return
        if key in _NO_EFFECT:
            self._warnings.append(f"{label}: {where}.{key} has no effect: {_NO_EFFECT[key]}")
            return
        known = [*(spelling for one in KEYS.values() for spelling in one), *_STRUCTURE, "auth_method"]
        head = key.partition(".")[0]
        if head in known:
            self._refuse(label, f"{where}.{head}", "expected a single value, got a mapping")
            return
        near = get_close_matches(key.lower(), known, n=1) or get_close_matches(head.lower(), known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        self._warnings.append(f"{label}: {where}.{key} is not known{hint}")

    def _refuse(self, label: str, where: str, why: str) -> None:
        self._problems.append(Misconfigured(f"{label}: {where}: {why}", param=where))
