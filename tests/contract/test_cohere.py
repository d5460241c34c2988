"""Cohere by its own API, through the gateway: what callers say in our dialect reaches it in its own, and back."""

import asyncio
import json

import pytest

from core.providers import cohere as adapter
from core.providers.registry import Registry
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.cohere.answers import FORMAT, PLAN
from core.wire.sse import event
from infra.local.simulators.own_dialects import COHERE
from tests.contract.cases import NATIVE, OPENAI
from tests.contract.cells import PNG, SCHEMA, WEATHER, image, text, user
from tests.contract.rooms import fleet, room
from tests.contract.upstream import as_json, upstream

PLAIN, THINKER = "command-a-03-2025", "command-a-plus-05-2026"
DOCUMENTS = [{"id": "tides", "title": "Tides", "text": "They follow the moon."}, "Bread needs salt."]
modes = pytest.mark.parametrize("mode", ["plain", "stream"])


@pytest.fixture
def asking(tmp_path):
    """What `work` returns, given a room where Cohere alone answers, and its simulator's requests."""

    def run(work, base="", **environ):
        async def scenario():
            async with fleet(["cohere"]) as running:
                settings = {"COHERE_API_KEY": "very-secret-key-1", "COHERE_BASE_URL": running.url("cohere") + base}
                async with room(Registry(), tmp_path, {**settings, **environ}) as here:
                    return await work(here, running)

        return asyncio.run(scenario())

    return run


def message_of(answer):
    """As a client keeps it: all of it."""
    if not answer.events:
        return answer.body["choices"][0]["message"]
    whole = completion_of([event(json.dumps(one).encode()) for one in answer.events], Usage())
    assert whole is not None
    return json.loads(whole)["choices"][0]["message"]


def sent(running):
    return json.loads(running.requests("cohere")[-1].body)


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v2/", "/compatibility/v1"])
def test_any_of_its_addresses_will_do(asking, base):
    async def work(here, running):
        answer = await here.ask()
        return answer.status, [(one.path, one.headers["authorization"]) for one in running.requests("cohere")]

    assert asking(work, base) == (200, [("/v2/chat", "Bearer very-secret-key-1")])


@modes
def test_a_chat_costs_what_is_billed_to_the_nano(asking, mode):
    async def work(here, running):
        answer = await here.ask(mode=mode, model=PLAIN, messages=[user("Hello there")])
        return answer, running.requests("cohere")

    answer, _ = asking(work)
    said = f'Simulated answer from cohere ({PLAIN}): you said "Hello there".'
    receipt = answer.events[-1] if mode == "stream" else answer.body
    prompt, output = -(-len("Hello there") // 4), -(-len(said) // 4)
    assert answer.text == said
    assert receipt["usage"]["prompt_tokens"] == prompt and receipt["usage"]["completion_tokens"] == output
    assert receipt["cost"]["nano_usd"] == prompt * 2500 + output * 10_000
    assert receipt["attempts"][0]["request_id"].startswith("req_")


@modes
def test_a_tool_loop_keeps_its_plan_and_its_thoughts(asking, mode):
    async def work(here, running):
        asked = [user("get_weather please")]
        first = await here.ask(OPENAI, mode, messages=asked, tools=[WEATHER])
        turn = message_of(first)
        (call,) = turn["tool_calls"]
        result = {"role": "tool", "tool_call_id": call["id"], "content": "Rain at noon"}
        second = await here.ask(NATIVE, "plain", messages=[*asked, turn, result], tools=[WEATHER])
        return turn, second, sent(running)

    turn, second, body = asking(work)
    assert [(one.get("id"), one["format"]) for one in turn["reasoning_details"]] == [(None, FORMAT), (PLAN, FORMAT)]
    there = body["messages"][1]
    assert there[PLAN] == "I will use get_weather."
    assert there["content"] == [{"type": "thinking", "thinking": "Simulated thought."}]
    assert there["tool_calls"] == turn["tool_calls"]
    assert second.body["content"] == f'Simulated answer from cohere ({THINKER}): the tool returned "Rain at noon".'
    (citation,) = second.body["citations"]
    assert citation["sources"][0]["type"] == "tool"
    assert second.body["content"][citation["start"] : citation["end"]] == "Rain at noon"
    assert second.body["warnings"] == []


@modes
def test_answers_cite_documents(asking, mode):
    async def work(here, running):
        answer = await here.ask(OPENAI, mode, documents=DOCUMENTS)
        return answer, sent(running)

    answer, body = asking(work)
    assert body["documents"] == [
        {"id": "tides", "data": {"title": "Tides", "text": "They follow the moon."}}, "Bread needs salt.",
    ]  # fmt: skip
    if mode == "plain":
        message = answer.body["choices"][0]["message"]
        said, found = message["content"], message["citations"]
    else:
        said = answer.text
        deltas = [choice["delta"] for event in answer.events for choice in event["choices"]]
        found = [one for delta in deltas for one in delta.get("citations", ())]
    assert [said[one["start"] : one["end"]] for one in found] == ["Tides", "Bread needs salt."]
    assert [one["sources"][0]["id"] for one in found] == ["tides", "doc:1"]


def test_documents_go_to_nobody_else(gateway):
    answer = gateway.http.post(NATIVE, json={"messages": [user("Hello")], "documents": ["Bread needs salt."]})
    assert answer.status_code == 400
    assert "does not take documents" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("documents", "param"),
    [([7], "documents[0]"), (["a", {}], "documents[1]"), ([{"data": "x"}], "documents[0].data"), ("x", "documents")],
)
def test_documents_are_looked_at(gateway, documents, param):
    answer = gateway.http.post(NATIVE, json={"messages": [user("Hello")], "documents": documents})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_images_schemas_and_thinking(asking):
    async def work(here, running):
        look = await here.ask(messages=[user(text("Look"), image())])
        saw = sent(running)
        wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA, "strict": True}}
        form = await here.ask(messages=[user("A trip")], response_format=wanted, thinking={"type": "disabled"})
        return look, saw, form, sent(running)

    look, saw, form, asked = asking(work)
    assert "1 image" in look.text and look.body["reasoning_content"] == "Simulated thought."
    assert saw["messages"][0]["content"][1]["image_url"] == {"url": PNG}
    assert json.loads(form.text).keys() == {"city", "days"} and "reasoning_content" not in form.body
    assert asked["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    assert asked["thinking"] == {"type": "disabled"}


def test_what_it_cannot_say_is_a_warning_or_with_strict_a_refusal(asking):
    async def work(here, _running):
        fields = {"top_p": 1, "n": 2, "model": PLAIN}
        strict = await here.ask(top_p=1, model=PLAIN, strict=True)
        return await here.ask(**fields), await here.ask(mode="stream", **fields), strict

    plain, stream, strict = asking(work)
    expected = [
        f"n was not sent: cohere/{PLAIN} does not take it",
        f"top_p was sent as 0.99: it is from 0.01 to 0.99 here (cohere/{PLAIN})",
    ]
    assert plain.body["warnings"] == expected
    assert stream.events[-1]["warnings"] == expected
    assert strict.status == 400 and "(strict)" in strict.error["message"]


def test_what_means_nothing_is_no_reason_to_refuse(asking):
    """Other clients name what they do not mean."""

    async def work(here, running):
        idle = {
            "n": 1,
            "logprobs": False,
            "top_logprobs": 0,
            "store": False,
            "parallel_tool_calls": True,
            "user": None,
        }
        return await here.ask(model=PLAIN, strict=True, **idle), sent(running), await here.ask(store=True, strict=True)

    answer, body, refused = asking(work)
    assert (answer.status, answer.body["warnings"]) == (200, [])
    assert body.keys() == {"model", "messages", "stream"}
    assert refused.status == 400 and "does not take store" in refused.error["message"]


def test_a_conversation_that_ends_with_the_assistant_is_answered(asking):
    async def work(here, _running):
        return await here.ask(messages=[user("Hello"), {"role": "assistant", "content": "Hi"}], model=PLAIN)

    answer = asking(work)
    assert answer.status == 200
    assert answer.body["warnings"][0].startswith("a user's turn was put last")


@modes
def test_what_a_broken_answer_used_is_owed(tmp_path, mode):
    billed = {"finish_reason": "ERROR", "usage": {"billed_units": {"input_tokens": 1000.0, "output_tokens": 800.0}}}
    whole = as_json({"id": "a", "message": {"role": "assistant", "content": []}, **billed})
    stream = event(json.dumps({"type": "message-end", "delta": billed}).encode())

    async def scenario(url):
        environ = {"COHERE_API_KEY": "k", "COHERE_BASE_URL": url, "MAX_RETRIES": "0"}
        async with room(Registry(), tmp_path, environ) as here:
            answer = await here.ask(mode=mode, model=f"cohere/{PLAIN}", fallback=False)
            return answer, (await here.http.get(f"/api/ai/decisions/{answer.decision}")).json()

    with upstream(lambda *_: whole if mode == "plain" else (200, "text/event-stream", stream)) as url:
        answer, receipt = asyncio.run(scenario(url))
    assert answer.error["attempts"][0]["error"] == "BrokenOff"
    assert receipt["cost"]["nano_usd"] == 1000 * 2500 + 800 * 10_000
    assert not any("may be billed" in words for words in receipt["warnings"])


def test_cached_tokens_are_shown_and_billed_like_others(tmp_path):
    usage = {"billed_units": {"input_tokens": 10.0, "output_tokens": 1.0}, "cached_tokens": 4.0}
    said = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    whole = as_json({"id": "a", "finish_reason": "COMPLETE", "message": said, "usage": usage})

    async def scenario(url):
        async with room(Registry(), tmp_path, {"COHERE_API_KEY": "k", "COHERE_BASE_URL": url}) as here:
            answer = await here.ask(OPENAI, model=f"cohere/{PLAIN}")
            return answer, (await here.http.get(f"/api/ai/decisions/{answer.decision}")).json()

    with upstream(lambda *_: whole) as url:
        answer, receipt = asyncio.run(scenario(url))
    assert answer.body["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}
    assert receipt["cost"]["nano_usd"] == 10 * 2500 + 10_000


@pytest.mark.parametrize(
    ("fault", "error"),
    [("498", "CredentialRefused"), ("499", "ServerFault"), ("501", "ServerFault"), ("402", "QuotaExhausted")],
)
def test_statuses_of_its_own(asking, fault, error):
    async def work(here, running):
        await running.fault("cohere", fault)
        return await here.ask()

    answer = asking(work, MAX_RETRIES="0")
    assert (answer.status, answer.error["attempts"][-1]["error"]) == (502, error)


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ({}, {"input_type": "search_document"}),
        ({"input_type": "query"}, {"input_type": "search_query"}),
        ({"input_type": "clustering", "truncate": "start"}, {"input_type": "clustering", "truncate": "START"}),
        ({"dimensions": 256, "truncate": False}, {"output_dimension": 256, "truncate": "NONE"}),
    ],
)
def test_what_vectors_are_for(asking, asked, there):
    async def work(here, running):
        answer = await here.http.post("/api/ai/embed", json={"input": "Hello", **asked})
        return answer.json(), sent(running)

    answer, body = asking(work)
    assert there.items() <= body.items()
    assert len(answer["embeddings"][0]) == asked.get("dimensions", 1536)
    assert answer["cost"]["nano_usd"] == 2 * 120


def test_its_list_of_models_has_pages(asking, monkeypatch):
    monkeypatch.setattr(adapter, "_PAGE", 3)

    async def work(here, running):
        await here.ask()
        found = await here.service.gateway.registry.adapter("cohere", "default").models()
        return found, [one.target for one in running.requests("cohere")[1:]]

    found, asked = asking(work)
    assert set(found) == set(COHERE.all_models)
    assert asked[:2] == ["/v1/models?page_size=3", "/v1/models?page_size=3&page_token=3"]


@modes
def test_a_schema_beside_tools_comes_by_a_function_which_it_would_refuse_otherwise(asking, mode):
    async def work(here, running):
        wanted = {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}}
        answer = await here.ask(OPENAI, mode, messages=[user("A trip")], tools=[WEATHER], response_format=wanted)
        return answer, sent(running)

    answer, body = asking(work)
    assert answer.status == 200
    assert "response_format" not in body
    assert [one["function"]["name"] for one in body["tools"]] == ["get_weather", "trip"]
    said = message_of(answer)["content"]
    assert json.loads(said).keys() == {"city", "days"}
