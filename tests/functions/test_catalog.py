"""What there is, how it is, what would be chosen and what was; and paths that are not there."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from core.providers.table import TABLE
from infra.local.server import assembled
from tests.functions.helpers import CALL_ROUTES, CHAT_ROUTES, calls, has_receipt_headers, problem
from tests.harness import HELLO, QUICK, Server, server

ALL = [row.name for row in TABLE]
LIVE = ["azure", "together", "openai"]  # who is simulated
OWN = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}  # FastAPI's pages about the rest


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The app of the one-process server, to look at."""

    async def made() -> Any:
        home = tmp_path_factory.mktemp("app")
        async with assembled({**QUICK, "PATCHBAY_HOME": str(home)}, home / ".env") as running:
            return running.server.config.app

    found: FastAPI = asyncio.run(made())
    return found


def endpoints(app: FastAPI) -> list[tuple[str, str]]:
    """Method and path of every route."""
    routes: list[Any] = list(app.routes)  # every kind of route here has a path and methods
    found = [
        (method, route.path)
        for route in routes
        for method in sorted(route.methods - {"HEAD"})
        if route.path not in OWN
    ]
    assert len(found) >= 10
    return found


def plan(gateway: Server, **fields: Any) -> dict[str, Any]:
    answer = gateway.http.post("/api/ai/route", json={**HELLO, **fields})
    assert answer.status_code == 200, answer.text
    has_receipt_headers(answer)
    found: dict[str, Any] = answer.json()
    return found


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [one["provider"] for one in rows]


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/api/v1/providers/health",
        "/api/ai/status",
        "/api/ai/providers",
        "/api/ai/decisions",
        "/api/local/simulators",
    ],
)
def test_every_answer_has_the_headers(gateway, path):
    answer = gateway.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    has_receipt_headers(answer)
    assert answer.headers["x-patchbay-simulated"] == "true"


def test_health(gateway):
    body = gateway.http.get("/health").json()
    assert body["status"] == "ok" and body["ready"] is True and body["version"]
    assert body["providers"] == ["azure", "together", "openai"]


def test_health_without_a_usable_provider(tmp_path):
    with server(tmp_path, AZURE_OPENAI_KEY="a-key") as gateway:
        body = gateway.http.get("/health").json()
        assert (body["status"], body["ready"], body["providers"]) == ("degraded", False, [])
        assert gateway.http.get("/api/v1/providers/health").json() == {}
        status = gateway.http.get("/api/ai/status").json()
        assert status["simulated"] is False and status["chains"]["chat"] == []
        error = problem(gateway.chat(), 503)
        assert "AZURE_OPENAI_ENDPOINT" in error["message"]
        for path in ("/api/local/simulators", "/api/local/simulators/clear", "/api/local/simulators/faults"):
            method = "GET" if path.endswith("simulators") else "POST"
            answer = gateway.http.request(method, path, json={} if method == "POST" else None)
            assert "real providers" in problem(answer, 404)["message"]


def test_providers_health_follows_traffic(tmp_path):
    with server(tmp_path) as gateway:
        assert gateway.http.get("/api/v1/providers/health").json() == dict.fromkeys(names_of(gateway), True)
        gateway.fault("together", "500")
        gateway.chat(provider="together")
        assert gateway.http.get("/api/v1/providers/health").json() == {
            "azure": True,
            "together": False,
            "openai": True,
        }
        gateway.clear()
        gateway.chat(provider="together")
        assert gateway.http.get("/api/v1/providers/health").json()["together"] is True


def names_of(gateway: Server) -> list[str]:
    return list(calls(gateway))


def test_status(gateway):
    gateway.fault("openai", "500", times=1)
    gateway.chat(provider="openai")
    gateway.chat(provider="openai")
    body = gateway.http.get("/api/ai/status").json()
    assert body["simulated"] is True and body["strategy"] == "fallback" and body["fallback"] is True
    assert body["chains"]["chat"] == ["azure", "together", "openai"]
    assert body["auth"] == "loopback"
    assert list(body["providers"]) == ALL
    assert body["providers"]["ollama"]["live"] is False
    (target,) = [one for one in body["providers"]["openai"]["targets"] if one["model"] == "gpt-6-luna"]
    assert target["ok"] >= 1 and target["failed"] >= 1


def test_providers(gateway):
    body = gateway.http.get("/api/ai/providers").json()
    rows = {one["name"]: one for one in body["providers"]}
    assert body["simulated"] is True and list(rows) == ALL
    for row in rows.values():
        assert row["title"]
        assert "chat" in row["capabilities"] and row["features"]
        assert row["accounts"] and all(isinstance(one["missing"], list) for one in row["accounts"])
    assert [name for name in rows if rows[name]["live"]] == LIVE
    assert rows["azure"]["accounts"][0]["simulated"] is True and rows["azure"]["accounts"][0]["missing"] == []
    assert rows["ollama"]["local"] is True and rows["ollama"]["accounts"][0]["missing"] == ["OLLAMA_BASE_URL"]


def test_no_listing_shows_a_key(tmp_path):
    keys = {"OPENAI_API_KEY": "openai-key-0123456789", "AZURE_OPENAI_KEY": "azure-key-0123456789"}
    with server(tmp_path, PATCHBAY_API_KEY="gate-key-0123456789", **keys) as gateway:
        headers = {"x-api-key": "gate-key-0123456789"}
        for path in ("/health", "/api/v1/providers/health", "/api/ai/status", "/api/ai/providers", "/openapi.json"):
            answer = gateway.http.get(path, headers=headers)
            assert answer.status_code == 200 and "key-0123456789" not in answer.text


def test_route_says_who_and_why_and_calls_nobody(gateway):
    before = calls(gateway)
    known = gateway.http.get("/api/ai/decisions?limit=1").json()
    body = plan(gateway, capability="chat")
    assert body["capability"] == "chat" and body["simulated"] is True
    assert names(body["candidates"]) == ["azure", "together", "openai"]
    assert names(body["excluded"]) == [name for name in ALL if name not in LIVE]
    for one in [*body["candidates"], *body["excluded"]]:
        assert one["reasons"] and all(isinstance(why, str) and why for why in one["reasons"])
    assert "ANTHROPIC_API_KEY" in body["excluded"][0]["reasons"][0]
    assert "OLLAMA_BASE_URL" in body["excluded"][-1]["reasons"][0]
    assert all(one["cost_estimate_nano"] > 0 for one in body["candidates"])
    assert calls(gateway) == before
    assert gateway.http.get("/api/ai/decisions?limit=1").json() == known


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ({}, "azure"),
        ({"provider": "openai"}, "openai"),
        ({"provider": "together", "fallback": False}, "together"),
        ({"model": "openai/auto"}, "openai"),
        ({"model": "together/whatever"}, "together"),
        ({"models": ["openai/auto", "azure/auto"]}, "openai"),
        ({"temperature": 0.5, "strict": True}, "together"),
        ({"tier": "standard"}, None),
        ({"max_tokens": 10, "max_cost": 0.00001}, None),
        ({"stream": True}, "azure"),
    ],
    ids=json.dumps,
)
def test_route_tells_what_the_call_then_does(gateway, fields, chosen):
    body = plan(gateway, **fields)
    answer = gateway.chat(fields)
    assert answer.status_code == 200
    assert answer.headers["x-patchbay-provider"] == body["candidates"][0]["provider"]
    assert answer.headers["x-patchbay-model"] == body["candidates"][0]["model"]
    if chosen is not None:
        assert names(body["candidates"])[0] == chosen
    if fields.get("fallback") is False:
        assert names(body["candidates"]) == [chosen]


def test_route_says_why_nobody_may(gateway):
    body = plan(gateway, max_cost=0, temperature=1)
    assert body["candidates"] == []
    assert set(ALL) == set(names(body["excluded"]))
    assert all("max_cost" in one["reasons"][0] for one in body["excluded"] if one["provider"] in LIVE)


def test_route_warns_of_what_would_be_dropped(gateway):
    body = plan(gateway, temperature=1, nonsense=2)
    warnings = {one["provider"]: " ".join(one["warnings"]) for one in body["candidates"]}
    assert "temperature" in warnings["azure"] and "temperature" not in warnings["together"]
    assert all("nonsense" in words for words in warnings.values())


def test_decisions_newest_first_and_limited(gateway):
    made = [gateway.chat().json()["decision_id"] for _ in range(3)]
    listed = [one["decision_id"] for one in gateway.http.get("/api/ai/decisions").json()["decisions"]]
    assert set(listed[:3]) == set(made) and len(listed) <= 20
    assert listed == sorted(listed, reverse=True)  # an id begins with its time
    two = gateway.http.get("/api/ai/decisions?limit=2").json()["decisions"]
    assert [one["decision_id"] for one in two] == listed[:2]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "abc", "1.5", "", "9" * 30, "9" * 5000])
def test_decisions_with_a_limit_that_cannot_be(gateway, limit):
    error = problem(gateway.http.get("/api/ai/decisions", params={"limit": limit}), 400, param="limit")
    assert "limit" in error["message"]


def test_one_decision(gateway):
    body = gateway.chat(temperature=0.5).json()
    receipt = gateway.receipt(body["decision_id"])
    assert receipt["decision_id"] == body["decision_id"]
    assert receipt["outcome"] == "ok" and receipt["org"] == "local"
    assert receipt["provider"] == body["provider"] and receipt["attempts"] == body["attempts"]
    assert receipt["warnings"] == body["warnings"] and receipt["usage"] == body["usage"]
    assert [one["provider"] for one in receipt["candidates"]] == ["azure", "together", "openai"]
    assert receipt["excluded"] and all(one["reason"] for one in receipt["excluded"])
    assert not {"pk", "sk", "exp"} & receipt.keys()


def test_a_decision_that_failed_is_there_too(gateway):
    error = problem(gateway.chat(max_cost=0, provider="openai", fallback=False), 400)
    receipt = gateway.receipt(error["decision_id"])
    assert receipt["outcome"] == "error" and receipt["provider"] is None and receipt["attempts"] == []
    assert receipt["error"] == "NoTarget" and "max_cost" in receipt["error_message"]


@pytest.mark.parametrize(
    "decision",
    [
        "0" * 32,
        "f" * 32,
        "1",
        "nope",
        "G" * 32,
        "a" * 31,
        "a" * 33,
        "A" * 32,
        "٣" * 32,
        "%00" * 10,
        "..%2f..%2fhealth",
        "a" * 10_000,
        "%ff",
        "'; DROP TABLE items; --",
    ],
    ids=lambda text: text[:20],
)
def test_a_decision_that_is_not_there(gateway, decision):
    answer = gateway.http.get(f"/api/ai/decisions/{decision}")
    problem(answer, 404)


def test_a_decision_of_another_organisation_is_not_there(gateway):
    mine = gateway.chat().json()["decision_id"]
    ledger = gateway.service.gateway.ledger
    item = gateway.on_loop(ledger.find("local", mine))
    other = mine[:12] + "0123456789abcdef0123"
    theirs = {**item, "org": "acme", "sk": other, "pk": item["pk"].replace("local", "acme")[:-1] + "3"}
    gateway.on_loop(ledger._store.append(theirs))
    assert gateway.on_loop(ledger.find("acme", other)) is not None
    problem(gateway.http.get(f"/api/ai/decisions/{other}"), 404)
    listed = gateway.http.get("/api/ai/decisions?limit=200").json()["decisions"]
    assert mine in {one["decision_id"] for one in listed} and other not in {one["decision_id"] for one in listed}


def test_decisions_survive_a_restart(tmp_path: Path):
    with server(tmp_path) as gateway:
        made = gateway.chat().json()["decision_id"]
    with server(tmp_path) as gateway:
        assert gateway.receipt(made)["outcome"] == "ok"


def test_openapi_has_every_route(gateway, app):
    schema = gateway.http.get("/openapi.json").json()
    assert schema["openapi"].startswith("3.") and schema["info"]["title"] and schema["info"]["version"]
    described = {(method.upper(), path) for path, one in schema["paths"].items() for method in one}
    silent = {one for one in endpoints(app) if "{response_id}" in one[1]}  # they only say no
    assert described == set(endpoints(app)) - silent
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"], (path, method)
            assert operation.get("summary") or operation.get("operationId"), (path, method)


@pytest.mark.parametrize("route", CHAT_ROUTES)
def test_openapi_describes_what_generation_routes_take(gateway, route):
    operation = gateway.http.get("/openapi.json").json()["paths"][route]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    ours = {
        "provider",
        "fallback",
        "model",
        "models",
        "strategy",
        "cache",
        "stream",
        "max_cost",
        "tier",
        "strict",
        "compatibility",
    }
    assert ours | {"messages", "temperature", "tools"} <= body["properties"].keys()
    assert body["required"] == ["messages"]
    assert [one["name"] for one in operation["parameters"]] == ["x-patchbay-timeout-ms"]
    assert {"200", "4XX", "5XX"} <= operation["responses"].keys()


def test_openapi_can_be_made_twice(app):
    assert app.openapi() == app.openapi()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_pages_about_the_api_are_there(gateway, page):
    answer = gateway.http.get(page)
    assert answer.status_code == 200 and "Patchbay" in answer.text


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/api",
        "/api/ai",
        "/api/ai/",
        "/api/ai/chat/",
        "/API/AI/CHAT",
        "/api/ai/chat/x",
        "//api/ai/chat",
        "/v1",
        "/v1/nope",
        "/health/",
        "/%2e%2e/health",
        "/caf%C3%A9",
        "/%ff",
    ],
)
def test_an_unknown_path(gateway, method, path):
    body: dict[str, Any] | None = None if method in {"GET", "DELETE", "OPTIONS"} else {}
    error = problem(gateway.http.request(method, path, json=body), 404)
    assert error["type"] == "not_found_error" and error["code"] == "unknown_route"


def test_a_method_that_is_not_there(gateway, app):
    known = set(endpoints(app))
    tried = 0
    for path in {path for _, path in known}:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            if (method, path) not in known:
                answer = gateway.http.request(method, path.format(decision="x", response_id="x", part="x"), json={})
                error = problem(answer, 405)
                assert method in error["message"] and error["code"] == "method_not_allowed"
                tried += 1
    assert tried > 20


@pytest.mark.parametrize("route", [*CALL_ROUTES, "/health"])
def test_a_405_says_which_methods_there_are(gateway, route):
    answer = gateway.http.delete(route)
    problem(answer, 405)
    assert answer.headers.get("allow") == ("GET" if route == "/health" else "POST")
