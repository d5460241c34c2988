"""The one durable item of an answered request: ledger event, receipt and settle marker in one."""

import time
from functools import lru_cache
from typing import Any

from core.backends.ports import Item, Store
from core.backends.reach import Reach
from core.clock import Clock
from core.types.attempt import Attempt
from core.types.plan import Candidate, Exclusion, Plan
from core.types.receipt import Again, Receipt
from core.types.request import Options
from core.types.target import Target
from core.types.usage import Usage

SCHEMA = 1
SHARDS = 8  # of an organisation's day, so that one busy day is not one hot partition
DAY_SECONDS = 86_400
_KEEP_SECONDS = 400 * DAY_SECONDS
_DAYS_BACK = 31
_ID_LENGTH = 32
_NOTHING_ASKED = Options()


class Ledger:
    def __init__(self, store: Store, clock: Clock, reach: Reach | None = None) -> None:
        self._store = store
        self._reach = reach or Reach(clock)
        self._clock = clock

    async def settle(self, receipt: Receipt) -> None:
        made = item(receipt)
        await self._reach.demand(lambda: self._store.append(made))

    async def find(self, org: str, decision: str) -> Item | None:
        """An organisation's own receipt; the id says in which partition it lies."""
        if len(decision) != _ID_LENGTH or not set(decision) <= set("0123456789abcdef"):
            return None
        return await self._store.get(_partition(org, decision), decision)

    async def recent(self, org: str, limit: int) -> list[Item]:
        """The newest receipts of the last month."""
        found: list[Item] = []
        now = self._clock.now()
        for day in range(_DAYS_BACK):
            date = date_of(now - day * DAY_SECONDS)
            for shard in range(SHARDS):
                found += await self._store.query(partition(org, date, shard), limit=limit, newest_first=True)
            if len(found) >= limit:
                break
        return sorted(found, key=lambda one: str(one["sk"]), reverse=True)[:limit]


def item(receipt: Receipt) -> Item:
    request, plan, caller = receipt.request, receipt.plan, receipt.caller
    options, facts = request.options, request.facts
    attempts = [attempt(one) for one in receipt.attempts]
    alone = len(attempts) == 1 and receipt.attempts[0].usage is receipt.usage  # as nearly always: written once
    return {
        "pk": _partition(caller.org, receipt.id),
        "sk": receipt.id,
        "v": SCHEMA,
        "exp": int(receipt.at) + _KEEP_SECONDS,
        "at": round(receipt.at, 3),
        "org": caller.org,
        "project": caller.project,
        "key": caller.key,
        "capability": request.capability,
        "route": request.route,
        "stream": request.stream,
        "asked": {} if options == _NOTHING_ASKED else options._asdict(),
        "facts": {
            "features": sorted(facts.features),
            "params": sorted(facts.params),
            "messages": facts.messages,
            "input_tokens": facts.input_tokens,
            "max_output": facts.max_output,
            **({"inputs": facts.inputs} if facts.inputs else {}),
            **({"characters": facts.characters} if facts.characters else {}),
        },
        **(_chosen(plan) if plan else {}),
        "attempts": attempts,
        "outcome": receipt.outcome,
        **target(receipt.target),
        "usage": attempts[0].get("usage") if alone else usage(receipt.usage),
        "cost_nano": receipt.cost.nano,
        **({"voice": receipt.voice} if receipt.voice else {}),
        "cache": receipt.cache,
        **({"cached": cached(receipt.again)} if receipt.again else {}),
        "simulated": receipt.simulated,
        "ms": round(receipt.ms, 2),
        "first_ms": receipt.first_ms and round(receipt.first_ms, 2),
        "warnings": receipt.told,
        "error": receipt.error,
        "error_message": receipt.error_message,
    }


def _chosen(plan: Plan) -> dict[str, Any]:
    """The plan's part of an item; made once for all requests that share a plan."""
    made: dict[str, Any] | None = plan.derived.get("ledger")
    if made is None:
        made = plan.derived["ledger"] = {
            "strategy": plan.strategy,
            "policy": plan.policy,
            "candidates": [candidate(one) for one in plan.candidates],
            "excluded": [exclusion(one) for one in plan.excluded],
        }
    return made


def target(one: Target | None) -> dict[str, str | None]:
    provider, account, model = one or (None, None, None)
    return {"provider": provider, "account": account, "model": model}


def candidate(one: Candidate) -> dict[str, Any]:
    return {
        **target(one.target),
        "reasons": one.reasons,
        **({"means": one.means} if one.means else {}),
        **({"voice": one.voice} if one.voice else {}),
    }


def exclusion(one: Exclusion) -> dict[str, Any]:
    return {**target(one.target), "code": one.code, "reason": one.reason}


def attempt(one: Attempt) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "n": one.number,
        **target(one.target),
        "outcome": one.outcome,
        "ms": round(one.ms, 2),
        "first_ms": one.first_ms and round(one.first_ms, 2),
        "then": one.decision,
        "request_id": one.request_id,
    }
    if one.outcome == "ok" or one.usage.source != "unknown":
        facts |= {"usage": usage(one.usage), "cost_nano": one.cost.nano}
    elif one.billed:
        facts["may_be_billed"] = True
    if one.error is not None:
        facts |= {
            "error": one.error,
            "fault": one.fault,
            "why": one.why,
            "status": one.status,
            "code": one.code,
            "retry_after": one.retry_after,
        }
    return facts


def cached(one: Again) -> dict[str, Any]:
    """Whose answer a hit repeats."""
    return {"decision_id": one.decision, "age_s": round(one.age, 1), "saved_nano_usd": one.saved_nano}


def usage(one: Usage) -> dict[str, Any] | None:
    """Disjoint buckets and their sums; None when nobody knows."""
    if one.source == "unknown":
        return None
    return {
        "source": one.source,
        "input_tokens": one.input,
        "cached_input_tokens": one.cached_input,
        "cache_write_tokens": one.cache_write,
        "output_tokens": one.output,
        "reasoning_tokens": one.reasoning,
        "prompt_tokens": one.input_total,
        "completion_tokens": one.output_total,
        "total_tokens": one.total,
        **({name: count for name, count in _further(one).items() if count} if any(one[_FURTHER:]) else {}),
    }


_FURTHER = Usage._fields.index("cache_write_1h")


def _further(one: Usage) -> dict[str, int]:
    """Units that few answers have."""
    return {
        "cache_write_1h_tokens": one.cache_write_1h,
        "audio_input_tokens": one.audio_input,
        "audio_output_tokens": one.audio_output,
        "audio_ms": one.audio_ms,
        "characters": one.characters,
        "run_ms": one.run_ms,
        "searches": one.searches,
        "extras": one.extras,
    }


def partition(org: str, date: str, shard: int) -> str:
    return f"LED#{org}#{date}#{shard}"


def date_of(at: float) -> str:
    return _day(int(at) // DAY_SECONDS)


def _partition(org: str, decision: str) -> str:
    return partition(org, date_of(int(decision[:12], 16) / 1000), int(decision[-1], 16) % SHARDS)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(number * DAY_SECONDS))
