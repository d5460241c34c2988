"""A gateway that is given its own address does not call itself without end."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from core.errors import Misconfigured
from infra.local.server import check_circle
from tests.functions.helpers import problem
from tests.harness import server

HOP = "x-patchbay-hop"


class Mirror:
    """Passes on what it gets to whom it is told; a way round that no configuration shows."""

    def __init__(self) -> None:
        self.to = ""
        self.hops: list[str | None] = []


@contextmanager
def mirror() -> Iterator[tuple[Mirror, str]]:
    seen = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.hops.append(self.headers[HOP])
            body = self.rfile.read(int(self.headers["content-length"]))
            names = ("content-type", HOP)
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = httpx.post(seen.to + self.path, content=body, headers=headers, trust_env=False, timeout=20)
            self.send_response(answer.status_code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield seen, f"http://127.0.0.1:{running.server_address[1]}"
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


@pytest.mark.parametrize("body", [{}, {"temperature": 0}])  # the second would wait for itself in the cache
def test_a_circle_ends(tmp_path, body):
    with mirror() as (seen, url), server(tmp_path, OPENAI_API_KEY="k", OPENAI_BASE_URL=f"{url}/v1") as gateway:
        seen.to = gateway.url
        error = problem(gateway.chat(body), 508)
    assert seen.hops == ["1", "2", "3", "4"]
    assert "base URL" in error["message"] and error["attempts"][0]["fault"] == "account"


@pytest.mark.parametrize("path", ["/api/ai/chat", "/v1/chat/completions", "/api/ai/embed", "/v1/embeddings"])
def test_a_few_gateways_in_a_row_are_no_circle(gateway, path):
    body = {"input": "Hello"} if "embed" in path else {"messages": [{"role": "user", "content": "Hello"}]}
    for hop, status in (("1", 200), ("3", 200), ("4", 508), ("1" * 5000, 508), ("x", 400)):
        answer = gateway.http.post(path, json=body, headers={HOP: hop})
        assert answer.status_code == status, (hop, answer.text)
    error = problem(gateway.http.post(path, json=body, headers={HOP: "4"}), 508, HOP)
    assert (error["code"], error["fault"]) == ("circle", "caller")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:39773/v1"),
        ("127.0.0.1", "http://localhost:39773"),
        ("0.0.0.0", "http://[::1]:39773"),
        ("10.1.2.3", "http://10.1.2.3:39773/v1"),
    ],
)
def test_its_own_address_is_refused_at_start(tmp_path, host, url):
    environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url, "HOST": host, "PATCHBAY_API_KEY": "gate"}
    with (
        pytest.raises(Misconfigured, match=r"OPENAI_BASE_URL \(environment\): .* is this gateway's own address"),
        server(tmp_path, **environ, PORT="39773"),
    ):
        pass


def test_somebody_elses_address_is_not_its_own(tmp_path):
    urls = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "TOGETHER_BASE_URL": "https://127.0.0.1"}
    with server(tmp_path, **urls, AZURE_BASE_URL="http://10.0.0.1:39773", AZURE_ENABLED="false") as gateway:
        check_circle(gateway.service.settings, 39773)
        for port in (1, 443):
            with pytest.raises(Misconfigured):
                check_circle(gateway.service.settings, port)
