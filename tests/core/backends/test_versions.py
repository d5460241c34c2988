"""State that an older version wrote is read, byte for byte as it lies there."""

import json
import sqlite3

import pytest

from core.accounting.ledger import Ledger
from core.backends.aws.dynamodb import DynamoStore
from core.backends.aws.sqs import SqsConsumer
from core.backends.aws.values import decode_item
from core.backends.embedded.sqlite import SqliteStore
from core.backends.ports import Done, Message
from core.http import views
from tests.core.backends.queues import Embedded, consumer
from tests.core.fakes import FakeClock, run
from tests.harness import server

ID = "01a3185c5000" + "0" * 19 + "5"  # of 2027-01-15
PK = "LED#local#2027-01-15#5"
# Never edit these two: they are what version 1 left behind.
V1 = (
    '{"pk":"LED#local#2027-01-15#5","sk":"01a3185c500000000000000000000005","v":1,"exp":1834560000,'
    '"at":1800000000.0,"org":"local","project":"default","key":"anonymous","capability":"chat",'
    '"route":"/api/ai/chat","stream":false,"asked":{"model":"openai/auto","models":[]},'
    '"facts":{"features":["tools"],"params":["messages"],"messages":1,"input_tokens":2,"max_output":null},'
    '"strategy":"fallback","policy":"1",'
    '"candidates":[{"provider":"openai","account":"default","model":"gpt-6-luna","reasons":["number 1"]}],'
    '"excluded":[{"provider":"ollama","account":"default","model":"","code":"not_configured","reason":"set it"}],'
    '"attempts":[{"n":1,"provider":"openai","account":"default","model":"gpt-6-luna","outcome":"ok","ms":12.5,'
    '"first_ms":null,"then":"stop","request_id":"req_1","usage":{"source":"reported","input_tokens":2,'
    '"total_tokens":5},"cost_nano":9007199254740993}],"outcome":"ok","provider":"openai","account":"default",'
    '"model":"gpt-6-luna","usage":{"source":"reported","input_tokens":2,"total_tokens":5},'
    '"cost_nano":9007199254740993,"cache":"off","simulated":false,"ms":13.25,"first_ms":null,"warnings":[],'
    '"error":null,"error_message":null}'
)
V1_DYNAMODB = (
    '{"pk":{"S":"LED#local#2027-01-15#5"},"sk":{"S":"01a3185c500000000000000000000005"},"v":{"N":"1"},'
    '"exp":{"N":"1834560000"},"at":{"SS":["1800000000.0"]},"org":{"S":"local"},"project":{"S":"default"},'
    '"key":{"S":"anonymous"},"capability":{"S":"chat"},"route":{"S":"/api/ai/chat"},"stream":{"BOOL":false},'
    '"asked":{"M":{"model":{"S":"openai/auto"},"models":{"L":[]}}},'
    '"facts":{"M":{"features":{"L":[{"S":"tools"}]},"params":{"L":[{"S":"messages"}]},"messages":{"N":"1"},'
    '"input_tokens":{"N":"2"},"max_output":{"NULL":true}}},"strategy":{"S":"fallback"},"policy":{"S":"1"},'
    '"candidates":{"L":[{"M":{"provider":{"S":"openai"},"account":{"S":"default"},"model":{"S":"gpt-6-luna"},'
    '"reasons":{"L":[{"S":"number 1"}]}}}]},"excluded":{"L":[{"M":{"provider":{"S":"ollama"},'
    '"account":{"S":"default"},"model":{"S":""},"code":{"S":"not_configured"},"reason":{"S":"set it"}}}]},'
    '"attempts":{"L":[{"M":{"n":{"N":"1"},"provider":{"S":"openai"},"account":{"S":"default"},'
    '"model":{"S":"gpt-6-luna"},"outcome":{"S":"ok"},"ms":{"N":"12.5"},"first_ms":{"NULL":true},'
    '"then":{"S":"stop"},"request_id":{"S":"req_1"},"usage":{"M":{"source":{"S":"reported"},'
    '"input_tokens":{"N":"2"},"total_tokens":{"N":"5"}}},"cost_nano":{"N":"9007199254740993"}}}]},'
    '"outcome":{"S":"ok"},"provider":{"S":"openai"},"account":{"S":"default"},"model":{"S":"gpt-6-luna"},'
    '"usage":{"M":{"source":{"S":"reported"},"input_tokens":{"N":"2"},"total_tokens":{"N":"5"}}},'
    '"cost_nano":{"N":"9007199254740993"},"cache":{"S":"off"},"simulated":{"BOOL":false},"ms":{"N":"13.25"},'
    '"first_ms":{"NULL":true},"warnings":{"L":[]},"error":{"NULL":true},"error_message":{"NULL":true}}'
)


def left_in_sqlite(path):
    db = sqlite3.connect(path)
    db.execute(
        "CREATE TABLE items (pk TEXT NOT NULL, sk TEXT NOT NULL, exp INTEGER, doc BLOB NOT NULL, UNIQUE (pk, sk))"
    )
    db.execute("INSERT INTO items VALUES (?, ?, ?, ?)", (PK, ID, 1834560000, V1.encode()))
    db.commit()
    db.close()
    return SqliteStore(path, FakeClock())


def left_in_dynamodb(aws):
    table = aws.table()
    aws.client.put_item(TableName=table, Item=json.loads(V1_DYNAMODB))
    return DynamoStore(table, FakeClock())


@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
def test_a_receipt_of_version_1(kind, tmp_path, request):
    async def scene():
        where = request.getfixturevalue("aws") if kind == "dynamodb" else None
        store = left_in_dynamodb(where) if where else left_in_sqlite(tmp_path / "state.db")
        await store.open()
        try:
            ledger = Ledger(store, FakeClock())
            return await ledger.find("local", ID), await ledger.recent("local", 5)
        finally:
            await store.close()

    found, recent = run(scene())
    assert found == json.loads(V1)
    assert json.dumps(found, sort_keys=True) == json.dumps(json.loads(V1), sort_keys=True)
    assert recent == [found]
    shown = views.decision(found)
    assert shown["decision_id"] == ID


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
