"""The cache between servers that share one home, with a provider in the test's hands."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import httpx
import pytest

from core.cache import layered
from tests.contract.upstream import as_json, upstream
from tests.functions.helpers import sse
from tests.harness import server

BODY = {"model": "openai/m", "fallback": False, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
CHAT = "/v1/chat/completions"


def completion(text="Hello", finish="stop", usage=True, **more):  # noqa: FBT002 - reads well where it is used
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish, **more}
    counted = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice],
            **({"usage": counted} if usage else {})}  # fmt: skip


class Provider:
    """Counts its calls and answers each with the next of its answers, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers) or [as_json(completion())]
        self.asked = []
        self.open = threading.Event()  # until then every call waits
        self.open.set()
        self._lock = threading.Lock()

    def __call__(self, path, headers, body):
        if not path.endswith("/chat/completions"):
            return as_json({"data": []})
        with self._lock:
            self.asked.append(json.loads(body))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        assert self.open.wait(20)
        return answer

    @property
    def calls(self):
        return len(self.asked)


@contextmanager
def servers(tmp_path, provider, count=2, **environ):
    with upstream(provider) as url:
        place = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "made-up", "MAX_RETRIES": "0", **environ}
        if count == 1:
            with server(tmp_path, **place) as one:
                yield one
            return
        with server(tmp_path, **place) as one, server(tmp_path, **place) as two:
            try:
                yield one, two
            finally:
                provider.open.set()


def until(condition):
    """The test's own time limit ends what never comes."""
    while not condition():
        time.sleep(0.002)


def flights(gateway):
    return gateway.service._lasting.cache.flights._under_way


def flush(gateway):
    """SQLite shows what was written to other processes a moment later."""
    gateway.on_loop(gateway.service._lasting.store.flush())


def blobs(gateway):
    return gateway.on_loop(gateway.service._lasting.cache._shelf._opened())


def waiters(gateway):
    """How many wait for somebody of the same server."""
    return sum(len(one._callbacks or ()) for one in list(flights(gateway).values()))


def ask(gateway, **fields):
    return httpx.post(gateway.url + CHAT, json={**BODY, **fields}, timeout=20, trust_env=False)


def how(answer):
    assert answer.status_code == 200, answer.text
    return answer.headers["x-patchbay-cache"]


def test_sixteen_at_two_servers_are_one_call(tmp_path):
    provider = Provider()
    provider.open.clear()
    with ThreadPoolExecutor(16) as pool, servers(tmp_path, provider) as (one, two):
        asked = [pool.submit(ask, gateway) for gateway in (one, two) for _ in range(8)]
        until(lambda: provider.calls and waiters(one) == waiters(two) == 7)
        provider.open.set()
        answers = [one.result() for one in asked]
        assert provider.calls == 1
        assert sorted(map(how, answers)) == ["hit"] * 15 + ["miss"]
        flush(two)
        total = one.http.get("/api/ai/usage").json()["total"]
        assert (total["requests"], total["attempts"], total["cache_hits"]) == (16, 1, 15)


def test_when_the_caller_who_led_leaves_the_next_one_leads(tmp_path):
    provider = Provider()
    provider.open.clear()
    with ThreadPoolExecutor(8) as pool, servers(tmp_path, provider) as (one, two):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(one.url + CHAT, json=BODY, timeout=0.3, trust_env=False)
        # The one who left is looked for from 100 ms on; the others come before or after that.
        asked = [pool.submit(ask, gateway) for gateway in (one, two) for _ in range(4)]
        until(lambda: provider.calls == 2 and waiters(one) + waiters(two) == 6)
        provider.open.set()
        assert sorted(how(one.result()) for one in asked) == ["hit"] * 7 + ["miss"]
        assert provider.calls == 2


def test_a_caller_waits_no_longer_than_his_own_deadline(tmp_path):
    provider = Provider()
    provider.open.clear()
    with ThreadPoolExecutor(1) as pool, servers(tmp_path, provider) as (one, two):
        leader = pool.submit(ask, one)
        until(lambda: provider.calls == 1)
        for number, gateway in enumerate((one, two), 2):
            hurried = gateway.http.post(CHAT, json=BODY, headers={"x-patchbay-timeout-ms": "800"})
            assert hurried.status_code == 504 and hurried.headers["x-patchbay-cache"] == "miss"
            assert provider.calls == number, "he asked for himself while there was time"
        provider.open.set()
        assert how(leader.result()) == "miss"


def test_a_failure_is_everybody_s_own(tmp_path):
    refusal = as_json({"error": {"message": "no", "type": "server_error"}}, 500)
    provider = Provider(refusal)
    provider.open.clear()
    with ThreadPoolExecutor(4) as pool, servers(tmp_path, provider, 1) as gateway:
        asked = [pool.submit(ask, gateway) for _ in range(4)]
        until(lambda: provider.calls and waiters(gateway) == 3)
        provider.open.set()
        wait(asked)
        assert [one.result().status_code for one in asked] == [502] * 4
        assert provider.calls == 4
        provider.answers = [as_json(completion())]
        assert [how(ask(gateway)) for _ in range(2)] == ["miss", "hit"]


def test_large_answers_lie_in_blobs(tmp_path):
    text = "äöü " * layered._INLINE_BYTES
    provider = Provider(as_json(completion(text)))
    with servers(tmp_path, provider) as (one, two):
        assert how(ask(one)) == "miss"
        (name,) = one.on_loop(blobs(one).list())
        flush(one)
        answer = ask(two)
        assert how(answer) == "hit" and answer.json()["choices"][0]["message"]["content"] == text
        streamed = ask(two, stream=True)
        assert how(streamed) == "hit"
        assert "".join(piece(one) for one in sse(streamed.text)) == text
        assert two.on_loop(blobs(two).list()) == [name]


def piece(event):
    return "" if event == "[DONE]" else "".join(one["delta"].get("content") or "" for one in event["choices"])


ODD = {
    "no end": completion(finish=None),
    "cut by a filter": completion(finish="content_filter"),
    "a choice that is none": {**completion(), "choices": [*completion()["choices"], None]},
    "a choice without a message": {**completion(), "choices": [*completion()["choices"], {"index": 1}]},
}


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_what_is_no_whole_answer_is_passed_on_and_not_kept(tmp_path, answer):
    provider = Provider(as_json(answer))
    with servers(tmp_path, provider, 1) as gateway:
        answers = [ask(gateway) for _ in range(2)]
        assert [how(one) for one in answers] == ["miss", "miss"]
        assert all(one.json() == answer for one in answers)


def test_an_estimate_is_not_put_into_the_provider_s_mouth(tmp_path):
    with servers(tmp_path, Provider(as_json(completion("Hello there", usage=False))), 1) as gateway:
        assert [how(ask(gateway)) for _ in range(2)] == ["miss", "hit"]
        again = ask(gateway)
        assert "usage" not in again.json()
        assert gateway.receipt(again.headers["x-patchbay-decision"])["usage"]["source"] == "estimated"
        replayed = sse(ask(gateway, stream=True, stream_options={"include_usage": True}).text)
        assert not [one for one in replayed if one != "[DONE]" and one.get("usage")]


def test_attempts_that_may_be_billed_are_the_first_one_s_and_unpriced(tmp_path):
    with upstream(lambda *_: (200, "application/json", b"{half")) as bad:
        place = {"TOGETHER_BASE_URL": f"{bad}/v1", "TOGETHER_API_KEY": "made-up"}
        with servers(tmp_path, Provider(), 1, **place) as gateway:
            body = {"model": "auto", "fallback": True}
            first, second = [gateway.chat({**BODY, **body}).json() for _ in range(2)]
            assert (first["cache"], second["cache"]) == ("miss", "hit")
            doubt, other = sorted(first["warnings"])
            assert "may be billed" in doubt and second["warnings"] == [other]
            assert first["attempts"][0]["may_be_billed"] is True and "may_be_billed" not in first["attempts"][1]
            rows = {row["provider"]: row for row in gateway.http.get("/api/ai/usage").json()["rows"]}
            assert (rows["together"]["requests"], rows["together"]["unpriced"]) == (0, 1)
            assert (rows["openai"]["requests"], rows["openai"]["cache_hits"]) == (2, 1)


def test_what_no_number_holds_and_bodies_as_deep_as_can_be(tmp_path):
    deep = json.loads("[" * 240 + "]" * 240)
    with servers(tmp_path, Provider(), 1) as gateway:
        for fields in ({"acme_k": 1e300}, {"deep": deep}):
            assert [how(ask(gateway, **fields)) for _ in range(2)] == ["miss", "hit"]
