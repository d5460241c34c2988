"""A caller's JSON schema: checked once, then what answers are held to. Pure; the library is loaded on first use."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from core.errors import BadRequest
from core.wire.patterns import looks_around
from core.wire.schema_cost import MOST_BUILD, MOST_PARTS, MOST_WAYS, Costs, Ways, target_of

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

WHERE = "response_format.json_schema"
_LARGEST = 256 * 1024  # bytes
_LARGEST_PATTERN = 256 * 1024  # bytes, as it is prepared
_MANY_WAYS = 2_000_000  # in a whole answer: some 40 ms
_FEW_WAYS = 10_000  # up to here what is wrong is listed; a list costs a thousand times a yes or no
_MUCH = 500_000  # of ways, values and levels: what is wrong is told with a copy of what is within it
_DEEPEST = 40  # levels of an answer that count
_LONGEST_SAID = 500  # characters: values are quoted
_LONGEST_NAME = 100
_SHOWN = 5  # of what is wrong with an answer
_KEPT = 32 * 1024 * 1024  # bytes of schemas that are ready, as they are estimated
_GROWN = 20  # bytes for each byte of a schema that is ready
_FIXED = frozenset({"const", "enum", "$dynamicRef", "$recursiveRef"})  # what could be anything
_DOUBTFUL = _FIXED | {"not", "if"}
_NO_PATTERN = ' is not a "regex"'  # the library's words
_LOOKS = (
    "looks ahead or back, which may take for ever with some answers; "
    "say it without lookaround and backreferences, or leave the pattern out"
)


class Miss(NamedTuple):
    """Something wrong with an answer."""

    where: str  # in the schema: it says nothing of the answer's own words
    said: str  # with the answer's words, for whoever gave it


_UNLISTED = Miss("its root", "It does not meet the schema.")


class Schema:
    """What an answer has to meet."""

    def __init__(self, validator: "Validator", ways: Ways, *, certain: bool, size: int) -> None:
        self._validator = validator
        self._ways = ways
        self._certain = certain  # that the ways are all there are
        self.size = size  # bytes of memory, estimated

    def is_long(self, value: Any, size: int) -> bool:
        """Whether checking it, written in so many characters, may take longer than others should wait."""
        ways = self._ways
        if not self._certain or ways.turns > 1:
            return True
        if (ways.paths + ways.steps) * size <= _MANY_WAYS:  # each character could be a value
            return False
        return ways.paths * _extent(value)[1] + ways.steps * size > _MANY_WAYS

    def misses(self, value: Any) -> list[Miss]:
        """What is wrong with it; empty when nothing is."""
        if self._validator.is_valid(value):
            return []
        depth, size = _extent(value)
        ways = self._ways.paths * max(self._ways.turns, 1) ** min(depth, _DEEPEST)
        if not self._certain or ways > _FEW_WAYS or ways * size * depth > _MUCH:
            return [_UNLISTED]
        try:
            errors = self._validator.iter_errors(value) if ways * size <= _FEW_WAYS else self._first(value)
            return [_miss(error) for error in islice(errors, _SHOWN)]
        except ValueError:  # it is too deep to be quoted
            return [_UNLISTED]

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


_ready: OrderedDict[bytes, Schema] = OrderedDict()  # the latest last


def schema_of(table: Mapping[str, Any]) -> Schema:
    """Ready to check answers; BadRequest says what is wrong with it. The same schema is prepared once."""
    try:
        raw = orjson.dumps(table)
    except orjson.JSONEncodeError as error:
        raise _refusal(f"cannot be written as JSON: {error}") from None
    schema = _ready.pop(raw, None) or _prepared(raw)
    _ready[raw] = schema
    while len(_ready) > 1 and sum(one.size for one in _ready.values()) > _KEPT:
        _ready.popitem(last=False)
    return schema


def _prepared(raw: bytes) -> Schema:
    if len(raw) > _LARGEST:
        raise _refusal(f"is larger than {_LARGEST} bytes")
    import jsonschema_rs  # noqa: PLC0415 - 20 ms that only a caller with a schema pays

    table = orjson.loads(raw)
    costs = Costs(table)
    if costs.parts > MOST_PARTS:
        raise _refusal(f"has more than {MOST_PARTS} parts")
    if costs.build > MOST_BUILD:
        raise _refusal(
            f"has regular expressions that are too large, first of all {costs.dearest[1][:_LONGEST_NAME]!r}"
        )
    if costs.ways.paths > MOST_WAYS:
        raise _refusal(f"has more than {MOST_WAYS} ways through its alternatives and references")
    try:
        # Nothing is ever fetched; formats are remarks, as the standard has it.
        validator = jsonschema_rs.validator_for(
            table,
            validate_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_LARGEST_PATTERN, dfa_size_limit=_LARGEST_PATTERN),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        said = getattr(error, "message", None) or str(error)
        path = "/".join(map(str, getattr(error, "instance_path", ())))
        place = f" at {path[:_LONGEST_NAME]}" if path else ""
        pattern = getattr(error, "instance", None)
        if isinstance(pattern, str) and said.endswith(_NO_PATTERN) and looks_around(pattern):
            raise _refusal(f"cannot be used{place}: {pattern[:_LONGEST_NAME]} {_LOOKS}") from None
        raise _refusal(f"is not a valid JSON schema{place}: {said}"[:_LONGEST_SAID]) from None
    size = _GROWN * len(raw) + costs.build * 256
    return Schema(validator, costs.ways, certain=costs.certain, size=size)


def _refusal(words: str) -> BadRequest:
    return BadRequest(f"{WHERE}.schema {words}", param=f"{WHERE}.schema", code="invalid_json_schema")


def is_object(table: Mapping[str, Any]) -> bool:
    """Whether what it describes may be an object, which is all that a tool or JSON mode can give; in doubt not."""
    return _may_be_object(table, table, {})


def _may_be_object(part: Any, root: Mapping[str, Any], known: dict[int, bool]) -> bool:
    """`known` are the parts that were met before; one that is met again on the way through it leads nowhere."""
    if not isinstance(part, dict):
        return part is True
    if id(part) not in known:
        known[id(part)] = False
        known[id(part)] = _by_itself(part) and (
            ("$ref" not in part or _may_be_object(target_of(str(part["$ref"]), root), root, known))
            and all(_may_be_object(one, root, known) for one in _listed(part.get("allOf")))
            and all(
                any(_may_be_object(one, root, known) for one in part[name])
                for name in ("anyOf", "oneOf")
                if _listed(part.get(name))
            )
        )
    return known[id(part)]


def _by_itself(part: Mapping[str, Any]) -> bool:
    """Without what it refers to, and what else it has to meet."""
    kind = part.get("type")
    if kind is None:
        return _DOUBTFUL.isdisjoint(part)
    return "object" in (kind if isinstance(kind, list) else (kind,)) and _FIXED.isdisjoint(part)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


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
