"""Sound and translation × every provider that has it × every fault: the next one answers, with all that was asked."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from core.capabilities import Capability
from tests.contract.cases import AFTER, BEFORE, PROVIDERS, Case, Late, named
from tests.contract.talk import within
from tests.contract.tasks import TASKS, WORDS, Task
from tests.harness import Server

# Speech that comes as it is has begun when these strike, and what is made before it is sent is no stream.
BEGUN = {(name, fault) for name in ("azure", "groq") for fault in ("truncated_json", "huge_body", "slow_chunks")}
WHOLE = {("replicate", "cut_stream@0"), ("replicate", "stream_error@0")}
# Where sound is bare no words can be sent in it, so that an error is a connection that breaks.
UNSAID = {("azure", "stream_error@0"): "Dropped", ("groq", "stream_error@0"): "Dropped"}


def everywhere() -> Iterator[tuple[Task, str, Case]]:
    """What moves on; where it takes real time, at the first provider of each capability alone."""
    for case in BEFORE:
        for task in TASKS:
            if case.left != "next" or ("stream" if task.streams else "plain") not in case.modes:
                continue
            offering = task.offered()
            for provider in offering[:1] if case.timed else offering:
                if not task.streams or (provider, case.fault) not in BEGUN | WHOLE:
                    yield task, provider, case


def ids(given: object) -> str | None:
    return given.name if isinstance(given, Task) else named(given)


def ask(gateway: Server, task: Task, timeout_ms: int | None = None, **fields: Any) -> httpx.Response:
    headers = {} if timeout_ms is None else {"x-patchbay-timeout-ms": str(timeout_ms)}
    return gateway.http.post(task.route, json={**task.body, **fields}, headers=headers)


def test_all_that_is_asked_for_is_here():
    assert {task.capability for task in TASKS} | {Capability.CHAT, Capability.EMBED, Capability.RERANK} == set(
        Capability
    )


@pytest.mark.parametrize(("task", "provider", "case"), list(everywhere()), ids=ids)
def test_the_next_provider_answers(gateways, task, provider, case):
    gateway = gateways(case.server, provider)
    gateway.fault(provider, case.fault)

    answer = ask(gateway, task, within(case, len(PROVIDERS)), provider=provider)

    assert answer.status_code == 200, answer.text
    task.check(answer)
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    *failed, won = receipt["attempts"]
    expected = UNSAID.get((provider, case.fault), case.error) if task.streams else case.error
    assert failed
    assert {(one["provider"], one["error"], one["then"]) for one in failed} == {(provider, expected, "next")}
    assert won["provider"] == answer.headers["x-patchbay-provider"] != provider
    assert (receipt["outcome"], receipt["provider"]) == ("ok", won["provider"])


SPEAK = next(task for task in TASKS if task.streams)


def breaking() -> Iterator[tuple[str, Late]]:
    """Silence is read by the code that all share."""
    for late in AFTER:
        if late.fault in {"cut_stream@1", "stream_error", "stream_stall"}:
            streaming = [name for name in SPEAK.offered() if (name, "cut_stream@0") not in WHOLE]
            yield from ((name, late) for name in (streaming[:1] if late.timed else streaming))


@pytest.mark.parametrize(("provider", "late"), list(breaking()), ids=named)
def test_speech_that_broke_off_is_no_speech(gateways, provider, late):
    gateway = gateways(late.server, provider)
    gateway.fault(provider, late.fault)
    body = {**SPEAK.body, "input": WORDS * 20, "response_format": "pcm", "provider": provider}
    with (
        pytest.raises(httpx.RemoteProtocolError),
        gateway.http.stream("POST", SPEAK.route, json=body) as answer,
    ):
        for _ in answer.iter_bytes():
            pass
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert (receipt["outcome"], receipt["provider"]) == ("cut", provider)
    assert receipt["attempts"][-1]["error"] in {late.error, "Dropped"}
