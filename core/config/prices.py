"""What a model costs: in which unit, from when, at what time of day. Money is integers; no clock is read here."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

DAY = 86_400
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_WEEKDAY = _DAYS.index("thu")  # of 1 January 1970
# USD per million of something, in millionths of a dollar, is picodollars for one of it.
_MICRO = 1_000_000
_PICO = 10**12

# What makes up one price; a change of price replaces all of it.
PRICE_FIELDS = frozenset({
    "usd_per_mtok", "usd_tiers", "usd_per_mchar", "usd_per_minute", "usd_per_hour", "minimum_seconds", "step_seconds",
    "usd_per_1k_searches", "usd_per_second", "priced_up_to_input_tokens",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens, in millionths of a dollar: integers, so that money never rounds in between."""

    input: int
    output: int | None = None  # None: not sold, as for embeddings
    cached_input: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    above_input_tokens: int = 0


TOKEN_KINDS = tuple(one.name for one in fields(Rates) if one.name != "above_input_tokens")


@dataclass(frozen=True, slots=True)
class Price:
    rates: tuple[Rates, ...] = ()  # rising by above_input_tokens; the last that applies prices the whole request
    per_character: int | None = None  # picodollars
    per_search: int | None = None  # picodollars
    per_hour: int | None = None  # of audio, in picodollars
    per_second: int | None = None  # of a model's run, in picodollars
    minimum_ms: int = 0  # less audio is billed as this much
    step_ms: int = 1  # and any as whole steps
    priced_up_to: int | None = None  # input tokens beyond which the price is not known

    @property
    def is_zero(self) -> bool:
        """Somebody said that it costs nothing; what nobody said is unknown."""
        units = [
            self.per_character,
            self.per_search,
            self.per_hour,
            self.per_second,
            *(getattr(one, kind) for one in self.rates for kind in TOKEN_KINDS),
        ]
        known = [one for one in units if one is not None]
        return bool(known) and not any(known)


@dataclass(frozen=True, slots=True)
class Peak:
    """Another price at some hours of some days, in UTC."""

    price: Price
    days: frozenset[int]  # 0 is Monday
    hours: tuple[tuple[int, int], ...]  # from, until

    def holds(self, at: float) -> bool:
        day, seconds = divmod(at, DAY)
        if (int(day) + _FIRST_WEEKDAY) % 7 not in self.days:
            return False
        return any(start <= seconds / 3600 < end for start, end in self.hours)


@dataclass(frozen=True, slots=True)
class Period:
    """What holds from a moment on, until the next period begins."""

    price: Price
    since: float = 0.0
    peak: Peak | None = None

    def at(self, moment: float) -> Price:
        return self.peak.price if self.peak is not None and self.peak.holds(moment) else self.price

    @property
    def prices(self) -> tuple[Price, ...]:
        return (self.price,) if self.peak is None else (self.price, self.peak.price)


def always(price: Price) -> tuple[Period, ...]:
    return (Period(price),)


def per_token(*rates: Rates) -> tuple[Period, ...]:
    return always(Price(rates=rates))


def parse_periods(entry: Mapping[str, Any]) -> tuple[Period, ...]:
    """The prices of a catalogue entry by when they begin; nothing where none is known."""
    later = [_period(change, moment(change["from"])) for change in entry.get("price_changes", ())]
    found = [_period(entry, 0.0), *sorted(later, key=lambda one: one.since)]
    return () if found == [Period(Price())] else tuple(found)


def moment(date: str) -> float:
    """A date → when it begins, in UTC."""
    return datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


def day_of(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def shown(price: Price) -> dict[str, Any]:
    """A price as the catalogue writes it."""
    tables = [_shown_rates(one) for one in price.rates]
    facts = {
        "usd_per_mtok": tables[0] if tables else None,
        "usd_tiers": tables[1:],
        "usd_per_mchar": _decimal(price.per_character, _MICRO),
        "usd_per_1k_searches": _decimal(price.per_search, _PICO // 1000),
        "usd_per_hour": _decimal(price.per_hour, _PICO),
        "usd_per_second": _decimal(price.per_second, _PICO),
        "minimum_seconds": price.minimum_ms / 1000,
        "step_seconds": price.step_ms / 1000 if price.step_ms > 1 else None,
        "priced_up_to_input_tokens": price.priced_up_to,
    }
    return {name: value for name, value in facts.items() if value}


def shown_peak(peak: Peak, otherwise: Price) -> dict[str, Any]:
    days = [name for number, name in enumerate(_DAYS) if number in peak.days]
    return {"days": days, "hours_utc": peak.hours, "price": shown(peak.price), "otherwise": shown(otherwise)}


def shown_change(period: Period) -> dict[str, Any]:
    """What holds from a day on; an empty price is one that nobody knows yet."""
    peak = {} if period.peak is None else {"peak": shown_peak(period.peak, period.price)}
    return {"from": day_of(period.since), "price": shown(period.price), **peak}


def _shown_rates(rates: Rates) -> dict[str, Any]:
    kinds = {name: _decimal(getattr(rates, name), _MICRO) for name in TOKEN_KINDS}
    above = {"above_input_tokens": rates.above_input_tokens} if rates.above_input_tokens else {}
    return above | {name: value for name, value in kinds.items() if value is not None}


def _decimal(number: int | None, unit: int) -> str | None:
    return None if number is None else f"{(Decimal(number) / unit).normalize():f}"


def _period(entry: Mapping[str, Any], since: float) -> Period:
    return Period(_price(entry), since, _peak(entry["peak"]) if "peak" in entry else None)


def _price(entry: Mapping[str, Any]) -> Price:
    hour = _exact(entry.get("usd_per_hour"), _PICO)
    minute = _exact(entry.get("usd_per_minute"), _PICO)
    return Price(
        rates=tuple(_rates(table) for table in _tables(entry)),
        per_character=_exact(entry.get("usd_per_mchar"), _MICRO),
        per_search=_exact(entry.get("usd_per_1k_searches"), _PICO // 1000),
        per_hour=minute * 60 if hour is None and minute is not None else hour,
        per_second=_exact(entry.get("usd_per_second"), _PICO),
        minimum_ms=_exact(entry.get("minimum_seconds", 0), 1000) or 0,
        step_ms=_exact(entry.get("step_seconds", 0), 1000) or 1,
        priced_up_to=entry.get("priced_up_to_input_tokens"),
    )


def _peak(entry: Mapping[str, Any]) -> Peak:
    days = frozenset(_DAYS.index(day) for day in entry.get("days", _DAYS))
    hours = tuple((int(start), int(end)) for start, end in entry["hours_utc"])
    if not all(0 <= start < end <= 24 for start, end in hours):
        raise ValueError("hours_utc must be pairs of hours from 0 to 24; write one over midnight as two")
    return Peak(_price(entry), days, hours)


def _tables(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    base = entry.get("usd_per_mtok")
    if base is None:
        return []
    return [base, *sorted(({**base, **table} for table in entry.get("usd_tiers", ())), key=_threshold)]


def _threshold(table: Mapping[str, Any]) -> int:
    return int(table.get("above_input_tokens", 0))


def _rates(table: Mapping[str, Any]) -> Rates:
    kinds = {name: _exact(table[name], _MICRO) for name in TOKEN_KINDS if name in table}
    return Rates(**{"input": 0, **kinds}, above_input_tokens=_threshold(table))  # type: ignore[arg-type]  # none is None


def _exact(amount: Any, unit: int) -> int | None:
    """Through text, so that a float from a settings file keeps the digits it was written with."""
    if amount is None:
        return None
    number = Decimal(str(amount)) * unit
    if number != int(number):
        raise ValueError(f"{amount} has more digits than are counted")
    return int(number)
