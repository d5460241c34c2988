"""Which model a task should have, as a decision of its own."""

from core.library.registry import ProviderRegistry
from core.library.results import ModelInfo, RoutingDecision
from core.library.words import text_of
from core.routing import tasks
from core.routing.tasks import Choice, Offer, Task

_THOUSANDS = 3  # of tokens that the seed takes a task for


class ModelRouter:
    def __init__(self, registry: ProviderRegistry | None = None) -> None:
        self.registry = registry or ProviderRegistry()

    def choose_model(
        self, role: str = "", risk: object = "low", area: str = "", complexity: object = "medium"
    ) -> RoutingDecision:
        """The cheapest model that fits. High risk refuses when none does; anything else widens, and says so."""
        choice = self.choice(Task(role, text_of(risk), area, text_of(complexity)))
        best = choice.offers[0]
        return RoutingDecision(best.model, best.provider, choice.why, best.price * _THOUSANDS)

    def choice(self, task: Task) -> Choice:
        return tasks.choose(task, [_offer(one) for one in self.registry.list_models(capability="chat")])


def _offer(one: ModelInfo) -> Offer:
    skills, leaving = frozenset(one.capabilities), one.lifecycle != "active"
    return Offer(one.provider, one.model_id, str(one.tier), skills, one.cost_per_1k_input, leaving)


ModelRouterV2 = ModelRouter  # as the second seed calls the same router later on
