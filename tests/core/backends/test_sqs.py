"""What only SQS has: batches, refusals of parts of them, messages that others put there, dead letters elsewhere."""

import json

import pytest

from core.backends.aws.sqs import SqsConsumer, SqsQueue
from core.backends.messages import LARGEST, SCHEMA
from core.backends.ports import Done, Poison, Retry
from core.errors import StoreUnavailable
from tests.core.backends.queues import Sqs, consumer
from tests.core.fakes import run


@pytest.fixture
def place(aws, tmp_path):
    yield Sqs(tmp_path, aws)
    aws.later = 0.0
    aws.fail.clear()


def send(place, *bodies, **options):
    async def scene():
        async with place.opened() as queue:
            await queue.send(*bodies, **options)

    run(scene())


def settle(place, handled):
    """What was handled, and the ids that come again."""
    seen = []

    async def handler(message):
        seen.append(message)
        return handled

    async def scene():
        function = await SqsConsumer(consumer(handler)).open()
        try:
            return await function.handle(place.receive())
        finally:
            await function.close()

    return seen, run(scene())


def answer(*, failed=(), sender=False):
    """One of SendMessageBatch that did not take some."""
    words = {"SenderFault": sender, "Code": "InternalError", "Message": "oh"}
    body = {"Successful": [], "Failed": [{"Id": str(place), **words} for place in failed]}
    return "SendMessageBatch", 200, json.dumps(body).encode()


def test_ten_to_a_batch(place, aws):
    before = aws.sends
    send(place, *({"n": number} for number in range(57)))
    assert aws.sends - before == 6
    assert place.left() == 57


def test_large_bodies_go_alone(place, aws):
    before = aws.sends
    send(place, *({"text": "x" * (LARGEST // 2)} for _ in range(5)))
    assert aws.sends - before == 3
    assert place.left() == 5


def test_what_was_not_taken_is_sent_again(place, aws):
    aws.fail = [answer(failed=[1, 3])]
    send(place, *({"n": number} for number in range(4)))
    assert aws.fail == []
    seen, _ = settle(place, Done())
    assert sorted(message.body["n"] for message in seen) == [1, 3]  # the first answer was not moto's: it took none


@pytest.mark.parametrize(("sender", "asked"), [(False, 3), (True, 1)])
def test_what_is_never_taken_is_an_error(place, aws, sender, asked):
    aws.fail = [answer(failed=[0], sender=sender) for _ in range(3)]
    before = aws.sends
    with pytest.raises(StoreUnavailable, match=r"SQS queue q\w+: 1 of 2 messages were not taken: InternalError: oh"):
        send(place, {"n": 1}, {"n": 2})
    assert aws.sends - before == asked


def test_throttling_is_waited_for(place, aws):
    refusal = json.dumps({"__type": "com.amazonaws.sqs#RequestThrottled", "message": "slow"}).encode()
    aws.fail = [("SendMessageBatch", 400, refusal)]
    send(place, {"n": 1})
    assert place.left() == 1


def test_a_queue_that_is_not_there_says_so(aws):
    async def scene():
        queue = await SqsQueue(f"{aws.url}/123456789012/nowhere").open()
        try:
            await queue.send({"n": 1})
        finally:
            await queue.close()

    with pytest.raises(
        StoreUnavailable,
        match="SQS queue nowhere: there is no such table, bucket or queue in this account and region",
    ):
        run(scene())


def test_others_messages_come_as_they_are(place, aws):
    event = {
        "version": "0",
        "id": "1",
        "detail-type": "Object Created",
        "detail": {"object": {"key": "audio/a b.wav"}},
    }
    aws.sqs.send_message(QueueUrl=place.url, MessageBody=json.dumps(event))
    (message,), failures = settle(place, Done())
    assert (message.body, message.v, failures) == (event, None, [])


@pytest.mark.parametrize("text", ["no JSON", "[1]", '"text"', "{half"])
def test_what_is_no_json_object_is_dead(place, aws, text):
    aws.sqs.send_message(QueueUrl=place.url, MessageBody=text)
    seen, failures = settle(place, Done())
    assert (seen, failures) == ([], [])
    ((_, reason, _),) = place.dead()
    assert reason == "its body is no JSON object"


def test_the_dead_keep_who_they_were_and_what_came_with_them(place, aws):
    send(place, {"n": 1})
    (message,), failures = settle(place, Poison("no such file"))
    assert failures == []
    (dead,) = place.receive(place._dead)
    said = {name: one["stringValue"] for name, one in dead["messageAttributes"].items()}
    assert said == {"v": str(SCHEMA), "reason": "no such file", "id": message.id, "attempts": "1"}
    assert json.loads(dead["body"]) == {"n": 1}


def test_without_a_place_for_the_dead_it_stays(place, aws, caplog):
    aws.sqs.set_queue_attributes(QueueUrl=place.url, Attributes={"RedrivePolicy": ""})
    send(place, {"n": 1})
    (message,), failures = settle(place, Poison("bad"))
    assert failures == [message.id]
    assert "has no RedrivePolicy" in caplog.text
    assert place.left() == 1


def test_a_retry_that_cannot_be_timed_comes_again_all_the_same(place, aws, caplog):
    refusal = json.dumps({"__type": "com.amazonaws.sqs#AccessDenied", "message": "arn:secret may not"}).encode()
    aws.fail = [("ChangeMessageVisibility", 400, refusal)]
    send(place, {"n": 1})
    (message,), failures = settle(place, Retry("later", after=5))
    assert failures == [message.id]
    assert "the credentials in use may not do ChangeMessageVisibility" in caplog.text
    assert "arn:secret" not in caplog.text
    aws.later += 31
    (again,), failures = settle(place, Done())
    assert (again.attempt, failures) == (2, [])


def test_a_wait_longer_than_sqs_allows_is_the_longest(place, aws):
    send(place, {"n": 1})
    settle(place, Retry("next week", after=7 * 86_400))
    aws.later += 11 * 3600
    assert settle(place, Done())[0] == []
    aws.later += 3600
    assert len(settle(place, Done())[0]) == 1


def test_no_character_is_sent_that_sqs_refuses(place):
    """The real one takes what XML takes; moto takes everything."""
    text = "".join(map(chr, [*range(0x20), 0x7F, 0x85, 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10000, 0x10FFFF]))
    send(place, {text: text})
    (record,) = place.receive()
    assert json.loads(record["body"]) == {text: text}
    for one in map(ord, record["body"]):
        assert one in {9, 10, 13} or 0x20 <= one <= 0xD7FF or 0xE000 <= one <= 0xFFFD or one >= 0x10000
