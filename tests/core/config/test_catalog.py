"""Which models there are: the data is sound, and money in it is exact."""

import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

import core.config.catalog as module
from core.capabilities import Capability, Feature
from core.config.catalog import LIFECYCLES, SKILLS, TIERS, Catalog, Model, Query, load, parse
from core.config.prices import PRICE_FIELDS, TOKEN_KINDS, Peak, Period, Price, Rates, moment, per_token
from core.errors import BadRequest
from core.providers.table import TABLE
from core.routing.choices import serves

ENTRIES = orjson.loads(Path(module.__file__).with_name("models.json").read_bytes())
LOADED = load()
# In the order of the file; some have data here before they have a row.
PROVIDERS = [
    "openai", "azure", "together", "anthropic", "gemini", "cohere", "groq", "deepseek", "huggingface", "replicate",
    "ollama", "local",
]  # fmt: skip
FIELDS = {
    "provider", "id", "capability", "display_name", "tier", "lifecycle", "retires", "successor", "context",
    "max_output", "dimensions", "min_dimensions", "max_inputs", "most_seconds", "recogniser",
    "same_as", "features", "skills", "sampling", "peak",
    "price_changes", "as_of", "note",
    *PRICE_FIELDS,
}  # fmt: skip
TODAY = moment("2026-11-20")


def name_of(entry):
    return f"{entry['provider']}/{entry['id']}"


def model(name, provider="openai", **facts):
    return Model(id=name, provider=provider, capability=Capability.CHAT, **facts)


def prices(usd):
    return per_token(Rates(input=usd, output=usd))


def amounts(value):
    """Every number of a price, as it is written."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name in TOKEN_KINDS or (name.startswith("usd_") and not isinstance(one, dict | list)):
                yield name, one
            elif isinstance(one, dict | list):
                yield from amounts(one)
    elif isinstance(value, list):
        for one in value:
            yield from amounts(one)


class TestData:
    def test_it_loads(self):
        assert len(LOADED.models) == len(ENTRIES) > 100

    def test_no_model_is_listed_twice_at_a_provider(self):
        counts = Counter(map(name_of, ENTRIES))
        assert [name for name, count in counts.items() if count > 1] == []

    def test_it_is_written_provider_by_provider(self):
        assert list(dict.fromkeys(entry["provider"] for entry in ENTRIES)) == PROVIDERS

    @pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
    def test_every_entry_is_sound(self, entry):
        assert set(entry) <= FIELDS
        assert entry.get("tier", "standard") in TIERS
        assert entry["lifecycle"] in LIFECYCLES
        assert entry["display_name"]
        assert entry["id"] == entry["id"].strip()
        assert re.fullmatch(r"20\d\d(-\d\d(-\d\d)?)?", entry["as_of"])
        assert set(entry.get("usd_per_mtok", {})) <= set(TOKEN_KINDS)
        for table in entry.get("usd_tiers", ()):
            assert set(table) <= {*TOKEN_KINDS, "above_input_tokens"}
            assert table["above_input_tokens"] > 0
        context, most = entry.get("context"), entry.get("max_output")
        if context is not None and most is not None:
            assert 0 < most <= context

    @pytest.mark.parametrize("entry", [one for one in ENTRIES if one["capability"] == "chat"], ids=name_of)
    def test_a_chat_model_says_what_it_is_good_for(self, entry):
        assert entry["tier"]
        assert entry["skills"]
        assert set(entry["skills"]) <= set(SKILLS)
        assert "output" in entry.get("usd_per_mtok", {"output": ""})

    @pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
    def test_prices_are_text_and_never_nothing(self, entry):
        for name, amount in amounts(entry):
            assert isinstance(amount, str), f"{name} of a price must be text, not a float"
            assert Decimal(amount) > 0, f"{name}: what is free is said by its provider, not by a zero"

    @pytest.mark.parametrize("entry", ENTRIES, ids=name_of)
    def test_prices_are_read_exactly(self, entry):
        found = LOADED.find(entry["provider"], entry["id"])
        assert found is not None
        price = found.prices[0].price if found.prices else None
        base = entry.get("usd_per_mtok")
        tables = [] if base is None else [base, *({**base, **more} for more in entry.get("usd_tiers", ()))]
        for table, read in zip(tables, price.rates if price else (), strict=True):
            for name in TOKEN_KINDS:
                written = table.get(name)
                assert getattr(read, name) == (None if written is None else Decimal(written) * 1_000_000)
        if "usd_per_mchar" in entry:
            assert price and price.per_character == Decimal(entry["usd_per_mchar"]) * 1_000_000
        if "usd_per_minute" in entry:
            assert price and price.per_hour == Decimal(entry["usd_per_minute"]) * 60 * 10**12
        if "usd_per_hour" in entry:
            assert price and price.per_hour == Decimal(entry["usd_per_hour"]) * 10**12

    @pytest.mark.parametrize("found", LOADED.models, ids=lambda one: f"{one.provider}/{one.id}")
    def test_a_longer_prompt_is_never_cheaper_nor_a_cached_one_dearer(self, found):
        for price in (price for period in found.prices for price in period.prices):
            steps = [table.above_input_tokens for table in price.rates]
            assert steps == sorted(set(steps))
            assert steps[:1] in ([], [0])
            inputs = [table.input for table in price.rates]
            assert inputs == sorted(inputs)
            for table in price.rates:
                assert (table.cached_input or 0) <= table.input
                assert table.cache_write is None or table.cache_write >= table.input
                assert table.cache_write_1h is None or table.cache_write_1h >= (table.cache_write or 0)

    @pytest.mark.parametrize("found", [one for one in LOADED.models if one.successor], ids=lambda one: one.id)
    def test_a_successor_answers_and_does_the_same(self, found):
        after = LOADED.find(found.provider, found.successor)
        assert after is not None
        assert after.capability == found.capability
        assert after.lifecycle == "active"
        assert found.lifecycle != "active"

    @pytest.mark.parametrize("found", [one for one in LOADED.models if one.is_retired(TODAY)], ids=lambda one: one.id)
    def test_every_retired_model_has_somebody_who_answers(self, found):
        after = LOADED.successor(found, TODAY)
        assert after is not None
        assert not after.is_retired(TODAY)

    def test_whose_day_is_past_is_written_as_retired(self):
        late = [one.id for one in LOADED.models if one.is_retired(TODAY) and one.lifecycle != "retired"]
        assert late == []

    def test_every_provider_with_a_row_has_models(self):
        assert {row.name for row in TABLE} <= set(LOADED.providers)

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_it_knows_every_default_model_and_its_price(self, row):
        for capability, name in row.default_models.items():
            found = LOADED.find(row.name, name)
            assert found is not None, f"{row.name}/{name} is a default and not in models.json"
            assert serves(found, capability)
            others = [one for one in LOADED.models if (one.provider, one.capability) == (row.name, capability)]
            assert found.lifecycle == "active" or "active" not in {one.lifecycle for one in others}
            assert found.prices or row.free or "no price" in (found.note or "")


class TestParse:
    def test_features(self):
        read = parse({"id": "m", "provider": "p", "capability": "chat", "features": ["tools", "vision"]})
        assert read.features == {Feature.TOOLS, Feature.VISION}

    def test_what_is_not_said(self):
        read = parse({"id": "m", "provider": "p", "capability": "chat"})
        assert read == Model(id="m", provider="p", capability=Capability.CHAT, display_name="m")
        assert (read.prices, read.context, read.sampling, read.tier) == ((), None, True, None)
        assert read.level == "standard"
        assert read.price(TODAY) is None
        assert read.rates(TODAY) is None

    @pytest.mark.parametrize("wrong", [{"features": ["magic"]}, {"capability": "dance"}])
    def test_an_unknown_word_is_an_error(self, wrong):
        with pytest.raises(ValueError, match=r"magic|dance"):
            parse({"id": "m", "provider": "p", "capability": "chat", **wrong})


class TestSize:
    """Ten thousand models: `make bench` says how long; this says that it is nothing but reading."""

    ENTRIES = tuple({**ENTRIES[n % len(ENTRIES)], "id": f"m-{n}"} for n in range(10_000))

    def test_only_what_is_asked_for_is_parsed(self, monkeypatch):
        parsed = []

        def noted(entry):
            parsed.append(entry["id"])
            return parse(entry)

        monkeypatch.setattr(module, "parse", noted)
        catalog = Catalog(entries=self.ENTRIES)
        assert max(catalog.contexts) > 1_000_000
        assert catalog.providers_of("m-1") == (ENTRIES[1]["provider"],)
        assert parsed == []
        for _ in range(2):
            found = catalog.find(ENTRIES[1]["provider"], "m-1")
            assert found is not None
        assert parsed == ["m-1"]

    def test_all_can_be_listed(self):
        assert len(Catalog(entries=self.ENTRIES).list_models(Query(), TODAY, retired=True)) == 10_000


class TestFinding:
    CATALOG = Catalog(
        [
            model("dear", tier="fast", prices=prices(9)),
            model("cheap", tier="fast", prices=prices(1)),
            model("cheapest-but-old", tier="fast", prices=prices(0), lifecycle="deprecated"),
            model("no-price", tier="fast"),
            model("other", provider="azure", tier="fast", prices=prices(0)),
            model("big", tier="advanced", prices=prices(3)),
            model("gpt-5.4-mini"),
            model("gpt-5.4-mini", provider="azure"),
            model("gpt-5.4-nano"),
        ]
    )

    def test_of_tier_is_the_cheapest_active_one(self):
        found = self.CATALOG.cheapest("openai", Capability.CHAT, tier="fast")
        assert found is not None
        assert found.id == "cheap"

    @pytest.mark.parametrize(
        ("provider", "capability", "tier"),
        [("openai", "chat", "standard"), ("openai", "embed", "fast"), ("nobody", "chat", "fast")],
    )
    def test_of_tier_may_be_nobody(self, provider, capability, tier):
        assert self.CATALOG.cheapest(provider, Capability(capability), tier=tier) is None

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


def listed(catalog, at=TODAY, free=(), *, retired=False, **query):
    return [one.id for one in catalog.list_models(Query(**query), at, free, retired=retired)]


class TestListing:
    CATALOG = Catalog(
        [
            model("big", tier="advanced", skills=frozenset(SKILLS), prices=prices(5 * 10**6)),
            model("small", tier="fast", skills=frozenset({"code"}), prices=prices(10**6)),
            model("unpriced", tier="fast", skills=frozenset({"code"})),
            model("old", tier="fast", skills=frozenset({"code"}), lifecycle="retired", prices=prices(1)),
            model("going", retires=moment("2026-12-11"), lifecycle="deprecated", prices=prices(10**6)),
            model("mine", provider="ollama", skills=frozenset({"analysis"})),
            Model(id="vectors", provider="openai", capability=Capability.EMBED, prices=prices(20_000)),
        ]
    )

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, ["big", "small", "unpriced", "going", "mine", "vectors"]),
            ({"capability": "chat"}, ["big", "small", "unpriced", "going", "mine"]),
            ({"capability": "embed"}, ["vectors"]),
            ({"capability": "code"}, ["big", "small", "unpriced"]),
            ({"skill": "complex_reasoning"}, ["big"]),
            ({"capability": "chat", "skill": "analysis"}, ["big", "mine"]),
            ({"capability": "embed", "skill": "code"}, []),
            ({"capability": "rerank"}, []),
            ({"tier": "FAST"}, ["small", "unpriced"]),
            ({"tier": "Advanced", "capability": "CHAT"}, ["big"]),
            ({"provider": "ollama"}, ["mine"]),
            ({"max_cost": 0.001}, ["small", "going", "mine", "vectors"]),
            ({"max_cost": 0.00099}, ["mine", "vectors"]),
            ({"max_cost": 0}, ["mine"]),
            ({"max_cost": 100, "capability": "chat"}, ["big", "small", "going", "mine"]),
            ({"retired": True, "tier": "fast"}, ["small", "unpriced", "old"]),
        ],
    )
    def test_filters(self, query, expected):
        assert listed(self.CATALOG, free={"ollama"}, **query) == expected

    def test_only_what_costs_nothing_at_all_is_free(self):
        zero, some = Rates(0, 0), Rates(0, 10**6)
        mine = Catalog([model("zero", prices=per_token(zero)), model("output", prices=per_token(some)), model("none")])
        assert listed(mine, max_cost=0) == ["zero"]
        assert listed(mine, max_cost=0.001) == ["zero", "output"]
        peak = Peak(Price((some,)), frozenset({0}), ((1, 2),))
        assert not model("peak", prices=(Period(Price((zero,)), peak=peak),)).is_free(TODAY)

    def test_nothing_is_free_that_nobody_calls_free(self):
        assert listed(self.CATALOG, max_cost=0) == []

    def test_who_is_gone_by_then_is_not_listed(self):
        assert "going" in listed(self.CATALOG, moment("2026-12-11") - 1)
        assert "going" not in listed(self.CATALOG, moment("2026-12-11"))

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"capability": "dance"}, "transcribe"),
            ({"skill": "chat"}, "complex_reasoning"),
            ({"tier": "huge"}, "advanced"),
            ({"tier": ""}, "advanced"),
            ({"provider": "nobody"}, "ollama"),
            ({"max_cost": -1}, "0 or more"),
            ({"max_cost": float("nan")}, "0 or more"),
        ],
    )
    def test_an_unknown_value_is_refused_with_the_known_ones(self, query, words):
        with pytest.raises(BadRequest, match=words) as caught:
            listed(self.CATALOG, **query)
        assert caught.value.param == next(iter(query))

    def test_what_seeds_ask_the_built_in_one(self):
        assert "gpt-6-luna" in listed(LOADED, capability="code", tier="FAST")
        assert listed(LOADED, capability="complex_reasoning", tier="advanced")
        assert listed(LOADED, {"ollama", "local"}, provider="local")
        assert set(listed(LOADED, free={"ollama", "local"}, max_cost=0)) == {
            one.id for one in LOADED.models if one.provider in {"ollama", "local"}
        }


class TestSuccessor:
    def catalog(self, **lines):
        """Of name → successor and lifecycle."""
        return Catalog([model(name, successor=after, lifecycle=state) for name, (after, state) in lines.items()])

    def answers(self, name, at=TODAY, **lines):
        catalog = self.catalog(**lines)
        after = catalog.successor(catalog.find("openai", name), at)
        return after and after.id

    def test_who_is_not_retired_answers(self):
        assert self.answers("a", a=("b", "deprecated"), b=(None, "active")) == "a"

    def test_it_follows_the_line_to_the_first_that_answers(self):
        line = {"a": ("b", "retired"), "b": ("c", "retired"), "c": ("d", "deprecated"), "d": (None, "active")}
        assert self.answers("a", **line) == "c"

    @pytest.mark.parametrize(
        "line",
        [
            {"a": (None, "retired")},
            {"a": ("gone", "retired")},
            {"a": ("a", "retired")},
            {"a": ("b", "retired"), "b": ("a", "retired")},
        ],
        ids=str,
    )
    def test_a_line_may_end_in_nobody(self, line):
        assert self.answers("a", **line) is None

    def test_the_announced_day_retires_it(self):
        going = model("a", lifecycle="deprecated", retires=moment("2026-12-11"), successor="b")
        catalog = Catalog([going, model("b")])
        for at, expected in ((moment("2026-12-11") - 1, "a"), (moment("2026-12-11"), "b")):
            after = catalog.successor(going, at)
            assert after is not None
            assert after.id == expected

    def test_of_tier_leaves_out_who_is_gone_by_then(self):
        going = model("a", tier="fast", retires=100.0, prices=prices(1))
        catalog = Catalog([going, model("b", tier="fast", prices=prices(2))])
        for at, expected in ((99.0, "a"), (100.0, "b")):
            found = catalog.cheapest("openai", Capability.CHAT, at, tier="fast")
            assert found is not None
            assert found.id == expected
