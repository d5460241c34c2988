"""Prices in their units, from a day on and at hours of a day: read exactly, chosen by the moment alone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config.catalog import load
from core.config.prices import DAY, Period, Price, Rates, day_of, moment, parse_periods, shown
from tests.core.fakes import examples

TOKENS = {"usd_per_mtok": {"input": "1", "output": "2"}}
DEAR = {"usd_per_mtok": {"input": "3", "output": "4"}}
PEAK = {"days": ["mon", "tue", "wed", "thu", "fri"], "hours_utc": [[1, 4], [6, 10]], **DEAR}


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def input_at(entry, when):
    begun = [one for one in parse_periods(entry) if one.since <= at(when)]
    return begun[-1].at(at(when)).rates[0].input // 1_000_000


def price(entry):
    (period,) = parse_periods(entry)
    return period.price


class TestUnits:
    def test_no_price_is_none(self):
        assert parse_periods({"id": "m"}) == ()

    def test_prices_do_not_go_through_floats(self):
        (rates,) = price({"usd_per_mtok": {"input": "0.000007", "output": "1.1"}}).rates
        assert (rates.input, rates.output) == (7, 1_100_000)

    @pytest.mark.parametrize("amount", ["0.1", 0.1, "0.10"])
    def test_a_float_keeps_the_digits_it_was_written_with(self, amount):
        assert price({"usd_per_mtok": {"input": amount}}).rates[0].input == 100_000

    @pytest.mark.parametrize("amount", ["0.0000001", "1e-30", 0.1 + 0.2])
    def test_an_amount_too_fine_to_count_is_not_rounded_away(self, amount):
        with pytest.raises(ValueError, match="digits"):
            parse_periods({"usd_per_mtok": {"input": amount}})

    def test_tiers_of_price_take_the_rest_from_the_base(self):
        read = price(
            {
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
        assert all(one.cached_input == 200_000 and one.cache_write == 2_500_000 for one in read.rates)

    def test_characters_minutes_and_hours(self):
        assert price({"usd_per_mchar": "15"}).per_character == 15_000_000
        assert price({"usd_per_1k_searches": "2.5"}).per_search == 25 * 10**8
        assert price({"usd_per_minute": "0.006"}).per_hour == price({"usd_per_hour": "0.36"}).per_hour == 36 * 10**10
        read = price({"usd_per_hour": "1", "minimum_seconds": 10, "step_seconds": 1})
        assert (read.minimum_ms, read.step_ms) == (10_000, 1000)


CHANGING = {**TOKENS, "price_changes": [{"from": "2027-06-01", **DEAR}, {"from": "2027-01-01", "usd_per_mchar": "5"}]}
AT_HOURS = {**TOKENS, "peak": PEAK}


class TestDates:
    def test_a_change_replaces_the_whole_price(self):
        periods = parse_periods(CHANGING)
        assert [day_of(one.since) for one in periods] == ["1970-01-01", "2027-01-01", "2027-06-01"]
        assert periods[1].price == Price(per_character=5_000_000)

    @pytest.mark.parametrize(
        ("when", "expected"),
        [("2026-12-31T23:59:59.999", 1), ("2027-06-01T00:00:00", 3), ("2030-01-01", 3), ("1999-01-01", 1)],
    )
    def test_it_holds_from_midnight_utc(self, when, expected):
        assert input_at(CHANGING, when) == expected

    def test_a_price_may_be_known_only_from_a_day_on(self):
        entry = {"price_changes": [{"from": "2027-01-01", **TOKENS}]}
        first, second = parse_periods(entry)
        assert first.price == Price()
        assert second.price.rates

    @pytest.mark.parametrize("wrong", ["2027-13-01", "01/02/2027", "", 20270101])
    def test_a_date_is_a_date(self, wrong):
        with pytest.raises((ValueError, TypeError)):
            moment(wrong)


class TestHours:
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ("2026-11-20T00:59:59", 1),  # a Friday
            ("2026-11-20T01:00:00", 3),
            ("2026-11-20T03:59:59.9", 3),
            ("2026-11-20T04:00:00", 1),
            ("2026-11-20T06:00:00", 3),
            ("2026-11-20T09:59:59", 3),
            ("2026-11-20T10:00:00", 1),
            ("2026-11-21T07:00:00", 1),
            ("2026-11-22T07:00:00", 1),
            ("2026-11-23T07:00:00", 3),
        ],
    )
    def test_a_peak_is_hours_of_days(self, when, expected):
        assert input_at(AT_HOURS, when) == expected

    def test_without_days_it_is_every_day(self):
        entry = {**TOKENS, "peak": {"hours_utc": [[0, 24]], **DEAR}}
        assert {input_at(entry, f"2026-11-{day}T12:00:00") for day in range(20, 27)} == {3}

    @pytest.mark.parametrize("hours", [[[4, 1]], [[5, 5]], [[0, 25]], [[-1, 3]], [[22, 2]]])
    def test_hours_lie_within_a_day(self, hours):
        with pytest.raises(ValueError, match="hours_utc"):
            parse_periods({**TOKENS, "peak": {"hours_utc": hours, **DEAR}})

    @examples(200)
    @given(st.integers(0, 4_000_000_000))
    def test_it_agrees_with_the_calendar(self, when):
        there = datetime.fromtimestamp(when, UTC)
        expected = there.weekday() < 5 and (1 <= there.hour < 4 or 6 <= there.hour < 10)
        (period,) = parse_periods(AT_HOURS)
        assert period.peak is not None
        assert period.peak.holds(when) == expected

    def test_the_built_in_ones(self):
        deepseek = load().find("deepseek", "deepseek-flash")
        assert deepseek is not None
        for when, expected in (("2026-11-20T02:00:00", 300_000), ("2026-11-20T12:00:00", 150_000)):
            rates = deepseek.rates(at(when))
            assert rates is not None
            assert rates.input == expected
        gemini = load().find("gemini", "gemini-3.8-flash")
        assert gemini is not None
        for when, expected in (("2026-12-31T23:59:59", 750_000), ("2027-01-01T00:00:00", 1_500_000)):
            rates = gemini.rates(at(when))
            assert rates is not None
            assert rates.input == expected


class TestShown:
    @pytest.mark.parametrize("found", load().models, ids=lambda one: f"{one.provider}/{one.id}")
    def test_what_is_shown_reads_back_as_the_same_price(self, found):
        for period in found.prices:
            for one in period.prices:
                assert parse_periods(shown(one)) == (Period(one),)

    @examples(200)
    @given(
        st.integers(0, 10**12),
        st.none() | st.integers(0, 10**12),
        st.none() | st.integers(1, 10**9),
        st.none() | st.integers(1, 10**15),
    )
    def test_so_does_any_other(self, given_input, output, character, hour):
        one = Price(rates=(Rates(input=given_input, output=output),), per_character=character, per_hour=hour)
        assert parse_periods(shown(one)) == (Period(one),)

    def test_days(self):
        assert day_of(moment("2027-02-26")) == "2027-02-26"
        assert day_of(moment("2027-02-26") + DAY - 1) == "2027-02-26"
