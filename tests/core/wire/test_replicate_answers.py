"""Predictions as answers: whole, in events cut anywhere, and failed."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BrokenOff, Malformed, Overloaded, StreamCut, StreamFailed
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.replicate.answers import ReplicateStream, completion_from, failure_of, read_error
from tests.core.fakes import PLACES, cut, examples

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=9), max_size=6)


def prediction(**fields):
    made = {"id": "p1", "status": "succeeded", "created_at": "2026-01-01T00:00:00.1Z", "output": ["Hi ", "you"]}
    metrics = {"predict_time": 1.5, "input_token_count": 7, "output_token_count": 2}
    return {**made, "metrics": metrics, **fields}


def event(name, data):
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\nid: 1:0\n{lines}\n".encode()


def stream(**more):
    how = {"ident": "p1", "length": None, "model": "m", "created": 1767225600, "limit": 10_000, "keep_usage": True}
    return ReplicateStream(**{**how, **more})


def test_a_whole_answer():
    made = completion_from(prediction(), "m", None)
    assert made.message["content"] == "Hi you"
    assert (made.finish_reason, made.usage) == ("stop", Usage("reported", 7, output=2, run_ms=1500))
    assert (made.body["id"], made.body["model"], made.body["created"]) == ("p1", "m", 1767225600)
    assert completion_from(prediction(output="all at once"), "m", None).message["content"] == "all at once"
    assert completion_from(prediction(output=None), "m", None).message["content"] == ""


@pytest.mark.parametrize(("limit", "finish"), [(None, "stop"), (3, "stop"), (2, "length"), (1, "length")])
def test_who_said_as_much_as_he_may_was_cut(limit, finish):
    assert completion_from(prediction(), "m", limit).finish_reason == finish


@pytest.mark.parametrize("metrics", [None, {}, {"predict_time": 2}, {"input_token_count": 1}, "x"])
def test_without_tokens_nothing_is_known(metrics):
    made = completion_from(prediction(metrics=metrics), "m", 5)
    assert made.usage == Usage(run_ms=2000 if metrics == {"predict_time": 2} else 0)
    assert "usage" not in made.body


@pytest.mark.parametrize(
    ("fields", "error"),
    [({"status": "failed", "error": "boom"}, BrokenOff), ({"status": "canceled"}, BrokenOff),
     ({"status": "aborted"}, Overloaded), ({"status": "processing"}, Malformed), ({"output": {"a": 1}}, Malformed),
     ({"output": ["a", 1]}, Malformed)],
)  # fmt: skip
def test_what_came_to_nothing(fields, error):
    with pytest.raises(error):
        completion_from(prediction(**fields), "m", None)


def test_words_of_a_failure_are_without_keys():
    failed = failure_of(prediction(status="failed", error="no r8_abcdefghijkl and a-secret"), BrokenOff, "a-secret")
    assert failed is not None
    assert failed.message == "the prediction failed: no *** and ***"


@examples(60)
@given(WORDS, PLACES)
def test_a_stream_adds_up_to_the_output(pieces, places):
    raw = event("logs", "loading") + b"".join(event("output", piece) for piece in pieces) + event("done", "{}")
    made, frames = stream(), []
    for part in cut(raw, places):
        frames += made.feed(part)
    assert made.complete and made.over and not made.ended
    counted = {"input_token_count": 3, "output_token_count": len(pieces)}
    frames += made.settled(prediction(output=pieces, metrics=counted))
    whole = orjson.loads(completion_of([frame.raw for frame in frames], made.usage) or b"")
    assert (whole["choices"][0]["message"].get("content") or "") == "".join(pieces)
    assert whole["id"] == "p1"
    assert whole["usage"]["prompt_tokens"] == 3
    assert frames[-1].kind is Kind.END and frames[-2].kind is Kind.USAGE


def test_without_a_last_look_it_ends_without_usage():
    made = stream()
    made.feed(event("output", "Hi") + event("done", "{}"))
    frames = made.settled(None)
    assert [frame.kind for frame in frames] == [Kind.META, Kind.END]
    assert made.usage == Usage()


def test_an_end_without_its_blank_line_is_an_end():
    made = stream()
    made.feed(event("output", "Hi") + event("done", "{}")[:-1])
    assert made.finish()[-1].kind is Kind.END


@pytest.mark.parametrize(
    "last", [event("error", '{"detail":"boom"}'), event("error", "boom"), event("done", '{"reason":"error"}')]
)
def test_an_error_inside_it_fails_it(last):
    made = stream()
    with pytest.raises(StreamFailed):
        made.feed(event("logs", "x") + last)
    assert made.over
    made = stream()
    assert made.feed(event("output", "Hi"))[-1].kind is Kind.OUTPUT
    assert made.feed(last) == []
    with pytest.raises(StreamFailed):
        made.feed(b"")


def test_a_prediction_that_failed_after_all_fails_it():
    made = stream()
    made.feed(event("done", "{}"))
    with pytest.raises(StreamFailed, match="boom"):
        made.settled(prediction(status="failed", error="boom"))


@pytest.mark.parametrize("rest", [b"", event("output", "never")[:-1]])
def test_a_stream_without_its_end_is_cut(rest):
    made = stream()
    made.feed(event("output", "Hi") + rest)
    assert not made.complete and not made.over
    with pytest.raises(StreamCut):
        made.finish()


def problem(detail, status=422):
    return json.dumps({"title": "x", "detail": detail, "status": status}).encode()


def test_refusals():
    error = read_error(422, problem("- input: Additional property top_z is not allowed\n"))
    assert (type(error).__name__, error.param) == ("ParameterRefused", "top_z")
    assert type(read_error(422, problem("- input: prompt is required\n"))).__name__ == "RequestRefused"
    assert read_error(429, problem("throttled. Expected available in 7 seconds", 429)).retry_after == 7
    assert read_error(429, problem("throttled. Expected available in 7 seconds"), retry_after=2.0).retry_after == 2
