"""Ollama's own chat ↔ ours: what both can say comes back, and what one side cannot is told."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.ollama.request import FORMAT, context_for, request_from, request_to
from tests.core.fakes import JSON, examples

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NAME = st.sampled_from(["get_weather", "get_time", "look"])
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
DETAIL = {"type": "reasoning.text", "text": "hm"}
ARGUMENTS = st.dictionaries(st.text(max_size=5), JSON, max_size=3)


def thought(text):
    """As its own answers have it."""
    return {"reasoning_content": text, "reasoning_details": [{**DETAIL, "text": text, "format": FORMAT, "index": 0}]}


@st.composite
def contents(draw):
    text = draw(TEXT)
    if draw(st.booleans()):
        return text
    return [{"type": "text", "text": text}, *([PICTURE] * draw(st.integers(1, 2)))]


@st.composite
def conversations(draw):
    messages, serial = [], 0
    for role in draw(st.lists(st.sampled_from(["system", "user", "assistant", "calls"]), min_size=1, max_size=6)):
        if role != "calls":
            messages.append({"role": role, "content": draw(contents() if role == "user" else TEXT)})
            if role == "assistant" and draw(st.booleans()):
                messages[-1] |= thought(draw(TEXT))
            continue
        calls = []
        for _ in range(draw(st.integers(1, 3))):
            serial += 1
            calls.append((f"call_{serial}", draw(NAME), draw(ARGUMENTS)))
        messages.append({"role": "assistant", "content": draw(st.just("") | TEXT), "calls": calls})
        messages += [{"role": "tool", "call": call, "content": draw(TEXT)} for call in calls]
    return messages


@st.composite
def bodies(draw):
    """What both can say, in our words."""
    import orjson

    body = {"model": draw(TEXT), "messages": []}
    for one in draw(conversations()):
        message = {name: value for name, value in one.items() if name not in {"calls", "call"}}
        if "calls" in one:
            message["tool_calls"] = [
                {
                    "id": ident,
                    "type": "function",
                    "function": {"name": name, "arguments": orjson.dumps(given).decode()},
                }
                for ident, name, given in one["calls"]
            ]
        if "call" in one:
            message["tool_call_id"] = one["call"][0]
        body["messages"].append(message)
    numbers = {
        "max_tokens": st.integers(1, 10**6), "temperature": st.floats(0, 2), "top_p": st.floats(0, 1),
        "seed": st.integers(0, 2**31), "presence_penalty": st.floats(-2, 2), "frequency_penalty": st.floats(-2, 2),
        "top_k": st.integers(1, 100), "min_p": st.floats(0, 1), "repetition_penalty": st.floats(0.5, 2),
        "num_ctx": st.integers(1, 2**20),
    }  # fmt: skip
    for name in draw(st.sets(st.sampled_from(list(numbers)))):
        body[name] = draw(numbers[name])
    if draw(st.booleans()):
        body["tools"] = [{"type": "function", "function": {"name": draw(NAME), "parameters": {"type": "object"}}}]
    if draw(st.booleans()):
        body["stop"] = draw(st.lists(TEXT, min_size=1, max_size=4))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    formats = [{"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}]
    further = {
        "response_format": st.sampled_from(formats), "stream": st.booleans(),
        "keep_alive": st.sampled_from([0, -1, "10m"]), "options": st.just({"mirostat": 1}),
    }  # fmt: skip
    for name in draw(st.sets(st.sampled_from(list(further)))):
        body[name] = draw(further[name])
    thinks = draw(st.sampled_from([None, "enabled", "disabled", "low", "medium", "high", "xhigh"]))
    if thinks in {"enabled", "disabled"}:
        body["thinking"] = {"type": thinks}
    elif thinks:
        body["reasoning_effort"] = thinks
    return body


@examples()
@given(bodies())
def test_what_both_can_say_comes_back(body):
    theirs, losses = request_to(body)
    again, lost = request_from(theirs)
    assert (losses, lost) == ([], [])
    assert again == body
    assert request_to(again)[0] == theirs


def test_in_their_words():
    """The example of their documentation, with all that a message may have."""
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    theirs, losses = request_to({
        "model": "m", "stream": False, "max_completion_tokens": 7, "temperature": 0, "stop": "END", "top_k": 5,
        "reasoning_effort": "none", "response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}},
        "messages": [
            {"role": "developer", "content": "Be short"},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, PICTURE]},
            {"role": "assistant", "content": None, **thought("hm"), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": t} for t in ("ra", "in")]},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}],
    })  # fmt: skip
    assert losses == []
    assert theirs == {
        "model": "m", "stream": False, "think": False, "format": {"a": 1},
        "options": {"num_predict": 7, "temperature": 0, "stop": ["END"], "top_k": 5},
        "messages": [
            {"role": "system", "content": "Be short"},
            {"role": "user", "content": "Look", "images": [PNG]},
            {
                "role": "assistant", "content": "", "thinking": "hm",
                "tool_calls": [
                    {"id": "c1", "function": {"index": 0, "name": "get_weather", "arguments": {"city": "Oslo"}}}
                ],
            },
            {"role": "tool", "content": "rain", "tool_name": "get_weather", "tool_call_id": "c1"},
        ],
        "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}],
    }  # fmt: skip


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}


def user(content):
    return {"messages": [{"role": "user", "content": content}]}


def said(message):
    return {"messages": [{"role": "assistant", "content": "x", **message}]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (user([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]), "messages[0].content[0] "),
        (user([{"type": "input_audio", "input_audio": {}}]), "messages[0].content[0] "),
        (user([{**PICTURE, "image_url": {**PICTURE["image_url"], "detail": "high"}}]),
         "messages[0].content[0].image_url.detail "),
        ({"n": 2}, "n "),
        (user([{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]),
         "messages[0].content[0].cache_control "),
        (said({"cache_control": {"type": "ephemeral"}}), "messages[0].cache_control "),
        (said({"reasoning_details": [{"type": "reasoning.encrypted", "format": "anthropic-claude-v1"}]}),
         "messages[0].reasoning_details was left out: only anthropic-claude-v1 "),
        (said({"reasoning_content": "Hm"}), "messages[0].reasoning_content was left out: nobody says whose"),
        (said({"reasoning_content": "Hm", "reasoning_details": [{**DETAIL, "format": "cohere-v2"}]}),
         "messages[0].reasoning_details was left out: only cohere-v2 "),
        (said({"name": "Ada"}), "messages[0].name "),
        (said({"prefix": True}), "messages[0].prefix "),
        (said({"refusal": "no"}), "messages[0].refusal "),
        (said({"tool_calls": [{"id": "c", "type": "custom", "custom": {}}]}), "messages[0].tool_calls[0] "),
        ({"tools": [FUNCTION], "tool_choice": "required"}, "tool_choice "),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice "),
        ({"tools": [FUNCTION], "parallel_tool_calls": False}, "parallel_tool_calls "),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools[0] "),
        ({"tools": [{**FUNCTION, "cache_control": {"type": "ephemeral"}}]}, "tools[0].cache_control "),
        ({"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}, "tools[0].function.strict "),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.budget_tokens "),
        ({"response_format": {"type": "grammar"}}, "response_format "),
        ({"documents": ["x"]}, "documents "),
    ],
)  # fmt: skip
def test_what_it_cannot_say_is_told(body, where):
    _, losses = request_to(body)
    assert len(losses) == 1
    assert losses[0].startswith(where)
    assert "was left out: " in losses[0]


@pytest.mark.parametrize("arguments", ["[1]", "{half", "not json"])
def test_arguments_that_are_no_object_go_in_one(arguments):
    theirs, losses = request_to(said({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": arguments}}]}))
    assert theirs["messages"][0]["tool_calls"][0]["function"]["arguments"] == {"arguments": arguments}
    (loss,) = losses
    assert loss.startswith("messages[0].tool_calls[0].function.arguments are no JSON object")


def test_another_s_thoughts_are_not_its_own():
    theirs, _ = request_to(said({"reasoning_content": "Hm", "reasoning_details": [{**DETAIL, "format": "cohere-v2"}]}))
    assert theirs["messages"][0] == {"role": "assistant", "content": "x"}


def test_less_thinking_than_little_is_little_and_that_is_said():
    theirs, losses = request_to({"reasoning_effort": "minimal"})
    assert (theirs["think"], losses) == ("low", ["reasoning_effort minimal was sent as low: it has no less"])


def test_a_choice_of_no_tool_sends_none():
    assert request_to({"tools": [FUNCTION], "tool_choice": "none"}) == ({"messages": []}, [])
    assert "tools" in request_to({"tools": [FUNCTION], "tool_choice": "auto"})[0]


def test_a_choice_of_one_function_sends_that_one_alone():
    other = {"type": "function", "function": {"name": "g"}}
    choice = {"type": "function", "function": {"name": "f"}}
    assert request_to({"tools": [FUNCTION, other], "tool_choice": choice})[0]["tools"] == [FUNCTION]
    choice = {"type": "function", "function": {"name": "h"}}
    assert request_to({"tools": [FUNCTION, other], "tool_choice": choice})[0]["tools"] == [FUNCTION, other]


def test_their_own_words_go_through():
    theirs, losses = request_to(
        {"think": "high", "keep_alive": "1h", "options": {"num_gpu": 1, "top_k": 1}, "top_k": 2}
    )
    assert losses == []
    assert theirs == {"messages": [], "think": "high", "keep_alive": "1h", "options": {"num_gpu": 1, "top_k": 2}}


def test_older_clients_give_no_ids():
    call = {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    other = {"function": {"name": "get_time", "arguments": {}}}
    body, losses = request_from({
        "messages": [
            {"role": "assistant", "content": "", "tool_calls": [call, other, call]},
            {"role": "tool", "tool_name": "get_time", "content": "noon"},
            {"role": "tool", "tool_name": "get_weather", "content": "rain"},
            {"role": "tool", "content": "sun"},
        ],
        "options": {"num_predict": -1},
        "raw": True,
    })  # fmt: skip
    assert [one["id"] for one in body["messages"][0]["tool_calls"]] == ["call_0_0", "call_0_1", "call_0_2"]
    assert [one["tool_call_id"] for one in body["messages"][1:]] == ["call_0_1", "call_0_0", "call_0_2"]
    assert losses == ["raw was left out: the chat has no such parameter"]
    assert "max_tokens" not in body


@pytest.mark.parametrize(
    ("asked", "output", "context"),
    [
        (10, None, None), (2000, None, None), (2049, None, 8192), (4000, None, 8192), (10, 10**6, 8192),
        (20_000, 500, 32768), (21_000, 4096, 65536), (10, 3000, None),
    ],
)  # fmt: skip
def test_the_context_that_a_request_needs(asked, output, context):
    assert context_for(asked, output) == context
