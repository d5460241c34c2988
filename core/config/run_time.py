"""Settings under what is changed at run time: which names may be, and what of it is in force."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from core.config import masking
from core.config.accounts import ACCOUNT_KINDS, DEFAULT, FIELDS, names_of
from core.config.kinds import SECRET, TEXT, URL, Kind
from core.config.settings import SETTINGS, Account, Declared, Settings
from core.errors import BadRequest, Misconfigured

_ALL = "*"
_LONGEST = 4096  # characters of a value: all of them lie in one item
_NOTHING: Mapping[str, str] = {}

Field = tuple[str, str]  # whose ("" are the gateway's own) and which


class _Known(NamedTuple):
    kind: Kind
    fields: frozenset[Field]  # a name can decide several
    restart: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What the store holds: every value that was changed at run time, and how many changes led to it."""

    version: int = 0
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InForce:
    """What came of it: the values that hold, as they may be shown, and why others do not."""

    version: int = 0
    values: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


class RunTime:
    """`load` reads settings with the given values on top of what was found at start.

    `pinned` are the names that `load` keeps above all changes, as those of simulators.
    """

    def __init__(
        self,
        declared: Iterable[Declared],
        load: Callable[[Mapping[str, str]], Settings],
        *,
        pinned: Iterable[str] = (),
    ) -> None:
        declared = list(declared)
        self._known = _known(declared)
        self._load = load
        self._held = self._fields_of(pinned)
        self.start = load(_NOTHING)
        self._known |= _own(declared, self.start.accounts, frozenset(self._known))
        self._names = [name for name in self._known if name.isupper()]  # the others are set by this program alone
        self._locked = frozenset(self._lock(self.start.locked or ()))
        self._fixed = self._fields_of(self._locked)

    @property
    def fixed(self) -> bool:
        """Whether nothing can be changed at run time."""
        return _ALL in self._locked

    def _lock(self, names: Iterable[str]) -> Iterator[str]:
        """The names that patterns stand for. One that locks nothing would leave open what somebody meant to lock."""
        where = self.start.origins.get("locked", "PATCHBAY_LOCKED")
        for name in names:
            matching = [_ALL] if name == _ALL else [one for one in self._names if fnmatchcase(one, name)]
            if not matching:
                why = f"no setting fits {name[:100]}" if _ALL in name else self._unknown(name)
                raise Misconfigured(f"{where}: {why}", param="PATCHBAY_LOCKED")
            yield from matching

    def name(self, text: str) -> str:
        """The name under which a setting is kept: its first one. Refused when there is none."""
        name = text.strip().upper()
        if name not in self._names:
            raise BadRequest(self._unknown(name), param=name, code="unknown_setting")
        same = self._known[name].fields
        return next(other for other, known in self._known.items() if known.fields == same)

    def check(self, values: Mapping[str, str], name: str) -> None:
        """Refuse a change of `name` that may not be made, or that settings would not load with."""
        text = values[name]
        refusal = self._refusal(name)
        if refusal is None and not text.strip():
            refusal = f"{name}: an empty value has no effect; unset it to have back what the environment says"
        if refusal is None and len(text) > _LONGEST:
            refusal = f"{name}: the value is longer than {_LONGEST} characters"
        if refusal is not None:
            raise BadRequest(refusal, param=name, code="not_changeable")
        _, others = self.settle(Changes(0, {other: text for other, text in values.items() if other != name}))
        try:
            self._load({**{other: values[other] for other in others.values}, name: text})
        except Misconfigured as error:
            raise BadRequest(error.message, param=name, code="invalid_value") from error

    def settle(self, changes: Changes) -> tuple[Settings, InForce]:
        """Settings with all changes that can hold: what another version wrote must not stop this one."""
        left_out = {name: why for name in changes.values if (why := self._reason(name)) is not None}
        values = {name: text for name, text in sorted(changes.values.items()) if name not in left_out}
        try:
            settings = self._load(values)
        except Misconfigured:
            settings, values = self._one_by_one(values, left_out)
        shown = {name: self.shown(name, text) for name, text in values.items()}
        return settings, InForce(changes.version, shown, left_out)

    def shown(self, name: str, text: str) -> str:
        """A value as people may see it. No secret is ever kept, but nobody need rely on it."""
        known = self._known.get(name)
        return masking.HIDDEN if known is None or known.kind in {SECRET, URL} else masking.shown(text)

    def _one_by_one(self, values: Mapping[str, str], left_out: dict[str, str]) -> tuple[Settings, dict[str, str]]:
        settings, kept = self.start, dict[str, str]()
        for name, text in values.items():
            try:
                settings = self._load({**kept, name: text})
            except Misconfigured as error:
                left_out[name] = error.message
            else:
                kept[name] = text
        return settings, kept

    def _reason(self, name: str) -> str | None:
        """Why a stored value does not hold, before it is looked at."""
        if name not in self._names:
            return self._unknown(name)
        if self._known[name].fields & self._held:
            return f"{name} is set by this process for its simulators, until it ends"
        return self._refusal(name)

    def _refusal(self, name: str) -> str | None:
        known = self._known[name]
        if known.kind is SECRET:
            return (
                f"{name} is a secret: those stay in the environment, in secrets files or in a secrets manager, "
                "and are never kept in the store"
            )
        if any(what == "command" for _, what in known.fields):
            return f"{name} says which program runs here: set it in the environment or a file, and restart"
        if known.kind is URL:
            return f"{name} says where a key and requests go: set it in the environment or a file, and restart"
        if known.restart:
            return f"{name} is read once: set it in the environment and restart"
        if self.fixed or known.fields & self._fixed:
            return f"{name} is locked by PATCHBAY_LOCKED: only the environment decides it"
        return None

    def _unknown(self, name: str) -> str:
        near = get_close_matches(name, self._names, 1)
        called = masking.HIDDEN if masking.like_a_key(name) else name[:100]
        return f"{called} is not a setting" + (f"; did you mean {near[0]}?" if near else "")

    def _fields_of(self, names: Iterable[str]) -> frozenset[Field]:
        return frozenset(one for name in names if name in self._known for one in self._known[name].fields)


def _known(declared: Iterable[Declared]) -> dict[str, _Known]:
    """Every name that decides something, and what."""
    found: dict[str, _Known] = {}

    def add(name: str, kind: Kind, what: Field, *, restart: bool) -> None:
        before = found.get(name)
        also = before.fields if before else frozenset[Field]()
        found[name] = _Known(kind, also | {what}, restart)

    for setting in SETTINGS:
        for name in setting.env:
            add(name, setting.kind, ("", setting.name), restart=not setting.live)
    for row in declared:
        for what, names in row.names.items():
            for name in names:
                add(name, ACCOUNT_KINDS.get(what, TEXT), (row.provider, what), restart=False)
    return found


def _own(
    declared: Iterable[Declared], accounts: Mapping[str, tuple[Account, ...]], taken: frozenset[str]
) -> dict[str, _Known]:
    """The names of accounts that a file has named."""
    return {
        name: _Known(ACCOUNT_KINDS.get(what, TEXT), frozenset({(f"{row.provider}:{one.name}", what)}), restart=False)
        for row in declared
        for one in accounts.get(row.provider, ())
        if one.name != DEFAULT
        for what in FIELDS
        for name in names_of(row, one.name, what, taken)
    }
