"""The chat routes: fields, headers, streams, deadlines, callers that leave, many at once."""

import gc
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.types.request import Request
from tests.functions.helpers import CHAT_ROUTES, calls, has_receipt_headers, problem, said, sse
from tests.harness import HELLO, Server, server

PIXEL = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SLOW = {"PATCHBAY_SIMULATOR_SLOW_MS": "30000", "PATCHBAY_IDLE_TIMEOUT": "3"}
PROVIDERS = ("azure", "together", "openai")


def ask(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def sent(gateway: Server, provider: str) -> dict[str, Any]:
    """The body that a provider got last."""
    body: dict[str, Any] = json.loads(gateway.fleet.requests(provider)[-1].body)
    return body


def eventually(look: Any, what: str) -> Any:
    """Look again until it is there, for ten seconds at most."""
    end = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway whose providers, once slow, are slower than any test."""
    with server(tmp_path_factory.mktemp("slow"), **SLOW) as running:
        yield running


def test_the_fields_of_the_seed(gateway):
    answer = gateway.http.post("/api/ai/chat", json={**ask("Say yes"), "temperature": 0.7, "provider": None})
    assert answer.status_code == 200
    body = answer.json()
    assert isinstance(body["content"], str) and "Say yes" in body["content"]
    assert isinstance(body["model"], str) and body["model"]
    assert body["provider"] == "azure"
    assert isinstance(body["usage"]["total_tokens"], int) and body["usage"]["total_tokens"] > 0
    assert isinstance(body["duration_ms"], int | float) and body["duration_ms"] >= 0


def test_what_is_added_to_them(gateway):
    body = gateway.chat().json()
    assert body["simulated"] is True
    assert re.fullmatch(r"[0-9a-f]{32}", body["decision_id"])
    assert [(one["provider"], one["outcome"]) for one in body["attempts"]] == [("azure", "ok")]
    assert body["cost"]["nano_usd"] > 0 and body["cost"]["usd"] == body["cost"]["nano_usd"] / 1e9
    assert body["warnings"] == []
    assert body["cache"] == "off"
    assert body["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]


def test_headers_say_what_the_body_says(gateway):
    gateway.fault("azure", "500", times=1)
    answer = gateway.chat()
    body, headers = answer.json(), answer.headers
    has_receipt_headers(answer)
    assert headers["x-patchbay-provider"] == body["provider"] == "together"
    assert headers["x-patchbay-model"] == body["model"]
    assert int(headers["x-patchbay-attempts"]) == len(body["attempts"]) == 2
    assert Decimal(headers["x-patchbay-cost-usd"]) * 10**9 == body["cost"]["nano_usd"]
    assert headers["x-patchbay-decision"] == body["decision_id"]
    assert headers["x-patchbay-cache"] == "off"
    assert headers["x-patchbay-simulated"] == "true"
    receipt = gateway.receipt(body["decision_id"])
    assert receipt["usage"] == body["usage"] and receipt["cost"] == body["cost"]
    assert receipt["attempts"] == body["attempts"] and receipt["route"] == "/api/ai/chat"


def test_the_openai_route_passes_the_providers_bytes_on(gateway):
    answer = gateway.http.post("/v1/chat/completions", json=ask("Hello there"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["object"] == "chat.completion" and "Hello there" in body["choices"][0]["message"]["content"]
    assert "prompt_filter_results" in body  # Azure's own addition, as it came
    has_receipt_headers(answer)
    assert answer.headers["x-patchbay-provider"] == "azure"
    assert gateway.receipt(answer.headers["x-patchbay-decision"])["route"] == "/v1/chat/completions"


@pytest.mark.parametrize(
    ("fields", "provider", "model"),
    [
        ({}, "azure", None),
        ({"provider": None}, "azure", None),
        ({"provider": "auto"}, "azure", None),
        ({"provider": "AUTO"}, "azure", None),
        ({"model": None}, "azure", None),
        ({"model": "auto"}, "azure", None),
        ({"provider": "together"}, "together", None),
        ({"provider": "OpenAI"}, "openai", None),
        ({"provider": " openai "}, "openai", None),
        ({"provider": "azure-openai"}, "azure", None),
        ({"model": "openai/auto"}, "openai", None),
        ({"model": "together/auto"}, "together", None),
        ({"model": "openai/anything-at-all"}, "openai", "anything-at-all"),
        ({"model": "together/some/vendor/model"}, "together", "some/vendor/model"),
        ({"provider": "openai", "model": "a-new-one"}, "openai", "a-new-one"),
        ({"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo"}, "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
        ({"models": ["together/auto", "openai/auto"]}, "together", None),
        ({"models": ["openai/x", "together/y"], "model": None}, "openai", "x"),
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("stream", [False, True])
def test_who_answers(gateway, fields, provider, model, stream):
    answer = gateway.chat(fields, stream=stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-patchbay-provider"] == provider
    if model is not None:
        assert answer.headers["x-patchbay-model"] == model
        assert sent(gateway, provider)["model"] == model


def test_a_list_of_models_is_the_whole_chain(gateway):
    for name in PROVIDERS:
        gateway.fault(name, "500")
    answer = gateway.chat(models=["openai/auto", "together/auto"])
    error = problem(answer, 502)
    assert list(dict.fromkeys(one["provider"] for one in error["attempts"])) == ["openai", "together"]


def test_the_chain_follows_the_provider_named(gateway):
    gateway.fault("openai", "500")
    body = gateway.chat(provider="openai").json()
    assert [one["provider"] for one in body["attempts"]] == ["openai", "azure"]
    assert body["attempts"][0]["error"] == "ServerFault"


def test_without_fallback_nobody_follows(gateway):
    gateway.fault("openai", "500")
    before = calls(gateway)
    error = problem(gateway.chat(provider="openai", fallback=False), 502)
    assert {one["provider"] for one in error["attempts"]} == {"openai"}
    after = calls(gateway)
    assert after["openai"] > before["openai"]
    assert (after["azure"], after["together"]) == (before["azure"], before["together"])
    assert error["decision_id"] and gateway.receipt(error["decision_id"])["outcome"] == "error"


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_when_all_fail_each_attempt_is_listed(gateway, route, stream):
    for name in PROVIDERS:
        gateway.fault(name, "401")
    answer = gateway.http.post(route, json={**HELLO, "stream": stream})
    error = problem(answer, 502)
    assert [one["provider"] for one in error["attempts"]] == list(PROVIDERS)
    assert {one["error"] for one in error["attempts"]} == {"CredentialRefused"}
    assert answer.headers["x-patchbay-attempts"] == "3"
    assert answer.headers["x-patchbay-decision"] == error["decision_id"]


def test_the_native_stream_ends_with_its_receipt(gateway):
    answer = gateway.chat(ask("Tell me more"), stream=True)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    has_receipt_headers(answer)
    assert answer.headers["x-patchbay-provider"] == "azure"
    assert answer.headers["x-patchbay-attempts"] == "1"
    *chunks, receipt, done = sse(answer.text)
    assert done == "[DONE]" and all(isinstance(one, dict) for one in chunks)
    assert receipt["choices"] == []
    assert "Tell me more" in said(chunks)
    assert receipt["provider"] == "azure" and receipt["model"] == answer.headers["x-patchbay-model"]
    assert receipt["decision_id"] == answer.headers["x-patchbay-decision"]
    assert receipt["usage"]["total_tokens"] > 0 and receipt["usage"]["source"] == "reported"
    assert receipt["cost"]["nano_usd"] > 0 and receipt["simulated"] is True
    assert [one["outcome"] for one in receipt["attempts"]] == ["ok"]
    assert receipt["warnings"] == []
    stored = gateway.receipt(receipt["decision_id"])
    assert stored["outcome"] == "ok" and stored["cost"] == receipt["cost"] and stored["stream"] is True


def test_a_stream_says_the_same_and_costs_the_same_as_a_whole_answer(gateway):
    whole = gateway.chat(ask("Same?")).json()
    *chunks, receipt, _ = sse(gateway.chat(ask("Same?"), stream=True).text)
    assert said(chunks) == whole["content"]
    assert receipt["usage"] == whole["usage"] and receipt["cost"] == whole["cost"]


@pytest.mark.parametrize("asked", [None, {"include_usage": True}, {"include_usage": False}])
def test_the_openai_stream_has_a_usage_chunk_only_when_it_was_asked_for(gateway, asked):
    body = {**HELLO, "stream": True, "stream_options": asked}
    answer = gateway.http.post("/v1/chat/completions", json=body)
    *chunks, done = sse(answer.text)
    assert done == "[DONE]"
    counting = [one for one in chunks if not one["choices"] and one.get("usage")]
    assert len(counting) == (1 if asked and asked["include_usage"] else 0)
    assert not any("decision_id" in one for one in chunks)
    assert gateway.receipt(answer.headers["x-patchbay-decision"])["usage"]["source"] == "reported"


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize(
    ("fault", "errors"),
    [("cut_stream", {"StreamCut", "Dropped"}), ("stream_error", {"StreamFailed"}), ("drop_headers", None)],
)
def test_a_broken_stream_never_looks_whole(gateway, route, fault, errors):
    gateway.fault("azure", fault)
    answer = gateway.http.post(route, json={**HELLO, "stream": True})
    events = sse(answer.text)
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    if errors is None:  # before any output the next provider answers
        assert answer.headers["x-patchbay-provider"] == "together"
        assert answer.headers["x-patchbay-attempts"] == "2"
        assert events[-1] == "[DONE]" and receipt["outcome"] == "ok"
        return
    assert "[DONE]" not in events
    last = events[-1]["error"]
    assert last["message"] and last["type"] and last["class"] in errors
    assert last["decision_id"] == answer.headers["x-patchbay-decision"]
    assert receipt["outcome"] == "cut" and receipt["error"] == last["class"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_parameter_is_named_in_the_warnings(gateway, stream):
    answer = gateway.chat(nonsense=1, top_k=3, stream=stream)
    body = sse(answer.text)[-2] if stream else answer.json()
    assert any("nonsense" in one for one in body["warnings"])
    assert any("top_k" in one for one in body["warnings"])
    assert not {"nonsense", "top_k"} & sent(gateway, "azure").keys()
    assert gateway.receipt(body["decision_id"])["warnings"] == body["warnings"]


def test_an_unknown_parameter_is_passed_on_where_the_provider_takes_it(gateway):
    body = gateway.chat(provider="together", top_k=3).json()
    assert body["provider"] == "together" and body["warnings"] == []
    assert sent(gateway, "together")["top_k"] == 3


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("extra", [{}, {"provider": "openai", "fallback": False}, {"model": "openai/auto"}])
def test_strict_refuses_an_unknown_parameter_and_names_it(gateway, route, extra):
    before = calls(gateway)
    error = problem(gateway.http.post(route, json={**HELLO, **extra, "strict": True, "nonsense": 1}), 400)
    assert "nonsense" in error["message"]
    assert calls(gateway) == before


def test_strict_names_the_parameter_for_programs_too(gateway):
    answer = gateway.chat(strict=True, nonsense=1, provider="openai", fallback=False)
    problem(answer, 400, param="nonsense")


@pytest.mark.parametrize("route", CHAT_ROUTES)
def test_compatibility_says_what_becomes_of_what_a_target_does_not_take(gateway, route):
    asked = {**HELLO, "provider": "openai", "fallback": False, "nonsense": 1}
    problem(gateway.http.post(route, json={**asked, "compatibility": "strict"}), 400, param="nonsense")
    assert gateway.http.post(route, json={**asked, "compatibility": "WARN"}).status_code == 200
    assert "nonsense" not in sent(gateway, "openai")
    error = problem(gateway.http.post(route, json={**asked, "compatibility": "permissive"}), 400, param="nonsense")
    assert "Unknown parameter" in error["message"]  # the provider's own word: it was sent


def test_permissive_is_not_deaf(gateway):
    body = gateway.chat(compatibility="permissive", provider="together", new_thing=1, store=True).json()
    assert body["warnings"] == [f"store was not sent: together/{body['model']} does not take it"]
    assert sent(gateway, "together")["new_thing"] == 1


@pytest.mark.parametrize("value", ["loose", "", 1, True, ["strict"]])
def test_compatibility_is_one_of_three_words(gateway, value):
    problem(gateway.chat(compatibility=value), 400, param="compatibility")


def test_strict_and_the_opposite_are_not_both_meant(gateway):
    problem(gateway.chat(compatibility="warn", strict=True), 400, param="compatibility")
    assert gateway.chat(compatibility="strict", strict=True).status_code == 200
    assert gateway.chat(compatibility="permissive", strict=False).status_code == 200


def test_what_a_client_hands_back_of_an_answer_is_no_hindrance(gateway):
    """Clients send whole messages again, with all that was in them."""
    said = {"role": "assistant", "content": "Hi", "reasoning_content": "They greet.", "citations": []}
    body = gateway.chat(messages=[*HELLO["messages"], said, *HELLO["messages"]], provider="openai").json()
    assert sent(gateway, "openai")["messages"][1] == {"role": "assistant", "content": "Hi"}
    assert sorted(warning.split()[0] for warning in body["warnings"]) == [
        "messages[].citations", "messages[].reasoning_content"
    ]  # fmt: skip


def test_the_cache_of_a_gateway_before_is_the_one_that_counts(gateway):
    answer = gateway.http.post("/api/ai/chat", json={**HELLO, "cache": "on"}, headers={"x-patchbay-hop": "1"})
    assert answer.json()["warnings"] == ["cache=on had no effect: the request came through another gateway"]
    assert gateway.chat(cache="on").json()["warnings"] == []


def test_temperature_on_the_default_model_is_dropped_with_a_warning(gateway):
    body = gateway.chat(temperature=0.3).json()
    assert body["provider"] == "azure"
    assert len(body["warnings"]) == 1 and "temperature" in body["warnings"][0]
    assert "temperature" not in sent(gateway, "azure")


def test_temperature_reaches_a_model_that_takes_it(gateway):
    body = gateway.chat(temperature=0.3, provider="together").json()
    assert body["warnings"] == [] and sent(gateway, "together")["temperature"] == 0.3
    body = gateway.chat(temperature=0.3, strict=True).json()
    assert body["provider"] == "together" and body["warnings"] == []
    assert sent(gateway, "together")["temperature"] == 0.3


def test_fields_for_the_gateway_reach_no_provider(gateway):
    ours = {
        "provider": "openai",
        "fallback": True,
        "strategy": "fallback",
        "cache": "off",
        "max_cost": 5,
        "tier": "fast",
        "strict": False,
        "compatibility": "warn",
    }
    assert gateway.chat(ours).status_code == 200
    assert sent(gateway, "openai").keys() == {"messages", "model"}
    assert gateway.chat(models=["openai/auto"]).status_code == 200
    assert sent(gateway, "openai").keys() == {"messages", "model"}


def test_a_gateway_whose_cache_is_off_says_so(tmp_path):
    with server(tmp_path, PATCHBAY_CACHE="off") as gateway:
        answer = gateway.chat(cache="on")
    assert answer.headers["x-patchbay-cache"] == "off"
    assert answer.json()["warnings"] == ["cache=on had no effect: PATCHBAY_CACHE is off"]


@pytest.mark.parametrize("stream", [False, True])
def test_tools_pass_through(gateway, stream):
    fields = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "stream": stream}
    answer = gateway.chat(ask("Weather in Rome?"), **fields)
    assert answer.status_code == 200, answer.text
    assert sent(gateway, "azure")["tools"] == [WEATHER] and sent(gateway, "azure")["tool_choice"] == "required"
    if stream:
        deltas = [choice["delta"] for one in sse(answer.text)[:-1] for choice in one["choices"]]
        calls_made = [call for delta in deltas for call in delta.get("tool_calls") or ()]
        assert calls_made[0]["function"]["name"] == "get_weather"
        assert "city" in json.loads("".join(one["function"].get("arguments") or "" for one in calls_made))
    else:
        body = answer.json()
        assert body["content"] is None and body["finish_reason"] == "tool_calls"
        assert body["tool_calls"][0]["function"]["name"] == "get_weather"
        assert "city" in json.loads(body["tool_calls"][0]["function"]["arguments"])


def test_a_tools_answer_goes_back(gateway):
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    answer = gateway.chat({"messages": messages})
    assert "sunny" in answer.json()["content"]
    assert sent(gateway, "azure")["messages"] == messages


def test_images_pass_through_and_choose_who_can_see(gateway):
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    messages = [{"role": "user", "content": parts}]
    assert gateway.chat({"messages": messages}).json()["provider"] == "azure"
    assert sent(gateway, "azure")["messages"] == messages
    # Llama 3.3, the default there, sees nothing, so it is no fallback for a picture; another model is.
    gateway.fault("azure", "500")
    body = gateway.chat({"messages": messages}).json()
    assert [one["provider"] for one in body["attempts"]] == ["azure", "together"]
    assert body["model"] == "Qwen/Qwen3.5-9B"
    body = gateway.chat(
        {"messages": messages}, model="meta-llama/Llama-3.3-70B-Instruct-Turbo", tier="standard"
    ).json()
    assert "together" not in [one["provider"] for one in body["attempts"]]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_output_limit_is_spelled_as_each_provider_spells_it(gateway, name):
    spelled = {"azure": "max_completion_tokens", "together": "max_tokens", "openai": "max_completion_tokens"}
    for provider, wanted in spelled.items():
        body = gateway.chat(provider=provider, **{name: 7}).json()
        assert body["finish_reason"] == "length" and body["provider"] == provider
        assert {key: value for key, value in sent(gateway, provider).items() if key.startswith("max_")} == {wanted: 7}


def test_another_model_never_answers_for_a_named_one_in_silence(gateway):
    gateway.fault("openai", "500")
    body = gateway.chat(model="openai/gpt-4.1").json()
    assert body["provider"] != "openai"
    assert any("gpt-4.1" in one for one in body["warnings"])


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["hang", "slow_first_byte"])
def test_the_callers_deadline_is_kept(slow, route, stream, fault):
    slow.clear()
    for name in PROVIDERS:
        slow.fault(name, fault)
    answer = slow.http.post(route, json={**HELLO, "stream": stream}, headers={"x-patchbay-timeout-ms": "300"})
    error = problem(answer, 504)
    assert error["attempts"] and {one["error"] for one in error["attempts"]} <= {"AttemptTimeout", "DeadlinePassed"}
    assert "deadline" in error["message"] and "x-patchbay-timeout-ms" in error["message"]
    assert slow.receipt(error["decision_id"])["outcome"] == "error"
    slow.clear()


def test_a_share_of_the_deadline_is_left_for_the_next(slow):
    slow.clear()
    slow.fault("azure", "hang")
    answer = slow.http.post("/api/ai/chat", json=HELLO, headers={"x-patchbay-timeout-ms": "3000"})
    assert answer.status_code == 200, answer.text
    assert [(one["provider"], one.get("error")) for one in answer.json()["attempts"]] == [
        ("azure", "AttemptTimeout"),
        ("together", None),
    ]
    slow.clear()


@pytest.mark.parametrize("provider", ["azure", "together"])
def test_the_callers_deadline_is_kept_in_the_middle_of_a_stream(slow, provider):
    """Silence after the first output ends at the deadline, not at the idle timeout behind it."""
    slow.clear()
    slow.fault(provider, "stream_stall@2")
    body = {**HELLO, "provider": provider, "fallback": False, "stream": True}
    answer = slow.http.post("/api/ai/chat", json=body, headers={"x-patchbay-timeout-ms": "800"})
    slow.clear()
    events = sse(answer.text)
    assert answer.status_code == 200 and said(events)
    assert "[DONE]" not in events
    assert events[-1]["error"]["class"] in {"AttemptTimeout", "DeadlinePassed"}
    receipt = slow.receipt(answer.headers["x-patchbay-decision"])
    assert receipt["outcome"] == "cut" and receipt["error"] in {"AttemptTimeout", "DeadlinePassed"}


def test_a_deadline_beyond_the_gateways_own_does_not_extend_it(tmp_path):
    with server(tmp_path, PATCHBAY_TOTAL_TIMEOUT="0.3", **SLOW) as gateway:
        for name in PROVIDERS:
            gateway.fault(name, "hang")
        answer = gateway.http.post("/api/ai/chat", json=HELLO, headers={"x-patchbay-timeout-ms": "600000"})
        problem(answer, 504)


class RawCaller:
    """A client that can leave whenever it likes."""

    def __init__(self, gateway: Server, path: str, body: dict[str, Any]) -> None:
        parts = urlsplit(gateway.url)
        assert parts.hostname and parts.port
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        raw = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + raw)
        self.seen = b""

    def until(self, mark: bytes, times: int = 1) -> bytes:
        while self.seen.count(mark) < times:
            part = self.socket.recv(65536)
            assert part, f"closed before {mark!r}: {self.seen[-300:]!r}"
            self.seen += part
        return self.seen

    def leave(self) -> None:
        self.socket.close()


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Counter[str]]]:
    """A gateway whose streams take time, and how often each of its decisions was settled."""
    with server(tmp_path, PATCHBAY_SIMULATOR_CHUNK_MS="20") as running:
        ledger = running.service.gateway.ledger  # type: ignore[union-attr] # it is open
        times: Counter[str] = Counter()
        settle = ledger.settle

        async def counting(receipt: Any) -> None:
            await settle(receipt)
            times[receipt.id] += 1

        monkeypatch.setattr(ledger, "settle", counting)
        yield running, times


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("provider", ["azure", "together"])
def test_a_caller_that_leaves_in_the_middle_of_a_stream(settled, route, provider):
    gateway, times = settled
    words = " ".join(f"word{number}" for number in range(400))  # the simulator says them again, one by one
    caller = RawCaller(gateway, route, {**ask(words), "stream": True, "provider": provider})
    seen = caller.until(b"word", times=3)
    decision = re.search(rb"x-patchbay-decision: (\w+)", seen)
    assert decision and b"[DONE]" not in seen
    connections = gateway.fleet._simulators[provider].server._tasks
    assert len(connections) == 1
    caller.leave()

    def stored() -> dict[str, Any] | None:
        answer = gateway.http.get(f"/api/ai/decisions/{decision[1].decode()}")
        return answer.json() if answer.status_code == 200 else None

    receipt = eventually(stored, "the receipt of the stream")
    assert receipt["outcome"] == "cancelled"
    assert [(one["provider"], one["outcome"]) for one in receipt["attempts"]] == [(provider, "cancelled")]
    assert receipt["usage"]["source"] in {"estimated", "reported"}
    assert receipt["usage"]["input_tokens"] > 0 and receipt["usage"]["output_tokens"] > 0
    assert receipt["cost"]["nano_usd"] > 0
    eventually(lambda: not connections, "the connection to the provider is closed")
    eventually(lambda: not gateway.service.gateway.steps.walk.gate.counts, "the permit is closed")
    # Another call goes through the same gateway afterwards, and the first is not settled again.
    assert gateway.chat(provider=provider).status_code == 200
    assert times[decision[1].decode()] == 1
    listed = gateway.http.get("/api/ai/decisions?limit=200").json()["decisions"]
    assert [one["decision_id"] for one in listed].count(decision[1].decode()) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_that_leaves_before_the_first_output(settled, stream):
    gateway, times = settled
    gateway.fault("azure", "hang")
    before = calls(gateway)["azure"]
    caller = RawCaller(gateway, "/api/ai/chat", {**HELLO, "stream": stream, "fallback": False})
    eventually(lambda: calls(gateway)["azure"] > before, "the provider is called")
    caller.leave()
    eventually(lambda: times, "a settlement")
    (decision,) = times
    assert times[decision] == 1
    assert gateway.receipt(decision)["outcome"] == "cancelled"
    eventually(lambda: not gateway.fleet._simulators["azure"].server._tasks, "the provider's connection is closed")


@pytest.mark.parametrize("stream", [False, True])
def test_fifty_at_once_get_their_own_answers_and_receipts(gateway, stream):
    before = sum(calls(gateway).values())

    def one(number: int) -> tuple[str, str]:
        mark = f"caller-{number:02d}-{stream}"
        answer = gateway.chat(ask(mark), stream=stream, user=mark, provider=PROVIDERS[number % 3])
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-patchbay-provider"] == PROVIDERS[number % 3]
        if stream:
            *chunks, receipt, _ = sse(answer.text)
            text = said(chunks)
        else:
            receipt = answer.json()
            text = receipt["content"]
        assert mark in text
        assert receipt["provider"] == PROVIDERS[number % 3]
        assert receipt["decision_id"] == answer.headers["x-patchbay-decision"]
        return receipt["decision_id"], receipt["provider"]

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(one, range(50)))
    assert len({decision for decision, _ in results}) == 50
    for decision, provider in results:
        receipt = gateway.receipt(decision)
        assert (receipt["outcome"], receipt["provider"], receipt["stream"]) == ("ok", provider, stream)
    assert sum(calls(gateway).values()) == before + 50
    assert not gateway.service.gateway.steps.walk.gate.counts


def test_receipts_hold_no_words(gateway):
    secret = "xylophone-secret-prompt"
    body = gateway.chat(ask(secret), user=secret, metadata={"a": secret}).json()
    assert secret in body["content"]
    assert secret not in json.dumps(gateway.receipt(body["decision_id"]))


def test_a_failed_request_is_let_go_of(gateway):
    """Its error must not hold the frames it came through, and with them the body and what was read of an answer."""
    gateway.fault("azure", "500")
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert gateway.chat(ask("x" * 2_000_000), models=["azure/auto"]).status_code == 502
        assert gateway.chat(models=["openai/auto"]).status_code == 200  # what the last one held is let go of by now
        kept = [one for one in gc.get_objects() if isinstance(one, Request) and one.facts.input_tokens > 400_000]
    finally:
        gc.enable()
    assert not kept
