"""The catalogue over HTTP, and what it does to a request that names a model of yesterday."""

import json

import pytest

from tests.functions.helpers import has_receipt_headers, problem
from tests.harness import HELLO, server

TURBO, NOW = "gpt-4-turbo", "gpt-6.1-sol"
SAID = f"model {TURBO} is retired; using {NOW}"


def models(gateway, **query):
    answer = gateway.http.get("/api/ai/models", params=query)
    assert answer.status_code == 200, answer.text
    has_receipt_headers(answer)
    return answer.json()["models"]


def names(found):
    return [one["id"] for one in found]


def test_every_model_that_answers_is_listed(gateway):
    found = models(gateway)
    assert len(found) > 80
    assert {one["lifecycle"] for one in found} == {"active", "deprecated"}
    assert len(models(gateway, retired="true")) > len(found)


def test_a_model_says_all_of_itself(gateway):
    (luna,) = [one for one in models(gateway, provider="openai") if one["id"] == "gpt-6-luna"]
    assert luna == {
        "provider": "openai",
        "id": "gpt-6-luna",
        "display_name": "GPT-6 Luna",
        "capability": "chat",
        "skills": ["analysis", "code"],
        "features": ["files", "json_mode", "json_schema", "stream", "tools", "vision"],
        "tier": "fast",
        "context": 1050000,
        "max_output": 128000,
        "dimensions": None,
        "min_dimensions": None,
        "same_as": None,
        "lifecycle": "active",
        "retires": None,
        "successor": None,
        "live": True,
        "free": False,
        "price": {
            "usd_per_mtok": {"input": "0.1", "output": "0.5", "cached_input": "0.01", "cache_write": "0.125"},
            "usd_tiers": [
                {
                    "above_input_tokens": 272000,
                    "input": "0.2",
                    "output": "0.75",
                    "cached_input": "0.02",
                    "cache_write": "0.25",
                }
            ],
        },
        "peak": None,
        "price_changes": [],
        "cost_per_1k_input": 0.0001,
        "cost_per_1k_output": 0.0005,
        "as_of": "2026-09-22",
        "note": luna["note"],
    }


def test_what_is_free_costs_nothing_and_what_is_not_known_is_null(gateway):
    llama, _ = models(gateway, provider="ollama", capability="chat")
    assert (llama["free"], llama["cost_per_1k_input"], llama["price"], llama["live"]) == (True, 0, None, False)
    (translator,) = models(gateway, capability="translate")
    assert (translator["free"], translator["cost_per_1k_input"], translator["price"]) == (False, None, None)


def test_hours_and_days_of_other_prices_are_shown(gateway):
    (flash,) = [one for one in models(gateway, provider="deepseek") if one["id"] == "deepseek-flash"]
    assert flash["peak"] == {
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "hours_utc": [[1, 4], [6, 10]],
        "price": {"usd_per_mtok": {"input": "0.3", "output": "1.2", "cached_input": "0.006"}},
        "otherwise": {"usd_per_mtok": {"input": "0.15", "output": "0.6", "cached_input": "0.003"}},
    }
    assert flash["price"] in (flash["peak"]["price"], flash["peak"]["otherwise"])


def test_prices_to_come_are_shown_until_they_are_there(tmp_path):
    """Of a user's own, because built-in ones come into force one day."""
    (tmp_path / "own.json").write_text(
        json.dumps(
            {
                "models": {
                    "openai/dearer": {
                        "usd_per_mtok": {"input": 1, "output": 2},
                        "price_changes": [
                            {"from": "2020-01-01", "usd_per_mtok": {"input": 3, "output": 4}},
                            {"from": "2999-01-01", "usd_per_mtok": {"input": 5, "output": 6}},
                        ],
                    },
                    "openai/gift": {"usd_per_mtok": {"input": 0, "output": 0}},
                }
            }
        )
    )
    with server(tmp_path, PATCHBAY_CONFIG=str(tmp_path / "own.json")) as gateway:
        own = {one["id"]: one for one in models(gateway, provider="openai")}
        assert own["dearer"]["price"]["usd_per_mtok"]["input"] == "3"
        assert own["dearer"]["price_changes"] == [
            {"from": "2999-01-01", "price": {"usd_per_mtok": {"input": "5", "output": "6"}}}
        ]
        gift = own["gift"]
        assert (gift["free"], gift["price"], gift["cost_per_1k_input"], gift["tier"]) == (True, None, 0, None)
        assert names(models(gateway, provider="openai", max_cost="0")) == ["gift"]
        assert gateway.chat(model="openai/gift", max_cost=0).json()["cost"]["nano_usd"] == 0


def test_a_tier_that_nobody_said_is_null(gateway):
    assert {one["tier"] for one in models(gateway, capability="embed")} == {None}
    assert {one["tier"] for one in models(gateway, tier="standard")} == {"standard"}
    embedding = {"input": "x", "tier": "standard", "capability": "embed"}
    assert gateway.http.post("/api/ai/route", json=embedding).json()["candidates"], "routing still takes them"


@pytest.mark.parametrize(
    ("query", "has", "lacks"),
    [
        ({"capability": "embed"}, "text-embedding-3-small", "gpt-6-luna"),
        ({"capability": "code", "tier": "FAST"}, "gpt-6-luna", "gpt-6.1-sol"),
        ({"skill": "complex_reasoning"}, "gpt-6.1-sol", "gpt-6-luna"),
        ({"tier": "Advanced"}, "gpt-6.1-sol", "gpt-6-luna"),
        ({"provider": "azure-openai"}, "azure-stt", "whisper-1"),
        ({"max_cost": "0.0001"}, "gpt-6-luna", "gpt-6.1-sol"),
        ({"max_cost": "0"}, "llama3:70b", "gpt-6-luna"),
        ({"provider": "openai", "retired": "true"}, TURBO, "llama3:70b"),
    ],
    ids=json.dumps,
)
def test_filters(gateway, query, has, lacks):
    found = names(models(gateway, **query))
    assert has in found
    assert lacks not in found


@pytest.mark.parametrize(
    ("query", "param", "words"),
    [
        ({"capability": "dance"}, "capability", "transcribe"),
        ({"skill": "chess"}, "skill", "complex_reasoning"),
        ({"tier": "huge"}, "tier", "fast, standard, advanced"),
        ({"tier": ""}, "tier", "fast, standard, advanced"),
        ({"provider": "nobody"}, "provider", "openai"),
        ({"max_cost": "-1"}, "max_cost", "0 or more"),
        ({"max_cost": "nan"}, "max_cost", "0 or more"),
        ({"max_cost": "cheap"}, "max_cost", "number"),
        ({"skil": "code"}, "skil", "skill"),
        ({"retired": "maybe"}, "retired", "boolean"),
    ],
    ids=json.dumps,
)
def test_an_unknown_value_is_refused_with_the_known_ones(gateway, query, param, words):
    error = problem(gateway.http.get("/api/ai/models", params=query), 400, param)
    assert words in error["message"]


@pytest.mark.parametrize("name", [TURBO, f"openai/{TURBO}"])
def test_a_retired_model_is_answered_by_its_successor_and_says_so(gateway, name):
    made = gateway.http.post("/api/ai/route", json={**HELLO, "model": name}).json()
    assert made["candidates"][0]["model"] == NOW
    assert made["candidates"][0]["warnings"] == [SAID]
    answer = gateway.chat(model=name)
    assert answer.status_code == 200
    assert (answer.json()["model"], answer.json()["provider"]) == (NOW, "openai")
    assert answer.json()["warnings"] == [SAID]
    assert SAID in answer.headers["x-patchbay-warnings"]
    receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
    assert (receipt["model"], receipt["warnings"], receipt["asked"]["model"]) == (NOW, [SAID], name)


def test_in_the_dialect_of_the_caller_too(gateway):
    answer = gateway.http.post("/v1/chat/completions", json={**HELLO, "model": TURBO})
    assert answer.status_code == 200
    assert answer.headers["x-patchbay-model"] == NOW
    assert SAID in answer.headers["x-patchbay-warnings"]


def test_when_the_successor_fails_the_warning_names_who_answered(gateway):
    gateway.fault("openai", "500")
    answer = gateway.chat(model=TURBO)
    assert answer.json()["provider"] == "azure"
    assert answer.json()["warnings"] == [f"answered by azure/gpt-5.4-mini instead of {TURBO}"]


def test_a_default_that_is_retired_is_succeeded(tmp_path):
    with server(tmp_path, OPENAI_MODEL=TURBO) as gateway:
        answer = gateway.chat(provider="openai", fallback=False)
        assert (answer.json()["model"], answer.json()["warnings"]) == (NOW, [SAID])


def test_a_model_for_something_else_is_refused_for_chat(gateway):
    error = problem(gateway.chat(model="openai/whisper-1", fallback=False), 400, "model")
    assert "transcription" in error["message"]


def test_a_tier_may_be_written_large(gateway):
    assert gateway.chat(tier="FAST").json()["model"] == gateway.chat(tier="fast").json()["model"]
