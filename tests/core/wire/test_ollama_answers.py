"""What Ollama answers, whole and in lines cut anywhere, is the same canonical answer."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed, ServerFault, StreamCut, StreamFailed
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import completion_of
from core.wire.ollama.answers import Lines, OllamaStream, completion_from, completion_to
from core.wire.ollama.request import FORMAT
from tests.core.fakes import PLACES, cut, examples

HEAD = {"model": "m", "created_at": "2026-01-01T00:00:00.123456789Z"}
COUNTS = {"prompt_eval_count": 7, "eval_count": 5, "total_duration": 9}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


def whole(message, **more):
    said = {"role": "assistant", "content": "", **message}
    return json.dumps({**HEAD, "message": said, "done": True, "done_reason": "stop", **COUNTS, **more}).encode()


def lines(*messages, end=True, **more):
    made = [{**HEAD, "message": {"role": "assistant", "content": "", **one}, "done": False} for one in messages]
    if end:
        made.append(json.loads(whole({}, **more)))
    return b"".join(json.dumps(one).encode() + b"\n" for one in made)


def stream(**more):
    return OllamaStream(model="m", limit=10_000, keep_usage=True, asked=3, **more)


def read(raw):
    made = stream()
    return [*made.feed(raw), *made.finish()], made


def chunks(frames):
    return [json.loads(sse.data_of(frame.raw.strip()) or b"") for frame in frames if frame.kind is not Kind.END]


def test_a_whole_answer():
    made = completion_from(whole({"content": "Hi", "thinking": "hm"}), "m", asked=1)
    details = [{"type": "reasoning.text", "text": "hm", "format": FORMAT, "index": 0}]
    assert made.message == {
        "role": "assistant", "content": "Hi", "reasoning_content": "hm", "reasoning_details": details,
    }  # fmt: skip
    assert (made.finish_reason, made.usage) == ("stop", Usage("reported", 7, output=5))
    assert (made.body["model"], made.body["created"]) == ("m", 1767225600)
    assert made.body["usage"]["total_tokens"] == 12
    assert json.loads(made.raw) == made.body


def test_an_answer_without_a_model_is_of_the_one_that_was_asked():
    raw = whole({"content": "Hi"}, model=None)
    assert completion_from(raw, "llama3.2:3b", asked=1).body["model"] == "llama3.2:3b"
    frames, _ = read(lines({"content": "Hi"}).replace(b'"model": "m", ', b""))
    assert {one["model"] for one in chunks(frames)} == {"m"}


def test_calls_end_an_answer_and_have_ids():
    call = {"function": {"name": "f", "arguments": {"a": [1]}}}
    raw = whole({"tool_calls": [call, {"id": "own", **call}, call]})
    made = completion_from(raw, "m", asked=1)
    assert (made.finish_reason, made.message["content"]) == ("tool_calls", None)
    ids = [one["id"] for one in made.message["tool_calls"]]
    mark = made.body["id"].removeprefix("chatcmpl-")
    assert ids == [f"call_{mark}_0", "own", f"call_{mark}_2"]
    assert json.loads(made.message["tool_calls"][0]["function"]["arguments"]) == {"a": [1]}
    assert completion_from(raw, "m", asked=1).body == made.body


@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop"), ("", "stop"), (None, "stop")]
)
def test_why_it_ended(reason, finish):
    assert completion_from(whole({}, done_reason=reason), "m", asked=1).finish_reason == finish


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": None}, Usage("estimated", 42, output=5)),
        ({"eval_count": None, "prompt_eval_count": None}, Usage()),
    ],
)
def test_a_prompt_that_nobody_counted_is_estimated(counts, usage):
    made = completion_from(whole({"content": "x"}, **counts), "m", asked=42)
    assert made.usage == usage
    assert "usage" not in made.body


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b'{"error":"model runner has unexpectedly stopped"}', ServerFault),
        (b"[]", Malformed), (b"{}", Malformed), (b"{half", Malformed), (b'{"message":{"content":"x"}}', Malformed),
        (b'{"message":{"content":"x"},"done":false}', Malformed),
        (b'{"message":{"tool_calls":[{"name":"f"}]},"done":true}', Malformed),
    ],
)  # fmt: skip
def test_what_is_no_answer(raw, error):
    with pytest.raises(error):
        completion_from(raw, "m", asked=1)


@st.composite
def answers(draw):
    message = {"content": draw(st.just("") | TEXT)}
    if draw(st.booleans()):
        message["thinking"] = draw(TEXT)
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from("fgh"), min_size=1, max_size=3))
        message["tool_calls"] = [
            {"id": f"call_{number}", "function": {"index": number, "name": name, "arguments": {"a": draw(TEXT)}}}
            for number, name in enumerate(names)
        ]
    return message, draw(st.sampled_from(["stop", "length"]))


def pieces(message):
    """As it would be streamed: thoughts, words, calls."""
    yield from ({"thinking": one} for one in message.get("thinking", ""))
    yield from ({"content": one} for one in message["content"])
    yield from ({"tool_calls": [one]} for one in message.get("tool_calls", ()))


@examples()
@given(answers(), PLACES)
def test_a_stream_adds_up_to_the_whole_answer(answer, places):
    message, reason = answer
    raw = lines(*pieces(message), done_reason=reason)
    made, frames = stream(), []
    for part in cut(raw, places):
        frames += made.feed(part)
    assert made.ended and made.finish() == []
    added = orjson.loads(completion_of([frame.raw for frame in frames], made.usage) or b"")
    told = completion_from(whole(message, done_reason=reason), "m", asked=3)
    assert made.usage == told.usage
    assert added["usage"] == told.body["usage"]
    (one,), (other,) = added["choices"], told.body["choices"]
    assert one["finish_reason"] == other["finish_reason"]
    assert {k: v for k, v in one["message"].items() if v} == {k: v for k, v in other["message"].items() if v}
    assert (added["model"], added["created"]) == ("m", 1767225600)


@examples()
@given(answers())
def test_an_answer_comes_back(answer):
    message, reason = answer
    first = completion_from(whole(message, done_reason=reason), "m", asked=1)
    theirs = completion_to(first.body)
    again = completion_from(json.dumps(theirs).encode(), "m", asked=1)
    assert {**again.body, "id": ""} == {**first.body, "id": ""}


def test_the_first_line_names_the_answer():
    frames, made = read(lines({"content": "Hi"}, {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}))
    said = chunks(frames)
    (ident,) = {one["id"] for one in said}
    assert ident.startswith("chatcmpl-")
    call = said[2]["choices"][0]["delta"]["tool_calls"][0]
    assert call["id"] == f"call_{ident.removeprefix('chatcmpl-')}_0"
    assert said[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [frame.kind for frame in frames][-3:] == [Kind.META, Kind.USAGE, Kind.END]
    assert made.outputs == 2


def test_an_error_in_a_line_fails_the_stream():
    with pytest.raises(StreamFailed, match="unexpected EOF"):
        read(b'{"error":"unexpected EOF"}\n')
    made = stream(secrets=("a-secret-key",))
    made.feed(lines({"content": "Hi"}, end=False))
    assert made.feed(b'{"error":"with a-secret-key"}\n') == []
    with pytest.raises(StreamFailed) as failed:
        made.feed(b"")
    assert "a-secret-key" not in failed.value.message


@pytest.mark.parametrize("rest", [b"", b'{"message":{"content":"no'])
def test_a_stream_without_its_last_line_is_cut(rest):
    with pytest.raises(StreamCut):
        read(lines({"content": "Hi"}, end=False) + rest)


def test_a_last_line_without_its_end_is_enough():
    frames, made = read(lines({"content": "Hi"})[:-1])
    assert made.ended and frames[-1].raw == sse.DONE


@pytest.mark.parametrize("raw", [b"[]\n", b"5\n", b"{half\n", b'{"done":true}\n', b'{"message":5}\n'])
def test_what_is_no_line_of_an_answer(raw):
    with pytest.raises(Malformed):
        read(raw)


@examples(60)
@given(st.lists(st.binary(max_size=9).map(lambda one: one.replace(b"\n", b"")), max_size=6), PLACES)
def test_lines_are_whole_wherever_they_are_cut(given_lines, places):
    raw = b"".join(one + b"\n" for one in given_lines)
    made, out = Lines(10_000), b""
    for part in cut(raw, places):
        block = made.feed(part)
        assert not block or block.endswith(b"\n")
        out += block
    assert out == raw and made.flush() == b""


def test_a_line_beyond_the_limit_is_malformed():
    with pytest.raises(Malformed, match="larger than 50 bytes"):
        Lines(50).feed(b"x" * 51)
