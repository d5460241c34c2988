"""The embedding routes: fields, formats, any number of inputs, one model, receipts, and wrong requests."""

import base64
import json
import struct
import time
from decimal import Decimal

import httpx
import pytest
from click.testing import CliRunner

from infra.local.cli import main
from infra.local.simulators.embeddings import vector
from tests.functions.helpers import calls, has_receipt_headers, problem
from tests.harness import server

NATIVE, OPENAI = "/api/ai/embed", "/v1/embeddings"
ROUTES = (NATIVE, OPENAI)
SMALL, LARGE, E5 = "text-embedding-3-small", "text-embedding-3-large", "intfloat/multilingual-e5-large-instruct"
JSON = {"content-type": "application/json"}

each_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture
def uncalled(gateway):
    """A gateway whose providers must not be called."""
    before = calls(gateway)
    yield gateway
    assert calls(gateway) == before


def embed(gateway, route=NATIVE, given="Hello", **fields):
    """Without the cache, where other tests may have left the same."""
    return gateway.http.post(route, json={"input": given, "cache": "off", **fields})


def found_in(answer):
    body = answer.json()
    return body["embeddings"] if "embeddings" in body else [one["embedding"] for one in body["data"]]


def expected(text, size=1536, model=SMALL):
    return list(vector(model, text, size))


class TestAnswers:
    def test_openais_form_is_openais(self, gateway):
        body = embed(gateway, OPENAI, ["Hello", "you"]).json()
        assert body.keys() == {"object", "data", "model", "usage", "simulated"}
        assert (body["object"], body["model"]) == ("list", SMALL)
        assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
        assert [one.keys() for one in body["data"]] == [{"object", "index", "embedding"}] * 2
        assert [(one["object"], one["index"]) for one in body["data"]] == [("embedding", 0), ("embedding", 1)]
        assert [one["embedding"] for one in body["data"]] == [expected("Hello"), expected("you")]

    def test_ours_has_its_receipt(self, gateway):
        answer = embed(gateway, NATIVE, ["Hello", "you"])
        body = answer.json()
        assert body["embeddings"] == [expected("Hello"), expected("you")]
        assert (body["dimensions"], body["model"], body["provider"]) == (1536, SMALL, "azure")
        assert body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] == 3
        assert body["cost"] == {"usd": 6e-8, "nano_usd": 60}
        assert body["simulated"] is True and body["warnings"] == []
        assert isinstance(body["duration_ms"], float)
        assert [one["outcome"] for one in body["attempts"]] == ["ok"]
        assert gateway.receipt(body["decision_id"])["capability"] == "embed"

    @each_route
    def test_headers_name_who_answered(self, gateway, route):
        answer = embed(gateway, route)
        has_receipt_headers(answer)
        named = {name: answer.headers[f"x-patchbay-{name}"] for name in ("provider", "model", "attempts", "cost-usd")}
        assert named == {"provider": "azure", "model": SMALL, "attempts": "1", "cost-usd": "0.000000040"}

    @pytest.mark.parametrize("fields", [{"text": "Hello"}, {"texts": ["Hello"]}, {"input": ["Hello"]}])
    def test_ours_takes_it_under_three_names(self, gateway, fields):
        assert found_in(gateway.http.post(NATIVE, json={**fields, "cache": "off"})) == [expected("Hello")]

    @each_route
    @pytest.mark.parametrize("provider", ["azure", "together"])
    def test_base64_is_given_to_who_asks_for_it(self, gateway, route, provider):
        floats = found_in(embed(gateway, route, provider=provider, encoding_format="float"))[0]
        text = found_in(embed(gateway, route, provider=provider, encoding_format="base64"))[0]
        assert list(struct.unpack(f"<{len(floats)}f", base64.b64decode(text))) == floats

    @each_route
    def test_dimensions(self, gateway, route):
        assert found_in(embed(gateway, route, dimensions=16)) == [expected("Hello", 16)]
        assert len(found_in(embed(gateway, route, model=LARGE))[0]) == 3072

    @each_route
    def test_ids_of_tokens(self, gateway, route):
        assert len(found_in(embed(gateway, route, [1, 2, 3], dimensions=4))) == 1
        assert len(found_in(embed(gateway, route, [[1, 2], [3]], dimensions=4))) == 2

    @each_route
    def test_null_fields_are_absent_fields(self, gateway, route):
        names = ("model", "dimensions", "encoding_format", "user", "input_type", "truncate", "provider", "models")
        answer = embed(gateway, route, **dict.fromkeys(names))
        assert answer.status_code == 200, answer.text
        assert "x-patchbay-warnings" not in answer.headers


class TestManyInputs:
    def test_ten_thousand_in_one_call(self, gateway):
        given = [f"text {number}" for number in range(10_000)]
        before = calls(gateway)
        answer = embed(gateway, NATIVE, given, dimensions=8)
        body = answer.json()
        assert body["embeddings"] == [expected(text, 8) for text in given]
        count = sum(-(-len(text) // 4) for text in given)
        assert body["usage"]["prompt_tokens"] == count
        assert body["cost"]["nano_usd"] == count * 20
        assert calls(gateway)["azure"] - before["azure"] == 5
        assert len(body["attempts"]) == 1
        receipt = gateway.receipt(body["decision_id"])
        assert (receipt["facts"]["inputs"], receipt["cost"]["nano_usd"]) == (10_000, count * 20)

    def test_long_ones_are_split_by_their_tokens(self, gateway):
        before = calls(gateway)
        answer = embed(gateway, OPENAI, ["word " * 4_000] * 100, dimensions=4)  # 2 MB, half a million tokens
        assert answer.status_code == 200, answer.text[:300]
        assert len(found_in(answer)) == 100
        assert calls(gateway)["azure"] - before["azure"] >= 4

    def test_a_small_limit_of_a_provider_is_kept(self, gateway):
        before = calls(gateway)
        answer = embed(gateway, NATIVE, [str(number) for number in range(250)], provider="together")
        assert found_in(answer) == [expected(str(number), 1024, E5) for number in range(250)]
        assert calls(gateway)["together"] - before["together"] == 3

    @each_route
    @pytest.mark.parametrize("encoding", ["float", "base64"])
    def test_a_large_answer_comes_in_pieces(self, gateway, route, encoding):
        given = [f"text {number}" for number in range(500)]
        answer = embed(gateway, route, given, encoding_format=encoding)
        has_receipt_headers(answer)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
        assert answer.json()["simulated"] is True
        found = found_in(answer)
        if encoding == "base64":
            found = [list(struct.unpack("<1536f", base64.b64decode(one))) for one in found]
        assert found == [expected(text) for text in given]

    def test_who_leaves_in_the_middle_of_a_large_answer_harms_nobody(self, gateway):
        given = [f"text {number}" for number in range(2_000)]
        with gateway.http.stream("POST", OPENAI, json={"input": given, "cache": "off"}) as answer:
            assert answer.status_code == 200
            next(answer.iter_raw())
        assert embed(gateway).status_code == 200
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        assert (receipt["outcome"], receipt["facts"]["inputs"]) == ("ok", 2_000)


class TestOneModel:
    @each_route
    def test_another_provider_of_the_model_answers(self, gateway, route):
        gateway.fault("azure", "500", capability="embed")
        answer = embed(gateway, route)
        assert found_in(answer) == [expected("Hello")]
        assert answer.headers["x-patchbay-provider"] == "openai"

    @each_route
    def test_never_another_model(self, gateway, route):
        for name in ("azure", "openai"):
            gateway.fault(name, "500", capability="embed")
        before = calls(gateway)
        answer = embed(gateway, route)
        problem(answer, 502)
        assert calls(gateway)["together"] == before["together"]
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        assert {one["code"] for one in receipt["excluded"] if one["provider"] == "together"} == {"vector_space"}

    @each_route
    def test_unless_the_caller_lists_it(self, gateway, route):
        gateway.fault("azure", "500", capability="embed")
        answer = embed(gateway, route, models=[f"azure/{LARGE}", f"together/{E5}"])
        assert answer.headers["x-patchbay-model"] == E5
        assert found_in(answer) == [expected("Hello", 1024, E5)]

    def test_nobody_left_is_a_503_with_every_reason(self, tmp_path):
        with server(tmp_path, TOGETHER_API_KEY="t", TOGETHER_BASE_URL="http://127.0.0.1:9/v1") as gateway:
            for route in ROUTES:
                error = problem(embed(gateway, route, model=SMALL), 503)
                assert error["code"] == "no_target"
                why = {one["provider"]: one["code"] for one in error["excluded"]}
                assert why["openai"] == why["azure"] == "not_configured"
                assert why["together"] == "vector_space"
                assert "OPENAI_API_KEY" in error["message"]

    def test_a_default_that_nobody_named_is_said(self, tmp_path):
        with server(tmp_path, PATCHBAY_SIMULATOR_PROVIDERS="together,groq") as gateway:
            body = embed(gateway).json()
            assert (body["provider"], body["model"]) == ("together", E5)
            (warning,) = body["warnings"]
            assert SMALL in warning and E5 in warning

    def test_configuration_puts_a_provider_first(self, tmp_path):
        with server(tmp_path, EMBEDDING_PROVIDER="openai", LLM_PROVIDER="together") as gateway:
            assert embed(gateway).json()["provider"] == "openai"
            assert gateway.chat().json()["provider"] == "together"
            assert gateway.http.get("/api/ai/status").json()["chains"]["embed"][0] == "openai"


class TestOptions:
    @each_route
    def test_provider_and_model(self, gateway, route):
        for fields in ({"provider": "openai"}, {"model": f"openai/{SMALL}"}, {"model": "openai/auto"}):
            assert embed(gateway, route, **fields).headers["x-patchbay-provider"] == "openai"

    @each_route
    def test_no_fallback(self, gateway, route):
        gateway.fault("azure", "500", capability="embed")
        problem(embed(gateway, route, fallback=False), 502)

    @each_route
    def test_max_cost(self, uncalled, route):
        error = problem(embed(uncalled, route, ["word " * 1000] * 100, max_cost=0.0001), 400, param="max_cost")
        assert "may cost" in error["message"]

    @each_route
    def test_what_is_not_taken_is_said_or_refused(self, gateway, route):
        answer = embed(gateway, route, input_type="query", truncate="end", foo=1)
        assert answer.status_code == 200
        for name in ("input_type", "truncate", "foo"):
            assert f"{name} was not sent" in answer.headers["x-patchbay-warnings"]
        sent = json.loads(gateway.fleet.requests("azure")[-1].body)
        assert sent.keys() == {"input", "model", "encoding_format"}
        problem(embed(gateway, route, input_type="query", strict=True), 400, param="input_type")

    def test_cost_header_is_the_receipts(self, gateway):
        answer = embed(gateway, given=["word " * 10] * 7)
        assert Decimal(answer.headers["x-patchbay-cost-usd"]) * 10**9 == answer.json()["cost"]["nano_usd"] == 91 * 20


class TestCache:
    @pytest.mark.parametrize("provider", ["azure", "together"])
    def test_the_second_is_not_asked_for_whichever_way_it_is_wanted(self, gateway, provider):
        given = [f"kept at {provider}", "you"]
        first = gateway.http.post(NATIVE, json={"input": given, "provider": provider})
        assert first.headers["x-patchbay-cache"] == "miss"
        before = calls(gateway)
        for route in ROUTES:
            for encoding in ("float", "base64"):
                body = {"input": given, "provider": provider, "encoding_format": encoding}
                answer = gateway.http.post(route, json=body)
                assert (answer.headers["x-patchbay-cache"], answer.headers["x-patchbay-cost-usd"]) == (
                    "hit",
                    "0.000000000",
                )
                assert answer.headers["x-patchbay-model"] == first.headers["x-patchbay-model"]
                found = found_in(answer)
                if encoding == "base64":
                    found = [
                        list(struct.unpack(f"<{first.json()['dimensions']}f", base64.b64decode(one))) for one in found
                    ]
                assert found == first.json()["embeddings"]
        assert calls(gateway) == before
        last = gateway.http.post(NATIVE, json={"input": given, "provider": provider})
        receipt = gateway.receipt(last.headers["x-patchbay-decision"])
        assert receipt["cost"]["nano_usd"] == 0 and receipt["attempts"] == []

    @pytest.mark.parametrize(
        "other", [{"dimensions": 5}, {"model": LARGE}, {"input": ["you", "order"]}, {"cache": "off"}]
    )
    def test_what_changes_the_vectors_is_another_one(self, gateway, other):
        body = {"input": ["order", "you"], "dimensions": 4, "model": SMALL}
        gateway.http.post(NATIVE, json=body)
        assert gateway.http.post(NATIVE, json=body).headers["x-patchbay-cache"] == "hit"
        before = calls(gateway)
        changed = {**body, **other}
        answer = gateway.http.post(NATIVE, json=changed)
        if "cache" not in other:
            assert gateway.http.post(NATIVE, json=changed).headers["x-patchbay-cache"] == "hit"
        assert calls(gateway)["azure"] == before["azure"] + 1
        assert found_in(answer)[0] != found_in(gateway.http.post(NATIVE, json=body))[0] or other == {"cache": "off"}

    def test_what_stands_in_for_who_was_named_is_not_kept(self, gateway):
        gateway.fault("azure", "500", capability="embed")
        body = {"input": "instead", "provider": "azure"}
        assert gateway.http.post(NATIVE, json=body).json()["provider"] == "openai"
        gateway.clear()
        answer = gateway.http.post(NATIVE, json=body)
        assert (answer.json()["provider"], answer.headers["x-patchbay-cache"]) == ("azure", "miss")

    def test_what_is_very_large_is_not_kept(self, gateway):
        body = {"input": [f"large {number}" for number in range(600)], "model": LARGE, "encoding_format": "base64"}
        for _ in range(2):
            answer = gateway.http.post(OPENAI, json=body)
            assert (answer.status_code, answer.headers["x-patchbay-cache"]) == (200, "off")


class TestSeveralMakers:
    """Parts of one answer by two providers: its sums are those of its attempts."""

    @each_route
    def test_usage_is_what_all_of_them_used(self, gateway, route):
        given = [f"text {number}" for number in range(10_000)]
        gateway.fault("azure", "500", capability="embed", times=1)
        answer = embed(gateway, route, given, dimensions=2)
        assert answer.headers["x-patchbay-provider"] == "openai"
        receipt = gateway.receipt(answer.headers["x-patchbay-decision"])
        made = [one["usage"]["prompt_tokens"] for one in receipt["attempts"] if one.get("usage")]
        assert len(made) == 2 and sum(made) == sum(-(-len(text) // 4) for text in given)
        assert receipt["usage"]["prompt_tokens"] == answer.json()["usage"]["prompt_tokens"] == sum(made)
        assert receipt["cost"]["nano_usd"] == 20 * sum(made)

    def test_a_failure_has_used_what_its_parts_used(self, gateway):
        given = [f"text {number}" for number in range(10_000)]
        gateway.fault("azure", "400", capability="embed", times=1)
        error = problem(embed(gateway, OPENAI, given, dimensions=2), 400)
        receipt = gateway.receipt(error["decision_id"])
        made = [one["usage"]["prompt_tokens"] for one in receipt["attempts"] if one.get("usage")]
        assert made and receipt["usage"]["prompt_tokens"] == sum(made)
        assert receipt["cost"]["nano_usd"] == 20 * sum(made)


class TestTime:
    @each_route
    def test_the_callers_deadline(self, gateway, route):
        for name in ("azure", "openai"):
            gateway.fault(name, "hang", capability="embed")
        answer = gateway.http.post(
            route, json={"input": "Hello", "cache": "off"}, headers={"x-patchbay-timeout-ms": "200"}
        )
        error = problem(answer, 504)
        assert [one["error"] for one in error["attempts"]] == ["AttemptTimeout", "AttemptTimeout"]
        assert "shorter answer" not in error["message"] and "x-patchbay-timeout-ms" in error["message"]

    def test_what_was_made_before_the_time_ran_out_is_on_the_receipt(self, tmp_path):
        """Some of five parts are there when the others are waited for in vain; the next provider makes those."""
        with server(tmp_path) as gateway:
            given = [f"text {number}" for number in range(10_000)]
            gateway.fault("azure", "hang", capability="embed", rate=0.3)
            answer = gateway.http.post(
                NATIVE,
                json={"input": given, "dimensions": 2, "cache": "off"},
                headers={"x-patchbay-timeout-ms": "3000"},
            )
            body = answer.json()
            assert answer.status_code == 200, answer.text[:300]
            late, second = body["attempts"]
            assert (late["provider"], late["error"], second["provider"]) == ("azure", "AttemptTimeout", "openai")
            used = late["usage"]["prompt_tokens"] + second["usage"]["prompt_tokens"]
            assert used == body["cost"]["nano_usd"] // 20 == body["usage"]["prompt_tokens"]
            receipt = gateway.receipt(body["decision_id"])
            assert receipt["usage"]["prompt_tokens"] == used
            assert receipt["usage"]["source"] == "reported"
            assert any("may be billed" in words for words in body["warnings"])
            assert body["embeddings"][9_999] == expected("text 9999", 2)

    def test_a_caller_who_leaves(self, gateway):
        gateway.fault("azure", "hang", capability="embed")
        with pytest.raises(httpx.ReadTimeout):
            gateway.http.post(NATIVE, json={"input": "a caller who leaves"}, timeout=0.3)
        end = time.monotonic() + 10
        while True:
            latest = gateway.http.get("/api/ai/decisions", params={"limit": 1}).json()["decisions"][0]
            if latest["outcome"] == "cancelled" and latest["capability"] == "embed":
                break
            assert time.monotonic() < end, "never settled"
            time.sleep(0.01)
        assert latest["attempts"][0]["outcome"] == "cancelled"
        assert any("was cancelled but may be billed" in words for words in latest["warnings"]), latest["warnings"]


class TestBadInput:
    @each_route
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({}, "input"),
            ({"input": None}, "input"),
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": 7}, "input"),
            ({"input": {"a": 1}}, "input"),
            ({"input": ["a", ""]}, "input[1]"),
            ({"input": ["a", None]}, "input[1]"),
            ({"input": ["a", 5]}, "input[1]"),
            ({"input": [["a"]]}, "input[0][0]"),
            ({"input": [[[1]]]}, "input[0][0]"),
            ({"input": [[]]}, "input[0]"),
            ({"input": [1.5]}, "input[0]"),
            ({"input": "x", "dimensions": 0}, "dimensions"),
            ({"input": "x", "dimensions": "8"}, "dimensions"),
            ({"input": "x", "dimensions": 1537, "model": SMALL}, "dimensions"),
            ({"input": "x", "dimensions": 3, "model": "text-embedding-ada-002"}, "dimensions"),
            ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
            ({"input": "x", "user": {}}, "user"),
            ({"input": "x", "input_type": "poem"}, "input_type"),
            ({"input": "x", "model": 5}, "model"),
            ({"input": "x", "models": []}, "models"),
            ({"input": "x", "provider": "nobody"}, "provider"),
            ({"input": "x", "fallback": "no"}, "fallback"),
            ({"input": "x", "max_cost": -1}, "max_cost"),
            ({"input": "x", "cache": "maybe"}, "cache"),
            ({"input": "x", "model": "gpt-6-luna"}, "model"),
            ({"input": "word " * 30_000, "model": SMALL}, "input"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_400_that_says_where(self, uncalled, route, fields, param):
        problem(uncalled.http.post(route, json=fields), 400, param=param)

    def test_two_names_at_once(self, uncalled):
        problem(uncalled.http.post(NATIVE, json={"input": "x", "text": "y"}), 400, param="text")
        problem(uncalled.http.post(NATIVE, json={"texts": ["x"], "text": "y"}), 400, param="text")

    @each_route
    @pytest.mark.parametrize(
        "raw", [b"", b"[]", b'"x"', b"{", b'{"input":"\\ud800"}', b'{"input":' + b"[" * 3000 + b"]" * 3000 + b"}"]
    )
    def test_what_is_no_body(self, uncalled, route, raw):
        problem(uncalled.http.post(route, content=raw, headers=JSON), 400)

    @each_route
    def test_an_unknown_model(self, uncalled, route):
        error = problem(embed(uncalled, route, model="text-embedding-3-smal"), 404, param="model")
        assert SMALL in error["message"]

    @each_route
    def test_another_method_and_another_type(self, uncalled, route):
        assert uncalled.http.get(route).status_code == 405
        assert uncalled.http.post(route, content=b"x", headers={"content-type": "text/plain"}).status_code == 415

    def test_a_body_beyond_the_limit(self, tmp_path):
        with server(tmp_path, PATCHBAY_MAX_BODY_BYTES="1000") as gateway:
            for route in ROUTES:
                problem(embed(gateway, route, ["x" * 100] * 20), 413)


class TestAround:
    def test_route_shows_the_plan_of_a_call(self, uncalled):
        plan = uncalled.http.post("/api/ai/route", json={"capability": "embed", "input": ["Hello"] * 100}).json()
        assert plan["capability"] == "embed"
        assert [one["provider"] for one in plan["candidates"]] == ["azure", "openai"]
        assert all(one["cost_estimate_nano"] > 0 for one in plan["candidates"])
        assert {one["provider"]: one["code"] for one in plan["excluded"]}["together"] == "vector_space"
        problem(uncalled.http.post("/api/ai/route", json={"capability": "embed"}), 400, param="input")

    @pytest.mark.parametrize(("route", "required"), [(NATIVE, []), (OPENAI, ["input"])])
    def test_openapi_describes_what_they_take(self, gateway, route, required):
        operation = gateway.http.get("/openapi.json").json()["paths"][route]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        ours = {
            "provider",
            "fallback",
            "model",
            "models",
            "strategy",
            "cache",
            "max_cost",
            "tier",
            "strict",
            "compatibility",
        }
        assert (
            ours | {"input", "dimensions", "encoding_format", "input_type", "truncate"} <= schema["properties"].keys()
        )
        assert ({"text", "texts"} <= schema["properties"].keys()) == (route == NATIVE)
        assert schema["required"] == required
        assert operation["tags"] == ["embed"]
        assert "text/event-stream" not in operation["responses"]["200"]["content"]

    def test_providers_say_who_embeds(self, gateway):
        rows = {one["name"]: one for one in gateway.http.get("/api/ai/providers").json()["providers"]}
        assert {name for name, one in rows.items() if "embed" in one["capabilities"]} == {
            "azure", "openai", "together", "gemini", "huggingface", "cohere", "local", "ollama",
        }  # fmt: skip
        assert rows["openai"]["accounts"][0]["embedding_model"] == SMALL

    def test_decisions_list_them(self, gateway, tmp_path, monkeypatch):
        made = embed(gateway).json()["decision_id"]
        monkeypatch.chdir(tmp_path)
        port = gateway.url.rpartition(":")[2]
        env = {"PORT": port, "PATCHBAY_HOME": None, "PATCHBAY_API_KEY": None, "HOST": None}
        result = CliRunner().invoke(main, ["decisions"], env=env)
        (row,) = [line for line in result.stdout.splitlines() if line.startswith(made)]
        assert {"ok", f"azure/{SMALL}"} <= set(row.split())

    def test_a_settings_provider_that_is_not_there(self, tmp_path):
        from core.errors import Misconfigured

        for environ in ({"EMBEDDING_PROVIDER": "nobody"}, {"EMBEDDING_MODEL": "text-embedding-3-smal"}):
            with pytest.raises(Misconfigured, match=next(iter(environ))), server(tmp_path, **environ):
                pass
