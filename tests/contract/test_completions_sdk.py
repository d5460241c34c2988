"""Completions of prompts through the official client, whoever answers."""

import asyncio
import json
import time
from typing import Any

import openai
import pytest

from core.accounting import pricing
from core.providers.registry import Registry
from tests.contract.cases import PROVIDERS
from tests.contract.cells import chatting
from tests.contract.rooms import room
from tests.contract.upstream import as_json, upstream
from tests.core.fakes import FakeClock
from tests.functions.helpers import calls

ROUTE = "/v1/completions"


@pytest.fixture
def gateway(gateways):
    return gateways("everybody")


@pytest.fixture
def client(gateway, sdk):
    return sdk(gateway)


def said(provider, model, prompt="Hello"):
    return f'Simulated answer from {provider} ({model}): you said "{prompt}".'


def texts(chunks):
    """Each choice's text, and why it ended."""
    made: dict[int, list[str]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            made.setdefault(choice.index, ["", ""])
            made[choice.index][0] += choice.text
            made[choice.index][1] = choice.finish_reason or made[choice.index][1]
    return {index: tuple(one) for index, one in made.items()}


@pytest.mark.parametrize("provider", [row.name for row in chatting()])
def test_a_prompt(client, provider):
    answer = client.completions.create(model=f"{provider}/auto", prompt="Hello", max_tokens=100)
    assert (answer.object, answer.id[:5]) == ("text_completion", "cmpl-")
    (choice,) = answer.choices
    assert (choice.text, choice.finish_reason) == (said(provider, answer.model), "stop")
    chunks = list(client.completions.create(model=f"{provider}/auto", prompt="Hello", stream=True))
    assert texts(chunks) == {0: (said(provider, answer.model), "stop")}
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert not any(chunk.usage for chunk in chunks)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_warnings_name_what_was_sent_and_is_lost(client, stream):
    """Ollama takes no `n`, and is asked as often; of `top_logprobs` the caller has said nothing."""
    fields: Any = {"model": "ollama/auto", "prompt": "Once", "stream": stream}
    raw = client.completions.with_raw_response.create(**fields, n=2, logprobs=2)
    assert [words.partition(":")[0] for words in raw.headers["x-patchbay-warnings"].split("; ")] == [
        "logprobs was not sent"
    ]
    raw = client.completions.with_raw_response.create(**fields, n=2, extra_body={"strict": True})
    assert "x-patchbay-warnings" not in raw.headers
    found = raw.parse()
    assert len(texts(found) if stream else found.choices) == 2


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_several_prompts_are_one_answer(client, gateway, stream):
    before = calls(gateway)["openai"]
    options = {"stream_options": {"include_usage": True}} if stream else {}
    raw = client.completions.with_raw_response.create(
        model="openai/auto", prompt=["One", "Two", "Three"], n=2, stream=stream, **options
    )
    answer = raw.parse()
    chunks = list(answer) if stream else [answer]
    assert calls(gateway)["openai"] == before + 3
    found = texts(chunks)
    prompts = [prompt for prompt in ("One", "Two", "Three") for _ in range(2)]
    assert sorted(found) == list(range(6))
    assert all(f'you said "{prompt}"' in found[index][0] for index, prompt in enumerate(prompts))
    assert all(ended == "stop" for _, ended in found.values())
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    if not stream:
        assert raw.headers["x-patchbay-attempts"] == "3"
        one = gateway.receipt(raw.headers["x-patchbay-decision"])["cost"]["nano_usd"]
        assert float(raw.headers["x-patchbay-cost-usd"]) > one / 1e9 * 2


def test_the_prompt_comes_first_when_asked_for(client):
    answer = client.completions.create(model="openai/auto", prompt=["One: ", "Two: "], echo=True)
    assert [choice.text.partition("Sim")[0] for choice in answer.choices] == ["One: ", "Two: "]
    chunks = client.completions.create(model="openai/auto", prompt=["One: ", "Two: "], echo=True, stream=True)
    assert {index: text.partition("Sim")[0] for index, (text, _) in texts(chunks).items()} == {0: "One: ", 1: "Two: "}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("provider", [row.name for row in chatting()])
def test_each_prompt_has_as_many_texts_as_n_says_whoever_answers(client, provider, stream):
    answer = client.completions.create(
        model=f"{provider}/auto", prompt=["One: ", "Two: "], n=2, echo=True, stream=stream,
        extra_body={"fallback": False},
    )  # fmt: skip
    found = texts(list(answer) if stream else [answer])
    assert sorted(found) == [0, 1, 2, 3]
    assert [found[index][0].partition("Sim")[0] for index in range(4)] == ["One: ", "One: ", "Two: ", "Two: "]
    assert all("Simulated answer" in text and ended == "stop" for text, ended in found.values())


def test_every_decision_is_named(client, gateway):
    raw = client.completions.with_raw_response.create(model="groq/auto", prompt=["One", "Two"], n=2)
    decisions = raw.headers["x-patchbay-decisions"].split(",")
    assert decisions[0] == raw.headers["x-patchbay-decision"]
    assert len(set(decisions)) == 4
    costs = [gateway.receipt(one)["cost"]["nano_usd"] for one in decisions]
    assert float(raw.headers["x-patchbay-cost-usd"]) == pytest.approx(sum(costs) / 1e9)
    body = {"model": "openai/auto", "prompt": ["One", "Two"], "stream": True}
    told = gateway.http.post(ROUTE, json=body).text
    (line,) = [line for line in told.splitlines() if line.startswith(": x-patchbay-decisions ")]
    assert [gateway.receipt(one)["outcome"] for one in line.split()[-1].split(",")] == ["ok", "ok"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_max_cost_is_for_all_of_them(gateway, stream):
    asked: dict[str, Any] = {"model": "openai/auto", "prompt": ["One"] * 8, "n": 2, "stream": stream}
    before, cap = len(gateway.fleet.requests("openai")), 0.002
    answer = gateway.http.post(ROUTE, json={**asked, "max_cost": cap, "fallback": False})
    assert answer.status_code == 200
    bodies = [json.loads(one.body) for one in gateway.fleet.requests("openai")[before:]]
    model = gateway.service.gateway.catalog.find("openai", bodies[0]["model"])
    most = [one["max_completion_tokens"] * one["n"] for one in bodies]
    worst = sum(pricing.estimate(model, time.time(), 2, tokens) or 0 for tokens in most)
    assert 0.9 * cap < worst / 1e9 <= cap
    assert gateway.http.post(ROUTE, json={**asked, "max_cost": 1e-5, "fallback": False}).status_code == 400


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_all_of_them_have_one_deadline(tmp_path, stream):
    """A clock that each chat moves on by 100 seconds: the fourth begins when the time is over."""
    clock = FakeClock()

    def speak(path, headers, body):
        clock.advance(100)
        return _chunks() if stream else as_json(_WHOLE)

    async def ask(url):
        environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": f"{url}/v1"}
        async with room(Registry(), tmp_path, environ, clock) as here:
            prompts = [str(number) for number in range(64)]
            body = {"model": "openai/auto", "prompt": prompts, "stream": stream, "fallback": False}
            return await here.http.post(ROUTE, json=body, headers={"x-patchbay-timeout-ms": "300000"})

    with upstream(speak) as url:
        answer = asyncio.run(ask(url))
    if stream:
        *_, last = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        assert answer.text.count('"finish_reason":"stop"') == 3
    else:
        assert answer.status_code == 504
        last = answer.json()
    assert "the deadline passed" in last["error"]["message"]


_WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}


def _chunks():
    piece = {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}
    return 200, "text/event-stream", f"data: {json.dumps(piece)}\n\ndata: [DONE]\n\n".encode()


def test_one_that_fails_is_an_error_for_all(client, gateway):
    for provider in (row.name for row in chatting()):
        gateway.fault(provider, "503")
    with pytest.raises(openai.InternalServerError):
        client.completions.create(model="auto", prompt=["One", "Two"])


def test_a_stream_whose_second_prompt_cannot_be_answered_says_so(client):
    chunks = []
    limits = {"max_cost": 0.0012, "fallback": False}
    prompts = ["One", "x" * 40_000]
    stream = client.completions.create(model="openai/auto", prompt=prompts, stream=True, extra_body=limits)
    with pytest.raises(openai.APIError, match="No target can serve this request"):
        chunks.extend(iter(stream))
    assert texts(chunks) == {0: (said("openai", "gpt-6-luna", "One"), "stop")}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_stream_that_is_cut_is_an_error(client, gateway, provider):
    gateway.fault(provider, "cut_stream")
    with pytest.raises(openai.APIError, match="incomplete"):
        list(client.completions.create(model=f"{provider}/auto", prompt="Hello", stream=True))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": [1, 2, 3]}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"best_of": 4}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"extra_body": {"tools": []}}, "tools"),
        ({"extra_body": {"tool_choice": "auto"}}, "tool_choice"),
        ({"extra_body": {"functions": [{"name": "f"}]}}, "functions"),
        ({"extra_body": {"messages": [{"role": "user", "content": "Hi"}]}}, "messages"),
        ({"extra_body": {"response_format": {"type": "json_object"}}}, "response_format"),
        ({"n": 129}, "n"),
        ({"n": 3, "prompt": ["x"] * 60}, "prompt"),
    ],
    ids=str,
)
def test_what_cannot_be_had(client, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(**{"model": "auto", "prompt": "Hello", **fields})
    assert raised.value.param == param
