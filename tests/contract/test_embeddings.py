"""Embeddings of every provider that has them: every fault, exact money, its own ways, the official client."""

import asyncio
import base64
import json
import math
import struct

import openai
import pytest

from core import errors
from core.capabilities import Capability
from core.providers.registry import Registry
from core.providers.table import TABLE
from infra.local.simulators.embeddings import vector
from tests.contract.cases import BEFORE, NAMELESS, PROVIDERS, RETRIES
from tests.contract.rooms import fleet, room
from tests.contract.talk import Requests, within
from tests.contract.upstream import as_json, upstream

EMBED, OPENAI = "/api/ai/embed", "/v1/embeddings"
SMALL, LARGE, E5 = "text-embedding-3-small", "text-embedding-3-large", "intfloat/multilingual-e5-large-instruct"
MODELS = {
    "azure": SMALL, "together": E5, "openai": SMALL, "huggingface": E5, "gemini": "gemini-embedding-001",
    "cohere": "embed-v4.0", "local": "bge-large-en", "ollama": "nomic-embed-text",
}  # fmt: skip
TWINS = {"azure": "openai", "openai": "azure"}
# Nano-USD for a token; else unknown.
RATES = {"azure": 20, "openai": 20, "together": 20, "gemini": 150, "cohere": 120, "local": 0, "ollama": 0}
UNCOUNTED = {"together", "huggingface", "gemini"}  # who reports no usage
CASES = [case for case in BEFORE if "plain" in case.modes]

each = pytest.mark.parametrize("provider", MODELS)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.server}")


def ask(gateway, route=EMBED, timeout_ms=None, **fields):
    headers = {} if timeout_ms is None else {"x-patchbay-timeout-ms": str(timeout_ms)}
    return gateway.http.post(route, json={"input": "Hello", "cache": "off", **fields}, headers=headers)


def expected(model, text, size=1536):
    return list(vector(model, text, size))


def test_the_table_has_every_row_that_embeds():
    assert {row.name for row in TABLE if Capability.EMBED in row.capabilities} == set(MODELS)


class TestFaults:
    @each
    @each_case
    def test_alone_each_is_what_it_is_and_tried_as_often_as_it_makes_sense(self, gateways, provider, case):
        gateway = gateways(case.server, provider)
        gateway.fault(provider, case.fault, capability=None if case.fault == "refuse" else "embed")
        asked = Requests(gateway)
        answer = ask(gateway, timeout_ms=within(case, 1), provider=provider, fallback=False)
        assert answer.status_code == case.answer, answer.text
        body = answer.json()
        tries = 1 + RETRIES[case.server] if case.last == "again" else 1
        assert [one["error"] for one in body["attempts"]] == [case.error] * tries
        assert [one["error"] for one in body["error"]["attempts"]] == [case.error] * tries
        if case.fault != "refuse":
            assert asked.since() == {provider: tries}
        for one in body["attempts"]:
            assert (one["provider"], one["model"]) == (provider, MODELS[provider])
            assert one["status"] == (case.status or one["status"])
            if case.head and provider not in NAMELESS:
                assert one["request_id"].startswith("req_")
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        assert (receipt["capability"], receipt["outcome"], receipt["route"]) == ("embed", "error", EMBED)
        assert bool(receipt["warnings"]) == getattr(errors, case.error).billed

    @pytest.mark.parametrize("provider", TWINS)
    @pytest.mark.parametrize("route", [EMBED, OPENAI])
    @each_case
    def test_another_provider_of_the_same_model_answers(self, gateways, provider, case, route):
        gateway = gateways(case.server, provider)
        gateway.fault(provider, case.fault, capability=None if case.fault == "refuse" else "embed")
        answer = ask(gateway, route, within(case, 2), provider=provider)
        if case.left == "stop":
            assert answer.status_code == case.answer
            return
        assert answer.status_code == 200, answer.text
        twin = TWINS[provider]
        assert answer.headers["x-patchbay-provider"] == twin
        assert answer.headers["x-patchbay-model"] == SMALL
        body = answer.json()
        found = body["embeddings"][0] if route == EMBED else body["data"][0]["embedding"]
        assert found == expected(SMALL, "Hello")
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        assert [(one["provider"], one.get("error")) for one in receipt["attempts"]] == [
            (provider, case.error), (twin, None),
        ]  # fmt: skip
        assert any(f"instead of {provider}" in words for words in receipt["warnings"])

    @pytest.mark.parametrize("provider", sorted(set(MODELS) - set(TWINS)))
    def test_where_nobody_else_has_the_model_nobody_else_is_asked(self, gateways, provider):
        gateway = gateways("quick", provider)
        gateway.fault(provider, "500", capability="embed")
        asked = Requests(gateway)
        answer = ask(gateway, provider=provider)
        assert answer.status_code == 502
        assert asked.since() == {provider: 3}

    def test_faults_of_chat_are_not_theirs(self, gateways):
        gateway = gateways("quick")
        for provider in PROVIDERS:
            gateway.fault(provider, "500", capability="chat")
        assert ask(gateway).headers["x-patchbay-provider"] == "azure"


class TestMoney:
    @each
    @pytest.mark.parametrize("given", ["Hello", ["Hello", "word " * 50], ["text"] * 300])
    def test_usage_and_cost_are_exact(self, gateways, provider, given):
        gateway = gateways("quick", provider)
        answer = ask(gateway, provider=provider, input=given)
        assert answer.status_code == 200, answer.text
        items = given if isinstance(given, list) else [given]
        count = sum(-(-len(text) // 4) for text in items)  # as the simulators count
        body = answer.json()
        if provider in UNCOUNTED:
            count = sum(len(text) // 4 + 1 for text in items)
        assert body["usage"]["source"] == ("estimated" if provider in UNCOUNTED else "reported")
        assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] == count
        assert body["cost"]["nano_usd"] == (count * RATES[provider] if provider in RATES else None)
        receipt = gateway.receipt(body["decision_id"])
        assert [one["cost_nano"] for one in receipt["attempts"]] == [receipt["cost"]["nano_usd"]]
        assert receipt["facts"]["inputs"] == len(items)

    def test_a_large_model_has_its_own_price(self, gateways):
        body = ask(gateways("quick"), model=LARGE, input=["word " * 4] * 10).json()
        assert (body["dimensions"], body["cost"]["nano_usd"]) == (3072, 50 * 130)


class TestBatches:
    def test_answers_are_kept_small_enough_to_be_taken(self, gateways):
        gateway = gateways("small")  # 200,000 bytes, 24 vectors
        asked = Requests(gateway)
        answer = ask(gateway, OPENAI, input=[f"text {number}" for number in range(100)], encoding_format="base64")
        assert answer.status_code == 200
        assert asked.since() == {"azure": 5}
        data = answer.json()["data"]
        assert [one["index"] for one in data] == list(range(100))
        for number in (0, 24, 57, 99):
            found = struct.unpack("<1536f", base64.b64decode(data[number]["embedding"]))
            assert list(found) == expected(SMALL, f"text {number}")

    def test_what_is_missing_is_asked_elsewhere_and_both_are_on_the_receipt(self, tmp_path):
        """The first provider fails after some parts, by which request is decided by a seed."""
        from tests.harness import server

        with server(tmp_path, PATCHBAY_SIMULATOR_SEED="3") as gateway:
            gateway.fault("azure", "500", capability="embed", rate=0.3)
            given = [f"text {number}" for number in range(20_000)]
            answer = ask(gateway, input=given, dimensions=4, encoding_format="base64")
            assert answer.status_code == 200, answer.text[:500]
            body = answer.json()
            first, second = body["attempts"]
            assert (first["provider"], first["outcome"], second["provider"]) == ("azure", "failed", "openai")
            made = first["usage"]["prompt_tokens"], second["usage"]["prompt_tokens"]
            assert min(made) > 0
            assert sum(made) == sum(-(-len(text) // 4) for text in given)
            assert body["cost"]["nano_usd"] == sum(made) * 20 == first["cost_nano"] + second["cost_nano"]
            (warning,) = [words for words in body["warnings"] if "several targets" in words]
            assert "20000" in warning and "azure" in warning and "openai" in warning
            for number in (0, 5_000, 12_345, 19_999):
                found = struct.unpack("<4f", base64.b64decode(body["embeddings"][number]))
                assert list(found) == expected(SMALL, given[number], 4)

    def test_limits_that_nobody_wrote_down_are_found_by_halving(self, tmp_path):
        """A server that takes 32 texts at once, and says so in its own words."""
        sizes = []

        def speak(_path, _headers, raw):
            given = json.loads(raw)["input"]
            sizes.append(len(given))
            if len(given) > 32:
                words = f"batch size {len(given)} > maximum allowed batch size 32"
                return as_json({"message": words, "code": 422, "type": "Validation"}, 422)
            data = [{"index": place, "embedding": [float(text)]} for place, text in enumerate(given)]
            return as_json({"object": "list", "data": data, "usage": {"prompt_tokens": len(given)}})

        async def scenario(url):
            environ = {"LOCAL_BASE_URL": url, "LOCAL_EMBEDDING_MODEL": "mine"}
            async with room(Registry(), tmp_path, environ) as here:
                return await here.http.post(EMBED, json={"input": [str(number) for number in range(300)]})

        with upstream(speak) as url:
            answer = asyncio.run(scenario(url))
        assert answer.json()["embeddings"] == [[float(number)] for number in range(300)]
        assert sum(size for size in sizes if size <= 32) == 300


class TestTheirWays:
    @each
    def test_vectors_are_asked_for_in_the_smallest_form_it_has(self, gateways, provider):
        gateway = gateways("quick", provider)
        for asked in (None, "float", "base64"):
            fields = {} if asked is None else {"encoding_format": asked}
            answer = ask(gateway, provider=provider, user="me", **fields)
            assert answer.status_code == 200, answer.text
            sent = json.loads(gateway.fleet.requests(provider)[-1].body)
            (form,) = sent.get("embedding_types") or [sent.get("encoding_format")]  # Cohere's name of it, or OpenAI's
            assert form == (None if provider in UNCOUNTED else "base64")
            assert provider in {"huggingface", "gemini"} or sent["model"] == MODELS[provider]  # which their paths say
            found = answer.json()["embeddings"][0]
            numbers = (
                struct.unpack(f"<{len(base64.b64decode(found)) // 4}f", base64.b64decode(found))
                if asked == "base64"
                else found
            )
            assert list(numbers) == expected(MODELS[provider], "Hello", len(numbers))

    @pytest.mark.parametrize(
        ("environ", "path"),
        [
            ({}, "/openai/v1/embeddings"),
            ({"AZURE_OPENAI_API_VERSION": "preview"}, "/openai/v1/embeddings?api-version=preview"),
            (
                {"AZURE_OPENAI_API_VERSION": "2024-10-21", "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": "my vectors"},
                "/openai/deployments/my%20vectors/embeddings?api-version=2024-10-21",
            ),
        ],
    )
    @pytest.mark.parametrize(
        ("credential", "header"),
        [
            ({"AZURE_OPENAI_KEY": "k"}, ("api-key", "k")),
            ({"AZURE_OPENAI_AD_TOKEN": "t"}, ("authorization", "Bearer t")),
        ],
    )
    def test_azure_has_two_kinds_of_addresses_and_of_credentials(self, tmp_path, environ, path, credential, header):
        async def scenario():
            async with fleet(["azure"]) as running:
                settings = {"AZURE_OPENAI_ENDPOINT": running.url("azure"), **environ, **credential}
                async with room(Registry(), tmp_path, settings) as here:
                    answer = await here.http.post(EMBED, json={"input": "Hello", "provider": "azure"})
                    assert answer.status_code == 200, answer.text
                return running.requests("azure")

        (request,) = asyncio.run(scenario())
        assert request.target == path
        assert request.headers[header[0]] == header[1]

    @pytest.mark.parametrize(
        "content",
        [
            {"object": "list", "data": []},
            {"data": [{"index": 0, "embedding": [1.0]}]},
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
            {"data": [{"index": 0, "embedding": [0.5] * 512}, {"index": 1, "embedding": [0.5] * 512}]},
            {"data": [{"index": 0, "embedding": "AAAAAA=="}, {"index": 1, "embedding": "AADAfw=="}]},
            {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["a"]}]},
        ],
        ids=["none", "one", "twice", "lengths", "another length", "not a number", "a word"],
    )
    def test_half_an_answer_is_none(self, tmp_path, content):
        async def scenario(url):
            async with fleet(["openai"]) as running:
                settings = {
                    "AZURE_OPENAI_ENDPOINT": url, "AZURE_OPENAI_KEY": "k",
                    "OPENAI_BASE_URL": f"{running.url('openai')}/v1", "OPENAI_API_KEY": "k",
                }  # fmt: skip
                async with room(Registry(), tmp_path, settings) as here:
                    return await here.http.post(EMBED, json={"input": ["Hello", "you"]})

        with upstream(lambda *_: as_json(content)) as url:
            body = asyncio.run(scenario(url)).json()
        assert [(one["provider"], one.get("error")) for one in body["attempts"]] == [
            ("azure", "Malformed"), ("openai", None),
        ]  # fmt: skip
        assert body["embeddings"] == [expected(SMALL, "Hello"), expected(SMALL, "you")]
        assert any("may be billed" in words for words in body["warnings"])

    def test_a_key_in_a_refusal_is_cut_out(self, tmp_path):
        async def scenario(url):
            environ = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "very-secret-key-1"}
            async with room(Registry(), tmp_path, environ) as here:
                return await here.http.post(EMBED, json={"input": "Hello", "fallback": False, "provider": "openai"})

        words = {"error": {"message": "bad key very-secret-key-1", "type": "x", "code": "very-secret-key-1"}}
        with upstream(lambda *_: as_json(words, 401)) as url:
            answer = asyncio.run(scenario(url))
        assert answer.status_code == 502
        assert "very-secret-key-1" not in answer.text


class TestOfficialClient:
    @each
    def test_it_reads_our_answers_in_its_default_format(self, gateways, sdk, provider):
        client = sdk(gateways("quick", provider))
        found = client.embeddings.create(model=f"{provider}/auto", input=["Hello", "you"])
        model = MODELS[provider]
        assert (found.object, found.model, found.usage.total_tokens) == ("list", model, found.usage.prompt_tokens)
        size = len(found.data[0].embedding)
        assert [one.embedding for one in found.data] == [expected(model, text, size) for text in ("Hello", "you")]
        assert math.isclose(math.hypot(*found.data[0].embedding), 1, rel_tol=1e-5)

    def test_formats_dimensions_and_tokens(self, gateways, sdk):
        client = sdk(gateways("quick"))
        packed = client.embeddings.create(model=SMALL, input="Hello", encoding_format="base64", dimensions=8)
        floats = client.embeddings.create(model=SMALL, input="Hello", encoding_format="float", dimensions=8)
        text = packed.data[0].embedding
        assert isinstance(text, str)
        assert list(struct.unpack("<8f", base64.b64decode(text))) == floats.data[0].embedding
        assert len(client.embeddings.create(model="auto", input=[[1, 2], [3]], dimensions=8).data) == 2

    def test_any_number_of_inputs(self, gateways, sdk):
        given = [f"text {number}" for number in range(5_000)]
        found = sdk(gateways("quick")).embeddings.create(model=SMALL, input=given, dimensions=4)
        assert [one.index for one in found.data] == list(range(5_000))
        assert found.data[4_321].embedding == expected(SMALL, "text 4321", 4)

    def test_our_errors_are_its_errors(self, gateways, sdk):
        gateway = gateways("quick")
        client = sdk(gateway)
        with pytest.raises(openai.BadRequestError) as caught:
            client.embeddings.create(model=SMALL, input=["Hello", ""])
        assert caught.value.param == "input[1]"
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="no-such", input="Hello")
        for provider in TWINS:
            gateway.fault(provider, "429", capability="embed")
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model=SMALL, input="Hello")
