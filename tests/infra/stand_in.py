"""What answers like Patchbay, but as a test wants it: to see what a command makes of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class StandIn(ThreadingHTTPServer):
    """`parts` are the pieces of its next answers, sent one by one; `asked` is what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.health = json.dumps({"version": "0", "ready": True}).encode()
        self.status = 200
        self.parts: list[bytes] = []
        self.whole = True  # False: the connection ends before the answer does
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []

    @property
    def port(self) -> str:
        return str(self.server_address[1])

    def says(self, data: Any) -> None:
        self.parts = [json.dumps(data).encode()]


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_GET(self) -> None:
        self._answer([self.server.health])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append((self.path, json.loads(body)))
        self._answer(self.server.parts, self.server.status, whole=self.server.whole)

    def _answer(self, parts: list[bytes], status: int = 200, *, whole: bool = True) -> None:
        self.send_response(status)
        self.send_header("content-length", str(sum(map(len, parts)) + (0 if whole else 1)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def standing_in() -> Iterator[StandIn]:
    other = StandIn()
    thread = threading.Thread(target=other.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield other
    finally:
        other.shutdown()
        thread.join()
        other.server_close()
