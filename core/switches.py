"""Settings changed while gateways run: one item in the store has all values and a version, others what led to it.

The newest change lies with the values, in one write, and is filed before the next one replaces it: so there is
no moment at which a change has been made and is not recorded.
"""

import logging
from typing import Any, NamedTuple

from core.backends.ports import ConditionFailed, Item, Store, When
from core.backends.reach import Reach
from core.clock import NEVER, Clock
from core.config.run_time import Changes, RunTime
from core.errors import BadRequest, Misconfigured, PatchbayError, StoreUnavailable

log = logging.getLogger("patchbay")

SCHEMA = 1
_PK = "CONFIG"
_HEAD = "head"
_FILED = "change#"
_TRIES = 200
_LONGEST = 500  # characters of who and why
_NEW = When(exists=False)
_PATIENCE = 1.0  # seconds; who looks is on the way of a request and has not long to wait
_LATER = 10.0  # seconds until the next look after one that failed


class Change(NamedTuple):
    version: int
    at: float
    who: str
    name: str
    old: str | None
    new: str | None  # None: what is below holds again
    reason: str | None


class Switches:
    def __init__(self, store: Store, clock: Clock, rules: RunTime) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    async def current(self) -> Changes:
        """One read, whatever has been changed."""
        version, values, _ = _read(await self._store.get(_PK, _HEAD))
        return Changes(version, values)

    async def set(self, name: str, value: str, who: str, reason: str | None = None) -> Change:
        """Durable when it returns. A change that could not hold is refused and changes nothing."""
        return await self._change(self._rules.name(name), value.strip(), who, reason)

    async def unset(self, name: str, who: str, reason: str | None = None) -> Change:
        """Back to what the environment says. What this version does not know can be taken away as well."""
        _, stored, _ = _read(await self._store.get(_PK, _HEAD))
        return await self._change(name if name in stored else self._rules.name(name), None, who, reason)

    async def history(self, limit: int = 20) -> list[Change]:
        """The newest first, as people may see it."""
        _, _, last = _read(await self._store.get(_PK, _HEAD))
        if last is None:
            return []
        filed = await self._store.query(_PK, _FILED, limit=limit, newest_first=True)
        older = [_change(one) for one in filed if one["version"] < last.version]
        return [self._shown(one) for one in (last, *older)][:limit]

    def _shown(self, one: Change) -> Change:
        old, new = (None if text is None else self._rules.shown(one.name, text) for text in (one.old, one.new))
        return one._replace(old=old, new=new)

    async def _change(self, name: str, new: str | None, who: str, reason: str | None) -> Change:
        head = await self._store.get(_PK, _HEAD)
        for _ in range(_TRIES):
            version, values, last = _read(head)
            old = values.pop(name, None)
            if new is not None:
                values[name] = new
                self._rules.check(values, name)
            elif old is None:
                raise BadRequest(f"{name} is not changed at run time", param=name, code="not_changed")
            now = round(self._clock.now(), 3)
            made = Change(version + 1, now, who[:_LONGEST], name, old, new, reason and reason[:_LONGEST])
            if last is not None:
                await self._store.put(_filed(last))
            try:
                await self._store.put(_head(made, values), When(equals={"version": version}) if version else _NEW)
            except ConditionFailed as faster:
                head = faster.item  # once more, on top of what somebody else has changed
            else:
                return made
        raise StoreUnavailable("settings are being changed by too many others; try again")


class Watch:
    """Looks for changes on the way of a request, because nothing runs between two requests on Lambda.

    One request looks; those that come meanwhile go on with the settings there are.
    """

    def __init__(self, switches: Switches, reach: Reach, clock: Clock, every: float) -> None:
        self.due = -NEVER  # on the clock: from then on a request looks
        self._switches = switches
        self._reach = reach
        self._clock = clock
        self._every = every or NEVER
        self._seen: Changes | None = None
        self._failing = False

    async def look(self) -> Changes | None:
        """The changes when they are others than at the last look; None also while the store does not answer."""
        self.due = NEVER
        pause = self._every
        try:
            found = await self._reach.ask(self._switches.current, _PATIENCE)
        except PatchbayError as error:
            pause = _LATER
            self._fails(error.message)
            return None
        finally:
            self.due = self._clock.monotonic() + pause
        if self._failing:
            self._failing = False
            log.warning("settings changed at run time can be read again")
        if found == self._seen:
            return None
        self._seen = found
        return found

    def _fails(self, why: str) -> None:
        if not self._failing:  # said once, and once more when it is over
            self._failing = True
            log.error(
                "settings changed at run time cannot be read: %s; those in force stay, next look in %g s", why, _LATER
            )


def _head(last: Change, values: dict[str, str]) -> Item:
    # Who changed what is kept for good: it has no `exp`.
    return {"pk": _PK, "sk": _HEAD, "v": SCHEMA, "version": last.version, "values": values, "last": last._asdict()}


def _filed(one: Change) -> Item:
    return {"pk": _PK, "sk": f"{_FILED}{one.version:012}", "v": SCHEMA, **one._asdict()}


def _read(item: Item | None) -> tuple[int, dict[str, str], Change | None]:
    if item is None:
        return 0, {}, None
    if item.get("v") != SCHEMA:
        raise Misconfigured(
            f"settings were changed at run time by another version of Patchbay (schema {item.get('v')}, "
            f"this one reads {SCHEMA})"
        )
    try:
        values = {name: str(text) for name, text in item["values"].items()}
        return int(item["version"]), values, _change(item["last"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged() from error


def _change(item: Any) -> Change:
    return Change(**{name: item[name] for name in Change._fields})


def _damaged() -> PatchbayError:
    return Misconfigured(
        f"the item {_PK} {_HEAD} in the store, which has the settings changed at run time, is damaged"
    )
