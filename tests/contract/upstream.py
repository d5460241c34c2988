"""Small upstream servers of our own, for what simulators do not do."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Said = tuple[int, str, bytes]  # status, content type, body
Speak = Callable[[str, Mapping[str, str], bytes], Said]  # from path, headers and body


def as_json(content: Any, status: int = 200) -> Said:
    return status, "application/json", json.dumps(content).encode()


@contextmanager
def upstream(speak: Speak) -> Iterator[str]:
    """The address of a server that answers every request with what `speak` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body leave together

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            status, kind, body = speak(self.path, dict(self.headers.items()), self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.send_header("x-request-id", "req_upstream")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the standard library's way of naming

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the standard library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
