"""Reads settings from all layers: values with their origins, and all that is wrong or odd with them."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from core.config import files
from core.config.accounts import FIELDS, KEYS, Account, Accounts, Declared, names_of
from core.config.files import Tree, flat
from core.config.instances import Instance, Spreader
from core.config.kinds import SECRET
from core.config.layers import Found, Layer, Layers, Origin, named
from core.config.sources import EARLY, Setting, Sources
from core.errors import Misconfigured

# The simulators have settings of their own beside these.
_OTHERS = ("PATCHBAY_SIMULATOR_",)
_PREFIX = "PATCHBAY_"
_NEAR = 0.85  # how alike a name in .env must be to one of ours to be taken for a slip
_LIKELY = 0.75  # and a key in a file, which nobody else reads
_APART = frozenset({"providers", "models", "voices"})
_VOCABULARY, _EVERYBODY = "vocabulary", "all"
_NO_EFFECT = {
    "cache.redis_url": "there is no Redis here: instances share their cache in the table of PATCHBAY_TABLE",
    "service.name": "it is called Patchbay",
    "service.version": "its version is that of the package",
    "service.description": "nothing shows it",
}


class Reading:
    def __init__(
        self,
        rows: Iterable[Setting],
        declared: Iterable[Declared],
        sources: Sources,
        *,
        pinned: Mapping[str, str] | None,
        run_time: Mapping[str, str] | None,
        found: Mapping[str, str] | None,
    ) -> None:
        self.problems: list[Misconfigured] = list(sources.problems)
        self.warnings: list[str] = list(sources.warnings)
        self.origins: dict[str, Origin] = {}
        self.models: dict[str, Any] = {}
        self.vocabularies: dict[str, tuple[str, ...]] = {}
        self.voices: dict[str, Any] = {}
        self._sources = sources
        self._rows = {row.name: row for row in rows}
        self._declared = {row.provider: row for row in declared}
        self._instances: list[Instance] = []
        self._layers = Layers(
            named("this process", pinned or {}),
            named("run time", run_time or {}),
            named("found here", found or {}),
            *sources.layers,
        )
        spreader = Spreader(self._declared.values(), self.problems, self.warnings)
        for tree in sources.trees:
            self._add_tree(tree, spreader)

    def settings(self) -> dict[str, Any]:
        """Field → value of what is set."""
        values = {}
        offered = {one for row in self._declared.values() for one in row.capabilities}
        for row in self._rows.values():
            value = self._value(row)
            if value is not None:
                values[row.name] = value
                if row.capability and self._declared and row.capability not in offered:
                    words = f"kept for {row.capability}, which this version cannot do yet"
                    self.warnings.append(f"{self.origins[row.name]}: {words}")
        return values

    def accounts(self) -> dict[str, tuple[Account, ...]]:
        taken = frozenset(self._declared_names())
        reader = Accounts(self._layers, self.problems, self.warnings)
        made = {
            row.provider: reader.of(
                row, [one.account for one in self._instances if one.provider == row.provider], taken
            )
            for row in self._declared.values()
        }
        self.origins |= reader.origins
        return made

    def look_for_slips(self) -> None:
        """Names that nothing reads, and that somebody may have meant for us."""
        known = self.names()
        for name in self._sources.environ:
            if name.startswith(_PREFIX) and name not in known and not name.startswith(_OTHERS):
                self.warnings.append(f"{name} (environment) is not known{_near(name, known)}")
        for name in self._sources.dotenv:
            if name.upper() in known or name.startswith(_OTHERS):
                continue
            near = _near(name.upper(), known, _NEAR)
            if near or name.startswith(_PREFIX):
                self.warnings.append(f"{name} (.env) is not known{near}")
        for layer in self._sources.layers:
            for name in layer.values if layer.secret else ():
                near = "" if name in known else _near(name, known, _NEAR)
                if near:
                    self.warnings.append(f"{name} ({layer.label}) is not known{near}")

    def names(self) -> set[str]:
        """Every environment name that has a meaning here."""
        taken = frozenset(self._declared_names())
        named_too = {
            name
            for one in self._instances
            for field in FIELDS
            for name in names_of(self._declared[one.provider], one.account, field, taken)
        }
        return {name for row in self._rows.values() for name in row.env} | taken | named_too

    def _declared_names(self) -> set[str]:
        rows = self._declared.values()
        return {name for row in rows for one in row.names.values() for name in one} | {
            name for row in rows for name in row.later
        }

    def _value(self, row: Setting) -> Any | None:
        try:
            found = self._sources.early.get(row.name) if row.name in EARLY else self._look(row)
        except Misconfigured as error:
            self.problems.append(error)
            return None
        if found is None:
            return None
        self.origins[row.name] = found.origin
        return found.value

    def _look(self, row: Setting) -> Found | None:
        return self._layers.look((*row.env, *row.keys), row.kind)

    def _add_tree(self, tree: Tree, spreader: Spreader) -> None:
        data = {**tree.data, **self._without_organisations(tree)}
        values = flat({key: value for key, value in data.items() if key not in _APART})
        self._check_keys(tree.label, values)
        spread = spreader.spread(tree.label, tree.data.get("providers")) if self._declared else None
        if spread is not None:
            self._instances += spread.instances
        self._layers.add(
            Layer(tree.label, {**values, **(spread.values if spread else {})}, spread.spelled if spread else {})
        )
        self._add_own(tree.label, "models", tree.data.get("models"), self.models)
        self._add_own(tree.label, "voices", tree.data.get("voices"), self.voices)

    def _add_own(self, label: str, what: str, own: Any, into: dict[str, Any]) -> None:
        """A user's own models or voices; of two files the higher one wins field by field."""
        if not isinstance(own, Mapping | None):
            keys = "provider/model" if what == "models" else "names"
            self._refuse(label, what, f"expected a mapping of {keys}, got {files.shape(own)}")
            return
        for key, given in (own or {}).items():
            name, where = str(key), f"{what}.{key}"
            try:
                lower = self._expanded(label, where, given)
            except Misconfigured as error:
                self.problems.append(error)
                continue
            higher = into.get(name)
            if isinstance(higher, Mapping) and isinstance(lower, Mapping):
                into[name] = {**lower, **higher}
            else:
                into[name] = lower if higher is None else higher
            self.origins.setdefault(where, Origin(label, where, in_file=True))

    def _without_organisations(self, tree: Tree) -> dict[str, Any]:
        """What of `vocabulary` is everybody's; the rest are lists of organisations, where a higher file wins."""
        given = tree.data.get(_VOCABULARY)
        if not isinstance(given, Mapping):
            return {}
        for name, phrases in given.items():
            where = f"{_VOCABULARY}.{name}"
            if name == _EVERYBODY or str(name) in self.vocabularies:
                continue
            if not isinstance(phrases, list) or not all(isinstance(one, str) for one in phrases):
                self._refuse(tree.label, where, f"expected a list of phrases, got {files.shape(phrases)}")
                continue
            self.vocabularies[str(name)] = tuple(self._expanded(tree.label, where, phrases))
            self.origins.setdefault(where, Origin(tree.label, where, in_file=True))
        return {_VOCABULARY: {_EVERYBODY: given[_EVERYBODY]} if _EVERYBODY in given else None}

    def _expanded(self, label: str, where: str, value: Any) -> Any:
        if isinstance(value, str):
            return self._layers.expand(value, Origin(label, where, in_file=True))
        if isinstance(value, Mapping):
            return {key: self._expanded(label, f"{where}.{key}", one) for key, one in value.items()}
        return [self._expanded(label, where, one) for one in value] if isinstance(value, list) else value

    def _check_keys(self, label: str, values: Mapping[str, str]) -> None:
        known = {key: row for row in self._rows.values() for key in row.keys}
        # A wrong guess must not lead anybody to put another's key there.
        offered = [*(key for key, row in known.items() if row.kind is not SECRET), *_APART]
        spelled, heads = self._spelled(), {one.partition(".")[0] for one in known} | _APART
        for key in values:
            if key in known:
                continue
            above = [one for one in known if key.startswith(f"{one}.")]
            if key in _NO_EFFECT:
                self.warnings.append(f"{label}: {key} has no effect: {_NO_EFFECT[key]}")
            elif any(one.startswith(f"{key}.") for one in known):
                self._refuse(label, key, "expected a mapping, got a single value")
            elif above:
                self._refuse(label, above[0], f"expected {known[above[0]].kind.expects}, got a mapping")
            else:
                name = key.rpartition(".")[2].upper()
                same = get_close_matches(name, spelled, n=1, cutoff=_NEAR)
                hint = _near(key, offered, _LIKELY) if "." in key else ""
                if not hint and same:
                    hint = f"; the setting {same[0]} is written {spelled[same[0]]} in a file"
                hint = hint or _near(key, offered, _LIKELY) or _near(key, known, _NEAR)
                if not hint and (top := key.partition(".")[0]) not in heads:
                    hint = _near(top, heads, _LIKELY)
                self.warnings.append(f"{label}: {key} is not known{hint}")

    def _spelled(self) -> dict[str, str]:
        """Environment name → how a file says the same."""
        ours = {name: row.keys[0] for row in self._rows.values() if row.keys for name in row.env}
        return ours | {
            name: f"providers.{row.provider}.{KEYS[field][0]}"
            for row in self._declared.values()
            for field, names in row.names.items()
            if field in KEYS
            for name in names
        }

    def _refuse(self, label: str, key: str, why: str) -> None:
        self.problems.append(Misconfigured(f"{label}: {key}: {why}", param=key))


def _near(name: str, known: Iterable[str], alike: float = 0.6) -> str:
    near = get_close_matches(name, known, n=1, cutoff=alike)
    return f"; did you mean {near[0]}?" if near else ""
