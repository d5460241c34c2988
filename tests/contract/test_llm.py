"""/api/v1/completion: the fields, the defaults and the cache of LLMRequest and LLMResponse."""

import asyncio
import json

import pytest

from core.providers.registry import Registry
from tests.contract.cells import chatting
from tests.contract.rooms import fleet, room
from tests.contract.talk import heard
from tests.core.fakes import FakeClock
from tests.functions.helpers import calls, problem

ROUTE = "/api/v1/completion"
FIELDS = ["content", "model", "provider", "usage", "cost_estimate", "response_time_ms", "timestamp", "metadata"]
TTL = 300


@pytest.fixture
def gateway(gateways):
    return gateways("everybody")


def words(text, **fields):
    return {"messages": [{"role": "user", "content": text}], **fields}


def ask(gateway, text="Hello", **fields):
    return gateway.http.post(ROUTE, json=words(text, **fields))


def sent_to(gateway, provider):
    return json.loads(gateway.fleet.requests(provider)[-1].body)


@pytest.mark.parametrize("provider", [row.name for row in chatting()])
def test_its_fields(gateway, provider):
    body = ask(gateway, f"Hello {provider}", provider=provider, metadata={"ticket": 7}).json()
    assert list(body) == FIELDS
    assert body["provider"] == provider
    assert body["content"] == f'Simulated answer from {provider} ({body["model"]}): you said "Hello {provider}".'
    assert all(type(count) is int for count in body["usage"].values())
    assert body["usage"]["total_tokens"] > 0
    assert body["cost_estimate"] is None or body["cost_estimate"] >= 0
    assert body["response_time_ms"] > 0
    assert body["timestamp"] > 1_700_000_000
    assert body["metadata"]["ticket"] == 7
    assert body["metadata"]["finish_reason"] == "stop"
    assert gateway.receipt(body["metadata"]["decision_id"])["route"] == ROUTE
    assert "metadata" not in sent_to(gateway, provider)


def test_the_caller_s_names_stay_the_caller_s(gateway):
    given = {"model": "car", "cost": 7, "usage": None, "finish_reason": "late", "ticket": 1}
    body = ask(gateway, "Names", metadata=given).json()
    assert {name: body["metadata"][name] for name in given} == given
    assert body["metadata"]["decision_id"]
    last = heard(ask(gateway, "Names", metadata=given, stream=True)).events[-1]
    assert {name: last["metadata"][name] for name in given} == given


def test_its_defaults_go_where_they_are_taken(gateway):
    ask(gateway, "Defaults", provider="together")
    sent = sent_to(gateway, "together")
    assert (sent["max_tokens"], sent["temperature"]) == (4000, 0.7)
    answer = ask(gateway, "Defaults", provider="openai")  # whose model has no temperature
    sent = sent_to(gateway, "openai")
    assert (sent["max_completion_tokens"], "temperature" in sent) == (4000, False)
    assert answer.json()["metadata"]["warnings"] == []
    ask(gateway, "Defaults", provider="together", temperature=0.1, max_tokens=50)
    sent = sent_to(gateway, "together")
    assert (sent["max_tokens"], sent["temperature"]) == (50, 0.1)
    gateway.http.post("/api/ai/chat", json=words("No defaults", provider="together"))
    assert not {"max_tokens", "temperature"} & sent_to(gateway, "together").keys()


def test_what_the_operator_set_goes_before_them(tmp_path):
    async def scenario():
        async with fleet(["together"]) as running:
            environ = {
                "TOGETHER_API_KEY": "k", "TOGETHER_BASE_URL": f"{running.url('together')}/v1",
                "TOGETHER_MAX_TOKENS": "900",
            }  # fmt: skip
            async with room(Registry(), tmp_path, environ) as here:
                await here.http.post(ROUTE, json=words("Hello"))
            return json.loads(running.requests("together")[-1].body)

    sent = asyncio.run(scenario())
    assert (sent["max_tokens"], sent["temperature"]) == (900, 0.7)


def test_the_same_again_is_kept_at_any_temperature(gateway):
    before = sum(calls(gateway).values())
    first = ask(gateway, "Keep this", temperature=0.9, metadata={"n": 1})
    second = ask(gateway, "Keep this", temperature=0.9, metadata={"n": 2})
    assert sum(calls(gateway).values()) == before + 1
    assert (first.headers["x-patchbay-cache"], second.headers["x-patchbay-cache"]) == ("miss", "hit")
    one, two = first.json(), second.json()
    assert two["content"] == one["content"]
    assert two["cost_estimate"] == 0
    assert two["metadata"]["n"] == 2
    other = gateway.http.post("/api/ai/chat", json=words("Keep this", temperature=0.9))
    assert other.json()["cache"] == "off"
    assert ask(gateway, "Keep this", temperature=0.9, cache="off").headers["x-patchbay-cache"] == "off"


def test_for_five_minutes(tmp_path):
    clock = FakeClock()

    async def scenario():
        async with fleet(["openai"]) as running:
            environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{running.url('openai')}/v1"}
            async with room(Registry(), tmp_path, environ, clock) as here:

                async def ask():
                    answer = await here.http.post(ROUTE, json=words("Hello"))
                    return answer.headers["x-patchbay-cache"]

                found = [await ask(), await ask()]
                clock.advance(TTL - 1)
                found.append(await ask())
                clock.advance(2)
                found.append(await ask())
            return found, len(running.requests("openai"))

    assert asyncio.run(scenario()) == (["miss", "hit", "hit", "miss"], 2)


def test_a_stream_adds_up_to_the_answer(gateway):
    answer = heard(ask(gateway, "Stream it", stream=True, metadata={"ticket": 7}))
    *pieces, last = answer.events
    assert answer.done
    assert all(list(piece) == ["content"] for piece in pieces)
    assert len(pieces) > 3
    assert "".join(one["content"] for one in answer.events) == ask(gateway, "Stream it").json()["content"]
    assert list(last) == FIELDS
    assert (last["metadata"]["ticket"], last["metadata"]["finish_reason"]) == (7, "stop")
    assert last["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("fault", ["cut_stream", "stream_error"])
def test_a_stream_that_breaks_says_so(gateway, fault):
    gateway.fault("openai", fault)
    answer = heard(ask(gateway, f"Break by {fault}", provider="openai", stream=True))
    last = answer.events[-1]
    assert not answer.done
    assert "incomplete" in last["error"]["message"]
    assert last["metadata"]["attempts"][0]["provider"] == "openai"


def test_the_next_one_answers_and_is_named(gateway):
    gateway.fault("openai", "500")
    body = ask(gateway, "Who is there?", provider="openai").json()
    assert body["provider"] != "openai"
    assert body["metadata"]["attempts"][0]["provider"] == "openai"
    gateway.fault("openai", "503")
    refused = ask(gateway, "Who is there now?", provider="openai", fallback=False)
    assert problem(refused, 503)["attempts"][0]["provider"] == "openai"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"n": 2}, "n"),
        ({"metadata": "x"}, "metadata"),
        ({"temperature": "hot"}, "temperature"),
    ],
    ids=str,
)
def test_a_request_that_is_wrong(gateway, fields, param):
    problem(gateway.http.post(ROUTE, json={**words("Hello"), **fields}), 400, param)
