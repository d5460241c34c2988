"""What `make run` prints: who answers, where, and something to try."""

from core.bootstrap import Service
from core.capabilities import Capability
from core.config.accounts import DEFAULT
from core.providers.row import Row
from core.types.target import Place


def banner(service: Service, url: str) -> str:
    rows = list(service.registry.rows.values())
    states = [(part.title, _state(service, row, at)) for row in rows for at, (part, _) in enumerate(row.parts())]
    width = max(len(title) for title, _ in states)
    lines = [f"Patchbay on {url}", "", *(f"  {title:<{width}}  {state}" for title, state in states), ""]
    if any(_simulated(service, row) for row in rows):
        lines += [
            "Nothing is configured, so simulators answer and every answer says so.",
            "Put a key into .env (OPENAI_API_KEY=...) and start again to use a provider.",
            "",
        ]
    elif not any(_live(service, row) for row in rows):
        lines += [
            "Nobody can answer yet: put a key into .env (OPENAI_API_KEY=...) and start again.",
            "",
        ]
    path, example = _example(service)
    lines += [
        f"  {url}/docs           the API",
        f"  {url}/api/ai/status  who is up",
        "",
        "Try:",
        f"  curl -s {url}{path} -H 'content-type: application/json'{_key(service)} \\",
        f"    {example}",
    ]
    return "\n".join(lines)


def _example(service: Service) -> tuple[str, str]:
    """Something that can be asked here: a chat, unless only something else can."""
    can = {one for name in service.registry.rows for one in _able(service, name)}
    if Capability.CHAT not in can and Capability.SPEAK in can:
        return "/api/ai/speak", """-d '{"text":"Hello"}' -o hello.mp3"""
    if Capability.CHAT not in can and Capability.TRANSLATE in can:
        return "/api/ai/translate", """-d '{"text":"Hello","target_language":"de"}'"""
    return "/api/ai/chat", """-d '{"messages":[{"role":"user","content":"Hello"}]}'"""


def _able(service: Service, name: str) -> list[Capability]:
    accounts = service.settings.accounts[name]
    return [one for one in Capability if any(service.registry.is_ready(name, each, one) for each in accounts)]


def _state(service: Service, row: Row, at: int) -> str:
    """Of what has credentials of its own: the rest may be live without it."""
    if _simulated(service, row):
        return "simulated"
    states = []
    for account in service.settings.accounts[row.name]:
        missing = service.registry.parts(row.name, account)[at].missing
        if not account.enabled:
            words = "switched off"
        elif missing:
            words = "not running here" if row.detect else f"off (set {' and '.join(missing)})"
        else:
            words = f"live{f', {account.model}' if account.model and not at else ''}"
        states.append(words if account.name == DEFAULT else f"{Place(row.name, account.name)}: {words}")
    return "; ".join(states)


def _live(service: Service, row: Row) -> bool:
    return any(service.registry.is_ready(row.name, one) for one in service.settings.accounts[row.name])


def _simulated(service: Service, row: Row) -> bool:
    return any(account.simulated for account in service.settings.accounts[row.name])


def _key(service: Service) -> str:
    return ' -H "authorization: Bearer $PATCHBAY_API_KEY"' if service.settings.api_key else ""
