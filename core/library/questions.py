"""What is answered without asking any provider: models, prices, configurations."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from core.accounting import pricing
from core.capabilities import Capability
from core.config.catalog import Query
from core.config.settings import Account
from core.library import sound
from core.library.calls import request_of
from core.library.requests import Body, ProviderConfig
from core.library.results import ModelInfo
from core.library.scope import Scope

_USUAL_OUTPUT = 1000  # tokens, where a request does not limit them and an estimate must assume something
_PICO = 1e12


def estimate(scope: Scope, body: Body, name: str) -> dict[str, Any]:
    """What a request would cost at a provider at most, by the tokens it is counted with; None where nobody knows."""
    desk, clock = scope.desk, scope.configured.clock
    asked = {**body, "provider": name, "fallback": False}
    request = sound.likely(asked) if sound.is_heard(asked) else request_of(asked)
    now, facts = clock.now(), request.facts
    plan = desk.planner.plan(request, now)
    if not plan.candidates:
        reason = plan.excluded[0].reason if plan.excluded else "it does not offer this"
        return {"provider": name, "model": None, "total_cost": None, "reason": reason}
    target = plan.candidates[0].target
    output = 0 if request.capability is not Capability.CHAT else facts.max_output or _USUAL_OUTPUT
    found = desk.catalog.find(target.provider, target.model)
    free = pricing.is_free(found, now, own=desk.registry.rows[target.provider].free)
    most = facts.max_output or output if request.capability is Capability.TRANSCRIBE else output
    nano = 0 if free else pricing.estimate(
        found, now, facts.input_tokens, most, facts.answers, audio_ms=facts.audio_ms, characters=facts.characters
    )  # fmt: skip
    return {
        "provider": target.provider,
        "model": target.model,
        "input_tokens": facts.input_tokens,
        "output_tokens": output * facts.answers,
        **({"audio_minutes": facts.audio_ms / 60_000} if facts.audio_ms else {}),
        "total_cost": None if nano is None else nano / 1e9,
        "currency": "USD",
    }


def listed(scope: Scope, query: Query, names: Collection[str]) -> list[ModelInfo]:
    """The catalogue's models of these providers, without those that are retired."""
    desk, now = scope.desk, scope.configured.clock.now()
    free = {row.name for row in desk.registry.rows.values() if row.free}
    found = desk.catalog.list_models(query, now, free)
    return [
        ModelInfo.of(one, now, free=pricing.is_free(one, now, own=one.provider in free))
        for one in found
        if one.provider in names
    ]


def info(scope: Scope, name: str, model: str) -> ModelInfo | None:
    desk, now = scope.desk, scope.configured.clock.now()
    found, row = desk.catalog.find(name, model), desk.registry.rows.get(name)
    free = pricing.is_free(found, now, own=row is not None and row.free)
    return None if found is None else ModelInfo.of(found, now, free=free)


def config_of(scope: Scope, name: str, given: ProviderConfig | None = None) -> ProviderConfig:
    """A provider's settings without its key, its price by token, and what has been seen of it in this process."""
    desk, now = scope.desk, scope.configured.clock.now()
    row = desk.registry.rows.get(name)
    accounts = desk.registry.accounts(name)
    account = accounts[0] if accounts else Account(enabled=False)
    model = account.model or (row.default_models.get(Capability.CHAT) if row else None)
    found = desk.catalog.find(name, model) if model else None
    rates = found.rates(now) if found and row else None
    seen = [stats for target, stats in scope.stats.targets.items() if target.provider == name]
    requests = sum(one.ok + one.failed for one in seen)
    timed = [(one.ms, one.ok) for one in seen if one.ms is not None]
    word = scope.stats.healthy(name)
    return replace(
        given or ProviderConfig(name=name, provider_type=name),
        name=name,
        api_key=None,
        base_url=account.base_url or (row.base_url if row else None),
        enabled=account.enabled,
        priority=1 if account.priority is None else account.priority,
        model=model,
        text_model=model,
        cost_per_token=rates.input / _PICO if rates else 0.0,
        request_count=requests,
        success_count=sum(one.ok for one in seen),
        error_count=sum(one.failed for one in seen),
        total_cost=sum(one.nano for one in seen) / 1e9,
        avg_response_time=sum(ms * count for ms, count in timed) / max(sum(count for _, count in timed), 1),
        last_used=max((one.last_at for one in seen if one.last_at), default=None),
        health_status={None: "unknown", True: "healthy", False: "unhealthy"}[word],
    )
