"""How candidates are ordered. A strategy is a function from places and facts to an order; no I/O."""

from collections.abc import Callable, Collection, Mapping, Sequence

from core.types.target import Place

Order = Callable[[Sequence[Place], "Ordering"], list[Place]]
_LAST = 10_001


class Ordering:
    """What a strategy may look at."""

    __slots__ = ("cost", "explicit", "first", "leading", "priorities")

    def __init__(
        self,
        *,
        explicit: bool = False,
        first: Place | None = None,
        leading: Collection[Place] = (),
        priorities: Mapping[Place, int] | None = None,
        cost: Callable[[Place], int | None] = lambda _: None,
    ) -> None:
        self.explicit = explicit  # the chain was written down as it is
        self.first = first  # whom configuration names
        self.leading = leading  # who goes before the others of a default chain
        self.priorities = priorities or {}
        self.cost = cost


def fallback(chain: Sequence[Place], facts: Ordering) -> list[Place]:
    """A chain that was written down; else by number where numbers are set, led by whom configuration names."""
    if facts.explicit:
        return list(chain)
    order = sorted(chain, key=lambda place: facts.priorities.get(place, _LAST)) if facts.priorities else list(chain)
    order.sort(key=lambda place: place not in facts.leading)
    order.sort(key=lambda place: facts.first is None or not facts.first.covers(place))
    return order


def priority(chain: Sequence[Place], facts: Ordering) -> list[Place]:
    """Always by number; who has none comes last."""
    return sorted(fallback(chain, facts), key=lambda place: facts.priorities.get(place, _LAST))


def cost_optimized(chain: Sequence[Place], facts: Ordering) -> list[Place]:
    """What is free, then the cheapest; an unknown price comes last."""

    def cost(place: Place) -> tuple[bool, int]:
        found = facts.cost(place)
        return found is None, found or 0

    return sorted(fallback(chain, facts), key=cost)


STRATEGIES: Mapping[str, Order] = {"fallback": fallback, "priority": priority, "cost_optimized": cost_optimized}
# Those for which the sizes of a request matter.
BY_COST = frozenset({"cost_optimized"})
