"""A stream as one answer and one answer as a stream: what was said stays what it was."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import completion_of, frames_of, usage_body
from core.wire.openai import ChatStream, read_completion, read_usage
from tests.core.fakes import PLACES, cut, examples

USAGE = Usage("reported", input=10, cached_input=2, output=3, reasoning=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@st.composite
def messages(draw):
    message = {"role": "assistant", "content": draw(st.none() | TEXTS)}
    for name in ("refusal", "reasoning_content", "reasoning"):
        if draw(st.booleans()):
            message[name] = draw(TEXTS)
    if draw(st.booleans()):
        message["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": f"f{number % 2}", "arguments": draw(TEXTS)},
            }
            for number in range(draw(st.integers(1, 3)))
        ]
        message["content"] = message["content"] or None
    return message


@st.composite
def answers(draw):
    choices = [
        {
            "index": index,
            "message": draw(messages()),
            "logprobs": draw(st.none() | st.just({"content": [{"token": "a", "logprob": -0.5}], "refusal": None})),
            "finish_reason": draw(st.sampled_from(["stop", "length", "tool_calls", "content_filter"])),
        }
        for index in range(draw(st.integers(1, 3)))
    ]
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m", "system_fingerprint": "fp"}
    return {**head, "choices": choices, "usage": usage_body(USAGE)}


def said(message):
    """Without what is empty: a stream has no empty pieces."""
    return {name: value for name, value in message.items() if value}


def added(raws, usage):
    raw = completion_of(raws, usage)
    assert raw is not None
    return orjson.loads(raw)


def chunk_of(event):
    data = sse.data_of(event.strip())
    return None if data is None or data == b"[DONE]" else orjson.loads(data)


def streamed(body, places=()):
    """The replayed bytes, read again as a provider's, in parts of any size."""
    raw = b"".join(frame.raw for frame in frames_of(body, wants_usage=True)) + sse.DONE
    stream = ChatStream(limit=10**7, keep_usage=True, several=len(body["choices"]) > 1)
    frames = [frame for part in cut(raw, places) for frame in stream.feed(part)]
    frames += stream.finish()
    return stream, [frame.raw for frame in frames]


@examples()
@given(answers(), PLACES)
def test_there_and_back(body, places):
    stream, raws = streamed(body, places)
    assert stream.ended and stream.usage == USAGE
    again = added(raws, stream.usage)
    for one, two in zip(body["choices"], again["choices"], strict=True):
        assert said(two["message"]) == said(one["message"])
        assert (two["index"], two["finish_reason"]) == (one["index"], one["finish_reason"])
        assert said(two["logprobs"] or {}) == said(one["logprobs"] or {})
    names = ("id", "object", "created", "model", "system_fingerprint", "usage")
    assert [again[name] for name in names] == [body[name] for name in names]


@examples(50)
@given(answers(), st.randoms(use_true_random=False))
def test_choices_that_come_in_turns(body, chance):
    """Each in its own order, mixed with the others in any way."""
    _, raws = streamed(body)
    events = [event + b"\n\n" for raw in raws for event in sse.events(raw)]
    queues: dict[int, list[bytes]] = {index: [] for index in range(len(body["choices"]))}
    rest: list[bytes] = []
    for event in events:
        choices = (chunk_of(event) or {"choices": []})["choices"]
        (queues[choices[0]["index"]] if choices else rest).append(event)
    mixed = []
    while any(queues.values()):
        mixed.append(chance.choice([queue for queue in queues.values() if queue]).pop(0))
    assert added(mixed + rest, USAGE) == added(events, USAGE)


def event(*choices, **more):
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": list(choices),
        **more,
    }
    return sse.event(orjson.dumps(chunk))


def piece(index=0, finish=None, **delta):
    return {"index": index, "delta": delta, "finish_reason": finish}


def whole(*events, usage=USAGE):
    return read_completion(orjson.dumps(added([*events, sse.DONE], usage))).body


def calls(*events):
    return whole(*events, event(piece(finish="tool_calls")))["choices"][0]["message"]["tool_calls"]


def call(index, number=None, name=None, arguments=""):
    named = {"id": number, "type": "function"} if number else {}
    return {"index": index, **named, "function": {"name": name, "arguments": arguments}}


class TestToolCalls:
    def test_pieces_that_name_them_once(self):
        made = calls(
            event(piece(role="assistant", content=None)),
            event(piece(tool_calls=[call(0, "a", "f")])),
            event(piece(tool_calls=[call(0, arguments='{"x"')])),
            event(piece(tool_calls=[call(1, "b", "g", "{}"), call(0, arguments=":1}")])),
        )
        assert made == [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]

    def test_pieces_that_say_who_they_are_each_time(self):
        made = calls(*(event(piece(tool_calls=[call(0, "a", "f", part)])) for part in ("{", '"x"', ":1}")))
        assert made == [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}]

    def test_whole_ones_that_all_have_one_number(self):
        made = calls(
            event(piece(tool_calls=[call(0, "a", "f", "{}")])), event(piece(tool_calls=[call(0, "b", "f", "[]")]))
        )
        assert [one["id"] for one in made] == ["a", "b"]
        assert [one["function"]["arguments"] for one in made] == ["{}", "[]"]

    def test_whole_ones_without_a_number(self):
        one = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        assert calls(event(piece(tool_calls=[one])), event(piece(tool_calls=[{**one, "id": "b"}]))) == [
            one, {**one, "id": "b"},
        ]  # fmt: skip

    def test_the_old_form(self):
        body = whole(
            event(piece(function_call={"name": "f", "arguments": ""})),
            event(piece(function_call={"arguments": "{}"})),
            event(piece(finish="function_call")),
        )
        assert body["choices"][0]["message"]["function_call"] == {"name": "f", "arguments": "{}"}
        deltas = [choice_of(frame)["delta"] for frame in frames_of(body, wants_usage=False)]
        assert {"function_call": {"name": "f", "arguments": "{}"}} in deltas


def test_keep_alives_and_names_of_events_are_stepped_over():
    body = whole(
        b": keep-alive\n\n", b"event: message\n" + event(piece(content="a")), b":\n\n", event(piece(finish="stop"))
    )
    assert body["choices"][0]["message"]["content"] == "a"


def test_a_first_event_without_an_id_names_nothing():
    blank = sse.event(
        orjson.dumps({"id": "", "object": "", "created": 0, "model": "", "choices": [], "filtered": [1]})
    )
    body = whole(blank, event(piece(content="a")), event(piece(finish="stop")))
    assert (body["id"], body["model"], body["created"], body["filtered"]) == ("1", "m", 1, [1])


def test_logprobs_add_up():
    parts = [{**piece(content=text), "logprobs": {"content": [{"token": text}], "refusal": None}} for text in "ab"]
    body = whole(*map(event, parts), event(piece(finish="stop")))
    assert body["choices"][0]["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}


def test_what_a_vendor_says_of_a_choice_is_kept_both_ways():
    safe = {"hate": {"filtered": False}}
    body = whole(event({**piece(content="a"), "content_filter_results": safe}), event(piece(finish="stop")))
    assert body["choices"][0]["content_filter_results"] == safe
    assert safe in [choice_of(frame).get("content_filter_results") for frame in frames_of(body, wants_usage=False)]


def choice_of(frame):
    return chunk_of(frame.raw)["choices"][0]


def test_noise_is_left_out():
    body = whole(event(piece(content="a"), obfuscation="xyz"), event(piece(finish="stop"), obfuscation="uvw"))
    assert "obfuscation" not in body


@pytest.mark.parametrize("usage", [Usage(), Usage("estimated", input=5, output=5)], ids=["unknown", "estimated"])
def test_usage_that_no_provider_reported_is_not_put_into_its_mouth(usage):
    body = whole(event(piece(content="a")), event(piece(finish="stop")), usage=usage)
    assert body["usage"] is None
    assert all(b'"usage"' not in frame.raw for frame in frames_of(body, wants_usage=True))


def test_what_a_provider_did_not_report_is_not_said_for_it():
    counts = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    plain = [event(piece(content="a")), event(piece(finish="stop"))]
    assert whole(*plain, usage=Usage("reported", input=3, output=5))["usage"] == counts
    for said in (counts, {**counts, "prompt_tokens_details": {"cached_tokens": 0}, "queue_time": 0.1}):
        body = whole(*plain, event(usage=said), usage=Usage("reported", input=3, output=5))
        assert body["usage"] == said
    assert whole(*plain, event(usage={"tokens": 8}), usage=Usage("estimated", input=3))["usage"] is None


def test_what_a_vendor_says_of_the_whole_is_said_once():
    filtered = [{"prompt_index": 0, "content_filter_results": {}}]
    body = whole(
        event(prompt_filter_results=filtered), event(piece(content="a" * 500), system_fingerprint="fp"),
        event(piece(finish="stop")),
    )  # fmt: skip
    chunks = [chunk_of(frame.raw) for frame in frames_of(body, wants_usage=True)]
    assert [chunk.get("prompt_filter_results") for chunk in chunks] == [filtered] + [None] * (len(chunks) - 1)
    assert len(chunks) > 4 and {chunk["system_fingerprint"] for chunk in chunks} == {"fp"}


def test_usage_only_for_who_asks():
    body = whole(event(piece(content="a")), event(piece(finish="stop")))
    assert b'"usage"' not in b"".join(frame.raw for frame in frames_of(body, wants_usage=False))
    assert read_usage(body["usage"]) == USAGE


@examples(60)
@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_usage_is_read_as_it_was(plain, cached, written, output, reasoning):
    usage = Usage("reported", plain, cached, written, output, reasoning)
    assert read_usage(usage_body(usage)) == usage


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {half\n\n",
        b"data: 5\n\n",
        b'data: {"choices":[null]}\n\n',
        b'data: {"choices":5}\n\n',
        b'data: {"choices":[{"index":[],"delta":{}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":"x"}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":{"a":1}}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":[1]}},5]}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"logprobs":[]}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"logprobs":{"content":5}}]}\n\n',
    ],
)
def test_events_that_nobody_has_looked_at_harm_nobody(broken):
    """They were passed on as they came; an answer is made of them, or none, but never an exception."""
    made = completion_of([event(piece(content="a")), broken, event(piece(finish="stop"))], USAGE)
    assert made is None or read_completion(made)


def test_a_choice_without_an_end_is_no_answer():
    assert completion_of([event(piece(content="a"))], USAGE) is None
    assert completion_of([], USAGE) is None
    two = [event(piece(0, content="a"), piece(1, content="b")), event(piece(0, finish="stop"))]
    assert completion_of(two, USAGE) is None
    assert completion_of([*two, event(piece(1, finish="stop"))], USAGE) is not None


def test_content_in_parts_is_sent_as_it_is():
    parts = [{"type": "text", "text": "a"}]
    choice = {"index": 0, "message": {"role": "assistant", "content": parts}, "finish_reason": "stop"}
    deltas = [choice_of(frame)["delta"] for frame in frames_of({"choices": [choice]}, wants_usage=False)]
    assert {"content": parts} in deltas
