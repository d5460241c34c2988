"""What the catalogue routes show: plain data, never a secret."""

from typing import TYPE_CHECKING, Any

from core import __version__
from core.accounting import ledger, pricing
from core.backends.ports import Item
from core.capabilities import Capability
from core.config import prices
from core.config.catalog import Model, Query
from core.config.run_time import InForce
from core.config.settings import Account
from core.errors import BadRequest
from core.gateway import Gateway
from core.providers.row import Row
from core.types.plan import Candidate, Plan
from core.types.request import Facts
from core.wire.languages import tag_of

if TYPE_CHECKING:  # few look at them
    from core.config.voices import Voice

_HIDDEN = {"pk", "sk", "exp"}


def health(gateway: Gateway) -> dict[str, Any]:
    """Alive, and ready when some provider could answer."""
    live = live_providers(gateway)
    return {
        "status": "ok" if live else "degraded",
        "ready": bool(live),
        "version": __version__,
        "providers": live,
    }


def live_providers(gateway: Gateway) -> list[str]:
    return [name for name in gateway.registry.rows if gateway.registry.is_live(name)]


def providers_health(gateway: Gateway) -> dict[str, bool]:
    """Configured providers by what traffic last said; without traffic they count as healthy."""
    words = {name: gateway.stats.healthy(name) for name in live_providers(gateway)}
    return {name: word is not False for name, word in words.items()}


def status(gateway: Gateway) -> dict[str, Any]:
    config, planner = gateway.settings, gateway.planner
    chains = {one.value: planner.chain(one) for one in Capability if gateway.registry.offering(one)}
    chains["beautify"] = planner.chain(Capability.CHAT, purpose="beautify")  # a chat whose first has a setting
    return {
        "version": __version__,
        "configuration": _configuration(gateway.in_force),
        "simulated": gateway.simulated,
        "strategy": config.strategy,
        "fallback": config.enable_fallback,
        "chains": {name: [str(place) for place in chain] for name, chain in chains.items()},
        "providers": {row.name: _state(gateway, row) for row in gateway.registry.rows.values()},
        "timeouts": {
            "connect": config.connect_timeout,
            "first_token": config.first_token_timeout,
            "idle": config.idle_timeout,
            "answer": config.answer_timeout,
            "total": config.total_timeout,
        },
        "retries": {"max_retries": config.max_retries, "retry_delay_ms": config.retry_delay_ms},
        "auth": "key" if config.api_key else "loopback",
    }


def _configuration(one: InForce) -> dict[str, Any]:
    """What was changed at run time, and what of it does not hold."""
    return {"version": one.version, "changed": one.values, "left_out": one.left_out}


def _state(gateway: Gateway, row: Row) -> dict[str, Any]:
    targets = [
        {
            "account": target.account,
            "model": target.model,
            "ok": stats.ok,
            "failed": stats.failed,
            "ms": stats.ms and round(stats.ms, 1),
            "last_error": stats.last_error,
        }
        for target, stats in gateway.stats.targets.items()
        if target.provider == row.name
    ]
    return {
        "live": gateway.registry.is_live(row.name),
        "can": gateway.registry.able(row.name),
        "healthy": gateway.stats.healthy(row.name),
        "targets": targets,
    }


def providers(gateway: Gateway) -> dict[str, Any]:
    rows = gateway.registry.rows.values()
    return {"simulated": gateway.simulated, "providers": [_provider(gateway, row) for row in rows]}


def _provider(gateway: Gateway, row: Row) -> dict[str, Any]:
    accounts = gateway.registry.accounts(row.name)
    models = {name.value: model for name, model in row.default_models.items()}
    return {
        "name": row.name,
        "title": row.title,
        "aliases": row.aliases,
        "live": gateway.registry.is_live(row.name),
        "capabilities": sorted(row.capabilities),
        "can": sorted(gateway.registry.able(row.name)),
        "features": sorted(row.features),
        "default_models": models,
        "local": row.local,
        "accounts": [_account(gateway, row, account) for account in accounts],
    }


def _account(gateway: Gateway, row: Row, account: Account) -> dict[str, Any]:
    models = row.default_models
    parts = gateway.registry.parts(row.name, account)
    # What it lacks to be of any use; each part says for itself what it lacks.
    missing = [] if any(not one.missing for one in parts) else parts[0].missing
    return {
        "name": account.name,
        "enabled": account.enabled,
        "priority": account.priority,
        "model": account.model or models.get(Capability.CHAT),
        "embedding_model": account.embedding_model or models.get(Capability.EMBED),
        "simulated": account.simulated,
        "missing": missing,
        "parts": [one._asdict() for one in parts],
    }


def models(gateway: Gateway, query: Query, *, retired: bool) -> dict[str, Any]:
    """The catalogue with what each costs now."""
    now, rows = gateway.clock.now(), gateway.registry.rows
    free = {row.name for row in rows.values() if row.free}
    if query.provider is not None:
        query = query._replace(provider=gateway.registry.canonical(query.provider) or query.provider)
    found = gateway.catalog.list_models(query, now, free, retired=retired)
    live = _live(gateway)
    return {
        "models": [
            _model(
                one, now,
                free=pricing.is_free(one, now, own=one.provider in free), live=(one.provider, one.capability) in live,
            )
            for one in found
        ]
    }  # fmt: skip


def _live(gateway: Gateway) -> set[tuple[str, Capability]]:
    """Who could answer with a model for what."""
    registry = gateway.registry
    return {
        (name, one)
        for name in registry.rows
        for account in registry.accounts(name)
        for one in Capability
        if registry.is_ready(name, account, one, alone=True)
    }


def model_list(gateway: Gateway) -> dict[str, Any]:
    """What can be named here, in the form that OpenAI's clients list: each by its provider."""
    now, live = gateway.clock.now(), _live(gateway)
    models = gateway.catalog.list_models(Query(), now, set())
    found = [one for one in models if (one.provider, one.capability) in live]
    data = [
        {"id": f"{one.provider}/{one.id}", "object": "model", "created": 0, "owned_by": one.provider} for one in found
    ]
    return {"object": "list", "data": data}


def _model(one: Model, now: float, *, free: bool, live: bool) -> dict[str, Any]:
    period, price, rates = one.period(now), one.price(now), one.rates(now)
    return {
        "provider": one.provider,
        "id": one.id,
        "display_name": one.display_name,
        "capability": one.capability,
        "skills": sorted(one.skills),
        "features": sorted(one.features),
        "tier": one.tier,
        "context": one.context,
        "max_output": one.max_output,
        "dimensions": one.dimensions,
        "min_dimensions": one.min_dimensions,
        "same_as": one.same_as,
        "lifecycle": "retired" if one.is_retired(now) else one.lifecycle,
        "retires": None if one.retires is None else prices.day_of(one.retires),
        "successor": one.successor,
        "live": live,
        "free": free,
        "price": None if free or price is None else prices.shown(price),
        "peak": None
        if free or period is None or period.peak is None
        else prices.shown_peak(period.peak, period.price),
        "price_changes": [prices.shown_change(later) for later in one.prices if later.since > now],
        "cost_per_1k_input": 0 if free else _per_1k(rates.input if rates else None),
        "cost_per_1k_output": 0 if free else _per_1k(rates.output if rates else None),
        "as_of": one.as_of,
        "note": one.note,
    }


def _per_1k(rate: int | None) -> float | None:
    return None if rate is None else rate / 1_000_000_000


def _bounded(facts: Facts, one: Candidate) -> Facts:
    """With the length of answer that is sent for who names none."""
    return facts._replace(max_output=facts.max_output or dict(one.defaults).get("max_tokens"))


def plan(gateway: Gateway, one: Plan, facts: Facts) -> dict[str, Any]:
    now = gateway.clock.now()
    return {
        "capability": one.capability,
        "strategy": one.strategy,
        "policy": one.policy,
        "candidates": [
            {
                **ledger.candidate(each),
                "cost_estimate_nano": gateway.planner.costs.estimate(each.target, _bounded(facts, each), now),
                "warnings": each.warnings,
            }
            for each in one.candidates
        ],
        "excluded": [
            {**ledger.exclusion(each), "reasons": [each.reason], "by_request": each.by_request}
            for each in one.excluded
        ],
        "warnings": one.warnings,
        "simulated": gateway.simulated,
    }


def voices(gateway: Gateway, language: str | None, gender: str | None, provider: str | None) -> dict[str, Any]:
    """Who can say it: ours first, which several providers have, then each provider's own."""
    from core.config import voices as registry  # noqa: PLC0415 - few look at them

    if provider is not None:
        place = gateway.registry.canonical(provider)
        if place is None:
            raise BadRequest(gateway.registry.unknown(provider), param="provider", code="unknown_provider")
        provider = place
    if gender is not None and gender not in registry.GENDERS:
        words = f"gender must be one of {', '.join(registry.GENDERS)}"
        raise BadRequest(words, param="gender", code="invalid_value")
    known = registry.load(gateway.settings.voices)
    language = tag_of(language) if language else None
    found = [
        one
        for one in known.listed()
        if (not language or one.fluency(language))
        and gender in {None, one.gender}
        and (provider is None or provider == one.provider or provider in one.ids)
    ]
    return {"as_of": known.as_of, "voices": [_voice(one) for one in found]}


def _voice(one: "Voice") -> dict[str, Any]:
    return {
        "name": one.name,
        "provider": one.provider or None,
        "language": one.language,
        "gender": one.gender,
        "style": list(one.style),
        "age": one.age,
        "languages": one.languages,
        "models": one.models or None,
        "ids": {provider: list(ids) for provider, ids in one.ids.items()},
    }


def decision(item: Item) -> dict[str, Any]:
    """A stored receipt as its owner sees it."""
    nano = item.get("cost_nano")
    shown = {name: value for name, value in item.items() if name not in _HIDDEN}
    return {
        "decision_id": item["sk"],
        **shown,
        "cost": {"usd": None if nano is None else nano / 1e9, "nano_usd": nano},
    }
