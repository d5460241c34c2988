"""Money is integers: nothing rounds to nothing, and what is not known stays unknown."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.accounting import pricing
from core.capabilities import Capability
from core.config import catalog
from core.config.catalog import Model
from core.config.prices import Price, Rates, always, moment, parse_periods, per_token
from core.types.usage import UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage
from tests.core.fakes import examples

NOW = 1_800_000_000.0
PRICED = [one for one in catalog.load().models if one.rates(NOW)]


def cost_of(usage, one):
    return pricing.cost_of(usage, one, NOW)


def estimate(one, *facts, **more):
    return pricing.estimate(one, NOW, *facts, **more)


def usd(amount):
    """USD per million tokens as a rate."""
    return round(Fraction(amount) * 1_000_000)


def model(*rates, max_output=1000):
    return Model(
        id="m",
        provider="p",
        capability=Capability.CHAT,
        max_output=max_output,
        prices=per_token(*rates) if rates else (),
    )


def used(**buckets):
    return Usage(source="reported", **buckets)


PLAIN = model(Rates(input=usd("2.5"), output=usd("15")))
FULL = model(Rates(input=usd(2), output=usd(10), cached_input=usd("0.2"), cache_write=usd("2.5")))
TIERED = model(
    Rates(input=usd(2), output=usd(10), cached_input=usd("0.2")),
    Rates(input=usd(4), output=usd(15), cached_input=usd("0.4"), above_input_tokens=1000),
)


class TestCost:
    @pytest.mark.parametrize(
        ("usage", "nano"),
        [
            (used(input=1_000_000), 2_500_000_000),
            (used(output=1_000_000), 15_000_000_000),
            (used(input=1), 2_500),
            (used(input=10, output=20), 325_000),
            (used(output=10, reasoning=10), 300_000),
            (used(), 0),
        ],
    )
    def test_it_is_exact(self, usage, nano):
        assert cost_of(usage, PLAIN) == Cost(nano)

    def test_ten_tokens_at_two_cents_a_million_are_something(self):
        cheap = model(Rates(input=usd("0.02"), output=0))
        assert cost_of(used(input=10), cheap) == Cost(200)
        assert str(cost_of(used(input=10), cheap)) == "0.000000200"

    def test_less_than_a_nano_dollar_is_rounded_up(self):
        assert cost_of(used(input=1), model(Rates(input=1, output=0))) == Cost(1)
        assert cost_of(used(input=1000), model(Rates(input=1, output=0))) == Cost(1)
        assert cost_of(used(input=1001), model(Rates(input=1, output=0))) == Cost(2)

    def test_cached_and_written_input_have_their_own_price(self):
        usage = used(input=100, cached_input=1000, cache_write=200, output=10)
        assert cost_of(usage, FULL) == Cost(100 * 2000 + 1000 * 200 + 200 * 2500 + 10 * 10_000)

    def test_cache_writes_cost_as_input_where_nobody_says_more(self):
        assert cost_of(used(cache_write=100), PLAIN) == cost_of(used(input=100), PLAIN)

    def test_cached_input_without_its_price_is_unknown(self):
        assert cost_of(used(input=10, cached_input=1), PLAIN) == UNKNOWN_COST

    def test_cached_input_may_be_free(self):
        free = model(Rates(input=usd(1), output=usd(1), cached_input=0))
        assert cost_of(used(cached_input=500), free) == Cost(0)

    @pytest.mark.parametrize("priceless", [None, model()])
    def test_without_a_price_it_is_unknown(self, priceless):
        assert cost_of(used(input=10), priceless) == UNKNOWN_COST
        assert cost_of(used(), priceless) == UNKNOWN_COST

    def test_without_usage_it_is_unknown(self):
        assert cost_of(UNKNOWN_USAGE, PLAIN) == UNKNOWN_COST

    def test_estimated_usage_has_a_cost(self):
        assert cost_of(Usage(source="estimated", input=10), PLAIN) == Cost(25_000)

    @pytest.mark.parametrize(
        ("usage", "nano"),
        [
            (used(input=1000), 1000 * 2000),
            (used(input=1001), 1001 * 4000),
            (used(input=1, cached_input=1000), 4000 + 1000 * 400),
            (used(input=501, cache_write=500, output=10), 501 * 4000 + 500 * 4000 + 10 * 15_000),
            (used(input=900, output=5000), 900 * 2000 + 5000 * 10_000),
        ],
    )
    def test_the_whole_input_decides_which_price_is_paid_for_everything(self, usage, nano):
        assert cost_of(usage, TIERED) == Cost(nano)

    def test_big_numbers_stay_exact(self):
        assert cost_of(used(input=10**15), PLAIN) == Cost(10**15 * 2500)


def sold(**entry):
    """A model at a price written as in the catalogue."""
    prices = parse_periods(entry)
    return Model(id="m", provider="p", capability=Capability.TRANSCRIBE, max_output=1000, prices=prices)


class TestAudio:
    GROQ = sold(usd_per_hour="0.111", minimum_seconds=10)
    WHISPER = sold(usd_per_minute="0.006", step_seconds=1)

    @pytest.mark.parametrize(
        ("milliseconds", "nano"),
        [
            (3_600_000, 111_000_000),
            (60_000, 1_850_000),
            (10_001, 308_365),  # rounded up
            (10_000, 308_334),
            (9_999, 308_334),
            (1, 308_334),
        ],
    )
    def test_less_than_the_minimum_costs_the_minimum(self, milliseconds, nano):
        assert cost_of(used(audio_ms=milliseconds), self.GROQ) == Cost(nano)

    @pytest.mark.parametrize(
        ("milliseconds", "nano"), [(60_000, 6_000_000), (1, 100_000), (1000, 100_000), (1001, 200_000)]
    )
    def test_whole_steps_are_billed(self, milliseconds, nano):
        assert cost_of(used(audio_ms=milliseconds), self.WHISPER) == Cost(nano)

    def test_audio_that_nobody_measured_is_unknown(self):
        assert cost_of(used(output=100), self.WHISPER) == UNKNOWN_COST

    @examples(300)
    @given(st.integers(1, 10**9), st.integers(1, 10**9))
    def test_more_audio_never_costs_less_and_never_below_the_exact_price(self, one, other):
        costs = [cost_of(used(audio_ms=length), self.GROQ).nano for length in sorted((one, other))]
        assert costs[0] <= costs[1]
        assert Fraction(costs[1]) >= Fraction(max(one, other) * 111 * 10**6, 3_600_000)

    @pytest.mark.parametrize(("milliseconds", "nano"), [(1250, 1_750_000), (1, 1_400), (0, None)])
    def test_the_time_that_a_model_ran(self, milliseconds, nano):
        assert cost_of(used(output=9, run_ms=milliseconds), sold(usd_per_second="0.0014")) == Cost(nano)

    def test_audio_tokens_have_a_price_of_their_own(self):
        both = sold(usd_per_mtok={"input": "2.5", "output": "10", "audio_input": "6", "audio_output": "12"})
        assert cost_of(used(input=10, audio_input=100, output=5), both) == Cost(10 * 2500 + 100 * 6000 + 5 * 10_000)
        assert cost_of(used(audio_output=7), both) == Cost(7 * 12_000)
        assert cost_of(used(input=10, audio_input=1), PLAIN) == UNKNOWN_COST
        assert cost_of(used(audio_output=1), PLAIN) == UNKNOWN_COST


class TestCharacters:
    def test_each_costs(self):
        assert cost_of(used(characters=1000), sold(usd_per_mchar="15")) == Cost(15_000_000)
        assert cost_of(used(characters=1), sold(usd_per_mchar="0.0001")) == Cost(1)

    def test_text_that_nobody_counted_is_unknown(self):
        assert cost_of(used(), sold(usd_per_mchar="15")) == UNKNOWN_COST

    def test_two_units_are_added_and_both_must_be_known(self):
        both = sold(usd_per_mchar="15", usd_per_mtok={"input": "1"})
        assert cost_of(used(characters=1, input=1), both) == Cost(16_000)
        assert cost_of(used(input=1), both) == UNKNOWN_COST


class TestSearches:
    SOLD = sold(usd_per_1k_searches="2.5")

    def test_each_costs_and_tokens_do_not(self):
        assert cost_of(used(searches=3), self.SOLD) == Cost(7_500_000)
        assert cost_of(used(searches=1, input=1000), self.SOLD) == Cost(2_500_000)
        assert cost_of(used(searches=1), sold(usd_per_1k_searches="0.0000004")) == Cost(1)

    def test_what_nobody_counted_is_unknown(self):
        assert cost_of(used(input=1000), self.SOLD) == UNKNOWN_COST

    def test_where_tokens_are_sold_searches_do_not_count(self):
        assert cost_of(used(searches=1, input=10), sold(usd_per_mtok={"input": "0.1"})) == Cost(1000)

    def test_the_dearest_is_known_before(self):
        assert estimate(self.SOLD, 1000, None, searches=4) == 10_000_000
        assert estimate(self.SOLD, 1000, None) is None
        assert estimate(sold(usd_per_mtok={"input": "0.1"}), 1000, None, searches=4) == 100_000


class TestTokens:
    def test_what_is_not_sold_has_no_cost_and_no_output(self):
        vectors = sold(usd_per_mtok={"input": "0.02"})
        assert cost_of(used(input=1000), vectors) == Cost(20_000)
        assert cost_of(used(input=1000, output=1), vectors) == UNKNOWN_COST
        assert estimate(vectors, 1000, None) == 20_000

    def test_a_write_for_an_hour_has_its_own_price(self):
        anthropic = sold(usd_per_mtok={"input": "4", "output": "20", "cache_write": "5", "cache_write_1h": "8"})
        assert cost_of(used(cache_write=10, cache_write_1h=100), anthropic) == Cost(10 * 5000 + 100 * 8000)
        assert cost_of(used(cache_write_1h=1), FULL) == UNKNOWN_COST

    def test_beyond_the_known_tariff_it_is_unknown(self):
        known = sold(usd_per_mtok={"input": "10", "output": "50"}, priced_up_to_input_tokens=1000)
        assert cost_of(used(input=1000), known) == Cost(10_000_000)
        assert cost_of(used(input=1001), known) == UNKNOWN_COST
        assert estimate(known, 1000, 1) == 10_050_000
        assert estimate(known, 1001, 1) is None


class TestWhen:
    PROMO = sold(
        usd_per_mtok={"input": "1", "output": "2"},
        price_changes=[{"from": "2027-01-01", "usd_per_mtok": {"input": "2", "output": "4"}}],
    )
    PEAK = sold(
        usd_per_mtok={"input": "1", "output": "2"},
        peak={"hours_utc": [[6, 10]], "usd_per_mtok": {"input": "2", "output": "4"}},
    )

    @pytest.mark.parametrize(("seconds", "nano"), [(-0.001, 1000), (0, 2000), (10**9, 2000)])
    def test_a_new_price_holds_from_its_day_on(self, seconds, nano):
        at = moment("2027-01-01") + seconds
        assert pricing.cost_of(used(input=1), self.PROMO, at) == Cost(nano)
        assert pricing.estimate(self.PROMO, at, 1, 1) == 3 * nano

    @pytest.mark.parametrize(("hour", "nano"), [(5, 1000), (6, 2000), (9, 2000), (10, 1000)])
    def test_the_hour_decides(self, hour, nano):
        at = datetime(2026, 11, 20, hour, tzinfo=UTC).timestamp()
        assert pricing.cost_of(used(input=1), self.PEAK, at) == Cost(nano)

    def test_an_estimate_is_that_of_the_dearest_hour(self):
        for hour in (0, 7):
            at = datetime(2026, 11, 20, hour, tzinfo=UTC).timestamp()
            assert pricing.estimate(self.PEAK, at, 1, 1) == 2000 + 4000

    def test_an_unknown_price_at_some_hour_leaves_it_open(self):
        unknown = sold(usd_per_mtok={"input": "1", "output": "2"}, peak={"hours_utc": [[6, 10]]})
        assert pricing.estimate(unknown, moment("2026-11-20"), 1, 1) is None

    @examples(300)
    @given(st.sampled_from(PRICED), st.floats(moment("2026-06-01"), moment("2028-01-01")), st.integers(0, 10**6))
    def test_no_hour_of_a_day_is_dearer_than_its_estimate(self, one, at, tokens):
        most = pricing.estimate(one, at // 86_400 * 86_400, tokens, 1)
        cost = pricing.cost_of(used(input=tokens, output=0 if one.capability == "embed" else 1), one, at)
        assert cost.nano is None or most is None or cost.nano <= most

    def test_a_price_without_anything_is_none(self):
        empty = Model(id="m", provider="p", capability=Capability.CHAT, prices=always(Price()))
        assert cost_of(used(input=1), empty) == UNKNOWN_COST


class TestShown:
    @pytest.mark.parametrize(
        ("cost", "text", "amount"),
        [
            (Cost(0), "0.000000000", 0.0),
            (Cost(1), "0.000000001", 1e-9),
            (Cost(1_500_000_000), "1.500000000", 1.5),
            (Cost(12_000_000_345), "12.000000345", 12.000000345),
            (UNKNOWN_COST, "unknown", None),
        ],
    )
    def test_as_text_and_as_a_number(self, cost, text, amount):
        assert str(cost) == text
        assert cost.usd == amount


class TestEstimate:
    def test_it_is_the_dearest(self):
        assert estimate(PLAIN, 100, 50) == 100 * 2500 + 50 * 15_000

    def test_what_is_written_to_a_cache_may_be_dearer_than_input(self):
        assert estimate(FULL, 100, 1) == 100 * 2500 + 10_000

    def test_without_a_cap_it_is_the_models_longest_answer(self):
        assert estimate(PLAIN, 100, None) == 100 * 2500 + 1000 * 15_000

    def test_without_any_cap_it_is_unknown(self):
        assert estimate(model(Rates(input=1, output=1), max_output=None), 100, None) is None

    @pytest.mark.parametrize("priceless", [None, model()])
    def test_without_a_price_it_is_unknown(self, priceless):
        assert estimate(priceless, 100, 50) is None

    def test_it_uses_the_price_of_a_long_prompt(self):
        assert estimate(TIERED, 1000, 1) == 1000 * 2000 + 10_000
        assert estimate(TIERED, 1001, 1) == 1001 * 4000 + 15_000

    @examples(500)
    @given(
        st.sampled_from(PRICED),
        st.integers(0, 600_000),
        st.integers(1, 200_000),
        st.tuples(*[st.floats(0, 1)] * 5),
    )
    def test_nothing_within_it_costs_more(self, one, most_input, most_output, shares):
        most = estimate(one, most_input, most_output)
        assume(most is not None)
        assert most is not None
        cached, written, plain, spoken, thought = shares
        cached_input = int(most_input * cached)
        cache_write = int((most_input - cached_input) * written)
        output = int(most_output * spoken)
        usage = used(
            input=int((most_input - cached_input - cache_write) * plain),
            cached_input=cached_input,
            cache_write=cache_write,
            output=output,
            reasoning=int((most_output - output) * thought),
        )
        cost = cost_of(usage, one)
        assert cost.nano is None or cost.nano <= most

    @examples(300)
    @given(
        st.lists(st.integers(0, 10**8), min_size=4, max_size=4),
        st.integers(0, 10_000),
        st.integers(1, 10_000),
    )
    def test_at_its_own_size_it_is_met(self, prices, most_input, most_output):
        low, high, output, write = prices
        rates = Rates(input=max(low, high), output=output, cached_input=min(low, high), cache_write=write)
        most = estimate(model(rates), most_input, most_output)
        dearest = "cache_write" if write > rates.input else "input"
        usage = used(output=most_output, **{dearest: most_input})
        assert cost_of(usage, model(rates)) == Cost(most)


@pytest.mark.parametrize("unit", ["audio_ms", "characters", "run_ms"])
def test_what_is_sold_by_tokens_and_measured_in_something_else_is_not_free(unit):
    sold = Model(id="m", provider="p", capability=Capability.SPEAK, prices=per_token(Rates(usd(1), usd(2))))
    assert cost_of(Usage("reported", **{unit: 1250}), sold) == UNKNOWN_COST
    assert cost_of(Usage("reported", input=10, **{unit: 1250}), sold) == Cost(10_000)
