"""What lies inside a chat body is looked at once, before anybody translates it."""

import pytest

from core.errors import BadRequest
from core.wire.chat import chat_facts

HI = [{"role": "user", "content": "Hi"}]
NOW = {"type": "function", "function": {"name": "now"}}
CALL = {"id": "c", **NOW}


def told(**fields):
    return {"messages": [*HI, {"role": "assistant", "content": None, **fields}]}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": HI, "tools": [{"type": 5}]}, "tools[0].type"),
        ({"messages": HI, "tools": [NOW, {"type": "function"}]}, "tools[1].function"),
        ({"messages": HI, "tools": [{"type": "function", "function": "now"}]}, "tools[0].function"),
        ({"messages": HI, "tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        (
            {"messages": HI, "tools": [{"function": {"name": "now", "parameters": "any"}}]},
            "tools[0].function.parameters",
        ),
        ({"messages": HI, "tools": [NOW], "tool_choice": {}}, "tool_choice.type"),
        ({"messages": HI, "tools": [NOW], "tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"messages": HI, "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        (
            {"messages": HI, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"tools": ["now"]}}},
            "tool_choice.allowed_tools.tools[0]",
        ),
        ({"messages": HI, "thinking": {"budget_tokens": "all"}}, "thinking.budget_tokens"),
        (told(tool_calls=["now"]), "messages[1].tool_calls[0]"),
        (told(tool_calls=[NOW]), "messages[1].tool_calls[0].id"),
        (told(tool_calls=[{"id": "c"}]), "messages[1].tool_calls[0].function"),
        (told(tool_calls=[{"id": "c", "function": {"name": "now", "arguments": {}}}]),
         "messages[1].tool_calls[0].function.arguments"),
        (told(tool_calls=[{**CALL, "extra_content": {"google": "x"}}]),
         "messages[1].tool_calls[0].extra_content.google"),
        (told(reasoning_content=5), "messages[1].reasoning_content"),
        (told(reasoning_details=["x"]), "messages[1].reasoning_details[0]"),
        (told(reasoning_details=[{"data": 5}]), "messages[1].reasoning_details[0].data"),
        ({"messages": [{"role": "user", "content": [{"type": "refusal"}]}]}, "messages[0].content[0].refusal"),
    ],
)  # fmt: skip
def test_another_shape_is_the_caller_s_mistake(body, param):
    with pytest.raises(BadRequest) as caught:
        chat_facts(body)
    assert (caught.value.param, caught.value.code) == (param, "invalid_type")


@pytest.mark.parametrize(
    "body",
    [
        {"messages": HI, "tools": [NOW, {"type": "custom", "custom": {"name": "a"}}], "tool_choice": NOW},
        {"messages": HI, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NOW]}}},
        {"messages": HI, "thinking": {"type": "enabled", "budget_tokens": 5}},
        told(tool_calls=[{**CALL, "extra_content": {"google": {"thought_signature": "x"}}}]),
        told(tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "a", "input": "b"}}]),
        told(content="x", reasoning_content=None, reasoning_details=[{"type": "reasoning.text", "text": None}]),
    ],
)
def test_what_is_as_it_should_be_passes(body):
    assert chat_facts(body).messages
