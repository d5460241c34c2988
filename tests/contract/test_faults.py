"""Every fault × every provider × every way of asking: the right class and the right behaviour."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from core import errors
from tests.contract.cases import (
    AFTER,
    BEFORE,
    DIALECTS,
    EVERYBODY,
    HARMLESS,
    JOBS,
    NAMELESS,
    NATIVE,
    OPENAI,
    OTHERS,
    PROVIDERS,
    RETRIES,
    THINKS,
    Case,
    everywhere,
    named,
    routes,
    spread,
)
from tests.contract.talk import Requests, ask, said_by, within
from tests.harness import HELLO

MESSAGES: Any = HELLO["messages"]
MODELS = {
    "azure": "gpt-5.4-mini",
    "together": "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "openai": "gpt-6-luna",
    "anthropic": "claude-sonnet-5-5",
    "groq": "openai/gpt-oss-120b",
    "deepseek": "deepseek-flash",
    "huggingface": "openai/gpt-oss-120b",
    "cohere": "command-a-plus-05-2026",
    "gemini": "gemini-3.8-flash",
    "local": "llama-3.1-8b",
    "ollama": "llama3.2:3b",
    "replicate": "meta/meta-llama-3-70b-instruct",
}


def second(provider: str) -> str:
    """Who is asked after a provider that was named: the first of the others."""
    return next(name for name in (OTHERS if provider in OTHERS else PROVIDERS) if name != provider)


def is_its_id(provider: str, request_id: Any) -> bool:
    if provider == JOBS:
        return request_id is None or re.fullmatch("[a-z0-9]{26}", request_id) is not None
    return request_id is None if provider in NAMELESS else str(request_id).startswith("req_")


WHERE = ("provider", "case", "mode", "route")
each_provider = pytest.mark.parametrize("provider", EVERYBODY)


def fault_of(case):
    """A deadline here is the caller's own, by header: in a hurry it says nothing of the provider."""
    return "caller" if case.error == "AttemptTimeout" else getattr(errors, case.error).fault


def expected_tries(case: Case) -> int:
    return 1 + RETRIES[case.server] if case.last == "again" else 1


def chosen(*, left: str | None = None, last: str | None = None) -> Iterator[Case]:
    return (case for case in BEFORE if left in {None, case.left} and last in {None, case.last})


def test_the_table_knows_every_class_and_every_fault():
    from infra.local.simulators.faults import WORDS

    for error in {case.error for case in BEFORE} | {case.error for case in AFTER}:
        assert issubclass(getattr(errors, error), errors.TargetError)
    faults = {case.fault for case in (*BEFORE, *HARMLESS)} | {case.fault for case in AFTER}
    spoken = {fault.partition("@")[0] for fault in faults}
    assert set(WORDS) <= spoken


# A next target is left: the caller does not notice.


@pytest.mark.parametrize(WHERE, everywhere(spread(chosen(left="next"))), ids=named)
def test_the_next_provider_answers(gateways, provider, case, mode, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    requests, after = Requests(gateway), second(provider)

    answer = ask(gateway, route, mode, provider=provider, timeout_ms=within(case, len(PROVIDERS)))

    assert answer.status == 200
    assert answer.headers["x-patchbay-provider"] == after
    assert answer.headers["x-patchbay-attempts"] == "2"
    assert answer.text == said_by(answer)
    assert answer.errors == []
    assert answer.done == (mode == "stream")
    assert requests.since() == ({after: 1} if case.fault == "refuse" else {provider: 1, after: 1})

    receipt = gateway.receipt(answer.decision)
    assert (receipt["outcome"], receipt["provider"], receipt["error"]) == ("ok", after, None)
    failed, won = receipt["attempts"]
    assert (failed["n"], failed["provider"], failed["outcome"]) == (1, provider, "failed")
    assert (failed["error"], failed["then"]) == (case.error, "next")
    assert failed["fault"] == fault_of(case)
    assert failed["why"]
    if case.status is not None:
        assert failed["status"] == case.status
        assert is_its_id(provider, failed["request_id"])
    else:
        assert failed["status"] in {None, 200, 201}  # a job that was taken on is 201
    assert (won["n"], won["provider"], won["outcome"], won["then"]) == (2, after, "ok", "done")
    assert won["request_id"].startswith("req_")
    assert won["usage"]["source"] == "reported"
    if mode == "plain":
        assert [one["provider"] for one in answer.body["attempts"]] == [provider, after]
        assert answer.body["provider"] == after


@pytest.mark.parametrize(WHERE, everywhere(spread(chosen(left="stop"))), ids=named)
def test_a_request_that_is_wrong_itself_stops_at_once(gateways, provider, case, mode, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    requests = Requests(gateway)

    answer = ask(gateway, route, mode, provider=provider)

    assert answer.status == case.answer
    assert requests.since() == {provider: 1}
    (failed,) = answer.error["attempts"]
    assert (failed["provider"], failed["error"], failed["then"]) == (provider, case.error, "stop")
    assert (failed["status"], failed["fault"]) == (case.status, "caller")
    assert is_its_id(provider, failed["request_id"])
    assert answer.error["fault"] == "caller"
    assert gateway.receipt(answer.decision)["attempts"] == answer.error["attempts"]


@pytest.mark.parametrize(WHERE, everywhere(spread(HARMLESS)), ids=named)
def test_what_is_no_fault_changes_nothing(gateways, provider, case, mode, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    requests = Requests(gateway)

    answer = ask(gateway, route, mode, provider=provider)

    assert answer.status == 200
    assert answer.headers["x-patchbay-provider"] == provider
    assert answer.text == said_by(answer)
    assert answer.errors == []
    assert requests.since() == {provider: 1}
    (won,) = gateway.receipt(answer.decision)["attempts"]
    assert (won["outcome"], won["usage"]["source"]) == ("ok", "reported")


# Nobody else is left: retries where they help, and an error that says who, what and what to do.


@pytest.mark.parametrize(WHERE, everywhere(spread(BEFORE), timed=DIALECTS), ids=named)
def test_the_only_target_fails(gateways, provider, case, mode, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    requests, tries = Requests(gateway), expected_tries(case)

    answer = ask(gateway, route, mode, provider=provider, fallback=False, timeout_ms=within(case, 1))

    assert answer.status == case.answer
    assert answer.headers["content-type"] == "application/json"
    assert requests.since() == ({} if case.fault == "refuse" else {provider: tries})
    kind, error = getattr(errors, case.error), answer.error
    assert error["type"] == "all_targets_failed"
    assert error["fault"] == fault_of(case)
    assert f"{provider}/{MODELS[provider]}" in error["message"]
    assert kind.advice in error["message"]
    assert error["decision_id"] == answer.decision
    assert answer.headers["x-patchbay-attempts"] == str(tries)

    attempts = error["attempts"]
    assert [one["then"] for one in attempts] == ["again"] * (tries - 1) + ["stop"]
    assert [one["n"] for one in attempts] == list(range(1, tries + 1))
    for one in attempts:
        assert (one["provider"], one["model"]) == (provider, MODELS[provider])
        assert (one["outcome"], one["error"], one["fault"]) == ("failed", case.error, fault_of(case))
        assert one["why"] in error["message"] or one is not attempts[-1]
        if case.status is not None:
            assert one["status"] == case.status
            assert is_its_id(provider, one["request_id"])
    if case.status is not None:
        assert error["code"] == attempts[-1]["code"]
        assert len({one["request_id"] for one in attempts}) == (1 if provider in {*NAMELESS, JOBS} else tries)
    if case.fault == "429:0.01":
        assert attempts[-1]["retry_after"] == 0.01
        assert answer.headers["retry-after"] == "1"
    else:
        assert "retry-after" not in answer.headers

    receipt = gateway.receipt(answer.decision)
    assert (receipt["outcome"], receipt["error"]) == ("error", "AllTargetsFailed")
    assert receipt["error_message"] == error["message"]
    assert receipt["attempts"] == attempts


@pytest.mark.parametrize(
    WHERE,
    everywhere(spread(case for case in chosen(last="again") if not case.timed and case.fault != "refuse")),
    ids=named,
)
def test_the_second_try_helps(gateways, provider, case, mode, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault, times=1)

    answer = ask(gateway, route, mode, provider=provider, fallback=False)

    assert answer.status == 200
    assert answer.headers["x-patchbay-provider"] == provider
    assert answer.text == said_by(answer)
    assert answer.errors == []
    failed, won = gateway.receipt(answer.decision)["attempts"]
    assert (failed["error"], failed["then"]) == (case.error, "again")
    assert (won["outcome"], won["then"]) == ("ok", "done")


@pytest.mark.parametrize(
    ("provider", "case", "mode"),
    [
        one
        for one in everywhere(
            (case, mode)
            for case in BEFORE
            if case.status is None and case.head and case.server != "idle"
            for mode in case.modes
        )
        if one[0] not in {*NAMELESS, JOBS}
    ],
    ids=named,
)
def test_a_provider_that_gave_a_request_id_is_quoted_with_it(gateways, provider, case, mode):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault, times=1)
    answer = ask(gateway, NATIVE, mode, provider=provider)
    assert answer.status == 200
    failed = gateway.receipt(answer.decision)["attempts"][0]
    assert failed["error"] == case.error
    assert failed["request_id"] is not None
    assert failed["request_id"].startswith("req_")


@each_provider
@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_a_wait_beyond_the_deadline_is_left_to_the_caller(gateways, provider, mode):
    gateway = gateways("quick", provider)
    gateway.fault(provider, "429:2")
    requests = Requests(gateway)
    answer = ask(gateway, OPENAI, mode, provider=provider, fallback=False, timeout_ms=1500)
    assert answer.status == 429
    assert answer.headers["retry-after"] == "2"
    (failed,) = answer.error["attempts"]
    assert (failed["error"], failed["then"], failed["retry_after"]) == ("RateLimited", "stop", 2)
    assert requests.since() == {provider: 1}


@each_provider
@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize(("fault", "error"), [("500", "ServerFault"), ("401", "CredentialRefused")])
def test_fallback_and_retries_can_be_switched_off(gateways, provider, mode, fault, error):
    gateway = gateways("alone", provider)
    gateway.fault(provider, fault)
    requests = Requests(gateway)
    answer = ask(gateway, NATIVE, mode, provider=provider)
    assert answer.status == 502
    (failed,) = answer.error["attempts"]
    assert (failed["provider"], failed["error"], failed["then"]) == (provider, error, "stop")
    assert requests.since() == {provider: 1}


# All fail: every attempt is listed, in order.


@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_when_all_fail_every_attempt_is_listed(gateway, mode):
    for provider, fault in {"azure": "500", "together": "401", "openai": "drop_headers"}.items():
        gateway.fault(provider, fault)
    for route in routes(mode):
        answer = ask(gateway, route, mode)
        assert answer.status == 502
        told = [
            (one["n"], one["provider"], one["error"], one["status"], one["then"]) for one in answer.error["attempts"]
        ]
        assert told == [
            (1, "azure", "ServerFault", 500, "next"),
            (2, "together", "CredentialRefused", 401, "next"),
            (3, "openai", "Dropped", None, "again"),
            (4, "openai", "Dropped", None, "again"),
            (5, "openai", "Dropped", None, "stop"),
        ]
        for provider in PROVIDERS:
            assert f"{provider}/{MODELS[provider]}" in answer.error["message"]
        assert gateway.receipt(answer.decision)["attempts"] == answer.error["attempts"]


@pytest.mark.parametrize(
    ("faults", "status", "wait"),
    [
        (("429", "429", "429"), 429, None),
        (("429:7", "429:3", "429:0.01"), 429, "1"),
        (("429:7", "429:3", "429:40"), 429, "3"),
        (("503", "529", "503"), 503, None),
        (("404", "404", "404"), 404, None),
        (("429", "500", "429"), 502, None),
        (("500", "503", "400"), 400, None),  # the last word is the caller's to mend
        (("500", "400", "200"), 400, None),
        (("401", "402", "403"), 502, None),
        (("413", "413", "413"), 400, None),
    ],
)
def test_the_status_is_what_the_caller_should_do(gateway, faults, status, wait):
    for provider, fault in zip(PROVIDERS, faults, strict=True):
        if fault != "200":
            gateway.fault(provider, fault)
    answer = ask(gateway, NATIVE)
    assert answer.status == status
    assert answer.headers.get("retry-after") == wait


def test_the_deadline_is_shared_among_the_targets(gateway):
    for provider in PROVIDERS:
        gateway.fault(provider, "hang")
    answer = ask(gateway, NATIVE, timeout_ms=450)
    assert answer.status == 504
    assert [one["error"] for one in answer.error["attempts"]] == ["AttemptTimeout"] * 3
    assert [one["provider"] for one in answer.error["attempts"]] == list(PROVIDERS)


# After commit: what came, then an error event, and never a clean end.


def begun(provider: str, words: int | None) -> str:
    whole = f'Simulated answer from {provider} ({MODELS[provider]}): you said "Hello".'
    return whole if words is None else "".join(f"{word} " for word in whole.split()[: words - (provider in THINKS)])


@pytest.mark.parametrize(
    ("provider", "case", "route"),
    everywhere(((case, route) for case in AFTER for route in routes("stream")), timed=DIALECTS),
    ids=named,
)
def test_a_stream_that_breaks_after_output_ends_with_an_error(gateways, provider, case, route):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    requests = Requests(gateway)

    answer = ask(gateway, route, "stream", provider=provider)

    assert answer.status == 200
    assert answer.text == begun(provider, case.words)
    assert not answer.done
    (error,) = answer.errors
    assert answer.events[-1]["error"] == error
    assert answer.events[-1]["simulated"] is True
    kind = getattr(errors, case.error)
    assert (error["class"], error["fault"], error["advice"]) == (case.error, kind.fault, kind.advice)
    assert error["type"] == "provider_error"
    assert error["message"]
    assert error["decision_id"] == answer.decision
    assert requests.since() == {provider: 1}

    receipt = gateway.receipt(answer.decision)
    assert (receipt["outcome"], receipt["provider"], receipt["error"]) == ("cut", provider, case.error)
    assert receipt["usage"]["source"] in {"estimated", "reported"}
    assert receipt["usage"]["output_tokens"] > 0
    (attempt,) = receipt["attempts"]
    assert (attempt["outcome"], attempt["error"], attempt["then"]) == ("failed", case.error, "stop")
    assert attempt["usage"] == receipt["usage"]
    assert is_its_id(provider, attempt["request_id"])
    assert attempt["first_ms"] is not None


@pytest.mark.parametrize(("provider", "case"), everywhere((case,) for case in AFTER), ids=named)
def test_the_error_in_a_stream_says_who_failed_and_quotes_the_request_id(gateways, provider, case):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    answer = ask(gateway, OPENAI, "stream", provider=provider)
    (error,) = answer.errors
    (attempt,) = gateway.receipt(answer.decision)["attempts"]
    told = f"{provider}/{MODELS[provider]}" in error["message"]
    assert told or (error.get("provider"), error.get("model")) == (provider, MODELS[provider])
    assert error.get("request_id") == attempt["request_id"]


@pytest.mark.parametrize(("provider", "case"), everywhere((case,) for case in AFTER), ids=named)
def test_the_official_client_raises_when_a_stream_breaks(gateways, sdk, provider, case):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)
    stream = sdk(gateway).chat.completions.create(model=f"{provider}/auto", messages=MESSAGES, stream=True)
    words = []
    with pytest.raises(openai.APIError) as raised:  # noqa: PT012 - what came before is part of what is tested
        for chunk in stream:
            words += [choice.delta.content or "" for choice in chunk.choices]
    assert "".join(words) == begun(provider, case.words)
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["class"] == case.error
    assert raised.value.type == "provider_error"


@pytest.mark.parametrize("case", AFTER, ids=named)
def test_the_official_async_client_raises_when_a_stream_breaks(gateways, case):
    gateway = gateways(case.server)
    gateway.fault("openai", case.fault)

    async def listen():
        words = []
        async with httpx2.AsyncClient(trust_env=False) as http:
            client = openai.AsyncOpenAI(
                base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, http_client=http, timeout=20
            )
            stream = await client.chat.completions.create(model="openai/auto", messages=MESSAGES, stream=True)
            with pytest.raises(openai.APIError):  # noqa: PT012 - as above
                async for chunk in stream:
                    words += [choice.delta.content or "" for choice in chunk.choices]
        return "".join(words)

    assert asyncio.run(listen()) == begun("openai", case.words)


# 200 words at 5 ms each take a second: the deadline is far after the first and far before the last.
LONG = [{"role": "user", "content": "a " * 200}]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("route", routes("stream"), ids=named)
def test_the_deadline_ends_a_stream_that_goes_on_for_too_long(gateways, provider, route):
    gateway = gateways("small")
    gateway.fault(provider, "slow_chunks")
    answer = ask(gateway, route, "stream", provider=provider, fallback=False, messages=LONG, timeout_ms=300)
    assert answer.text.startswith("Simulated ")
    assert not answer.done
    (error,) = answer.errors
    assert error["class"] == "AttemptTimeout"
    assert gateway.receipt(answer.decision)["outcome"] == "cut"


def test_the_deadline_ends_a_stream_that_has_fallen_silent(gateways):
    """Sooner than its idle timeout: what the caller allowed is over."""
    gateway = gateways("first")
    gateway.fault("openai", "stream_stall")
    answer = ask(gateway, OPENAI, "stream", provider="openai", fallback=False, timeout_ms=400)
    assert answer.text == begun("openai", 3)
    (error,) = answer.errors
    assert error["class"] == "AttemptTimeout"
