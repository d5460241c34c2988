"""Streams of the Responses API: what is read from one, and how a chat's stream is told as one."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Malformed, RateLimited, StreamCut, StreamFailed
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import frames_of
from core.wire.responses.answers import completion_to
from core.wire.responses.events import ResponsesEvents
from core.wire.responses.stream import LeftOff, ResponsesStream
from tests.core.fakes import PLACES, cut, examples
from tests.core.wire.test_responses import MESSAGE, call, chat

OUTPUT = "response.output_text.delta"
LIMITED = {"code": "rate_limit_exceeded", "message": "x"}
USED = Usage("estimated", input=3, output=4)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def told(kind, number=0, **fields):
    return b"event: %b\ndata: %b\n\n" % (
        kind.encode(),
        orjson.dumps({"type": kind, "sequence_number": number, **fields}),
    )


def whole(*middle, last="response.completed", **response):
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    begun = told("response.created", 0, response={"id": "r", "status": "in_progress"})
    return [begun, *middle, told(last, 9, response={"id": "r", "usage": usage, **response})]


WORDS = [told(OUTPUT, number, delta=f"word {number} ") for number in range(1, 5)]


def read(parts):
    stream = ResponsesStream(limit=10_000)
    frames = [frame for part in parts for frame in stream.feed(part)]
    return stream, frames + ([] if stream.ended else stream.finish())


class TestReading:
    @given(PLACES)
    @examples()
    def test_its_events_pass_as_they_are_however_they_come(self, places):
        raw = b"".join(whole(*WORDS))
        stream, frames = read(cut(raw, places))
        assert b"".join(frame.raw for frame in frames) == raw
        assert (frames[-1].kind, frames[-2].kind) == (Kind.END, Kind.USAGE)
        assert (stream.usage.input, stream.usage.output, stream.outputs) == (3, 4, 4)

    def test_the_first_word_commits(self):
        _, frames = read(whole(told("response.output_item.added", 1, item={}), *WORDS))
        assert [frame.kind for frame in frames[:3]] == [Kind.META, Kind.META, Kind.OUTPUT]

    def test_a_tool_at_work_commits(self):
        _, frames = read(whole(told("response.web_search_call.in_progress", 1)))
        assert frames[1].kind is Kind.OUTPUT

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"output": [{"type": "message"}, {"type": "function_call"}, {"type": "reasoning"}]}, None),
            ({"output": [{"type": "web_search_call", "status": "failed"}], "service_tier": "default"}, None),
            ({"output": [3, {"type": 3}], "service_tier": "auto"}, None),
            ({"output": [{"type": "web_search_call", "status": "completed"}] * 2}, "2 web_search_call"),
            ({"output": [{"type": "code_interpreter_call"}], "service_tier": "flex"},
             "service_tier flex, 1 code_interpreter_call"),
            ({"output": [{"type": "file_search_call"}, {"type": "image_generation_call"}]},
             "1 file_search_call, 1 image_generation_call"),
        ],
    )  # fmt: skip
    def test_what_is_billed_beside_tokens_is_said(self, more, said):
        stream, _ = read(whole(*WORDS, **more))
        assert stream.usage.extras == (len(said.split(", ")) if said else 0)
        assert [said in words for words in stream.losses] == ([True] if said else [])

    def test_an_incomplete_response_is_an_end(self):
        stream, _ = read(whole(*WORDS, last="response.incomplete"))
        assert stream.ended

    def test_what_follows_the_end_is_nobody_s(self):
        stream = ResponsesStream(limit=10_000)
        frames = stream.feed(b"".join(whole()) + b"data: nonsense\n\n")
        assert frames[-1].kind is Kind.END

    @pytest.mark.parametrize(
        ("event", "error"),
        [
            (told("response.failed", 5, response={"error": {"code": "server_error", "message": "x"}}), StreamFailed),
            (told("response.failed", 5, response={}), StreamFailed),
            (told("response.failed", 5, response={"error": LIMITED}), RateLimited),
            (told("error", 5, code="server_error", message="x", param=None), StreamFailed),
            (told("error", 5, error=LIMITED), RateLimited),
            (b"data: {half\n\n", Malformed),
            (b"data: [1]\n\n", Malformed),
        ],
        ids=lambda given: given if isinstance(given, str) else "",
    )  # fmt: skip
    def test_an_error_is_raised_at_once_before_output_and_after_it_when_all_before_it_has_gone(self, event, error):
        begun = whole()[0]
        with pytest.raises(error):
            ResponsesStream(limit=10_000).feed(begun + event)
        stream = ResponsesStream(limit=10_000)
        stream.feed(begun + WORDS[0])
        if b'"error"' in event or b"response." in event:
            assert stream.feed(WORDS[1] + event)[0].raw == WORDS[1]
            assert stream.failed
            with pytest.raises(error):
                stream.feed(b"")

    def test_a_stream_without_its_last_event_is_cut(self):
        with pytest.raises(StreamCut):
            read(whole(*WORDS)[:-1])

    def test_where_a_broken_stream_left_off(self):
        part = {"type": "output_text", "text": ""}
        about = {"item_id": "m", "output_index": 1, "content_index": 0}
        raws = [
            whole()[0],
            told(
                "response.output_item.added", 1, output_index=0, item={"id": "r", "type": "reasoning", "summary": []}
            ),
            told("response.output_item.done", 2, output_index=0, item={"id": "r", "type": "reasoning", "summary": []}),
            told("response.output_item.added", 3, output_index=1, item={"id": "m", "type": "message", "content": []}),
            told("response.content_part.added", 4, **about, part=part),
            told(OUTPUT, 5, **about, delta="Hel"),
            b": still here\n\n",
            told(OUTPUT, 6, **about, delta="lo"),
        ]
        left = LeftOff(raws)
        assert (left.response, left.number) == ({"id": "r", "status": "in_progress"}, 7)
        kinds = [kind for kind, _ in left.endings()]
        assert kinds == [
            "response.output_text.done", "response.content_part.done", "response.output_item.done",
        ]  # fmt: skip
        assert [item.get("status") for item in left.output] == [None, "incomplete"]
        assert left.output[1]["content"] == [{"type": "output_text", "text": "Hello"}]
        assert (LeftOff([]).response, LeftOff([]).number, LeftOff([]).endings()) == (None, 0, [])

    @pytest.mark.parametrize(
        ("kind", "field"), [("function_call_arguments", "arguments"), ("custom_tool_call_input", "input")]
    )
    def test_half_a_call_is_shown_and_not_ended(self, kind, field):
        item = {"id": "c", "type": "x", field: ""}
        left = LeftOff(
            [
                told("response.output_item.added", 1, output_index=0, item=item),
                told(f"response.{kind}.delta", 2, output_index=0, item_id="c", delta="{"),
            ]
        )
        assert left.endings() == []
        assert left.output == [{**item, field: "{", "status": "incomplete"}]

    @given(st.lists(st.sampled_from([
        told(OUTPUT, 1, output_index=0, content_index=0, delta="x"),
        told(OUTPUT, 1, output_index=0, content_index=7, delta=3),
        told("response.output_item.added", 1, output_index=0, item={"type": "message"}),
        told("response.content_part.added", 1, output_index=0, content_index=0, part={"type": "output_text"}),
        told("response.content_part.done", 1, output_index=0, content_index=0, part={"type": "output_text"}),
        told("response.output_item.done", 1, output_index=0, item={"type": "message"}),
        b"data: {half\n\n", b"data: [1]\n\n",
    ])))  # fmt: skip
    @examples(60)
    def test_nothing_that_was_sent_on_breaks_it(self, raws):
        left = LeftOff(raws)
        assert len(left.endings()) in {0, 1, 3}
        assert len(left.output) <= 1


def events_of(raw):
    return [orjson.loads(sse.data_of(event) or b"") for event in sse.events(raw)]


def tell(answer, asked=None, size=1):
    made = ResponsesEvents(asked or {}, "1", 5, "m")
    frames = [frame.raw for frame in frames_of(answer, wants_usage=True)]
    blocks = [b"".join(frames[at : at + size]) for at in range(0, len(frames), size)]
    return events_of(b"".join(made.events(block) for block in blocks) + made.end())


def names(events):
    return [event["type"].removeprefix("response.") for event in events]


class TestTelling:
    def test_a_text(self):
        events = tell(chat({"content": "Hello"}, usage=USAGE))
        assert names(events) == [
            "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
            "output_text.done", "content_part.done", "output_item.done", "completed",
        ]  # fmt: skip
        assert events[-1]["response"]["usage"]["total_tokens"] == 7

    def test_thoughts_and_calls(self):
        message = {"content": None, "reasoning_content": "Hm", "tool_calls": [call("c1", '{"a":1}'), call("c2")]}
        events = tell(chat(message, "tool_calls"))
        thought = ["added", "part.added", "text.delta", "text.done", "part.done"]
        called = [
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
        ]
        assert names(events) == [
            "created", "in_progress", "output_item.added",
            *(f"reasoning_summary_{step}" for step in thought[1:]), "output_item.done",
            *called, *called, "completed",
        ]  # fmt: skip
        assert [event["output_index"] for event in events if "item" in event] == [0, 0, 1, 1, 2, 2]

    def test_a_refusal(self):
        events = tell(chat({"content": None, "refusal": "No"}))
        assert names(events)[3:7] == ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]

    def test_an_empty_answer(self):
        (item,) = tell(chat({"content": ""}))[-1]["response"]["output"]
        assert item["content"][0]["text"] == ""

    @pytest.mark.parametrize("finish", ["length", "content_filter"])
    def test_an_answer_cut_short(self, finish):
        last = tell(chat({"content": "x"}, finish))[-1]
        assert last["type"] == "response.incomplete"
        assert last["response"]["output"][-1]["status"] == "incomplete"

    @given(MESSAGE, st.integers(1, 9))
    @examples()
    def test_it_adds_up_to_the_whole_answer(self, message, size):
        answer = chat({"role": "assistant", **message}, usage=USAGE)
        events = tell(answer, size=size)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        last, once = events[-1]["response"], completion_to(answer, {}, "1", 5)
        assert [_bare(item) for item in last["output"] if item["type"] != "reasoning"] == [
            _bare(item) for item in once["output"] if item["type"] != "reasoning"
        ]
        assert last["usage"] == once["usage"]
        done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        assert done == last["output"]
        for kind, name in ((OUTPUT, "text"), ("response.function_call_arguments.delta", "arguments")):
            pieces: dict[int, str] = {}
            for event in events:
                if event["type"] == kind:
                    pieces[event["output_index"]] = pieces.get(event["output_index"], "") + event["delta"]
            for place, text in pieces.items():
                item = last["output"][place]
                assert text == (item["content"][0]["text"] if name == "text" else item["arguments"])

    def test_calls_that_all_have_one_number(self):
        pieces = [{"index": 0, **call("c1", "{}")}, {"index": 0, **call("c2", "[]")}]
        made = ResponsesEvents({}, "1", 5, "m")
        raw = b"".join(made.events(chunk({"tool_calls": [piece]})) for piece in pieces)
        output = events_of(raw + made.end())[-1]["response"]["output"]
        assert [(item["call_id"], item["arguments"]) for item in output] == [("c1", "{}"), ("c2", "[]")]

    def test_calls_that_are_mixed_are_whole_at_the_end(self):
        first, second = ({"index": index, **call(f"c{index}", "{")} for index in (0, 1))
        made = ResponsesEvents({}, "1", 5, "m")
        more = [{"index": index, "function": {"arguments": "}"}} for index in (0, 1)]
        raw = b"".join(made.events(chunk({"tool_calls": [piece]})) for piece in (first, second, *more))
        output = events_of(raw + made.end())[-1]["response"]["output"]
        assert [item["arguments"] for item in output] == ["{}", "{}"]

    def test_what_its_maker_needs_of_a_thought_is_gathered(self):
        made = ResponsesEvents({}, "1", 5, "m")
        detail = {"type": "reasoning.text", "format": "else-v1", "index": 0}
        raw = made.events(chunk({"reasoning_content": "H", "reasoning_details": [{**detail, "text": "H"}]}))
        raw += made.events(chunk({"reasoning_content": "m", "reasoning_details": [{**detail, "text": "m"}]}))
        raw += made.events(chunk({"reasoning_details": [{**detail, "signature": "s"}]}))
        item = events_of(raw + made.end())[-1]["response"]["output"][0]
        once = {
            "content": "",
            "reasoning_content": "Hm",
            "reasoning_details": [{**detail, "text": "Hm", "signature": "s"}],
        }
        assert item["encrypted_content"] == completion_to(chat(once), {}, "1", 5)["output"][0]["encrypted_content"]

    def test_a_comment_keeps_the_connection_alive(self):
        assert ResponsesEvents({}, "1", 5, "m").events(b": hello\n\n").endswith(b": hello\n\n")

    def test_what_breaks_it_is_told_in_both_forms(self):
        made = ResponsesEvents({}, "1", 5, "m")
        raw = made.events(chunk({"content": "Hel"}))
        events = events_of(raw + made.broken({"message": "cut", "code": None}, USED, limited=True))
        assert names(events)[4:-2] == [
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
        ]
        last, after = events[-2:]
        (item,) = after["response"]["output"]
        assert (item["status"], item["content"][0]["text"]) == ("incomplete", "Hel")
        assert after["response"]["usage"]["total_tokens"] == 7
        assert (last["type"], last["message"], last["error"]["message"]) == ("error", "cut", "cut")
        assert (after["type"], after["response"]["status"]) == ("response.failed", "failed")
        assert after["response"]["error"]["code"] == "rate_limit_exceeded"
        assert after["sequence_number"] == last["sequence_number"] + 1

    @pytest.mark.parametrize("asked", [{}, {"tools": [{"type": "custom", "name": "f"}]}], ids=["function", "text"])
    def test_half_a_call_of_a_broken_stream_is_not_ended(self, asked):
        made = ResponsesEvents(asked, "1", 5, "m")
        raw = made.events(chunk({"tool_calls": [{"index": 0, **call("c1", '{"input":"ab')}]}))
        events = events_of(raw + made.broken({"message": "cut"}, Usage(), limited=False))
        assert not [name for name in names(events) if name.endswith(".done")]
        (item,) = events[-1]["response"]["output"]
        assert (item["call_id"], item["status"]) == ("c1", "incomplete")
        assert events[-1]["response"]["usage"] is None

    def test_a_call_of_a_tool_that_takes_a_text(self):
        asked = {"tools": [{"type": "custom", "name": "f"}]}
        message = {"content": None, "tool_calls": [call("c1", '{"input":"a\\"b"}'), call("c2", '{"input":"z"}')]}
        events = tell(chat(message, "tool_calls"), asked)
        called = [
            "output_item.added",
            "custom_tool_call_input.delta",
            "custom_tool_call_input.done",
            "output_item.done",
        ]
        assert names(events) == ["created", "in_progress", *called, *called, "completed"]
        assert [event["input"] for event in events if event["type"].endswith("input.done")] == ['a"b', "z"]
        output = events[-1]["response"]["output"]
        assert [_bare(item) for item in output] == [
            _bare(item) for item in completion_to(chat(message), asked, "1", 5)["output"]
        ]
        assert {item["id"] for item in output} == {event["item_id"] for event in events if "item_id" in event}

    @pytest.mark.parametrize(
        "data", [b"{half", b"[1]", b'{"choices":[3]}', b'{"choices":[{"delta":{"tool_calls":[1]}}]}']
    )
    def test_what_is_no_chunk(self, data):
        with pytest.raises(Malformed):
            ResponsesEvents({}, "1", 5, "m").events(sse.event(data))


def chunk(delta):
    return sse.event(orjson.dumps({"choices": [{"index": 0, "delta": delta}]}))


def _bare(item):
    return {name: value for name, value in item.items() if name != "id"}
