"""A conversation as inputs of a model, whatever its owner calls them, and what cannot be said with them."""

from typing import Any

import pytest

from core.errors import ModelMissing
from core.wire.replicate.request import place_of, request_to

PNG: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
FAR: dict[str, Any] = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}

CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}


def user(content):
    return {"role": "user", "content": content}


def text(words):
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("meta/llama", {"system_prompt": "S", "max_tokens": 5, "stop_sequences": "END", "seed": 1}),
        ("openai/gpt", {"system_prompt": "S", "max_completion_tokens": 5}),
        ("anthropic/claude", {"system_prompt": "S", "max_tokens": 5}),
        ("google/gemini", {"system_instruction": "S", "max_output_tokens": 5}),
    ],
)
def test_each_owner_has_names_of_its_own(model, given):
    body = {"messages": [{"role": "system", "content": "S"}, user("Hello")], "max_tokens": 5, "stop": "END", "seed": 1}
    inputs, losses = request_to(body, model)
    assert inputs == {"prompt": "Hello", **given}
    lost = {"stop_sequences": "stop", "seed": "seed"}.items() - {(name, name) for name in given}
    assert sorted(one.partition(" ")[0] for one in losses) == sorted(
        ours for theirs, ours in lost if theirs not in given
    )


def test_who_takes_no_system_prompt_reads_it_first():
    body = {"messages": [{"role": "developer", "content": "S"}, user("Hello")]}
    assert request_to(body, "deepseek-ai/deepseek-r1") == ({"prompt": "S\n\nHello"}, [])


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([user("Hello")], "Hello"),
        ([user([text("one"), text("two")])], "one\ntwo"),
        ([user("a"), {"role": "assistant", "content": "b"}, user("c")],
         "User: a\n\nAssistant: b\n\nUser: c\n\nAssistant:"),
        ([user("a"), {"role": "assistant", "content": "The answer is"}], "User: a\n\nAssistant: The answer is"),
        ([user("a"), CALLING, {"role": "tool", "content": "rain"}],
         'User: a\n\nAssistant: [called look with {"at":1}]\n\nTool: rain\n\nAssistant:'),
    ],
    ids=["one", "parts", "turns", "begun", "tools"],
)  # fmt: skip
def test_prompts(messages, prompt):
    assert request_to({"messages": messages}, "meta/llama")[0]["prompt"] == prompt


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"messages": [CALLING]}, "messages[0].tool_calls[0] was written into the prompt"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"type": "custom"}]}]},
         "messages[0].tool_calls[0] was left out"),
        ({"messages": [{"role": "assistant", "content": "x", "reasoning_content": "hm"}]},
         "messages[0].reasoning_content "),
        ({"messages": [user([{**text("x"), "cache_control": {"type": "ephemeral"}}])]},
         "messages[0].content[0].cache_control "),
        ({"messages": [user([{"type": "file", "file": {}}])]}, "messages[0].content[0] "),
        ({"messages": [user([PNG, FAR])]}, "messages[0].content[0] was left out: it takes one image, the last"),
        ({"messages": [user("x")], "stop": ["a,b"]}, "stop was left out: they are separated by commas"),
        ({"messages": [user("x")], "response_format": {"type": "json_object"}}, "response_format "),
        ({"messages": [user("x")], "reasoning_effort": "low"}, "reasoning_effort "),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_told(body, where):
    _, losses = request_to(body, "meta/llama")
    assert len(losses) == 1
    assert losses[0].startswith(where)


def test_pictures():
    body = {"messages": [user([text("Look"), PNG]), user([FAR])]}
    many, losses = request_to(body, "openai/gpt")
    assert (many["image_input"], losses) == ([PNG["image_url"]["url"], FAR["image_url"]["url"]], [])
    one, losses = request_to(body, "acme/llava")
    assert (one["image"], len(losses)) == (FAR["image_url"]["url"], 1)


def test_the_callers_own_inputs_count_most():
    body = {"messages": [user("Hello")], "temperature": 1, "input": {"temperature": 0, "max_new_tokens": 5}}
    assert request_to(body, "acme/x")[0] == {"prompt": "Hello", "temperature": 0, "max_new_tokens": 5}


@pytest.mark.parametrize(
    ("model", "place"),
    [
        ("acme/llama", ("/v1/models/acme/llama/predictions", {})),
        ("acme/a b?c", ("/v1/models/acme/a%20b%3Fc/predictions", {})),
        ("acme/llama:abc", ("/v1/predictions", {"version": "abc"})),
        ("5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa",
         ("/v1/predictions", {"version": "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"})),
        ("deployments/acme/ours", ("/v1/deployments/acme/ours/predictions", {})),
    ],
)  # fmt: skip
def test_where_a_model_is(model, place):
    assert place_of(model) == place


@pytest.mark.parametrize("model", ["a/b/c", "a/", "/b", "a//b", "deployments/a/"])
def test_what_is_no_model(model):
    with pytest.raises(ModelMissing, match="is no model: write owner/name"):
        place_of(model)
