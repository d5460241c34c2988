"""What each provider's own ways come to: exact usage and money, its parameters, its addresses and credentials."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.providers.registry import Registry
from tests.contract.cases import NATIVE, OPENAI, OTHERS, Mode, routes
from tests.contract.rooms import fleet, room
from tests.contract.talk import ask, said_by
from tests.harness import HELLO

# Nano-USD for a token of input, of input from the cache, and of output.
RATES = {
    "anthropic": (2000, 100, 10_000),
    "groq": (150, 75, 600),
    "deepseek": (300, 6, 1200),
    "huggingface": (250, 250, 690),
    "gemini": (750, 75, 3750),
    "cohere": (2500, 2500, 10_000),
    "replicate": (650, 650, 2750),
    "local": (0, 0, 0),
    "ollama": (0, 0, 0),
}
LONG: Any = [{"role": "user", "content": "word " * 100}]  # 125 tokens, 64 of them in the cache of who has one
THOUGHT = {"deepseek": 5, "gemini": 5, "cohere": 5}
CACHED = {"deepseek": 64}

each = pytest.mark.parametrize("provider", OTHERS)
modes = pytest.mark.parametrize("mode", ["plain", "stream"])


def is_peak(at: float) -> bool:
    """Workdays from 1 to 4 and from 6 to 10, UTC; outside of them its prices are halved."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.weekday() < 5 and (1 <= moment.hour < 4 or 6 <= moment.hour < 10)


def tokens(text: str) -> int:
    return -(-len(text) // 4)


@each
@modes
@pytest.mark.parametrize(("messages", "prompt"), [(HELLO["messages"], 2), (LONG, 125)], ids=["short", "long"])
def test_usage_and_money_are_exact(gateways, provider, mode, messages, prompt):
    gateway = gateways("quick", provider)
    for route in routes(mode):
        answer = ask(gateway, route, mode, provider=provider, messages=messages)
        receipt = gateway.receipt(answer.decision)
        cached, thought = CACHED.get(provider, 0) if prompt > 64 else 0, THOUGHT.get(provider, 0)
        output = tokens(answer.text) + thought
        usage = receipt["usage"]
        assert usage["source"] == "reported"
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, output)
        rates = RATES[provider]
        if provider == "deepseek" and not is_peak(receipt["at"]):
            rates = (rates[0] // 2, rates[1] // 2, rates[2] // 2)
        nano = (prompt - cached) * rates[0] + cached * rates[1] + output * rates[2]
        assert receipt["cost"]["nano_usd"] == nano
        assert (receipt["provider"], receipt["outcome"]) == (provider, "ok")


@each
@modes
def test_an_answer(gateways, provider, mode):
    gateway = gateways("quick", provider)
    for route in routes(mode):
        answer = ask(gateway, route, mode, provider=provider)
        assert (answer.status, answer.headers["x-patchbay-provider"]) == (200, provider)
        assert answer.text == said_by(answer)
        assert answer.done == (mode == "stream")


def test_a_dialect_s_alias_is_its_name(gateways):
    gateway = gateways("quick", "huggingface")
    assert ask(gateway, NATIVE, provider="HF").body["provider"] == "huggingface"
    assert ask(gateway, NATIVE, model="hf/acme/unheard-of").body["model"] == "acme/unheard-of"


@modes
def test_thoughts_arrive_beside_the_answer(gateways, mode):
    answer = ask(gateways("quick", "deepseek"), OPENAI, mode, provider="deepseek")
    if mode == "plain":
        assert answer.body["choices"][0]["message"]["reasoning_content"] == "Simulated thought."
    else:
        deltas = [choice["delta"] for event in answer.events for choice in event.get("choices") or ()]
        assert [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta] == [
            "Simulated thought."
        ]


def test_status_498_lets_the_next_one_answer(gateways):
    gateway = gateways("quick", "groq")
    gateway.fault("groq", "498")
    answer = ask(gateway, NATIVE, provider="groq")
    assert answer.body["provider"] == "anthropic"
    assert (answer.body["attempts"][0]["error"], answer.body["attempts"][0]["status"]) == ("Overloaded", 498)


# What is sent.


def sent(tmp_path, vendor, environ, **fields):
    """The request that reached a simulator, and the answer to it."""

    async def scenario():
        async with fleet([vendor]) as running:
            url = running.url(vendor)
            filled = {name: value.replace("URL", url) for name, value in environ.items()}
            async with room(Registry(), tmp_path, filled) as here:
                answer = await here.ask(**{"provider": vendor, **fields})
            return running.requests(vendor)[-1], answer

    return asyncio.run(scenario())


GROQ = {"GROQ_API_KEY": "k", "GROQ_BASE_URL": "URL/openai/v1"}
DEEPSEEK = {"DEEPSEEK_API_KEY": "k", "DEEPSEEK_BASE_URL": "URL"}
HUGGINGFACE = {"HF_API_KEY": "k", "HUGGINGFACE_BASE_URL": "URL/v1"}
LOCAL = {"LOCAL_BASE_URL": "URL", "LOCAL_LLM_MODEL": "llama-3.1-8b"}


@pytest.mark.parametrize(
    ("vendor", "environ", "fields", "dropped", "kept"),
    [
        ("groq", GROQ, {"logprobs": True, "logit_bias": {}, "n": 2, "store": True}, 4, {"reasoning_format": "parsed"}),
        ("groq", GROQ, {"metadata": {"a": "b"}, "top_k": 3}, 2, {"service_tier": "flex", "seed": 1}),
        ("deepseek", DEEPSEEK, {"n": 2, "seed": 1}, 2, {"thinking": {"type": "disabled"}, "logprobs": True}),
        ("huggingface", HUGGINGFACE, {"store": True, "verbosity": "low"}, 2, {"seed": 1, "logit_bias": {}}),
        ("local", LOCAL, {"service_tier": "auto", "thinking": {}}, 2, {"top_k": 3, "min_p": 0.5, "n": 2}),
    ],
)
def test_what_is_not_taken_is_left_out_and_said(tmp_path, vendor, environ, fields, dropped, kept):
    request, answer = sent(tmp_path, vendor, environ, **fields, **kept)
    assert answer.status == 200
    body = json.loads(request.body)
    assert not fields.keys() & body.keys()
    assert kept.items() <= body.items()
    assert sorted(warning.split(" ")[0] for warning in answer.body["warnings"]) == sorted(fields)
    assert len(answer.body["warnings"]) == dropped


def test_names_of_people_are_left_out_where_they_are_refused(tmp_path):
    messages: Any = [{"role": "user", "content": "Hello", "name": "Ada"}]
    request, answer = sent(tmp_path, "groq", GROQ, messages=messages)
    assert answer.status == 200
    assert json.loads(request.body)["messages"] == HELLO["messages"]
    assert "messages[].name was not sent" in answer.body["warnings"][0]


@pytest.mark.parametrize("name", ["HF_API_KEY", "HUGGINGFACE_TOKEN", "HF_TOKEN", "HUGGINGFACE_API_KEY"])
def test_hugging_face_s_key_has_many_names(tmp_path, name):
    request, _ = sent(tmp_path, "huggingface", {name: "the-key", "HUGGINGFACE_BASE_URL": "URL/v1"})
    assert request.headers["authorization"] == "Bearer the-key"


def test_the_first_name_of_a_key_counts(tmp_path):
    environ = {"HF_TOKEN": "3", "HUGGINGFACE_TOKEN": "2", "HF_API_KEY": "1", "HUGGINGFACE_BASE_URL": "URL/v1"}
    assert sent(tmp_path, "huggingface", environ)[0].headers["authorization"] == "Bearer 1"
    del environ["HF_API_KEY"]
    assert sent(tmp_path, "huggingface", environ)[0].headers["authorization"] == "Bearer 2"


def test_an_own_server_needs_no_key_and_may_have_one(tmp_path):
    request, answer = sent(tmp_path, "local", LOCAL)
    assert "authorization" not in request.headers
    assert (answer.body["model"], answer.body["cost"]["nano_usd"]) == ("llama-3.1-8b", 0)
    request, _ = sent(tmp_path, "local", {**LOCAL, "LOCAL_API_KEY": "the-key"})
    assert request.headers["authorization"] == "Bearer the-key"


# Azure: two addresses, two credentials.

AZURE = {"AZURE_OPENAI_ENDPOINT": "URL", "AZURE_OPENAI_DEPLOYMENT": "my-gpt"}


@modes
@pytest.mark.parametrize(
    ("environ", "path", "query"),
    [
        ({}, "/openai/v1/chat/completions", ""),
        ({"AZURE_OPENAI_API_VERSION": "preview"}, "/openai/v1/chat/completions", "api-version=preview"),
        (
            {"AZURE_OPENAI_API_VERSION": "2024-10-21"},
            "/openai/deployments/my-gpt/chat/completions",
            "api-version=2024-10-21",
        ),
    ],
)
@pytest.mark.parametrize(
    ("credential", "header"),
    [
        ({"AZURE_OPENAI_API_KEY": "secret-1"}, ("api-key", "secret-1")),
        ({"AZURE_OPENAI_AD_TOKEN": "secret-2"}, ("authorization", "Bearer secret-2")),
    ],
    ids=["key", "token"],
)
def test_azure(tmp_path, mode: Mode, environ, path, query, credential, header):
    request, answer = sent(tmp_path, "azure", {**AZURE, **environ, **credential}, mode=mode)
    assert (answer.status, answer.text) == (200, 'Simulated answer from azure (my-gpt): you said "Hello".')
    assert (request.path, request.query) == (path, query)
    assert request.headers[header[0]] == header[1]
    assert len({"api-key", "authorization"} & request.headers.keys()) == 1


def test_the_model_of_a_call_is_the_deployment_in_the_address(tmp_path):
    environ = {**AZURE, "AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_API_VERSION": "2024-10-21"}
    request, answer = sent(tmp_path, "azure", environ, model="azure/their gpt", provider="auto")
    assert answer.body["model"] == "their gpt"
    assert request.target.startswith("/openai/deployments/their%20gpt/chat/completions?")
