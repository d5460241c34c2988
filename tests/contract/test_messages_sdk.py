"""The official client of the Messages API takes us for the real thing, whoever answers."""

import asyncio
import json
import re
import warnings
from base64 import b64decode
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import anthropic
import httpx2
import pytest

from core.capabilities import Feature
from core.providers.table import TABLE
from infra.local.simulators.anthropic_checks import signature
from tests.contract.cases import EVERYBODY
from tests.contract.cells import PNG, model_with
from tests.harness import Server, server

OWN = "anthropic"  # whose own dialect it is
NAMES = tuple(dict.fromkeys((*EVERYBODY, OWN)))
ROWS = {row.name: row for row in TABLE}
THINKS = "deepseek"
HELLO: Any = [{"role": "user", "content": "Hello"}]
PICTURE: Any = {
    "type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG.partition(",")[2]}
}  # fmt: skip
each_provider = pytest.mark.parametrize("provider", NAMES)


def who(feature):
    return pytest.mark.parametrize("provider", [name for name in NAMES if model_with(ROWS[name], feature)])


def tool(name, *fields):
    schema = {"type": "object", "properties": {field: {"type": "string"} for field in fields}}
    return {"name": name, "description": f"The {name}", "input_schema": {**schema, "required": list(fields)}}


WEATHER, TIME = tool("weather", "city"), tool("clock", "zone")
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "adult": {"type": "boolean"}},
    "required": ["name", "adult"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    providers = {"PATCHBAY_SIMULATOR_PROVIDERS": ",".join(NAMES), "MAX_RETRIES": "0"}
    with server(tmp_path_factory.mktemp("messages"), **providers) as running:
        yield running


@pytest.fixture
def here(shared: Server) -> Iterator[Server]:
    shared.clear()
    yield shared
    shared.clear()


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def client(here, http):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of models, which are the client's to know
        yield anthropic.Anthropic(base_url=here.url, api_key="x", max_retries=0, http_client=http, timeout=20)


def sent(gateway: Server, provider: str) -> Any:
    """The body that a provider got last."""
    return json.loads(gateway.fleet.requests(provider)[-1].body)


def alone(provider, *features, **more):
    """Nobody else answers."""
    model = model_with(ROWS[provider], *features) if features else "auto"
    return {"model": f"{provider}/{model}", "max_tokens": 1024, "extra_body": {"fallback": False, **more}}


def said(provider, message, words="Hello"):
    return f'Simulated answer from {provider} ({message.model}): you said "{words}".'


def to_json(body):
    return json.dumps(body, default=lambda one: one.to_dict())


def texts(message):
    return [block.text for block in message.content if block.type == "text"]


# Answers


@each_provider
def test_plain(client, provider):
    raw = client.messages.with_raw_response.create(messages=HELLO, **alone(provider))
    message = raw.parse()
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.id.startswith("msg_")
    assert texts(message) == [said(provider, message)]
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0
    assert raw.headers["x-patchbay-provider"] == provider
    assert raw.headers["request-id"] == raw.headers["x-patchbay-decision"] == message._request_id
    assert message.model_extra == {"simulated": True}


@each_provider
def test_stream(client, provider):
    with client.messages.stream(messages=HELLO, **alone(provider)) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 3
    assert "".join(pieces) == texts(message)[0] == said(provider, message)
    plain = client.messages.create(messages=HELLO, **alone(provider))
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", plain.usage.output_tokens)
    assert message.usage.input_tokens == plain.usage.input_tokens
    assert stream.response.headers["request-id"]


@each_provider
def test_the_events_come_in_the_dialects_own_order(here, provider):
    body = {"model": f"{provider}/auto", "fallback": False, "max_tokens": 99, "messages": HELLO, "stream": True}
    answer = here.http.post("/v1/messages", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [event.split("\n")[0].removeprefix("event: ") for event in answer.text.split("\n\n") if event]
    kinds = [name.rpartition("_")[2] for name, _ in groupby(names) if name != "ping"]
    assert re.fullmatch(r"start (start (delta )?stop ){1,2}delta stop", " ".join(kinds)), names
    assert (names[0], names[-2], names[-1]) == ("message_start", "message_delta", "message_stop")
    assert "ping" in names[1:4]
    for event in answer.text.strip().split("\n\n"):
        name, data = event.split("\n")
        assert json.loads(data.removeprefix("data: "))["type"] == name.removeprefix("event: ")
        assert data.endswith(',"simulated":true}')


@who(Feature.TOOLS)
@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
def test_a_loop_with_two_tools(client, here, provider, streams):
    messages: Any = [{"role": "user", "content": "Call weather and clock"}]
    how = {**alone(provider), "tools": [WEATHER, TIME]}
    if streams:
        with client.messages.stream(messages=messages, **how) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(messages=messages, **how)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert message.stop_reason == "tool_use"
    assert [(call.name, list(call.input)) for call in calls] == [("weather", ["city"]), ("clock", ["zone"])]
    assert len({call.id for call in calls}) == 2
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"it is {call.name}"} for call in calls]
    messages += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [*results]},
    ]
    answer = client.messages.create(messages=messages, **how)
    assert "".join(texts(answer)).endswith('the tool returned "it is clock".')  # cited words are a block of their own
    assert answer.stop_reason == "end_turn"


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
def test_a_seal_comes_back_to_its_maker(client, here, streams):
    """The signature of a call, for which this dialect has no place of its own."""
    messages: Any = [{"role": "user", "content": "Call weather"}]
    how = {**alone("gemini"), "tools": [WEATHER]}
    if streams:
        with client.messages.stream(messages=messages, **how) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(messages=messages, **how)
    result = {"type": "tool_result", "tool_use_id": message.content[-1].id, "content": "sunny"}
    messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    client.messages.create(messages=messages, **how)
    (called,) = [part for turn in sent(here, "gemini")["contents"] for part in turn["parts"] if "functionCall" in part]
    seal = called["thoughtSignature"]
    assert b64decode(seal).startswith(b"simulated signature")
    # And nobody else is shown it.
    body = {"model": f"{OWN}/auto", "max_tokens": 99, "tools": [WEATHER], "messages": messages}
    answer = here.http.post("/v1/messages", content=to_json(body), headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert seal not in json.dumps(sent(here, OWN)) and "extra_content" not in json.dumps(sent(here, OWN))


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", ["cohere", "gemini"])
def test_thoughts_come_back_to_their_maker(client, here, provider, streams):
    """Also those that nobody signed, and the plan."""
    choice: Any = {"type": "tool", "name": "weather"}
    how: Any = {**alone(provider, strict=True), "max_tokens": 3000}
    how |= {"tools": [WEATHER], "thinking": {"type": "adaptive"}, "tool_choice": choice}
    if provider == "cohere":  # which may be told to call, not what
        how["tool_choice"] = {"type": "any"}
    messages = list(HELLO)
    if streams:
        with client.messages.stream(messages=messages, **how) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(messages=messages, **how)
    assert message.content[0].type == "thinking"
    result = {"type": "tool_result", "tool_use_id": message.content[-1].id, "content": "sunny"}
    messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
    raw = client.messages.with_raw_response.create(messages=messages, **how | {"tool_choice": {"type": "auto"}})
    assert "left out" not in raw.headers.get("x-patchbay-warnings", "")
    if provider == "cohere":
        turn = sent(here, provider)["messages"][1]
        assert turn["content"] == [{"type": "thinking", "thinking": "Simulated thought."}]
        assert turn["tool_plan"] == "I will use weather."


@pytest.mark.parametrize("provider", [name for name in NAMES if "tool_choice" not in ROWS[name].lacks_params])
@pytest.mark.parametrize(("choice", "called"), [({"type": "any"}, 1), ({"type": "none"}, 0),
                                                ({"type": "tool", "name": "clock"}, 1)], ids=str)  # fmt: skip
def test_which_tool_is_the_callers_choice(client, provider, choice, called):
    how = alone(provider)
    if provider == OWN:
        how["model"] = f"{OWN}/claude-haiku-4-5"  # newer ones may not be told to call
    message = client.messages.create(messages=HELLO, tools=[WEATHER, TIME], tool_choice=choice, **how)
    names = [block.name for block in message.content if block.type == "tool_use"]
    assert len(names) == called
    assert choice["type"] != "tool" or names == ["clock"]


@who(Feature.VISION)
def test_a_picture(client, provider):
    content: Any = [PICTURE, {"type": "text", "text": "What is it?"}]
    message = client.messages.create(
        messages=[{"role": "user", "content": content}], **alone(provider, Feature.VISION)
    )
    assert "I was given 1 image: image/png of " in texts(message)[-1]


@pytest.mark.parametrize("provider", [name for name in NAMES if model_with(ROWS[name], Feature.VISION, Feature.TOOLS)])
def test_a_picture_that_a_tool_returned(client, provider):
    messages: Any = [
        {"role": "user", "content": "Call weather"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [PICTURE]}]},
    ]  # fmt: skip
    message = client.messages.create(
        messages=messages, tools=[WEATHER], **alone(provider, Feature.VISION, Feature.TOOLS)
    )
    assert "I was given 1 image: image/png of " in texts(message)[-1] or provider == OWN


@who(Feature.JSON_SCHEMA)
def test_json_by_a_schema(client, provider):
    config: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
    message = client.messages.create(messages=HELLO, output_config=config, **alone(provider, Feature.JSON_SCHEMA))
    assert set(json.loads(texts(message)[-1])) == {"name", "adult"}


@each_provider
def test_the_end_at_a_word_and_at_a_length(client, provider):
    message = client.messages.create(messages=HELLO, stop_sequences=["you said"], **alone(provider))
    assert texts(message)[-1].endswith(f"({message.model}): ")
    assert message.stop_reason in {"end_turn", "stop_sequence"}
    how = {**alone(provider), "max_tokens": 4}
    assert client.messages.create(messages=HELLO, **how).stop_reason == "max_tokens"


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
def test_what_others_think_is_a_block_of_thinking(client, streams):
    how = {"messages": HELLO, "thinking": {"type": "enabled", "budget_tokens": 1024}, **alone(THINKS)}
    how["max_tokens"] = 2048
    if streams:
        with client.messages.stream(**how) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**how)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].thinking == "Simulated thought."
    assert not message.content[0].signature


# What is passed on


CODE: dict[str, Any] = {  # as an agent for code asks
    "model": "claude-sonnet-5-5",
    "max_tokens": 32000,
    "stream": True,
    "thinking": {"type": "adaptive"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "output_config": {"effort": "medium"},
    "metadata": {"user_id": f"user_{'0' * 64}_account__session_{'1' * 36}"},
    "system": [
        {"type": "text", "text": "You are an agent."},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [WEATHER, {**TIME, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"},
                                     {"type": "text", "text": "Call weather"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "I should.", "signature": signature("I should.")},
            {"type": "text", "text": "I will."},
            {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Rome"}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01", "is_error": False,
             "content": [{"type": "text", "text": "sunny"}]},
            {"type": "text", "text": "Thank you", "cache_control": {"type": "ephemeral"}}]},
        {"role": "system", "content": "These agents are there: none."},
    ],
}  # fmt: skip
BETAS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "context-management-2025-06-27,interleaved-thinking-2025-05-14",
}


def events(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(event.split("data: ")[1]) for event in answer.text.split("\n\n") if event]


@who(Feature.TOOLS)
def test_an_agents_request(here, provider):
    model = CODE["model"] if provider == OWN else f"{provider}/{model_with(ROWS[provider], Feature.TOOLS)}"
    answer = here.http.post("/v1/messages?beta=true", json={**CODE, "model": model, "fallback": False}, headers=BETAS)
    found = events(answer)
    assert answer.headers["x-patchbay-provider"] == provider, answer.headers
    told = "".join(one["delta"].get("text", "") for one in found if one["type"] == "content_block_delta")
    assert told.startswith(f"Simulated answer from {provider}")
    assert found[-1]["type"] == "message_stop"
    body, warned = sent(here, provider), answer.headers.get("x-patchbay-warnings", "")
    if provider == OWN:
        assert body == CODE
        last = here.fleet.requests(provider)[-1]
        assert {name: last.headers[name] for name in BETAS} == BETAS
        assert not warned
        return
    assert not {"claude", "cache_control", "signature"} & set(json.dumps(body).split('"'))
    assert "cache_control was not sent" in warned
    told = here.receipt(answer.headers["x-patchbay-decision"])["warnings"]
    assert any(one.startswith("context_management was left out: only the Messages API has it") for one in told)
    assert any("its hash was sent" in one for one in told)


@pytest.mark.parametrize("field", ["context_management", "container"])
def test_a_strict_request_goes_to_who_is_told_everything(here, field):
    body = {"max_tokens": 9, "messages": HELLO, field: {"edits": []}, "strict": True}
    answer = here.http.post("/v1/messages", json={**body, "model": "openai/auto", "fallback": False})
    assert answer.status_code == 400
    assert f"{field} was left out" in answer.json()["error"]["message"]
    if field == "context_management":
        answer = here.http.post("/v1/messages", json={**body, "model": "auto"})
        assert answer.headers["x-patchbay-provider"] == OWN


def test_our_fields_reach_nobody(here):
    ours = {"provider": OWN, "fallback": False, "cache": "off", "max_cost": 1, "strict": True, "strategy": "fallback"}
    answer = here.http.post("/v1/messages", json={"max_tokens": 9, "messages": HELLO, **ours})
    assert answer.status_code == 200, answer.text
    assert set(sent(here, OWN)) == {"max_tokens", "messages", "model"}


def test_an_own_answer_has_what_no_translation_has(here):
    answer = here.http.post("/v1/messages", json={"model": f"{OWN}/auto", "max_tokens": 9, "messages": HELLO})
    assert answer.json()["usage"]["service_tier"] == "standard"


def test_thoughts_of_others_are_not_shown_to_who_would_refuse_them(here):
    thoughts = [{"type": "thinking", "thinking": "a", "signature": ""},
                {"type": "thinking", "thinking": "b", "signature": "google-gemini-v1:c2ln"},
                {"type": "redacted_thinking", "data": "extra_content:e30="},
                {"type": "thinking", "thinking": "c", "signature": signature("c")}]  # fmt: skip
    turn = {"role": "assistant", "content": [*thoughts, {"type": "text", "text": "Hi"}]}
    only = {"role": "assistant", "content": thoughts[:1]}
    body = {"model": f"{OWN}/auto", "max_tokens": 99, "messages": [*HELLO, turn, *HELLO, only, *HELLO]}
    answer = here.http.post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    assert sent(here, OWN)["messages"] == [*HELLO, {**turn, "content": turn["content"][3:]}, *HELLO, *HELLO]
    told = here.receipt(answer.headers["x-patchbay-decision"])["warnings"]
    assert len([one for one in told if "another maker's thought" in one]) == 4


@pytest.mark.parametrize("name", ["claude-sonnet-5-5", "claude-next-7", "anthropic/claude-next-7"])
def test_a_name_of_who_is_not_set_up_is_answered_by_another(gateway, http, name):
    client = anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0, http_client=http, timeout=20)
    raw = client.messages.with_raw_response.create(model=name, max_tokens=99, messages=HELLO)
    assert texts(raw.parse()) == [said("azure", raw.parse())]
    assert f"instead of {name}" in raw.headers["x-patchbay-warnings"]


def test_a_name_that_nobody_knows_is_its_makers(client, here):
    here.fault(OWN, "404", times=1)
    raw = client.messages.with_raw_response.create(model="claude-next-7", max_tokens=99, messages=HELLO)
    assert raw.headers["x-patchbay-provider"] == "azure"
    receipt = here.receipt(raw.headers["x-patchbay-decision"])
    assert [one["model"] for one in receipt["attempts"]] == ["claude-next-7", raw.parse().model]
    with pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.create(model="gpt-9000", max_tokens=9, messages=HELLO)
    assert raised.value.type == "not_found_error"
    # Elsewhere a name has to be known.
    answer = here.http.post("/v1/chat/completions", json={"model": "claude-next-7", "messages": HELLO})
    assert answer.status_code == 404


# Repeated, counted, asynchronous


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
def test_an_answer_from_before_is_the_same(client, streams):
    """Streams are kept and played again by the same code that made them."""
    how: Any = {**alone("openai", cache="on"), "messages": [{"role": "user", "content": f"Once {streams}: clock"}],
                "tools": [TIME]}  # fmt: skip
    found = []
    for expected in ("miss", "hit"):
        if streams:
            with client.messages.stream(**how) as stream:
                found.append(stream.get_final_message())
                assert stream.response.headers["x-patchbay-cache"] == expected
        else:
            raw = client.messages.with_raw_response.create(**how)
            assert raw.headers["x-patchbay-cache"] == expected
            found.append(raw.parse())
    assert [one.to_dict() for one in found[:1]] == [one.to_dict() for one in found[1:]]
    other = client.messages.create(**how)
    assert (other.content, other.usage) == (found[0].content, found[0].usage)


def test_tokens_are_counted_by_who_can_and_else_estimated(client, here):
    count = client.messages.with_raw_response.count_tokens
    raw = count(model=f"{OWN}/auto", messages=HELLO, system="Be brief.", tools=[WEATHER])
    assert (raw.headers["x-patchbay-count"], raw.headers["x-patchbay-provider"]) == ("reported", OWN)
    assert raw.parse().input_tokens > 5
    raw = count(model="openai/auto", messages=HELLO)
    assert (raw.headers["x-patchbay-count"], raw.headers["x-patchbay-provider"]) == ("estimated", "openai")
    assert raw.parse().input_tokens == 5
    here.fault(OWN, "500")
    raw = count(model="claude-haiku-4-5", messages=HELLO)
    assert raw.headers["x-patchbay-count"] == "estimated"
    assert "did not count" in raw.headers["x-patchbay-warnings"]
    with pytest.raises(anthropic.NotFoundError):
        count(model="gpt-9000", messages=HELLO)
    with pytest.raises(anthropic.BadRequestError) as raised:
        count(model="openai/auto", messages=[{"role": "user", "content": [{"type": "image"}]}])
    assert "messages[0].content[0].source" in str(raised.value)


def test_the_asynchronous_client(here):
    asyncio.run(asynchronous(here))


async def asynchronous(here):
    async with anthropic.AsyncAnthropic(
        base_url=here.url, api_key="x", max_retries=0, http_client=httpx2.AsyncClient(trust_env=False)
    ) as client:
        message = await client.messages.create(messages=HELLO, **alone("groq"))
        assert texts(message) == [said("groq", message)]
        async with client.messages.stream(messages=HELLO, **alone("azure")) as stream:
            message = await stream.get_final_message()
        assert texts(message) == [said("azure", message)]


# Errors


@pytest.mark.parametrize("streams", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("fault", "raised", "kind", "status"),
    [
        ("400", anthropic.BadRequestError, "invalid_request_error", 400),
        ("401", anthropic.InternalServerError, "api_error", 502),  # our key, not the caller's
        ("402", anthropic.InternalServerError, "billing_error", 502),
        ("404", anthropic.NotFoundError, "not_found_error", 404),
        ("413", anthropic.BadRequestError, "invalid_request_error", 400),
        ("429:35", anthropic.RateLimitError, "rate_limit_error", 429),
        ("500", anthropic.InternalServerError, "api_error", 502),
        ("503", anthropic.OverloadedError, "overloaded_error", 529),
        ("529", anthropic.OverloadedError, "overloaded_error", 529),
    ],
)
@pytest.mark.parametrize("provider", ["openai", OWN])
def test_an_error_is_the_clients_own(client, here, provider, fault, raised, kind, status, streams):
    here.fault(provider, fault)
    with pytest.raises(raised) as found:
        client.messages.create(messages=HELLO, stream=streams, **alone(provider))
    error: Any = found.value
    assert (error.status_code, error.type) == (status, kind)
    assert error.request_id == error.body["request_id"]
    assert [one["provider"] for one in error.body["error"]["attempts"]] == [provider]
    assert provider in error.api_message
    if fault == "413":
        assert error.api_message.startswith("prompt is too long: ")
    if fault.startswith("429"):
        assert error.response.headers["retry-after"] == "35"
    receipt = here.receipt(error.request_id)
    assert (receipt["outcome"], receipt["route"]) == ("error", "/v1/messages")


@pytest.mark.parametrize("provider", ["openai", OWN])
@pytest.mark.parametrize("fault", ["stream_error", "cut_stream"])
def test_a_stream_that_breaks_says_so(client, here, provider, fault):
    here.fault(provider, fault)
    with client.messages.stream(messages=HELLO, **alone(provider)) as stream:
        pieces = iter(stream.text_stream)
        heard = [next(pieces)]
        with pytest.raises(anthropic.APIStatusError) as raised:
            heard.extend(pieces)
    error: Any = raised.value
    assert heard
    assert error.type in {"api_error", "overloaded_error"}
    assert "The answer is incomplete" in error.api_message and error.body["error"]["provider"] == provider
    receipt = here.receipt(error.body["request_id"])
    assert receipt["outcome"] == "cut"


def test_a_failure_before_output_is_another_providers_chance(client, here):
    here.fault("azure", "stream_error@0")
    with client.messages.stream(model="auto", max_tokens=99, messages=HELLO) as stream:
        message = stream.get_final_message()
    assert texts(message) == [said("together", message)]
    assert stream.response.headers["x-patchbay-attempts"] == "2"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "messages[0].content[0].tool_use_id"),
    ({"messages": [{"role": "assistant", "content": [{"type": "tool_use"}]}]}, "messages[0].content[0].id"),
    ({"tools": {"a": 1}}, "tools"),
    ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
    ({"tool_choice": "any"}, "tool_choice"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"stream": "yes"}, "stream"),
    ({"metadata": {"user_id": 7}}, "metadata.user_id"),
    ({"service_tier": [1]}, "service_tier"),
    ({"output_config": 7}, "output_config"),
    ({"provider": "nobody"}, "provider"),
    ({"tier": "huge"}, "tier"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=lambda one: one if isinstance(one, str) else "")
def test_what_is_wrong_is_named(here, fields, param):
    answer = here.http.post("/v1/messages", json={"model": "auto", "max_tokens": 9, "messages": HELLO, **fields})
    body = answer.json()
    assert (answer.status_code, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert body["error"]["param"] == param, body
    assert param.split("[")[0] in body["error"]["message"]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("locked"), PATCHBAY_API_KEY="gate", PATCHBAY_MAX_BODY_BYTES="2000") as running:
        yield running


def test_who_is_refused_at_the_door_hears_it_in_the_dialect(locked, http):
    def client(**how: Any) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=locked.url, max_retries=0, http_client=http, timeout=20, **how)

    how: Any = {"model": "auto", "max_tokens": 9, "messages": HELLO}
    assert client(api_key="gate").messages.create(**how).content
    assert client(auth_token="gate").messages.create(**how).content
    assert client(
        api_key="x", default_headers={"authorization": anthropic.Omit(), "x-api-key": "gate"}
    ).messages.create(**how)
    with pytest.raises(anthropic.AuthenticationError) as refused:
        client(api_key="wrong").messages.create(**how)
    assert refused.value.type == "authentication_error"
    with pytest.raises(anthropic.AuthenticationError):
        client(api_key="wrong").messages.count_tokens(model="auto", messages=HELLO)
    with pytest.raises(anthropic.PermissionDeniedError) as foreign:
        client(api_key="gate", default_headers={"host": "example.com"}).messages.create(**how)
    assert foreign.value.type == "permission_error"
    with pytest.raises(anthropic.ContentTooLargeError) as large:
        client(api_key="gate").messages.create(**{**how, "messages": [{"role": "user", "content": "x" * 3000}]})
    assert large.value.body["error"]["type"] == "request_too_large"  # type: ignore[index] # a dict, as it is here
    for method, path, status in (("GET", "/v1/messages", 405), ("PUT", "/v1/messages/count_tokens", 405)):
        answer = locked.http.request(method, path, json={}, headers={"x-api-key": "gate"})
        assert (answer.status_code, answer.json()["type"]) == (status, "error")
    answer = locked.http.post(
        "/v1/messages", content=b"{", headers={"x-api-key": "gate", "content-type": "text/plain"}
    )
    assert (answer.status_code, answer.json()["error"]["type"]) == (415, "invalid_request_error")
    answer = locked.http.post(
        "/v1/messages", content=b"{", headers={"x-api-key": "gate", "content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
