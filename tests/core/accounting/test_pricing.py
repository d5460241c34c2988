"""Money is integers: nothing rounds to nothing, and what is not known stays unknown."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.accounting.pricing import cost_of, estimate
from core.capabilities import Capability
from core.config import catalog
from core.config.catalog import Model, Rates
from core.types.usage import UNKNOWN_COST, UNKNOWN_USAGE, Cost, Usage
from tests.core.fakes import examples

PRICED = [one for one in catalog.load().models if one.rates]


def usd(amount):
    """USD per million tokens as a rate."""
    return round(Fraction(amount) * 1_000_000)


def model(*rates, max_output=1000):
    return Model(id="m", provider="p", capability=Capability.CHAT, max_output=max_output, rates=rates)


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
