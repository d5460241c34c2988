"""Embeddings on the wire: what is a request, how it is split, which answers are taken, and that no bit is lost."""

import base64
import json
import struct
import tracemalloc
from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Feature
from core.errors import BadRequest, Malformed, ServerFault, TargetError
from core.types.usage import Usage
from core.wire.embeddings import (
    Embeddings,
    Limits,
    as_base64,
    as_floats,
    embed_facts,
    items,
    most_inputs,
    pieces_of,
    read_embeddings,
    size_of,
    split,
    write_embeddings,
)
from tests.core.fakes import examples

SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
VECTORS = st.lists(SINGLES, min_size=1, max_size=40)
USAGE = {"prompt_tokens": 5, "total_tokens": 5}


def packed(numbers):
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def answer(*vectors, **fields):
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(vectors)]
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": USAGE, **fields}).encode()


class TestNumbers:
    @given(VECTORS)
    @examples()
    def test_base64_is_little_endian_singles_and_loses_nothing(self, numbers):
        assert as_base64(array("d", numbers)) == packed(numbers)
        assert as_floats(packed(numbers)) == numbers
        assert as_base64(array("d", as_floats(packed(numbers)))) == packed(numbers)

    @given(st.lists(VECTORS, min_size=1, max_size=4).filter(lambda many: len({len(one) for one in many}) == 1))
    @examples()
    def test_a_caller_gets_the_same_numbers_in_whichever_format_the_provider_sent_them(self, vectors):
        for sent in (vectors, [packed(one) for one in vectors]):
            found = read_embeddings(answer(*sent), len(vectors))
            floats = json.loads(write_embeddings(found, "float"))
            texts = json.loads(write_embeddings(found, "base64"))
            assert [one["embedding"] for one in floats["data"]] == vectors
            assert [one["embedding"] for one in texts["data"]] == [packed(one) for one in vectors]

    def test_a_double_is_passed_on_as_it_is_to_who_wants_floats(self):
        found = read_embeddings(answer([0.1, 0.2]), 1)
        assert json.loads(write_embeddings(found, None))["data"][0]["embedding"] == [0.1, 0.2]

    def test_nothing_is_written_anew_that_is_already_as_wanted(self):
        for raw, encoding in ((answer([1.0]), None), (answer([1.0]), "float"), (answer(packed([1.0])), "base64")):
            assert write_embeddings(read_embeddings(raw, 1), encoding) == raw

    @pytest.mark.parametrize("encoding", ["float", "base64"])
    def test_a_large_answer_is_written_in_pieces_that_join_to_it(self, encoding):
        numbers = [0.1 + place for place in range(1024)]
        found = Embeddings([packed(numbers), array("d", numbers)] * 1000, 1024, Usage("reported", input=7), "m")
        whole = write_embeddings(found, encoding)
        assert len(json.loads(whole)["data"]) == 2000
        tracemalloc.start()
        sizes = [len(piece) for piece in pieces_of(found, encoding)]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(sizes) == len(whole) and max(sizes) <= 2**20
        assert peak < 6 * 2**20 < len(whole) / 1.7

    def test_numbers_are_kept_without_an_object_for_each(self):
        raw = answer(*[[0.5 + place for place in range(1000)]] * 50)
        tracemalloc.start()
        found = read_embeddings(raw, 50)._replace(raw=None)
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert len(found.vectors) == 50
        assert size < 50 * 1000 * 9

    @pytest.mark.parametrize(
        "raw",
        [
            json.dumps({"object": "list", "data": [{"index": 0, "embedding": [1.0]}], "model": "m"}).encode(),
            answer([1.0], model=None),
            answer([1.0], object=None),
        ],
        ids=["no usage", "no model", "no list"],
    )
    def test_what_the_dialect_demands_is_there_even_if_the_provider_forgot_it(self, raw):
        found = read_embeddings(raw, 1)._replace(usage=Usage("estimated", input=3), model="m")
        written = json.loads(write_embeddings(found, None))
        assert written == {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [1.0]}],
            "model": "m",
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        }


class TestAnswers:
    @given(st.permutations(range(6)))
    @examples(40)
    def test_order_is_that_of_the_index(self, order):
        data = [{"index": place, "embedding": [float(place), 1.0]} for place in order]
        found = read_embeddings(json.dumps({"data": data}).encode(), 6)
        assert [as_floats(one) for one in found.vectors] == [[float(place), 1.0] for place in range(6)]
        assert found.dimensions == 2

    def test_a_shuffled_answer_is_not_passed_on_as_it_came(self):
        data = [{"object": "embedding", "index": place, "embedding": [float(place)]} for place in (1, 0)]
        raw = json.dumps({"object": "list", "data": data, "model": "m", "usage": USAGE}).encode()
        written = json.loads(write_embeddings(read_embeddings(raw, 2), None))
        assert [one["embedding"] for one in written["data"]] == [[0.0], [1.0]]

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"<html>",
            b'{"data": [',
            b"[]",
            b"{}",
            b'{"data": 5}',
            b'{"data": []}',
            answer([1.0], [1.0], [1.0]),
            answer([1.0]),
            answer([1.0], [1.0, 2.0]),
            answer([1.0], []),
            answer([], []),
            answer([1.0], ["x"]),
            answer([1.0], [None]),
            answer([1.0], None),
            answer([1.0], 7),
            answer([1.0], {}),
            answer([1.0], "not base64!"),
            answer([1.0], "AAA="),
            answer([1.0], ""),
            answer(packed([1.0, float("nan")]), packed([1.0, 2.0])),
            answer(packed([1.0, 2.0]), packed([float("inf"), float("-inf")])),
            answer([1.0], [1e300]),
            b'{"data":[{"embedding":[1.0]},{"embedding":[1.0]}]}',
            b'{"data":[{"index":0,"embedding":[1.0]},{"index":0,"embedding":[1.0]}]}',
            b'{"data":[{"index":1,"embedding":[1.0]},{"index":2,"embedding":[1.0]}]}',
            b'{"data":[{"index":0,"embedding":[1.0]},{"index":"1","embedding":[1.0]}]}',
            b'{"data":[7,{"index":0,"embedding":[1.0]}]}',
        ],
    )
    def test_what_is_not_two_vectors_is_malformed(self, raw):
        with pytest.raises(Malformed):
            read_embeddings(raw, 2)

    def test_an_error_in_an_answer_of_200_is_an_error(self):
        with pytest.raises(ServerFault, match="busy"):
            read_embeddings(b'{"error": {"message": "busy"}}', 1)

    @given(st.binary(max_size=80))
    @examples()
    def test_no_bytes_break_the_reader(self, raw):
        try:
            read_embeddings(raw, 1)
        except TargetError as error:
            assert error.message  # noqa: PT017 - either outcome is right

    def test_usage_is_read_or_unknown(self):
        assert read_embeddings(answer([1.0]), 1).usage == Usage("reported", input=5)
        assert read_embeddings(answer([1.0], usage=None), 1).usage.source == "unknown"


class TestSplitting:
    @given(st.lists(st.integers(1, 50), min_size=1, max_size=80), st.integers(1, 30), st.integers(1, 200))
    @examples(300)
    def test_parts_join_to_the_whole_in_order_within_the_limits(self, sizes, inputs, tokens):
        places = list(range(len(sizes)))
        parts = list(split(places, sizes, Limits(inputs, tokens)))
        assert [place for part in parts for place in part] == places
        for part in parts:
            assert 1 <= len(part) <= inputs
            assert len(part) == 1 or sum(sizes[place] for place in part) <= tokens

    def test_parts_are_about_equally_large(self):
        assert [len(part) for part in split(range(10_000), [1] * 10_000, Limits(2048, 10**9))] == [2000] * 5
        assert [len(part) for part in split(range(2049), [1] * 2049, Limits(2048, 10**9))] == [1025, 1024]
        assert [len(part) for part in split(range(2048), [1] * 2048, Limits(2048, 10**9))] == [2048]

    def test_what_is_missing_may_lie_anywhere(self):
        assert list(split([1, 5, 9], [1] * 10, Limits(2, 100))) == [[1, 5], [9]]

    def test_an_answer_has_room_for_so_many_vectors(self):
        vector = packed([0.5] * 3072)
        count = most_inputs(3072, 1_000_000, packed=True)
        assert len(answer(*[vector] * count)) <= 1_000_000
        assert count > 55
        assert most_inputs(3072, 100, packed=True) == 1
        assert most_inputs(3072, 1_000_000, packed=False) < count


class TestRequests:
    @pytest.mark.parametrize(
        ("given_input", "count", "tokens"),
        [
            ("Hello", 1, 2),
            (["Hello"], 1, 2),
            (["Hello", "you"], 2, 3),
            ([1, 2, 3], 1, 3),
            ([[1, 2, 3], [4]], 2, 4),
            ("ж" * 10, 1, 6),
        ],
    )
    def test_facts(self, given_input, count, tokens):
        facts = embed_facts({"input": given_input})
        assert (facts.inputs, facts.input_tokens) == (count, tokens)
        assert facts.longest == max(map(size_of, items(given_input)))
        asks_for_tokens = given_input[0] in {1, 2} if type(given_input[0]) is int else type(given_input[0]) is list
        assert (Feature.TOKENS in facts.features) == asks_for_tokens

    def test_what_is_not_of_the_dialect_is_known_to_be_a_providers_own(self):
        body = {"input": "x", "input_type": "query", "truncate": "end", "dimensions": 3, "user": "u", "foo": 1}
        assert embed_facts(body).unknown_params == {"input_type", "truncate", "foo"}

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({}, "input"),
            ({"input": None}, "input"),
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": 5}, "input"),
            ({"input": {}}, "input"),
            ({"input": True}, "input"),
            ({"input": [""]}, "input[0]"),
            ({"input": ["a", ""]}, "input[1]"),
            ({"input": ["a", None]}, "input[1]"),
            ({"input": [None]}, "input[0]"),
            ({"input": [1.5]}, "input[0]"),
            ({"input": [True]}, "input[0]"),
            ({"input": [{}]}, "input[0]"),
            ({"input": ["a", 1]}, "input[1]"),
            ({"input": [1, "a"]}, "input[1]"),
            ({"input": [1, True]}, "input[1]"),
            ({"input": [1, -1]}, "input[1]"),
            ({"input": [[1], "a"]}, "input[1]"),
            ({"input": [[]]}, "input[0]"),
            ({"input": [[1], []]}, "input[1]"),
            ({"input": [[1, "a"]]}, "input[0][1]"),
            ({"input": [["a"]]}, "input[0][0]"),
            ({"input": [[[1]]]}, "input[0][0]"),
            ({"input": [[1, -1]]}, "input[0][1]"),
            ({"input": "x", "dimensions": 0}, "dimensions"),
            ({"input": "x", "dimensions": -5}, "dimensions"),
            ({"input": "x", "dimensions": 10**9}, "dimensions"),
            ({"input": "x", "dimensions": 1.5}, "dimensions"),
            ({"input": "x", "dimensions": "8"}, "dimensions"),
            ({"input": "x", "dimensions": True}, "dimensions"),
            ({"input": "x", "encoding_format": "int8"}, "encoding_format"),
            ({"input": "x", "encoding_format": 5}, "encoding_format"),
            ({"input": "x", "user": 5}, "user"),
            ({"input": "x", "input_type": "poem"}, "input_type"),
            ({"input": "x", "input_type": ["query"]}, "input_type"),
            ({"input": "x", "truncate": "middle"}, "truncate"),
            ({"input": "x", "truncate": 1}, "truncate"),
            ({"input": "x", "n" * 301: 1}, "n" * 50),
        ],
    )
    def test_a_wrong_one_says_where(self, fields: dict[str, Any], param):
        with pytest.raises(BadRequest) as caught:
            embed_facts(fields)
        assert caught.value.param == param
        assert param in caught.value.message or len(param) == 50

    def test_the_value_itself_is_untouched(self):
        assert Embeddings([packed([1.0])], 1, Usage(), "m").raw is None
