"""Who shares a cache, who stops in the middle, and what is swept: servers on one place of state."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from click.testing import CliRunner

from core.backends.embedded.folder import FolderBlobs
from core.bootstrap import _fingerprint, build
from core.cache import layered
from core.config.settings import SETTINGS
from core.providers.table import TABLE
from infra.local.cli import main
from tests.contract.upstream import as_json, upstream
from tests.core.fakes import FakeClock, run
from tests.functions.helpers import sse
from tests.functions.test_cache_instances import BODY, Provider, ask, completion, flights, flush, how, until
from tests.harness import server

KEYS = {"OPENAI_API_KEY": "made-up", "GROQ_API_KEY": "made-up"}
# What has to do with where a gateway runs, how patient it is and what it says: answers are the same.
ELSEWHERE = {
    "HOST": "127.0.0.2", "PORT": "1", "PATCHBAY_HOME": "there", "PATCHBAY_TABLE": "t", "PATCHBAY_BUCKET": "b",
    "PATCHBAY_QUEUE": "http://q", "PATCHBAY_API_KEY": "k" * 20, "PATCHBAY_SECRETS_DIR": "there",
    "MAX_RETRIES": "9", "RETRY_DELAY_MS": "9", "PATCHBAY_CONNECT_TIMEOUT": "9", "PATCHBAY_FIRST_TOKEN_TIMEOUT": "9",
    "PATCHBAY_ANSWER_TIMEOUT": "9", "PATCHBAY_IDLE_TIMEOUT": "9", "PATCHBAY_TOTAL_TIMEOUT": "9",
    "PATCHBAY_MAX_BODY_BYTES": "99", "PATCHBAY_MAX_ANSWER_BYTES": "99", "PATCHBAY_USE_PROXY": "true",
    "PATCHBAY_AUDIO_BUCKETS": "b", "PATCHBAY_MAX_AUDIO_BYTES": "99", "PATCHBAY_MAX_AUDIO_SECONDS": "9",
    "PATCHBAY_SPEECH_SESSIONS": "9", "PATCHBAY_SPEECH_OVERFLOW": "refuse",
    "PATCHBAY_VOCABULARY": "word",  # of transcripts, which are not kept
    "PATCHBAY_FETCH_BYTES": "99", "PATCHBAY_FETCH_PRIVATE": "10.0.0.0/8",
    "PATCHBAY_CACHE": "false", "PATCHBAY_CACHE_TTL": "9", "LOG_LEVEL": "debug", "LOG_FORMAT": "json",
    "PATCHBAY_REFRESH": "9", "PATCHBAY_LOCKED": "*", "PATCHBAY_ENV": "there",
}  # fmt: skip
READ_BEFORE = {"config", "secrets"}  # where others come from; those are looked at themselves
DECIDING = {
    "LLM_PROVIDER": "groq", "CHAT_PROVIDER": "groq", "EMBEDDING_PROVIDER": "openai", "BEAUTIFY_PROVIDER": "groq",
    "VOICE_STT_PROVIDER": "groq", "VOICE_TTS_PROVIDER": "openai", "TRANSLATION_PROVIDER": "groq",
    "RERANK_PROVIDER": "groq", "EMBEDDING_MODEL": "text-embedding-3-large",
    **{f"{one}_CHAIN": "openai" for one in (
        "CHAT", "EMBED", "RERANK", "TRANSCRIBE", "DIARIZE", "SPEAK", "TRANSLATE")},
    "PROVIDER_STRATEGY": "priority", "PATCHBAY_PREFER_LOCAL": "true", "PATCHBAY_MAX_COST": "1",
    "PATCHBAY_FALLBACK_PROVIDER": "groq", "ENABLE_FALLBACK": "false",
}  # fmt: skip
OF_ACCOUNTS = {
    "OPENAI_BASE_URL": "http://there", "OPENAI_MODEL": "m", "OPENAI_PRIORITY": "3", "OPENAI_ENABLED": "false",
    "OPENAI_TEMPERATURE": "0", "OPENAI_MAX_TOKENS": "5", "TOGETHER_API_KEY": "made-up",
}  # fmt: skip


def cache_of(service):
    return service._lasting.cache


def fingerprint(pinned=None, **environ):
    return _fingerprint(build(environ={**KEYS, **environ}, pinned=pinned).settings)


def test_every_setting_is_one_that_decides_or_one_that_does_not():
    """A new one goes into one of the two lists above, and its row says `decides` or not."""
    names = {row.env[0]: row for row in SETTINGS}
    assert {names[name].name for name in ELSEWHERE} | READ_BEFORE == {row.name for row in SETTINGS if not row.decides}
    assert {names[name].name for name in DECIDING} == {row.name for row in SETTINGS if row.decides}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_where_and_how_patiently_it_runs_is_not_in_the_key(name):
    assert fingerprint(**{name: ELSEWHERE[name]}) == fingerprint()


@pytest.mark.parametrize("name", [*DECIDING, *OF_ACCOUNTS])
def test_who_answers_is_in_the_key(name):
    assert fingerprint(**{name: (DECIDING | OF_ACCOUNTS)[name]}) != fingerprint()


def test_a_new_key_answers_the_same_and_simulators_do_at_any_address():
    assert fingerprint(OPENAI_API_KEY="another") == fingerprint()

    names = next(row for row in TABLE if row.name == "openai").declared().names

    def simulated(port):
        address, mark = names["base_url"][-1], names["simulated"][-1]
        return fingerprint({address: f"http://127.0.0.1:{port}/v1", mark: "true"})

    assert simulated(1) == simulated(2) != fingerprint()


def test_a_user_s_models_are_in_the_key(tmp_path):
    def written(tier):
        (tmp_path / "patchbay.yaml").write_text(f"models: {{openai/mine: {{tier: {tier}}}}}")
        return _fingerprint(build(environ=KEYS, dotenv=tmp_path / ".env").settings)

    assert written("fast") == written("fast") != written("advanced")


def test_servers_on_one_table_share_though_all_else_is_their_own(tmp_path, aws):
    provider = Provider()
    provider.open.clear()
    with upstream(provider) as url, ThreadPoolExecutor(8) as pool, ExitStack() as stack:
        place = {"PATCHBAY_TABLE": aws.table(), "PATCHBAY_BUCKET": aws.bucket(),
                 "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "made-up"}  # fmt: skip
        more = {"LOG_LEVEL": "warning", "PATCHBAY_TOTAL_TIMEOUT": "30", "PATCHBAY_CACHE_TTL": "60", "MAX_RETRIES": "0"}
        one = stack.enter_context(server(tmp_path / "one", **place))
        two = stack.enter_context(server(tmp_path / "two", **place, **more))
        stack.callback(provider.open.set)
        asked = [pool.submit(ask, gateway) for gateway in (one, two) for _ in range(4)]
        until(lambda: provider.calls and flights(one) and flights(two))
        provider.open.set()
        assert sorted(how(each.result()) for each in asked) == ["hit"] * 7 + ["miss"]
        assert provider.calls == 1


def test_simulated_processes_share_what_lies_in_one_home(tmp_path):
    """Their simulators have other addresses at each start."""
    body = {"messages": [{"role": "user", "content": "Again"}], "temperature": 0}
    with server(tmp_path) as one:
        assert one.chat(body).json()["cache"] == "miss"
    with server(tmp_path, LOG_LEVEL="warning") as two:
        assert two.chat(body).json()["cache"] == "hit"


@pytest.mark.parametrize("state", ["laptop", "aws"])
def test_a_server_that_stops_says_so_and_makes_nobody_wait(tmp_path, state, request):
    """It gives up what is under way, whose callers can ask again, and gives back what others would wait for."""
    aws = request.getfixturevalue("aws") if state == "aws" else None
    place = {"PATCHBAY_TABLE": aws.table(), "PATCHBAY_BUCKET": aws.bucket()} if aws else {}
    provider = Provider()
    provider.open.clear()
    with upstream(provider) as url, ThreadPoolExecutor(2) as pool, ExitStack() as stack:
        place |= {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "made-up"}
        two = stack.enter_context(server(tmp_path, **place))
        stack.callback(provider.open.set)
        with server(tmp_path, **place) as one:
            asked = pool.submit(ask, one)
            until(lambda: provider.calls == 1)
            ((key, _),) = flights(one).items()
            one.uvicorn.config.timeout_graceful_shutdown = 0
            if aws:
                aws.delay = 0.2  # what is settled and given back takes its time
        if aws:
            aws.delay = 0
        stopped = asked.result()
        assert stopped.status_code == 503 and stopped.headers["retry-after"] == "1"
        error = stopped.json()["error"]
        assert (error["fault"], error["type"]) == ("gateway", "stopping") and "Ask again" in error["message"]
        assert two.on_loop(cache_of(two.service).look(key)) is None, "nothing that others would wait for"
        again = pool.submit(ask, two)
        until(lambda: provider.calls == 2)
        provider.open.set()
        assert how(again.result()) == "miss"
        outcomes = [item["outcome"] for item in two.http.get("/api/ai/decisions").json()["decisions"]]
        assert sorted(outcomes) == ["cancelled", "ok"], "the receipt of what was given up is there as well"


def test_a_stream_that_a_stopping_server_gives_up_ends_in_an_error(tmp_path):
    with server(tmp_path, PATCHBAY_SIMULATOR_SLOW_MS="3600000") as one, ThreadPoolExecutor(1) as pool:
        one.fault("azure", "stream_stall@2")
        begun = []

        def read():
            body = {**BODY, "model": "auto", "fallback": True, "stream": True}
            with httpx.stream("POST", f"{one.url}/api/ai/chat", json=body, timeout=20, trust_env=False) as answer:
                lines = []
                for line in answer.iter_lines():
                    lines.append(line)
                    begun.append(line)
                return "\n".join(lines) + "\n"

        asked = pool.submit(read)
        until(lambda: len(begun) > 3)
        one.uvicorn.config.timeout_graceful_shutdown = 0
        one.uvicorn.should_exit = True
        events = sse(asked.result())
        assert events[-1]["error"]["type"] == "stopping"
        assert all("error" not in event for event in events[:-1])
        (attempt,) = events[-1]["attempts"]
        assert attempt["outcome"] == "cancelled" and events[-1]["usage"]["source"] == "estimated"


def blob(seconds):
    return f"cache/{int(time.time()) + seconds:012d}/{seconds}"


@pytest.mark.parametrize("environ", [{}, {"PATCHBAY_CACHE": "false"}], ids=["on", "off"])
def test_what_is_over_is_swept_at_a_start(tmp_path, environ):
    folder = FolderBlobs(tmp_path / "blobs")
    over, good = blob(-1), blob(3000)
    for name in (over, good):
        run(folder.put(name, b"{}", "application/json"))
    with server(tmp_path, PATCHBAY_TABLE="", PATCHBAY_BUCKET="", **environ):  # a folder, whichever state is tested
        until(lambda: over not in run(folder.list()))
        assert run(folder.list()) == [good]


def test_what_is_over_is_swept_while_requests_come(tmp_path):
    """Also by who does not look for changes."""
    folder, clock = FolderBlobs(tmp_path / "blobs"), FakeClock()
    name = f"cache/{int(clock.now()) + 300:012d}/x"

    async def scene():
        service = build(environ={**KEYS, "PATCHBAY_HOME": str(tmp_path), "PATCHBAY_REFRESH": "0"}, clock=clock)
        await folder.put(name, b"{}", "application/json")
        try:
            await service.open()
            await cache_of(service)._shelf._sweeper
            assert await folder.list() == [name] and service.due == clock.monotonic() + 600
            clock.advance(600)
            await service.current()
            await cache_of(service)._shelf._sweeper
            assert await folder.list() == [] and service.due == clock.monotonic() + 600
        finally:
            await service.close()

    run(scene())


def test_a_table_without_a_bucket_keeps_large_answers_in_memory_and_says_so(tmp_path, aws, caplog):
    provider = Provider(as_json(completion("x" * layered._INLINE_BYTES)))
    with upstream(provider) as url, ExitStack() as stack:
        place = {"PATCHBAY_TABLE": aws.table(), "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "made-up"}
        one, two = [stack.enter_context(server(tmp_path, **place, PATCHBAY_BUCKET="")) for _ in "12"]
        assert [how(ask(gateway)) for gateway in (one, one, two, two)] == ["miss", "hit", "miss", "hit"]
        flush(two)
        assert provider.calls == 2
        assert not (tmp_path / "blobs").exists()
    words = "without PATCHBAY_BUCKET answers above 32 KB"
    assert [one.count(words) for one in caplog.messages if words in one] == [1, 1], "each of them once"


def test_what_a_table_without_a_bucket_means_is_said_once_by_the_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"PATCHBAY_TABLE": "t", "PATCHBAY_CACHE": "true", "OPENAI_API_KEY": "made-up"}
    said = CliRunner().invoke(main, ["config", "check"], env=environ)
    assert said.output.count("without PATCHBAY_BUCKET") == 1
    environ["PATCHBAY_BUCKET"] = "b"
    assert "PATCHBAY_BUCKET" not in CliRunner().invoke(main, ["config", "check"], env=environ).output


@pytest.mark.parametrize(
    "fields", [{"model": "openai/mine", "dimensions": 100_000}, {"model": "openai/text-embedding-3-large"}]
)
def test_nobody_waits_for_embeddings_that_can_never_be_kept(tmp_path, fields):
    count = 16 if "dimensions" in fields else 600
    body = {"fallback": False, "input": ["a"] * count, **fields}
    provider = Provider()
    provider.open.clear()
    asked = []

    def speak(path, headers, body):
        asked.append(path)
        assert provider.open.wait(20)
        return as_json({"error": {"message": "no"}}, 400)

    with upstream(speak) as url, ThreadPoolExecutor(2) as pool, ExitStack() as stack:
        one = stack.enter_context(
            server(tmp_path, OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY="made-up", MAX_RETRIES="0")
        )
        stack.callback(provider.open.set)
        answers = [
            pool.submit(httpx.post, f"{one.url}/v1/embeddings", json=body, timeout=20, trust_env=False) for _ in "12"
        ]
        until(lambda: len(asked) >= 2)
        assert not flights(one)
        provider.open.set()
        assert [each.result().headers["x-patchbay-cache"] for each in answers] == ["off", "off"]


def test_who_wants_such_embeddings_kept_is_told(gateway):
    body = {"input": [str(number) for number in range(1100)], "dimensions": 1536}
    said = [gateway.http.post("/api/ai/embed", json={**body, **more}).json() for more in ({}, {"cache": "on"})]
    assert [one["cache"] for one in said] == ["off", "off"]
    assert [one["warnings"] for one in said] == [[], ["cache=on had no effect: so many embeddings are not kept"]]
