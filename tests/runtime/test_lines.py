"""What a function writes: JSON lines with Lambda's keys, one per fact, and metrics in CloudWatch's embedded format."""

import json

import pytest

from tests.runtime.lambdas import event, function

KEYS = {
    "level", "message", "timestamp", "service", "cold_start", "function_name", "function_memory_size",
    "function_arn", "function_request_id", "xray_trace_id", "event",
}  # fmt: skip


def split(lines):
    """Log lines and metrics, the metrics by name."""
    logged = [line for line in lines if "_aws" not in line]
    metrics = [line for line in lines if "_aws" in line]
    for one in metrics:
        (directive,) = one["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Patchbay"
        assert isinstance(one["_aws"]["Timestamp"], int)
        for metric in directive["Metrics"]:
            assert isinstance(one[metric["Name"]], list)
        for dimension in directive["Dimensions"][0]:
            assert isinstance(one[dimension], str)
    return logged, metrics


def values(metric):
    return {one["Name"]: metric[one["Name"]][0] for one in metric["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def dimensions(metric):
    return {name: metric[name] for name in metric["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]}


def test_of_an_answer(chat):
    chat.answer(event("chat"))
    logged, (metric,) = split(chat.whole())
    assert [line["event"] for line in logged] == ["attempt", "request"]
    for line in logged:
        assert line.keys() >= KEYS
        assert (line["level"], line["service"], line["function_name"]) == ("INFO", "chat", "chat")
        assert line["xray_trace_id"].startswith("1-")
    request = logged[1]
    assert request["decision"] == metric["decision"]
    assert request["function_request_id"] == metric["function_request_id"]
    assert dimensions(metric) == {"service": "chat", "capability": "chat", "provider": "openai", "outcome": "ok"}
    found = values(metric)
    assert found.keys() == {"Requests", "Errors", "Latency", "Attempts", "CacheHits", "Fallbacks", "CostNanoUSD"}
    assert (found["Requests"], found["Errors"], found["Attempts"], found["Fallbacks"]) == (1, 0, 1, 0)
    assert found["CostNanoUSD"] == round(request["cost_usd"] * 1e9)
    assert found["Latency"] >= request["ms"]


def test_of_a_stream(chat):
    chat.answer(event("chat-stream"))
    _, (metric,) = split(chat.whole())
    found = values(metric)
    assert 0 < found["FirstTokenLatency"] <= found["Latency"]


@pytest.mark.parametrize(
    ("name", "outcome", "errors"),
    [("chat-bad-json", "refused", 0), ("chat-no-key", "refused", 0), ("chat-not-http", "failed", 1)],
)
def test_of_what_has_no_receipt(chat, name, outcome, errors):
    chat.outcome(event(name))
    _, (metric,) = split(chat.whole())
    assert dimensions(metric) == {"service": "chat", "capability": "none", "provider": "none", "outcome": outcome}
    found = values(metric)
    assert found.keys() == {"Requests", "Errors", "Latency"}
    assert (found["Requests"], found["Errors"]) == (1, errors)


def test_of_another_functions_answer(functions):
    catalog = functions("catalog")
    catalog.answer(event("catalog-status"))
    logged, (metric,) = split(catalog.whole())
    assert logged == []
    assert dimensions(metric) == {"service": "catalog", "capability": "none", "provider": "none", "outcome": "ok"}


def test_of_a_fallback(configured, tmp_path):
    """The first provider is not there at all."""
    with function("chat", tmp_path, **{**configured, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}) as started:
        started.answer(event("chat"))
        logged, metrics = split(started.whole())
    tried = [(line["target"].partition("/")[0], line["outcome"]) for line in logged if line["event"] == "attempt"]
    assert tried == [("openai", "failed"), ("together", "ok")]
    metric = metrics[-1]
    assert dimensions(metric)["provider"] == "together"
    assert (values(metric)["Attempts"], values(metric)["Fallbacks"]) == (2, 1)


def test_of_a_failure_of_all(configured, tmp_path):
    gone = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "TOGETHER_BASE_URL": "http://127.0.0.1:1/v1"}
    with function("chat", tmp_path, **{**configured, **gone}, MAX_RETRIES="0") as started:
        assert started.answer(event("chat"))["statusCode"] == 502
        metric = split(started.whole())[1][-1]
    assert dimensions(metric)["outcome"] == "error"
    assert (values(metric)["Errors"], values(metric)["Attempts"]) == (1, 2)


def test_a_cold_start_is_counted_once(configured, tmp_path):
    with function("chat", tmp_path, **configured) as started:
        seen = []
        for _ in range(2):
            started.answer(event("chat"))
            logged, metrics = split(started.whole())
            seen.append(
                ({line["cold_start"] for line in logged}, [one["ColdStart"] for one in metrics if "ColdStart" in one])
            )
    assert seen == [({True}, [[1.0]]), ({False}, [])]


def test_no_words_and_no_keys_are_in_any_line(configured, tmp_path):
    """Not even when Powertools is told to log whole events."""
    with function("chat", tmp_path, **configured, POWERTOOLS_LOGGER_LOG_EVENT="true", LOG_LEVEL="debug") as started:
        for name in ("chat", "chat-v1", "chat-stream", "chat-wrong-type"):
            started.outcome(event(name))
            written = json.dumps(started.whole())
            assert "Hello" not in written
            assert "local-key" not in written
            assert "sk-test-1" not in written


def test_the_level_is_kept(configured, tmp_path):
    with function("chat", tmp_path, **configured, LOG_LEVEL="warning") as started:
        started.answer(event("chat"))
        assert split(started.whole())[0] == []
        started.answer(event("chat-no-key"))
        (line,) = split(started.whole())[0]
    assert (line["level"], line["code"]) == ("WARNING", "missing_key")


def test_a_failed_invocation_is_one_line(chat):
    chat.outcome(event("chat-not-http"))
    lines = chat.lines(lambda line: "errorType" in line)
    logged = [line for line in lines if "_aws" not in line]
    assert [line["errorType"] for line in logged] == ["UnknownEvent"]
    assert logged[0]["requestId"]
