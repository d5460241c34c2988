"""What was used and what it cost, by group and day, added up from the ledger."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from core.accounting.ledger import DAY_SECONDS, SHARDS, date_of, partition
from core.backends.ports import Item, Store
from core.clock import Clock
from core.errors import StoreUnavailable

SCHEMA = 1
BY = ("provider", "model", "account", "capability", "project", "key", "route", "day")
_GROUP = BY[:-1]  # what the rows of one day are told apart by
_COUNTS = (
    "requests", "ok", "failed", "cache_hits", "attempts", "input_tokens", "output_tokens", "audio_ms", "characters",
    "cost_nano", "unpriced", "saved_nano",
)  # fmt: skip
_PAGE = 500
_MOST_RECEIPTS = 100_000  # of one day; a report that left some out says so
_KEEP_SECONDS = 400 * DAY_SECONDS
_SETTLED_AFTER = 3600  # seconds after midnight: by then every answer of the day has ended

Group = tuple[str | None, ...]
Sums = dict[Group, dict[str, int]]

log = logging.getLogger("patchbay")


class Report:
    """Days that are over are added up once and kept."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def usage(self, org: str, days: int, by: Sequence[str]) -> dict[str, Any]:
        """The last days until now, in groups, the dearest first."""
        now = self._clock.now()
        dates = [date_of(now - back * DAY_SECONDS) for back in reversed(range(days))]
        sums: Sums = {}
        complete = True
        for back, date in zip(reversed(range(days)), dates, strict=True):
            day = await self._day(org, date, over=(back > 0 and now % DAY_SECONDS > _SETTLED_AFTER) or back > 1)
            complete = complete and day["complete"]
            for row in day["rows"]:
                group = tuple(date if name == "day" else row[name] for name in by)
                _add(sums.setdefault(group, dict.fromkeys(_COUNTS, 0)), row)
        rows = sorted(sums.items(), key=lambda one: (-one[1]["cost_nano"], -one[1]["requests"], str(one[0])))
        total = dict.fromkeys(_COUNTS, 0)
        for _, counts in rows:
            _add(total, counts)
        return {
            "from": dates[0],
            "to": dates[-1],
            "by": list(by),
            "rows": [dict(zip(by, group, strict=True)) | _shown(counts) for group, counts in rows],
            "total": _shown(total),
            "complete": complete,
        }

    async def _day(self, org: str, date: str, *, over: bool) -> Item:
        pk = f"USE#{org}"
        kept = await self._store.get(pk, date) if over else None
        if kept is not None and kept["v"] == SCHEMA:
            return kept
        item = {"pk": pk, "sk": date, "v": SCHEMA, "exp": int(self._clock.now()) + _KEEP_SECONDS}
        item |= await self._added(org, date)
        if over and (kept is None or kept["v"] < SCHEMA):
            await self._keep(item)
        return item

    async def _added(self, org: str, date: str) -> dict[str, Any]:
        sums: Sums = {}
        left = _MOST_RECEIPTS
        for shard in range(SHARDS):
            last: str | None = None
            full = True
            while full and left > 0:
                limit = min(_PAGE, left)
                page = await self._store.query(partition(org, date, shard), limit=limit, after=last)
                for receipt in page:
                    _count(sums, receipt)
                    last = receipt["sk"]
                left -= len(page)
                full = len(page) == limit
        rows = [dict(zip(_GROUP, group, strict=True)) | counts for group, counts in sums.items()]
        return {"rows": rows, "complete": left > 0}

    async def _keep(self, item: Item) -> None:
        """A day of very many groups may be too large for one item; then it is added up again next time."""
        try:
            await self._store.append(item)
        except StoreUnavailable as failure:
            log.warning("the sums of %s are not kept: %s", item["sk"], failure.message)


def _count(sums: Sums, receipt: Item) -> None:
    """A request counts where its answer came from; tokens and money where each attempt was made."""
    tried: list[Item] = receipt["attempts"]
    target = receipt if receipt["provider"] else tried[-1] if tried else receipt
    counts = _of(sums, receipt, target)
    counts["requests"] += 1
    counts["ok" if receipt["outcome"] == "ok" else "failed"] += 1
    if receipt["cache"] == "hit":
        counts["cache_hits"] += 1
        counts["saved_nano"] += receipt["cached"]["saved_nano_usd"] or 0
    for attempt in tried:
        _count_attempt(_of(sums, receipt, attempt), attempt)


def _count_attempt(counts: dict[str, int], attempt: Item) -> None:
    counts["attempts"] += 1
    usage, nano = attempt.get("usage"), attempt.get("cost_nano")
    if usage is not None:
        counts["input_tokens"] += usage["prompt_tokens"]
        counts["output_tokens"] += usage["completion_tokens"]
        counts["audio_ms"] += usage.get("audio_ms", 0)
        counts["characters"] += usage.get("characters", 0)
    if nano is not None:
        counts["cost_nano"] += nano
    elif usage is not None or attempt["outcome"] == "ok" or attempt.get("may_be_billed"):
        counts["unpriced"] += 1


def _of(sums: Sums, receipt: Item, target: Item) -> dict[str, int]:
    said = target["provider"], target["model"], target["account"]
    group = (*said, receipt["capability"], receipt["project"], receipt["key"], receipt["route"])
    return sums.setdefault(group, dict.fromkeys(_COUNTS, 0))


def _add(into: dict[str, int], more: Item) -> None:
    for name in _COUNTS:
        into[name] += more[name]


def _shown(counts: dict[str, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {name: counts[name] for name in _COUNTS if not name.endswith("_nano")}
    return shown | {"cost": _money(counts["cost_nano"]), "saved": _money(counts["saved_nano"])}


def _money(nano: int) -> dict[str, Any]:
    return {"usd": nano / 1e9, "nano_usd": nano}


def checked(by: str) -> tuple[str, ...]:
    """Names of groups between commas; ValueError says which are known."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in by.split(",") if name.strip()))
    unknown: Iterable[str] = [name for name in names if name not in BY]
    if not names or unknown:
        raise ValueError(f"by must name some of {', '.join(BY)}, with commas between them")
    return names
