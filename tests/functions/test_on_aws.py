"""A gateway whose state is on AWS: the receipt is in the table before the answer has ended."""

import json
import logging
import time

import pytest

from infra.local.simulators.fleet import Waits
from tests.functions.helpers import providers, said, sse
from tests.harness import HELLO, server

DELAY = 0.3  # a slow write, so that its place in time is beyond doubt


@pytest.fixture
def table(aws):
    aws.writes.clear()
    yield aws.table()
    aws.delay = 0.0
    aws.fail.clear()


@pytest.fixture
def running(table, tmp_path):
    with providers("openai", waits=Waits(chunk=0.02)) as fleet:
        openai = {"OPENAI_BASE_URL": f"{fleet.url('openai')}/v1", "OPENAI_API_KEY": "sk-test-1"}
        with server(tmp_path, PATCHBAY_TABLE=table, **openai) as gateway:
            yield gateway
    assert not (tmp_path / "state.db").exists()


def stored(aws, table):
    return aws.client.scan(TableName=table)["Items"]


def test_of_a_whole_answer(running, aws, table):
    aws.delay = DELAY
    answer = running.chat()
    ended = time.monotonic()
    (only,) = stored(aws, table)
    ((operation, written),) = aws.writes
    assert (operation, answer.status_code) == ("PutItem", 200)
    assert written < ended
    assert only["sk"]["S"] == answer.headers["x-patchbay-decision"]
    assert only["v"]["N"] == "1"
    assert int(only["exp"]["N"]) > time.time()
    assert HELLO["messages"][0]["content"] not in json.dumps(only)


def test_of_a_stream(running, aws, table):
    aws.delay = DELAY
    text, first = "", 0.0
    body = {**HELLO, "model": "auto", "stream": True}
    with running.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        for part in answer.iter_text():
            first = first or time.monotonic()
            text += part
            if "[DONE]" in part:
                break
        ended = time.monotonic()
        (only,) = stored(aws, table)
        decision = answer.headers["x-patchbay-decision"]
    ((operation, written),) = aws.writes
    assert operation == "PutItem"
    assert first < written < ended
    assert only["sk"]["S"] == decision
    assert said(sse(text))
    assert only["outcome"]["S"] == "ok"


def test_receipts_are_read_from_it(running, table):
    decision = running.chat().headers["x-patchbay-decision"]
    receipt = running.receipt(decision)
    assert receipt["provider"] == "openai"
    assert isinstance(receipt["cost"]["nano_usd"], int)
    assert isinstance(receipt["ms"], float)
    listed = running.http.get("/api/ai/decisions").json()["decisions"]
    assert [one["decision_id"] for one in listed] == [decision]


def test_a_table_that_does_not_answer_costs_no_answer(running, aws, table, caplog):
    refusal = json.dumps({"__type": "x#InternalServerError", "message": "oh"}).encode()
    aws.fail = [("PutItem", 500, refusal)] * 2
    with caplog.at_level(logging.ERROR, "patchbay"):
        answer = running.chat()
    assert answer.status_code == 200
    assert answer.json()["content"]
    assert stored(aws, table) == []
    assert f"DynamoDB table {table}: InternalServerError" in caplog.text
