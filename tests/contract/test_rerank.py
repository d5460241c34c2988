"""Reranking through the gateway: each provider, what goes wrong, many documents, money, the faces."""

import asyncio
import json

import cohere
import httpx
import pytest

from core import errors
from core.capabilities import Capability
from core.providers.registry import Registry
from core.providers.table import TABLE
from infra.local.simulators.rerank import ranked
from tests.contract.cases import BEFORE, NAMELESS, RETRIES
from tests.contract.rooms import fleet, room
from tests.contract.talk import Requests, within
from tests.contract.upstream import as_json, upstream

NATIVE, PLAIN = "/api/ai/rerank", "/v1/rerank"
QUERY = "What moves the tides?"
DOCUMENTS = ["Bread needs salt.", "The moon moves the tides.", "Tides are of the sea."]
MODELS = {
    "together": "Salesforce/Llama-Rank-v1", "cohere": "rerank-v4.0-pro", "local": "bge-reranker-v2-m3",
    "huggingface": "sentence-transformers/all-mpnet-base-v2",
}  # fmt: skip
CASES = [case for case in BEFORE if "plain" in case.modes]
TOKENS = sum(-(-len(one) // 4) for one in DOCUMENTS) + 3 * -(-len(QUERY) // 4)  # as the simulators count them
NANO = {"together": TOKENS * 100, "cohere": 2_500_000, "local": 0, "huggingface": None}

each = pytest.mark.parametrize("provider", MODELS)
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.server}")


def ask(gateway, route=NATIVE, timeout_ms=None, **fields):
    headers = {} if timeout_ms is None else {"x-patchbay-timeout-ms": str(timeout_ms)}
    body = {"query": QUERY, "documents": DOCUMENTS, "cache": "off", **fields}
    return gateway.http.post(route, json=body, headers=headers)


def expected(provider, documents=DOCUMENTS):
    return [{"index": index, "relevance_score": score} for index, score in ranked(MODELS[provider], QUERY, documents)]


def test_the_table_has_every_row_that_ranks():
    assert {row.name for row in TABLE if Capability.RERANK in row.capabilities} == set(MODELS)


@each
def test_each_ranks_and_is_paid_what_it_is_owed(gateways, provider):
    gateway = gateways("quick", provider)
    answer = ask(gateway, provider=provider, fallback=False)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["results"] == expected(provider)
    assert (body["provider"], body["model"], body["warnings"]) == (provider, MODELS[provider], [])
    assert body["cost"]["nano_usd"] == NANO[provider]
    assert body["usage"]["source"] == ("estimated" if provider == "huggingface" else "reported")
    receipt = gateway.receipt(body["decision_id"])
    assert (receipt["capability"], receipt["outcome"], receipt["cost_nano"]) == ("rerank", "ok", NANO[provider])


@each
def test_the_plain_face_says_what_its_clients_read(gateways, provider):
    answer = ask(gateways("quick", provider), PLAIN, provider=provider, top_n=2, return_documents=True)
    body = answer.json()
    assert answer.headers["x-patchbay-provider"] == provider
    assert body["results"] == [
        {**one, "document": {"text": DOCUMENTS[one["index"]]}} for one in expected(provider)[:2]
    ]
    assert (body["model"], body["object"], body["simulated"]) == (MODELS[provider], "rerank", True)
    billed = {"cohere": {"search_units": 1}, "huggingface": None}.get(provider, {"input_tokens": TOKENS})
    assert body["meta"].get("billed_units") == billed


def test_cohere_and_its_client(gateways):
    """Its first version posts where we listen."""
    with httpx.Client(trust_env=False) as http:
        client = cohere.Client(api_key="x", base_url=gateways("quick", "cohere").url, httpx_client=http)
        found = client.rerank(
            model="cohere/rerank-v3.5", query=QUERY, documents=DOCUMENTS, top_n=2, return_documents=True
        )
    assert [one.index for one in found.results] == [1, 2]
    assert found.results[0].document is not None and found.results[0].document.text == DOCUMENTS[1]
    assert found.meta is not None and found.meta.billed_units is not None
    assert found.meta.billed_units.search_units == 1


class TestFaults:
    @each
    @each_case
    def test_alone_each_is_what_it_is_and_tried_as_often_as_it_makes_sense(self, gateways, provider, case):
        gateway = gateways(case.server, provider)
        gateway.fault(provider, case.fault, capability=None if case.fault == "refuse" else "rerank")
        asked = Requests(gateway)
        alone = {"documents": DOCUMENTS[:1], "provider": provider, "fallback": False}  # which cannot be split
        answer = ask(gateway, timeout_ms=within(case, 1), **alone)
        assert answer.status_code == case.answer, answer.text
        body = answer.json()
        tries = 1 + RETRIES[case.server] if case.last == "again" else 1
        assert [one["error"] for one in body["attempts"]] == [case.error] * tries
        if case.fault != "refuse":
            assert asked.since() == {provider: tries}
        for one in body["attempts"]:
            assert (one["provider"], one["model"]) == (provider, MODELS[provider])
            assert one["status"] == (case.status or one["status"])
            if case.head and provider != NAMELESS:
                assert one["request_id"].startswith("req_")
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        assert (receipt["capability"], receipt["outcome"], receipt["route"]) == ("rerank", "error", NATIVE)
        assert bool(receipt["warnings"]) == getattr(errors, case.error).billed

    @pytest.mark.parametrize("case", [case for case in CASES if not case.timed], ids=lambda case: case.fault)
    def test_another_ones_order_is_of_use_and_said_to_be_another_ones(self, gateways, case):
        gateway = gateways(case.server, "cohere")
        gateway.fault("huggingface", case.fault, capability=None if case.fault == "refuse" else "rerank")
        answer = ask(gateway, PLAIN, within(case, 2))
        if case.left == "stop":
            assert answer.status_code == case.answer
            return
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-patchbay-provider"] == "cohere"
        assert answer.json()["results"] == expected("cohere")
        said = (
            f"scores are those of cohere/{MODELS['cohere']} and not comparable with those of "
            f"huggingface/{MODELS['huggingface']}"
        )
        assert said in gateway.receipt(answer.headers["x-patchbay-decision"])["warnings"]

    def test_what_is_ranked_is_not_asked_for_again(self, gateways):
        """Of four requests, all under way, one fails: it alone is asked again."""
        gateway = gateways("quick", "cohere")
        documents = [f"Tide {number}" for number in range(4000)]
        gateway.fault("cohere", "500", times=1, capability="rerank")
        asked = Requests(gateway)
        body = ask(gateway, documents=documents, provider="cohere", fallback=False).json()
        assert asked.since() == {"cohere": 5}
        assert body["results"] == expected("cohere", documents)
        first, last = gateway.receipt(body["decision_id"])["attempts"]
        assert (first["outcome"], last["outcome"]) == ("failed", "ok")
        assert (first["usage"]["searches"], last["usage"]["searches"]) == (30, 10)

    @pytest.mark.parametrize(
        "content",
        [{"results": []}, {"results": [{"index": 0, "relevance_score": 1}] * 3}, {"data": []}, [0.1, 0.2, 0.3]],
    )
    def test_half_a_ranking_is_none(self, tmp_path, content):
        async def scenario(url):
            async with fleet(["together"]) as running:
                settings = {
                    "LOCAL_BASE_URL": url, "LOCAL_RERANK_MODEL": "m", "LOCAL_MODELS_ENABLED": "true",
                    "TOGETHER_BASE_URL": f"{running.url('together')}/v1", "TOGETHER_API_KEY": "k",
                }  # fmt: skip
                async with room(Registry(), tmp_path, settings) as here:
                    return await here.http.post(NATIVE, json={"query": QUERY, "documents": DOCUMENTS})

        with upstream(lambda *_: as_json(content)) as url:
            body = asyncio.run(scenario(url)).json()
        assert [(one["provider"], one.get("error")) for one in body["attempts"]] == [
            ("local", "Malformed"), ("together", None),
        ]  # fmt: skip
        assert body["results"] == expected("together")


MANY = [f"{number} tides" for number in range(2500)]


class TestMany:
    @each
    def test_they_are_split_and_joined_by_their_scores(self, gateways, provider):
        gateway = gateways("quick", provider)
        asked = Requests(gateway)
        body = ask(gateway, provider=provider, documents=MANY, top_n=5).json()
        assert body["results"] == expected(provider, MANY)[:5]
        parts = {"huggingface": 25}.get(provider, 3)
        assert asked.since() == {provider: parts}
        assert len(body["attempts"]) == 1
        if provider == "cohere":
            assert (body["usage"]["searches"], body["cost"]["nano_usd"]) == (25, 25 * 2_500_000)

    def test_what_a_failed_target_finished_is_paid_and_the_next_begins_anew(self, gateways):
        gateway = gateways("quick", "cohere")
        gateway.fault("cohere", "500", capability="rerank", times=1)
        asked = Requests(gateway)
        body = ask(gateway, documents=MANY, models=["cohere/rerank-v3.5", "local/auto"]).json()
        assert asked.since() == {"cohere": 3, "local": 3}
        first, second = body["attempts"]
        assert (first["error"], first["usage"]["searches"], first["cost_nano"]) == ("ServerFault", *paid(first))
        assert first["usage"]["searches"] in {15, 20}  # which of three parts met the fault is their own race
        assert second["provider"] == "local"
        assert body["results"] == expected("local", MANY)
        assert body["cost"]["nano_usd"] == first["cost_nano"]

    def test_a_limit_that_nobody_documented_is_found(self, tmp_path):
        sizes = []

        def speak(_path, _headers, body):
            asked = json.loads(body)
            sizes.append(len(asked["documents"]))
            if sizes[-1] > 64:
                return as_json({"error": {"message": "batch size 128 > maximum allowed batch size 64"}}, 422)
            found = [{"index": at, "relevance_score": float(one)} for at, one in enumerate(asked["documents"])]
            return as_json({"results": found[::-1][: asked.get("top_n")], "usage": {"total_tokens": 1}})

        async def scenario(url):
            async with room(Registry(), tmp_path, {"LOCAL_BASE_URL": url}) as here:
                body = {"query": "q", "documents": [str(one) for one in range(200)], "model": "local/m", "top_n": 3}
                return await here.http.post(PLAIN, json=body)

        with upstream(speak) as url:
            answer = asyncio.run(scenario(url)).json()
        assert [one["index"] for one in answer["results"]] == [199, 198, 197]
        assert sum(size for size in sizes if size <= 64) == 200
        assert answer["meta"]["billed_units"] == {"input_tokens": len([size for size in sizes if size <= 64])}


def paid(attempt):
    """What the searches of an attempt cost by the list."""
    return attempt["usage"]["searches"], attempt["usage"]["searches"] * 2_000_000


class TestWishes:
    def test_what_is_sent_is_text_and_what_was_sent_comes_back(self, gateways):
        gateway = gateways("quick", "cohere")
        documents = [{"title": "Bread", "text": "salt"}, {"title": "Sea", "text": "tides"}, "moon"]
        fields = {
            "documents": documents,
            "rank_fields": ["title"],
            "return_documents": True,
            "max_tokens_per_doc": 100,
        }
        body = ask(gateway, provider="cohere", **fields).json()
        assert [one["document"] for one in body["results"]] == [
            {"text": "moon"} if one["index"] == 2 else documents[one["index"]] for one in body["results"]
        ]
        sent = json.loads(gateway.fleet.requests("cohere")[-1].body)
        assert sent == {
            "model": MODELS["cohere"], "query": QUERY, "documents": ["title: Bread", "title: Sea", "moon"],
            "max_tokens_per_doc": 100,
        }  # fmt: skip
        body = ask(gateway, provider="local", max_tokens_per_doc=100).json()
        assert body["warnings"] == [f"max_tokens_per_doc was not sent: local/{MODELS['local']} does not take it"]

    def test_who_goes_first_and_in_which_order(self, tmp_path):
        async def scenario(**environ):
            async with fleet(["together", "cohere"]) as running:
                settings = {
                    "TOGETHER_BASE_URL": f"{running.url('together')}/v1", "TOGETHER_API_KEY": "k",
                    "COHERE_BASE_URL": running.url("cohere"), "COHERE_API_KEY": "k", **environ,
                }  # fmt: skip
                async with room(Registry(), tmp_path, settings) as here:
                    answer = await here.http.post(PLAIN, json={"query": QUERY, "documents": DOCUMENTS, "cache": "off"})
                    return answer.headers["x-patchbay-provider"], answer.headers["x-patchbay-model"]

        assert asyncio.run(scenario()) == ("together", MODELS["together"])
        assert asyncio.run(scenario(RERANK_PROVIDER="cohere")) == ("cohere", MODELS["cohere"])
        assert asyncio.run(scenario(RERANK_CHAIN="cohere,auto")) == ("cohere", MODELS["cohere"])
        assert asyncio.run(scenario(LLM_PROVIDER="cohere")) == ("together", MODELS["together"])
        model = {"RERANK_PROVIDER": "cohere", "COHERE_RERANK_MODEL": "rerank-v3.5"}
        assert asyncio.run(scenario(**model)) == ("cohere", "rerank-v3.5")

    def test_who_has_no_model_says_what_to_set(self, tmp_path):
        async def scenario():
            settings = {"LOCAL_BASE_URL": "http://127.0.0.1:9/v1", "HF_TOKEN": "k"}
            async with room(Registry(), tmp_path, settings) as here:
                return await here.http.post(PLAIN, json={"query": QUERY, "documents": DOCUMENTS})

        answer = asyncio.run(scenario())
        assert answer.status_code == 503
        words = answer.json()["error"]["message"]
        assert "set LOCAL_RERANK_MODEL or name one" in words and "set HUGGINGFACE_RERANK_MODEL or name one" in words

    def test_a_cap_on_cost_counts_searches(self, gateways):
        gateway = gateways("quick", "cohere")
        fields = {"provider": "cohere", "fallback": False, "documents": MANY[:300]}
        assert ask(gateway, max_cost=0.0075, **fields).status_code == 200
        answer = ask(gateway, max_cost=0.0074, **fields)
        assert answer.status_code == 400
        assert "may cost up to 0.0075 USD; send fewer inputs" in answer.json()["error"]["message"]

    def test_a_model_for_something_else_is_refused(self, gateways):
        gateway = gateways("quick", "cohere")
        answer = ask(gateway, PLAIN, model="embed-v4.0")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_capability")
        answer = gateway.chat(model="rerank-v3.5")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "wrong_capability")

    @pytest.mark.parametrize("route", [NATIVE, PLAIN])
    def test_a_mistake_is_answered_by_us(self, gateway, route):
        answer = gateway.http.post(route, json={"query": QUERY, "documents": ["a", 7]})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "documents[1]")
        assert ("attempts" in answer.json()) == (route == NATIVE)

    def test_the_plan_alone(self, gateways):
        gateway = gateways("quick", "cohere")
        body = {"capability": "rerank", "query": QUERY, "documents": DOCUMENTS, "provider": "cohere"}
        plan = gateway.http.post("/api/ai/route", json=body).json()
        first = plan["candidates"][0]
        assert (plan["capability"], first["model"], first["cost_estimate_nano"]) == (
            "rerank",
            MODELS["cohere"],
            2_500_000,
        )


class TestCache:
    def test_the_same_again_costs_nothing_and_says_the_same(self, gateways):
        gateway = gateways("quick", "cohere")
        fields = {"provider": "cohere", "documents": [*DOCUMENTS, "kept"], "cache": None}
        first = ask(gateway, **fields).json()
        asked = Requests(gateway)
        again = ask(gateway, **fields).json()
        assert asked.since() == {}
        assert (first["cache"], again["cache"]) == ("miss", "hit")
        assert again["results"] == first["results"] and again["usage"] == first["usage"]
        assert (again["cost"]["nano_usd"], again["cached"]["saved_nano_usd"]) == (0, 2_500_000)
        plain = ask(gateway, PLAIN, **fields).json()
        assert (plain["results"], plain["model"]) == (first["results"], MODELS["cohere"])

    def test_a_hit_warns_of_nothing_that_its_caller_has_not_sent(self, gateways):
        gateway = gateways("quick", "cohere")
        fields = {"provider": "cohere", "documents": [*DOCUMENTS, "warned of"], "cache": None}
        first = ask(gateway, stream=False, **fields).json()
        assert [one.partition(" ")[0] for one in first["warnings"]] == ["stream"]
        assert ask(gateway, **fields).json()["warnings"] == []

    def test_another_wish_is_another_answer(self, gateways):
        gateway = gateways("quick", "cohere")
        fields = {"provider": "cohere", "documents": [*DOCUMENTS, "asked otherwise"], "cache": None}
        found = [
            ask(gateway, **fields, **more).json() for more in ({}, {"top_n": 2}, {"query": "Salt?"}, {"top_n": 2})
        ]
        assert [one["cache"] for one in found] == ["miss", "miss", "miss", "hit"]
        assert [len(one["results"]) for one in found] == [4, 2, 4, 2]
