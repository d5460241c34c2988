"""Nested arrays as vectors, one for each text."""

import json
import math

import pytest

from core.errors import Malformed, ServerFault
from core.wire.embeddings import as_floats
from core.wire.huggingface.feature_extraction import read_features


def read(content, count):
    found, pooled = read_features(json.dumps(content).encode(), count, "m")
    return [as_floats(vector) for vector in found.vectors], found.dimensions, pooled


def test_a_vector_for_a_text_is_taken_as_it_is():
    assert read([[1.0, 2.0], [3, 4]], 2) == ([[1.0, 2.0], [3.0, 4.0]], 2, False)


def test_of_vectors_for_tokens_it_is_the_mean():
    tokens = [[[1, 2], [3, 4], [8, 0]], [[5, 6]]]
    assert read(tokens, 2) == ([[4.0, 2.0], [5.0, 6.0]], 2, True)
    assert read([[one] for one in tokens], 2) == ([[4.0, 2.0], [5.0, 6.0]], 2, True)


@pytest.mark.parametrize(
    "content",
    [{}, [], [[1]], [[1], [1, 2]], [[1], []], [["a"], ["b"]], [[[1, 2], [3]], [[1, 2]]], [[[1], "x"], [[1]]],
     [None, [1]], [[1], [[]]]],
    ids=repr,
)  # fmt: skip
def test_what_is_no_list_of_two_vectors(content):
    with pytest.raises(Malformed):
        read(content, 2)


def test_what_is_not_finite_is_no_number():
    with pytest.raises(Malformed):
        read_features(f"[[{math.inf}]]".replace("inf", "1e999").encode(), 1, "m")


def test_an_error_in_place_of_vectors():
    with pytest.raises(ServerFault, match="model is loading"):
        read({"error": "model is loading"}, 1)
