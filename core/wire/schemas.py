"""A caller's JSON schema: checked once, then what answers are held to. Pure; the library is loaded on first use."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from core.errors import BadRequest

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

WHERE = "response_format.json_schema"
_LARGEST = 256 * 1024  # bytes
_MOST_WAYS = 100_000  # through a schema; one value takes a millisecond to go them all
_MANY_WAYS = 10_000_000  # in a whole answer, each of whose characters could be a value: a tenth of a second
_FEW_WAYS = 20_000  # up to here what is wrong is listed; a list costs a thousand times a yes or no
_DEEPEST = 40  # levels of an answer that count
_DEEPEST_SCHEMA = 200  # references and parts, one in the other
_BACKTRACKS = 100_000  # of a regular expression
_LONGEST_SAID = 500  # characters: values are quoted
_SHOWN = 5  # of what is wrong with an answer


class Miss(NamedTuple):
    """Something wrong with an answer."""

    where: str  # in the schema: it says nothing of the answer's own words
    said: str  # with the answer's words, for whoever gave it


class Schema:
    """What an answer has to meet."""

    def __init__(self, validator: "Validator", ways: int, branches: int, *, recursive: bool) -> None:
        self._validator = validator
        self._ways = ways
        self._branches = branches
        self._recursive = recursive

    def is_long(self, size: int) -> bool:
        """Whether checking so many characters may take longer than others should wait."""
        return self._recursive or self._ways * size > _MANY_WAYS

    def misses(self, value: Any) -> list[Miss]:
        """What is wrong with it; empty when nothing is."""
        if self._validator.is_valid(value):
            return []
        depth, size = _extent(value)
        ways = self._ways * (self._branches ** min(depth, _DEEPEST) if self._recursive else 1)
        if ways > _FEW_WAYS:
            return [Miss("its root", "It does not meet the schema.")]
        errors = self._validator.iter_errors(value) if ways * size <= _FEW_WAYS else self._first(value)
        return [_miss(error) for error in islice(errors, _SHOWN)]

    def _first(self, value: Any) -> "Iterator[ValidationError]":
        """A list is made of all that is wrong, however little of it is looked at."""
        import jsonschema_rs  # noqa: PLC0415 - see _prepared

        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            yield error


def _miss(error: "ValidationError") -> Miss:
    place = "/".join(map(str, error.instance_path)) or "its root"
    return Miss("/".join(map(str, error.schema_path)), f"At {place}: {error.message}"[:_LONGEST_SAID])


def schema_of(table: Mapping[str, Any]) -> Schema:
    """Ready to check answers; BadRequest says what is wrong with it. The same schema is prepared once."""
    return _prepared(orjson.dumps(table))


def is_object(table: Mapping[str, Any]) -> bool:
    """Whether what it describes may be an object, which is all that a tool or JSON mode can give."""
    kind = table.get("type")
    if isinstance(kind, list):
        return "object" in kind
    return kind in {None, "object"} and not {"const", "enum"} & table.keys()


@lru_cache(maxsize=32)
def _prepared(raw: bytes) -> Schema:
    if len(raw) > _LARGEST:
        raise _refusal(f"is larger than {_LARGEST} bytes")
    import jsonschema_rs  # noqa: PLC0415 - 20 ms that only a caller with a schema pays

    table = orjson.loads(raw)
    try:
        # Nothing is ever fetched; formats are remarks, as the standard has it.
        validator = jsonschema_rs.validator_for(
            table,
            validate_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_BACKTRACKS),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        said = getattr(error, "message", None) or str(error)
        path = "/".join(map(str, getattr(error, "instance_path", ())))
        raise _refusal(f"is not a valid JSON schema{f' at {path}' if path else ''}: {said}"[:_LONGEST_SAID]) from None
    ways = _Ways(table)
    count = ways.of(table, 0)
    if count > _MOST_WAYS:
        raise _refusal(f"has more than {_MOST_WAYS} ways through its alternatives and references")
    return Schema(validator, count, ways.branches, recursive=ways.recursive)


def _refusal(words: str) -> BadRequest:
    return BadRequest(f"{WHERE}.schema {words}", param=f"{WHERE}.schema", code="invalid_json_schema")


class _Ways:
    """How many ways there are through a schema, each reference being gone into wherever it is made."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[int, int] = {}
        self._open: set[int] = set()
        self.recursive = False
        self.branches = 1

    def of(self, part: Any, depth: int) -> int:
        if not isinstance(part, dict | list):
            return 0
        if id(part) in self._known:
            return self._known[id(part)]
        if id(part) in self._open or depth > _DEEPEST_SCHEMA:
            self.recursive = True
            return 1
        self._open.add(id(part))
        count = min(1 + sum(self.of(one, depth + 1) for one in self._within(part)), _MOST_WAYS + 1)
        self._open.discard(id(part))
        self._known[id(part)] = count
        return count

    def _within(self, part: Any) -> Iterator[Any]:
        if isinstance(part, list):
            yield from part
            return
        for name in ("anyOf", "oneOf", "allOf"):
            if isinstance(some := part.get(name), list):
                self.branches = max(self.branches, len(some))
        for name, inner in part.items():
            if name not in {"$defs", "definitions"}:  # counted where they are referred to
                yield inner
        reference = part.get("$ref", part.get("$dynamicRef"))
        if isinstance(reference, str):
            yield self._target(reference)

    def _target(self, reference: str) -> Any:
        """What a pointer into the schema leads to; any other name could be anything in it."""
        if reference not in {"", "#"} and not reference.startswith("#/"):
            return self._root
        found = self._root
        for word in reference.removeprefix("#").split("/")[1:]:
            name = word.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = found[int(name)] if name.isdecimal() and int(name) < len(found) else None
            else:
                found = found.get(name) if isinstance(found, dict) else None
        return found


def _extent(value: Any) -> tuple[int, int]:
    """Levels and values of an answer."""
    level, depth, size = [value], 0, 0
    while level:
        size += len(level)
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        depth += bool(level)
    return depth, size
