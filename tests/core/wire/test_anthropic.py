"""Messages and canonical chat, both ways: nothing is lost that both can say, and what is lost is said."""

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import (
    BadRequest,
    ContentRefused,
    ContextTooLong,
    Malformed,
    Overloaded,
    ParameterRefused,
    PatchbayError,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
)
from core.types.usage import Usage
from core.wire.anthropic.asked import translated
from core.wire.anthropic.chat import (
    completion_from,
    completion_to,
    read_error,
    read_usage,
    request_from,
    request_to,
    stop_reason_to,
    usage_to,
)
from core.wire.anthropic.native import fitted
from core.wire.anthropic.rules import NEWEST, OLDEST, rules_of, version_for
from core.wire.chat import chat_facts
from infra.local.simulators.anthropic_checks import check
from tests.core.wire.mutations import changed

MODEL = "claude-opus-4-8"  # which can be told most
PNG = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "aGVsbG8="}
HOUR = {"type": "ephemeral", "ttl": "1h"}

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(str.strip)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
inputs = st.dictionaries(st.text(max_size=6), json_values, max_size=3)
marker = st.sampled_from([{}, {}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": HOUR}])


def marked(block):
    return st.builds(lambda one, more: {**one, **more}, block, marker)


texts = st.builds(lambda text: {"type": "text", "text": text}, words)
images = st.sampled_from(
    [{"type": "image", "source": PNG}, {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}]
)
documents = st.builds(
    lambda source, title, cited: {"type": "document", "source": source, **title, **cited},
    st.sampled_from([PDF, {"type": "url", "url": "https://a.example/c.pdf"}, {"type": "file", "file_id": "file_1"}]),
    st.sampled_from([{}, {"title": "Cup"}, {"title": "Cup", "context": "Sports"}]),
    st.sampled_from([{}, {"citations": {"enabled": True}}]),
)
thoughts = st.builds(lambda text, mark: {"type": "thinking", "thinking": text, "signature": mark}, st.text(), names)
redacted = st.builds(lambda data: {"type": "redacted_thinking", "data": data}, names)


@st.composite
def turns(draw):
    """A conversation as the API takes it: turns alternate, and each call of a tool is answered in the next one."""
    made: list[Any] = []
    for number in range(draw(st.integers(1, 3))):
        results = []
        if made:
            calls = [block for block in made[-1]["content"] if block["type"] == "tool_use"]
            results = [
                draw(marked(st.just({"type": "tool_result", "tool_use_id": call["id"], "content": draw(results_of)})))
                for call in calls
            ]
        said = draw(st.lists(marked(texts | images | documents), min_size=0 if results else 1, max_size=3))
        made.append({"role": "user", "content": [*results, *said]})
        thinking = draw(st.lists(thoughts | redacted, max_size=2))
        text = draw(st.lists(texts, max_size=1))
        between = draw(st.lists(thoughts | redacted, max_size=1))
        calls = [
            draw(
                marked(
                    st.just(
                        {
                            "type": "tool_use",
                            "id": f"toolu_{number}_{index}",
                            "name": draw(names),
                            "input": draw(inputs),
                        }
                    )
                )
            )
            for index in range(draw(st.integers(0 if text else 1, 2)))
        ]
        made.append({"role": "assistant", "content": [*thinking, *text, *between, *calls]})
    calls = [block for block in made[-1]["content"] if block["type"] == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": call["id"], "content": draw(results_of)} for call in calls]
    return [*made, {"role": "user", "content": [*results, *([] if results else [draw(texts)])]}]


results_of = words | st.lists(marked(texts), min_size=2, max_size=3)
tools = st.builds(
    lambda name, about, strict: {
        "name": name,
        **about,
        **strict,
        "input_schema": {"type": "object", "properties": {}},
    },
    names,
    st.sampled_from([{}, {"description": "what it does"}]),
    st.just({}),
)


@st.composite
def requests(draw):
    body = {
        "model": MODEL,
        "max_tokens": draw(st.integers(2000, 9000)),
        "messages": draw(turns()),
        "stop_sequences": draw(st.lists(words, max_size=2)),
        "system": draw(st.just("") | words | st.lists(marked(texts), min_size=2, max_size=3)),
        "tools": draw(st.lists(marked(tools), max_size=2)),
        "metadata": draw(st.sampled_from([{}, {"user_id": "u-1"}])),
        "service_tier": draw(st.sampled_from(["", "auto", "standard_only"])),
        "stream": draw(st.booleans()),
        "cache_control": draw(st.sampled_from([{}, HOUR])),
        "thinking": draw(st.sampled_from([{}, {"type": "adaptive"}, {"type": "adaptive", "display": "summarized"}])),
    }
    if body["tools"]:
        forced = [] if body["thinking"] else [{"type": "any"}, {"type": "tool", "name": body["tools"][0]["name"]}]
        choice = draw(st.sampled_from([{}, {"type": "auto"}, {"type": "none"}, *forced]))
        if choice and choice["type"] != "none" and draw(st.booleans()):
            choice = {**choice, "disable_parallel_tool_use": True}
        body["tool_choice"] = choice
    if body["thinking"]:
        schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
        format_ = {"format": {"type": "json_schema", "schema": schema}}
        cited = any("citations" in block for turn in body["messages"] for block in turn["content"])
        format_ = {} if cited else format_
        body["output_config"] = draw(st.sampled_from([{}, {"effort": "high"}, {"effort": "max", **format_}]))
    return {name: value for name, value in body.items() if value}


def plain(body):
    """With one plain text written as a string, which means the same."""

    def short(content):
        if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
            return content[0]["text"]
        return content

    made = {**body, "messages": [{**one, "content": short(one["content"])} for one in body["messages"]]}
    return {**made, "system": short(body["system"])} if "system" in body else made


@given(requests())
def test_a_messages_request_comes_back_whole(body):
    canonical, lost = request_from(json.loads(json.dumps(body)))
    assert lost == []
    again, lost = request_to(canonical)
    assert lost == []
    assert plain(again) == plain(body)


parts = texts | st.sampled_from([
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}},
    {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
    {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGVsbG8=", "filename": "a.pdf"}},
])  # fmt: skip


@st.composite
def chats(draw):
    """Canonical requests that both sides can say."""
    messages = draw(st.lists(st.builds(lambda text: {"role": "system", "content": text}, words), max_size=1))
    for number in range(draw(st.integers(1, 3))):
        said = draw(words | st.lists(parts, min_size=2, max_size=3))
        messages.append({"role": "user", "content": said})
        calls = [
            {"id": f"call_{number}_{index}", "type": "function",
             "function": {"name": draw(names), "arguments": orjson.dumps(draw(inputs)).decode()}}
            for index in range(draw(st.integers(0, 2)))
        ]  # fmt: skip
        content = draw(words if not calls else st.none() | words)
        messages.append({"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": draw(words)} for call in calls]
    messages.append({"role": "user", "content": draw(st.lists(texts, min_size=2, max_size=2))})
    return {
        "model": MODEL,
        "messages": messages,
        "max_completion_tokens": draw(st.integers(2000, 9000)),
        **draw(st.sampled_from([{}, {"stop": ["x"]}, {"user": "u"}, {"reasoning_effort": "high"}])),
    }


@given(chats())
def test_a_canonical_request_comes_back_whole(body):
    theirs, lost = request_to(json.loads(json.dumps(body)))
    assert lost == []
    assert [one["role"] for one in theirs["messages"]] == ["user", "assistant"] * (len(theirs["messages"]) // 2) + [
        "user"
    ]
    again, lost = request_from(theirs)
    assert lost == []
    again.pop("thinking", None)  # an effort asks for it
    assert plain(again) == plain(body)


@st.composite
def messages(draw):
    """Answers as the API gives them."""
    thinking = draw(st.lists(thoughts | redacted, max_size=2))
    place = {
        "type": "char_location",
        "cited_text": "The reds",
        "document_index": 0,
        "start_char_index": 0,
        "end_char_index": 8,
    }
    plain_text, cited = draw(words), {"type": "text", "text": draw(words), "citations": [place]}
    text = draw(
        st.sampled_from(
            [[], [{"type": "text", "text": plain_text}], [{"type": "text", "text": plain_text}, cited], [cited]]
        )
    )
    between = draw(st.lists(thoughts | redacted, max_size=1))
    calls = [
        {"type": "tool_use", "id": f"toolu_{index}", "name": draw(names), "input": draw(inputs)}
        for index in range(draw(st.integers(0, 2)))
    ]
    reason = "tool_use" if calls else draw(st.sampled_from(["end_turn", "max_tokens", "stop_sequence", "refusal"]))
    counts = st.integers(0, 9999)
    five, hour, thought = draw(counts), draw(counts), draw(counts)
    return {
        "id": "msg_" + draw(names),
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [*thinking, *text, *calls[:1], *between, *calls[1:]],
        "stop_reason": reason,
        "stop_sequence": "x" if reason == "stop_sequence" else None,
        "usage": {
            "input_tokens": draw(counts), "cache_read_input_tokens": draw(counts),
            "cache_creation_input_tokens": five + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
            "output_tokens": draw(counts) + thought,
            **({"output_tokens_details": {"thinking_tokens": thought}} if thought else {}),
        },
    }  # fmt: skip


@given(messages())
def test_an_answer_comes_back_whole(body):
    found = completion_from(orjson.dumps(body), created=1)
    assert orjson.loads(found.raw) == found.body
    assert found.usage == read_usage(body["usage"])
    again = completion_to(found.body)
    assert again | {"usage": usage_to(found.usage)} == body
    assert found.usage.input_total == sum(
        body["usage"][f"{name}input_tokens"] for name in ("", "cache_read_", "cache_creation_")
    )
    assert found.usage.output_total == body["usage"]["output_tokens"]


# Whatever a body holds, it is read, or refused in our words.

WHOLE: dict[str, Any] = {
    "model": MODEL, "max_tokens": 9, "stop_sequences": ["x"], "metadata": {"user_id": "u"}, "service_tier": "auto",
    "system": [{"type": "text", "text": "s", "cache_control": HOUR}], "thinking": {"type": "adaptive"},
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}],
    "tool_choice": {"type": "tool", "name": "f"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "x"}, {"type": "image", "source": PNG},
            {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
            {"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "x"}]},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "a", "citations": [{"type": "char_location", "document_index": 0}]},
            {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": []}]},
    ],
}  # fmt: skip
CHAT: dict[str, Any] = {
    "max_tokens": 9000, "stop": ["x"], "user": "u", "thinking": {"type": "enabled"},
    "reasoning_effort": "high", "documents": ["a", {"id": "b", "text": "c"}, {"data": {"k": "v"}}], "top_k": 3,
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": False,
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [
            {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
            {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "f"}},
        ]},
        {"role": "assistant", "content": "yo", "reasoning_content": "r", "citations": [
            {"start": 0, "end": 1, "sources": [{"document": {"type": "char_location", "cited_text": "y"}}]},
        ], "reasoning_details": [
            {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
        ], "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "r"}]},
    ],
}  # fmt: skip
ANSWER: dict[str, Any] = {
    "id": "msg_1", "type": "message", "model": MODEL, "content": WHOLE["messages"][1]["content"],
    "stop_reason": "refusal", "stop_details": {"explanation": "No."}, "usage": {"input_tokens": 1, "output_tokens": 2},
}  # fmt: skip


@settings(max_examples=150)
@given(changed(WHOLE))
def test_a_messages_request_that_is_somehow_wrong(body):
    with suppress(PatchbayError):
        assert orjson.dumps(request_from(body))


@settings(max_examples=150)
@given(changed(CHAT))
def test_a_canonical_request_that_is_somehow_wrong(body):
    with suppress(PatchbayError):
        chat_facts(body)
        assert orjson.dumps(request_to({**body, "model": "claude-haiku-4-5"}))


@settings(max_examples=100)
@given(changed(ANSWER))
def test_an_answer_that_is_somehow_wrong(body):
    with suppress(PatchbayError):
        assert orjson.dumps(completion_to(completion_from(orjson.dumps(body)).body))


# By example.


def to(*messages, **fields):
    body, lost = request_to({"model": MODEL, "messages": list(messages) or [user("Hello")], **fields})
    return body, lost


def user(content, **more):
    return {"role": "user", "content": content, **more}


def call(arguments="{}", **more):
    one = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [one], **more}


RESULT = {"role": "tool", "tool_call_id": "c1", "content": "12 degrees"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
ITEM = {"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0}


def test_results_of_tools_are_one_turn_and_come_before_words():
    second = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": '{"a":1}'}}
    asked = {**call(), "tool_calls": [*call()["tool_calls"], second]}
    body, lost = to(
        user("Go"),
        asked,
        RESULT,
        {
            **RESULT,
            "tool_call_id": "c2",
            "content": [
                {"type": "text", "text": "x"},
                {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
            ],
        },
        user("Well?"),
    )
    assert lost == []
    assert [one["role"] for one in body["messages"]] == ["user", "assistant", "user"]
    first, other, said = body["messages"][2]["content"]
    assert first == {"type": "tool_result", "tool_use_id": "c1", "content": "12 degrees"}
    assert [block["type"] for block in other["content"]] == ["text", "image"]
    assert said == {"type": "text", "text": "Well?"}
    assert body["messages"][1]["content"][1] == {"type": "tool_use", "id": "c2", "name": "g", "input": {"a": 1}}


def test_what_is_said_to_the_system_stays_where_a_model_allows_it():
    messages = [
        {"role": "system", "content": "A"},
        {"role": "developer", "content": "B"},
        user("Hello"),
        {"role": "system", "content": "C"},
    ]
    body, lost = to(*messages)
    assert [block["text"] for block in body["system"]] == ["A", "B"]
    assert body["messages"][1] == {"role": "system", "content": "C"}
    assert lost == []
    body, lost = request_to({"model": "claude-haiku-4-5", "messages": messages})
    assert [block["text"] for block in body["system"]] == ["A", "B", "C"]
    assert lost == ["messages[3] was moved to the system prompt: here it cannot stand in between"]


def test_another_provider_s_reasoning_is_left_out_and_said():
    foreign = {**ITEM, "format": "google-gemini-v1"}
    body, lost = to(user("Go"), call(reasoning_details=[foreign], reasoning_content="hm"), RESULT)
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
    assert lost == ["messages[1]'s reasoning was left out: it was not written by this provider"]
    body, lost = to(user("Go"), call(reasoning_details=[ITEM]), RESULT)
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "s"}
    assert lost == []


def blocks(kinds):
    """A turn: t is a thought, r a redacted one, c a call, any other word a text."""
    made = []
    for number, kind in enumerate(kinds):
        made.append(
            {
                "t": {"type": "thinking", "thinking": f"thought {number}", "signature": f"s{number}"},
                "r": {"type": "redacted_thinking", "data": f"d{number}"},
                "c": {"type": "tool_use", "id": f"c{number}", "name": "f", "input": {}},
            }.get(kind, {"type": "text", "text": kind})
        )
    return made


@pytest.mark.parametrize(
    "kinds",
    ["t A t B t c", "t t c", "c B t c", "t c", "t A r c t c", "t c B", "r c B c D", "t A c t B c t", "A", "A t"],
)
def test_thoughts_come_back_to_their_place(kinds):
    content = blocks(kinds.split())
    answer = {"id": "msg_1", "content": content, "stop_reason": "tool_use"}
    message = json.loads(json.dumps(completion_from(orjson.dumps(answer)).message))
    again, lost = to(user("Go"), message, user("On"))
    assert again["messages"][1]["content"] == ("A" if kinds == "A" else content)
    assert lost == []
    assert completion_to({"choices": [{"message": message, "finish_reason": "tool_calls"}]})["content"] == content


def test_texts_of_blanks_between_thoughts_are_not_sent_and_move_nothing():
    content = blocks(["t", "", "t", "A", "t", "\n\n", "t", "B", "c"])
    message = completion_from(orjson.dumps({"id": "msg_1", "content": content, "stop_reason": "tool_use"})).message
    again, lost = to(user("Go"), message, user("On"))
    assert again["messages"][1]["content"] == [one for one in content if one["type"] != "text" or one["text"].strip()]
    assert lost == []


def test_thoughts_between_what_is_cited_come_back_to_their_place():
    place = {"type": "char_location", "cited_text": "The reds", "document_index": 0}
    content = [*blocks(["t", "A"]), {"type": "text", "text": "B", "citations": [place]}, *blocks(["t", "C", "c"])]
    message = completion_from(orjson.dumps({"id": "msg_1", "content": content, "stop_reason": "tool_use"})).message
    assert to(user("Go"), message, user("On"))[0]["messages"][1]["content"] == content


def test_thoughts_whose_words_are_not_there_any_more_are_told_of():
    content = blocks(["t", "Some words", "t", "c"])
    message = completion_from(orjson.dumps({"id": "msg_1", "content": content, "stop_reason": "tool_use"})).message
    again, lost = to(user("Go"), {**message, "content": "Some"}, user("On"))
    assert [one["type"] for one in again["messages"][1]["content"]] == ["thinking", "text", "thinking", "tool_use"]
    (said,) = lost
    assert said.startswith("messages[1]'s reasoning stands elsewhere")


def test_ids_of_calls_are_in_the_letters_that_are_taken_here():
    calls = [
        {"id": ident, "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for ident in ("functions.f:0", "functions_f_0", "functions.f:1")
    ]
    results = [{"role": "tool", "tool_call_id": one["id"], "content": one["id"]} for one in calls]
    body, lost = to(user("Go"), {"role": "assistant", "content": None, "tool_calls": calls}, *results)
    made = [one["id"] for one in body["messages"][1]["content"]]
    assert made[1] == "functions_f_0"
    assert len(set(made)) == 3
    assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyz_0123456789") for one in made)
    assert [one["tool_use_id"] for one in body["messages"][2]["content"]] == made
    assert lost == []
    answer = {"choices": [{"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
    assert [one["id"] for one in completion_to(answer)["content"]] == made


def test_system_messages_in_a_row_stay_together():
    said = [{"role": "system", "content": "C"}, {"role": "developer", "content": "D"}]
    body, lost = to(user("Hello"), *said, user("On"))
    assert (body.get("system"), lost) == (None, [])
    assert body["messages"][1] == {
        "role": "system", "content": [{"type": "text", "text": "C"}, {"type": "text", "text": "D"}],
    }  # fmt: skip


def test_documents_are_not_cited_in_an_answer_that_keeps_to_a_schema():
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}}
    body, lost = to(user("Who won?"), documents=["The blues", "The reds"], response_format=wanted)
    assert not any("citations" in one for one in body["messages"][0]["content"])
    assert lost == ["citations of 2 documents are off: they do not go with response_format"]


@pytest.mark.parametrize(
    ("model", "fields", "thinking", "config"),
    [
        ("claude-opus-5-5", {}, None, None),
        ("claude-opus-5-5", {"reasoning_effort": "xhigh"}, {"type": "adaptive"}, {"effort": "xhigh"}),
        ("claude-opus-5-5", {"reasoning_effort": "minimal"}, {"type": "adaptive"}, {"effort": "low"}),
        ("claude-opus-5-5", {"reasoning_effort": "none"}, None, {"effort": "low"}),
        ("claude-sonnet-5-5", {"reasoning_effort": "none"}, {"type": "between_tools"}, None),
        (
            "claude-haiku-5-5",
            {"thinking": {"type": "disabled"}, "reasoning_effort": "max"},
            {"type": "disabled"},
            {"effort": "high"},
        ),
        ("claude-opus-4-8", {"reasoning_effort": "none"}, None, None),
        ("claude-opus-4-8", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"type": "adaptive"}, None),
        ("claude-sonnet-4-6", {"reasoning_effort": "xhigh"}, {"type": "adaptive"}, {"effort": "high"}),
        (
            "claude-opus-4-5",
            {"reasoning_effort": "high"},
            {"type": "enabled", "budget_tokens": 16000},
            {"effort": "high"},
        ),
        ("claude-haiku-4-5", {"reasoning_effort": "low"}, {"type": "enabled", "budget_tokens": 2048}, None),
        (
            "claude-haiku-4-5",
            {"reasoning_effort": "high", "max_tokens": 2000},
            {"type": "enabled", "budget_tokens": 1024},
            None,
        ),
        (
            "claude-haiku-4-5",
            {"reasoning_effort": "xhigh", "max_tokens": 8000},
            {"type": "enabled", "budget_tokens": 4000},
            None,
        ),
        (
            "claude-haiku-4-5",
            {"thinking": {"type": "enabled", "budget_tokens": 20000}, "max_tokens": 3000},
            {"type": "enabled", "budget_tokens": 2999},
            None,
        ),
        ("claude-haiku-4-5", {"reasoning_effort": "xhigh"}, {"type": "enabled", "budget_tokens": 24576}, None),
        ("claude-haiku-4-5", {"reasoning_effort": "low", "max_tokens": 1200}, None, None),
        ("claude-haiku-4-5", {"reasoning_effort": "high", "max_tokens": 1000}, None, None),
        ("claude-3-5-sonnet-20241022", {"reasoning_effort": "high"}, None, None),
    ],
)
def test_each_model_thinks_as_it_can(model, fields, thinking, config):
    body, lost = request_to({"model": model, "messages": [user("Hello")], **fields})
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)
    changed = {
        ("claude-opus-5-5", "none"), ("claude-opus-5-5", "minimal"), ("claude-haiku-5-5", "max"),
        ("claude-sonnet-4-6", "xhigh"), ("claude-3-5-sonnet-20241022", "high"),
    }  # fmt: skip
    told = "budget_tokens" in fields.get("thinking", {}) or "max_tokens" in fields
    assert len(lost) == (told or (model, fields.get("reasoning_effort")) in changed), lost


def test_an_effort_that_goes_with_thinking_alone_is_lowered_and_that_is_said():
    fields = {"reasoning_effort": "xhigh", "tools": [TOOL], "tool_choice": "required"}
    body, lost = request_to({"model": "claude-opus-5", "messages": [user("Go")], **fields})
    assert (body["thinking"], body["output_config"]) == ({"type": "disabled"}, {"effort": "high"})
    assert lost == [
        "thinking is off this time: it does not go with a tool_choice that demands a call",
        "reasoning_effort xhigh became high: no more goes without thinking",
    ]


def test_a_turn_of_tools_begun_without_thinking_goes_on_without_it():
    for model, fields in (
        ("claude-haiku-4-5", {"reasoning_effort": "high"}),
        ("claude-sonnet-4-6", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
    ):
        body, lost = request_to({"model": model, "messages": [user("Go"), call(), RESULT], **fields})
        assert body["thinking"] == {"type": "disabled"}
        assert lost == ["thinking is off this time: the tool calls under way were made without it"]
        body, lost = request_to(
            {"model": model, "messages": [user("Go"), call(reasoning_details=[ITEM]), RESULT], **fields}
        )
        assert body["thinking"]["type"] == "enabled"
        assert lost == []
    body, lost = to(user("Go"), call(), RESULT, reasoning_effort="high")
    assert (body["thinking"], lost) == ({"type": "adaptive"}, [])  # who decides by himself may also not think


@pytest.mark.parametrize(
    ("model", "choice", "thinking", "losses"),
    [
        ("claude-opus-5-5", {"type": "auto"}, None, 1),
        ("claude-sonnet-5", {"type": "any"}, {"type": "disabled"}, 0),
        ("claude-opus-4-8", {"type": "any"}, None, 0),
        ("claude-haiku-4-5", {"type": "any"}, None, 0),
    ],
)
def test_a_call_that_is_demanded(model, choice, thinking, losses):
    body, lost = request_to({"model": model, "messages": [user("Go")], "tools": [TOOL], "tool_choice": "required"})
    assert (body["tool_choice"], body.get("thinking"), len(lost)) == (choice, thinking, losses)


@pytest.mark.parametrize(
    ("model", "version", "fields", "kept", "losses"),
    [
        ("claude-haiku-4-5", OLDEST, {"temperature": 0.5}, {"temperature": 0.5}, 0),
        ("claude-haiku-4-5", OLDEST, {"temperature": 1.5, "top_k": 3}, {"temperature": 1, "top_k": 3}, 1),
        ("claude-haiku-4-5", OLDEST, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, 1),
        ("claude-haiku-4-5", OLDEST, {"temperature": 0.5, "reasoning_effort": "low"}, {}, 1),
        ("claude-haiku-4-5", NEWEST, {"temperature": 0.5, "top_p": 0.9}, {}, 2),
        ("claude-opus-5-5", OLDEST, {"temperature": 0.5}, {}, 1),
    ],
)
def test_sampling_is_sent_where_version_and_model_take_it(model, version, fields, kept, losses):
    body, lost = request_to({"model": model, "messages": [user("Hello")], **fields}, version=version)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert len(lost) == losses


def test_the_version_suits_the_model():
    assert version_for({"model": "claude-haiku-4-5", "temperature": 0.1}) == OLDEST
    assert (
        version_for({"model": "claude-haiku-4-5"}) == version_for({"model": "claude-opus-5-5", "top_p": 1}) == NEWEST
    )


@pytest.mark.parametrize(
    ("model", "line"),
    [
        ("claude-3-opus-20240229", (3, 0)),
        ("claude-3-7-sonnet-20250219", (3, 7)),
        ("claude-opus-4-20250514", (4, 0)),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", (4, 5)),
        ("claude-opus-4.8", (4, 8)),
        ("claude-opus-5", (5, 0)),
        ("claude-haiku-5-5", (5, 5)),
        ("claude-fable-5-1", (9, 9)),
        ("something", (9, 9)),
    ],
)
def test_a_model_is_known_by_its_name(model, line):
    rules = rules_of(model)
    assert rules.thinking == ("none" if line < (3, 7) else "budget" if line < (4, 6) else "adaptive")
    assert rules.unasked == (line >= (5, 0))
    assert rules.forced == (line < (5, 5))
    assert rules.schema == (line >= (4, 5))


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        (
            user([{"type": "input_audio", "input_audio": {}}, {"type": "text", "text": "x"}]),
            "messages[0].content[0] was left out",
        ),
        (user([{"type": "image_url", "image_url": {"url": "https://a.example", "detail": "low"}}]), "detail"),
        (
            user([{"type": "file", "file": {"file_id": "file-abc"}}, {"type": "text", "text": "x"}]),
            "messages[0].content[0]",
        ),
        ({"role": "assistant", "content": "Hi"}, "a user's turn was put first"),
        (call("no json"), "arguments are no JSON object"),
    ],
)
def test_what_cannot_be_said_is_said(message, lost):
    assert any(lost in one for one in to(message)[1])


def test_no_model_is_asked_for_more_than_it_writes():
    most = {"claude-opus-5-5": 128_000, "claude-sonnet-4-6": 64_000, "claude-opus-4-1": 32_000, "claude-3-opus": 4096}
    for model, tokens in most.items():
        body, lost = request_to({"model": model, "messages": [user("Hello")], "max_tokens": 10**6})
        assert body["max_tokens"] == tokens
        assert lost == [f"max_tokens was lowered to {tokens}: this model writes no more"]


def test_blank_texts_are_not_sent():
    body, lost = to(
        user(" "),
        user([{"type": "text", "text": ""}, {"type": "text", "text": "Hi"}]),
        {"role": "assistant", "content": ""},
    )
    assert (body["messages"], lost) == ([{"role": "user", "content": "Hi"}], [])


def test_an_assistant_s_beginning_is_gone_on_with_where_that_is_done():
    messages = [user("Sing"), {"role": "assistant", "content": "La la "}]
    body, lost = request_to({"model": "claude-haiku-4-5", "messages": messages})
    assert (body["messages"][-1], lost) == ({"role": "assistant", "content": "La la"}, [])
    body, lost = to(*messages)
    assert body["messages"][-1]["role"] == "user"
    assert lost == ["a user's turn was put last: this model does not go on with a turn of its own"]


def test_documents_come_first_and_are_cited_by_their_names():
    body, lost = to(
        {"role": "system", "content": "s"},
        user("Who won?"),
        documents=["The blues", {"id": "d", "title": "Cup", "text": "The reds"}, {"data": {"a": 1, "b": "x"}}],
    )
    assert lost == []
    first, second, third, said = body["messages"][0]["content"]
    assert (first["source"]["data"], second["title"], third["source"]["data"]) == ("The blues", "Cup", "a: 1\nb: x")
    assert all(one["citations"] == {"enabled": True} for one in (first, second, third))
    assert said == {"type": "text", "text": "Who won?"}
    place = {
        "type": "char_location",
        "cited_text": "The reds",
        "document_index": 1,
        "document_title": "Cup",
        "start_char_index": 0,
        "end_char_index": 8,
    }
    answer = {
        "id": "msg_1",
        "content": [{"type": "text", "text": "It was "}, {"type": "text", "text": "them", "citations": [place]}],
        "stop_reason": "end_turn",
    }
    (found,) = completion_from(orjson.dumps(answer), names=["0", "d", "2"]).message["citations"]
    assert (found["start"], found["end"], found["text"]) == (7, 11, "them")
    assert found["sources"] == [{"type": "document", "id": "d", "document": place}]


def test_a_schema_is_closed_and_its_bounds_are_told():
    inner = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 18, "description": "Age"}}}
    schema = {
        "type": "object",
        "properties": {
            "a": {"oneOf": [inner, {"type": "null"}]},
            "m": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body, lost = to(response_format=wanted)
    made = body["output_config"]["format"]["schema"]
    assert made["additionalProperties"] is False
    closed = made["properties"]["a"]["anyOf"][0]
    assert closed["additionalProperties"] is False
    assert closed["properties"]["n"] == {"type": "integer", "description": "Age\n\n{minimum: 18}"}
    assert lost == [
        "response_format.properties.m.additionalProperties was left out: objects have only named properties here"
    ]
    body, lost = request_to(
        {"model": "claude-3-opus-20240229", "messages": [user("Hello")], "response_format": wanted}
    )
    assert "output_config" not in body
    assert lost == ["response_format was left out: this model has no json_schema"]


def test_what_only_messages_can_say_is_said():
    failed = {"type": "tool_result", "tool_use_id": "c", "content": "no", "is_error": True}
    body = {
        "model": MODEL, "max_tokens": 0, "speed": "fast", "tool_choice": {"type": "odd"},
        "messages": [user([failed, {"type": "container_upload", "file_id": "f"}])],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    }  # fmt: skip
    made, lost, bound, _ = translated(body)
    assert bound == ["max_tokens (0)", "tool_choice (odd)"]
    assert made == {
        "model": MODEL,
        "max_completion_tokens": 1,
        "messages": [{"role": "tool", "tool_call_id": "c", "content": "no"}],
    }
    assert [one.partition(" ")[0] for one in lost] == [
        "speed",
        "messages[0].content[0].is_error",
        "messages[0].content[1]",
        "tools[0]",
    ]


def test_a_document_that_is_text_goes_out_as_text():
    about = {"title": "Cup", "context": "Sports", "citations": {"enabled": True}}
    told = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "The reds won."}}
    parts = {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    made, lost = request_from({"messages": [user([{**told, **about}, {"type": "document", "source": parts}])]})
    assert made["messages"][0]["content"] == [
        {"type": "text", "text": "Cup\nSports\nThe reds won."},
        {"type": "text", "text": "a\nb"},
    ]
    assert [one.partition(" ")[0] for one in lost] == ["messages[0].content[0].citations"]
    made, lost = request_from({"messages": [user([{"type": "document", "source": PDF, **about}])]})
    assert made["messages"][0]["content"][0]["citations"] == {"enabled": True}
    assert lost == []


@pytest.mark.parametrize(
    ("message", "bound"),
    [
        (user([{"type": "nope"}]), "messages[0].content (nope)"),
        ({"role": "assistant", "content": [{"type": "mcp_tool_use"}] * 2}, "messages[0].content (mcp_tool_use)"),
    ],
)
def test_a_turn_of_which_nothing_is_left_is_for_who_knows_it(message, bound):
    assert translated({"messages": [message]}).bound == [bound]


def test_what_is_wrong_is_named_as_its_caller_names_it():
    results = [{"type": "tool_result", "tool_use_id": name, "content": "no"} for name in ("c", "d")]
    said = [{"type": "nope"}, {"type": "text", "text": "x"}, {"type": "image", "source": {"type": "url", "url": "x"}}]
    found = translated({"system": "s", "messages": [user([*results, *said]), user("x")]})
    assert [one["role"] for one in found.body["messages"]] == ["system", "tool", "tool", "user", "user"]
    names = {
        "messages[0].content": "system.content",
        "messages[2].tool_call_id": "messages[0].content[1].tool_call_id",
        "messages[3].content[1].image_url.url": "messages[0].content[4].image_url.url",
        "messages[4].content": "messages[1].content",
        "stop[0]": "stop_sequences[0]",
        "max_completion_tokens": "max_tokens",
        "response_format.json_schema.schema.type": "output_config.format.schema.type",
        "stopped": "stopped",
    }
    for ours, theirs in names.items():
        error = found.in_theirs(BadRequest(f"{ours} must be odd", param=ours))
        assert (error.param, error.message) == (theirs, f"{theirs} must be odd")


OPUS = "claude-opus-5-5"
FORCED = {"tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "f"}}


@pytest.mark.parametrize(
    ("model", "given", "changed", "lost"),
    [
        (OPUS, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"thinking": {"type": "adaptive"}},
         ["thinking.budget_tokens"]),
        (OPUS, {"thinking": {"type": "disabled"}}, {"thinking": None}, ["thinking"]),
        (OPUS, FORCED, {"tool_choice": {"type": "auto"}}, ["tool_choice"]),
        (OPUS, {**FORCED, "thinking": {"type": "adaptive"}}, {"tool_choice": {"type": "auto"}}, ["tool_choice"]),
        (OPUS, {"messages": [user("x"), {"role": "assistant", "content": "{"}]},
         {"messages": [user("x"), {"role": "assistant", "content": "{"}, user("Continue.")]}, ["a"]),
        ("claude-sonnet-5", FORCED, {"thinking": {"type": "disabled"}}, []),
        ("claude-sonnet-5", {**FORCED, "thinking": {"type": "adaptive"}}, {"thinking": {"type": "disabled"}},
         ["thinking"]),
        ("claude-opus-4-6", {"output_config": {"effort": "xhigh"}},
         {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, ["output_config.effort"]),
        ("claude-haiku-4-5", {"thinking": {"type": "adaptive"}},
         {"thinking": {"type": "enabled", "budget_tokens": 4500}}, ["thinking"]),
        ("claude-haiku-4-5", {"temperature": 1.5, "top_p": 0.5}, {"temperature": 1, "top_p": None},
         ["temperature", "top_p"]),
        ("claude-haiku-4-5", {"max_tokens": 10**6}, {"max_tokens": 64_000}, ["max_tokens"]),
    ],
)  # fmt: skip
def test_a_request_as_it_came_is_made_to_fit_its_model(model, given, changed, lost):
    body = {"model": model, "max_tokens": 9000, "messages": [user("x")], **given}
    made, losses = fitted(body, version_for(body))
    expected = {name: one for name, one in {**body, **changed}.items() if one is not None}
    assert made == expected
    assert [one.partition(" ")[0] for one in losses] == lost
    check(made, version_for(body))  # as the API does
    assert fitted(made, version_for(made)) == (made, [])


@pytest.mark.parametrize("model", [OPUS, "claude-sonnet-5", "claude-opus-4-6", "claude-haiku-4-5"])
def test_a_request_that_fits_is_left_as_it_came(model):
    body = {
        "model": model, "max_tokens": 0, "messages": [user("x"), {"role": "assistant", "content": []}, user("y")],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}], "tool_choice": {"type": "auto"},
        "context_management": {},
    }  # fmt: skip
    assert fitted(body, version_for(body)) == (body, [])


USED = {"type": "tool_use", "id": "c", "name": "f"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [user(1)]}, "messages[0].content"),
        ({"messages": [user([{"text": "x"}])]}, "messages[0].content[0]"),
        ({"messages": [user([{"type": "text"}])]}, "messages[0].content[0].text"),
        ({"messages": [user([{"type": "image"}])]}, "messages[0].content[0].source"),
        ({"messages": [user("x")], "max_tokens": "9"}, "max_tokens"),
        ({"messages": [user("x")], "tools": [1]}, "tools[0]"),
        ({"messages": [user("x")], "tool_choice": "auto"}, "tool_choice"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
        ({"messages": [user([])]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": [{**USED, "input": "x"}]}]}, "messages[0].content[0].input"),
    ],
)
def test_what_is_no_request_is_refused_with_its_place(body, param):
    with pytest.raises(BadRequest) as raised:
        request_from({"model": MODEL, **body})
    assert raised.value.param == param


def test_reasoning_without_a_signature_is_shown_but_not_kept():
    message = {"content": "Hi", "reasoning_content": "hm"}
    body = {"id": "chatcmpl-7", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    made = completion_to(body, "shown")
    assert (made["id"], made["model"]) == ("msg_7", "shown")
    assert made["content"] == [{"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "Hi"}]
    back, lost = request_from({"messages": [{"role": "assistant", "content": made["content"]}]})
    assert back["messages"] == [{"role": "assistant", "content": "Hi", "reasoning_content": "hm"}]
    assert lost == []


def test_why_it_ended():
    assert [stop_reason_to(one) for one in ("stop", "length", "tool_calls", "content_filter", None)] == [
        "end_turn",
        "max_tokens",
        "tool_use",
        "refusal",
        "end_turn",
    ]
    answer = {"id": "msg_1", "content": [], "stop_reason": "refusal", "stop_details": {"explanation": "No."}}
    (choice,) = completion_from(orjson.dumps(answer)).body["choices"]
    assert (choice["finish_reason"], choice["message"]["refusal"]) == ("content_filter", "No.")
    for reason, finish, told in (
        ("pause_turn", "stop", 1), ("model_context_window_exceeded", "length", 0), ("new_one", "stop", 1),
    ):  # fmt: skip
        found = completion_from(orjson.dumps({**answer, "stop_reason": reason}))
        assert (found.finish_reason, found.message["content"], len(found.losses)) == (finish, "", told)


def test_what_of_an_answer_a_chat_cannot_say_is_said():
    content = [{"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, *blocks(["A"])]
    raw = orjson.dumps({"id": "msg_1", "content": content, "stop_reason": "end_turn"})
    assert completion_from(raw).losses == (
        "content[0] was left out: server_tool_use has no counterpart in a chat message",
    )
    assert completion_from(raw, native=True).losses == ()


@pytest.mark.parametrize(
    ("more", "extras"),
    [
        ({"service_tier": "standard", "speed": "standard", "inference_geo": "global"}, 0),
        ({"server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 3}}, 0),
        ({"server_tool_use": {"web_search_requests": 2}}, 1),
        ({"service_tier": "priority", "speed": "fast"}, 2),
        ({"inference_geo": "us"}, 1),
    ],
)
def test_what_is_billed_beside_tokens_is_said(more, extras):
    usage = {"input_tokens": 5, "output_tokens": 2, **more}
    raw = orjson.dumps({"id": "msg_1", "content": [], "stop_reason": "end_turn", "usage": usage})
    for native in (True, False):
        found = completion_from(raw, native=native)
        assert found.usage == Usage("reported", 5, output=2, extras=extras)
        assert len(found.losses) == bool(extras)


@pytest.mark.parametrize("raw", [b"<html>", b"{}", b'{"content": "x"}', b'{"content": [], "stop_reason": null}'])
def test_what_is_no_answer(raw):
    with pytest.raises(Malformed):
        completion_from(raw)


def test_an_error_in_place_of_an_answer():
    with pytest.raises(Overloaded, match="busy"):
        completion_from(b'{"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}')


def test_usage_that_is_not_there_is_unknown():
    assert read_usage(None) == read_usage({"output_tokens": 3}) == Usage()


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (529, "overloaded_error", "Overloaded", Overloaded),
        (None, "overloaded_error", "Overloaded", Overloaded),
        (None, "api_error", "Internal", ServerFault),
        (402, "billing_error", "no money", QuotaExhausted),
        (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", QuotaExhausted),
        (413, "request_too_large", "too large", ContextTooLong),
        (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLong),
        (400, "invalid_request_error", "temperature: Extra inputs are not permitted", ParameterRefused),
        (400, "invalid_request_error", '"thinking.type.enabled" is not supported for this model.', ParameterRefused),
        (400, "invalid_request_error", "m.1: Invalid `signature` in `thinking` block", ParameterRefused),
        (400, "invalid_request_error", "Output blocked by content filtering policy", ContentRefused),
        (400, "invalid_request_error", "max_tokens: Field required", RequestRefused),
        (429, "rate_limit_error", "slow down", RateLimited),
        (504, "timeout_error", "late", ServerFault),
    ],
)
def test_refusals(status, kind, message, expected):
    raw = orjson.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})
    error = read_error(status, raw, otherwise=ServerFault)
    assert type(error) is expected
    assert error.message == message


def test_a_refusal_says_its_code_and_its_parameter_and_no_key():
    details = {"error_code": "enforced_spend_limit_reached"}
    said = "top_p: not with sk-ant-secret-1234567"
    raw = orjson.dumps(
        {"type": "error", "error": {"type": "invalid_request_error", "message": said, "details": details}}
    )
    error = read_error(400, raw, secrets=("sk-ant-secret-1234567",))
    assert type(error) is QuotaExhausted
    assert (error.code, error.param) == ("enforced_spend_limit_reached", "top_p")
    assert "secret" not in error.message
    assert read_error(502, b"<html>sk-ant-secret", secrets=()).message.startswith("Bad Gateway")
