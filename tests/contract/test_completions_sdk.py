"""Completions of prompts through the official client, whoever answers."""

import openai
import pytest

from tests.contract.cases import PROVIDERS
from tests.contract.cells import chatting
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


def test_one_that_fails_is_an_error_for_all(client, gateway):
    for provider in (row.name for row in chatting()):
        gateway.fault(provider, "503")
    with pytest.raises(openai.InternalServerError):
        client.completions.create(model="auto", prompt=["One", "Two"])


def test_a_stream_whose_second_prompt_cannot_be_answered_says_so(client):
    chunks = []
    limits = {"max_cost": 0.0001, "fallback": False}
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
    ],
    ids=str,
)
def test_what_cannot_be_had(client, fields, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.completions.create(**{"model": "auto", "prompt": "Hello", **fields})
    assert raised.value.param == param
