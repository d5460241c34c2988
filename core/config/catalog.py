"""Which models there are, what they can do and what they cost. Data in models.json, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from core.capabilities import Capability, Feature

TIERS = ("fast", "standard", "advanced")
SAMPLING_PARAMS = frozenset({
    "temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens, in millionths of a dollar: integers, so that money never rounds in between."""

    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    above_input_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    provider: str
    capability: Capability
    tier: str = "standard"
    lifecycle: str = "active"
    context: int | None = None
    max_output: int | None = None
    features: frozenset[Feature] = frozenset()
    # False: the model refuses temperature and its kin, unless it is told not to reason.
    sampling: bool = True
    rates: tuple[Rates, ...] = ()  # rising by above_input_tokens; the last that applies prices the whole request


class Catalog:
    def __init__(self, models: Iterable[Model]) -> None:
        self.models = tuple(models)
        self._by_key = {(model.provider, model.id): model for model in self.models}
        self._providers: dict[str, list[str]] = {}
        for model in self.models:
            self._providers.setdefault(model.id, []).append(model.provider)

    def find(self, provider: str, model: str) -> Model | None:
        return self._by_key.get((provider, model))

    def providers_of(self, model: str) -> tuple[str, ...]:
        return tuple(self._providers.get(model, ()))

    def of_tier(self, provider: str, capability: Capability, tier: str) -> Model | None:
        """The provider's cheapest active model of a tier."""
        fits = [
            model
            for model in self.models
            if (model.provider, model.capability, model.tier) == (provider, capability, tier)
            and model.lifecycle == "active"
            and model.rates
        ]
        return min(fits, key=lambda model: model.rates[0].input, default=None)

    def nearest(self, model: str) -> list[str]:
        return get_close_matches(model, self._providers, n=3)


def parse(entry: Mapping[str, Any]) -> Model:
    return Model(
        id=entry["id"],
        provider=entry["provider"],
        capability=Capability(entry["capability"]),
        tier=entry.get("tier", "standard"),
        lifecycle=entry.get("lifecycle", "active"),
        context=entry.get("context"),
        max_output=entry.get("max_output"),
        features=frozenset(map(Feature, entry.get("features", ()))),
        sampling=entry.get("sampling", True),
        rates=tuple(_rates(table) for table in _tables(entry)),
    )


def load() -> Catalog:
    return Catalog(parse(entry) for entry in orjson.loads(Path(__file__).with_name("models.json").read_bytes()))


def _tables(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    base = entry.get("usd_per_mtok")
    if base is None:
        return []
    return [base, *sorted(({**base, **table} for table in entry.get("usd_tiers", ())), key=_threshold)]


def _threshold(table: Mapping[str, Any]) -> int:
    return int(table.get("above_input_tokens", 0))


def _rates(table: Mapping[str, Any]) -> Rates:
    def micro(name: str) -> int | None:
        return int(Decimal(table[name]) * 1_000_000) if name in table else None

    return Rates(
        input=int(Decimal(table["input"]) * 1_000_000),
        output=int(Decimal(table["output"]) * 1_000_000),
        cached_input=micro("cached_input"),
        cache_write=micro("cache_write"),
        above_input_tokens=_threshold(table),
    )
