"""A user's own models over the built-in ones: checked field by field, because a wrong price is noticed late."""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, NoReturn

from core.capabilities import Capability, Feature
from core.config.catalog import LIFECYCLES, SKILLS, TIERS, Catalog, parse
from core.config.prices import PRICE_FIELDS, TOKEN_KINDS, moment
from core.errors import Misconfigured

_SCHEDULE = PRICE_FIELDS | {"peak", "price_changes"}
_WORDS = {"capability": tuple(Capability), "tier": TIERS, "lifecycle": LIFECYCLES}
_LISTS = {"features": tuple(Feature), "skills": SKILLS}
_COUNTS = (
    "context",
    "max_output",
    "dimensions",
    "min_dimensions",
    "max_inputs",
    "most_seconds",
    "priced_up_to_input_tokens",
)
_AMOUNTS = (
    "usd_per_mchar", "usd_per_1k_searches", "usd_per_minute", "usd_per_hour", "usd_per_second", "minimum_seconds",
    "step_seconds",
)  # fmt: skip
_TEXTS = ("display_name", "successor", "same_as", "recogniser", "as_of", "note")
_UNITS = {"usd_per_mtok", "usd_per_mchar", "usd_per_1k_searches", "usd_per_minute", "usd_per_hour", "usd_per_second"}
_FIELDS = {*_WORDS, *_LISTS, *_COUNTS, *_TEXTS, *_SCHEDULE, "sampling", "retires"}
_DEAREST = 10**6  # USD for a million tokens, an hour or whatever else


def merge(
    catalog: Catalog, own: Mapping[str, Any], canonical: Callable[[str], str | None] = lambda name: name
) -> Catalog:
    """`provider/model` → fields. What is named replaces the built-in field, null removes it, a price goes whole."""
    entries = dict(catalog.entries)
    for name, given in own.items():
        key = _key(name, canonical)
        if not isinstance(given, Mapping):
            _refuse(name, None, "must be a mapping of fields")
        for field, value in given.items():
            if value is not None:
                _check(name, str(field), value)
        base = dict(entries.get(key, {"provider": key[0], "id": key[1], "capability": Capability.CHAT.value}))
        if not _SCHEDULE.isdisjoint(given):
            base = {field: value for field, value in base.items() if field not in _SCHEDULE}
        made = {**base, **given}
        entries[key] = {field: value for field, value in made.items() if value is not None}
        _check_whole(name, entries[key])
    merged = Catalog(entries=entries.values())
    for name in own:
        _check_line(merged, name, _key(name, canonical))
        _check_twin(merged, name, _key(name, canonical))
    return merged


def _key(name: Any, canonical: Callable[[str], str | None]) -> tuple[str, str]:
    head, _, model = str(name).partition("/")
    if not head or not model:
        _refuse(name, None, "must be named provider/model")
    provider = canonical(head)
    if provider is None:
        _refuse(name, None, f"provider {head!r} is not known")
    return provider, model


def _check(name: str, field: str, value: Any) -> None:
    if field not in _FIELDS:
        _unknown(name, field, _FIELDS)
    if field in _WORDS:
        _one_of(name, field, value, _WORDS[field])
    elif field in _LISTS:
        if not isinstance(value, list | tuple):
            _refuse(name, field, "must be a list")
        for one in value:
            _one_of(name, field, one, _LISTS[field])
    elif field in _COUNTS:
        _count(name, field, value)
    elif field in _TEXTS:
        if not isinstance(value, str) or not value:
            _refuse(name, field, "must be text")
    elif field == "sampling":
        if not isinstance(value, bool):
            _refuse(name, field, "must be true or false")
    elif field == "retires":
        _date(name, field, value)
    else:
        _check_price(name, field, value)


def _check_price(name: str, field: str, value: Any) -> None:
    if field in _AMOUNTS:
        _amount(name, field, value)
    elif field == "usd_per_mtok":
        _table(name, field, value, {"input"})
    elif field == "usd_tiers":
        for number, table in enumerate(_list(name, field, value)):
            _table(name, f"{field}[{number}]", table, {"above_input_tokens"})
    elif field == "price_changes":
        for number, change in enumerate(_list(name, field, value)):
            _prices(name, f"{field}[{number}]", change, {"from", "peak"}, {"from"})
            _date(name, f"{field}[{number}].from", change["from"])
    else:
        _prices(name, field, value, {"days", "hours_utc"}, {"hours_utc"})


def _prices(name: str, field: str, value: Any, others: set[str], needed: set[str]) -> None:
    """A price inside another: that of a peak, or of a later day."""
    if not isinstance(value, Mapping) or not needed <= value.keys():
        _refuse(name, field, f"must be a mapping with {', '.join(sorted(needed))}")
    for inner, one in value.items():
        if inner in PRICE_FIELDS or (inner == "peak" and inner in others):
            (_count if inner in _COUNTS else _check_price)(name, inner, one)
        elif inner not in others:
            _unknown(name, f"{field}.{inner}", PRICE_FIELDS | others)
    _check_units(name, field, value)
    if _UNITS.isdisjoint(value):
        _refuse(name, field, f"needs a price: {', '.join(sorted(_UNITS))}")


def _table(name: str, field: str, value: Any, needed: set[str]) -> None:
    if not isinstance(value, Mapping) or not needed <= value.keys():
        _refuse(name, field, f"must be a mapping with {', '.join(sorted(needed))}")
    for kind, amount in value.items():
        if kind == "above_input_tokens":
            _count(name, f"{field}.{kind}", amount)
        elif kind in TOKEN_KINDS:
            _amount(name, f"{field}.{kind}", amount)
        else:
            _unknown(name, f"{field}.{kind}", TOKEN_KINDS)


def _check_whole(name: str, entry: Mapping[str, Any]) -> None:
    _check_units(name, None, entry)
    least, most = entry.get("min_dimensions"), entry.get("dimensions")
    if least is not None and most is not None and least > most:
        _refuse(name, "min_dimensions", f"must not be above dimensions ({most})")
    if "usd_tiers" in entry and "usd_per_mtok" not in entry:
        _refuse(name, "usd_tiers", "needs usd_per_mtok for short prompts")
    if entry["capability"] == Capability.CHAT and "output" not in entry.get("usd_per_mtok", {"output": 0}):
        _refuse(name, "usd_per_mtok", "of a chat model needs output")
    try:
        parse(entry)
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        raise Misconfigured(f"models: {name}: {error}", param=f"models.{name}") from error


def _check_units(name: str, field: str | None, price: Mapping[str, Any]) -> None:
    """One price for the time of audio, not two of which one would be forgotten."""
    if price.get("usd_per_minute") is not None and price.get("usd_per_hour") is not None:
        where = f"{field}.usd_per_minute" if field else "usd_per_minute"
        _refuse(name, where, "and usd_per_hour are two prices of one thing: keep one")


def _check_twin(catalog: Catalog, name: str, key: tuple[str, str]) -> None:
    """What it is the same as is there, and for the same use."""
    model = catalog.find(*key)
    if model is None or model.same_as is None:
        return
    twins = [catalog.find(provider, model.same_as) for provider in catalog.providers_of(model.same_as)]
    if not any(one is not None and one.capability == model.capability for one in twins):
        near = catalog.nearest(model.same_as)
        hint = f"; did you mean {near[0]}?" if near else ""
        _refuse(name, "same_as", f"{model.same_as!r} is no model for {model.capability}{hint}")


def _check_line(catalog: Catalog, name: str, key: tuple[str, str]) -> None:
    """Its successors are there and come to an end."""
    seen = {key[1]}
    model = catalog.find(*key)
    while model is not None and model.successor is not None:
        if catalog.find(key[0], model.successor) is None:
            _refuse(name, "successor", f"{model.successor!r} is not a model of {key[0]}")
        if model.successor in seen:
            _refuse(name, "successor", f"comes back to {model.successor!r}")
        seen.add(model.successor)
        model = catalog.find(key[0], model.successor)


def _list(name: str, field: str, value: Any) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        _refuse(name, field, "must be a list")
    return value


def _one_of(name: str, field: str, value: Any, words: tuple[str, ...]) -> None:
    if value not in words:
        _refuse(name, field, f"{value!r} is not known; known: {', '.join(words)}")


def _count(name: str, field: str, value: Any) -> None:
    if type(value) is not int or value <= 0:
        _refuse(name, field, "must be a whole number above 0")


def _amount(name: str, field: str, value: Any) -> None:
    try:
        number = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or not 0 <= number <= _DEAREST:
        _refuse(name, field, f"must be a number from 0 to {_DEAREST}")


def _date(name: str, field: str, value: Any) -> None:
    try:
        moment(value)
    except (ValueError, TypeError):
        _refuse(name, field, "must be a date like 2027-01-31, in quotes")


def _unknown(name: str, field: str, known: Collection[str]) -> NoReturn:
    near = get_close_matches(field.rpartition(".")[2], known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    _refuse(name, field, f"is not known; {hint}known: {', '.join(sorted(known))}")


def _refuse(name: Any, field: str | None, why: str) -> NoReturn:
    where = f"{name}: {field}" if field else f"{name}:"
    raise Misconfigured(f"models: {where} {why}", param=f"models.{name}" + (f".{field}" if field else ""))
