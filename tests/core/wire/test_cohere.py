"""Cohere's dialect and the canonical one: what both can say is said, and what is lost is told."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BrokenOff, Malformed, ParameterRefused, StreamCut, StreamFailed
from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import completion_of
from core.wire.cohere.answers import FORMAT, PLAN, completion_from, completion_to, read_usage
from core.wire.cohere.request import request_from, request_to
from core.wire.cohere.stream import CohereStream
from tests.core.fakes import PLACES, cut, examples

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.sampled_from(["weather", "tides", "clock"])
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
HELLO = [{"role": "user", "content": "Hello"}]


def optional(**fields):
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def parts(draw, *more):
    texts = WORDS.map(lambda text: {"type": "text", "text": text})
    return draw(st.lists(st.one_of(texts, *map(st.just, more)), min_size=1, max_size=3))


@st.composite
def turns(draw):
    """What an assistant said, canonically."""
    said = {"role": "assistant", "content": draw(WORDS)}
    thoughts = draw(st.lists(WORDS, max_size=2))
    details = [
        {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index}
        for index, text in enumerate(thoughts)
    ]
    if draw(st.booleans()):
        said["content"] = None
        said["tool_calls"] = [
            {"id": f"call_{n}", "type": "function", "function": {"name": draw(NAMES), "arguments": '{"place":"x"}'}}
            for n in range(draw(st.integers(1, 3)))
        ]
        if draw(st.booleans()):
            plan = {"type": "reasoning.text", "text": draw(WORDS), "format": FORMAT, "index": len(details), "id": PLAN}
            details.append(plan)
    else:
        source = {"type": "document", "id": "d1", "document": {"id": "d1", "text": "x"}}
        cited = {"start": 0, "end": 1, "text": said["content"][:1], "sources": [source]}
        said |= draw(optional(citations=st.just([cited])))
    if details:
        said["reasoning_content"] = "".join(one["text"] for one in details)
        said["reasoning_details"] = details
    return said


@st.composite
def requests(draw):
    """What both dialects can say."""
    messages = [{"role": "system", "content": draw(WORDS)}] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(0, 2))):
        messages.append({"role": "user", "content": draw(WORDS | parts(IMAGE))})
        turn = draw(turns())
        messages.append(turn)
        messages += [
            {"role": "tool", "tool_call_id": call["id"], "content": draw(WORDS | parts())}
            for call in turn.get("tool_calls", ())
        ]
    messages.append({"role": "user", "content": draw(WORDS | parts(IMAGE))})
    body = {"model": "command-a-03-2025", "messages": messages}
    body |= draw(
        optional(
            temperature=st.floats(0, 1), top_p=st.floats(0.01, 0.99), top_k=st.integers(0, 500),
            seed=st.integers(0, 9), max_tokens=st.integers(1, 4000), frequency_penalty=st.floats(0, 1),
            presence_penalty=st.floats(0, 1),
            stop=st.lists(WORDS, min_size=1, max_size=5), stream=st.just(True),
            safety_mode=st.just("STRICT"), citation_options=st.just({"mode": "FAST"}), priority=st.integers(0, 5),
            thinking=st.sampled_from([{"type": "disabled"}, {"type": "enabled", "budget_tokens": 100}]),
        )
    )  # fmt: skip
    kind = draw(st.sampled_from(["plain", "tools", "documents", "format"]))
    if kind == "tools":
        strict = {"strict": True} if draw(st.booleans()) else {}
        about = {"name": draw(NAMES), "description": draw(WORDS), "parameters": SCHEMA, **strict}
        body["tools"] = [{"type": "function", "function": about}]
        body |= draw(optional(tool_choice=st.sampled_from(["none", "required"])))
    if kind == "documents":
        whole = {"id": "d1", "title": draw(WORDS), "text": draw(WORDS)}
        other = {"data": {"rows": [1, 2]}}
        body["documents"] = draw(st.lists(st.sampled_from(["a text", {"text": "x"}, whole, other]), min_size=1))
    if kind == "format":
        named = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
        body["response_format"] = draw(st.sampled_from([{"type": "json_object"}, named]))
    return body


@examples()
@given(requests())
def test_a_request_there_and_back(body):
    there, losses = request_to(body)
    assert losses == []
    back, losses = request_from(there)
    assert losses == []
    assert back == body
    assert request_to(back)[0] == there


def to(**fields):
    return request_to({"model": "m", "messages": HELLO, **fields})


TOOL = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}
OTHER = {"type": "function", "function": {"name": "tides", "strict": True}}


def test_a_request_in_its_words():
    made, losses = to(
        max_completion_tokens=7, stop="END", top_p=0.5, user=None,
        tools=[TOOL, OTHER], tool_choice={"type": "function", "function": {"name": "tides"}},
        documents=["a", {"id": "d", "text": "b"}], stream_options={"include_usage": True}, stream=True,
    )  # fmt: skip
    assert losses == []
    assert made == {
        "model": "m",
        "stream": True,
        "messages": HELLO,
        "max_tokens": 7,
        "stop_sequences": ["END"],
        "p": 0.5,
        "tools": [
            {"type": "function", "function": {"name": "tides", "parameters": {"type": "object", "properties": {}}}}
        ],
        "tool_choice": "REQUIRED",
        "strict_tools": True,
        "documents": ["a", {"id": "d", "data": {"text": "b"}}],
    }


AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
FOREIGN = {"type": "reasoning.text", "text": "Hm", "format": "anthropic-claude-v1", "index": 0}
CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "c", "content": "rain"}


@pytest.mark.parametrize(
    ("fields", "losses"),
    [
        ({"n": 2}, ["n was left out: not known here"]),
        ({"parallel_tool_calls": False}, ["parallel_tool_calls was left out: not known here"]),
        ({"top_p": 1}, ["top_p was sent as 0.99: it is from 0.01 to 0.99 here"]),
        ({"presence_penalty": -1}, ["presence_penalty was sent as 0: it is from 0 to 1 here"]),
        ({"stop": list("abcdef")}, ["stop[5:] was left out: at most 5 here"]),
        (
            {"reasoning_effort": "high"},
            ["reasoning_effort high was sent as on: only thinking.budget_tokens limits it here"],
        ),
        ({"tools": [TOOL, OTHER]}, ["tools[].function.strict was left out: all tools are strict here, or none"]),
        ({"tools": [TOOL, {"type": "custom"}]}, ["tools[1] was left out: only functions here"]),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, ["tool_choice was left out: not known here"]),
        (
            {"tools": [TOOL], "response_format": {"type": "json_object"}},
            ["response_format was left out: not together with tools or documents here"],
        ),
        (
            {"messages": [{"role": "user", "name": "Ada", "content": [{"type": "text", "text": "a"}, AUDIO]}]},
            ["messages[0].name was left out: not known here", "messages[0].content[1] was left out: no audio here"],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}]},
            ["messages[0].content[0].cache_control was left out: not known here"],
        ),
        (
            {"messages": [{"role": "assistant", "content": "a", "reasoning_details": [FOREIGN]}, *HELLO]},
            ["messages[0].reasoning_details was left out: anthropic-claude-v1 cannot be read here"],
        ),
        (
            {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "Hm"}, *HELLO]},
            ["messages[0].reasoning_content was left out: nobody says whose it is"],
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{**CALL, "extra_content": {}}]}, RESULT]},
            ["messages[0].tool_calls[0].extra_content was left out: not known here"],
        ),
        (
            {"messages": [{"role": "assistant", "content": "a", "citations": [{"sources": [{"type": "a"}]}]}, *HELLO]},
            ["messages[0].citations[0] was left out: no such sources here"],
        ),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": "a"}]},
            ["a user's turn was put last: no model goes on with a turn of its own here"],
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "clock"}}},
            ["tool_choice was left out: no tool is called clock"],
        ),
    ],
)  # fmt: skip
def test_losses_say_where_and_why(fields, losses):
    assert to(**fields)[1] == losses


@pytest.mark.parametrize("details", [{}, {"reasoning_details": [FOREIGN]}])
def test_what_another_thought_before_a_call_is_no_plan(details):
    turn = {"role": "assistant", "content": None, "reasoning_content": "Ask.", "tool_calls": [CALL], **details}
    made, losses = to(messages=[*HELLO, turn, RESULT])
    assert made["messages"][1] == {"role": "assistant", "tool_calls": [CALL]}
    (loss,) = losses
    assert loss.startswith(f"messages[1].{next(iter(details), 'reasoning_content')} was left out: ")


def test_a_conversation_that_ends_with_the_assistant_goes_on():
    made, _ = to(messages=[*HELLO, {"role": "assistant", "content": "a"}, {"role": "system", "content": "Be kind"}])
    assert [one["role"] for one in made["messages"]] == ["system", "user", "assistant", "user"]
    assert made["messages"][-1]["content"] == "Continue."


def test_a_tool_that_is_not_there_is_not_demanded():
    made, _ = to(tools=[TOOL, OTHER], tool_choice={"type": "function", "function": {"name": "clock"}})
    assert "tool_choice" not in made and len(made["tools"]) == 2


def test_arguments_that_are_no_object_go_in_one():
    broken = {**CALL, "function": {"name": "weather", "arguments": "not json"}}
    made, losses = to(messages=[*HELLO, {"role": "assistant", "tool_calls": [broken]}, RESULT])
    assert made["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"arguments":"not json"}'
    assert losses == [
        "messages[1].tool_calls[0].function.arguments are no JSON object and were passed on as a text in one"
    ]


def test_a_result_that_nobody_called_for_is_for_another_provider():
    with pytest.raises(ParameterRefused, match="no tool call before it has this id") as caught:
        to(messages=[*HELLO, RESULT])
    assert caught.value.param == "messages[1].tool_call_id"


def test_documents_of_tools_come_as_text():
    content = [{"type": "document", "document": {"id": "d", "data": {"rain": 1}}}]
    body = {
        "model": "m",
        "messages": [{"role": "tool", "tool_call_id": "c", "content": content}],
        "raw_prompting": True,
    }
    made, losses = request_from(body)
    assert made["messages"][0]["content"] == [{"type": "text", "text": '{"rain":1}'}]
    assert losses == [
        "raw_prompting was left out: not known here",
        "messages[0].content[0] was sent as text: no documents of tools here",
    ]


@st.composite
def answers(draw):
    """What Cohere answers, as far as the canonical form can say it."""
    turn = draw(turns())
    content = [
        {"type": "thinking", "thinking": one["text"]} for one in turn.get("reasoning_details", ()) if "id" not in one
    ]
    message: dict[str, Any] = {"role": "assistant"}
    if turn["content"] is not None:
        content.append({"type": "text", "text": turn["content"]})
    if content:
        message["content"] = content
    plans = [one["text"] for one in turn.get("reasoning_details", ()) if "id" in one]
    if plans:
        message[PLAN] = plans[0]
    if calls := turn.get("tool_calls"):
        message["tool_calls"] = calls
    if cited := turn.get("citations"):
        message["citations"] = [{"type": "TEXT_CONTENT", "content_index": len(content) - 1, **cited[0]}]
    reasons = ["TOOL_CALL"] if calls else ["COMPLETE", "MAX_TOKENS"]
    units = {"input_tokens": float(draw(st.integers(3, 9))), "output_tokens": float(draw(st.integers(1, 9)))}
    cached = {"cached_tokens": draw(st.sampled_from([1.0, 3.0]))} if draw(st.booleans()) else {}
    return {
        "id": "a1",
        "finish_reason": draw(st.sampled_from(reasons)),
        "message": message,
        "usage": {"billed_units": units, **cached},
    }


@examples()
@given(answers())
def test_an_answer_there_and_back(answer):
    found = completion_from(answer, "command-a-03-2025", 5)
    assert completion_to(found.body) == answer
    assert orjson.loads(found.raw) == found.body


def shreds(text):
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def events_of(answer):
    """The answer as documented events."""
    message = answer["message"]
    yield {"type": "message-start", "id": answer["id"], "delta": {"message": {"role": "assistant", "content": []}}}
    for piece in shreds(message.get(PLAN, "")):
        yield {"type": "tool-plan-delta", "delta": {"message": {PLAN: piece}}}
    for index, block in enumerate(message.get("content", ())):
        kind = block["type"]
        yield {"type": "content-start", "index": index, "delta": {"message": {"content": {"type": kind, kind: ""}}}}
        for piece in shreds(block[kind]):
            yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: piece}}}}
        yield {"type": "content-end", "index": index}
    for index, one in enumerate(message.get("citations", ())):
        yield {"type": "citation-start", "index": index, "delta": {"message": {"citations": one}}}
        yield {"type": "citation-end", "index": index}
    for index, call in enumerate(message.get("tool_calls", ())):
        start = {**call, "function": {**call["function"], "arguments": ""}}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": start}}}
        for piece in shreds(call["function"]["arguments"]):
            some = {"function": {"arguments": piece}}
            yield {"type": "tool-call-delta", "index": index, "delta": {"message": {"tool_calls": some}}}
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": answer["finish_reason"], "usage": answer["usage"]}}


def sent(*events):
    return b"".join(b"event: " + one["type"].encode() + b"\ndata: " + orjson.dumps(one) + b"\n\n" for one in events)


def reader(**fields):
    return CohereStream(model="command-a-03-2025", created=5, limit=10**6, keep_usage=True, **fields)


@examples()
@given(answers(), PLACES)
def test_a_stream_adds_up_to_the_whole_answer(answer, places):
    stream = reader()
    raw = sent(*events_of(answer)) + sse.DONE
    raws = []
    for part in cut(raw, places):
        if not stream.ended:
            raws += [frame.raw for frame in stream.feed(part)]
    added = completion_of(raws, stream.usage)
    assert stream.complete and added is not None
    whole = completion_from(answer, "command-a-03-2025", 5)
    assert settled(orjson.loads(added)) == settled(whole.body)
    assert stream.usage == whole.usage


def settled(body):
    """In a stream the plan comes first: items are numbered as they come, thoughts before the plan or behind it."""
    (choice,) = body["choices"]
    message = {name: value for name, value in choice["message"].items() if name != "reasoning_content"}
    details = sorted(message.get("reasoning_details", ()), key=lambda one: ("id" in one, one["index"]))
    message["reasoning_details"] = [{**one, "index": None} for one in details]
    return {**body, "choices": [{**choice, "message": message}]}


def test_a_stream_that_breaks():
    answer = {
        "id": "a",
        "finish_reason": "COMPLETE",
        "usage": {},
        "message": {"content": [{"type": "text", "text": "Hi"}]},
    }
    *begun, last = events_of(answer)
    stream = reader()
    stream.feed(sent(*begun))
    with pytest.raises(StreamCut):
        stream.finish()
    stream = reader(secrets=("verysecretkey",))
    failed = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "no room for verysecretkey"}}
    assert stream.feed(sent(*begun)) and not stream.feed(sent(failed))
    with pytest.raises(StreamFailed, match=r"no room for \*\*\*"):
        stream.feed(b"")
    with pytest.raises(BrokenOff, match="TIMEOUT"):
        reader().feed(sent({**last, "delta": {"finish_reason": "TIMEOUT"}}))
    for wrong in ({"type": "content-delta"}, {"type": "tool-call-start", "delta": {"message": {"tool_calls": 1}}}):
        with pytest.raises(Malformed):
            reader().feed(sent(wrong))


def streamed_calls(*events):
    stream = reader()
    frames = stream.feed(sent({"type": "message-start", "id": "a"}, *events, ENDED))
    whole = completion_of([frame.raw for frame in frames], stream.usage)
    assert whole is not None
    return [one["function"]["arguments"] for one in orjson.loads(whole)["choices"][0]["message"]["tool_calls"]]


def about_call(kind, index, function):
    place = {} if index is None else {"index": index}
    return {"type": f"tool-call-{kind}", **place, "delta": {"message": {"tool_calls": {"function": function}}}}


ENDED = {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}


def test_pieces_of_arguments_go_to_the_call_that_they_name():
    starts = [about_call("start", index, {"name": "f", "arguments": ""}) for index in (0, 1)]
    pieces = [
        about_call("delta", index, {"arguments": piece})
        for index, piece in ((0, '{"a":'), (1, '{"b":'), (0, "1}"), (1, "2}"))
    ]
    assert streamed_calls(*starts, *pieces) == ['{"a":1}', '{"b":2}']
    unnamed = [about_call(one["type"][10:], None, one["delta"]["message"]["tool_calls"]["function"])
               for one in (starts[0], pieces[0], pieces[2], starts[1], pieces[1], pieces[3])]  # fmt: skip
    assert streamed_calls(*unnamed) == ['{"a":1}', '{"b":2}']


@pytest.mark.parametrize("end", [{"type": "tool-call-end", "index": 0}, {"type": "tool-call-end"}, {"type": "later"}])
def test_a_call_without_arguments_has_empty_ones(end):
    assert streamed_calls(about_call("start", 0, {"name": "f", "arguments": ""}), end) == ["{}"]


def test_what_is_billed_for_a_broken_answer_counts():
    billed = {"usage": {"billed_units": {"input_tokens": 1000.0, "output_tokens": 800.0}}}
    with pytest.raises(BrokenOff) as caught:
        completion_from({"id": "a", "finish_reason": "ERROR", "message": {}, **billed}, "m", 0)
    assert caught.value.usage == Usage("reported", 1000, output=800)
    for ended in ({"finish_reason": "ERROR"}, {"finish_reason": "ERROR", "error": "no room"}):
        stream = reader()
        with pytest.raises((BrokenOff, StreamFailed)):
            stream.feed(sent({"type": "message-end", "delta": {**ended, **billed}}))
        assert stream.usage == Usage("reported", 1000, output=800)


def test_citations_are_placed_in_the_whole_text():
    blocks = [
        {"type": "text", "text": "One. "},
        {"type": "thinking", "thinking": "Hm"},
        {"type": "text", "text": "Two."},
    ]
    cited = [
        {"start": 0, "end": 3, "text": "Two", "sources": [], "content_index": 2, "type": "TEXT_CONTENT"},
        {"start": 0, "end": 2, "text": "Hm", "sources": [], "content_index": 1, "type": "THINKING_CONTENT"},
    ]
    answer = {"id": "a", "finish_reason": "COMPLETE", "message": {"content": blocks, "citations": cited}}
    message = completion_from(answer, "m", 0).message
    assert message["content"] == "One. Two."
    first, second = message["citations"]
    assert message["content"][first["start"] : first["end"]] == "Two" and "type" not in first
    assert second["type"] == "THINKING_CONTENT"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"id": "a", "finish_reason": "ERROR", "message": {"content": []}}, BrokenOff),
        ({"id": "a"}, Malformed),
        ([], Malformed),
        ({"message": {"content": [{"type": "text"}]}}, Malformed),
        ({"message": {"content": "Hi"}}, Malformed),
    ],
)
def test_what_is_no_answer(answer, error):
    with pytest.raises(error):
        completion_from(answer, "m", 0)


def test_calls_without_an_id_get_one():
    answer = {"id": "a", "finish_reason": "TOOL_CALL", "message": {"tool_calls": [{"function": {"name": "f"}}]}}
    (call,) = completion_from(answer, "m", 0).message["tool_calls"]
    assert call == {"id": "call_a_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (
            {"billed_units": {"input_tokens": 3.0, "output_tokens": 2.0}, "tokens": {"input_tokens": 60.0}},
            Usage("reported", input=3, output=2),
        ),
        ({"billed_units": {"input_tokens": 2.2}, "cached_tokens": 2.0}, Usage("reported", 1, 2)),
        ({"billed_units": {"input_tokens": 3.0}, "cached_tokens": 60.0}, Usage("reported", 0, 3)),
        ({"tokens": {"input_tokens": 60, "output_tokens": 2}}, Usage("reported", input=60, output=2)),
        ({"billed_units": {"search_units": 1}}, Usage()),
        (None, Usage()),
    ],
)
def test_usage_is_what_is_billed(reported, usage):
    assert read_usage(reported) == usage


def test_the_systems_last_word_comes_first():
    turns = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "system", "content": "c"}]
    made, losses = request_to({"model": "m", "messages": turns})
    assert [one["content"] for one in made["messages"]] == ["a", "c", "b"]
    assert losses == ["messages[2] was moved to the front: the system has not the last word here"]
    assert request_to({"model": "m", "messages": turns[:2]})[1] == []
    assert request_to({"model": "m", "messages": turns[:1]})[1] == []
