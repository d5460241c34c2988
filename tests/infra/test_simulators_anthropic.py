"""Anthropic's simulator as its official SDK sees it, and what it turns away as the API does."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
import pytest

from infra.local.simulators.fleet import Fleet

NEW, OLD = "2026-10-21", "2023-06-01"
SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
PIXEL: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}}
CUP: Any = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "The reds won the cup."},
    "title": "Cup",
    "citations": {"enabled": True},
}
SCHEMA: Any = {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": False}}
EPHEMERAL = {"type": "ephemeral"}
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}


@asynccontextmanager
async def client(version=NEW, key="sk-ant-any", **more):
    running = Fleet(("anthropic",))
    await running.start()
    try:
        async with httpx2.AsyncClient(trust_env=False) as http:
            headers = {"anthropic-version": version}
            sdk = anthropic.AsyncAnthropic(
                api_key=key, base_url=running.url("anthropic"), max_retries=0, http_client=http,
                default_headers=headers, **more,
            )  # fmt: skip
            yield sdk, running
    finally:
        await running.stop()


def with_client(act, **how):
    async def run():
        async with client(**how) as (sdk, running):
            return await (act(sdk, running) if act.__code__.co_argcount > 1 else act(sdk))

    return asyncio.run(run())


def ask(messages=HELLO, model=SONNET, version=NEW, max_tokens=2000, **options):
    how = {"model": model, "messages": messages, "max_tokens": max_tokens, **options}
    return with_client(lambda sdk: sdk.messages.create(**how), version=version)


def refused(**options):
    with pytest.raises(anthropic.BadRequestError) as raised:
        ask(**options)
    assert raised.value.type == "invalid_request_error"
    body: Any = raised.value.body
    assert raised.value.request_id == body["request_id"]
    return body["error"]["message"]


def user(*blocks):
    return {"role": "user", "content": list(blocks)}


def text(words, **more):
    return {"type": "text", "text": words, **more}


def test_an_answer():
    answer = ask()
    assert (answer.type, answer.role, answer.model, answer.stop_reason) == ("message", "assistant", SONNET, "end_turn")
    (block,) = answer.content
    assert block.text == f'Simulated answer from anthropic ({SONNET}): you said "Hello".'
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 18)
    assert answer._request_id.startswith("req_")
    assert answer.id.startswith("msg_")


def test_a_stream_has_the_documented_order():
    async def act(sdk):
        async with sdk.messages.stream(
            model=HAIKU, messages=[{"role": "user", "content": "get_weather"}], max_tokens=2000, tools=[WEATHER],
            thinking=THINKING,
        ) as stream:  # fmt: skip
            events = [event.type async for event in stream]
            return events, await stream.get_final_message()

    events, message = with_client(act)
    documented = [one for one in events if one in {"message_start", "message_delta", "message_stop"} or "block" in one]
    assert documented[0] == "message_start"
    assert documented[1] == "content_block_start"
    assert documented[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    thought, call = message.content
    assert (thought.thinking, bool(thought.signature)) == ("Simulated thought.", True)
    assert (call.name, call.input) == ("get_weather", {"city": "simulated", "days": 0})
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens_details.thinking_tokens == 5


def test_a_stream_pings_and_adds_up_to_the_answer():
    async def act(sdk):
        how = {"model": SONNET, "max_tokens": 2000, "messages": HELLO}
        async with sdk.messages.stream(**how) as stream:
            words = [piece async for piece in stream.text_stream]
            whole = await stream.get_final_message()
        raw = await sdk._client.post(
            f"{sdk.base_url}/v1/messages", json={**how, "stream": True},
            headers={"x-api-key": "k", "anthropic-version": NEW},
        )  # fmt: skip
        return words, whole, await sdk.messages.create(**how), raw.text

    words, whole, plain, raw = with_client(act)
    assert "".join(words) == whole.content[0].text == plain.content[0].text
    assert whole.usage.output_tokens == plain.usage.output_tokens
    assert raw.split("\n")[0] == "event: message_start"
    assert raw.count('event: ping\ndata: {"type":"ping"}\n\n') == 1


def loop(thinking=None, **call):
    """A conversation that is at the result of a tool."""
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}, **call}
    blocks = [*([thinking] if thinking else []), block]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 degrees"}
    return [user(text("get_weather")), {"role": "assistant", "content": blocks}, user(result)]


def test_a_loop_of_tools_with_thinking():
    async def act(sdk):
        how = {"model": HAIKU, "max_tokens": 2000, "tools": [WEATHER], "thinking": THINKING}
        first = await sdk.messages.create(messages=[user(text("get_weather"))], **how)
        result = {"type": "tool_result", "tool_use_id": first.content[1].id, "content": [text("12"), PIXEL]}
        said = [user(text("get_weather")), {"role": "assistant", "content": first.content}, user(result)]
        return await sdk.messages.create(messages=said, **how)

    assert 'the tool returned "12"' in with_client(act).content[1].text


def test_without_its_thought_a_loop_is_refused():
    how = {"model": HAIKU, "tools": [WEATHER], "thinking": THINKING}
    assert "Expected `thinking`" in refused(messages=loop(), **how)
    changed = {"type": "thinking", "thinking": "Other words.", "signature": "sim00"}
    assert "Invalid `signature`" in refused(messages=loop(changed), **how)
    assert ask(messages=loop(), model=HAIKU, tools=[WEATHER]).stop_reason == "end_turn"


@pytest.mark.parametrize("spoiled", ["swapped", "joined", "dropped"])
def test_a_turn_that_thinks_in_steps_comes_back_unchanged(spoiled):
    """But for texts of blanks, which are refused themselves."""

    async def act(sdk):
        how = {"model": HAIKU, "max_tokens": 2000, "tools": [WEATHER], "thinking": THINKING}
        ask = user(text("get_weather in steps"))
        first = await sdk.messages.create(messages=[ask], **how)
        blocks = [one for one in first.content if one.type != "text" or one.text.strip()]
        result = user({"type": "tool_result", "tool_use_id": first.content[-1].id, "content": "12"})
        said = [ask, {"role": "assistant", "content": blocks}, result]
        assert (await sdk.messages.create(messages=said, **how)).stop_reason == "end_turn"
        head, words, second, third, more, last, call = blocks
        said[1]["content"] = {
            "swapped": [head, second, words, third, more, last, call],
            "joined": [head, text(words.text + more.text), second, third, last, call],
            "dropped": [head, second, third, last, call],
        }[spoiled]
        with pytest.raises(anthropic.BadRequestError, match="cannot be modified"):
            await sdk.messages.create(messages=said, **how)
        return [one.type for one in first.content]

    kinds = "thinking text thinking text thinking text thinking tool_use"
    assert with_client(act) == kinds.split()


def test_it_sees_pictures_and_cites_documents():
    far = {"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}
    answer = ask([user(CUP, PIXEL, far, text("Who won?"))])
    (block,) = answer.content
    assert "I was given 2 images: image/png of 5 bytes, https://a.example/b." in block.text
    (place,) = block.citations
    assert (place.type, place.document_index, place.document_title) == ("char_location", 0, "Cup")
    assert CUP["source"]["data"][place.start_char_index : place.end_char_index] == place.cited_text


def test_a_schema():
    age = {"type": "integer", "description": "Age\n\n{minimum: 18}"}
    schema: Any = {"type": "object", "properties": {"n": age}, "required": ["n"], "additionalProperties": False}
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    assert ask(output_config=wanted).content[0].text == '{"n":18}'
    del schema["additionalProperties"]
    assert "additionalProperties" in refused(output_config=wanted)


def test_stops_and_limits():
    assert ask(max_tokens=2).stop_reason == "max_tokens"
    answer = ask(stop_sequences=["you said"])
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "you said")
    assert answer.content[0].text.endswith("): ")


def test_the_cache_is_counted():
    system = [text("a" * 400, cache_control=EPHEMERAL)]
    usage = ask(system=system).usage
    assert usage.cache_creation_input_tokens == usage.cache_creation.ephemeral_5m_input_tokens > 90
    assert usage.cache_read_input_tokens == 0
    more = [user(text("b" * 400, cache_control={**EPHEMERAL, "ttl": "1h"}), text("Hello"))]
    again = ask(more, system=system).usage
    assert again.cache_read_input_tokens == usage.cache_creation_input_tokens
    assert again.cache_creation.ephemeral_1h_input_tokens == again.cache_creation_input_tokens > 90
    assert again.input_tokens + again.cache_read_input_tokens + again.cache_creation_input_tokens == 202


def test_tokens_are_counted_and_models_listed():
    async def act(sdk):
        counted = await sdk.messages.count_tokens(model=SONNET, messages=HELLO, system="Be brief.")
        return counted.input_tokens, [model async for model in sdk.models.list()]

    count, listed = with_client(act)
    assert count == 4
    assert [model.id for model in listed][:2] == [SONNET, "claude-opus-5-5"]
    assert listed[0].lifecycle == "active"
    assert listed[0].max_tokens == 128_000


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"extra_body": {"temperature": 1}}, "temperature: Extra inputs are not permitted"),
        ({"extra_body": {"temperature": 0.5}, "version": OLD}, "`temperature` is deprecated for this model."),
        ({"extra_body": {"n": 2}}, "n: Extra inputs are not permitted"),
        ({"version": "2020-01-01"}, "is not a valid version"),
        ({"max_tokens": 500_000, "timeout": 9}, "which is the maximum allowed number of output tokens"),
        ({"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model.'),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, '"thinking.type.enabled" is not supported'),
        ({"model": HAIKU, "thinking": {"type": "adaptive"}}, '"thinking.type.adaptive" is not supported'),
        ({"model": HAIKU, "thinking": {**THINKING, "budget_tokens": 5000}}, "`max_tokens` must be greater"),
        ({"tools": [WEATHER], "tool_choice": {"type": "any"}}, "tool_choice forces tool use is not compatible"),
        (
            {"model": HAIKU, "tools": [WEATHER], "tool_choice": {"type": "any"}, "thinking": THINKING},
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        ({"tools": [{**WEATHER, "name": "a b"}]}, "tools.0.custom.name"),
        ({"output_config": {"effort": "high"}, "model": HAIKU}, "does not support effort level"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "Hi"}]}, "does not support assistant message prefill"),
        ({"messages": [{"role": "assistant", "content": "Hi"}, *HELLO]}, 'first message must use the "user" role'),
        ({"messages": [user(text(""))]}, "text content blocks must be non-empty"),
        ({"messages": []}, 'first message must use the "user" role'),
        ({"messages": loop()[:2] + HELLO}, "without `tool_result` blocks immediately after: toolu_1"),
        ({"messages": loop()[2:]}, "unexpected `tool_use_id`"),
        ({"messages": loop(id="functions.f:0")}, "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
        (
            {"messages": [user(CUP, text("Who?"))], "output_config": {"format": SCHEMA}},
            "citations cannot be enabled together with structured outputs",
        ),
        ({"messages": [user({**PIXEL, "source": {**PIXEL["source"], "media_type": "image/tiff"}})]}, "media_type"),
        ({"messages": [user(text("a", cache_control=EPHEMERAL))] * 5}, "A maximum of 4 blocks with cache_control"),
        ({"messages": [user(text("a", citations=[{}]))]}, "citations: Extra inputs are not permitted"),
    ],
)
def test_what_is_refused(how, words):
    assert words in refused(**how)


def test_sampling_in_the_old_version_of_an_old_model():
    answer = ask(model=HAIKU, version=OLD, extra_body={"temperature": 0.5})
    assert answer.content[0].text.startswith("Simulated")
    assert ask(model=HAIKU, messages=[*HELLO, {"role": "assistant", "content": "Hi"}]).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("fault", "raised", "kind"),
    [
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("402", anthropic.PaymentRequiredError, "billing_error"),
        ("404", anthropic.NotFoundError, "not_found_error"),
        ("413", anthropic.ContentTooLargeError, "request_too_large"),
        ("429:2", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("529", anthropic.OverloadedError, "overloaded_error"),
    ],
)
def test_faults_in_the_vendor_s_words(fault, raised, kind):
    async def act(sdk, running):
        await running.fault("anthropic", fault)
        with pytest.raises(raised) as error:
            await sdk.messages.create(model=SONNET, messages=HELLO, max_tokens=9)
        return error.value

    error = with_client(act)
    assert error.type == kind
    if error.status_code == 429:
        headers = error.response.headers
        assert headers["retry-after"] == "2"
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"


@pytest.mark.parametrize(
    ("fault", "raised"), [("stream_error", anthropic.APIStatusError), ("cut_stream", httpx2.RemoteProtocolError)]
)
def test_a_stream_that_fails(fault, raised):
    async def act(sdk, running):
        await running.fault("anthropic", fault)
        async with sdk.messages.stream(model=SONNET, messages=HELLO, max_tokens=99) as stream:
            words = aiter(stream.text_stream)
            said = [await anext(words) for _ in range(3)]
            with pytest.raises(raised):
                await anext(words)
        return said

    assert with_client(act) == ["Simulated ", "answer ", "from "]


def test_either_header_carries_the_key():
    async def act(sdk):
        url = f"{sdk.base_url}/v1/models"
        keys: Any = ({"x-api-key": "k"}, {"authorization": "Bearer k"}, {})
        return [(await sdk._client.get(url, headers=one)).status_code for one in keys]

    assert with_client(act) == [200, 200, 401]
