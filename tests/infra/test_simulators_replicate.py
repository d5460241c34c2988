"""Replicate's API, as Replicate's own SDK sees the simulator."""

import asyncio
import json

import httpx
import pytest
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError

from tests.infra.test_simulators import fleet

LLAMA = "meta/meta-llama-3-70b-instruct"
SAID = f'Simulated answer from replicate ({LLAMA}): you said "Hello".'
HELLO = {"prompt": "Hello"}


def asked(act, fault=None):
    async def run():
        async with fleet("replicate") as running:
            if fault:
                await running.fault("replicate", fault)
            url = running.url("replicate")
            client = Client(api_token="r8_any", base_url=url, trust_env=False)
            client.poll_interval = 0.001
            try:
                return await act(client)
            finally:
                await client._async_client.aclose()

    return asyncio.run(run())


def http(act, fault=None, key="Bearer r8_any"):
    async def run():
        headers = {"authorization": key} if key else {}
        async with fleet("replicate") as running:
            if fault:
                await running.fault("replicate", fault)
            url = running.url("replicate")
            async with httpx.AsyncClient(trust_env=False, base_url=url, headers=headers) as client:
                return await act(client)

    return asyncio.run(run())


def test_the_sdk_runs_a_model():
    output = asked(lambda client: client.async_run(LLAMA, input=HELLO, use_file_output=False))
    assert "".join(output) == SAID


def test_the_sdk_polls_what_is_not_ready():
    async def act(client):
        made = await client.models.predictions.async_create("simulated/cold-start", HELLO)
        states = [made.status]
        while made.status not in ("succeeded", "failed"):
            await made.async_reload()
            states.append(made.status)
        return made, states

    made, states = asked(act)
    assert states == ["starting", "processing", "succeeded"]
    assert "".join(made.output).endswith('you said "Hello".')
    assert made.metrics["input_token_count"] == 2
    assert made.metrics["output_token_count"] == -(-len("".join(made.output)) // 4)


def test_the_sdk_streams():
    async def act(client):
        stream = await client.async_stream(LLAMA, input=HELLO)
        return [(str(event.event.value), event.data) async for event in stream]

    events = asked(act)
    assert events[0] == ("logs", "loading the model")
    assert "".join(data for name, data in events if name == "output") == SAID
    assert events[-1] == ("done", "{}")


def test_the_sdk_hears_of_a_failure():
    with pytest.raises(ModelError, match="CUDA out of memory"):
        asked(lambda client: client.async_run("simulated/always-fails", input=HELLO))


def test_a_failed_prediction_is_no_failed_request():
    async def act(client):
        path = "/v1/models/simulated/always-fails/predictions"
        return await client.post(path, json={"input": HELLO}, headers={"prefer": "wait"})

    answer = http(act)
    assert (answer.status_code, answer.json()["status"]) == (201, "failed")


def test_it_can_be_cancelled_and_stays_so():
    async def act(client):
        made = (await client.post("/v1/models/simulated/never-ends/predictions", json={"input": HELLO})).json()
        seen = [(await client.get(made["urls"]["get"])).json()["status"] for _ in range(3)]
        ended = (await client.post(made["urls"]["cancel"])).json()["status"]
        return seen, ended, (await client.get(made["urls"]["get"])).json()

    seen, ended, after = http(act)
    assert (seen, ended) == (["processing"] * 3, "canceled")
    assert (after["status"], after["output"], after["metrics"]) == ("canceled", None, {})


@pytest.mark.parametrize(
    ("path", "body", "model"),
    [
        (f"/v1/models/{LLAMA}/predictions", {}, LLAMA),
        ("/v1/predictions", {"version": "acme/thing:abc123"}, "acme/thing"),
        ("/v1/deployments/acme/ours/predictions", {}, "acme/ours"),
    ],
)
def test_three_ways_to_name_a_model(path, body, model):
    async def act(client):
        return await client.post(path, json={**body, "input": HELLO}, headers={"prefer": "wait=5"})

    answer = http(act)
    assert (answer.status_code, answer.json()["model"], answer.json()["status"]) == (201, model, "succeeded")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "input"), ({"prompt": "x", "max_new_tokens": 5}, "input.max_new_tokens"),
        ({"prompt": "x", "max_tokens": "5"}, "input.max_tokens"), ({"prompt": "x", "image": "y"}, "input.image"),
    ],
)  # fmt: skip
def test_an_input_that_the_model_does_not_have_is_refused(given, field):
    async def act(client):
        return await client.post(f"/v1/models/{LLAMA}/predictions", json={"input": given})

    answer = http(act)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert (problem["title"], problem["status"]) == ("Input validation failed", 422)
    assert problem["invalid_fields"][0]["field"] == field
    assert f"- {field}: " in problem["detail"]


def test_images_are_counted():
    async def act(client):
        given = {"prompt": "Look", "image_input": ["data:image/png;base64,aGVsbG8=", "https://example.com/a.png"]}
        path = "/v1/models/openai/gpt-4.1-mini/predictions"
        return await client.post(path, json={"input": given}, headers={"prefer": "wait"})

    said = "".join(http(act).json()["output"])
    assert said.endswith("I was given 2 images: image/png of 5 bytes, https://example.com/a.png.")


def test_errors_are_problems():
    async def act(client):
        return await client.post(f"/v1/models/{LLAMA}/predictions", json={"input": HELLO})

    answer = http(act, "429:2")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json().keys() == {"title", "detail", "status"}
    assert http(act, key="").status_code == 401
    with pytest.raises(ReplicateError, match="Insufficient credit"):
        asked(lambda client: client.models.predictions.async_create(LLAMA, HELLO), "402")


def test_an_error_inside_the_stream():
    async def act(client):
        made = (await client.post(f"/v1/models/{LLAMA}/predictions", json={"input": HELLO})).json()
        return (await client.get(made["urls"]["stream"])).text

    text = http(act, "stream_error@2")
    assert text.count("event: output") == 2
    assert text.count("event: error") == 1 and "event: done" not in text
    assert json.loads(text.rpartition("data: ")[2])["detail"].startswith("Prediction interrupted")


def test_a_huge_event_is_still_an_event():
    async def act(client):
        made = (await client.post(f"/v1/models/{LLAMA}/predictions", json={"input": HELLO})).json()
        return made["urls"].get("stream")

    assert http(act)

    from infra.local.simulators.delivery import swollen

    event = b"event: output\nid: 1\ndata: Hello \n\n"
    assert b"".join(swollen(event, 10)) == b"event: output\nid: 1\ndata: Hello " + b"a" * 10 + b"\n\n"


def test_its_models():
    async def act(client):
        return (await client.get("/v1/models")).json(), (await client.get("/v1/collections/language-models")).json()

    page, collection = http(act)
    assert page["results"] == collection["models"]
    assert page["results"][0]["owner"] == "meta"
