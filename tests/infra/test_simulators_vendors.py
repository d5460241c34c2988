"""What only one vendor does, as its simulator does it."""

import asyncio
import json

import httpx2
import openai
import pytest

from tests.infra.test_simulators import HELLO, PATHS, chat, chunks, client, fleet, said

ASKED = {"model": "m", "messages": HELLO}
LONG = [{"role": "user", "content": "word " * 100}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}


def raw(vendor, *, fault=None, **fields):
    async def run():
        async with fleet(vendor) as running, httpx2.AsyncClient(trust_env=False) as http:
            if fault:
                await running.fault(vendor, fault)
            return await http.post(
                f"{running.url(vendor)}{PATHS.get(vendor, '/v1')}/chat/completions",
                headers={"authorization": "Bearer k"},
                content=json.dumps({**ASKED, **fields}),
            )

    return asyncio.run(run())


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["unsaid", "asked"])
def test_groq_repeats_the_usage_in_its_own_extension(options):
    stream = chunks("groq", **options)
    whole = chat("groq")
    (first, last) = [chunk for chunk in stream if chunk.model_extra and chunk.model_extra.get("x_groq")]
    assert first.choices[0].delta.role == "assistant"
    assert last.choices[0].finish_reason == "stop"
    assert last.model_extra["x_groq"]["usage"] == whole.usage.model_dump(exclude_unset=True)
    assert [bool(chunk.usage) for chunk in stream[-2:]] == [False, bool(options)]
    assert whole.usage.model_extra["queue_time"] > 0
    assert whole.model_extra["x_groq"]["id"].startswith("req_")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"1": 1}}, "logit_bias"),
        ({"messages": [{**HELLO[0], "name": "Ada"}]}, "messages[0].name"),
    ],
)
def test_groq_refuses_what_it_lacks(fields, param):
    answer = raw("groq", **fields)
    assert answer.status_code == 400
    assert param in answer.json()["error"]["message"]


def test_groq_has_a_status_of_its_own():
    answer = raw("groq", fault="498")
    assert (answer.status_code, answer.json()["error"]["code"]) == (498, "capacity_exceeded")
    assert "retry-after" not in answer.headers
    assert raw("groq", fault="429:2").headers["x-ratelimit-reset-requests"] == "2m59.56s"


def test_deepseek_thinks_aloud():
    whole = chat("deepseek")
    assert whole.choices[0].message.model_extra["reasoning_content"] == "Simulated thought."
    stream = chunks("deepseek")
    deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
    thoughts = [delta.model_extra["reasoning_content"] for delta in deltas if delta.model_extra]
    assert "".join(thoughts) == "Simulated thought."
    assert said(stream) == whole.choices[0].message.content
    silent = chat("deepseek", extra_body={"thinking": {"type": "disabled"}})
    assert not silent.choices[0].message.model_extra
    assert silent.usage.completion_tokens == whole.usage.completion_tokens - 5


def test_deepseek_counts_its_cache():
    usage = chat("deepseek", LONG).usage
    hit, miss = (usage.model_extra[f"prompt_cache_{word}_tokens"] for word in ("hit", "miss"))
    assert (hit, miss, usage.prompt_tokens) == (64, 61, 125)
    assert usage.prompt_tokens_details is None
    assert usage.completion_tokens_details.reasoning_tokens == 5


def test_deepseek_keeps_the_line_alive():
    assert raw("deepseek").content.startswith(b"\n\n{")
    assert raw("deepseek", stream=True).content.startswith(b": keep-alive\n\n: keep-alive\n\ndata: ")


def test_deepseek_has_no_schemas():
    answer = raw("deepseek", response_format=SCHEMA)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "This response_format type is unavailable now.",
    )


def test_hugging_face_says_its_errors_as_text():
    assert isinstance(raw("huggingface", fault="402").json()["error"], str)
    assert isinstance(raw("huggingface", n=9).json()["error"], str)
    assert b'data: {"error":"' in raw("huggingface", fault="stream_error", stream=True).content


def test_local_needs_no_key_and_numbers_its_errors():
    error = raw("local", fault="404").json()["error"]
    assert (error["code"], error["param"]) == (404, None)

    async def run():
        async with fleet("local") as running, httpx2.AsyncClient(trust_env=False) as http:
            return await http.post(running.url("local") + "/v1/chat/completions", content=json.dumps(ASKED))

    assert asyncio.run(run()).status_code == 200


@pytest.mark.parametrize("vendor", ["groq", "deepseek", "huggingface"])
def test_a_key_is_asked_for(vendor):
    async def run():
        async with fleet(vendor) as running, client(running, vendor) as sdk:
            with pytest.raises(openai.AuthenticationError):
                await sdk.chat.completions.create(model="m", messages=HELLO, extra_headers={"authorization": "Bearer"})

    asyncio.run(run())


def test_deepseek_has_two_addresses():
    async def run():
        async with fleet("deepseek") as running, httpx2.AsyncClient(trust_env=False) as http:
            key = {"authorization": "Bearer k"}
            return [await http.get(f"{running.url('deepseek')}{path}/models", headers=key) for path in ("", "/v1")]

    assert [answer.status_code for answer in asyncio.run(run())] == [200, 200]
