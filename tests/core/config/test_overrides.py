"""A user's own models: what they change, and that every mistake in them names itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Capability
from core.config.catalog import Catalog, load
from core.config.overrides import merge
from core.config.prices import moment, shown
from core.errors import Misconfigured
from tests.core.fakes import JSON, examples

BUILT_IN = load()
TODAY = moment("2026-11-20")
OWN = {"capability": "chat", "tier": "fast", "usd_per_mtok": {"input": 0.3, "output": "1.2"}}


def found(catalog, provider, name):
    model = catalog.find(provider, name)
    assert model is not None
    return model


def input_of(model):
    rates = model.rates(TODAY)
    assert rates is not None
    return rates.input


class TestMerging:
    def test_a_model_of_ones_own(self):
        merged = merge(BUILT_IN, {"openai/ft:mine": OWN})
        mine = found(merged, "openai", "ft:mine")
        assert (mine.capability, mine.tier, mine.display_name) == (Capability.CHAT, "fast", "ft:mine")
        assert input_of(mine) == 300_000
        assert len(merged.models) == len(BUILT_IN.models) + 1
        assert BUILT_IN.find("openai", "ft:mine") is None

    def test_what_is_named_replaces_and_the_rest_stays(self):
        merged = merge(BUILT_IN, {"openai/gpt-6-luna": {"tier": "standard", "max_output": None}})
        mine, theirs = found(merged, "openai", "gpt-6-luna"), found(BUILT_IN, "openai", "gpt-6-luna")
        assert (mine.tier, mine.max_output) == ("standard", None)
        assert (mine.prices, mine.context, mine.skills) == (theirs.prices, theirs.context, theirs.skills)
        assert theirs.tier == "fast"

    def test_a_price_goes_whole(self):
        own = {"openai/gpt-6-luna": {"usd_per_mtok": {"input": 1, "output": 2}}, "deepseek/deepseek-flash": OWN}
        merged = merge(BUILT_IN, own)
        price = found(merged, "openai", "gpt-6-luna").price(TODAY)
        assert price is not None
        assert shown(price) == {"usd_per_mtok": {"input": "1", "output": "2"}}
        (period,) = found(merged, "deepseek", "deepseek-flash").prices
        assert period.peak is None

    def test_a_price_can_be_taken_away(self):
        merged = merge(BUILT_IN, {"openai/gpt-6-luna": {"usd_per_mtok": None}})
        assert found(merged, "openai", "gpt-6-luna").price(TODAY) is None

    def test_a_zero_is_what_the_user_says(self):
        merged = merge(BUILT_IN, {"together/mine": {"usd_per_mtok": {"input": 0, "output": 0}}})
        assert input_of(found(merged, "together", "mine")) == 0

    def test_every_kind_of_field(self):
        entry = {
            "capability": "transcribe", "lifecycle": "deprecated", "retires": "2027-01-31", "successor": "whisper-1",
            "features": ["audio"], "skills": ["analysis"], "context": 10, "sampling": False, "note": "mine",
            "usd_per_minute": "0.01", "minimum_seconds": 10, "step_seconds": 1, "as_of": "2026-11-20",
            "peak": {"days": ["sat"], "hours_utc": [[1, 2]], "usd_per_minute": 2, "priced_up_to_input_tokens": 9},
            "price_changes": [
                {"from": "2027-01-01", "usd_per_hour": 1, "peak": {"hours_utc": [[3, 4]], "usd_per_hour": 2}},
            ],
        }  # fmt: skip
        mine = found(merge(BUILT_IN, {"openai/mine": entry}), "openai", "mine")
        assert len(mine.prices) == 2
        assert all(one.peak for one in mine.prices)

    def test_a_provider_is_known_by_any_of_its_names(self):
        merged = merge(BUILT_IN, {"claude/mine": OWN}, {"claude": "anthropic"}.get)
        assert merged.find("anthropic", "mine")
        with pytest.raises(Misconfigured, match="provider 'other' is not known"):
            merge(BUILT_IN, {"other/mine": OWN}, {"claude": "anthropic"}.get)

    def test_dimensions_below_those_that_are_built_in_are_noticed(self):
        with pytest.raises(Misconfigured, match="min_dimensions must not be above dimensions"):
            merge(BUILT_IN, {"openai/text-embedding-3-small": {"min_dimensions": 5000}})

    def test_it_can_be_the_same_as_another_of_ones_own(self):
        own = {
            "local/big": {"capability": "embed", "dimensions": 8},
            "openai/big-too": {"capability": "embed", "same_as": "big", "dimensions": 8},
        }
        assert found(merge(BUILT_IN, own), "openai", "big-too").identity == "big"

    def test_a_name_may_have_slashes(self):
        assert merge(BUILT_IN, {"together/a/b:c": OWN}).find("together", "a/b:c")

    def test_retirement_can_be_taken_back(self):
        merged = merge(BUILT_IN, {"openai/gpt-4": {"lifecycle": "active", "retires": None, "successor": None}})
        assert not found(merged, "openai", "gpt-4").is_retired(TODAY)

    def test_nothing_changes_nothing(self):
        assert merge(BUILT_IN, {}).models == BUILT_IN.models


class TestMistakes:
    @pytest.mark.parametrize(
        ("entry", "field", "words"),
        [
            ({"tiers": "fast"}, "tiers", "did you mean tier.* known: .*"),
            ({"id": "x"}, "id", "not known"),
            ({"tier": "FASTER"}, "tier", "fast, standard, advanced"),
            ({"capability": "dance"}, "capability", "transcribe"),
            ({"lifecycle": "dead"}, "lifecycle", "retired"),
            ({"features": "tools"}, "features", "a list"),
            ({"features": ["magic"]}, "features", "json_schema"),
            ({"skills": ["chess"]}, "skills", "planning"),
            ({"skills": [["code"]]}, "skills", "planning"),
            ({"context": 0}, "context", "whole number"),
            ({"context": True}, "context", "whole number"),
            ({"context": "8k"}, "context", "whole number"),
            ({"display_name": 5}, "display_name", "text"),
            ({"sampling": "no"}, "sampling", "true or false"),
            ({"retires": 20270101}, "retires", "date"),
            ({"retires": "tomorrow"}, "retires", "date"),
            ({"successor": "nobody"}, "successor", "not a model of openai"),
            ({"successor": "mine"}, "successor", "comes back"),
            ({"usd_per_mtok": 5}, "usd_per_mtok", "mapping with input"),
            ({"usd_per_mtok": {"output": 5}}, "usd_per_mtok", "input"),
            ({"usd_per_mtok": {"input": 5}}, "usd_per_mtok", "needs output"),
            ({"usd_per_mtok": {"input": -1, "output": 1}}, "usd_per_mtok.input", "from 0"),
            ({"usd_per_mtok": {"input": "a lot", "output": 1}}, "usd_per_mtok.input", "from 0"),
            ({"usd_per_mtok": {"input": "nan", "output": 1}}, "usd_per_mtok.input", "from 0"),
            ({"usd_per_mtok": {"input": True, "output": 1}}, "usd_per_mtok.input", "from 0"),
            ({"usd_per_mtok": {"input": 1, "ouput": 1}}, "usd_per_mtok.ouput", "cached_input"),
            ({"usd_tiers": [{"input": 1}]}, "usd_tiers[0]", "above_input_tokens"),
            ({"usd_tiers": {}}, "usd_tiers", "a list"),
            ({"usd_tiers": [{"above_input_tokens": 5, "input": 1}]}, "usd_tiers", "needs usd_per_mtok"),
            ({"usd_per_mchar": "0.00000001"}, None, "digits"),
            ({"usd_per_mchar": float("inf")}, "usd_per_mchar", "from 0"),
            ({"priced_up_to_input_tokens": -1}, "priced_up_to_input_tokens", "whole number"),
            ({"price_changes": [{"usd_per_mchar": 1}]}, "price_changes[0]", "from"),
            ({"price_changes": [{"from": "soon", "usd_per_hour": 1}]}, "price_changes[0].from", "date"),
            ({"price_changes": [{"from": "2027-01-01"}]}, "price_changes[0]", "needs a price"),
            (
                {"price_changes": [{"from": "2027-01-01", "minimum_seconds": 10}]},
                "price_changes[0]",
                "needs a price: .*usd_per_minute",
            ),
            ({"peak": {"hours_utc": [[1, 4]]}}, "peak", "needs a price"),
            ({"usd_per_minute": 1, "usd_per_hour": 60}, "usd_per_minute", "keep one"),
            (
                {"price_changes": [{"from": "2027-01-01", "usd_per_minute": 1, "usd_per_hour": 60}]},
                "price_changes[0].usd_per_minute",
                "keep one",
            ),
            ({"dimensions": 8, "min_dimensions": 9}, "min_dimensions", r"above dimensions \(8\)"),
            ({"same_as": "gpt-6-lunar"}, "same_as", "did you mean gpt-6-luna"),
            ({"same_as": "text-embedding-3-small"}, "same_as", "no model for chat"),
            ({"max_outputs": 5}, "max_outputs", r"is not known; did you mean max_output\? known: as_of"),
            ({"price_changes": [{"from": "2027-01-01", "usd_per_hours": 1}]}, None, "did you mean usd_per_hour"),
            ({"price_changes": [{"from": "2027-01-01", "note": 1}]}, "price_changes[0].note", "not known"),
            ({"peak": {"days": ["mon"]}}, "peak", "hours_utc"),
            ({"peak": {"hours_utc": [[4, 1]], "usd_per_hour": 1}}, None, "hours_utc"),
            ({"peak": {"hours_utc": [[1, 4]], "days": ["monday"], "usd_per_hour": 1}}, None, "mine"),
            ({"peak": {"hours_utc": 5, "usd_per_hour": 1}}, None, "mine"),
            ([], None, "mapping"),
            (None, None, "mapping"),
        ],
        ids=str,
    )
    def test_each_names_the_entry_and_the_field(self, entry, field, words):
        with pytest.raises(Misconfigured, match=words) as caught:
            merge(BUILT_IN, {"openai/mine": entry})
        assert caught.value.message.startswith("models: openai/mine:")
        if field is not None:
            assert f"openai/mine: {field} " in caught.value.message
            assert caught.value.param == f"models.openai/mine.{field}"

    @pytest.mark.parametrize("name", ["mine", "/mine", "openai/", "", 5])
    def test_a_name_needs_its_provider(self, name):
        with pytest.raises(Misconfigured, match="provider/model"):
            merge(BUILT_IN, {name: OWN})

    def test_a_line_in_a_circle(self):
        own = {"openai/a": {"successor": "b"}, "openai/b": {"successor": "a"}}
        with pytest.raises(Misconfigured, match="comes back"):
            merge(Catalog(), own)

    FIELDS = st.sampled_from(["tier", "context", "usd_per_mtok", "usd_tiers", "peak", "price_changes", "skills", "x"])

    @examples(300)
    @given(st.dictionaries(FIELDS, JSON, max_size=4))
    def test_no_mistake_is_anything_else(self, entry):
        try:
            merged = merge(Catalog(), {"openai/mine": entry})
        except Misconfigured as error:
            assert "openai/mine" in error.message  # noqa: PT017 - either is right, nothing else is
        else:
            assert merged.find("openai", "mine")
