"""How candidates are ordered. A strategy is a function from names and facts to an order; no I/O."""

from collections.abc import Callable, Mapping, Sequence

Order = Callable[[Sequence[str], "Ordering"], list[str]]


class Ordering:
    """What a strategy may look at."""

    __slots__ = ("first", "priorities")

    def __init__(self, first: str | None, priorities: Mapping[str, int]) -> None:
        self.first = first
        self.priorities = priorities


def fallback(chain: Sequence[str], facts: Ordering) -> list[str]:
    """The chain as it stands, or by number where numbers are set; the configured first provider leads."""
    order = sorted(chain, key=lambda name: facts.priorities.get(name, _LAST)) if facts.priorities else list(chain)
    if facts.first in order:
        order.remove(facts.first)
        order.insert(0, facts.first)
    return order


_LAST = 10_001

STRATEGIES: Mapping[str, Order] = {"fallback": fallback}
