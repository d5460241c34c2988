"""Reranking's request and answers: what is read of a document, and what is no ranking."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequest, Malformed, QuotaExhausted
from core.types.usage import Usage
from core.wire.huggingface.similarity import path_of, ranking_from
from core.wire.rerank import (
    Ranked,
    Ranking,
    answer_of,
    asked_of,
    ranked,
    ranking_of,
    read_ranking,
    rerank_facts,
    searches,
    texts_of,
)
from tests.core.fakes import examples

SCORES = st.floats(-1, 1) | st.integers(0, 1)


@examples()
@given(st.lists(SCORES, min_size=1, max_size=20), st.integers(1, 25), st.randoms(use_true_random=False))
def test_the_best_come_first_and_equals_stay(scores, wanted, shuffled):
    pairs = list(enumerate(scores))
    shuffled.shuffle(pairs)
    found = ranked(pairs, len(scores), wanted)
    assert found == sorted((Ranked(*one) for one in enumerate(scores)), key=lambda one: -one.score)[:wanted]


@examples()
@given(
    st.lists(SCORES, min_size=1, max_size=8),
    st.sampled_from([{"searches": 2}, {"input": 7}]),
)
def test_an_answer_there_and_back(scores, used):
    ranking = Ranking(ranked(list(enumerate(scores)), len(scores), len(scores)), Usage("reported", **used), "m")
    assert read_ranking(orjson.dumps(answer_of(ranking)), len(scores), len(scores)) == ranking


@pytest.mark.parametrize(
    ("document", "fields", "text"),
    [
        ("Tides", None, "Tides"),
        ({"text": "Tides"}, None, "Tides"),
        ({"title": "Sea", "text": "Tides", "year": 1609, "none": None}, None, "title: Sea\ntext: Tides\nyear: 1609"),
        ({"title": "Sea", "text": "Tides"}, ["text"], "Tides"),
        ({"title": "Sea", "text": "Tides"}, ["text", "title", "more"], "text: Tides\ntitle: Sea"),
        ({"rows": [1, {"a": 2}]}, None, 'rows: [1,{"a":2}]'),
    ],
)
def test_what_is_read_of_a_document(document, fields, text):
    assert texts_of({"documents": [document], "rank_fields": fields}) == [text]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"documents": ["a"]}, "query"),
        ({"query": "", "documents": ["a"]}, "query"),
        ({"query": ["a"], "documents": ["a"]}, "query"),
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": []}, "documents"),
        ({"query": "q", "documents": "a"}, "documents"),
        ({"query": "q", "documents": ["a", ""]}, "documents[1]"),
        ({"query": "q", "documents": ["a", 7]}, "documents[1]"),
        ({"query": "q", "documents": [{"title": None}]}, "documents[0]"),
        ({"query": "q", "documents": [{"a": "b"}], "rank_fields": ["c"]}, "documents[0]"),
        ({"query": "q", "documents": ["a"], "rank_fields": [1]}, "rank_fields[0]"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n"),
        ({"query": "q", "documents": ["a"], "top_n": True}, "top_n"),
        ({"query": "q", "documents": ["a"], "max_tokens_per_doc": 0}, "max_tokens_per_doc"),
        ({"query": "q", "documents": ["a"], "return_documents": "yes"}, "return_documents"),
    ],
)
def test_a_mistake_is_named(body, param):
    with pytest.raises(BadRequest) as refused:
        rerank_facts(body)
    assert refused.value.param == param


def test_facts():
    body = {"query": "q" * 40, "documents": ["a" * 400, "b" * 4000], "top_n": 1, "rank_fields": ["x"], "spans": 1}
    facts = rerank_facts(body)
    assert (facts.inputs, facts.searches, facts.input_tokens) == (2, 1, 101 + 1001 + 2 * 11)
    assert facts.params == frozenset({"query", "documents", "top_n", "spans"})
    assert facts.unknown_params == frozenset({"spans"})


def test_searches_are_sold_by_the_hundred_documents_of_500_tokens():
    assert searches(10, [100] * 100) == 1
    assert searches(10, [100] * 101) == 2
    assert searches(10, [490] * 100) == 1
    assert searches(10, [491] * 100) == 2
    assert searches(1000, [1]) == 1


def test_what_is_asked_of_some_documents():
    body = {
        "query": "q",
        "documents": ["a", "b"],
        "top_n": 5,
        "return_documents": True,
        "rank_fields": ["x"],
        "more": None,
    }
    assert asked_of(body, ["b"]) == {"query": "q", "documents": ["b"], "top_n": 1}


RESULT = {"index": 0, "relevance_score": 0.5}


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"results": None},
        {"results": [7]},
        {"results": []},
        {"results": [RESULT]},
        {"results": [RESULT, RESULT]},
        {"results": [RESULT, {**RESULT, "index": 2}]},
        {"results": [RESULT, {**RESULT, "index": -1}]},
        {"results": [RESULT, {**RESULT, "index": True}]},
        {"results": [RESULT, {"index": 1}]},
        {"results": [RESULT, {"index": 1, "relevance_score": "0.5"}]},
        {"results": [RESULT, {"index": 1, "relevance_score": float("nan")}]},
    ],
)
def test_what_is_no_ranking_of_two(answer):
    with pytest.raises(Malformed):
        ranking_of(answer, 2, 2)


def test_who_sends_more_than_was_asked_is_cut():
    assert ranking_of({"results": [RESULT, {"index": 1, "relevance_score": 1}]}, 2, 1).results == [Ranked(1, 1.0)]


def test_an_error_that_came_as_an_answer():
    with pytest.raises(QuotaExhausted, match="no money"):
        read_ranking(b'{"error": {"code": "insufficient_quota", "message": "no money"}}', 1, 1)


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"meta": {"billed_units": {"search_units": 2.0}}}, Usage("reported", searches=2)),
        ({"meta": {"billed_units": {"search_units": 1.5}}}, Usage("reported", searches=2)),
        ({"usage": {"total_tokens": 9}}, Usage("reported", input=9)),
        ({"usage": {"prompt_tokens": 8, "completion_tokens": 0, "total_tokens": 8}}, Usage("reported", input=8)),
        ({"meta": {"billed_units": {}}}, Usage()),
        ({}, Usage()),
    ],
)
def test_usage_in_searches_or_in_tokens(said, usage):
    assert ranking_of({"results": [RESULT], **said}, 1, 1).usage == usage


def test_an_estimate_is_not_put_into_an_answer():
    ranking = Ranking([Ranked(0, 0.5)], Usage("estimated", input=7, searches=1), "m")
    said = answer_of(ranking, [{"title": "Sea"}])
    assert "usage" not in said and "billed_units" not in said["meta"]
    assert said["results"] == [{**RESULT, "document": {"title": "Sea"}}]


def test_similarities_are_a_ranking():
    assert path_of("a b/c?") == "/hf-inference/models/a%20b/c%3F/pipeline/sentence-similarity"
    assert ranking_from([0.1, 0.9], 2, 1).results == [Ranked(1, 0.9)]


@pytest.mark.parametrize("scores", [{}, [0.1], [0.1, "a"], [0.1, None]])
def test_what_are_no_similarities_of_two(scores):
    with pytest.raises(Malformed):
        ranking_from(scores, 2, 2)
