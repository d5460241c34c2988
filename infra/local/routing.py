"""The doctor's questions about who would answer: by the configuration here, and by the server that runs."""

from typing import Any

from core.bootstrap import Service
from core.capabilities import Capability
from core.config.settings import Settings
from core.errors import PatchbayError
from core.net.transport import Transport
from core.routing import ageing
from core.routing.planner import Planner
from core.types.request import Request
from core.types.target import Place
from infra.local.finding import Finding

_EXAMPLES: dict[Capability, dict[str, Any]] = {Capability.CHAT: {"messages": []}}
_ELSEWHERE = "start the server again here, or set the same where it was started"


async def findings(service: Service, status: dict[str, Any] | None, *, simulated: bool) -> list[Finding]:
    """Strategy and chains of the server that runs, by its status; else as one with this configuration has them."""
    registry, settings = service.registry, service.settings
    transport = await Transport().open()
    try:
        registry.connect(settings.accounts, transport)
        here = _Here(service, Planner(registry, service.catalog, settings), simulated)
        offered = [one for one in Capability if registry.offering(one)]
        if status is None:
            return [here.strategy(), *(here.chain(one) for one in offered), *here.ageing()]
        chains = [_running_chain(one, status, here.places(one)) for one in offered]
        return [_running_strategy(status, settings), *chains, *here.ageing()]
    finally:
        await transport.close()


def _running_strategy(status: dict[str, Any], settings: Settings) -> Finding:
    said, ours = (
        _strategy(status["strategy"], status["fallback"]),
        _strategy(settings.strategy, settings.enable_fallback),
    )
    if said == ours:
        return Finding("strategy", "ok", f"{said} (the running server)")
    return Finding("strategy", "warn", f"{said} in the running server; here it would be {ours}", _ELSEWHERE)


def _strategy(name: str, falls_back: object) -> str:
    return name if falls_back else f"{name}; fallback is off, so only the first is asked"


def _running_chain(capability: Capability, status: dict[str, Any], ours: list[str]) -> Finding:
    """Its chain, and ours where they are not the same; simulators stand in for everybody."""
    name, chain = f"{capability.value} chain", status["chains"].get(capability.value, [])
    said = " > ".join(chain) or "nobody can answer"
    if status["simulated"]:
        return Finding(name, "ok", f"{said} (simulators of the running server)")
    if chain == ours and chain:
        return Finding(name, "ok", f"{said} (the running server)")
    if chain == ours:
        return Finding(
            name, "warn", f"{said} (the running server)", "set up a provider that can: `patchbay providers`"
        )
    here = " > ".join(ours) or "nobody"
    return Finding(name, "warn", f"{said} in the running server; here it would be {here}", _ELSEWHERE)


class _Here:
    """What a gateway with this configuration would do."""

    def __init__(self, service: Service, planner: Planner, simulated: bool) -> None:  # noqa: FBT001 - by its one caller
        self._service = service
        self._planner = planner
        self._simulated = simulated

    def strategy(self) -> Finding:
        settings = self._service.settings
        return Finding("strategy", "ok", _strategy(settings.strategy, settings.enable_fallback))

    def places(self, capability: Capability) -> list[str]:
        """Those in the chain that could answer, as a server's status has them."""
        return [str(place) for place in self._planner.chain(capability)]

    def ageing(self) -> list[Finding]:
        """Simulators' models are nobody's concern."""
        if self._simulated:
            return []
        service = self._service
        found = ageing.expected(service.registry, service.catalog, service.settings, service.clock.now())
        return [Finding("models", "warn", words) for words in found]

    def chain(self, capability: Capability) -> Finding:
        service, name = self._service, f"{capability.value} chain"
        settings = service.settings
        try:
            plan = self._planner.plan(Request(capability, _EXAMPLES.get(capability, {})), service.clock.now())
        except PatchbayError as error:
            return Finding(name, "fail", error.message)
        chain = [str(one.target) for one in plan.candidates]
        if self._simulated:
            return Finding(name, "ok", f"{' > '.join(chain)} (simulators)")
        if not chain:
            why = "; ".join(f"{one.target.provider}: {one.reason}" for one in plan.excluded[:3])
            return Finding(name, "warn", f"nobody can answer: {why}", "set up one of these providers")
        wanted = None if settings.chain_for(capability) else settings.first_for(capability)
        if capability is Capability.EMBED and not settings.chosen_for(capability):
            wanted = None  # LLM_PROVIDER leads embeddings only where vectors stay comparable
        place = service.registry.place(wanted) if wanted else None
        first = plan.candidates[0]
        if place is not None and not place.covers(Place(first.target.provider, first.target.account)):
            said = f"{wanted} should go first but cannot; {chain[0]} does"
            return Finding(name, "warn", said, f"set up {wanted}, or change LLM_PROVIDER")
        return Finding(name, "ok", f"{' > '.join(chain)} (first: {', '.join(first.reasons)})")
