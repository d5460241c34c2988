"""AWS on loopback: moto behind one lock, because between a condition's check and its write it lets others in."""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest import mock

# Whoever starts a client in these tests, here or in a child process, finds these and nothing of the machine's own.
ENVIRON = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


class Aws:
    """What a test does with it: tables, and what was asked of it when."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self.url = ""
        self.client: Any = None  # of DynamoDB, for looking beside the store
        self.s3: Any = None
        self.sqs: Any = None
        self.later = 0.0  # seconds by which SQS's clock is ahead of this machine's
        self.delay = 0.0  # seconds before a write of an item
        self.fail: list[tuple[str, int, bytes]] = []  # answers in place of moto's: operation, status, body
        self.writes: list[tuple[str, float]] = []  # operation and when it was done
        self.sends = 0  # requests that sent messages

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        writes = operation in {"PutItem", "UpdateItem", "DeleteItem"}
        self.sends += operation in {"SendMessage", "SendMessageBatch"}
        if writes and self.delay:
            time.sleep(self.delay)
        if self.fail and self.fail[0][0] == operation:
            _, status, body = self.fail.pop(0)
            start_response(f"{status} Fault", [("content-type", "application/x-amz-json-1.0")])
            return [body]
        with self._lock:
            answer = list(self._app(environ, start_response))
        if writes:
            self.writes.append((operation, time.monotonic()))
        return answer

    def table(self) -> str:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def bucket(self) -> str:
        name = f"b{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=name)
        return name

    def queue(self, visibility: int = 30, receives: int = 6) -> tuple[str, str]:
        """The URLs of a queue and of its dead letters."""
        name = f"q{uuid.uuid4().hex[:8]}"
        dead: str = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        asked = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        redrive = {"deadLetterTargetArn": asked["Attributes"]["QueueArn"], "maxReceiveCount": receives}
        attributes = {"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)}
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], dead


@contextmanager
def serving() -> Iterator[Aws]:
    import boto3
    import botocore.session
    import moto.sqs.models
    from moto.core.utils import unix_time, unix_time_millis
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
            pass

    def later() -> float:
        return unix_time() + aws.later

    def later_millis() -> float:
        return unix_time_millis() + aws.later * 1000

    aws = Aws(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, aws, threaded=True, request_handler=Quiet)
    aws.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="aws")
    thread.start()
    # Each test opens a store; reading AWS's descriptions anew for each would be most of what they take.
    once = cache(botocore.session.create_loader)
    with (
        mock.patch.object(botocore.session, "create_loader", once),
        mock.patch.dict(os.environ, {**ENVIRON, "AWS_ENDPOINT_URL": aws.url}),
        mock.patch.object(moto.sqs.models, "unix_time", later),
        mock.patch.object(moto.sqs.models, "unix_time_millis", later_millis),
    ):
        session = boto3.session.Session()
        aws.client, aws.s3, aws.sqs = (session.client(name) for name in ("dynamodb", "s3", "sqs"))
        try:
            yield aws
        finally:
            aws.client.close()
            aws.s3.close()
            aws.sqs.close()
            server.shutdown()
            thread.join(10)
            server.server_close()
