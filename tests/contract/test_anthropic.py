"""Anthropic behind our routes: what is sent to it by model and version, what comes back, and what that costs."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from core.config.secrets import Secret
from core.config.settings import Account
from core.errors import CredentialRefused, Malformed, Misconfigured, Overloaded, RateLimited, ServerFault, Unreachable
from core.net.transport import Transport
from core.providers.anthropic import Anthropic
from core.providers.contract import Call, CountsTokens, ListsModels
from core.providers.registry import Registry
from core.providers.table import TABLE
from core.types.request import Native
from core.types.target import Target
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.sse import event
from tests.contract.cases import OPENAI
from tests.contract.cells import PNG, WEATHER
from tests.contract.rooms import fleet, room
from tests.harness import HELLO

SONNET, HAIKU, OPUS = "claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-4-8"
KEY = "sk-ant-made-up-0001"
NEW, OLD = "2026-10-21", "2023-06-01"
ROW = next(row for row in TABLE if row.name == "anthropic")
modes = pytest.mark.parametrize("mode", ["plain", "stream"])


@asynccontextmanager
async def here(tmp_path, *others, **environ):
    """A gateway that has Anthropic, and its simulator."""
    async with fleet(["anthropic", *others]) as running:
        known = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": running.url("anthropic"), **environ}
        if "openai" in others:
            known |= {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{running.url('openai')}/v1"}
        async with room(Registry(), tmp_path, known) as gateway:
            yield gateway, running


def asked(tmp_path, *, mode="plain", environ=None, **fields):
    """The answer, and the request that reached the simulator."""

    async def scenario():
        async with here(tmp_path, **(environ or {})) as (gateway, running):
            answer = await gateway.ask(OPENAI, mode, **{"model": "anthropic/auto", **fields})
            sent = running.requests("anthropic")[-1]
            return answer, sent, json.loads(sent.body)

    return asyncio.run(scenario())


def user(content):
    return {"role": "user", "content": content}


def warnings_of(answer):
    return answer.headers.get("x-patchbay-warnings", "")


def message_of(answer):
    return answer.body["choices"][0]["message"]


# What is sent


def test_a_request(tmp_path):
    words = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    answer, sent, body = asked(
        tmp_path,
        messages=[{"role": "system", "content": "Be brief."}, user([words])],
        stop="END", max_tokens=77, user="u-1",
    )  # fmt: skip
    assert answer.status == 200
    assert body == {
        "model": SONNET,
        "max_tokens": 77,
        "system": "Be brief.",
        "messages": [user([words])],
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u-1"},
    }
    assert sent.path == "/v1/messages"
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (KEY, NEW)
    assert "authorization" not in sent.headers
    assert sent.headers["x-patchbay-hop"] == "1"
    assert not warnings_of(answer)


@pytest.mark.parametrize(
    ("fields", "environ", "version", "kept", "warned"),
    [
        ({"model": HAIKU}, {}, NEW, {}, False),
        ({"model": HAIKU, "temperature": 0.3}, {}, OLD, {"temperature": 0.3}, False),
        ({"model": HAIKU, "temperature": 0.3}, {"ANTHROPIC_VERSION": NEW}, NEW, {}, True),
        ({"model": HAIKU, "temperature": 0.3, "top_p": 0.9}, {}, OLD, {"temperature": 0.3}, True),
        ({"model": SONNET, "temperature": 0.3}, {}, NEW, {}, True),
        ({"model": SONNET, "temperature": 0.3}, {"ANTHROPIC_VERSION": OLD}, OLD, {}, True),
        ({"model": SONNET}, {"ANTHROPIC_VERSION": OLD}, OLD, {}, False),
    ],
)
def test_sampling_by_version_and_model(tmp_path, fields, environ, version, kept, warned):
    answer, sent, body = asked(tmp_path, environ=environ, **fields)
    assert answer.status == 200
    assert sent.headers["anthropic-version"] == version
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == kept
    assert bool(warnings_of(answer)) == warned


def test_an_address_with_its_path_and_a_token(tmp_path):
    async def scenario():
        async with fleet(["anthropic"]) as running:
            known = {"ANTHROPIC_AUTH_TOKEN": "oauth-token-1", "ANTHROPIC_BASE_URL": running.url("anthropic") + "/v1/"}
            async with room(Registry(), tmp_path, known) as gateway:
                answer = await gateway.ask(OPENAI)
                return answer, running.requests("anthropic")[-1]

    answer, sent = asyncio.run(scenario())
    assert (answer.status, sent.path) == (200, "/v1/messages")
    assert sent.headers["authorization"] == "Bearer oauth-token-1"
    assert "x-api-key" not in sent.headers


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_lost_is_said_and_strict_goes_elsewhere(tmp_path, strict):
    async def scenario():
        async with here(tmp_path, "openai") as (gateway, _):
            how = {"tools": [WEATHER], "tool_choice": "required", "strict": strict, "provider": "anthropic"}
            return await gateway.ask(OPENAI, **how)

    answer = asyncio.run(scenario())
    assert answer.headers["x-patchbay-provider"] == ("openai" if strict else "anthropic")
    assert "tool_choice became auto" in warnings_of(answer) or strict
    assert ("tool_calls" in message_of(answer)) == strict


# Tools, with thoughts that have to come back


@modes
def test_a_loop_of_tools_with_thinking(tmp_path, mode):
    async def scenario():
        async with here(tmp_path) as (gateway, running):
            how = {"model": f"anthropic/{HAIKU}", "tools": [WEATHER], "reasoning_effort": "high"}
            first = await gateway.ask(OPENAI, messages=[user("get_weather")], **how)
            message = message_of(first)
            result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "12 degrees"}
            said = [user("get_weather"), message, result]
            second = await gateway.ask(OPENAI, mode, messages=said, **how)
            forgotten = {**message, "reasoning_details": []}
            third = await gateway.ask(OPENAI, mode, messages=[said[0], forgotten, result], **how)
            return message, second, third, [json.loads(one.body) for one in running.requests("anthropic")]

    message, second, third, bodies = asyncio.run(scenario())
    (detail,) = message["reasoning_details"]
    assert message["reasoning_content"] == detail["text"] == "Simulated thought."
    assert detail["format"] == "anthropic-claude-v1"
    text = 'the tool returned "12 degrees".'
    assert (second.status, third.status) == (200, 200)
    words = [one.text if mode == "stream" else message_of(one)["content"] for one in (second, third)]
    assert all(text in one for one in words)
    assert bodies[1]["messages"][1]["content"][0]["signature"] == detail["signature"]
    assert bodies[1]["thinking"]["type"] == "enabled"
    assert not warnings_of(second)
    # Whoever lost the thought goes on without thinking, and hears of it.
    assert bodies[2]["thinking"] == {"type": "disabled"}
    assert "thinking is off this time" in warnings_of(third)


@modes
def test_a_turn_that_thinks_in_steps_comes_back_as_it_was(tmp_path, mode):
    async def scenario():
        async with here(tmp_path) as (gateway, _):
            how = {"model": f"anthropic/{HAIKU}", "tools": [WEATHER], "reasoning_effort": "high", "fallback": False}
            said = [user("get_weather in steps")]
            first = await gateway.ask(OPENAI, mode, messages=said, **how)
            body = first.body
            if mode == "stream":
                body = json.loads(
                    completion_of([event(json.dumps(one).encode()) for one in first.events], Usage()) or b""
                )
            message = body["choices"][0]["message"]
            result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "12 degrees"}
            return message, await gateway.ask(OPENAI, messages=[*said, message, result], **how)

    message, second = asyncio.run(scenario())
    assert message["content"] == "First I look.Then I ask."
    assert [one.get("place") for one in message["reasoning_details"]] == [None, [13, 0], [13, 0], [24, 0]]
    assert (second.status, warnings_of(second)) == (200, ""), second.body


def test_the_official_client_adds_up_a_turn_that_comes_back_as_it_was(gateways, sdk):
    client, said = sdk(gateways("quick", "anthropic")), [user("get_weather in steps")]
    how = {"model": f"anthropic/{HAIKU}", "tools": [WEATHER], "reasoning_effort": "high",
           "extra_body": {"fallback": False}}  # fmt: skip
    with client.chat.completions.stream(messages=said, **how) as stream:
        message = stream.get_final_completion().choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "12 degrees"}
    answer = client.chat.completions.with_raw_response.create(messages=[*said, message, result], **how)
    assert "x-patchbay-warnings" not in answer.headers
    assert 'the tool returned "12 degrees"' in answer.parse().choices[0].message.content


def test_calls_of_others_are_named_in_its_letters(tmp_path):
    call = {"id": "functions.get_weather:0", "type": "function",
            "function": {"name": "get_weather", "arguments": "{}"}}  # fmt: skip
    messages = [
        user("Look"), {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "12 degrees"},
    ]  # fmt: skip
    answer, _, body = asked(tmp_path, messages=messages, tools=[WEATHER], fallback=False)
    assert answer.status == 200, answer.body
    _, (made,), (result,) = [one["content"] for one in body["messages"]]
    assert made["id"] == result["tool_use_id"]


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "anthropic/claude-sonnet-4-6", "reasoning_effort": "xhigh"},
        {
            "model": "anthropic/claude-sonnet-4-6",
            "max_tokens": 3000,
            "thinking": {"type": "enabled", "budget_tokens": 20_000},
        },
        {"model": f"anthropic/{HAIKU}", "thinking": {"type": "enabled", "budget_tokens": 20_000}, "max_tokens": 3000},
    ],
)
def test_a_wish_that_is_changed_is_said_or_refused(tmp_path, fields):
    answer, _, _ = asked(tmp_path, **fields, fallback=False)
    assert (answer.status, bool(warnings_of(answer))) == (200, True)

    async def scenario():
        async with here(tmp_path) as (gateway, _):
            return await gateway.ask(OPENAI, **fields, fallback=False, strict=True)

    refused = asyncio.run(scenario())
    assert (refused.status, "(strict)" in refused.body["error"]["message"]) == (400, True)


@modes
def test_documents_and_a_schema(tmp_path, mode):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "properties": {}}}}
    answer, _, _ = asked(tmp_path, mode=mode, documents=["The reds"], response_format=wanted, fallback=False)
    assert answer.status == 200, answer.body
    assert "citations of 1 documents are off" in warnings_of(answer)


def test_a_thought_that_was_changed_is_another_provider_s_chance(tmp_path):
    async def scenario():
        async with here(tmp_path, "openai") as (gateway, _):
            item = {
                "type": "reasoning.text",
                "text": "x",
                "signature": "y",
                "format": "anthropic-claude-v1",
                "index": 0,
            }
            turn = {"role": "assistant", "content": "Hi", "reasoning_details": [item]}
            return await gateway.ask(OPENAI, provider="anthropic", messages=[user("a"), turn, user("b")])

    answer = asyncio.run(scenario())
    assert (answer.status, answer.headers["x-patchbay-provider"]) == (200, "openai")


@modes
def test_several_tools_at_once(tmp_path, mode):
    clock = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
    answer, _, body = asked(
        tmp_path, mode=mode, model=f"anthropic/{OPUS}", tools=[WEATHER, clock],
        messages=[user("get_weather and get_time")],
    )  # fmt: skip
    if mode == "plain":
        calls = message_of(answer)["tool_calls"]
    else:
        pieces = [one for event in answer.events for c in event["choices"] for one in c["delta"].get("tool_calls", ())]
        assert [one["index"] for one in pieces] == sorted(one["index"] for one in pieces)
        made = [[one for one in pieces if one["index"] == index] for index in (0, 1)]
        calls = [
            {
                **own[0],
                "function": {**own[0]["function"], "arguments": "".join(o["function"]["arguments"] for o in own)},
            }
            for own in made
        ]
    assert [one["function"]["name"] for one in calls] == ["get_weather", "get_time"]
    assert [json.loads(one["function"]["arguments"]) for one in calls] == [{"place": "simulated"}, {}]
    assert len({one["id"] for one in calls}) == 2
    assert "tool_choice" not in body
    answer, _, body = asked(
        tmp_path, model=f"anthropic/{OPUS}", tools=[WEATHER, clock], messages=[user("get_weather and get_time")],
        parallel_tool_calls=False,
    )  # fmt: skip
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert len(message_of(answer)["tool_calls"]) == 1


# Pictures, documents, schemas


@modes
def test_a_picture_and_what_a_tool_showed(tmp_path, mode):
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"place":"Ulm"}'}}
    shown = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": PNG}}]
    messages = [
        user([{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": PNG}}]),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": shown},
    ]
    answer, _, body = asked(tmp_path, mode=mode, messages=messages, tools=[WEATHER])
    assert answer.status == 200
    first, _, last = body["messages"]
    assert first["content"][1]["source"]["media_type"] == "image/png"
    (result,) = last["content"]
    assert [block["type"] for block in result["content"]] == ["text", "image"]


@modes
def test_documents_are_cited_by_their_own_names(tmp_path, mode):
    documents = [{"id": "cup", "title": "Cup", "text": "The reds won the cup."}, "Nothing else."]
    answer, _, body = asked(tmp_path, mode=mode, documents=documents, messages=[user("Who won?")])
    if mode == "plain":
        found = message_of(answer)["citations"]
    else:
        found = [one for event in answer.events for c in event["choices"] for one in c["delta"].get("citations", ())]
    (citation,) = found
    assert [source["id"] for source in citation["sources"]] == ["cup", "1"]
    assert citation["sources"][0]["document"]["cited_text"] == "The reds won the cup."
    said = answer.text if mode == "stream" else message_of(answer)["content"]
    assert said[citation["start"] : citation["end"]] == citation["text"]
    assert [block["type"] for block in body["messages"][0]["content"]] == ["document", "document", "text"]


def test_a_pdf_in_the_conversation(tmp_path):
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGVsbG8="}}
    answer, _, body = asked(tmp_path, messages=[user([part, {"type": "text", "text": "Read"}])])
    assert "I was given 1 file." in message_of(answer)["content"]
    block = body["messages"][0]["content"][0]
    assert (block["title"], block["source"]["media_type"]) == ("a.pdf", "application/pdf")


# Usage and money


@modes
def test_the_cache_is_in_usage_and_in_money(tmp_path, mode):
    day, hour = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "s" * 4000, "cache_control": hour}]},
        user([{"type": "text", "text": "u" * 2000, "cache_control": day}, {"type": "text", "text": "Hello"}]),
    ]

    async def scenario():
        async with here(tmp_path) as (gateway, _):
            found = []
            for said in ([messages[0], user("Hello")], messages):
                answer = await gateway.ask(OPENAI, mode, model="anthropic/auto", messages=said)
                receipt = await gateway.http.get(f"/api/ai/decisions/{answer.decision}")
                found.append(receipt.json())
            return found

    first, second = asyncio.run(scenario())
    assert first["usage"]["cache_write_1h_tokens"] == 1000
    output = first["usage"]["completion_tokens"]
    # Nano-USD for a token: input 2000, written for an hour 4000, for five minutes 2500, read 100, output 10000.
    assert first["cost"]["nano_usd"] == 2 * 2000 + 1000 * 4000 + output * 10_000
    usage = second["usage"]
    assert (usage["cached_input_tokens"], usage["cache_write_tokens"]) == (1000, 500)
    assert usage["prompt_tokens"] == 1502
    assert second["cost"]["nano_usd"] == 2 * 2000 + 1000 * 100 + 500 * 2500 + usage["completion_tokens"] * 10_000


@modes
def test_thinking_is_in_usage(tmp_path, mode):
    wanted = {"stream_options": {"include_usage": True}} if mode == "stream" else {}
    answer, _, _ = asked(tmp_path, mode=mode, reasoning_effort="low", **wanted)
    usage = answer.events[-1]["usage"] if mode == "stream" else answer.body["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 5


async def receipt_of(gateway, answer):
    return (await gateway.http.get(f"/api/ai/decisions/{answer.headers['x-patchbay-decision']}")).json()


@pytest.mark.parametrize("route", [OPENAI, "/v1/messages"])
def test_a_stream_that_is_cut_is_an_estimate(tmp_path, route):
    async def scenario():
        async with here(tmp_path) as (gateway, running):
            await running.fault("anthropic", "cut_stream@6")
            how = {"model": "anthropic/auto", "max_tokens": 900, "stream": True, "messages": [user("Hello " * 20)]}
            answer = await gateway.http.post(route, json=how)
            return await receipt_of(gateway, answer)

    receipt = asyncio.run(scenario())
    assert (receipt["outcome"], receipt["usage"]["source"]) == ("cut", "estimated")
    assert receipt["usage"]["completion_tokens"] >= 5


@pytest.mark.parametrize("route", [OPENAI, "/v1/messages"])
def test_what_was_used_before_an_error_is_paid_for(tmp_path, route):
    async def scenario():
        async with here(tmp_path, "openai") as (gateway, running):
            await running.fault("anthropic", "stream_error@0")
            words = [user("word " * 4000)]
            how = {"model": f"anthropic/{SONNET}", "max_tokens": 900, "stream": True, "messages": words}
            failed = await gateway.http.post(route, json={**how, "fallback": False})
            other = await gateway.http.post(route, json={**how, "provider": "anthropic"})
            assert other.headers["x-patchbay-provider"] == "openai"
            return await receipt_of(gateway, failed), await receipt_of(gateway, other)

    failed, other = asyncio.run(scenario())
    for receipt in (failed, other):
        lost = [one for one in receipt["attempts"] if one["provider"] == "anthropic"]
        assert all(one["usage"]["prompt_tokens"] == 5000 and one["usage"]["source"] == "estimated" for one in lost)
        assert all(one["cost_nano"] >= 5000 * 2000 for one in lost)
        assert receipt["cost"]["nano_usd"] >= sum(one["cost_nano"] for one in lost) > 0


@modes
def test_what_has_another_price_costs_nobody_knows_what(tmp_path, mode):
    async def scenario():
        async with here(tmp_path) as (gateway, _):
            how = {"model": "anthropic/auto", "max_tokens": 900, "messages": [user("Hello")], "speed": "fast"}
            answer = await gateway.http.post("/v1/messages", json={**how, "stream": mode == "stream"})
            assert answer.status_code == 200, answer.text
            return await receipt_of(gateway, answer)

    receipt = asyncio.run(scenario())
    assert receipt["cost"]["nano_usd"] is None
    assert receipt["usage"]["source"] == "reported"
    (said,) = receipt["warnings"]
    assert said.startswith("the cost is not known: speed fast is billed beside the price of its tokens")


# By the official client: counts and models


def adapter(url, transport, **more):
    return Anthropic(ROW, Account(key=Secret(KEY), base_url=url, **more), transport)


def call_of(body=None, **more):
    return Call(Target("anthropic", "default", SONNET), body or HELLO, 5, 10**6, **more)


def with_adapter(act, fault=None, **more):
    async def scenario():
        async with fleet(["anthropic"]) as running:
            if fault:
                await running.fault("anthropic", fault)
            transport = await Transport().open()
            try:
                return await act(adapter(running.url("anthropic"), transport, **more)), running.requests("anthropic")
            finally:
                await transport.close()

    return asyncio.run(scenario())


def test_models_are_listed():
    found, (request,) = with_adapter(lambda one: one.models())
    assert found[:2] == [SONNET, "claude-opus-5-5"]
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["x-patchbay-hop"] == "1"
    assert issubclass(Anthropic, CountsTokens) and issubclass(Anthropic, ListsModels)


def test_tokens_are_counted():
    body = {**HELLO, "max_tokens": 5, "tools": [WEATHER], "stop": ["x"], "reasoning_effort": "low"}
    count, (request,) = with_adapter(lambda one: one.count_tokens(call_of(body, hop=2)), api_version=OLD)
    assert count > 20
    assert request.headers["anthropic-version"] == OLD
    assert request.headers["x-patchbay-hop"] == "3"
    assert {"max_tokens", "stop_sequences", "stream"}.isdisjoint(json.loads(request.body))
    native = Native("messages", {"messages": [user("Hello")], "max_tokens": 9}, (("anthropic-beta", "b-1"),))
    count, (request,) = with_adapter(lambda one: one.count_tokens(call_of(native=native)))
    assert count == 2
    assert request.headers["anthropic-beta"] == "b-1"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("401", CredentialRefused),
        ("429:7", RateLimited),
        ("500", ServerFault),
        ("529", Overloaded),
        ("refuse", Unreachable),
        ("drop_headers", Unreachable),
        ("wrong_content_type", Malformed),
        ("truncated_json", Malformed),
    ],
)
def test_what_the_client_raises_is_told_in_our_words(fault, raised):
    for act in (lambda one: one.models(), lambda one: one.count_tokens(call_of())):
        with pytest.raises(raised) as error:
            with_adapter(act, fault)
        if fault == "429:7":
            assert error.value.retry_after == 7
            assert error.value.request_id.startswith("req_")
        assert KEY not in repr(error.value) + str(error.value.__context__)


def test_no_client_no_count(monkeypatch):
    def missing(_name):
        raise ImportError

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(Misconfigured, match="pip install anthropic"):
        with_adapter(lambda one: one.models())
