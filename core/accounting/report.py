"""What was used and what it cost, by group and day, added up from the ledger."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from core.accounting import ledger
from core.accounting.ledger import DAY_SECONDS, SHARDS, date_of, partition
from core.backends.ports import Item, Store
from core.clock import Clock
from core.errors import StoreUnavailable

SCHEMA = 2
BY = ("provider", "model", "account", "capability", "project", "key", "route", "day")
_GROUP = BY[:-1]  # what the rows of one day are told apart by
_COUNTS = (
    "requests", "ok", "failed", "cache_hits", "attempts", "input_tokens", "output_tokens", "audio_ms", "characters",
    "cost_nano", "unpriced", "saved_nano",
    "simulated", "simulated_nano",  # of these
)  # fmt: skip
_PAGE = 500
_AT_ONCE = 8  # days that are read side by side; the store has requests to serve as well
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
        found = await self._days(org, days)
        sums: Sums = {}
        for day in found:
            for row in day["rows"]:
                group = tuple(day["sk"] if name == "day" else row[name] for name in by)
                _add(sums.setdefault(group, dict.fromkeys(_COUNTS, 0)), row)
        rows = sorted(sums.items(), key=lambda one: (-one[1]["cost_nano"], -one[1]["requests"], str(one[0])))
        total = dict.fromkeys(_COUNTS, 0)
        for _, counts in rows:
            _add(total, counts)
        return {
            "from": found[0]["sk"],
            "to": found[-1]["sk"],
            "by": list(by),
            "rows": [dict(zip(by, group, strict=True)) | _shown(counts) for group, counts in rows],
            "total": _shown(total),
            "complete": all(day["complete"] for day in found),
            "unread": sum(day["unread"] for day in found),
        }

    async def _days(self, org: str, days: int) -> list[Item]:
        """Each day's sums, a few days at once."""
        now = self._clock.now()
        first = date_of(now - days * DAY_SECONDS)
        kept = {item["sk"]: item for item in await self._store.query(_pk(org), after=first, limit=days)}
        turn = asyncio.Semaphore(_AT_ONCE)

        async def day(back: int) -> Item:
            date = date_of(now - back * DAY_SECONDS)
            over = (back > 0 and now % DAY_SECONDS > _SETTLED_AFTER) or back > 1
            async with turn:
                return await self._day(org, date, kept.get(date), over=over)

        reading = [asyncio.ensure_future(day(back)) for back in reversed(range(days))]
        try:
            return await asyncio.gather(*reading)
        finally:
            for one in reading:
                one.cancel()  # when one failed, nobody wants the others

    async def _day(self, org: str, date: str, kept: Item | None, *, over: bool) -> Item:
        if over and kept is not None and _is_good(kept):
            return {**kept, "unread": 0}
        added = await self._added(org, date)
        item = {"pk": _pk(org), "sk": date, "v": SCHEMA, "exp": int(self._clock.now()) + _KEEP_SECONDS}
        # Nothing of a day without requests, nor of one that is not whole: another version may understand more of it.
        if over and added["rows"] and added["complete"] and not _is_newer(kept):
            await self._keep({**item, "rows": added["rows"], "complete": True})
        return item | added

    async def _added(self, org: str, date: str) -> dict[str, Any]:
        sums: Sums = {}
        left, unread = _MOST_RECEIPTS, 0
        for shard in range(SHARDS):
            last: str | None = None
            full = True
            while full and left >= 0:
                limit = min(_PAGE, left + 1)  # one more says whether that was all
                page = await self._store.query(partition(org, date, shard), limit=limit, after=last)
                for receipt in page[: max(left, 0)]:
                    unread += not _counted(sums, receipt)
                last = page[-1]["sk"] if page else last
                left -= len(page)
                full = len(page) == limit
        rows = [dict(zip(_GROUP, group, strict=True)) | counts for group, counts in sums.items()]
        if unread:
            log.warning("%d receipts of %s are in no sum: this version does not understand them", unread, date)
        return {"rows": rows, "complete": left >= 0 and not unread, "unread": unread}

    async def _keep(self, item: Item) -> None:
        """A day of very many groups may be too large for one item; then it is added up again next time."""
        try:
            await self._store.append(item)
        except StoreUnavailable as failure:
            log.warning("the sums of %s are not kept: %s", item["sk"], failure.message)


def _pk(org: str) -> str:
    return f"USE#{org}"


def _is_good(kept: Item) -> bool:
    """Of this version, with all that it should have."""
    rows = kept.get("rows")
    names = {*_GROUP, *_COUNTS}
    good = isinstance(rows, list) and all(isinstance(row, dict) and names <= row.keys() for row in rows)
    return good and kept.get("v") == SCHEMA and kept.get("complete") is True


def _is_newer(kept: Item | None) -> bool:
    return kept is not None and isinstance(kept.get("v"), int) and kept["v"] > SCHEMA


def _counted(sums: Sums, receipt: Item) -> bool:
    """Whether a receipt was understood. One of a newer version, or of an odd shape, is in no sum at all."""
    if receipt.get("v") != ledger.SCHEMA:
        return False
    own: Sums = {}
    try:
        _count(own, receipt)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        return False
    for group, counts in own.items():
        if receipt.get("simulated"):
            counts |= {"simulated": counts["requests"], "simulated_nano": counts["cost_nano"]}
        _add(sums.setdefault(group, dict.fromkeys(_COUNTS, 0)), counts)
    return True


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
    sums = {name: _money(counts[f"{name}_nano"]) for name in ("cost", "saved")}
    return shown | sums | {"simulated_cost": _money(counts["simulated_nano"])}


def _money(nano: int) -> dict[str, Any]:
    return {"usd": nano / 1e9, "nano_usd": nano}


def checked(by: str) -> tuple[str, ...]:
    """Names of groups between commas; ValueError says which are known."""
    names = tuple(dict.fromkeys(name.strip().lower() for name in by.split(",") if name.strip()))
    unknown: Iterable[str] = [name for name in names if name not in BY]
    if not names or unknown:
        raise ValueError(f"by must name some of {', '.join(BY)}, with commas between them")
    return names
