"""A new provider is a row, or a plug-in of a few lines; a server on this machine is found by itself."""

import asyncio
import importlib
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from core.capabilities import Capability
from core.config import settings
from core.errors import Misconfigured
from core.providers.registry import Registry
from core.providers.row import Row
from core.providers.table import TABLE
from infra.local.server import detected
from tests.contract.cases import NATIVE, OPENAI, Mode, routes
from tests.contract.rooms import counted, fleet, room
from tests.contract.talk import ask
from tests.contract.upstream import as_json, upstream
from tests.harness import server

ACME = Row(
    name="acme",
    title="Acme",
    base_url="https://api.acme.example/v1",
    default_models={Capability.CHAT: "gpt-5.4-mini"},
    aliases=("acme-ai",),
)

modes = pytest.mark.parametrize("mode", ["plain", "stream"])


# One row.


@modes
def test_a_row_is_a_provider(tmp_path, mode):
    async def scenario():
        async with fleet(["openai"]) as running:
            environ = {"ACME_API_KEY": "acme-key", "ACME_BASE_URL": f"{running.url('openai')}/v1"}
            async with room(Registry([*TABLE, ACME]), tmp_path, environ) as here:
                for route in routes(mode):
                    for asked in ({}, {"provider": "acme"}, {"provider": "Acme-AI"}, {"model": "acme/auto"}):
                        answer = await here.ask(route, mode, **asked)
                        assert answer.status == 200
                        assert answer.headers["x-patchbay-provider"] == "acme"
                        assert answer.headers["x-patchbay-simulated"] == "false"
                        if mode == "stream" or route == NATIVE:
                            assert answer.text == 'Simulated answer from openai (gpt-5.4-mini): you said "Hello".'
                        assert answer.done == (mode == "stream")
            return running.requests("openai")

    for request in asyncio.run(scenario()):
        assert request.headers["authorization"] == "Bearer acme-key"
        assert request.path == "/v1/chat/completions"


def test_a_row_answers_for_its_failures(tmp_path):
    async def scenario():
        async with fleet(["openai"]) as running:
            environ = {"ACME_API_KEY": "acme-key", "ACME_BASE_URL": f"{running.url('openai')}/v1", "ACME_MODEL": "m"}
            async with room(Registry([*TABLE, ACME]), tmp_path, environ) as here:
                await running.fault("openai", "503")
                return await here.ask(OPENAI, "stream", provider="acme")

    answer = asyncio.run(scenario())
    assert answer.status == 503
    assert [(one["provider"], one["model"]) for one in answer.error["attempts"]] == [("acme", "m")] * 3
    assert "acme/m" in answer.error["message"]


def test_a_row_without_its_key_says_what_to_set(tmp_path):
    async def scenario():
        async with room(Registry([ACME]), tmp_path, {}) as here:
            return await here.ask(), (await here.http.get("/api/ai/providers")).json()

    answer, listed = asyncio.run(scenario())
    assert answer.status == 503
    (excluded,) = answer.error["excluded"]
    assert (excluded["provider"], excluded["code"]) == ("acme", "not_configured")
    assert "ACME_API_KEY" in answer.error["message"]
    assert [(one["name"], one["live"]) for one in listed["providers"]] == [("acme", False)]


def test_two_rows_cannot_have_one_name():
    with pytest.raises(Misconfigured, match="'together-ai' is taken by together"):
        Registry([*TABLE, replace(ACME, aliases=("together-ai",))])


# A plug-in, with a wire of its own.

PARROT = '''
"""A provider with a wire of its own: POST /say {"words"} answers {"said", "heard"}, and no stream."""

import orjson
from yarl import URL

from core.capabilities import Capability, Feature
from core.errors import ServerFault
from core.providers.contract import Reply
from core.providers.row import Row
from core.types.frame import Frame, Kind
from core.types.usage import Usage
from core.wire.openai import Completion

ROW = Row(name="parrot", title="Parrot", adapter="parrot:Parrot", needs=("base_url",),
          features=frozenset({Feature.STREAM}), default_models={Capability.CHAT: "grey"})


class Parrot:
    def __init__(self, row, account, transport):
        self.url, self.transport = URL(f"{account.base_url}/say"), transport

    async def chat(self, call):
        asked = orjson.dumps({"words": call.body["messages"][-1]["content"]})
        answer = await self.transport.send("POST", self.url, {"content-type": "application/json"}, asked)
        got = orjson.loads(await answer.read(call.max_bytes))
        answer.close()
        if answer.status != 200:
            raise ServerFault(got["squawk"], provider_status=answer.status, request_id=answer.request_id)
        usage = Usage("reported", input=got["heard"], output=len(got["said"].split()))
        choice = {"index": 0, "message": {"role": "assistant", "content": got["said"]}, "finish_reason": "stop"}
        body = {"object": "chat.completion", "model": call.target.model, "choices": [choice]}
        return Reply(Completion(orjson.dumps(body), body, usage), usage, answer.request_id)

    async def chat_stream(self, call):
        return Words(await self.chat(call))


class Words:
    def __init__(self, reply):
        self.usage, self.request_id, self.outputs = reply.usage, reply.request_id, 0
        deltas = [{"index": 0, "delta": {"content": f"{word} "}} for word in reply.value.message["content"].split()]
        self.frames = [Frame(b"data: %b\\n\\n" % orjson.dumps({"choices": [one]}), Kind.OUTPUT) for one in deltas]
        self.frames.append(Frame(b"data: [DONE]\\n\\n", Kind.END))

    async def next(self):
        return [self.frames.pop(0)] if self.frames else None

    def close(self):
        self.frames.clear()
'''


def squawk(path, headers, body):
    words = json.loads(body)["words"]
    if words == "fail":
        return as_json({"squawk": "the parrot sleeps"}, 503)
    if words == "molt":
        return as_json({"feathers": 3})  # not what the adapter expects
    return as_json({"said": f"{words} {words}", "heard": len(words)})


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package with an entry point, as pip would, for the time of a test."""

    def install(source, value="parrot:ROW"):
        site = tmp_path / "site"
        metadata = site / "parrot-0.1.dist-info"
        metadata.mkdir(parents=True)
        (site / "parrot.py").write_text(source.lstrip())
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot\nVersion: 0.1\n")
        (metadata / "entry_points.txt").write_text(f"[patchbay.providers]\nparrot = {value}\n")
        monkeypatch.setattr(sys, "path", [str(site), *sys.path])
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("parrot", None)


def test_a_plug_in_is_short():
    assert len(PARROT.strip().splitlines()) < 50


def test_a_plug_in_by_entry_point_chats_and_streams(installed, tmp_path):
    installed(PARROT)
    asked: Any = {"messages": [{"role": "user", "content": "hello"}]}
    with upstream(squawk) as url, server(tmp_path, PARROT_BASE_URL=url) as gateway:
        plain = ask(gateway, NATIVE, provider="parrot", **asked)
        assert (plain.status, plain.text) == (200, "hello hello")
        assert (plain.body["provider"], plain.body["model"]) == ("parrot", "grey")
        assert plain.body["usage"]["prompt_tokens"] == 5
        assert ask(gateway, OPENAI, **asked).body["choices"][0]["message"]["content"] == "hello hello"
        for route in routes("stream"):
            stream = ask(gateway, route, "stream", model="parrot/auto", **asked)
            assert (stream.status, stream.text, stream.done) == (200, "hello hello ", True)
            assert stream.errors == []
            receipt = gateway.receipt(stream.decision)
            assert (receipt["outcome"], receipt["provider"]) == ("ok", "parrot")
            assert receipt["usage"]["completion_tokens"] == 2
            assert receipt["attempts"][0]["request_id"] == "req_upstream"
        listed = gateway.http.get("/api/ai/providers").json()["providers"]
        assert "parrot" in [one["name"] for one in listed]


@modes
@pytest.mark.parametrize(
    ("words", "status", "error", "tries"), [("fail", 502, "ServerFault", 3), ("molt", 502, "AdapterBroken", 1)]
)
def test_a_plug_in_that_fails_is_an_attempt_that_failed(installed, tmp_path, mode, words, status, error, tries):
    installed(PARROT)
    with upstream(squawk) as url, server(tmp_path, PARROT_BASE_URL=url) as gateway:
        answer = ask(gateway, OPENAI, mode, provider="parrot", messages=[{"role": "user", "content": words}])
    assert answer.status == status
    assert [one["error"] for one in answer.error["attempts"]] == [error] * tries
    assert "parrot/grey" in answer.error["message"]


def test_an_entry_point_that_is_no_row_is_one_clear_line(installed):
    installed("ROW = 'parrot'\n")
    with pytest.raises(Misconfigured, match=r"plug-in parrot \(parrot:ROW\): expected a Row, got str"):
        Registry.with_plugins()


def test_without_plug_ins_there_is_the_table():
    assert list(Registry.with_plugins().rows) == [row.name for row in TABLE]


# Secrets never.

KEY = "f00dfeed0123456789abcdef01234567"


@pytest.mark.parametrize(
    "body",
    [
        as_json({"error": {"message": f"Incorrect API key provided: {KEY}.", "code": "invalid_api_key"}}, 401),
        as_json({"error": {"message": f"{'x ' * 240}{KEY}"}}, 401),  # where a long message is cut
        as_json({"error": {"message": "no", "code": KEY, "param": KEY, "type": KEY}}, 401),
        (401, "text/html", f"<h1>Denied</h1> Authorization: Bearer {KEY}".encode()),
        (401, "text/html", f"{'x' * 180}{KEY}".encode()),  # where a long page is cut
    ],
    ids=["message", "long-message", "code", "page", "long-page"],
)
@modes
def test_a_key_that_the_provider_quotes_is_not_passed_on(tmp_path, mode, body):
    with (
        upstream(lambda *_: body) as url,
        server(tmp_path, OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY) as gateway,
    ):
        answer = ask(gateway, OPENAI, mode, provider="openai")
        receipt = gateway.receipt(answer.decision)
    assert answer.status == 502
    for told in (json.dumps(answer.body), json.dumps(receipt)):
        assert not [KEY[:length] for length in range(10, len(KEY) + 1) if KEY[:length] in told]


def test_a_key_in_the_error_of_a_stream_is_not_passed_on(tmp_path):
    chunk = {"choices": [{"index": 0, "delta": {"content": "word"}}]}
    failure = {"error": {"message": f"bad key {KEY}", "type": "server_error"}}
    events = f"data: {json.dumps(chunk)}\n\ndata: {json.dumps(failure)}\n\n".encode()
    with (
        upstream(lambda *_: (200, "text/event-stream", events)) as url,
        server(tmp_path, OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY) as gateway,
    ):
        answer = ask(gateway, OPENAI, "stream", provider="openai")
        told = json.dumps([answer.body, answer.events, gateway.receipt(answer.decision)])
    assert "bad key ***" in told
    assert KEY not in told


# Ollama: on this machine, found by itself.


def ollama_at(url: str) -> Registry:
    return Registry([replace(row, base_url=url) if row.name == "ollama" else row for row in TABLE])


def test_ollama_is_found_where_it_runs(tmp_path):
    async def scenario():
        async with fleet(["ollama"]) as running:
            url = running.url("ollama")
            registry = ollama_at(url)
            embedding = {"OLLAMA_EMBEDDING_MODEL": "nomic-embed-text"}
            models = {"OLLAMA_MODEL": "llama3.2:3b", **embedding}
            nothing = settings.load(registry.declared(), environ={})
            assert await detected(nothing, registry) == {"OLLAMA_BASE_URL": url, **models}
            chosen = settings.load(registry.declared(), environ={"OLLAMA_MODEL": "qwen3:8b"})
            assert await detected(chosen, registry) == {"OLLAMA_BASE_URL": url, **embedding}
            named = settings.load(registry.declared(), environ={"OLLAMA_BASE_URL": url})
            assert await detected(named, registry) == {"OLLAMA_BASE_URL": url, **models}
            whole = {"OLLAMA_BASE_URL": url, "OLLAMA_MODEL": "m", "OLLAMA_EMBEDDING_MODEL": "e"}
            for environ in ({"OLLAMA_ENABLED": "false"}, whole):
                assert await detected(settings.load(registry.declared(), environ=environ), registry) == {}
            for fault in ("500", "refuse", "drop_headers", "truncated_json", "wrong_content_type", "hang"):
                await running.clear()
                await running.fault("ollama", fault)
                assert await detected(nothing, registry) == {}, fault

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "listed", [None, 5, "text", [], {}, {"data": 5}, {"data": None}, {"data": ["x", 3]}], ids=repr
)
def test_something_else_at_its_port_is_no_reason_to_fail(listed):
    """Whatever answers there is asked before the gateway starts: it must not be able to prevent that."""
    with upstream(lambda *_: as_json(listed)) as url:
        registry = ollama_at(url)
        found = asyncio.run(detected(settings.load(registry.declared(), environ={}), registry))
    assert found.get("OLLAMA_MODEL") is None


@modes
@pytest.mark.parametrize("path", ["", "/", "/v1"], ids=["host", "slash", "whole"])
def test_ollama_answers(tmp_path, mode, path):
    async def scenario():
        async with fleet(["ollama"]) as running:
            environ = {"OLLAMA_BASE_URL": running.url("ollama") + path, "OLLAMA_MODEL": "llama3.2:3b"}
            async with room(Registry(), tmp_path, environ) as here:
                answers = [await here.ask(route, mode) for route in routes(mode)]
                receipts = [(await here.http.get(f"/api/ai/decisions/{answer.decision}")).json() for answer in answers]
            return answers, receipts, running.requests("ollama")

    answers, receipts, requests = asyncio.run(scenario())
    for answer, receipt in zip(answers, receipts, strict=True):
        assert answer.status == 200
        assert answer.headers["x-patchbay-provider"] == "ollama"
        assert answer.text == 'Simulated answer from ollama (llama3.2:3b): you said "Hello".'
        assert answer.done == (mode == "stream")
        assert (receipt["outcome"], receipt["cost"]["nano_usd"], receipt["usage"]["source"]) == ("ok", 0, "reported")
    for request in requests:
        assert request.path == ("/v1/chat/completions" if path == "/v1" else "/api/chat")
        assert "authorization" not in request.headers


def test_ollama_needs_a_model_and_says_so(tmp_path):
    async def scenario():
        async with fleet(["ollama"]) as running:
            environ = {"OLLAMA_BASE_URL": running.url("ollama")}
            async with room(Registry(), tmp_path, environ) as here:
                return await here.ask(provider="ollama"), await here.ask(model="ollama/gemma3:4b")

    unnamed, named = asyncio.run(scenario())
    assert unnamed.status == 503
    assert "OLLAMA_MODEL" in unnamed.error["message"]
    assert (named.status, named.body["model"]) == (200, "gemma3:4b")


def test_what_ollama_does_not_take_is_left_out_and_said(tmp_path):
    async def scenario():
        async with fleet(["ollama"]) as running:
            environ = {"OLLAMA_BASE_URL": running.url("ollama"), "OLLAMA_MODEL": "llama3.2:3b"}
            async with room(Registry(), tmp_path, environ) as here:
                answer = await here.ask(n=2, user="me", max_completion_tokens=5)
                strict = await here.ask(n=2, user="me", strict=True)
            return answer, strict, json.loads(running.requests("ollama")[0].body), len(running.requests("ollama"))

    answer, strict, sent, count = asyncio.run(scenario())
    assert not {"n", "user", "max_completion_tokens"} & sent.keys()
    assert sent["options"] == {"num_predict": 5}
    assert answer.body["finish_reason"] == "length"
    assert [warning.partition(" ")[0] for warning in answer.body["warnings"]] == ["n", "user"]
    (excluded,) = [one for one in strict.error["excluded"] if one["provider"] == "ollama"]
    assert (excluded["code"], excluded["reason"]) == ("parameters", "does not take n, user (strict)")
    assert count == 1


# Connections are used again.


@pytest.mark.parametrize("vendor", ["azure", "together", "openai"])
def test_connections_are_kept(tmp_path, vendor):
    async def scenario():
        async with fleet([vendor]) as running, counted(running.url(vendor)) as (url, made):
            row = next(row for row in TABLE if row.name == vendor)
            prefix = "" if row.path_prefix else "/v1"
            names = row.declared().names
            environ = {names["base_url"][0]: url + prefix, names["key"][0]: "k"}
            async with room(Registry(), tmp_path, environ) as here:
                asked: list[tuple[Mode, str]] = [("stream", OPENAI), ("stream", NATIVE), ("plain", NATIVE)]
                for _ in range(5):
                    for mode, route in asked:
                        answer = await here.ask(route, mode)
                        assert answer.status == 200
            return len(made), len(running.requests(vendor))

    assert asyncio.run(scenario()) == (1, 15)
