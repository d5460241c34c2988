"""Which models there are, what they can do and what they cost. Data in models.json, read once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core.capabilities import Capability, Feature
from core.config.prices import Period, Price, Rates, moment, parse_periods
from core.errors import BadRequest

TIERS = ("fast", "standard", "advanced")
SKILLS = ("code", "analysis", "planning", "complex_reasoning")
LIFECYCLES = ("active", "deprecated", "retired")
SAMPLING_PARAMS = frozenset({
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
})  # fmt: skip

_BUILT_IN = Path(__file__).with_name("models.json")

Entry = Mapping[str, Any]
Key = tuple[str, str]  # provider, id


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    provider: str
    capability: Capability
    display_name: str = ""
    tier: str | None = None  # None: nobody said one
    lifecycle: str = "active"
    retires: float | None = None  # when it stops answering, where that is announced
    successor: str | None = None  # at the same provider
    context: int | None = None
    max_output: int | None = None
    dimensions: int | None = None  # of an embedding
    min_dimensions: int | None = None  # to which it can be shortened; None: it cannot be
    max_inputs: int | None = None  # texts in one request, where it is not what its provider takes
    most_seconds: int | None = None  # of audio in one request, where it is less than its provider takes
    recogniser: str | None = None  # what hears, where that is none of the provider's own: whisper
    same_as: str | None = None  # the model that this is, by the name others know it under
    features: frozenset[Feature] = frozenset()
    skills: frozenset[str] = frozenset()
    # False: the model refuses temperature and its kin, unless it is told not to reason.
    sampling: bool = True
    prices: tuple[Period, ...] = ()  # rising by when they begin
    as_of: str | None = None  # when these facts were true
    note: str | None = None

    @property
    def identity(self) -> str:
        """Equal for one model under several names."""
        return self.same_as or self.id

    @property
    def level(self) -> str:
        """Its tier where one must be chosen by."""
        return self.tier or "standard"

    def is_free(self, at: float) -> bool:
        """Its price is known to be 0 at every hour of that day."""
        period = self.period(at)
        return period is not None and all(price.is_zero for price in period.prices)

    def shortens_to(self, dimensions: int) -> bool:
        """Whether its vectors can have so many dimensions."""
        if self.min_dimensions is None:
            return self.dimensions in {None, dimensions}
        return self.min_dimensions <= dimensions <= (self.dimensions or dimensions)

    def period(self, at: float) -> Period | None:
        found = None
        for one in self.prices:
            if one.since <= at:
                found = one
        return found

    def price(self, at: float) -> Price | None:
        """What holds at a moment; None when that is not known."""
        period = self.period(at)
        return None if period is None else period.at(at)

    def rates(self, at: float) -> Rates | None:
        """USD per token at a moment, for a short prompt."""
        price = self.price(at)
        return price.rates[0] if price is not None and price.rates else None

    def is_retired(self, at: float) -> bool:
        """Said so, or the announced day has come."""
        return self.lifecycle == "retired" or (self.retires is not None and self.retires <= at)


class Query(NamedTuple):
    """Which models are wanted; what is None does not matter."""

    capability: str | None = None  # or a skill
    skill: str | None = None
    tier: str | None = None
    max_cost: float | None = None  # USD per thousand input tokens; 0: only what is free
    provider: str | None = None


class Catalog:
    """Entries become models when somebody asks for them: most never are."""

    def __init__(self, models: Iterable[Model] = (), *, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[Key, Entry] = {(entry["provider"], entry["id"]): entry for entry in entries}
        self._models: dict[Key, Model] = {(model.provider, model.id): model for model in models}
        self._keys = (*self._models, *self._entries)
        self._providers: dict[str, list[str]] = {}
        for provider, name in self._keys:
            self._providers.setdefault(name, []).append(provider)
        self._twins: dict[str, list[Key]] = {}
        for key, entry in self._entries.items():
            if "same_as" in entry:
                self._twins.setdefault(entry["same_as"], []).append(key)

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(self._some(None))

    @property
    def entries(self) -> Mapping[Key, Entry]:
        return self._entries

    @property
    def providers(self) -> list[str]:
        return list(dict.fromkeys(provider for provider, _ in self._keys))

    @property
    def contexts(self) -> set[int]:
        """Every length at which some model is full."""
        known = {model.context for model in self._models.values()} | {
            entry.get("context") for entry in self._entries.values()
        }
        return {length for length in known if length}

    def find(self, provider: str, model: str) -> Model | None:
        key = (provider, model)
        found = self._models.get(key)
        if found is None and key in self._entries:
            found = self._models[key] = parse(self._entries[key])
        return found

    def providers_of(self, model: str) -> tuple[str, ...]:
        return tuple(self._providers.get(model, ()))

    def keys_of(self, identity: str) -> list[Key]:
        """Everywhere that a model is to be had, and under which name."""
        return [(provider, identity) for provider in self.providers_of(identity)] + self._twins.get(identity, [])

    def successor(self, model: Model, at: float) -> Model | None:
        """Who answers for a retired model: the first of its line that does; None when the line ends."""
        seen: set[str] = set()
        current: Model | None = model
        while current is not None and current.is_retired(at):
            if current.successor is None or current.id in seen:
                return None
            seen.add(current.id)
            current = self.find(model.provider, current.successor)
        return current

    def cheapest(
        self,
        provider: str,
        capability: Capability,
        at: float = 0.0,
        *,
        tier: str | None = None,
        features: frozenset[Feature] = frozenset(),
    ) -> Model | None:
        """The provider's cheapest active model of a tier, or with features."""
        fits = [
            (rates.input, model)
            for model in self._some(provider)
            if (model.capability, model.lifecycle) == (capability, "active")
            and tier in {None, model.level}
            and features <= model.features
            and not model.is_retired(at)
            and (rates := model.rates(at)) is not None
        ]
        return min(fits, key=lambda one: one[0], default=(0, None))[1]

    def first_with(
        self, provider: str, capability: Capability, features: frozenset[Feature], at: float = 0.0
    ) -> Model | None:
        """The provider's first model with all these features, an active one before others."""
        fits = [
            model
            for model in self._some(provider)
            if model.capability == capability and features <= model.features and not model.is_retired(at)
        ]
        return min(fits, key=lambda one: one.lifecycle != "active", default=None)

    def list_models(
        self, query: Query, at: float, free: Collection[str] = (), *, retired: bool = False
    ) -> list[Model]:
        """Those that fit, in the catalogue's order; at a provider in `free` what has no price costs nothing."""
        query = _checked(query, self.providers)
        words = {word for word in (query.capability, query.skill) if word is not None}
        return [
            model
            for model in self._some(query.provider)
            if words <= {model.capability, *model.skills}
            and query.tier in {None, model.tier}
            and (query.max_cost is None or _within(model, query.max_cost, at, free))
            and (retired or not model.is_retired(at))
        ]

    def whole_name(self, provider: str, name: str) -> str | None:
        """The id that ends in a name after its slash, where there is exactly one; None also for an id as it is."""
        if "/" in name or (provider, name) in self._entries or (provider, name) in self._models:
            return None
        ending = f"/{name}".lower()
        found = [model for owner, model in self._keys if owner == provider and model.lower().endswith(ending)]
        return found[0] if len(found) == 1 else None

    def nearest(self, model: str) -> list[str]:
        return get_close_matches(model, self._providers, n=3)

    def _some(self, provider: str | None) -> Iterator[Model]:
        for key in self._keys:
            if provider in {None, key[0]}:
                model = self.find(*key)
                assert model is not None  # noqa: S101 - every key has a model or an entry
                yield model


def parse(entry: Entry) -> Model:
    retires = entry.get("retires")
    return Model(
        id=entry["id"],
        provider=entry["provider"],
        capability=Capability(entry["capability"]),
        display_name=entry.get("display_name") or entry["id"],
        tier=entry.get("tier"),
        lifecycle=entry.get("lifecycle", "active"),
        retires=None if retires is None else moment(retires),
        successor=entry.get("successor"),
        context=entry.get("context"),
        max_output=entry.get("max_output"),
        dimensions=entry.get("dimensions"),
        min_dimensions=entry.get("min_dimensions"),
        max_inputs=entry.get("max_inputs"),
        most_seconds=entry.get("most_seconds"),
        recogniser=entry.get("recogniser"),
        same_as=entry.get("same_as"),
        features=frozenset(map(Feature, entry.get("features", ()))),
        skills=frozenset(entry.get("skills", ())),
        sampling=entry.get("sampling", True),
        prices=parse_periods(entry),
        as_of=entry.get("as_of"),
        note=entry.get("note"),
    )


def load(path: Path = _BUILT_IN) -> Catalog:
    return Catalog(entries=orjson.loads(path.read_bytes()))


def _checked(query: Query, providers: list[str]) -> Query:
    """Words in small letters; one that means nothing is refused with those that do."""
    capabilities = tuple(one.value for one in Capability)
    known = {"capability": (*capabilities, *SKILLS), "skill": SKILLS, "tier": TIERS, "provider": tuple(providers)}
    words = {}
    for name, choices in known.items():
        given = getattr(query, name)
        words[name] = given = None if given is None else given.strip().lower()
        if given is not None and given not in choices:
            raise BadRequest(
                f"{name} {given!r} is not known; known: {', '.join(choices)}", param=name, code="invalid_value"
            )
    if query.max_cost is not None and not query.max_cost >= 0:
        raise BadRequest(
            "max_cost must be a number of USD for a thousand input tokens, 0 or more",
            param="max_cost",
            code="invalid_value",
        )
    return query._replace(**words)


def _within(model: Model, most: float, at: float, free: Collection[str]) -> bool:
    """An unknown price is within nothing."""
    if model.is_free(at) or (model.provider in free and model.period(at) is None):
        return True
    rates = model.rates(at)
    return most > 0 and rates is not None and rates.input <= most * 1_000_000_000
