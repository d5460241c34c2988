"""Which models there are: the data is sound, and money in it is exact."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

import core.config.catalog as module
from core.capabilities import Capability, Feature
from core.config.catalog import TIERS, Catalog, Model, Rates, load, parse
from core.providers.table import TABLE

ENTRIES = orjson.loads(Path(module.__file__).with_name("models.json").read_bytes())
LOADED = load()
KEYS = {"input", "output", "cached_input", "cache_write"}


def name_of(entry):
    return f"{entry['provider']}/{entry['id']}"


def model(name, provider="openai", **facts):
    return Model(id=name, provider=provider, capability=Capability.CHAT, **facts)


def rates(usd):
    return (Rates(input=usd, output=usd),)


class TestData:
    def test_it_loads(self):
        assert len(LOADED.models) == len(ENTRIES) > 20

    def test_no_model_is_listed_twice_at_a_provider(self):
        counts = Counter(map(name_of, ENTRIES))
        assert [name for name, count in counts.items() if count > 1] == []

    @pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
    def test_every_entry_is_sound(self, entry):
        assert entry["tier"] in TIERS
        assert entry["lifecycle"] in {"active", "deprecated", "retired"}
        assert entry["id"] == entry["id"].strip()
        assert set(entry.get("usd_per_mtok", {})) <= KEYS
        for table in entry.get("usd_tiers", ()):
            assert set(table) <= KEYS | {"above_input_tokens"}
            assert table["above_input_tokens"] > 0
        context, most = entry.get("context"), entry.get("max_output")
        if context is not None and most is not None:
            assert 0 < most <= context

    @pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
    def test_prices_are_text_and_exact(self, entry):
        base = entry.get("usd_per_mtok")
        tables = [] if base is None else [base, *({**base, **more} for more in entry.get("usd_tiers", ()))]
        found = LOADED.find(entry["provider"], entry["id"])
        assert found is not None
        assert len(found.rates) == len(tables)
        for table, read in zip(tables, found.rates, strict=True):
            for name in KEYS:
                if name not in table:
                    assert getattr(read, name) is None
                    continue
                assert isinstance(table[name], str), f"{name} of a price must be text, not a float"
                assert Decimal(getattr(read, name)) == Decimal(table[name]) * 1_000_000

    @pytest.mark.parametrize("entry", [one for one in ENTRIES if one.get("usd_tiers")], ids=name_of)
    def test_a_longer_prompt_is_never_cheaper(self, entry):
        found = LOADED.find(entry["provider"], entry["id"])
        assert found is not None
        steps = [table.above_input_tokens for table in found.rates]
        assert steps[0] == 0
        assert steps == sorted(set(steps))
        inputs = [table.input for table in found.rates]
        assert inputs == sorted(inputs)

    @pytest.mark.parametrize("found", LOADED.models, ids=lambda one: f"{one.provider}/{one.id}")
    def test_cached_input_is_never_dearer_and_a_cache_write_never_cheaper(self, found):
        for table in found.rates:
            assert (table.cached_input or 0) <= table.input
            assert table.cache_write is None or table.cache_write >= table.input

    def test_every_provider_of_it_is_in_the_table(self):
        assert {one.provider for one in LOADED.models} <= {row.name for row in TABLE}

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_it_knows_every_default_model_and_its_price(self, row):
        for capability, name in row.default_models.items():
            found = LOADED.find(row.name, name)
            assert found is not None, f"{row.name}/{name} is a default and not in models.json"
            assert found.capability == capability
            assert found.lifecycle == "active"
            assert found.rates


class TestParse:
    def test_tiers_of_price_take_the_rest_from_the_base(self):
        read = parse(
            {
                "id": "m",
                "provider": "p",
                "capability": "chat",
                "usd_per_mtok": {"input": "2", "output": "10", "cached_input": "0.2", "cache_write": "2.5"},
                "usd_tiers": [
                    {"above_input_tokens": 500, "input": "8"},
                    {"above_input_tokens": 100, "input": "4", "output": "15"},
                ],
            }
        )
        assert [(one.above_input_tokens, one.input, one.output) for one in read.rates] == [
            (0, 2_000_000, 10_000_000),
            (100, 4_000_000, 15_000_000),
            (500, 8_000_000, 10_000_000),
        ]
        assert all(one.cached_input == 200_000 for one in read.rates)
        assert all(one.cache_write == 2_500_000 for one in read.rates)

    def test_prices_do_not_go_through_floats(self):
        read = parse(
            {"id": "m", "provider": "p", "capability": "chat", "usd_per_mtok": {"input": "0.000007", "output": "1.1"}}
        )
        assert (read.rates[0].input, read.rates[0].output) == (7, 1_100_000)

    def test_what_is_not_said(self):
        read = parse({"id": "m", "provider": "p", "capability": "chat"})
        assert read == Model(id="m", provider="p", capability=Capability.CHAT)
        assert (read.rates, read.context, read.sampling, read.tier) == ((), None, True, "standard")

    def test_features(self):
        read = parse({"id": "m", "provider": "p", "capability": "chat", "features": ["tools", "vision"]})
        assert read.features == {Feature.TOOLS, Feature.VISION}

    @pytest.mark.parametrize("wrong", [{"features": ["magic"]}, {"capability": "dance"}])
    def test_an_unknown_word_is_an_error_at_the_start(self, wrong):
        with pytest.raises(ValueError, match=r"magic|dance"):
            parse({"id": "m", "provider": "p", "capability": "chat", **wrong})


class TestFinding:
    CATALOG = Catalog(
        [
            model("dear", tier="fast", rates=rates(9)),
            model("cheap", tier="fast", rates=rates(1)),
            model("cheapest-but-old", tier="fast", rates=rates(0), lifecycle="deprecated"),
            model("no-price", tier="fast"),
            model("other", provider="azure", tier="fast", rates=rates(0)),
            model("big", tier="advanced", rates=rates(3)),
            model("gpt-5.4-mini"),
            model("gpt-5.4-mini", provider="azure"),
            model("gpt-5.4-nano"),
        ]
    )

    def test_of_tier_is_the_cheapest_active_one(self):
        found = self.CATALOG.of_tier("openai", Capability.CHAT, "fast")
        assert found is not None
        assert found.id == "cheap"

    @pytest.mark.parametrize(
        ("provider", "capability", "tier"),
        [("openai", "chat", "standard"), ("openai", "embed", "fast"), ("nobody", "chat", "fast")],
    )
    def test_of_tier_may_be_nobody(self, provider, capability, tier):
        assert self.CATALOG.of_tier(provider, Capability(capability), tier) is None

    def test_find_is_of_one_provider(self):
        found = self.CATALOG.find("azure", "gpt-5.4-mini")
        assert found is not None
        assert found.provider == "azure"
        assert self.CATALOG.find("azure", "big") is None

    def test_providers_of(self):
        assert set(self.CATALOG.providers_of("gpt-5.4-mini")) == {"openai", "azure"}
        assert tuple(self.CATALOG.providers_of("nothing")) == ()

    def test_nearest_names(self):
        assert self.CATALOG.nearest("gpt-5.4-mino")[0] == "gpt-5.4-mini"
        assert self.CATALOG.nearest("zzzzzzzz") == []
        assert len(self.CATALOG.nearest("gpt-5.4-m")) <= 3
