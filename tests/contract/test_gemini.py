"""Gemini through the gateway: what its API alone has, and what becomes of that elsewhere."""

import asyncio
import json
from math import hypot
from typing import Any

import pytest

from core.providers.contract import Call
from core.providers.registry import Registry
from core.types.target import Target
from tests.contract.cases import NATIVE, OPENAI
from tests.contract.cells import PNG, WAV, WEATHER, image, text, user
from tests.contract.rooms import fleet, room
from tests.contract.talk import ask
from tests.contract.upstream import upstream
from tests.harness import HELLO

JSON = "application/json"
NEW, OLD = "gemini-3.8-flash", "gemini-2.5-flash"
TOOLS = {"tools": [WEATHER]}
ASKED = user("get_weather please")


@pytest.fixture
def gateway(gateways):
    return gateways("quick", "gemini")


def chat(gateway, *messages, model=NEW, route=OPENAI, **fields):
    return ask(gateway, route, model=f"gemini/{model}", messages=list(messages), fallback=False, **fields)


def received(gateway):
    """What reached the simulator last."""
    return json.loads(gateway.fleet.requests("gemini")[-1].body)


def warnings(gateway, answer):
    return gateway.receipt(answer.decision)["warnings"]


class TestToolLoop:
    @pytest.mark.parametrize("model", [NEW, OLD])
    def test_goes_on_with_its_signature(self, gateway, model):
        """Without it the newer model refuses what follows."""
        asked = chat(gateway, ASKED, model=model, **TOOLS).body["choices"][0]["message"]
        (call,) = asked["tool_calls"]
        answered = {"role": "tool", "tool_call_id": call["id"], "content": "22 degrees"}
        answer = chat(gateway, ASKED, asked, answered, model=model, **TOOLS)
        assert '"22 degrees"' in answer.body["choices"][0]["message"]["content"]
        assert warnings(gateway, answer) == []
        part = received(gateway)["contents"][1]["parts"][0]
        google = call.get("extra_content", {}).get("google", {})
        assert part.get("thoughtSignature") == google.get("thought_signature")
        assert bool(google) == (model == NEW)

    def test_begun_elsewhere_it_goes_on_and_says_what_is_lost(self, gateway):
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        talk = (
            ASKED,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees"},
        )
        answer = chat(gateway, *talk, **TOOLS)
        assert '"22 degrees"' in answer.body["choices"][0]["message"]["content"]
        (warning,) = warnings(gateway, answer)
        assert warning.startswith("messages[1].tool_calls[0] has no signature of Google's")
        assert warning.endswith(f"(gemini/{NEW})")
        assert received(gateway)["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"

    def test_a_history_that_it_cannot_take_is_not_the_end(self, gateway):
        """Others do not look at what a call has been answered with."""
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "not json"}}
        called = {"role": "assistant", "content": None, "tool_calls": [call]}
        answered = {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees"}
        answer = chat(gateway, ASKED, called, answered, model=OLD, **TOOLS)
        assert '"22 degrees"' in answer.body["choices"][0]["message"]["content"]
        assert any("arguments are no JSON object" in words for words in warnings(gateway, answer))
        lost = {**answered, "tool_call_id": "call_9"}
        fields: dict[str, Any] = {"messages": [ASKED, called, lost], **TOOLS}
        answer = ask(gateway, OPENAI, provider="gemini", **fields)
        first = gateway.receipt(answer.decision)["attempts"][0]
        assert (first["provider"], first["error"], first["then"]) == ("gemini", "ParameterRefused", "next")

    def test_strict_callers_are_not_answered_at_such_a_price(self, gateway):
        call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
        called = {"role": "assistant", "content": None, "tool_calls": [call]}
        answered = {"role": "tool", "tool_call_id": "call_1", "content": "22 degrees"}
        before = len(gateway.fleet.requests("gemini"))
        refused = chat(gateway, ASKED, called, answered, strict=True, **TOOLS)
        assert (refused.status, refused.error["attempts"][0]["error"]) == (400, "ParameterRefused")
        assert len(gateway.fleet.requests("gemini")) == before


class TestWhatItTakes:
    def test_pictures_sounds_and_papers(self, gateway):
        sound = {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}
        paper = {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}
        answer = chat(gateway, user(text("Look"), image(), sound, paper))
        said = answer.body["choices"][0]["message"]["content"]
        assert "1 image: image/png" in said
        assert "1 audio part and 1 file" in said
        kinds = [part["inlineData"]["mimeType"] for part in received(gateway)["contents"][0]["parts"][1:]]
        assert kinds == ["image/png", "audio/wav", "application/pdf"]
        assert PNG.endswith(received(gateway)["contents"][0]["parts"][1]["inlineData"]["data"])

    def test_json_with_tools_is_asked_of_an_older_model_by_a_function(self, gateway):
        wanted = {"response_format": {"type": "json_object"}, **TOOLS}
        for model, warned in ((NEW, 0), (OLD, 1)):
            answer = chat(gateway, user("Hello"), model=model, **wanted)
            assert isinstance(json.loads(answer.body["choices"][0]["message"]["content"]), dict)
            assert len(warnings(gateway, answer)) == warned

    def test_sampling_and_thinking_under_its_own_names(self, gateway):
        answer = chat(
            gateway, user("Hello"), temperature=0.1, top_k=5, seed=3, stop=["zzz"], max_tokens=99, logit_bias={},
            reasoning_effort="low",
        )  # fmt: skip
        assert received(gateway)["generationConfig"] == {
            "temperature": 0.1, "topK": 5, "seed": 3, "stopSequences": ["zzz"], "maxOutputTokens": 99,
            "thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": True},
        }  # fmt: skip
        assert answer.body["choices"][0]["message"]["reasoning_content"] == "Simulated thought."
        assert warnings(gateway, answer) == [f"logit_bias was not sent: gemini/{NEW} does not take it"]

    def test_probabilities_and_several_answers(self, gateway):
        body = chat(gateway, user("Hello"), n=2, logprobs=True, top_logprobs=1).body
        assert [choice["index"] for choice in body["choices"]] == [0, 1]
        first = body["choices"][0]["logprobs"]["content"][0]
        assert (first["token"], len(first["top_logprobs"])) == ("Simulated ", 2)


class TestWhatItSays:
    @pytest.mark.parametrize("mode", ["plain", "stream"])
    def test_a_blocked_prompt_goes_to_the_next(self, gateway, mode):
        answer = ask(gateway, NATIVE, mode, provider="gemini", messages=[user("simulate:BLOCKED")])
        assert (answer.status, answer.headers["x-patchbay-attempts"]) == (200, "2")
        first = gateway.receipt(answer.decision)["attempts"][0]
        assert (first["provider"], first["error"], first["code"]) == ("gemini", "ContentRefused", "PROHIBITED_CONTENT")
        assert first["cost_nano"] == 750 * -(-len("simulate:BLOCKED") // 4)

    @pytest.mark.parametrize("mode", ["plain", "stream"])
    def test_a_filtered_answer_says_so(self, gateway, mode):
        answer = ask(gateway, OPENAI, mode, model=f"gemini/{NEW}", messages=[user("simulate:SAFETY")])
        chosen = [one for event in answer.events or (answer.body,) for one in event["choices"]]
        assert [one["finish_reason"] for one in chosen if one["finish_reason"]] == ["content_filter"]

    @pytest.mark.parametrize("mode", ["plain", "stream"])
    def test_what_an_answer_has_beyond_words_is_said(self, tmp_path, mode):
        parts = [{"inlineData": {"mimeType": "image/png", "data": "AA=="}}, {"text": "Look"}]
        candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
        whole = json.dumps({"candidates": [candidate]}).encode()

        def speak(path, *_):
            return (200, "text/event-stream", b"data: " + whole + b"\n\n") if "stream" in path else (200, JSON, whole)

        async def scenario(url):
            async with room(Registry(), tmp_path, {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": url}) as here:
                return await here.ask(mode=mode, model=f"gemini/{OLD}")

        with upstream(speak) as url:
            answer = asyncio.run(scenario(url))
        said = answer.events[-1] if mode == "stream" else answer.body
        assert answer.text == "Look"
        assert said["warnings"] == [f"candidates[0] has inlineData, which was left out (gemini/{OLD})"]

    def test_a_wait_is_told_in_its_body(self, gateway):
        gateway.fault("gemini", "429:0.01")
        refused = chat(gateway, user("Hello"))
        assert refused.status == 429
        assert {one["retry_after"] for one in refused.error["attempts"]} == {0.01}

    def test_what_it_has_read_before_costs_less(self, gateway):
        answer = chat(gateway, user("word " * 1000))  # 1250 tokens, of which it keeps whole blocks of 1024
        receipt = gateway.receipt(answer.decision)
        said = receipt["usage"]
        assert (said["cached_input_tokens"], said["input_tokens"], said["reasoning_tokens"]) == (1024, 226, 5)
        output = said["output_tokens"] + said["reasoning_tokens"]
        assert receipt["cost"]["nano_usd"] == 226 * 750 + 1024 * 75 + output * 3750

    def test_sound_has_a_price_of_its_own_or_none(self, gateway):
        heard = user(text("Listen"), {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})
        receipt = gateway.receipt(chat(gateway, heard, model=OLD).decision)
        output = receipt["usage"]["output_tokens"] + receipt["usage"]["reasoning_tokens"]
        assert receipt["cost"]["nano_usd"] == 2 * 300 + 32 * 1000 + output * 2500
        assert gateway.receipt(chat(gateway, heard).decision)["cost"]["nano_usd"] is None


class TestVectors:
    def vectors(self, gateway, **fields):
        body = {"model": "gemini/gemini-embedding-001", **fields}
        answer = gateway.http.post("/v1/embeddings", json=body)
        assert answer.status_code == 200, answer.text
        return [one["embedding"] for one in answer.json()["data"]]

    def test_shortened_ones_have_unit_length_again(self, gateway):
        (vector,) = self.vectors(gateway, input="Hello", dimensions=256)
        assert len(vector) == 256
        assert hypot(*vector) == pytest.approx(1)
        (whole,) = self.vectors(gateway, input="Hello")
        assert vector == pytest.approx([number / hypot(*whole[:256]) for number in whole[:256]])

    def test_many_go_in_batches_in_their_order(self, gateway):
        texts = [f"text {number}" for number in range(130)]
        before = len(gateway.fleet.requests("gemini"))
        found = self.vectors(gateway, input=texts, dimensions=128, input_type="document")
        assert len(gateway.fleet.requests("gemini")) - before == 2
        assert received(gateway)["requests"][0]["taskType"] == "RETRIEVAL_DOCUMENT"
        (last,) = self.vectors(gateway, input=texts[-1], dimensions=128, input_type="document")
        assert found[-1] == pytest.approx(last)


def at_the_simulator(tmp_path, work, **environ):
    """An adapter that is connected to a simulator, and what a piece of work does with it."""

    async def scenario():
        async with fleet(["gemini"]) as running:
            url = running.url("gemini")
            settings = {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": url + environ.pop("path", "")}
            async with room(Registry(), tmp_path, settings) as here:
                assert (await here.ask(provider="gemini")).status == 200
                gateway = await here.service.open()
                return await work(gateway.registry.adapter("gemini", "default")), running.requests("gemini")

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "root"), [("", "/v1beta"), ("/v1", "/v1"), ("/v1beta/", "/v1beta"), ("/v1beta/openai/", "/v1beta")]
)
def test_an_address_may_be_any_that_a_portal_shows(tmp_path, path, root):
    names, requests = at_the_simulator(tmp_path, lambda adapter: adapter.models(), path=path)
    assert requests[0].path == f"{root}/models/{NEW}:generateContent"
    assert NEW in names and "gemini-embedding-2" in names
    assert [request.query for request in requests[1:]] == [
        "pageSize=1000", "pageSize=1000&pageToken=4", "pageSize=1000&pageToken=8",
    ]  # fmt: skip


def test_tokens_are_counted_without_an_answer(tmp_path):
    body = {**HELLO, "tools": [WEATHER], "temperature": 1}
    call = Call(Target("gemini", "default", NEW), body, 20, 10_000)
    counted, requests = at_the_simulator(tmp_path, lambda adapter: adapter.count_tokens(call))
    assert counted > 10
    asked = json.loads(requests[-1].body)["generateContentRequest"]
    assert (asked["model"], list(asked["tools"][0])) == (f"models/{NEW}", ["functionDeclarations"])


def test_a_key_that_is_refused_is_the_account_s_fault(tmp_path):
    async def scenario():
        async with fleet(["gemini"]) as running:
            settings = {"GEMINI_API_KEY": "invalid", "GEMINI_BASE_URL": running.url("gemini")}
            async with room(Registry(), tmp_path, settings) as here:
                return await here.ask(provider="gemini")

    attempt = asyncio.run(scenario()).error["attempts"][0]
    assert (attempt["error"], attempt["fault"], attempt["code"]) == ("CredentialRefused", "account", "API_KEY_INVALID")
