"""A function's life: how it starts or does not, what it keeps between invocations, and how it is hurried."""

import asyncio
import json
import os
import signal
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest

from core.bootstrap import build
from core.http.app import make_app
from functions.chat.routes import OPERATIONS, ROUTES
from functions.handler import PAUSE, Handler
from infra.local.sandbox import Died
from tests.runtime.lambdas import KEY, event, function


def provider_of(answer):
    return answer["headers"]["x-patchbay-provider"], answer["headers"]["x-patchbay-attempts"]


def test_a_warm_function_keeps_its_connection(configured, tmp_path):
    with Counting() as counting:
        with function("chat", tmp_path, **{**configured, "OPENAI_BASE_URL": counting.url}) as started:
            assert [started.answer(event("chat"))["statusCode"] for _ in range(3)] == [200] * 3
        assert (counting.connections, counting.requests) == (1, 3)


def test_connections_that_ended_while_it_was_frozen_are_not_used(configured, tmp_path):
    with Counting() as counting:
        with function("chat", tmp_path, **{**configured, "OPENAI_BASE_URL": counting.url}) as started:
            started.answer(event("chat"))
            os.kill(started.pid, signal.SIGSTOP)
            counting.hang_up()
            os.kill(started.pid, signal.SIGCONT)
            assert provider_of(started.answer(event("chat"))) == ("openai", "1")
        assert (counting.connections, counting.requests) == (2, 2)


@pytest.mark.parametrize(("pause", "connections"), [(PAUSE - 1, 1), (PAUSE + 1, 2)])
def test_after_a_long_pause_no_old_connection_is_trusted(tmp_path, monkeypatch, pause, connections):
    """The other end may have gone without a word, which only the wall clock can tell."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "chat")
    clock = SimpleNamespace(now=1000.0)
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 20_000)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with Counting() as counting:
        environ = {
            "OPENAI_BASE_URL": counting.url,
            "OPENAI_API_KEY": "sk-test-1",
            "PATCHBAY_API_KEY": KEY,
            "PATCHBAY_HOME": str(tmp_path),
        }
        service = build(environ=environ)
        app = make_app("Patchbay chat", ROUTES, OPERATIONS, service)
        telemetry = SimpleNamespace(begin=lambda: None, end=lambda *_: None)
        handler = Handler(app, service, telemetry, now=lambda: clock.now)  # type: ignore[arg-type] # says nothing
        try:
            for _ in range(2):
                assert handler(event("chat"), context)["statusCode"] == 200
                clock.now += pause
            assert (counting.connections, counting.requests) == (connections, 2)
        finally:
            loop.run_until_complete(service.close())
            asyncio.set_event_loop(None)
            loop.close()


def test_lambdas_own_limit_is_a_deadline(configured, tmp_path):
    """It answers before it would be stopped, and says whose time ran out."""
    with Counting(silent=True) as counting:
        silent = {"OPENAI_BASE_URL": counting.url, "TOGETHER_ENABLED": "false", "MAX_RETRIES": "0"}
        with function("chat", tmp_path, **{**configured, **silent}) as started:
            answer = started.answer(event("chat"), seconds=2.5)
    error = json.loads(answer["body"])["error"]
    assert answer["statusCode"] == 504
    assert [one["error"] for one in error["attempts"]] == ["AttemptTimeout"]
    assert error["fault"] == "provider"


def test_a_caller_in_a_greater_hurry_is_still_one(configured, tmp_path):
    with Counting(silent=True) as counting:
        silent = {"OPENAI_BASE_URL": counting.url, "TOGETHER_ENABLED": "false", "MAX_RETRIES": "0"}
        with function("chat", tmp_path, **{**configured, **silent}) as started:
            hurried = event("chat")
            hurried["multiValueHeaders"]["x-patchbay-timeout-ms"] = ["50"]
            error = json.loads(started.answer(hurried)["body"])["error"]
    assert error["attempts"][0]["fault"] == "caller"


def test_without_a_table_state_is_where_a_function_may_write(configured, tmp_path):
    (tmp_path / "tmp").mkdir()
    environ = {name: value for name, value in configured.items() if name != "PATCHBAY_TABLE"}
    with function("chat", tmp_path, **environ, TMPDIR=str(tmp_path / "tmp")) as started:
        (said,) = started.lines(lambda line: "PATCHBAY_TABLE" in line["message"])
        assert said["level"] == "WARNING"
        assert "lost with this sandbox" in said["message"]
        assert started.answer(event("chat"))["statusCode"] == 200
        assert (tmp_path / "tmp/patchbay/state.db").exists()


def test_a_table_that_is_not_there_costs_no_answer_and_is_said(configured, tmp_path):
    with function("chat", tmp_path, **{**configured, "PATCHBAY_TABLE": "nowhere"}) as started:
        assert started.answer(event("chat"))["statusCode"] == 200
        said = [line["message"] for line in started.whole() if line.get("level") == "ERROR"]
    assert [one.partition(":")[0] for one in said if "decision" in one]
    assert all("DynamoDB table nowhere: there is no such table" in one for one in said)


def test_without_a_gateway_key_nobody_is_let_in(configured, tmp_path):
    with function("chat", tmp_path, **{**configured, "PATCHBAY_API_KEY": ""}) as started:
        answer = started.answer(event("chat"))
    assert answer["statusCode"] == 401
    assert json.loads(answer["body"])["error"]["code"] == "no_gateway_key"


@pytest.mark.parametrize(
    ("handler", "environ", "kind", "words"),
    [
        ("functions.chat.nothing.handler", {}, "Runtime.ImportModuleError", "functions.chat.nothing"),
        ("functions.chat.app.nothing", {}, "Runtime.HandlerNotFound", "nothing"),
        ("", {"LLM_PROVIDER": "nobody"}, "Misconfigured", "provider 'nobody' is not known"),
        ("", {"MAX_RETRIES": "many"}, "Misconfigured", "MAX_RETRIES (environment): expected a whole number"),
    ],
)
def test_what_cannot_start_says_why(configured, tmp_path, handler, environ, kind, words):
    with function("chat", tmp_path, handler=handler, **{**configured, **environ}) as started:
        outcome = started.outcome(event("chat"))
        error = json.loads(outcome.body)
        assert (outcome.kind, error["errorType"]) == ("init", kind)
        assert words in error["errorMessage"]
        started.lines(lambda line: line.get("errorType") == kind)


def test_a_process_that_is_killed_is_not_waited_for(configured, tmp_path):
    with function("chat", tmp_path, **configured) as started:
        started.answer(event("chat"))
        os.kill(started.pid, signal.SIGKILL)
        with pytest.raises(Died, match="-9"):
            started.outcome(event("chat"))


ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


class Counting:
    """A provider that counts its connections, and can hang up on all of them or never answer."""

    def __init__(self, *, silent: bool = False, answer: bytes = ANSWER, kind: str = "application/json") -> None:
        self._silent = silent
        self._answer, self._kind = answer, kind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self.connections = self.requests = 0
        self._threads = [threading.Thread(target=self._accept, name="provider")]

    def __enter__(self):
        self._threads[0].start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(10)

    def hang_up(self):
        for connection in self._open:
            with suppress(OSError):  # the other end was quicker
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._talk, args=(connection,), name="provider-talk")
            self._threads.append(thread)
            thread.start()

    def _talk(self, connection):
        with connection, connection.makefile("rb") as reader:
            while (line := reader.readline()) not in {b"", b"\r\n"}:
                length = 0
                while line not in {b"", b"\r\n"}:
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                    line = reader.readline()
                reader.read(length)
                self.requests += 1
                if not self._silent:
                    fields = f"content-type: {self._kind}\r\ncontent-length: {len(self._answer)}"
                    connection.sendall(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + self._answer)
