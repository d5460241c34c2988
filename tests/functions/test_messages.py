"""The routes of the Messages API where no simulator goes: streams that turn to nonsense, counts for nobody."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.contract.upstream import as_json, upstream
from tests.harness import Server, server

ASK = {"model": "openai/auto", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}], "fallback": False}


def chunk(delta, **more):
    return (
        b"data: "
        + json.dumps({"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, **more}]}).encode()
        + b"\n\n"
    )


@contextmanager
def in_two_parts(first: bytes, rest: bytes) -> Iterator[tuple[str, Event]]:
    """The address of a provider that says the rest of its stream when it is told to."""
    go_on = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self.wfile.write(first)
            self.wfile.flush()
            assert go_on.wait(20)
            self.wfile.write(rest)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}", go_on
    finally:
        go_on.set()
        running.shutdown()
        thread.join()
        running.server_close()


@contextmanager
def asking(home: Path, url: str) -> Iterator[Server]:
    with server(home, OPENAI_API_KEY="k", OPENAI_BASE_URL=url, MAX_RETRIES="0") as running:
        yield running


@pytest.mark.parametrize("nonsense", [b'data: {"choices":[{"delta":7}]}\n\n', b"data: {{}}\n\n"])
def test_a_stream_that_turns_to_nonsense_is_an_error_of_its_provider(tmp_path, nonsense):
    first = chunk({"role": "assistant"}) + chunk({"content": "Hi"})
    with in_two_parts(first, nonsense + chunk({}, finish_reason="stop") + b"data: [DONE]\n\n") as (url, go_on):
        body = {**ASK, "stream": True}
        with asking(tmp_path, url) as gateway, gateway.http.stream("POST", "/v1/messages", json=body) as answer:
            heard = ""
            for text in answer.iter_text():
                heard += text
                if '"Hi"' in heard:
                    go_on.set()
            events = [event.split("\n") for event in heard.strip().split("\n\n")]
            assert [name for name, _ in events][-2:] == ["event: content_block_delta", "event: error"]
            said = json.loads(events[-1][1].removeprefix("data: "))
            assert (said["type"], said["error"]["type"], said["error"]["class"]) == ("error", "api_error", "Malformed")
            receipt = gateway.receipt(answer.headers["request-id"])
            assert (receipt["outcome"], receipt["error"]) == ("cut", "Malformed")


def test_a_request_too_long_says_so_in_words_that_clients_know(tmp_path):
    words = {"error": {"message": "maximum context length is 9 tokens", "type": "invalid_request_error", "code": None}}
    with upstream(lambda *_: as_json(words, 400)) as url, asking(tmp_path, url) as gateway:
        answer = gateway.http.post("/v1/messages", json=ASK)
        assert answer.status_code == 400
        assert answer.json()["error"]["message"].startswith("prompt is too long: openai/")
        # What is known beforehand is said before anybody is asked.
        long = {**ASK, "model": "openai/gpt-5-nano", "messages": [{"role": "user", "content": "word " * 1_000_000}]}
        answer = gateway.http.post("/v1/messages", json=long)
        assert answer.json()["error"]["message"].startswith("prompt is too long: No target can serve this request.")
        assert gateway.http.post("/v1/chat/completions", json=ASK).json()["error"]["message"].startswith("openai/")


def test_nobody_to_count_for_is_an_error(tmp_path):
    with upstream(lambda *_: as_json({})) as url, asking(tmp_path, url) as gateway:
        body = {"messages": ASK["messages"], "model": "groq/auto", "fallback": False}
        answer = gateway.http.post("/v1/messages/count_tokens", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_target")
        answer = gateway.http.post("/v1/messages/count_tokens", json={**body, "model": "openai/auto"})
        assert answer.json() == {"input_tokens": 5}
        assert gateway.http.get("/api/ai/decisions").json()["decisions"] == []
