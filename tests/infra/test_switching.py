"""One setting moves traffic from a provider to another without a change of code; accounts and files on the way."""

import pytest

from tests.harness import HELLO, server


def who(gateway, **fields):
    answer = gateway.chat(**fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["provider"]


@pytest.mark.parametrize("name", ["openai", "together", "azure"])
def test_by_the_environment(tmp_path, name):
    with server(tmp_path, LLM_PROVIDER=name) as gateway:
        assert who(gateway) == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("routing: {llm_provider: azure}", "azure"),
        ("routing: {llm_provider: openai}", "openai"),
        ("chains: {chat: [together, auto]}", "together"),
        ("providers: {openai: {priority: 1}}", "openai"),
        ("providers: {azure: {enabled: false}}", "together"),
        ("routing: {strategy: cost_optimized}", "openai"),
        ("", "azure"),
    ],
)
def test_by_one_line_of_a_file(tmp_path, line, name):
    (tmp_path / "patchbay.yaml").write_text(line)
    with server(tmp_path) as gateway:
        assert who(gateway) == name


def test_by_the_file_of_an_environment(tmp_path):
    (tmp_path / "patchbay.yaml").write_text("cache: {enabled: false}")
    (tmp_path / "patchbay.production.yaml").write_text("routing: {llm_provider: openai}")
    with server(tmp_path) as gateway:
        assert who(gateway) == "azure"
    with server(tmp_path, PATCHBAY_ENV="production") as gateway:
        assert who(gateway) == "openai"


def test_accounts_answer_by_their_names(tmp_path):
    (tmp_path / "patchbay.yaml").write_text("providers: {quick: {type: openai, model: gpt-5.4-nano, max_tokens: 3}}")
    with server(tmp_path) as gateway:
        for fields in ({"provider": "quick"}, {"model": "quick/auto"}, {"models": ["openai:quick/auto"]}):
            answer = gateway.chat(**fields)
            body = answer.json()
            assert (body["provider"], body["model"]) == ("openai", "gpt-5.4-nano")
            assert answer.headers["x-patchbay-provider"] == "openai"
            receipt = gateway.receipt(body["decision_id"])
            assert (receipt["provider"], receipt["account"]) == ("openai", "quick")
            assert receipt["attempts"][0]["account"] == "quick"
        gateway.fault("openai", "500", times=1)
        body = gateway.chat(provider="quick").json()
        tried = [(one["provider"], one["account"]) for one in gateway.receipt(body["decision_id"])["attempts"]]
        assert tried == [("openai", "quick"), ("azure", "default")]
        assert body["warnings"] == ["answered by azure/gpt-5.4-mini instead of quick"]


def test_an_accounts_defaults_reach_the_provider_and_no_others(tmp_path):
    text = "providers: {together: {max_tokens: 3, temperature: 0.1}, openai: {max_tokens: 2, temperature: 0.2}}"
    (tmp_path / "patchbay.yaml").write_text(text)
    with server(tmp_path) as gateway:
        cut = gateway.chat(provider="together").json()
        assert cut["finish_reason"] == "length" and cut["usage"]["completion_tokens"] <= 3
        named = gateway.chat(provider="together", max_completion_tokens=500).json()
        assert named["finish_reason"] == "stop" and named["usage"]["completion_tokens"] > 3
        refused = gateway.chat(provider="openai", fallback=False).json()  # its model takes no temperature
        assert refused["finish_reason"] == "length" and not refused["warnings"]


def test_a_cap_of_the_settings(tmp_path):
    (tmp_path / "patchbay.yaml").write_text("routing: {max_cost_per_task: 0.0000001}")
    with server(tmp_path) as gateway:
        assert gateway.chat(max_tokens=1000).status_code == 400
        assert gateway.chat(max_tokens=1000, max_cost=1).status_code == 200


def test_a_strategy_for_one_request(tmp_path):
    with server(tmp_path, OPENAI_PRIORITY="9", LLM_PROVIDER="azure") as gateway:
        assert who(gateway) == "azure"
        assert who(gateway, strategy="priority") == "openai"
        assert who(gateway, strategy="cost_optimized") == "openai"
        plan = gateway.http.post("/api/ai/route", json={**HELLO, "strategy": "cost_optimized"}).json()
        costs = [one["cost_estimate_nano"] for one in plan["candidates"]]
        assert costs == sorted(costs) and plan["strategy"] == "cost_optimized"


def test_warnings_are_said_once_at_the_start(tmp_path, caplog):
    (tmp_path / "patchbay.yaml").write_text("service: {prot: 1}")
    with caplog.at_level("WARNING", logger="patchbay"), server(tmp_path, LOCAL_DEVICE="cuda") as gateway:
        assert gateway.chat().status_code == gateway.chat().status_code == 200
    said = [record.getMessage() for record in caplog.records]
    assert said.count("patchbay.yaml: service.prot is not known; did you mean service.port?") == 1
    later = "LOCAL_DEVICE (environment): kept for serving models on own GPUs, which this version cannot do yet"
    assert said.count(later) == 1
