"""An answer from the cache is the answer that was given, to the official client and in every vendor's accent."""

import json
from itertools import count
from typing import Any

import pytest

from tests.contract.cases import EVERYBODY
from tests.contract.test_openai_sdk import ARGUMENTS, ONE_ANSWER, SCHEMA, WEATHER

_serial = count()
# By name: what is asked for, beside its words.
ASKED: dict[str, dict[str, Any]] = {
    "text": {},
    "long": {},
    "tools": {"tools": [WEATHER]},
    "two": {"n": 2},
    "schema": {"response_format": SCHEMA},
}
# Who does not take it is answered for by another one, and what stands in for somebody is not kept.
LACKING = {"two": {*ONE_ANSWER, "ollama", "replicate"}, "schema": {"replicate"}, "tools": {"replicate"}}
CASES = [
    pytest.param(provider, name, id=f"{provider}-{name}")
    for provider in EVERYBODY
    for name in ASKED
    if provider not in LACKING.get(name, ())
]


@pytest.fixture
def ask(request, gateways, sdk):
    """Asks the provider of the test, at temperature 0; gives the client's completion and where it came from."""
    case = request.node.callspec.params
    client = sdk(gateways("quick", case["provider"]))
    words = f"What is the weather like, {next(_serial)}?" + (
        " At length, please." * 60 if case["name"] == "long" else ""
    )
    body = {
        "model": f"{case['provider']}/auto", "messages": [{"role": "user", "content": words}], "temperature": 0,
        **ASKED[case["name"]],
    }  # fmt: skip

    def whole(cache="on"):
        raw = client.chat.completions.with_raw_response.create(**body, extra_body={"cache": cache})
        return raw.parse(), raw.headers["x-patchbay-cache"]

    def streamed(cache="on"):
        options = {"include_usage": True}
        with client.chat.completions.stream(**body, stream_options=options, extra_body={"cache": cache}) as stream:
            for _ in stream:
                pass
            return stream.get_final_completion(), stream._response.headers["x-patchbay-cache"]

    return {"whole": whole, "stream": streamed}


def called(message):
    return [(one.type, one.function.name, json.loads(one.function.arguments)) for one in message.tool_calls or ()]


def said(completion):
    """What it says, without the ids of one call and without what is empty."""
    return [
        {
            "content": choice.message.content or None,
            "thought": getattr(choice.message, "reasoning_content", None),
            "calls": called(choice.message),
            "finish": choice.finish_reason,
        }
        for choice in sorted(completion.choices, key=lambda choice: choice.index)
    ]


@pytest.mark.parametrize(("provider", "name"), CASES)
@pytest.mark.parametrize(("first", "second"), [("stream", "whole"), ("whole", "stream"), ("stream", "stream")])
def test_what_was_said_is_said_again(ask, provider, name, first, second):
    given, _ = ask["whole"]("off")
    made, miss = ask[first]()
    again, hit = ask[second]()
    assert (miss, hit) == ("miss", "hit")
    assert said(made) == said(again) == said(given)
    assert again.id == made.id and again.model == made.model == given.model and again.created == made.created
    assert again.object == "chat.completion"
    assert again.usage is not None and again.usage.total_tokens == given.usage.total_tokens
    if name == "tools":
        assert [call[2] for call in said(again)[0]["calls"]] == [ARGUMENTS]
        assert [call.id for call in again.choices[0].message.tool_calls] == [
            call.id for call in made.choices[0].message.tool_calls
        ]
    assert len(again.choices) == (2 if name == "two" else 1)
    assert again.model_extra["simulated"] is True
