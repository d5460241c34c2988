"""The order of accounts for a capability: explicit chain › configured first › own machines › numbers › the table."""

from collections.abc import Callable

from core.capabilities import Capability
from core.config.settings import Account, Settings
from core.providers.registry import Registry
from core.routing.strategies import STRATEGIES, Order, Ordering
from core.types.target import Place

AUTO = "auto"
Cost = Callable[[Place, Account], int | None]
Vectors = Callable[[Place, Account], str]  # whose they are; empty where it has no model


class Chains:
    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings

    def order(
        self,
        capability: Capability,
        strategy: str,
        cost: Cost,
        *,
        named: Place | None = None,
        vectors: Vectors | None = None,
        purpose: str = "",
    ) -> list[Place]:
        """All accounts that offer it, or those of the explicit chain; `named` is whom the caller asks before it.

        Whose `vectors` an account has matters where nothing but the chain decides on them.
        """
        rows = self._registry.offering(capability)
        common = self.common(capability)
        rows = sorted(rows, key=lambda row: common not in {None, row.default_models.get(capability)})
        rows = sorted(rows, key=lambda row: row.places.get(capability, len(rows)))
        accounts = {Place(row.name, one.name): one for row in rows for one in self._registry.accounts(row.name)}
        facts = self._facts(capability, accounts, cost, purpose)
        if vectors is not None and not self._may_lead(STRATEGIES[strategy], facts, accounts, vectors):
            facts.first = None
        default = STRATEGIES["fallback"](list(accounts), facts)
        written = self._settings.chain_for(capability)
        if written:
            facts.explicit = True
            return self._led(STRATEGIES[strategy](self._written(written, default), facts), default, purpose)
        order = STRATEGIES[strategy](list(accounts), facts)
        return self._promote(capability, order, accounts, behind=0 if named else 1)

    def _led(self, order: list[Place], everybody: list[Place], purpose: str) -> list[Place]:
        """With whom a purpose's own setting names before a written chain of all chats, be he in it or not."""
        first = self.first(Capability.CHAT, purpose) if purpose and self._settings.chosen_for(purpose) else None
        if first is None:
            return order
        leading = [place for place in (*order, *everybody) if first.covers(place)]
        return list(dict.fromkeys([*leading, *order]))

    def common(self, capability: Capability) -> str | None:
        """The default embedding model. Who has another one cannot stand in, and so comes later."""
        if capability is not Capability.EMBED:
            return None
        offered = (row.default_models.get(capability) for row in self._registry.offering(capability))
        return next(filter(None, offered), None)

    def first(self, capability: Capability, purpose: str = "") -> Place | None:
        """Whom configuration names; a purpose's own choice goes before its capability's."""
        chosen = purpose and self._settings.chosen_for(purpose)
        name = self._settings.first_for(purpose if chosen else capability)
        return self._registry.place(name) if name else None

    def _may_lead(self, order: Order, facts: Ordering, accounts: dict[Place, Account], vectors: Vectors) -> bool:
        """Whether who goes first for chats may do so here: not if stored vectors could then no longer be compared."""
        first = facts.first
        if first is None or self._settings.chosen_for(Capability.EMBED):
            return True
        facts.first = None
        found = {one: vectors(one, accounts[one]) for one in order(list(accounts), facts)}
        ready = {
            one: whose
            for one, whose in found.items()
            if whose and self._registry.is_ready(one.provider, accounts[one], Capability.EMBED)
        }
        facts.first = first
        if self.common(Capability.EMBED) not in ready.values():
            return True
        own = next((whose for one, whose in ready.items() if first.covers(one)), None)
        return own in {None, next(iter(ready.values()))}

    def _facts(self, capability: Capability, accounts: dict[Place, Account], cost: Cost, purpose: str) -> Ordering:
        numbers = {place: one.priority for place, one in accounts.items() if one.priority is not None}
        switched = [place for place, one in accounts.items() if one.first]
        if numbers:
            numbers = dict.fromkeys(switched, 0) | numbers  # a number of its own says more than being first
        own = [place for place in accounts if self._registry.rows[place.provider].local]
        return Ordering(
            first=self.first(capability, purpose),
            leading=own if self._settings.prefer_local else [] if numbers else switched,
            priorities=numbers,
            cost=lambda place: cost(place, accounts[place]),
        )

    def _written(self, names: tuple[str, ...], default: list[Place]) -> list[Place]:
        """An explicit chain; `auto` in it is everybody who is not named in it."""
        places = {name: self._registry.place(name) for name in names}
        own = [place for place in places.values() if place is not None]
        rest = [one for one in default if not any(place.covers(one) for place in own)]
        found: list[Place] = []
        for name, place in places.items():
            found += rest if name == AUTO else [one for one in default if place is not None and place.covers(one)]
        return list(dict.fromkeys(found))

    def _promote(
        self, capability: Capability, chain: list[Place], accounts: dict[Place, Account], *, behind: int
    ) -> list[Place]:
        """The configured second choice goes behind the first `behind` that could answer."""
        name = self._settings.fallback_provider
        second = self._registry.place(name) if name else None
        if second is None:
            return chain
        others = [place for place in chain if not second.covers(place)]
        ready = [place for place in chain if self._registry.is_ready(place.provider, accounts[place], capability)][
            :behind
        ]
        if any(second.covers(place) for place in ready):
            return chain  # it is the first choice as well
        cut = others.index(ready[-1]) + 1 if ready else 0
        return [*others[:cut], *(place for place in chain if second.covers(place)), *others[cut:]]
