"""State that an older version wrote is read, byte for byte as it lies there."""

import json
import sqlite3
from pathlib import Path

import pytest

from core.accounting.ledger import Ledger
from core.accounting.report import Report
from core.backends.aws.dynamodb import DynamoStore
from core.backends.aws.sqs import SqsConsumer
from core.backends.aws.values import decode_item
from core.backends.embedded.sqlite import SqliteStore
from core.backends.ports import Done, Message
from core.http import views
from tests.core.backends.queues import Embedded, consumer
from tests.core.fakes import FakeClock, run
from tests.harness import server

# What version 1 left behind, at commit 092d070: a chat that its second provider answered. Never edit these two.
LEFT = Path(__file__).with_name("version_1")
V1 = (LEFT / "receipt.json").read_bytes()
V1_DYNAMODB = json.loads((LEFT / "receipt.dynamodb.json").read_bytes())


def left_in_sqlite(path):
    db = sqlite3.connect(path)
    db.execute(
        "CREATE TABLE items (pk TEXT NOT NULL, sk TEXT NOT NULL, exp INTEGER, doc BLOB NOT NULL, UNIQUE (pk, sk))"
    )
    item = json.loads(V1)
    db.execute("INSERT INTO items VALUES (?, ?, ?, ?)", (item["pk"], item["sk"], item["exp"], V1))
    db.commit()
    db.close()
    return item


def left_in_dynamodb(aws):
    table = aws.table()
    aws.client.put_item(TableName=table, Item=V1_DYNAMODB)
    return table, decode_item(V1_DYNAMODB)


@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
def test_a_receipt_of_version_1(kind, tmp_path, request):
    async def scene():
        store: DynamoStore | SqliteStore
        if kind == "dynamodb":
            table, item = left_in_dynamodb(request.getfixturevalue("aws"))
            clock = FakeClock(item["at"] + 60)
            store = DynamoStore(table, clock)
        else:
            item = left_in_sqlite(tmp_path / "state.db")
            clock = FakeClock(item["at"] + 60)
            store = SqliteStore(tmp_path / "state.db", clock)
        await store.open()
        try:
            ledger, report = Ledger(store, clock), Report(store, clock)
            found = await ledger.find("local", item["sk"])
            return item, found, await ledger.recent("local", 5), await report.usage("local", 2, ("provider", "model"))
        finally:
            await store.close()

    item, found, recent, usage = run(scene())
    assert found == item and recent == [item]
    assert json.dumps(found, sort_keys=True) == json.dumps(item, sort_keys=True)
    shown = views.decision(found)
    assert (shown["decision_id"], shown["cost"]["nano_usd"]) == (item["sk"], 38720)
    assert (usage["complete"], usage["unread"]) == (True, 0)
    rows = {row["provider"]: row for row in usage["rows"]}
    assert [rows["together"][name] for name in ("requests", "input_tokens", "output_tokens")] == [1, 21, 23]
    assert rows["together"]["cost"]["nano_usd"] == 38720
    assert (rows["azure"]["attempts"], rows["azure"]["requests"]) == (1, 0)


# Never edit these two either: a queue's file as version 1 left it, and a record as SQS gives one that it sent.
QUEUE_V1 = """
CREATE TABLE messages (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, v INTEGER NOT NULL, body BLOB NOT NULL, sent REAL NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL, lease TEXT
);
CREATE INDEX messages_due ON messages (due);
CREATE TABLE dead (
    n INTEGER PRIMARY KEY, id TEXT NOT NULL, v INTEGER NOT NULL, body BLOB NOT NULL, sent REAL NOT NULL,
    died REAL NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL
);
INSERT INTO messages VALUES
    (7, '0b5f', 1, CAST('{"job":"j1","text":"你"}' AS BLOB), 1799999000.5, 1799999900.0, 1, 'gone');
"""
SQS_V1 = {
    "messageId": "0b5f",
    "receiptHandle": "AQEB",
    "body": '{"job":"j1","text":"你"}',
    "attributes": {
        "ApproximateReceiveCount": "2",
        "SentTimestamp": "1799999000500",
        "SenderId": "AROA",
        "ApproximateFirstReceiveTimestamp": "1799999001000",
    },
    "messageAttributes": {
        "v": {"stringValue": "1", "stringListValues": [], "binaryListValues": [], "dataType": "Number"}
    },
    "md5OfBody": "0",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:jobs",
    "awsRegion": "us-east-1",
}


@pytest.mark.parametrize("kind", ["sqlite", "sqs"])
def test_a_message_of_version_1(kind, tmp_path, request):
    seen = []

    async def handler(message):
        seen.append(message)
        return Done()

    async def from_sqlite():
        db = sqlite3.connect(tmp_path / "queue.db")
        db.executescript(QUEUE_V1)
        db.close()
        place = Embedded(tmp_path)
        await place.settle(handler)
        assert place.left() == 0

    async def from_sqs():
        request.getfixturevalue("aws")
        function = await SqsConsumer(consumer(handler)).open()
        assert await function.handle([SQS_V1]) == []
        await function.close()

    run(from_sqlite() if kind == "sqlite" else from_sqs())
    assert seen == [Message("0b5f", {"job": "j1", "text": "你"}, 2, 1799999000.5, 1)]


@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
def test_all_that_a_gateway_leaves_says_its_version(kind, tmp_path, request):
    aws = request.getfixturevalue("aws") if kind == "dynamodb" else None
    table = {"PATCHBAY_TABLE": aws.table()} if aws else {}
    with server(tmp_path, **table) as gateway:
        assert gateway.chat(temperature=0).status_code == 200  # and kept in the cache
        assert gateway.chat(model="nobody/nothing", fallback=False).status_code >= 400
    if aws:
        left = [decode_item(item) for item in aws.client.scan(TableName=table["PATCHBAY_TABLE"])["Items"]]
    else:
        db = sqlite3.connect(tmp_path / "state.db")
        left = [json.loads(doc) for (doc,) in db.execute("SELECT doc FROM items")]
        db.close()
    assert len({item["pk"].split("#")[0] for item in left}) > 1
    assert [item["sk"] for item in left if not isinstance(item.get("v"), int)] == []
