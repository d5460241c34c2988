"""What a program does with the provider system as a whole."""

import logging
from functools import cache
from typing import Any

from core.library import questions, scope
from core.library.manager import ProviderManager, get_provider_manager
from core.library.requests import ProviderConfig
from core.routing import score

log = logging.getLogger("patchbay")


class ProviderConfigService:
    def get_status(self) -> dict[str, Any]:
        """Strategy, and each configured provider with what traffic has said of it."""
        here = scope.current()
        configs = {name: self.get_config(name) for name in here.desk.registry.rows if self._has(name)}
        return {
            "strategy": get_provider_manager().strategy,
            "providers": {
                name: {"enabled": one.enabled, "priority": one.priority, "healthy": one.health_status != "unhealthy"}
                for name, one in configs.items()
            },
        }

    def get_config(self, name: str) -> ProviderConfig:
        """A provider's settings without its key, and its counters in this process."""
        here = scope.current()
        return questions.config_of(here, here.desk.registry.canonical(name) or name)

    @staticmethod
    def _has(name: str) -> bool:
        """Whether somebody configured it, be it switched off."""
        registry = scope.current().desk.registry
        return any(not part.missing for one in registry.accounts(name) for part in registry.parts(name, one))


@cache
def get_provider_config_service() -> ProviderConfigService:
    return ProviderConfigService()


def initialize_provider_system() -> ProviderManager:
    """Read the configuration anew and check it; what a program registered stays."""
    here = scope.current()
    here.reload()
    log.info("provider system: %s", ", ".join(here.available()) or "nobody is configured")
    return get_provider_manager()


def provider_score(provider: ProviderConfig) -> float:
    """Success, speed, health and recent use of a provider in one number."""
    now = scope.current().configured.clock.now()
    return score.classic(
        requests=provider.request_count,
        successes=provider.success_count,
        average_ms=provider.avg_response_time,
        health=provider.health_status,
        recent=provider.last_used is not None and now - provider.last_used <= score.RECENT_SECONDS,
    )
