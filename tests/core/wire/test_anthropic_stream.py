"""Streams of Messages: read as chunks in pieces of any size, or passed on as they came."""

from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Malformed, Overloaded, StreamCut, StreamFailed, TargetError
from core.types.frame import Kind
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire.anthropic.chat import completion_from
from core.wire.anthropic.request import request_to
from core.wire.anthropic.stream import MessagesStream, PassedStream
from core.wire.assembly import completion_of
from tests.core.wire.mutations import changed

USAGE = {
    "input_tokens": 9, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 5, "output_tokens": 1,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 2},
}  # fmt: skip
PLACE = {
    "type": "char_location", "cited_text": "The reds", "document_index": 0, "start_char_index": 0, "end_char_index": 8,
}  # fmt: skip
# As the API documents it: a thought, words, cited words, a call with arguments and one without.
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "Let me see.", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "Zm9v"},
        {"type": "text", "text": "It was "},
        {"type": "text", "text": "them", "citations": [PLACE]},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"city": "Ulm", "days": 3}},
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
    ],
    "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {**USAGE, "output_tokens": 30, "output_tokens_details": {"thinking_tokens": 12}},
}  # fmt: skip


def event(kind, **content):
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **content}) + b"\n\n"


def delta(index, kind, **content):
    return event("content_block_delta", index=index, delta={"type": kind, **content})


def begun(index, **block):
    return event("content_block_start", index=index, content_block=block)


def ended(index):
    return event("content_block_stop", index=index)


START = event("message_start", message={**MESSAGE, "content": [], "stop_reason": None, "usage": USAGE})
END = [
    event(
        "message_delta",
        delta={"stop_reason": "tool_use", "stop_sequence": None},
        usage={"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 12}},
    ),
    event("message_stop"),
]
EVENTS = [
    START,
    begun(0, type="thinking", thinking="", signature=""),
    event("ping"),
    delta(0, "thinking_delta", thinking="Let me "),
    delta(0, "thinking_delta", thinking="see."),
    delta(0, "signature_delta", signature="EqQB"),
    ended(0),
    begun(1, type="redacted_thinking", data="Zm9v"),
    ended(1),
    begun(2, type="text", text=""),
    delta(2, "text_delta", text="It was "),
    ended(2),
    begun(3, type="text", text=""),
    delta(3, "text_delta", text="th"),
    delta(3, "text_delta", text="em"),
    delta(3, "citations_delta", citation=PLACE),
    ended(3),
    begun(4, type="tool_use", id="toolu_1", name="f", input={}),
    delta(4, "input_json_delta", partial_json=""),
    delta(4, "input_json_delta", partial_json='{"city":"Ulm",'),
    delta(4, "input_json_delta", partial_json='"days":3}'),
    ended(4),
    begun(5, type="tool_use", id="toolu_2", name="g", input={}),
    ended(5),
    event("something_new", value=1),
    *END,
]


def reader(kind=MessagesStream, **more):
    how = {"model": "claude-x", "created": 1, "limit": 10**6, "keep_usage": True, **more}
    return kind(**how)


def whole_of(frames, usage=UNKNOWN_USAGE):
    raw = completion_of([frame.raw for frame in frames], usage)
    assert raw is not None
    return orjson.loads(raw)


def read(parts, stream=None):
    stream = stream or reader()
    frames = [frame for part in parts for frame in stream.feed(part)]
    return stream, frames + (stream.finish() if not stream.ended else [])


@settings(max_examples=40)
@given(st.lists(st.integers(1, len(b"".join(EVENTS)) - 1), max_size=8))
def test_a_stream_in_any_pieces_is_the_whole_answer(cuts):
    raw, cuts = b"".join(EVENTS), sorted(cuts)
    parts = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    stream, frames = read(parts)
    assert stream.usage == Usage("reported", 9, 4, 3, 18, 12, 2)
    whole = whole_of(frames, stream.usage)
    assert whole == completion_from(orjson.dumps(MESSAGE), created=1).body
    assert frames[-1].kind is Kind.END
    assert frames[0].kind is Kind.META


PLAIN = [(one.partition(b"\n")[0], orjson.loads(one.partition(b"data: ")[2])) for one in EVENTS]


@pytest.mark.parametrize("kind", [MessagesStream, PassedStream])
@settings(max_examples=80)
@given(changed([data for _, data in PLAIN]))
def test_a_stream_that_is_somehow_wrong_is_no_crash(kind, events):
    names = [name for name, _ in PLAIN]
    parts = [name + b"\ndata: " + orjson.dumps(one) + b"\n\n" for name, one in zip(names, events, strict=False)]
    with suppress(TargetError):
        read(parts, reader(kind))


def test_usage_is_kept_for_who_wants_it():
    _, frames = read([b"".join(EVENTS)], reader(keep_usage=False))
    assert not [frame for frame in frames if frame.kind is Kind.USAGE]
    _, frames = read([b"".join(EVENTS)])
    (usage,) = [orjson.loads(frame.raw[6:])["usage"] for frame in frames if frame.kind is Kind.USAGE]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (18, 30)
    assert usage["prompt_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 5}


def test_passed_on_it_is_what_came():
    raw = b"".join(EVENTS)
    for size in (7, 300, len(raw)):
        stream, frames = read([raw[at : at + size] for at in range(0, len(raw), size)], reader(PassedStream))
        assert b"".join(frame.raw for frame in frames) == raw
        assert stream.usage == Usage("reported", 9, 4, 3, 18, 12, 2)
        assert next(frame.kind for frame in frames if b"thinking_delta" in frame.raw) is Kind.OUTPUT
        assert frames[-1].kind is Kind.END


def test_a_long_passage_is_passed_on_without_a_look():
    stream = reader(PassedStream)
    stream.feed(START + begun(0, type="text", text="") + delta(0, "text_delta", text="a"))
    block = delta(0, "text_delta", text="b") * 100
    (frame,) = stream.feed(block)
    assert (frame.raw, frame.kind, stream.outputs) == (block, Kind.OUTPUT, 101)


# A turn that thinks again between what it says and calls, with words after a call, which chats have before it.
TURNS = [
    {"type": "thinking", "thinking": "One.", "signature": "s1"},
    {"type": "text", "text": "A"},
    {"type": "thinking", "thinking": "", "signature": "s2"},
    {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    {"type": "text", "text": "B"},
    {"type": "redacted_thinking", "data": "Zm9v"},
    {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
]


def turn(content):
    """The events of such blocks."""
    for index, block in enumerate(content):
        kind = block["type"]
        if kind == "thinking":
            yield begun(index, type=kind, thinking="", signature="")
            if block["thinking"]:
                yield delta(index, "thinking_delta", thinking=block["thinking"])
            yield delta(index, "signature_delta", signature=block["signature"])
        elif kind == "text":
            yield begun(index, type=kind, text="") + delta(index, "text_delta", text=block["text"])
        else:
            yield begun(index, **block)
        yield ended(index)


def test_a_turn_in_a_stream_comes_back_as_it_was():
    _, frames = read([START, *turn(TURNS), *END])
    message = whole_of(frames)["choices"][0]["message"]
    assert message == completion_from(orjson.dumps({**MESSAGE, "content": TURNS})).message
    theirs, lost = request_to({"model": "claude-opus-4-8", "messages": [{"role": "user", "content": "x"}, message]})
    assert theirs["messages"][1]["content"] == TURNS
    assert lost == ["a user's turn was put last: this model does not go on with a turn of its own"]


def test_what_a_chat_cannot_say_is_kept_for_the_receipt():
    search = begun(0, type="server_tool_use", id="s", name="web_search", input={}) + ended(0)
    used = {"output_tokens": 30, "server_tool_use": {"web_search_requests": 1}}
    end = [event("message_delta", delta={"stop_reason": "pause_turn"}, usage=used), event("message_stop")]
    stream, _ = read([START, search, *end])
    assert [one.partition(":")[0] for one in stream.losses] == [
        "content[0] was left out", "finish_reason stop stands for pause_turn", "the cost is not known",
    ]  # fmt: skip
    assert stream.usage.extras == 1
    stream, _ = read([START, search, *end], reader(PassedStream))
    assert [one.partition(":")[0] for one in stream.losses] == ["the cost is not known"]


@pytest.mark.parametrize("kind", [MessagesStream, PassedStream])
class TestEnds:
    def test_until_the_end_what_was_said_is_an_estimate(self, kind):
        stream = reader(kind)
        stream.feed(START)
        assert stream.usage == Usage("estimated", 9, 4, 3, 1, cache_write_1h=2)
        stream.feed(begun(0, type="text", text=""))
        for _ in range(80):
            stream.feed(delta(0, "text_delta", text="a") * 10)
        assert stream.usage == Usage("estimated", 9, 4, 3, 800, cache_write_1h=2)
        stream.feed(END[0])
        assert stream.usage == Usage("reported", 9, 4, 3, 18, 12, 2)

    def test_only_closing_words_are_missing(self, kind):
        stream, frames = read(EVENTS[:-1], reader(kind))
        assert stream.complete
        assert frames[-1].kind is Kind.END

    def test_it_breaks_off(self, kind):
        for count in (5, len(EVENTS) - 2):
            stream = reader(kind)
            for one in EVENTS[:count]:
                stream.feed(one)
            assert not stream.complete
            with pytest.raises(StreamCut):
                stream.finish()

    def test_a_stop_without_a_reason_is_no_end(self, kind):
        with pytest.raises(StreamCut):
            read([*EVENTS[:11], event("message_stop")], reader(kind))

    def test_an_error_before_output_is_raised_at_once(self, kind):
        error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
        with pytest.raises(Overloaded, match="Overloaded"):
            reader(kind).feed(START + error)

    def test_an_error_after_output_comes_after_it(self, kind):
        stream = reader(kind, secrets=("sk-ant-0123456789",))
        assert stream.feed(b"".join(EVENTS[:11]))
        error = event("error", error={"type": "api_error", "message": "Broken at sk-ant-0123456789"})
        (frame,) = stream.feed(delta(2, "text_delta", text="more") + error)
        assert b"more" in frame.raw
        with pytest.raises(StreamFailed, match=r"Broken at \*\*\*"):
            stream.feed(b"")

    def test_what_is_no_event(self, kind):
        with pytest.raises(Malformed):
            reader(kind).feed(b"event: message_start\ndata: {half\n\n")


def test_a_refusal_says_why():
    end = event("message_delta", delta={"stop_reason": "refusal", "stop_details": {"explanation": "No."}})
    _, frames = read([START, end, event("message_stop")])
    whole = whole_of(frames)
    (choice,) = whole["choices"]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "No.")


def test_words_that_a_block_begins_with_are_kept():
    block = begun(0, type="text", text="Hel") + delta(0, "text_delta", text="lo") + ended(0)
    call = begun(1, type="tool_use", id="t", name="f", input={"a": 1}) + ended(1)
    _, frames = read([START, block, call, *END])
    message = whole_of(frames)["choices"][0]["message"]
    assert message["content"] == "Hello"
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a":1}'
