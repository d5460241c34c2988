"""Usage × price at a moment → cost, in integers; what is not known stays unknown."""

from core.config.catalog import Model
from core.config.prices import Price, Rates
from core.types.usage import UNKNOWN_COST, Cost, Usage

# A rate is USD per million tokens in millionths, so tokens × rate is in picodollars: a thousand to the nano-USD.
_PER_NANO = 1000
_HOUR_MS = 3_600_000
_SPOKEN = 2  # tokens of sound for a character that is said, at most: 21 a second, and about 15 characters


def is_free(model: Model | None, at: float, *, own: bool) -> bool:
    """Its price is 0, or it runs on the user's own machines and nobody has set a price for it."""
    if model is None or model.period(at) is None:
        return own
    return model.is_free(at)


def cost_of(usage: Usage, model: Model | None, at: float) -> Cost:
    """What the provider charges; each unit that the model is sold in must have been measured."""
    price = None if model is None else model.price(at)
    if price is None or usage.source == "unknown" or usage.extras:
        return UNKNOWN_COST
    pico = _pico(usage, price)
    return UNKNOWN_COST if pico is None else Cost(-(-pico // _PER_NANO))  # rounded up: never less than is owed


def billed_ms(audio_ms: int, model: Model | None, at: float) -> int:
    """What is paid for of the audio of one request: at least the least that is sold, and whole steps."""
    price = None if model is None else model.price(at)
    if price is None or price.per_hour is None:
        return audio_ms
    return -(-max(audio_ms, price.minimum_ms) // price.step_ms) * price.step_ms


def estimate(
    model: Model | None,
    at: float,
    input_tokens: int,
    max_output: int | None,
    answers: int = 1,
    *,
    searches: int = 0,
    audio_ms: int = 0,
    characters: int = 0,
) -> int | None:
    """The dearest a request can become that day in nano-USD; None when that is unknown."""
    period = None if model is None else model.period(at)
    if model is None or period is None:
        return None
    output = max_output or model.max_output
    sold = Usage("estimated", searches=searches, audio_ms=audio_ms, characters=characters)
    found = []
    for price in period.prices:
        pico = None if price.rates else _pico(sold, price)
        tokens = _dearest(price, input_tokens, output, answers, characters)
        found.append(tokens if pico is None else -(-pico // _PER_NANO))
    known = [one for one in found if one is not None]
    return max(known) if len(known) == len(found) else None


def affordable(model: Model | None, at: float, input_tokens: int, nano: float, answers: int = 1) -> int | None:
    """The longest answer in tokens that cannot cost more than that, any hour of the day; None without a price."""
    period = None if model is None else model.period(at)
    if period is None:
        return None
    rooms = [_room(price, input_tokens, nano, answers) for price in period.prices]
    known = [room for room in rooms if room is not None]
    return min(known) if known and len(known) == len(rooms) else None


def _pico(usage: Usage, price: Price) -> int | None:
    """The sum over the units it is sold in; none is a price that nobody knows."""
    if {price.per_character, price.per_search, price.per_hour, price.per_second} == {None}:
        return _tokens(usage, price) if price.rates else None
    parts = [_tokens(usage, price)] if price.rates else []
    if price.per_character is not None:
        parts.append(usage.characters * price.per_character if usage.characters else None)
    if price.per_search is not None:
        parts.append(usage.searches * price.per_search if usage.searches else None)
    if price.per_hour is not None:
        parts.append(_audio(usage.audio_ms, price, price.per_hour) if usage.audio_ms else None)
    if price.per_second is not None:
        parts.append(-(-usage.run_ms * price.per_second // 1000) if usage.run_ms else None)
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _tokens(usage: Usage, price: Price) -> int | None:
    rates = _applying(price, usage.input_total)
    if rates is None or (not usage.total and (usage.audio_ms or usage.characters or usage.run_ms)):
        return None  # sold by tokens, which nobody has counted
    write = rates.input if rates.cache_write is None else rates.cache_write
    total = usage.input * rates.input + usage.cache_write * write
    for count, rate in (
        (usage.output + usage.reasoning, rates.output),
        (usage.cached_input, rates.cached_input),
        (usage.cache_write_1h, rates.cache_write_1h),
        (usage.audio_input, rates.audio_input),
        (usage.audio_output, rates.audio_output),
    ):
        if count:
            if rate is None:
                return None
            total += count * rate
    return total


def _audio(milliseconds: int, price: Price, per_hour: int) -> int:
    steps = -(-max(milliseconds, price.minimum_ms) // price.step_ms)
    return -(-steps * price.step_ms * per_hour // _HOUR_MS)


def _dearest(price: Price, input_tokens: int, output: int | None, answers: int, said: int = 0) -> int | None:
    rates = _applying(price, input_tokens)
    if rates is None or (output is None and rates.output is not None):
        return None
    sound = _SPOKEN * said * (rates.audio_output or 0) if rates.output is None else 0
    words = answers * (output or 0) * (rates.output or 0)
    return -(-(input_tokens * _dearest_input(rates) + words + sound) // _PER_NANO)


def _room(price: Price, input_tokens: int, nano: float, answers: int) -> int | None:
    rates = _applying(price, input_tokens)
    if rates is None or not rates.output:
        return None
    left = nano * _PER_NANO - input_tokens * _dearest_input(rates)
    return max(0, int(left // (answers * rates.output)))


def _dearest_input(rates: Rates) -> int:
    """Whatever of it is written into a cache."""
    return max(rates.input, rates.cache_write or 0, rates.cache_write_1h or 0)


def _applying(price: Price, input_tokens: int) -> Rates | None:
    if price.priced_up_to is not None and input_tokens > price.priced_up_to:
        return None
    chosen: Rates | None = None
    for table in price.rates:
        if chosen is None or input_tokens > table.above_input_tokens:
            chosen = table
    return chosen
