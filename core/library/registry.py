"""Providers and their models by name. One that nobody registered with shows what the environment configures."""

from typing import Any

from core.config.catalog import Query
from core.library import members, questions, scope
from core.library.provider import Provider
from core.library.results import ModelInfo
from core.library.scope import Member, Scope
from core.library.words import check_skill, text_of


class ProviderRegistry:
    def __init__(self, scope: Scope | None = None) -> None:
        self._given = scope
        self._own: Scope | None = None

    @property
    def scope(self) -> Scope:
        return self._own or self._given or scope.current()

    def register(self, provider: Any) -> None:
        """One of the classes here, or any object with a `generate` or `chat_completion` of its own."""
        if self._own is None:
            self._own = self.scope.sub()
        self._own.add(members.unranked(member_of(self._own, provider)))

    def get_provider(self, name: str) -> Provider | None:
        registry = self.scope.desk.registry
        known = registry.canonical(name) or members.name_of(self.scope, name)
        return Provider.member_of(self.scope, known) if known in registry.rows else None

    def get_model_info(self, model_id: str) -> ModelInfo | None:
        """At the first provider of the chain that has it, or else at anybody's."""
        usable, owners = self.scope.available(), self.scope.desk.catalog.providers_of(model_id)
        known = self._names if self.scope.exact else owners
        for name in sorted(owners, key=lambda one: usable.index(one) if one in usable else len(usable)):
            if name in known:
                return questions.info(self.scope, name, model_id)
        return None

    def list_models(
        self, capability: object = None, max_cost: float | None = None, tier: object = None
    ) -> list[ModelInfo]:
        """By skill (or what it is for), USD per thousand input tokens (0: only what is free) and tier."""
        query = Query(tier=None if tier is None else text_of(tier), max_cost=max_cost)
        names = self._names if self.scope.exact else self.scope.available()
        found = questions.listed(self.scope, query, names)
        if capability is None:
            return found
        skill = text_of(capability)
        fit = [one for one in found if one.supports(skill)]
        if not fit and not any(one.supports(skill) for one in questions.listed(self.scope, Query(), names)):
            check_skill(skill)  # own models may have skills of any name
        return fit

    @property
    def _names(self) -> list[str]:
        return [one.row.name for one in self.scope.members]


def member_of(where: Scope, provider: Any, name: str | None = None, config: Any = None) -> Member:
    """A provider of ours, or a caller's own object or class, as a member of a scope."""
    if isinstance(provider, type) and issubclass(provider, Provider):
        provider = provider(config)
    if isinstance(provider, Provider):
        return provider.member(where)
    return members.from_own(where, name, provider, config)
