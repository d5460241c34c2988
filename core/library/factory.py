"""Providers by name, as the first seed makes and adds them."""

from typing import Any

from core.errors import BadRequest
from core.library import members, scope
from core.library.provider import Provider
from core.library.requests import ProviderConfig
from core.library.words import capability_of, text_of


class ProviderFactory:
    @staticmethod
    def create_provider(provider_name: object, capability: object, config: ProviderConfig | None = None) -> Provider:
        """What the environment configures, or with a configuration of its own an instance for itself."""
        name, wanted, here = text_of(provider_name), capability_of(capability), scope.current()
        registry = here.desk.registry
        own = here.owner(name)
        row = registry.rows[name] if own else members.row_of(here, name)
        if wanted not in row.capabilities:
            raise BadRequest(f"{row.title} has no {wanted}", param="capability", code="no_capability")
        if config is None:
            made = Provider.member_of(here, row.name)
        elif own:
            member = members.from_own(here, name, type(own.provider), config)
            made = Provider.member_of(here.sub(member), name)
        else:
            made = Provider.of(row.name, config)
        made.capability = capability
        return made

    @staticmethod
    def get_available_providers(capability: object) -> list[str]:
        """Who is configured for it."""
        return scope.current().available(capability_of(capability))

    @staticmethod
    def get_fallback_chain(capability: object) -> list[str]:
        """Who would be tried, in this order: with fallback switched off, the first alone."""
        here = scope.current()
        chain = [str(place) for place in here.chain(capability_of(capability))]
        return chain if here.desk.settings.enable_fallback else chain[:1]

    @staticmethod
    def register_provider(name: str, provider: Any) -> None:
        """A class or an object of your own, from the next request on."""
        here = scope.current()
        here.add(members.from_own(here, text_of(name), provider))


get_fallback_chain = ProviderFactory.get_fallback_chain
