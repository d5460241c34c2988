"""Both queues behind one face for tests: send, let everything that is due be handled, move time, read the dead."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from core.backends.aws.sqs import SqsConsumer
from core.backends.embedded.queue import SqliteQueue
from core.backends.embedded.worker import Worker
from core.backends.messages import Consumer
from core.backends.ports import Handler, Queue
from core.bootstrap import open_queue
from core.clock import SystemClock
from core.config.settings import Settings
from tests.core.fakes import HandClock

MOST = 3  # attempts


def consumer(handler: Handler, limit: float = 20) -> Consumer:
    return Consumer(handler, Random(1), limit, MOST)


async def idle(worker: Worker, clock: HandClock) -> None:
    """Until it has handled what there is and waits for time to pass."""
    await until(lambda: not worker._hands and not worker._bell.is_set() and len(clock.sleepers) == 2)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - what it waits for has no event
        await asyncio.sleep(0.001)


@asynccontextmanager
async def working(worker: Worker, grace: float = 5.0) -> AsyncIterator[None]:
    running = asyncio.create_task(worker.run(grace))
    try:
        yield
    finally:
        worker.stop()
        await running


class Embedded:
    def __init__(self, home: Any) -> None:
        self.settings = Settings(home=home)
        self.clock = HandClock()
        self._file = home / "queue.db"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Queue]:
        queue = await open_queue(self.settings, self.clock)
        try:
            yield queue
        finally:
            await queue.close()

    async def settle(self, handler: Handler, **options: Any) -> None:
        async with self.opened() as queue:
            assert isinstance(queue, SqliteQueue)
            worker = Worker(queue, consumer(handler, **options), self.clock)
            async with working(worker):
                await idle(worker, self.clock)

    async def serve(self, handler: Handler, enough: Callable[[], bool]) -> None:
        """By the real clock."""
        queue = await SqliteQueue(self._file, SystemClock()).open()
        worker = Worker(queue, consumer(handler), SystemClock())
        async with working(worker):
            await until(enough)
        await queue.close()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def leave(self, text: str, version: int) -> None:
        with contextlib.closing(sqlite3.connect(self._file, isolation_level=None)) as db:
            sql = "INSERT INTO messages (id, v, body, sent, due, attempts) VALUES ('x', ?, ?, 0, 0, 0)"
            db.execute(sql, (version, text.encode()))

    def dead(self) -> list[tuple[Any, str, int]]:
        with contextlib.closing(sqlite3.connect(self._file)) as db:
            rows = db.execute("SELECT body, reason, attempts FROM dead ORDER BY n").fetchall()
        return [(json.loads(body), reason, attempts) for body, reason, attempts in rows]

    def left(self) -> int:
        with contextlib.closing(sqlite3.connect(self._file)) as db:
            return int(db.execute("SELECT COUNT(*) FROM messages").fetchone()[0])


class Sqs:
    """What Lambda does: it receives, hands over an event, and deletes all but the failures."""

    def __init__(self, home: Any, aws: Any) -> None:
        self.aws = aws
        self.url, self._dead = aws.queue(receives=MOST + 1)
        self.settings = Settings(home=home, queue=self.url)
        attributes = aws.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        self.arn = attributes["Attributes"]["QueueArn"]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Queue]:
        queue = await open_queue(self.settings, SystemClock())
        try:
            yield queue
        finally:
            await queue.close()

    async def settle(self, handler: Handler, **options: Any) -> None:
        await self._poll(consumer(handler, **options), lambda: True)

    async def serve(self, handler: Handler, enough: Callable[[], bool]) -> None:
        await self._poll(consumer(handler), enough)

    async def _poll(self, one: Consumer, enough: Callable[[], bool]) -> None:
        function = await SqsConsumer(one).open()
        while (records := await asyncio.to_thread(self.receive)) or not enough():
            failures = await function.handle(records)
            for record in records:
                if record["messageId"] not in failures:
                    self.aws.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=record["receiptHandle"])
        await function.close()

    def receive(self, url: str | None = None) -> list[dict[str, Any]]:
        asked = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
        answer = self.aws.sqs.receive_message(QueueUrl=url or self.url, **asked)
        return [
            {
                "messageId": one["MessageId"],
                "receiptHandle": one["ReceiptHandle"],
                "body": one["Body"],
                "attributes": one["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in one.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": self.arn,
                "awsRegion": "us-east-1",
            }
            for one in answer.get("Messages", [])
        ]

    def advance(self, seconds: float) -> None:
        self.aws.later += seconds

    def leave(self, text: str, version: int) -> None:
        attributes = {"v": {"DataType": "Number", "StringValue": str(version)}}
        self.aws.sqs.send_message(QueueUrl=self.url, MessageBody=text, MessageAttributes=attributes)

    def dead(self) -> list[tuple[Any, str, int]]:
        found = []
        while records := self.receive(self._dead):
            for record in records:
                said = {name: one["stringValue"] for name, one in record["messageAttributes"].items()}
                try:
                    body = json.loads(record["body"])
                except ValueError:
                    body = record["body"]
                found.append((body, said["reason"], int(said["attempts"])))
        return found

    def left(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        names += ["ApproximateNumberOfMessagesDelayed"]
        asked = self.aws.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(asked["Attributes"][name]) for name in names)
