"""The simulators as the vendors' own SDK sees them."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from infra.local.simulators.fleet import Fleet, Waits

MODEL = "gpt-5.4-mini"
HELLO = [{"role": "user", "content": "Hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 1},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
PIXEL = "data:image/png;base64,aGVsbG8="
ALL = (
    "openai", "azure", "azure classic", "together", "ollama", "groq", "deepseek", "huggingface", "local",
)  # fmt: skip
WITHOUT_SCHEMAS = "deepseek"
WITHOUT_ID = ("ollama", "deepseek")  # under the name that the SDK looks for
STOP = {"together": "eos"}
PATHS = {"azure": "/openai/v1", "groq": "/openai/v1", "deepseek": ""}


@asynccontextmanager
async def fleet(*names, **settings):
    running = Fleet(names or ("azure", "together", "openai", "ollama"), **settings)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def client(running, kind, key="sk-any"):
    """The official client in the way that a vendor's users build it."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        root = running.url(kind.split()[0])
        if kind == "azure classic":
            yield AsyncAzureOpenAI(
                api_key=key, azure_endpoint=root, api_version="2024-10-21", max_retries=0, http_client=http
            )
        else:
            yield AsyncOpenAI(api_key=key, base_url=root + PATHS.get(kind, "/v1"), max_retries=0, http_client=http)


def with_client(kind, act, **settings):
    async def run():
        async with fleet(kind.split()[0], **settings) as running, client(running, kind) as sdk:
            return await act(sdk)

    return asyncio.run(run())


def chat(kind, messages=HELLO, model=MODEL, **options):
    return with_client(kind, lambda sdk: sdk.chat.completions.create(model=model, messages=messages, **options))


def chunks(kind, messages=HELLO, model=MODEL, **options):
    async def act(sdk):
        stream = await sdk.chat.completions.create(model=model, messages=messages, stream=True, **options)
        return [chunk async for chunk in stream]

    return with_client(kind, act)


def said(stream, index=0):
    deltas = [c.delta for chunk in stream for c in chunk.choices if c.index == index]
    return "".join(delta.content or "" for delta in deltas)


@pytest.mark.parametrize("kind", ALL)
def test_chat(kind):
    answer = chat(kind)
    vendor = kind.split()[0]
    assert answer.choices[0].message.content == f'Simulated answer from {vendor} ({MODEL}): you said "Hello".'
    assert answer.choices[0].finish_reason == STOP.get(kind, "stop")
    assert answer.model == MODEL
    assert answer.usage.prompt_tokens == 2
    details = answer.usage.completion_tokens_details
    thought = details.reasoning_tokens if details else 0
    assert answer.usage.completion_tokens == -(-len(answer.choices[0].message.content) // 4) + thought
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert (answer._request_id is None) == (vendor in WITHOUT_ID)


@pytest.mark.parametrize("kind", ALL)
def test_stream_says_what_the_whole_answer_says(kind):
    stream = chunks(kind, stream_options={"include_usage": True})
    whole = chat(kind)
    assert said(stream) == whole.choices[0].message.content
    first = next(chunk for chunk in stream if chunk.choices)
    assert first.choices[0].delta.role == "assistant"
    ends = [c.finish_reason for chunk in stream for c in chunk.choices if c.finish_reason]
    assert ends == [STOP.get(kind, "stop")]
    counted = [chunk for chunk in stream if chunk.usage]
    assert [chunk.usage for chunk in counted] == [whole.usage]
    assert counted == stream[-1:]
    assert bool(counted[0].choices) == (kind == "together")


@pytest.mark.parametrize("kind", ALL)
def test_usage_in_a_stream_only_when_asked_for(kind):
    stream = chunks(kind)
    assert any(chunk.usage for chunk in stream) == (kind == "together")


def test_azure_stream_begins_without_choices():
    for kind in ("azure", "azure classic"):
        first, second, *_ = chunks(kind)
        assert first.choices == []
        assert first.model_extra["prompt_filter_results"][0]["prompt_index"] == 0
        assert second.choices[0].model_extra["content_filter_results"] == {}
    answer = chat("azure")
    assert answer.choices[0].model_extra["content_filter_results"]["hate"]["severity"] == "safe"


def test_openai_stream_shows_usage_as_null_and_obfuscates():
    stream = chunks("openai", stream_options={"include_usage": True})
    assert all("usage" in chunk.model_fields_set for chunk in stream)
    assert stream[1].obfuscation
    plain = chunks("openai", stream_options={"include_obfuscation": False})
    assert not any(chunk.obfuscation or "usage" in chunk.model_fields_set for chunk in plain)


@pytest.mark.parametrize("kind", ALL)
def test_tool_call_whose_arguments_fit_the_schema(kind):
    words = [{"role": "user", "content": "Use get_weather please"}]
    answer = chat(kind, words, tools=[TIME, WEATHER])
    [call] = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "simulated", "unit": "celsius", "days": 1}
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny, 21 degrees"}
    after = chat(kind, [*words, answer.choices[0].message.model_dump(exclude_none=True), result], tools=[WEATHER])
    assert 'the tool returned "Sunny, 21 degrees"' in after.choices[0].message.content


@pytest.mark.parametrize("kind", ALL)
def test_tool_calls_in_a_stream_come_in_pieces(kind):
    words = [{"role": "user", "content": "get_weather and get_time"}]
    stream = chunks(kind, words, tools=[WEATHER, TIME])
    calls = {}
    for delta in (call for chunk in stream for c in chunk.choices for call in c.delta.tool_calls or ()):
        if delta.id:
            assert delta.index not in calls
            calls[delta.index] = [delta.id, delta.function.name, ""]
        calls[delta.index][2] += delta.function.arguments
    whole = chat(kind, words, tools=[WEATHER, TIME]).choices[0].message.tool_calls
    assert [tuple(call) for call in calls.values()] == [
        (call.id, call.function.name, call.function.arguments) for call in whole
    ]
    assert [c.finish_reason for chunk in stream for c in chunk.choices if c.finish_reason] == ["tool_calls"]


def test_tool_choice():
    assert chat("openai", tools=[WEATHER]).choices[0].message.tool_calls is None
    required = chat("openai", tools=[WEATHER, TIME], tool_choice="required").choices[0].message
    assert [call.function.name for call in required.tool_calls] == ["get_weather"]
    named = {"type": "function", "function": {"name": "get_time"}}
    assert chat("openai", tools=[WEATHER, TIME], tool_choice=named).choices[0].message.tool_calls[0].function.name == (
        "get_time"
    )
    both = [{"role": "user", "content": "get_weather and get_time"}]
    options = {"tools": [WEATHER, TIME]}
    assert len(chat("openai", both, parallel_tool_calls=False, **options).choices[0].message.tool_calls) == 1
    assert chat("openai", both, tool_choice="none", **options).choices[0].message.tool_calls is None


@pytest.mark.parametrize("kind", ALL)
def test_images_are_mentioned(kind):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
    ]
    text = chat(kind, [{"role": "user", "content": parts}]).choices[0].message.content
    assert 'you said "What is this?"' in text
    assert "2 images: image/png of 5 bytes, image/png of 5 bytes" in text


def test_json_answers():
    answer = chat("openai", response_format={"type": "json_object"}).choices[0].message.content
    assert json.loads(answer)["provider"] == "openai"
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": True}}
    for kind in set(ALL) - {WITHOUT_SCHEMAS}:
        assert json.loads(chat(kind, response_format=wanted).choices[0].message.content) == {"ok": True}
        assert json.loads(said(chunks(kind, response_format=wanted))) == {"ok": True}


def test_limits_and_stops():
    for options in ({"max_completion_tokens": 3}, {"max_tokens": 3, "model": "gpt-4.1-mini"}):
        short = chat("openai", **options)
        assert short.choices[0].finish_reason == "length"
        assert short.usage.completion_tokens == 3
        assert len(short.choices[0].message.content) == 12
    called = chat("openai", tools=[WEATHER], tool_choice="required", max_completion_tokens=5)
    assert called.choices[0].finish_reason == "length"
    assert called.usage.completion_tokens == 5
    stopped = chat("openai", stop=["never", ":"])
    assert stopped.choices[0].message.content == f"Simulated answer from openai ({MODEL})"
    assert stopped.choices[0].finish_reason == "stop"


def test_several_choices():
    answer = chat("openai", n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    stream = chunks("openai", n=3)
    assert [said(stream, i) for i in range(3)] == [choice.message.content for choice in answer.choices]
    assert len({choice.message.content for choice in answer.choices}) == 3
    assert len(chat("ollama", n=3).choices) == 1


def test_models():
    for kind in set(ALL) - {"together"}:
        page = with_client(kind, lambda sdk: sdk.models.list())
        assert len(page.data) > 1
        assert all(model.object == "model" for model in page.data)

    async def native():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False) as http:
            key = {"authorization": "Bearer k"}
            bare = (await http.get(running.url("together") + "/v1/models", headers=key)).json()
            names = (await http.get(running.url("ollama") + "/api/tags")).json()
            version = (await http.get(running.url("ollama") + "/api/version")).json()
            return bare, names, version

    bare, names, version = asyncio.run(native())
    assert bare[0]["pricing"]["input"] > 0
    assert ":" in names["models"][0]["name"]
    assert version["version"]


STATUSES = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (402, openai.APIStatusError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (408, openai.APIStatusError),
    (413, openai.APIStatusError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
    (529, openai.InternalServerError),
]


@pytest.mark.parametrize("kind", ALL)
def test_statuses_are_errors_of_the_sdk(kind):
    async def run():
        vendor = kind.split()[0]
        async with fleet(vendor) as running, client(running, kind) as sdk:
            for status, expected in STATUSES:
                await running.fault(vendor, str(status))
                with pytest.raises(expected) as raised:
                    await sdk.chat.completions.create(model=MODEL, messages=HELLO)
                assert raised.value.status_code == status
                assert bool(raised.value.request_id) == (vendor not in WITHOUT_ID)
                body = raised.value.body
                assert isinstance(body, str if vendor == "huggingface" else dict)
                assert body if isinstance(body, str) else body["message"]
                await running.clear(vendor)
            await sdk.chat.completions.create(model=MODEL, messages=HELLO)

    asyncio.run(run())


def test_errors_speak_each_vendors_words():
    async def codes(running, kind, status):
        vendor = kind.split()[0]
        await running.fault(vendor, str(status))
        async with client(running, kind) as sdk:
            with pytest.raises(openai.APIStatusError) as raised:
                await sdk.chat.completions.create(model=MODEL, messages=HELLO)
        await running.clear()
        return raised.value

    async def run():
        async with fleet() as running:
            assert (await codes(running, "openai", 401)).code == "invalid_api_key"
            assert (await codes(running, "openai", 404)).code == "model_not_found"
            limited = await codes(running, "openai", "429:2.5")
            assert limited.code == "rate_limit_exceeded"
            assert limited.response.headers["retry-after"] == "2.5"
            assert limited.response.headers["retry-after-ms"] == "2500"
            assert limited.response.headers["x-ratelimit-remaining-requests"] == "0"
            assert (await codes(running, "azure", 404)).code == "DeploymentNotFound"
            azure = await codes(running, "azure classic", "429:1")
            assert azure.code == "429"
            assert azure.response.headers["retry-after-ms"] == "1000"
            assert azure.request_id == azure.response.headers["apim-request-id"]
            together = await codes(running, "together", "429:1")
            assert together.response.headers["retry-after"] == "1"
            assert "retry-after-ms" not in together.response.headers
            assert "retry-after" not in (await codes(running, "together", 429)).response.headers
            assert (await codes(running, "ollama", 404)).type == "not_found_error"

    asyncio.run(run())


NO_KING = [{"role": "king", "content": "hi"}]
NO_PART = [{"role": "user", "content": [3]}]
NO_CALL = [{"role": "tool", "tool_call_id": "x", "content": ""}]
SHOWN = [
    {
        "role": "assistant",
        "tool_calls": [{"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {
        "role": "tool",
        "tool_call_id": "x",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aa"}}],
    },
]
NO_LIST = [{"role": "assistant", "tool_calls": 5}]
FAR_IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
REJECTED = [
    ("openai", {"shape": 1}, "unknown_parameter", "shape"),
    ("azure", {"shape": 1}, "unknown_parameter", "shape"),
    (
        "openai",
        {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "b"}]},
        "unknown_parameter",
        "messages[0].reasoning_content",
    ),
    (
        "azure",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}]},
        "unknown_parameter",
        "messages[0].content[0].cache_control",
    ),
    (
        "openai",
        {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {}}]},
        "unknown_parameter",
        "tools[0].cache_control",
    ),
    ("openai", {"model": None}, "missing_required_parameter", "model"),
    ("azure", {"messages": None}, "missing_required_parameter", "messages"),
    ("openai", {"messages": "hi"}, "invalid_type", "messages"),
    ("openai", {"messages": []}, "empty_array", "messages"),
    ("openai", {"messages": NO_KING}, "invalid_value", "messages[0].role"),
    ("openai", {"messages": [{"role": "user"}]}, "invalid_type", "messages[0].content"),
    ("together", {"messages": NO_PART}, "invalid_value", "messages[0].content[0].type"),
    ("openai", {"messages": NO_CALL}, None, "messages[0].role"),
    ("openai", {"messages": SHOWN}, "invalid_value", "messages[1].content[0]"),
    ("openai", {"messages": NO_LIST}, "invalid_type", "messages[0].tool_calls"),
    ("together", {"temperature": "hot"}, "invalid_type", "temperature"),
    ("together", {"temperature": 3}, "decimal_above_max_value", "temperature"),
    ("openai", {"stream": 1}, "invalid_type", "stream"),
    ("openai", {"n": 5}, "integer_above_max_value", "n"),
    ("openai", {"max_completion_tokens": 0}, "integer_below_min_value", "max_completion_tokens"),
    ("openai", {"stop": ["1", "2", "3", "4", "5"]}, "invalid_value", "stop"),
    ("openai", {"stream_options": {"include_usage": True}}, None, "stream_options"),
    ("openai", {"tools": [{}]}, "missing_required_parameter", "tools[0].type"),
    ("openai", {"tool_choice": "required"}, None, "tool_choice"),
    ("openai", {"response_format": {"type": "xml"}}, "invalid_value", "response_format.type"),
    ("openai", {"max_tokens": 9}, "unsupported_parameter", "max_tokens"),
    ("azure", {"max_tokens": 9}, "unsupported_parameter", "max_tokens"),
    ("openai", {"temperature": 0.2}, "unsupported_value", "temperature"),
    ("azure", {"top_p": 0.2}, "unsupported_value", "top_p"),
    ("openai", {"logprobs": True}, "unsupported_parameter", "logprobs"),
    ("ollama", {"messages": FAR_IMAGE}, None, "messages[0].content[0].image_url.url"),
]


@pytest.mark.parametrize(("vendor", "change", "code", "param"), REJECTED)
def test_bad_requests_name_the_parameter(vendor, change, code, param):
    async def run():
        body = {"model": MODEL, "messages": HELLO, **change}
        async with fleet(vendor) as running, httpx2.AsyncClient(trust_env=False) as http:
            prefix = "/openai/v1" if vendor == "azure" else "/v1"
            return await http.post(
                f"{running.url(vendor)}{prefix}/chat/completions",
                headers={"authorization": "Bearer k"},
                content=json.dumps({k: v for k, v in body.items() if v is not None}),
            )

    answer = asyncio.run(run())
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert (error["code"], error["param"]) == (code, param)


def test_what_some_vendors_let_pass():
    assert chat("together", extra_body={"top_k": 5, "shape": 1}, temperature=0.2, max_tokens=9).choices
    assert chat("openai", model="gpt-4.1-mini", temperature=0.2, max_tokens=9).choices
    assert chat("openai", temperature=1, reasoning_effort="low").choices
    assert chat("openai", temperature=0.2, reasoning_effort="none").choices
    assert chat("azure", extra_body={"data_sources": []}).choices


def test_every_parameter_the_sdk_knows_is_known():
    from openai.types.chat import completion_create_params as params

    from infra.local.simulators.checks import PARAMETERS

    assert frozenset(params.CompletionCreateParamsBase.__annotations__) | {"stream"} == PARAMETERS


def test_requests_that_cannot_be_read():
    async def run():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False) as http:
            key = {"authorization": "Bearer k"}
            for body in (b"{", b"[]", b""):
                path = "/v1/chat/completions"
                answer = await http.post(running.url("openai") + path, headers=key, content=body)
                assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
            lost = await http.get(running.url("openai") + "/v1/nothing", headers=key)
            assert (lost.status_code, lost.json()["error"]["code"]) == (404, None)
            wrong = await http.get(running.url("openai") + "/v1/chat/completions", headers=key)
            assert wrong.status_code == 405
            dated = running.url("azure") + "/openai/deployments/d/chat/completions"
            assert (await http.post(dated, headers={"api-key": "k"})).json()["error"]["code"] == "404"

    asyncio.run(run())


def test_credentials():
    async def run():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False) as http:
            for vendor in ("openai", "together", "azure"):
                path = "/openai/v1/models" if vendor == "azure" else "/v1/models"
                for headers in ({}, {"authorization": "Bearer"}, {"authorization": "key"}):
                    refused = await http.get(running.url(vendor) + path, headers=headers)
                    assert refused.status_code == 401
                    expected = "401" if vendor == "azure" else "invalid_api_key"
                    assert refused.json()["error"]["code"] == expected
                assert (await http.get(running.url(vendor) + path, headers={"authorization": "bearer k"})).is_success
            azure = running.url("azure") + "/openai/v1/models"
            assert (await http.get(azure, headers={"api-key": "k"})).is_success
            assert (await http.get(running.url("ollama") + "/v1/models")).is_success

    asyncio.run(run())


def test_a_deployment_decides_the_model():
    answer = with_client(
        "azure classic", lambda sdk: sdk.chat.completions.create(model="my deployment", messages=HELLO)
    )
    assert answer.model == "my deployment"


def test_same_request_same_answer():
    def plain(answer):
        return answer.model_dump(exclude={"created"})

    assert plain(chat("openai")) == plain(chat("openai"))


def test_ids_differ_within_a_run():
    async def act(sdk):
        both = [await sdk.chat.completions.create(model=MODEL, messages=HELLO) for _ in range(2)]
        return {answer.id for answer in both}

    assert len(with_client("openai", act)) == 2


def test_fleet_shows_what_it_received():
    async def run():
        async with fleet("openai", "azure") as running, client(running, "openai") as sdk:
            await sdk.chat.completions.create(model=MODEL, messages=HELLO)
            return running.requests("openai"), running.requests("azure"), running.status()

    received, others, status = asyncio.run(run())
    assert [(r.method, r.path, r.query) for r in received] == [("POST", "/v1/chat/completions", "")]
    assert received[0].headers["authorization"] == "Bearer sk-any"
    assert json.loads(received[0].body)["model"] == MODEL
    assert others == []
    assert status["seed"] == 0
    assert status["providers"]["openai"]["requests"] == 1
    assert status["providers"]["openai"]["faults"] == []
    assert status["providers"]["azure"]["url"].startswith("http://127.0.0.1:")


def test_fleet_keeps_a_bounded_number_of_requests(monkeypatch):
    monkeypatch.setattr("infra.local.simulators.simulator.KEPT_REQUESTS", 3)

    async def run():
        async with fleet("ollama") as running, httpx2.AsyncClient(trust_env=False) as http:
            for number in range(5):
                await http.get(f"{running.url('ollama')}/api/version?{number}")
            return running

    running = asyncio.run(run())
    assert [r.query for r in running.requests("ollama")] == ["2", "3", "4"]
    assert running._simulators["ollama"].count == 5


def test_unknown_names_say_which_are_known():
    with pytest.raises(ValueError, match="together"):
        Fleet(("acme",))
    with pytest.raises(LookupError, match="openai"):
        asyncio.run(Fleet(("openai",)).fault("acme", "500"))
    with pytest.raises(RuntimeError, match="not started"):
        Fleet().url("openai")


def test_fleet_starts_again_on_the_same_ports():
    async def run():
        running = Fleet(("openai",), waits=Waits(first_byte=0.001, chunk=0.001))
        await running.start()
        url = running.url("openai")
        await running.stop()
        await running.stop()
        await running.start()
        async with client(running, "openai") as sdk:
            stream = await sdk.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            assert said([chunk async for chunk in stream])
        assert running.url("openai") == url
        await running.stop()

    asyncio.run(run())
