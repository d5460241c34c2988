"""Which parameters a target does not take, and what becomes of them there. Pure."""

from core.capabilities import Capability
from core.config.catalog import SAMPLING_PARAMS, Catalog
from core.providers.registry import Registry
from core.routing import thoughts
from core.types.request import Facts, Request
from core.types.target import Target


class Params:
    def __init__(self, registry: Registry, catalog: Catalog) -> None:
        self._registry = registry
        self._catalog = catalog

    def dropped(
        self,
        target: Target,
        facts: Facts,
        body_effort: object,
        compatibility: str = "warn",
        capability: Capability = Capability.CHAT,
    ) -> frozenset[str]:
        """The parameters that this target does not take; of who is permissive only those that are known for it."""
        row = self._registry.row(target.provider, target.account, capability)
        drop = facts.params & self.lacks(target, body_effort, capability)
        if compatibility != "permissive":
            drop |= facts.unknown_params - row.extra_params
        return frozenset(drop)

    def lacks(self, target: Target, body_effort: object, capability: Capability = Capability.CHAT) -> frozenset[str]:
        """The dialect's parameters that it does not have, or not while it thinks."""
        lacks = self._registry.row(target.provider, target.account, capability).lacks_params
        model = self._catalog.find(target.provider, target.model)
        if model is not None and not model.sampling and body_effort != "none":
            return lacks | SAMPLING_PARAMS
        return lacks

    def dropped_of(self, target: Target, request: Request, way: Capability) -> frozenset[str]:
        """The same of a request; where its native body is taken, all that this does not name is said."""
        effort, compatibility = request.body.get("reasoning_effort"), request.options.compatibility
        dropped = self.dropped(target, request.facts, effort, compatibility, way)
        native = request.native
        if native is not None and self._registry.takes(target.place, native.dialect):
            dropped &= native.body.keys()
        thought = self.thought(target, request)
        return dropped - {thoughts.NAME} if thought is not None and not thought.lost else dropped

    def thought(self, target: Target, request: Request) -> thoughts.Thought | None:
        """What becomes of `thinking` where it has to be said otherwise."""
        if request.options.compatibility == "permissive" or not request.body.get(thoughts.NAME):
            return None
        row, model = self._registry.row(target.provider, target.account), self._catalog.find(*target[::2])
        return thoughts.thought_at(row, model, target, request.body)
