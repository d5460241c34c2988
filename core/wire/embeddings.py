"""Embeddings in OpenAI's dialect: the request validated once, how it is split, answers read and written. Pure."""

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any, NamedTuple, Union

import orjson

from core.capabilities import Feature
from core.errors import BadRequest, Malformed, ServerFault
from core.types.request import Facts
from core.types.usage import Usage
from core.wire.openai import read_error, read_json, read_usage
from core.wire.shapes import check_type
from core.wire.tokens import tokens_in

# What the embeddings API takes, and as which JSON types.
EMBED_PARAMS: dict[str, tuple[type, ...]] = {
    "model": (str,), "input": (str, list), "dimensions": (int,), "encoding_format": (str,), "user": (str,),
}  # fmt: skip
# What some providers take beyond it, under the names that most of them use.
FURTHER_PARAMS: dict[str, tuple[type, ...]] = {"input_type": (str,), "truncate": (str, bool)}
FORMATS = ("float", "base64")
INPUT_TYPES = ("query", "document", "classification", "clustering")
TRUNCATIONS = ("none", "start", "end")
_MOST_DIMENSIONS = 100_000
_LONGEST_NAME = 300
_FLOAT_BYTES = 22  # of a number in JSON, with its comma, at most
_ITEM_BYTES = 100  # of what stands around a vector
_NO_NUMBERS = "the answer has an embedding that is no list of numbers"

_PIECE = 2**20  # bytes of a large answer that are written at once

HEAVY = 256 * 1024  # bytes of vectors, which take milliseconds to read or write
# In base64, or doubles as a provider wrote them: as Python's own numbers they would take four times the memory.
Vector = Union[str, "array[float]"]
Item = str | list[int]  # a text, or ids of tokens


class Embeddings(NamedTuple):
    """Vectors in the order of their inputs; `raw` are a provider's bytes where they say the same."""

    vectors: list[Vector]
    dimensions: int
    usage: Usage
    model: str
    raw: bytes | None = None

    @property
    def size(self) -> int:
        """About how many bytes it takes in base64."""
        return len(self.vectors) * _packed_bytes(self.dimensions)


class Limits(NamedTuple):
    """What one request to a provider may hold."""

    inputs: int
    tokens: int


def embed_facts(body: Mapping[str, Any]) -> Facts:
    """Validate a body once and say what routing must know of it."""
    unknown = _check_params(body)
    if body.get("input") is None:
        raise BadRequest("input must be a text or a list of texts", param="input", code="missing")
    sizes = [size_of(item) for item in _checked_items(body["input"])]
    return Facts(
        features=frozenset({Feature.TOKENS}) if is_tokens(body["input"]) else frozenset(),
        params=frozenset(body),
        unknown_params=frozenset(unknown),
        input_tokens=sum(sizes),
        inputs=len(sizes),
        longest=max(sizes),
        longest_at=sizes.index(max(sizes)),
    )


def _check_params(body: Mapping[str, Any]) -> list[str]:
    """The names of what the dialect itself does not know."""
    unknown = []
    for name, value in body.items():
        kinds = EMBED_PARAMS.get(name) or FURTHER_PARAMS.get(name)
        if name not in EMBED_PARAMS:
            if len(name) > _LONGEST_NAME:
                raise BadRequest("a parameter's name is too long", param=name[:50], code="unknown_parameter")
            unknown.append(name)
        if kinds is not None and value is not None:
            check_type(name, value, kinds)
    dimensions = body.get("dimensions")
    if dimensions is not None and not 1 <= dimensions <= _MOST_DIMENSIONS:
        words = f"dimensions must be a number from 1 to {_MOST_DIMENSIONS}"
        raise BadRequest(words, param="dimensions", code="invalid_value")
    for name, words_known in (("encoding_format", FORMATS), ("input_type", INPUT_TYPES), ("truncate", TRUNCATIONS)):
        value = body.get(name)
        if isinstance(value, str) and value not in words_known:
            raise BadRequest(f"{name} must be one of {', '.join(words_known)}", param=name, code="invalid_value")
    return unknown


def _checked_items(given: str | list[Any]) -> list[Item]:
    if type(given) is str:
        if not given:
            raise BadRequest("input is an empty text", param="input", code="invalid_value")
        return [given]
    if not given:
        raise BadRequest("input is an empty list", param="input", code="invalid_value")
    kind = type(given[0])
    if kind not in {str, int, list}:
        raise BadRequest(
            "input[0] must be a text, the id of a token or a list of them", param="input[0]", code="invalid_type"
        )
    for index, item in enumerate(given):
        if type(item) is not kind:
            words = f"input[{index}] is of another kind than input[0]: send texts only, or ids of tokens only"
            raise BadRequest(words, param=f"input[{index}]", code="invalid_type")
        if kind is int:
            _check_id(item, f"input[{index}]")
        elif not item:
            said = "an empty text" if kind is str else "an empty list"
            raise BadRequest(f"input[{index}] is {said}", param=f"input[{index}]", code="invalid_value")
        elif kind is list:
            for place, token in enumerate(item):
                _check_id(token, f"input[{index}][{place}]")
    return items(given)


def _check_id(token: Any, where: str) -> None:
    if type(token) is not int or token < 0:
        raise BadRequest(f"{where} must be the id of a token, a whole number", param=where, code="invalid_type")


def items(given: str | list[Any]) -> list[Item]:
    """The inputs one by one; a text, or one list of ids, is one."""
    return given if type(given) is list and type(given[0]) is not int else [given]


def is_tokens(given: str | list[Any]) -> bool:
    return type(given) is list and type(given[0]) is not str


def size_of(item: Item) -> int:
    """An estimate in tokens."""
    return tokens_in(item) if isinstance(item, str) else len(item)


def split(places: Sequence[int], sizes: Sequence[int], limits: Limits) -> Iterator[list[int]]:
    """The places of inputs in parts that keep the limits, about equally many in each; one input is never cut."""
    parts = -(-len(places) // max(1, limits.inputs))
    most = -(-len(places) // max(1, parts))
    part: list[int] = []
    weight = 0
    for place in places:
        if part and (len(part) == most or weight + sizes[place] > limits.tokens):
            yield part
            part, weight = [], 0
        part.append(place)
        weight += sizes[place]
    if part:
        yield part


def most_inputs(dimensions: int | None, max_bytes: int, *, packed: bool) -> int:
    """How many vectors fit into an answer."""
    return max_bytes if dimensions is None else max(1, max_bytes // vector_bytes(dimensions, packed=packed))


def vector_bytes(dimensions: int, *, packed: bool) -> int:
    """What a vector takes in an answer at most."""
    return _packed_bytes(dimensions) if packed else dimensions * _FLOAT_BYTES + _ITEM_BYTES


def _packed_bytes(dimensions: int) -> int:
    return dimensions * 16 // 3 + _ITEM_BYTES


def read_embeddings(raw: bytes, count: int, secrets: tuple[str, ...] = ()) -> Embeddings:
    """Malformed when these are not so many vectors of one length."""
    body = read_json(raw)
    if type(body) is dict and body.get("error"):
        raise read_error(None, raw, secrets=secrets, otherwise=ServerFault)
    data = body.get("data") if type(body) is dict else None
    if type(data) is not list:
        raise Malformed("the answer has no list of embeddings")
    if len(data) != count:
        raise Malformed(f"the answer has {len(data)} embeddings for {count} inputs")
    places = [item.get("index") if type(item) is dict else None for item in data]
    in_order = places == list(range(count))
    if not in_order:
        if sorted(place for place in places if type(place) is int) != list(range(count)):
            raise Malformed("the answer does not say which embedding belongs to which input")
        data = sorted(data, key=lambda item: item["index"])
    vectors, length = checked([item.get("embedding") for item in data])
    usage, model = read_usage(body.get("usage")), body.get("model")
    complete = in_order and usage.source == "reported" and body.get("object") == "list" and type(model) is str
    return Embeddings(vectors, length, usage, model if type(model) is str else "", raw if complete else None)


def checked(found: list[Any]) -> tuple[list[Vector], int]:
    """Vectors as they are kept here, and of how many dimensions all of them are."""
    vectors = [_compact(vector) for vector in found]
    lengths = {_checked_length(vector) for vector in vectors}
    if len(lengths) > 1:
        raise Malformed(f"the answer has vectors of {min(lengths)} and of {max(lengths)} dimensions")
    return vectors, lengths.pop()


def _compact(vector: Any) -> Vector:
    if type(vector) is str:
        return vector
    try:
        return array("d", vector)
    except (ValueError, TypeError, OverflowError):
        raise Malformed(_NO_NUMBERS) from None


def _checked_length(vector: Vector) -> int:
    """How many dimensions it has."""
    try:
        numbers = _unpacked(vector) if isinstance(vector, str) else array("f", vector)
    except (ValueError, OverflowError):
        raise Malformed(_NO_NUMBERS) from None
    if not numbers:
        raise Malformed("the answer has an empty embedding")
    if not isfinite(sum(numbers)):  # what is not finite spreads to the sum, and finite singles cannot overflow it
        raise Malformed("the answer has an embedding with numbers that are not finite")
    return len(numbers)


def _unpacked(text: str) -> "array[float]":
    numbers = array("f", b64decode(text, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def as_floats(vector: Vector) -> list[float]:
    return (_unpacked(vector) if isinstance(vector, str) else vector).tolist()


def as_base64(vector: Vector) -> str:
    """Little-endian singles, as everybody who has base64 sends them."""
    if isinstance(vector, str):
        return vector
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def written(vectors: Sequence[Vector], encoding: str | None) -> Iterator[bytes]:
    """Each vector as JSON in the format that the caller asked for."""
    if encoding == "base64":
        return (orjson.dumps(as_base64(vector)) for vector in vectors)
    return (orjson.dumps(as_floats(vector)) for vector in vectors)


def write_embeddings(one: Embeddings, encoding: str | None) -> bytes:
    return b"".join(pieces_of(one, encoding))


def pieces_of(one: Embeddings, encoding: str | None) -> Iterator[bytes]:
    """An answer in OpenAI's format, piece by piece; the provider's own bytes where they are that already."""
    wanted = str if encoding == "base64" else array
    if one.raw is not None and all(type(vector) is wanted for vector in one.vectors):
        yield one.raw
        return
    rows = (
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, vector)
        for index, vector in enumerate(written(one.vectors, encoding))
    )
    usage = {"prompt_tokens": one.usage.input_total, "total_tokens": one.usage.total}
    yield b'{"object":"list","data":['
    yield from joined(rows, one.dimensions, encoding)
    yield b'],"model":%b,"usage":%b}' % (orjson.dumps(one.model), orjson.dumps(usage))


def joined(rows: Iterator[bytes], dimensions: int, encoding: str | None) -> Iterator[bytes]:
    """Rows with commas between them, as many at once as make a piece."""
    count = most_inputs(dimensions, _PIECE, packed=encoding == "base64")
    comma = b""
    while batch := list(islice(rows, count)):
        yield comma + b",".join(batch)
        comma = b","
