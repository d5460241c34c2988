"""Canonical chunks as events of the Messages dialect: the exact order, whole blocks one after the other."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed
from core.types.usage import Usage
from core.wire import sse
from core.wire.anthropic.chat import request_from
from core.wire.assembly import frames_of
from core.wire.messages.stream import MessagesStream
from tests.core.fakes import examples

USAGE = Usage("reported", input=10, cached_input=2, output=3, reasoning=1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


def chunk(delta=None, finish=None, **more):
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return sse.event(orjson.dumps({"id": "chatcmpl-1", "model": "m", "choices": [choice], **more}))


def call(index, arguments="", **head):
    name = head.pop("name", None)
    return {"index": index, **head, "function": {**({"name": name} if name else {}), "arguments": arguments}}


def chunk_ending(**more):
    return sse.event(orjson.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **more}]}))


def calls(*pieces):
    return chunk({"tool_calls": list(pieces)})


def events(raw):
    found = []
    for event in sse.events(raw):
        name, data = event.split(b"\n", 1)
        body = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + body["type"].encode()
        found.append(body)
    return found


def streamed(*raws, tokens=7):
    stream = MessagesStream(tokens)
    return events(b"".join([stream.feed([raw]) for raw in raws]) + stream.end(USAGE))


def short(found):
    """Each event in a word or two, with the block it is about."""
    words = []
    for event in found:
        kind = event["type"].removeprefix("content_block_")
        what = event.get("content_block", event.get("delta", {})).get("type", "")
        words.append(" ".join(str(part) for part in (kind, event.get("index", ""), what) if part != ""))
    return words


def message(found):
    """What a client adds up, strictly: each event where the dialect has it and nowhere else."""
    made: Any = None
    open_one: Any = None
    for event in found:
        kind = event["type"]
        if kind == "ping":
            assert made is not None
        elif kind == "message_start":
            assert made is None
            made = event["message"]
            assert made["content"] == []
        elif kind == "content_block_start":
            assert open_one is None and event["index"] == len(made["content"])
            open_one = {**event["content_block"]}
            if open_one["type"] == "tool_use":
                assert open_one["input"] == {}
                open_one["input"] = ""
            made["content"].append(open_one)
        elif kind == "content_block_delta":
            assert event["index"] == len(made["content"]) - 1
            if event["delta"]["type"] == "citations_delta":
                continue
            fields = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
            source = {**fields, "input_json_delta": "partial_json"}[event["delta"]["type"]]
            open_one[fields.get(event["delta"]["type"], "input")] += event["delta"][source]
        elif kind == "content_block_stop":
            assert event["index"] == len(made["content"]) - 1
            open_one = None
        elif kind == "message_delta":
            assert open_one is None
            made |= event["delta"]
            made["usage"] |= event["usage"]
    assert found[-1]["type"] == "message_stop" and open_one is None
    return made


def content(*raws):
    return message(streamed(*raws))["content"]


def test_a_text_has_the_dialects_own_order():
    found = streamed(chunk({"role": "assistant", "content": ""}), chunk({"content": "Hel"}), chunk({"content": "lo"}),
                     chunk(finish="stop"), sse.DONE)  # fmt: skip
    assert short(found) == [
        "message_start", "start 0 text", "ping", "delta 0 text_delta", "delta 0 text_delta", "stop 0",
        "message_delta", "message_stop",
    ]  # fmt: skip
    start, last = found[0]["message"], found[-2]
    assert start["type"] == "message" and start["role"] == "assistant" and start["model"] == "m"
    assert start["id"].startswith("msg_") and start["stop_reason"] is None
    assert (start["usage"]["input_tokens"], start["usage"]["output_tokens"]) == (7, 0)
    assert last["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert last["usage"]["input_tokens"] == 10
    assert last["usage"]["cache_read_input_tokens"] == 2
    assert last["usage"]["output_tokens"] == 4


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("content_filter", "refusal")],
)
def test_why_it_ended(finish, reason):
    assert message(streamed(chunk({"content": "a"}), chunk(finish=finish)))["stop_reason"] == reason


def test_nothing_said_is_a_message_without_content():
    assert short(streamed(chunk(finish="stop"))) == ["message_start", "message_delta", "message_stop"]
    assert short(streamed()) == ["message_start", "message_delta", "message_stop"]


def test_a_comment_is_a_ping_and_what_has_no_choice_is_nothing():
    found = streamed(b": wait\n\n", sse.event(b'{"id":"","model":"","choices":[],"prompt_filter_results":[]}'),
                     chunk({"content": "a"}), b": still here\n\n", chunk(finish="stop"))  # fmt: skip
    assert short(found)[:5] == ["message_start", "start 0 text", "ping", "delta 0 text_delta", "ping"]
    assert found[0]["message"]["model"] == "m"


def test_thinking_comes_with_its_signature_at_its_end():
    item = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    found = streamed(
        chunk({"reasoning_content": "Let ", "reasoning_details": [{**item, "text": "Let "}]}),
        chunk({"reasoning_content": "me", "reasoning_details": [{**item, "text": "me"}]}),
        chunk({"reasoning_details": [{**item, "signature": "c2ln"}]}),
        chunk({"content": "Hi"}),
        chunk(finish="stop"),
    )
    assert short(found)[1:9] == [
        "start 0 thinking", "ping", "delta 0 thinking_delta", "delta 0 thinking_delta", "delta 0 signature_delta",
        "stop 0", "start 1 text", "delta 1 text_delta",
    ]  # fmt: skip
    assert message(found)["content"] == [
        {"type": "thinking", "thinking": "Let me", "signature": "c2ln"}, {"type": "text", "text": "Hi"}
    ]  # fmt: skip


def test_others_seals_say_whose_they_are():
    item = {"type": "reasoning.text", "format": "google-gemini-v1", "index": 0, "text": "Hm", "signature": "c2ln"}
    sealed = {"type": "reasoning.encrypted", "format": "cohere-v2", "index": 1, "data": "eA=="}
    extra = {"google": {"thought_signature": "c2ln"}}
    made = call(0, "{}", id="a", name="f") | {"extra_content": extra}
    found = content(chunk({"reasoning_content": "Hm", "reasoning_details": [item, sealed]}), calls(made))
    assert [one["type"] for one in found] == ["thinking", "redacted_thinking", "redacted_thinking", "tool_use"]
    assert found[0]["signature"] == "google-gemini-v1:c2ln"
    assert found[1]["data"] == "cohere-v2:eA=="
    # And they come back as they were.
    for block in found:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block["input"])
    back, losses = request_from({"messages": [{"role": "assistant", "content": found}]})
    assert not losses
    (message,) = back["messages"]
    assert message["reasoning_details"] == [item, sealed]
    assert message["tool_calls"][0]["extra_content"] == extra


def test_a_message_does_not_end_in_anothers_seal():
    sealed = {"type": "reasoning.encrypted", "format": "google-gemini-v1", "index": 0, "data": "eA=="}
    found = content(chunk({"content": "Hi"}), chunk({"reasoning_details": [sealed]}), chunk(finish="stop"))
    assert [one["type"] for one in found] == ["text"]
    # Nor is one told that nothing but more of the same follows.
    found = content(chunk({"content": "Hi"}), chunk({"reasoning_details": [sealed]}), chunk({"content": "ho"}))
    assert [one["type"] for one in found] == ["text"]
    found = content(chunk({"reasoning_details": [sealed]}), chunk({"content": "Hi"}))
    assert [one["type"] for one in found] == ["redacted_thinking", "text"]


def test_a_stop_sequence_is_named_where_it_is_known():
    found = message(streamed(chunk({"content": "a"}), chunk_ending(stop_reason="END")))
    assert (found["stop_reason"], found["stop_sequence"]) == ("stop_sequence", "END")
    found = message(streamed(chunk({"content": "a"}), chunk_ending(stop_reason=151645)))  # an id of a token
    assert (found["stop_reason"], found["stop_sequence"]) == ("end_turn", None)


def test_what_a_text_rests_on_ends_its_block():
    place = {
        "type": "char_location",
        "cited_text": "a",
        "document_index": 0,
        "start_char_index": 0,
        "end_char_index": 1,
    }
    other = {"title": "Somebody else's"}
    cited = [{"start": 0, "end": 1, "text": "a", "sources": [{"document": place}, {"document": other}, {}]}]
    found = streamed(chunk({"content": "a"}), chunk({"citations": cited}), chunk({"content": "b"}))
    assert short(found)[2:8] == ["ping", "delta 0 text_delta", "delta 0 citations_delta", "stop 0", "start 1 text",
                                 "delta 1 text_delta"]  # fmt: skip
    assert found[4]["delta"]["citation"] == place


@pytest.mark.parametrize("maker", ["anthropic-claude-v1", "google-gemini-v1"])
def test_a_kept_thought_is_played_before_what_was_said(maker):
    item = {"type": "reasoning.text", "format": maker, "index": 0, "text": "Hm", "signature": "c2ln"}
    told = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm", "reasoning_details": [item]}
    body = {"id": "x", "model": "m", "choices": [{"index": 0, "message": told, "finish_reason": "stop"}]}
    found = content(*(frame.raw for frame in frames_of(body, wants_usage=False)))
    assert [(one["type"], one.get("thinking"), one.get("text")) for one in found] == [
        ("thinking", "Hm", None), ("text", None, "Hi")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_plain_reasoning_is_thinking_without_a_signature(name):
    assert content(chunk({name: "Hm"}), chunk({name: "m"}), chunk({"content": "Hi"})) == [
        {"type": "thinking", "thinking": "Hmm", "signature": ""}, {"type": "text", "text": "Hi"}
    ]  # fmt: skip


def test_two_thoughts_and_a_sealed_one_are_three_blocks():
    item = {"type": "reasoning.text", "format": "anthropic-claude-v1"}
    sealed = {"type": "reasoning.encrypted", "format": "anthropic-claude-v1", "index": 1, "data": "c2VjcmV0"}
    assert content(
        chunk({"reasoning_details": [{**item, "index": 0, "text": "a"}]}),
        chunk({"reasoning_details": [{**item, "index": 0, "signature": "x"}, sealed]}),
        chunk({"reasoning_details": [{**item, "index": 2, "text": "b"}]}),
        chunk({"reasoning_details": [{**item, "index": 2, "signature": "y"}]}),
    ) == [
        {"type": "thinking", "thinking": "a", "signature": "x"},
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "thinking", "thinking": "b", "signature": "y"},
    ]


def test_text_then_two_calls():
    found = streamed(
        chunk({"content": "Looking"}),
        calls(call(0, id="call_a", name="weather")), calls(call(0, '{"city"')), calls(call(0, ':"Rome"}')),
        calls(call(1, id="call_b", name="time")), calls(call(1, "{}")),
        chunk(finish="tool_calls"),
    )  # fmt: skip
    assert short(found)[2:-2] == [
        "ping", "delta 0 text_delta", "stop 0",
        "start 1 tool_use", "delta 1 input_json_delta", "delta 1 input_json_delta", "stop 1",
        "start 2 tool_use", "delta 2 input_json_delta", "stop 2",
    ]  # fmt: skip
    assert message(found)["content"][1:] == [
        {"type": "tool_use", "id": "call_a", "name": "weather", "input": '{"city":"Rome"}'},
        {"type": "tool_use", "id": "call_b", "name": "time", "input": "{}"},
    ]


def test_calls_that_come_mixed_leave_one_after_the_other():
    raws = [
        calls(call(0, id="a", name="f"), call(1, id="b", name="g")),
        calls(call(0, '{"x":'), call(1, '{"y":')),
        calls(call(1, "2}"), call(0, "1}")),
    ]
    found = streamed(*raws, chunk({"content": "and a word"}), chunk(finish="tool_calls"))
    assert [(one.get("name"), one.get("input"), one.get("text")) for one in message(found)["content"]] == [
        ("f", '{"x":1}', None), ("g", '{"y":2}', None), (None, None, "and a word")
    ]  # fmt: skip
    # The first one is not held back for the second.
    stream = MessagesStream(1)
    assert short(events(stream.feed(raws[:2])))[-1] == "delta 0 input_json_delta"
    assert short(events(stream.feed(raws[2:])))[-3:] == ["stop 0", "start 1 tool_use", "delta 1 input_json_delta"]


def test_calls_without_arguments_that_come_mixed():
    assert [one["id"] for one in content(calls(call(0, id="a", name="f")), calls(call(1, id="b", name="g")))] == [
        "a",
        "b",
    ]


def test_a_number_given_twice_is_two_calls():
    found = content(calls(call(0, '{"x":1}', id="a", name="f")), calls(call(0, '{"x":2}', id="b", name="f")))
    assert [(one["id"], one["input"]) for one in found] == [("a", '{"x":1}'), ("b", '{"x":2}')]


def test_calls_without_numbers_or_ids():
    found = content(calls({"id": "a", "function": {"name": "f", "arguments": '{"x"'}}),
                    calls({"function": {"arguments": ":1}"}}))  # fmt: skip
    assert found == [{"type": "tool_use", "id": "a", "name": "f", "input": '{"x":1}'}]
    (first, second) = content(calls(call(0, "{}", name="f")), calls(call(1, "{}", name="g")))
    assert first["id"] and second["id"] and first["id"] != second["id"]


def test_a_name_that_comes_late_is_waited_for():
    found = streamed(calls(call(0, id="a")), calls(call(0, '{"x":')), calls(call(0, "1}", name="f")))
    assert message(found)["content"] == [{"type": "tool_use", "id": "a", "name": "f", "input": '{"x":1}'}]


def test_a_call_that_goes_on_after_its_end_is_broken():
    stream = MessagesStream(1)
    stream.feed([calls(call(0, "{}", id="a", name="f")), calls(call(1, "{", id="b", name="g")), calls(call(0, " \n"))])
    with pytest.raises(Malformed):
        stream.feed([calls(call(0, '{"x":1}'))])


@pytest.mark.parametrize("raw", [b"data: {\n\n", b"data: 5\n\n", b'data: {"choices":[7]}\n\n',
                                 b'data: {"choices":[{"delta":"a"}]}\n\n'])  # fmt: skip
def test_what_is_no_chunk_is_malformed(raw):
    with pytest.raises(Malformed):
        MessagesStream(1).feed([raw])


@st.composite
def answers(draw):
    told = {"role": "assistant", "content": draw(st.none() | TEXTS)}
    if draw(st.booleans()):
        told["reasoning_content"] = draw(TEXTS)
    if draw(st.booleans()):
        told["tool_calls"] = [
            {"id": f"call_{number}", "type": "function", "function": {"name": f"f{number % 2}", "arguments": text}}
            for number, text in enumerate(draw(st.lists(st.dictionaries(TEXTS, TEXTS).map(json.dumps), min_size=1)))
        ]
    choice = {"index": 0, "message": told, "logprobs": None, "finish_reason": "stop"}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "m", "choices": [choice]}


@examples()
@given(answers())
def test_a_replayed_answer_loses_nothing(body):
    stream = MessagesStream(1)
    raw = b"".join(stream.feed([frame.raw]) for frame in frames_of(body, wants_usage=False)) + stream.end(USAGE)
    blocks = message(events(raw))["content"]
    told = body["choices"][0]["message"]

    def said(kind, field):
        return [block[field] for block in blocks if block["type"] == kind]

    assert "".join(said("text", "text")) == (told["content"] or "")
    assert "".join(said("thinking", "thinking")) == told.get("reasoning_content", "")
    wanted = [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in told.get("tool_calls", ())]
    assert (
        list(zip(said("tool_use", "id"), said("tool_use", "name"), said("tool_use", "input"), strict=True)) == wanted
    )


MIXED = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), max_size=60)


@examples()
@given(st.lists(st.dictionaries(TEXTS, TEXTS).map(json.dumps), min_size=1, max_size=4), MIXED)
def test_calls_in_any_mixture_of_pieces(arguments, order):
    """Each piece goes to its call; each call is one block, and none is cut."""
    left, begun, raws = list(arguments), 0, []
    for which, size in [*order, *((number, 10**6) for number in range(len(arguments)))]:
        number = which % len(arguments)
        if number > begun:
            continue
        head = {}
        if number == begun:
            head, begun = {"id": f"call_{number}", "name": "f"}, begun + 1
        piece, left[number] = left[number][:size], left[number][size:]
        if piece or head:
            raws.append(calls(call(number, piece, **head)))
    assert [one["input"] for one in content(*raws)] == arguments
