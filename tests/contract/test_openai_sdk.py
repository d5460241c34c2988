"""The official client takes us for the real thing."""

import json
from typing import Any

import openai
import pytest

from tests.contract.cases import EVERYBODY, PROVIDERS
from tests.harness import HELLO

MESSAGES: Any = HELLO["messages"]
PIXEL = "data:image/png;base64,iVBORw0KGgo="  # eight bytes
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "minLength": 20}, "days": {"type": "integer", "minimum": 3}},
            "required": ["city", "days"],
        },
    },
}
ARGUMENTS = {"city": "simulated...........", "days": 3}
SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "person",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 18}},
            "required": ["name", "age"],
            "additionalProperties": False,
        },
    },
}

FULL = tuple(name for name in EVERYBODY if name not in {"ollama", "replicate"})  # no tool_choice, and no tools
each_provider = pytest.mark.parametrize("provider", FULL)
forcing_provider = pytest.mark.parametrize("provider", [name for name in FULL if name != "anthropic"])
ONE_ANSWER = {"anthropic", "groq", "deepseek", "cohere"}


@pytest.fixture
def client(request, gateways, sdk):
    """At the server that has the provider of the test."""
    given = getattr(request.node, "callspec", None)
    return sdk(gateways("quick", given.params.get("provider", "") if given else ""))


def attempts(error: openai.APIError) -> list[str]:
    """Whom we tried, by the body that the client keeps."""
    body: Any = error.body
    return [one["provider"] for one in body["attempts"]]


def said(chunks):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


@each_provider
def test_plain(client, provider):
    answer = client.chat.completions.create(model=f"{provider}/auto", messages=MESSAGES)
    assert answer.object == "chat.completion"
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    assert choice.message.role == "assistant"
    assert choice.message.content == f'Simulated answer from {provider} ({answer.model}): you said "Hello".'
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@each_provider
def test_several_choices(client, provider):
    answer = client.chat.completions.create(model=f"{provider}/auto", messages=MESSAGES, n=2)
    assert [choice.index for choice in answer.choices] == ([0] if provider in ONE_ANSWER else [0, 1])


@each_provider
@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False}}], ids=["unsaid", "refused"])
def test_stream_without_usage(client, provider, options):
    chunks = list(client.chat.completions.create(model=f"{provider}/auto", messages=MESSAGES, stream=True, **options))
    assert said(chunks) == f'Simulated answer from {provider} ({chunks[-1].model}): you said "Hello".'
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert not [chunk for chunk in chunks if chunk.usage and not chunk.choices]


@each_provider
def test_stream_with_usage(client, provider):
    chunks = list(
        client.chat.completions.create(
            model=f"{provider}/auto", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
    )
    assert said(chunks).startswith(f"Simulated answer from {provider} ")
    (counted,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert chunks[-1].usage == counted
    plain = client.chat.completions.create(model=f"{provider}/auto", messages=MESSAGES)
    assert counted == plain.usage


@forcing_provider
@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}], ids=str)
def test_tools_plain(client, provider, choice):
    answer = client.chat.completions.create(
        model=f"{provider}/auto", messages=MESSAGES, tools=[WEATHER], tool_choice=choice
    )
    (picked,) = answer.choices
    assert picked.finish_reason == "tool_calls"
    assert picked.message.content is None
    (call,) = picked.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == ARGUMENTS


@forcing_provider
def test_tools_stream(client, provider):
    chunks = list(
        client.chat.completions.create(
            model=f"{provider}/auto", messages=MESSAGES, tools=[WEATHER], tool_choice="required", stream=True
        )
    )
    pieces = [call for chunk in chunks for c in chunk.choices for call in c.delta.tool_calls or ()]
    assert [piece.function.name for piece in pieces if piece.function and piece.function.name] == ["weather"]
    assert len({piece.id for piece in pieces if piece.id}) == 1
    shreds = [piece.function.arguments or "" for piece in pieces if piece.function]
    assert len(shreds) > 3 or provider == "gemini"  # which gives each call at once
    assert json.loads("".join(shreds)) == ARGUMENTS
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["tool_calls"]


@forcing_provider
def test_a_tool_s_result_comes_back(client, provider):
    asked = client.chat.completions.create(
        model=f"{provider}/auto", messages=MESSAGES, tools=[WEATHER], tool_choice="required"
    )
    message = asked.choices[0].message
    call = message.tool_calls[0]
    answer = client.chat.completions.create(
        model=f"{provider}/auto",
        messages=[*MESSAGES, message, {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}],
        tools=[WEATHER],
    )
    assert 'the tool returned "12 degrees"' in answer.choices[0].message.content


@pytest.mark.parametrize(
    ("provider", "answers"),
    [
        ("azure", "azure"),
        ("openai", "openai"),
        ("together", "together"),  # by another model than its default, which has no eyes
        ("deepseek", "deepseek"),
        ("anthropic", "anthropic"),
        ("groq", "groq"),
        ("local", "anthropic"),  # its model has none either, and is its owner's choice
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_image_parts(client, provider, answers, stream):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    answer = client.chat.completions.create(
        model=f"{provider}/auto", messages=[{"role": "user", "content": content}], stream=stream
    )
    text = said(answer) if stream else answer.choices[0].message.content
    assert text.startswith(f"Simulated answer from {answers} ")
    assert text.endswith('you said "What is this?". I was given 1 image: image/png of 8 bytes.')


@pytest.mark.parametrize("provider", EVERYBODY)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_json_schema(client, provider, stream):
    answer = client.chat.completions.create(
        model=f"{provider}/auto", messages=MESSAGES, response_format=SCHEMA, stream=stream
    )
    text = said(answer) if stream else answer.choices[0].message.content
    assert json.loads(text) == {"name": "simulated", "age": 18}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_our_own_fields_go_in_the_extra_body(client, gateway, stream):
    gateway.fault("openai", "500")
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(
            model="auto",
            messages=MESSAGES,
            stream=stream,
            extra_body={"provider": "openai", "fallback": False},
        )
    assert raised.value.status_code == 502
    assert raised.value.type == "all_targets_failed"
    assert attempts(raised.value) == ["openai"] * 3
    gateway.clear()
    sent = gateway.fleet.requests("openai")[-1]
    assert not {"provider", "fallback"} & json.loads(sent.body).keys()


@pytest.mark.parametrize(
    ("model", "provider", "answered"),
    [
        ("auto", "azure", "gpt-5.4-mini"),
        ("together/auto", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ("openai/auto", "openai", "gpt-6-luna"),
        ("gpt-6-luna", "openai", "gpt-6-luna"),
        ("openai/gpt-6-luna", "openai", "gpt-6-luna"),
        ("together/acme/unheard-of", "together", "acme/unheard-of"),
    ],
)
def test_the_model_chooses_who_answers(client, model, provider, answered):
    answer = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    assert (answer.headers["x-patchbay-provider"], answer.headers["x-patchbay-model"]) == (provider, answered)
    assert answer.parse().model == answered
    with client.chat.completions.with_streaming_response.create(model=model, messages=MESSAGES, stream=True) as live:
        assert (live.headers["x-patchbay-provider"], live.headers["x-patchbay-model"]) == (provider, answered)
        assert [chunk.model for chunk in live.parse()][-1] == answered


def test_the_headers_are_the_receipt(client, gateway):
    gateway.fault("azure", "503")
    answer = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES)
    assert answer.headers["x-patchbay-provider"] == "together"
    assert answer.headers["x-patchbay-attempts"] == "2"
    assert answer.headers["x-patchbay-simulated"] == "true"
    assert answer.headers["x-patchbay-cache"] == "off"
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert answer.headers["x-patchbay-cost-usd"] == f"{receipt['cost']['nano_usd'] / 1e9:.9f}"
    assert receipt["route"] == "/v1/chat/completions"


def test_the_headers_of_a_stream_leave_the_cost_to_the_receipt(client, gateway):
    answer = client.chat.completions.with_raw_response.create(model="auto", messages=MESSAGES, stream=True)
    assert answer.headers["x-patchbay-cost-usd"] == "pending"
    assert answer.headers["x-patchbay-attempts"] == "1"
    assert said(answer.parse()).startswith("Simulated")
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert (receipt["outcome"], receipt["stream"]) == ("ok", True)
    assert receipt["cost"]["nano_usd"] > 0


# Errors are the classes that the client has for them.


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_an_unknown_model(client, stream):
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-6-lunna", messages=MESSAGES, stream=stream)
    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")
    assert "gpt-6-luna" in raised.value.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"temperature": "hot"}, "temperature"),
        ({"extra_body": {"provider": "acme"}}, "provider"),
        ({"extra_body": {"fallback": "no"}}, "fallback"),
    ],
    ids=lambda given: given if isinstance(given, str) else None,
)
def test_a_request_that_is_wrong(client, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{"model": "auto", "messages": MESSAGES, **fields})
    assert raised.value.param == param
    assert raised.value.type == "invalid_request_error"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_request_that_the_provider_finds_wrong(client, provider):
    """Its own words, its own parameter, and no second provider."""
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=f"{provider}/auto", messages=MESSAGES, n=9)
    assert raised.value.param == "n"
    assert raised.value.code == "integer_above_max_value"
    assert "expected a value <= 4" in raised.value.message
    assert attempts(raised.value) == [provider]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_everybody_is_at_the_limit(client, gateway, stream):
    for provider in PROVIDERS:
        gateway.fault(provider, "429:35")
    with pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="auto", messages=MESSAGES, stream=stream)
    assert raised.value.response.headers["retry-after"] == "35"
    assert attempts(raised.value) == list(PROVIDERS)
    assert raised.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("400", openai.BadRequestError),
        ("404", openai.NotFoundError),
        ("429:35", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("401", openai.InternalServerError),  # our key, not the caller's
        ("503", openai.InternalServerError),
    ],
)
def test_one_provider_fails(client, gateway, fault, kind):
    gateway.fault("openai", fault)
    with pytest.raises(kind) as raised:
        client.chat.completions.create(
            model="auto", messages=MESSAGES, extra_body={"provider": "openai", "fallback": False}
        )
    assert raised.value.type == "all_targets_failed"
    assert "openai/gpt-6-luna" in raised.value.message


def test_models_can_be_listed_and_named(gateways, sdk):
    gateway = gateways("everybody")
    names = [one.id for one in sdk(gateway).models.list()]
    assert {name.partition("/")[0] for name in names} >= {"openai", "anthropic", "gemini", "cohere"}
    answer = sdk(gateway).chat.completions.create(model="anthropic/claude-haiku-4-5", messages=MESSAGES)
    assert "anthropic/claude-haiku-4-5" in names
    assert answer.choices[0].message.content
