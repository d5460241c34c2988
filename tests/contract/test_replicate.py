"""Replicate through the gateway: made, waited for, streamed, failed and cancelled."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import Malformed
from core.providers import replicate as adapter
from core.providers.registry import Registry
from tests.contract.cases import NATIVE, OPENAI
from tests.contract.cells import PNG, WEATHER, finish_of, image, text, user
from tests.contract.rooms import fleet, room
from tests.contract.upstream import as_json, upstream

LLAMA, SEEING = "meta/meta-llama-3-70b-instruct", "openai/gpt-4.1-mini"
KEY = "r8_not-a-real-key-1"
modes = pytest.mark.parametrize("mode", ["plain", "stream"])


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Looks follow each other as fast as they can."""
    monkeypatch.setattr(adapter, "_FIRST_PAUSE", 0.001)


@asynccontextmanager
async def here(tmp_path, **environ):
    async with fleet(["replicate"]) as running:
        settings = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": running.url("replicate"), **environ}
        async with room(Registry(), tmp_path, settings) as gateway:
            yield gateway, running


def asked(tmp_path, mode="plain", route=NATIVE, fault=None, cancels=None, **body):
    """The answer, its receipt, and what Replicate saw: method, path without ids, body."""

    async def scenario():
        async with here(tmp_path) as (gateway, running):
            if fault:
                await running.fault("replicate", fault)
            answer = await gateway.ask(route, mode, fallback=False, **body)
            receipt = (await gateway.http.get(f"/api/ai/decisions/{answer.decision}")).json()
            return (
                answer,
                receipt,
                await (cancelled(running, len(receipt["attempts"])) if cancels else settled(running)),
            )

    return asyncio.run(scenario())


async def begun(running, count):
    """Once so many requests have come."""
    while len(running.requests("replicate")) < count:  # noqa: ASYNC110 - the simulator has no event for it
        await asyncio.sleep(0)


async def cancelled(running, count=1):
    """Once so many were cancelled, which is done aside."""
    while steps(running.requests("replicate")).count("cancel") < count:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    return await settled(running)


async def settled(running):
    """What was seen once nothing more comes: what is done aside takes its turn on the loop."""
    seen = -1
    while seen != len(running.requests("replicate")):
        seen = len(running.requests("replicate"))
        await asyncio.sleep(0.02)
    return running.requests("replicate")


def steps(requests):
    named = {"streams": "stream", "cancel": "cancel"}
    return [
        "create" if one.path.endswith("/predictions") else named.get(one.path.split("/")[2], "look")
        if not one.path.endswith("/cancel") else "cancel"
        for one in requests
    ]  # fmt: skip


def given(requests):
    return json.loads(requests[0].body)["input"]


# What is sent.


def test_one_question_is_the_prompt(tmp_path):
    answer, receipt, requests = asked(tmp_path, messages=[user("Hello")])
    assert answer.text == f'Simulated answer from replicate ({LLAMA}): you said "Hello".'
    (request,) = requests
    assert request.path == f"/v1/models/{LLAMA}/predictions"
    assert (request.headers["authorization"], request.headers["prefer"]) == (f"Bearer {KEY}", "wait=5")
    assert json.loads(request.body) == {"input": {"prompt": "Hello"}}
    assert receipt["attempts"][0]["request_id"] == answer.body["attempts"][0]["request_id"]
    assert len(receipt["attempts"][0]["request_id"]) == 26


def test_a_conversation_is_written_down(tmp_path):
    messages = [{"role": "system", "content": "Be short"}, user("Hi"), {"role": "assistant", "content": "Yes?"}]
    _, _, requests = asked(
        tmp_path, messages=[*messages, user("Hello")], max_tokens=9, temperature=0.5, top_k=3, stop=["END", "STOP"]
    )
    assert given(requests) == {
        "prompt": "User: Hi\n\nAssistant: Yes?\n\nUser: Hello\n\nAssistant:", "system_prompt": "Be short",
        "max_tokens": 9, "temperature": 0.5, "top_k": 3, "stop_sequences": "END,STOP",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        ("acme/llama:abc", "/v1/predictions", "abc"),
        ("abc0", "/v1/predictions", "abc0"),
        ("deployments/acme/ours", "/v1/deployments/acme/ours/predictions", None),
    ],
)
def test_a_version_and_a_deployment(tmp_path, model, path, version):
    answer, _, requests = asked(tmp_path, messages=[user("Hello")], model=f"replicate/{model}")
    assert answer.text.endswith('you said "Hello".')
    assert (requests[0].path, json.loads(requests[0].body).get("version")) == (path, version)


def test_a_name_that_is_none_is_told_how_to_be_written(tmp_path):
    answer, _, requests = asked(tmp_path, messages=[user("Hello")], model="replicate/a/b/c")
    assert (answer.status, requests) == (404, [])
    assert "write owner/name, owner/name:version or deployments/owner/name" in answer.error["message"]


def test_inputs_of_a_model_s_own(tmp_path):
    own = {"min_tokens": 2, "prompt_template": "{prompt}"}
    answer, _, requests = asked(tmp_path, messages=[user("Hello")], input=own)
    assert given(requests) == {"prompt": "Hello", **own}
    assert answer.body["warnings"] == []


def test_what_it_does_not_take_is_left_out_and_said(tmp_path):
    answer, _, requests = asked(tmp_path, messages=[user("Hello")], n=2, user="me", logprobs=True, verbosity="low")
    assert given(requests) == {"prompt": "Hello"}
    said = [words.partition(" ")[0] for words in answer.body["warnings"]]
    assert sorted(said) == ["logprobs", "n", "user", "verbosity"]
    strict, _, requests = asked(tmp_path, messages=[user("Hello")], verbosity="low", strict=True)
    assert (strict.status, requests) == (400, [])


def test_an_input_that_a_model_lacks_is_that_parameters_fault(tmp_path):
    answer, _, _ = asked(tmp_path, messages=[user("Hello")], input={"guidance": 3})
    (attempt,) = answer.error["attempts"]
    assert (answer.status, attempt["error"], attempt["status"]) == (400, "ParameterRefused", 422)
    assert answer.error["param"] == "guidance"


# Pictures go to the models that the catalogue says take them, tools to none.


def test_pictures(tmp_path):
    body: dict[str, Any] = {"messages": [user(text("Look"), image(), image())]}
    answer, _, requests = asked(tmp_path, model=f"replicate/{SEEING}", **body)
    assert "I was given 2 images: image/png of 70 bytes, image/png of 70 bytes." in answer.text
    assert given(requests) == {"prompt": "Look", "image_input": [PNG, PNG]}
    blind, _, requests = asked(tmp_path, model=f"replicate/{LLAMA}", **body)
    assert (blind.status, requests) == (400, [])
    assert "does not take vision" in blind.error["message"]
    # The server here is not the vendor's, so it is no place to send addresses to.
    far, _, requests = asked(
        tmp_path, model=f"replicate/{SEEING}", messages=[user(text("Look"), image("http://127.0.0.1:9999/a.png"))]
    )
    assert (far.status, requests) == (400, [])
    assert "there is no such host, or it is not allowed" in far.error["message"]


def test_tools_are_declared_absent(tmp_path):
    answer, _, requests = asked(tmp_path, messages=[user("get_weather")], tools=[WEATHER])
    assert (answer.status, requests) == (400, [])
    assert "does not take tools" in answer.error["message"]


# Waiting and streaming.


def test_what_is_not_ready_is_looked_at_until_it_is(tmp_path):
    answer, _, requests = asked(tmp_path, messages=[user("Hello")], model="replicate/simulated/cold-start")
    assert answer.text.endswith('you said "Hello".')
    assert steps(requests) == ["create", "look", "look"]


@modes
def test_a_look_that_fails_is_tried_again(tmp_path, mode):
    """The answer is being paid for: a hiccup between must not lose it."""

    async def scenario():
        async with here(tmp_path) as (gateway, running):
            model = "replicate/simulated/cold-start" if mode == "plain" else "replicate/simulated/no-stream"
            asking = asyncio.create_task(gateway.ask(mode=mode, model=model, fallback=False))
            await begun(running, 1)
            await running.fault("replicate", "503", times=2)
            return await asking, running.requests("replicate")

    answer, requests = asyncio.run(scenario())
    assert answer.status == 200
    assert answer.text.endswith('you said "Hello".')
    assert steps(requests)[0] == "create" and steps(requests).count("look") >= 3


@pytest.mark.parametrize("route", [NATIVE, OPENAI])
def test_a_stream_is_that_of_its_prediction(tmp_path, route):
    answer, receipt, requests = asked(
        tmp_path, "stream", route, messages=[user("Hello")], stream_options={"include_usage": True}
    )
    assert answer.text == f'Simulated answer from replicate ({LLAMA}): you said "Hello".'
    assert answer.done
    assert steps(requests) == ["create", "stream", "look"]
    assert "prefer" not in requests[0].headers
    assert requests[1].headers["authorization"] == f"Bearer {KEY}"
    counted = next(event["usage"] for event in answer.events if event.get("usage"))
    assert counted["prompt_tokens"] == receipt["usage"]["prompt_tokens"] == 2
    assert {event["id"] for event in answer.events if event.get("choices")} == {receipt["attempts"][0]["request_id"]}


def test_a_model_without_a_stream_is_looked_at(tmp_path):
    answer, _, requests = asked(tmp_path, "stream", messages=[user("Hello")], model="replicate/simulated/no-stream")
    assert answer.text == 'Simulated answer from replicate (simulated/no-stream): you said "Hello".'
    assert answer.done
    assert steps(requests) == ["create", "look", "look"]
    said = [event for event in answer.events if any(one["delta"].get("content") for one in event.get("choices") or ())]
    assert len(said) == 2  # what there was at each look


@modes
def test_an_answer_that_fills_its_room_was_cut(tmp_path, mode):
    answer, _, _ = asked(tmp_path, mode, messages=[user("Hello")], max_tokens=4)
    assert answer.text == "Simulated answer"
    assert finish_of(answer) == "length"


# Money.


@modes
def test_tokens_are_priced_exactly(tmp_path, mode):
    answer, receipt, _ = asked(tmp_path, mode, messages=[user("word " * 100)])
    output = -(-len(answer.text) // 4)
    assert (receipt["usage"]["source"], receipt["usage"]["prompt_tokens"]) == ("reported", 125)
    assert receipt["cost"]["nano_usd"] == 125 * 650 + output * 2750


@modes
@pytest.mark.parametrize(("price", "nano"), [(None, None), ("0.001400", 1_750_000)])
def test_who_is_billed_by_time_has_the_price_that_somebody_gave_him(tmp_path, mode, price, nano):
    """It ran for 1.25 s. Tokens are an estimate then, and cost what they are not sold by."""
    settings = tmp_path / "patchbay.yaml"
    sold = f", usd_per_second: '{price}'" if price else ""
    settings.write_text(
        f"models:\n  replicate/simulated/by-the-second: {{capability: chat, features: [stream]{sold}}}\n"
    )

    async def scenario():
        async with here(tmp_path, PATCHBAY_CONFIG=str(settings)) as (gateway, _):
            model = "replicate/simulated/by-the-second"
            answer = await gateway.ask(mode=mode, model=model, fallback=False)
            return (await gateway.http.get(f"/api/ai/decisions/{answer.decision}")).json()

    receipt = asyncio.run(scenario())
    assert (receipt["usage"]["source"], receipt["usage"]["run_ms"]) == ("estimated", 1250)
    assert receipt["cost"]["nano_usd"] == nano


# Failures.


@pytest.mark.parametrize(("mode", "error"), [("plain", "BrokenOff"), ("stream", "StreamFailed")])
def test_a_failed_prediction_is_a_failure(tmp_path, mode, error):
    answer, receipt, requests = asked(
        tmp_path, mode, messages=[user("Hello")], model="replicate/simulated/always-fails"
    )
    assert answer.status in {502, 503}
    assert {one["error"] for one in receipt["attempts"]} == {error}
    assert all("CUDA out of memory" in one["why"] for one in receipt["attempts"])
    assert all(len(one["request_id"]) == 26 for one in receipt["attempts"])
    assert receipt["usage"]["source"] == "reported" and receipt["usage"]["output_tokens"] > 0
    assert receipt["usage"]["run_ms"] == 1250 * len(receipt["attempts"])
    assert "cancel" not in steps(requests)


@modes
def test_a_failed_prediction_that_is_billed_by_time_costs_that(tmp_path, mode):
    failed = {
        "id": "x" * 26, "status": "failed", "error": "CUDA out of memory", "output": None,
        "metrics": {"predict_time": 2.5},
    }  # fmt: skip
    sold = "{capability: chat, features: [stream], usd_per_second: '0.001'}"
    settings = tmp_path / "patchbay.yaml"
    settings.write_text(f"models:\n  replicate/simulated/dear: {sold}\n")

    async def scenario(url):
        environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url, "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, {**environ, "PATCHBAY_CONFIG": str(settings)}) as gateway:
            answer = await gateway.ask(mode=mode, model="replicate/simulated/dear", fallback=False)
            return (await gateway.http.get(f"/api/ai/decisions/{answer.decision}")).json()

    with upstream(lambda path, *_: as_json(failed, 200 if path.endswith("x") else 201)) as url:
        receipt = asyncio.run(scenario(url))
    assert (receipt["usage"]["source"], receipt["usage"]["run_ms"]) == ("estimated", 2500)
    assert receipt["cost"]["nano_usd"] == 2_500_000


@pytest.mark.parametrize("content", [{}, [], {"error": "x"}, {"models": 3}])
def test_a_list_of_models_that_is_none_is_malformed(tmp_path, content):
    """It is what shows whether a provider is well."""

    async def scenario(url):
        environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url}
        async with room(Registry(), tmp_path, environ) as gateway:
            await gateway.http.get("/health")
            await gateway.service.registry.adapter("replicate", "default").models()

    with upstream(lambda *_: as_json(content)) as url, pytest.raises(Malformed):
        asyncio.run(scenario(url))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("The input or output was flagged as sensitive. Please try again (E005)", "ContentRefused"),
        ("prompt length exceeds the context window of 8192 tokens", "ContextTooLong"),
        ("Service is currently unavailable due to high demand", "Overloaded"),
    ],
)
def test_why_it_failed_decides(tmp_path, words, error):
    failed = {"id": "x" * 26, "status": "failed", "error": f"{words} {KEY}", "output": None}

    async def scenario(url):
        environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url, "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as gateway:
            return await gateway.ask(fallback=False)

    with upstream(lambda *_: as_json(failed, 201)) as url:
        answer = asyncio.run(scenario(url))
    assert answer.error["attempts"][0]["error"] == error
    assert KEY not in json.dumps(answer.body)


@pytest.mark.parametrize(
    "content",
    [{}, [], {"id": "x", "status": "odd"}, {"id": "x", "status": "succeeded", "output": {"url": "x"}},
     {"id": "x", "status": "succeeded", "output": [1]}],
    ids=["empty", "list", "state", "object", "numbers"],
)  # fmt: skip
def test_what_is_no_prediction_is_malformed(tmp_path, content):
    async def scenario(url):
        environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url, "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as gateway:
            return await gateway.ask(fallback=False)

    with upstream(lambda *_: as_json(content, 201)) as url:
        answer = asyncio.run(scenario(url))
    assert answer.error["attempts"][-1]["error"] == "Malformed"


def test_a_throttled_account_says_when_to_come_again(tmp_path):
    problem = {"title": "Too many requests", "status": 429,
               "detail": "Request was throttled. Expected available in 7 seconds."}  # fmt: skip

    async def scenario(url):
        environ = {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": url, "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as gateway:
            return await gateway.ask(fallback=False)

    with upstream(lambda *_: as_json(problem, 429)) as url:
        answer = asyncio.run(scenario(url))
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


# Nobody waits any more: it is cancelled there.


@modes
def test_who_leaves_has_it_cancelled(tmp_path, mode):
    """While it is looked at, and before its first output."""

    async def scenario():
        async with here(tmp_path) as (gateway, running):
            if mode == "stream":
                await running.fault("replicate", "stream_stall@0")
            model = "replicate/simulated/never-ends"
            asking = asyncio.create_task(gateway.ask(mode=mode, model=model, fallback=False))
            await begun(running, 2)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            return await cancelled(running)

    assert steps(asyncio.run(scenario())).count("cancel") == 1


def test_who_leaves_before_it_has_a_name_has_it_cancelled_as_soon_as_it_has_one(tmp_path):
    async def scenario():
        async with here(tmp_path) as (gateway, running):
            await running.fault("replicate", "slow_first_byte", times=1)
            asking = asyncio.create_task(gateway.ask(model="replicate/simulated/never-ends", fallback=False))
            await begun(running, 1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            assert steps(running.requests("replicate")) == ["create"]
            return await cancelled(running)

    assert steps(asyncio.run(scenario())) == ["create", "cancel"]


def test_an_attempt_out_of_time_is_cancelled_and_the_next_one_answers(tmp_path):
    async def scenario():
        async with here(tmp_path) as (_, running), fleet(["ollama"]) as other:
            settings = {
                "REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": running.url("replicate"),
                "OLLAMA_BASE_URL": other.url("ollama"), "OLLAMA_MODEL": "llama3.2:3b",
            }  # fmt: skip
            async with room(Registry(), tmp_path / "two", settings) as both:
                models = ["replicate/simulated/never-ends", "ollama/llama3.2:3b"]
                answer = await both.http.post(
                    NATIVE, json={"models": models, "messages": [user("Hello")]},
                    headers={"x-patchbay-timeout-ms": "400"},
                )  # fmt: skip
                return answer.json(), await cancelled(running)

    answer, requests = asyncio.run(scenario())
    assert answer["provider"] == "ollama"
    assert answer["attempts"][0]["error"] == "AttemptTimeout"
    assert steps(requests).count("cancel") == 1


@pytest.mark.parametrize("fault", ["cut_stream@0", "cut_stream", "no_end_marker"])
def test_a_stream_that_breaks_is_cancelled(tmp_path, fault):
    _, receipt, requests = asked(tmp_path, "stream", messages=[user("Hello")], fault=fault, cancels=True)
    assert receipt["outcome"] in {"error", "cut"}
    assert steps(requests).count("cancel") == len(receipt["attempts"])


@modes
def test_nothing_is_cancelled_that_is_over(tmp_path, mode):
    _, _, requests = asked(tmp_path, mode, messages=[user("Hello")])
    assert "cancel" not in steps(requests)


# The key goes where it belongs.


@pytest.mark.parametrize("url", ["http://elsewhere.example/s", "https://replicate.com.example/s", "ftp://x", 5, None])
def test_a_stream_elsewhere_is_not_followed(tmp_path, url):
    """The key would go along: the prediction is looked at in its place."""
    seen = []

    def speak(path, _headers, _body):
        seen.append(path)
        made = {"id": "x" * 26, "status": "starting", "urls": {"stream": url}}
        done = {**made, "status": "succeeded", "output": ["Hello"]}
        return as_json(made if path.endswith("/predictions") else done, 201 if len(seen) == 1 else 200)

    async def scenario(base):
        async with room(Registry(), tmp_path, {"REPLICATE_API_TOKEN": KEY, "REPLICATE_BASE_URL": base}) as gateway:
            return await gateway.ask(mode="stream", fallback=False)

    with upstream(speak) as base:
        answer = asyncio.run(scenario(base))
    assert answer.text == "Hello"
    assert seen[1:] == [f"/v1/predictions/{'x' * 26}"]
