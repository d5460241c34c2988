"""What `make run` prints: who answers, where, and something to try."""

from core.bootstrap import Service
from core.config.accounts import DEFAULT
from core.providers.row import Row
from core.types.target import Place


def banner(service: Service, url: str) -> str:
    rows = list(service.registry.rows.values())
    width = max(len(row.title) for row in rows)
    lines = [f"Patchbay on {url}", "", *(f"  {row.title:<{width}}  {_state(service, row)}" for row in rows), ""]
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
    lines += [
        f"  {url}/docs           the API",
        f"  {url}/api/ai/status  who is up",
        "",
        "Try:",
        f"  curl -s {url}/api/ai/chat -H 'content-type: application/json'{_key(service)} \\",
        """    -d '{"messages":[{"role":"user","content":"Hello"}]}'""",
    ]
    return "\n".join(lines)


def _state(service: Service, row: Row) -> str:
    accounts = service.settings.accounts[row.name]
    if _simulated(service, row):
        return "simulated"
    states = []
    for account in accounts:
        missing = service.registry.missing(row, account)
        if not account.enabled:
            words = "switched off"
        elif missing:
            words = "not running here" if row.detect else f"off (set {' and '.join(missing)})"
        else:
            words = f"live{f', {account.model}' if account.model else ''}"
        states.append(words if account.name == DEFAULT else f"{Place(row.name, account.name)}: {words}")
    return "; ".join(states)


def _live(service: Service, row: Row) -> bool:
    return any(service.registry.is_ready(row.name, one) for one in service.settings.accounts[row.name])


def _simulated(service: Service, row: Row) -> bool:
    return any(account.simulated for account in service.settings.accounts[row.name])


def _key(service: Service) -> str:
    return ' -H "authorization: Bearer $PATCHBAY_API_KEY"' if service.settings.api_key else ""
