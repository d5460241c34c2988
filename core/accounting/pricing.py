"""Usage × price → cost, in integers; what is not known stays unknown."""

from core.config.catalog import Model, Rates
from core.types.usage import UNKNOWN_COST, Cost, Usage

# A rate is USD per million tokens in millionths, so tokens × rate is in picodollars: a thousand to the nano-USD.
_PER_NANO = 1000


def cost_of(usage: Usage, model: Model | None) -> Cost:
    if model is None or not model.rates or usage.source == "unknown":
        return UNKNOWN_COST
    rates = _applying(model.rates, usage.input_total)
    if usage.cached_input and rates.cached_input is None:
        return UNKNOWN_COST
    write = rates.input if rates.cache_write is None else rates.cache_write
    pico = (
        usage.input * rates.input
        + usage.cached_input * (rates.cached_input or 0)
        + usage.cache_write * write
        + usage.output_total * rates.output
    )
    return Cost(-(-pico // _PER_NANO))  # rounded up: never less than is owed


def estimate(model: Model | None, input_tokens: int, max_output: int | None, answers: int = 1) -> int | None:
    """The dearest that a request can become in nano-USD, for caps and reservations; None when the price is unknown."""
    if model is None or not model.rates:
        return None
    rates = _applying(model.rates, input_tokens)
    output = max_output or model.max_output
    if output is None:
        return None
    dearest_input = max(rates.input, rates.cache_write or 0)
    return -(-(input_tokens * dearest_input + answers * output * rates.output) // _PER_NANO)


def _applying(tables: tuple[Rates, ...], input_tokens: int) -> Rates:
    chosen = tables[0]
    for table in tables[1:]:
        if input_tokens > table.above_input_tokens:
            chosen = table
    return chosen
