"""What a decoder of any other dialect gets from its base: cutting, commit before errors, a proper end."""

import json

import pytest

from core.errors import BrokenOff, Malformed, ServerFault, StreamCut
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.canonical import Chunks, ForeignStream, completion, finish_of, tool_call

SIZES = (1, 2, 7, 10_000)


class Whispers(ForeignStream):
    """A dialect of its own: begin, say, stop."""

    def _event(self, name, data):
        match name:
            case "begin":
                return [self._begin(data["id"])]
            case "say":
                return [self.chunks.text(data["word"])]
            case "stop":
                self.usage = Usage("reported", input=3, output=2)
                self._finished = True
                return [self.chunks.finish("stop"), *self._end()]
        raise ServerFault(f"it whispered {name}")


def event(name, **data):
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


WHOLE = event("begin", id="w1") + event("say", word="psst ") + event("say", word="you") + event("stop")


def stream(*, keep_usage=False, limit=1000):
    return Whispers(model="m", created=7, limit=limit, keep_usage=keep_usage)


def fed(made, raw, size):
    frames = []
    for start in range(0, len(raw), size):
        frames += made.feed(raw[start : start + size])
    return frames


def chunks(frames):
    return [json.loads(sse.data_of(frame.raw.strip()) or b"") for frame in frames if frame.kind is not Kind.END]


@pytest.mark.parametrize("size", SIZES)
def test_parts_of_any_size_make_the_same_frames(size):
    made = stream()
    frames = fed(made, WHOLE, size)
    assert [frame.kind for frame in frames] == [Kind.META, Kind.OUTPUT, Kind.OUTPUT, Kind.META, Kind.END]
    said = chunks(frames)
    assert {(one["id"], one["model"], one["created"], one["object"]) for one in said} == {
        ("w1", "m", 7, "chat.completion.chunk")
    }
    deltas = [one["choices"][0]["delta"] for one in said]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "psst "}, {"content": "you"}, {}]
    assert said[-1]["choices"][0]["finish_reason"] == "stop"
    assert frames[-1].raw == sse.DONE
    assert made.ended and made.complete and made.outputs == 2
    assert made.finish() == []


def test_usage_is_a_chunk_of_its_own_for_who_asked():
    *_, counted, _end = stream(keep_usage=True).feed(WHOLE)
    assert counted.kind is Kind.USAGE
    (said,) = chunks([counted])
    assert said["choices"] == []
    assert said["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize("size", SIZES)
def test_an_error_before_output_is_raised_and_nothing_leaves(size):
    with pytest.raises(ServerFault, match="it whispered boom"):
        fed(stream(), event("begin", id="w") + event("boom"), size)


def test_an_error_after_output_waits_until_what_came_before_has_left():
    made = stream()
    made.feed(event("begin", id="w") + event("say", word="psst"))
    (last,) = made.feed(event("say", word="you") + event("boom"))
    assert chunks([last])[0]["choices"][0]["delta"] == {"content": "you"}
    assert made.failed
    with pytest.raises(ServerFault):
        made.feed(b"")


@pytest.mark.parametrize("rest", [b"", event("say", word="never")[:-9]])
def test_a_stream_without_its_end_is_cut(rest):
    made = stream()
    made.feed(event("begin", id="w") + event("say", word="psst") + rest)
    assert not made.complete
    with pytest.raises(StreamCut):
        made.finish()


def test_an_end_without_its_blank_line_is_an_end():
    made = stream()
    made.feed(WHOLE[:-2])
    frames = made.finish()
    assert frames[-1].kind is Kind.END
    assert made.ended


@pytest.mark.parametrize("raw", [b"data: {no\n\n", b"data: [1]\n\n"])
def test_nonsense_is_malformed(raw):
    with pytest.raises(Malformed):
        stream().feed(raw)


def test_an_event_beyond_the_limit_is_malformed():
    with pytest.raises(Malformed, match="larger than 50 bytes"):
        stream(limit=50).feed(b"data: " + b"x" * 100)


def test_a_whole_answer():
    call = tool_call("c1", "look", {"where": "up"})
    message = {"content": None, "tool_calls": [call]}
    made = completion("a1", "m", 7, [(message, "tool_calls")], Usage("reported", input=1, output=2), system="x")
    assert json.loads(made.raw) == made.body
    assert made.body["choices"] == [
        {"index": 0, "message": {"role": "assistant", **message}, "logprobs": None, "finish_reason": "tool_calls"}
    ]
    assert (made.body["object"], made.body["created"], made.body["system"]) == ("chat.completion", 7, "x")
    assert made.body["usage"]["total_tokens"] == 3
    assert json.loads(call["function"]["arguments"]) == {"where": "up"}
    assert "usage" not in completion("a", "m", 7, [({"content": ""}, "stop")], Usage()).body


def test_a_call_and_a_thought_in_pieces():
    made = Chunks("i", "m", 7)
    frames = [
        made.tool(0, "c1", "look"),
        made.arguments(0, '{"a"'),
        made.reasoning("hm", {"type": "reasoning.text", "index": 0}),
        made.reasoning("", {"type": "reasoning.text", "signature": "s", "index": 0}),
    ]
    assert [frame.kind for frame in frames] == [Kind.OUTPUT, Kind.OUTPUT, Kind.OUTPUT, Kind.META]
    deltas = [one["choices"][0]["delta"] for one in chunks(frames)]
    assert deltas[0]["tool_calls"][0] == {"index": 0, **tool_call("c1", "look", "")}
    assert deltas[1]["tool_calls"] == [{"index": 0, "function": {"arguments": '{"a"'}}]
    assert deltas[2]["reasoning_content"] == "hm"
    assert deltas[3] == {"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]}


def test_reasons_to_end():
    words = {"END": "stop", "FULL": "length", "BROKE": "error"}
    assert [finish_of(word, words) for word in ("END", "FULL", "UNHEARD", None)] == ["stop", "length", "stop", "stop"]
    with pytest.raises(BrokenOff, match="BROKE"):
        finish_of("BROKE", words)
