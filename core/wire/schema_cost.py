"""What it may cost to hold an answer to a schema, known before there is one. Pure."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import unquote

from core.wire.patterns import cost_of

MOST_WAYS = 100_000
MOST_PARTS = 5_000  # some 100 ms to prepare
MOST_BUILD = 30_000  # of regular expressions: some 30 ms
_DEEPEST = 200  # references and parts, one in the other
# Whose values are schemas by names of the caller's own; those set aside count where something refers to them.
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
_ASIDE = frozenset({"$defs", "definitions", "default", "examples", "example", "title", "description"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_AGAIN = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_TIMES = 4  # that what stands beside one of those is gone through
_COMPARED = 10  # ways that comparing with one object or list takes


class Ways(NamedTuple):
    """Through a part of a schema, for one value."""

    paths: int = 0  # each reference being gone into wherever it is made
    turns: int = 0  # to the same part again, for one value: with more than one they double from level to level
    steps: int = 0  # of regular expressions, for each character

    def __add__(self, other: tuple[int, ...]) -> "Ways":  # type: ignore[override] # a sum of its parts, not a longer tuple
        return Ways(*(min(one + more, MOST_WAYS + 1) for one, more in zip(self, other, strict=True)))

    def times(self, number: int) -> "Ways":
        return Ways(*(min(one * number, MOST_WAYS + 1) for one in self))


class Costs:
    """Of one schema."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[int, Ways] = {}
        self._open: set[int] = set()
        self.parts = 0
        self.build = 0  # of its regular expressions
        self.dearest = (0, "")  # of them, and what it costs
        self.certain = True  # that nothing is referred to which is not seen here
        self.ways = self._of(root, 0)

    def _of(self, part: Any, depth: int) -> Ways:
        """Of a schema, or of a list of them."""
        if not isinstance(part, dict | list):
            return Ways(1)
        if id(part) in self._known:
            return self._known[id(part)]
        if id(part) in self._open:
            return Ways(1, 1)
        if depth > _DEEPEST or self.parts > MOST_PARTS:
            self.certain = False
            return Ways(1)
        self.parts += 1
        self._open.add(id(part))
        if isinstance(part, list):
            parts = [one for one in part if isinstance(one, dict | list)]
            found = Ways(1 + len(part) - len(parts))
            for one in parts:
                found += self._of(one, depth + 1)
                if self.parts > MOST_PARTS:
                    break
        else:
            found = sum((self._keyword(*one, depth + 1) for one in part.items()), Ways(1))
            if not _AGAIN.isdisjoint(part):
                found = found.times(_TIMES)
            if depth and isinstance(part.get("$id", part.get("id")), str):
                self.certain = False  # its references begin at itself
        self._open.discard(id(part))
        self._known[id(part)] = found
        return found

    def _keyword(self, name: str, inner: Any, depth: int) -> Ways:
        if name in _ASIDE:
            return Ways()
        if name in _REFERENCES:
            return self._of(self._target(inner), depth)
        if name in {"enum", "const"}:
            return Ways(min(_compared(inner), MOST_WAYS + 1))
        if name == "pattern" and isinstance(inner, str):
            return self._pattern(inner)
        if name not in _MAPS or not isinstance(inner, dict):
            return self._of(inner, depth) if isinstance(inner, dict | list) else Ways()
        each = [self._of(one, depth) for one in islice(inner.values(), MOST_PARTS + 1)]
        if name == "patternProperties":
            each += [self._pattern(one) for one in islice(inner, MOST_PARTS + 1)]
        if name != "properties" or not each:
            return sum(each, Ways())
        together = sum(each, Ways())
        return together._replace(turns=max(one.turns for one in each))  # each leads to another value

    def _pattern(self, pattern: str) -> Ways:
        if self.build > MOST_BUILD:
            return Ways(1)
        cost = cost_of(pattern)
        self.build += cost.build
        self.dearest = max(self.dearest, (cost.build, pattern))
        return Ways(1, 0, min(cost.steps, MOST_WAYS + 1))

    def _target(self, reference: Any) -> Any:
        found = target_of(reference, self._root) if isinstance(reference, str) else None
        self.certain = self.certain and found is not None
        return found


def target_of(reference: str, root: Any) -> Any:
    """What a pointer into the schema leads to; None where that is nothing, or a name of another kind."""
    if reference not in {"", "#"} and not reference.startswith("#/"):
        return None
    found = root
    for word in unquote(reference).removeprefix("#").split("/")[1:]:
        name = word.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and int(name[:9]) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _compared(value: Any) -> int:
    """A value is compared with each of these; texts and numbers are looked up."""
    if isinstance(value, list | dict):
        inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
        return _COMPARED + sum(map(_compared, inner))
    return 1
