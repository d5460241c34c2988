"""A Queue on SQS, and what a function does with the records that SQS gives it."""

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from core.backends.aws.calls import Calls, Client
from core.backends.messages import SCHEMA, UNREADABLE, Consumer, packed, unpacked
from core.backends.ports import Body, Done, Handled, Message, Poison
from core.errors import StoreUnavailable

log = logging.getLogger("patchbay")

_BATCH = 10
_BATCH_BYTES = 256 * 1024 - 4096  # of bodies; attributes count as well, and some queues take no more than 256 KiB
_AT_ONCE = 8  # batches on their way
_TRIES = 3  # of what SQS could not take from a batch
_LONGEST_WAIT = 12 * 3600 - 1800  # seconds: SQS counts twelve hours from when the message was given out

Entry = dict[str, Any]
Record = Mapping[str, Any]  # one of an event's `Records`


class SqsQueue:
    """Standard queues: everything comes at least once, in about the order it was sent."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._calls = Calls("sqs", f"SQS queue {url.rpartition('/')[2]}")

    async def open(self) -> "SqsQueue":
        await self._calls.open()
        return self

    async def send(self, *bodies: Body, delay: int = 0) -> None:
        texts = packed(bodies, delay)
        self._calls.check()
        entries: list[Entry] = [
            {"MessageBody": text, "DelaySeconds": delay, "MessageAttributes": {"v": _number(SCHEMA)}} for text in texts
        ]
        few = asyncio.Semaphore(_AT_ONCE)

        async def send(batch: list[Entry]) -> None:
            async with few:
                await self._send(batch)

        ends = await asyncio.gather(*(send(batch) for batch in _batches(entries)), return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def close(self) -> None:
        await self._calls.close()

    async def _send(self, batch: list[Entry]) -> None:
        """What SQS could not take is sent again; what it refuses is refused for good."""
        left, failed = batch, []
        for _ in range(_TRIES):
            named = [{"Id": str(place), **entry} for place, entry in enumerate(left)]
            answer = await self._calls.run(partial(_send_batch, url=self._url, entries=named))
            failed = answer.get("Failed", [])
            if not failed or any(one["SenderFault"] for one in failed):
                break
            left = [left[int(one["Id"])] for one in failed]
        if failed:
            raise self._calls.unavailable(
                f"{len(failed)} of {len(batch)} messages were not taken: "
                f"{failed[0]['Code']}: {failed[0].get('Message', 'no words')}"
            )


class SqsConsumer:
    """Handles records of SQS events. One consumer serves all queues: a record says where it comes from."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._calls = Calls("sqs", "SQS")
        self._urls: dict[str, str] = {}  # ARN → URL
        self._dead: dict[str, str] = {}  # ARN of a queue → URL of its dead letters

    async def open(self) -> "SqsConsumer":
        await self._calls.open()
        return self

    async def handle(self, records: Sequence[Record]) -> list[str]:
        """The ids of the messages that come again: what Lambda calls the failures of a batch."""
        over = await asyncio.gather(*(self._handle(record) for record in records))
        return [record["messageId"] for record, done in zip(records, over, strict=True) if not done]

    async def close(self) -> None:
        await self._calls.close()

    async def _handle(self, record: Record) -> bool:
        handled = await self._outcome(record)
        if isinstance(handled, Done):
            return True
        try:
            if isinstance(handled, Poison):
                await self._bury(record, handled.reason)
                return True
            await self._postpone(record, handled.after or 0)
        except StoreUnavailable as error:
            # It is not lost: it comes again when its visibility ends.
            log.error("message %s could not be put away: %s", record["messageId"], error)  # noqa: TRY400 - the words say it all
        return False

    async def _outcome(self, record: Record) -> Handled:
        message = _message(record)
        if message is None:
            return self._consumer.poison(record["messageId"], UNREADABLE)
        return await self._consumer.outcome(message)

    async def _postpone(self, record: Record, after: float) -> None:
        url = await self._url(record["eventSourceARN"])
        seconds = min(math.ceil(after), _LONGEST_WAIT)
        await self._calls.run(
            lambda client: client.change_message_visibility(
                QueueUrl=url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=seconds
            )
        )

    async def _bury(self, record: Record, reason: str) -> None:
        """Into the dead letters of its queue, as it is, with the reason and who it was."""
        url = await self._dead_letters(record["eventSourceARN"])
        kept = {
            name: {"DataType": one["dataType"], "StringValue": one["stringValue"]}
            for name, one in record.get("messageAttributes", {}).items()
            if one.get("stringValue")
        }
        attributes = {
            **kept,
            "reason": _text(reason),
            "id": _text(record["messageId"]),
            "attempts": _number(int(record["attributes"]["ApproximateReceiveCount"])),
        }
        await self._calls.run(
            lambda client: client.send_message(QueueUrl=url, MessageBody=record["body"], MessageAttributes=attributes)
        )

    async def _dead_letters(self, arn: str) -> str:
        """Asked for when the first message dies, which most functions never see."""
        if arn not in self._dead:
            url = await self._url(arn)
            answer = await self._calls.run(
                lambda client: client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
            )
            policy = answer.get("Attributes", {}).get("RedrivePolicy")
            if policy is None:
                raise self._calls.unavailable(f"{arn} has no RedrivePolicy, so there is no place for dead letters")
            self._dead[arn] = await self._url(orjson.loads(policy)["deadLetterTargetArn"])
        return self._dead[arn]

    async def _url(self, arn: str) -> str:
        if arn not in self._urls:
            account, name = arn.split(":")[4:6]
            answer = await self._calls.run(
                lambda client: client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
            )
            self._urls[arn] = answer["QueueUrl"]
        return self._urls[arn]


def _message(record: Record) -> Message | None:
    body = unpacked(record["body"])
    if body is None:
        return None
    version = record.get("messageAttributes", {}).get("v", {}).get("stringValue") or ""
    return Message(
        id=record["messageId"],
        body=body,
        attempt=int(record["attributes"]["ApproximateReceiveCount"]),
        sent_at=int(record["attributes"]["SentTimestamp"]) / 1000,
        v=int(version) if version.isdecimal() else None,
    )


def _batches(entries: list[Entry]) -> list[list[Entry]]:
    """In order, at most ten to a batch, none too large."""
    batches: list[list[Entry]] = []
    room = 0
    for entry in entries:
        size = len(entry["MessageBody"].encode())
        if not batches or len(batches[-1]) == _BATCH or size > room:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(entry)
        room -= size
    return batches


def _send_batch(client: Client, url: str, entries: list[Entry]) -> dict[str, Any]:
    answer: dict[str, Any] = client.send_message_batch(QueueUrl=url, Entries=entries)
    return answer


def _text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def _number(value: int) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": str(value)}
