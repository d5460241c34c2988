"""`patchbay serve` as a process: what it prints, who answers, how it starts, fails, dies and ends."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.place import noted
from tests.functions.helpers import providers
from tests.harness import HELLO

PATCHBAY = str(Path(sys.executable).with_name("patchbay"))
KEY = "k7Qz0p4ssPhr4se9913Xy"  # looks like no vendor's key: only knowing it helps to hide it
GATE = "g4teW0rd5512Lmnop"


def environ(**values: str) -> dict[str, str]:
    """A clean environment: nothing of the developer's own reaches the server."""
    return {
        "PATH": os.environ["PATH"],
        "PORT": "0",
        "PATCHBAY_SIMULATOR_CHUNK_MS": "0",
        "LOG_LEVEL": "debug",
        **values,
    }


class Process:
    def __init__(self, folder: Path, **values: str) -> None:
        self.home = folder / ".patchbay"
        number = len(list(folder.glob("stdout*")))  # a folder may see several servers, one after the other
        self._out, self._err = folder / f"stdout{number}", folder / f"stderr{number}"
        with self._out.open("xb") as out, self._err.open("xb") as err:
            self.popen = subprocess.Popen(
                [PATCHBAY, "serve"],
                cwd=folder,
                env=environ(**values),
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )
        self.http = httpx.Client(trust_env=False, timeout=20)

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    @property
    def url(self) -> str:
        return str(self.http.base_url).rstrip("/")

    def ready(self) -> "Process":
        """Wait until it has said where it is and answers there."""
        end = time.monotonic() + 20
        while not (found := re.search(r"^Patchbay on (\S+)$", self.stdout, re.MULTILINE)):
            assert self.popen.poll() is None, self.stderr
            assert time.monotonic() < end, f"no banner: {self.stdout} {self.stderr}"
            time.sleep(0.01)
        self.http.base_url = httpx.URL(found[1])
        while time.monotonic() < end:
            with contextlib.suppress(httpx.ConnectError):
                assert self.http.get("/health").status_code == 200
                return self
            time.sleep(0.01)
        raise AssertionError("it does not answer")

    def chat(self, **headers: str) -> httpx.Response:
        return self.http.post("/api/ai/chat", json=HELLO, headers=headers)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        return self.popen.wait(20)


@contextmanager
def serving(folder: Path, **values: str) -> Iterator[Process]:
    process = Process(folder, **values)
    try:
        yield process.ready()
    finally:
        process.http.close()
        process.end(signal.SIGKILL)


def refused(folder: Path, **values: str) -> str:
    """The one line with which a server that cannot start ends."""
    try:
        done = subprocess.run(
            [PATCHBAY, "serve"],
            cwd=folder,
            env=environ(**values),
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"it runs: {late.stdout!r}") from None
    assert done.returncode not in {0, None}
    assert "Patchbay on" not in done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr[-1500:]
    assert lines[0].startswith("patchbay: ")
    return lines[0]


def ollama_runs() -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 11434), timeout=0.2):
        return True
    return False


no_ollama = pytest.mark.skipif(ollama_runs(), reason="Ollama on this machine is found and used")


@no_ollama
def test_with_nothing_configured_simulators_answer_and_everything_says_so(tmp_path):
    with serving(tmp_path) as server:
        banner = server.stdout
        for title in ("Azure OpenAI", "Together", "OpenAI"):
            assert re.search(rf"^  {title} +simulated$", banner, re.MULTILINE), banner
        assert re.search(r"^  Ollama +not running here$", banner, re.MULTILINE)
        assert "simulators answer" in banner and ".env" in banner
        assert f"curl -s {server.url}/api/ai/chat" in banner
        assert noted(server.home) == server.url
        answer = server.chat()
        assert answer.json()["simulated"] is True and answer.headers["x-patchbay-simulated"] == "true"
        assert "Simulated" in answer.json()["content"]


@no_ollama
def test_the_curl_of_the_banner_works(tmp_path):
    with serving(tmp_path) as server:
        command = server.stdout.partition("Try:\n")[2].strip()
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20, check=False)
        assert json.loads(done.stdout)["simulated"] is True, done.stderr


@no_ollama
def test_a_preference_and_ports_configure_nobody(tmp_path):
    values = {
        "CHAT_PROVIDER": "openai",
        "LLM_PROVIDER": "together",
        "PROVIDER_STRATEGY": "fallback",
        "MAX_RETRIES": "1",
    }
    with serving(tmp_path, **values) as server:
        body = server.chat().json()
        assert body["simulated"] is True and body["provider"] == "openai"


def test_with_a_key_and_an_address_it_is_live(tmp_path):
    with providers("openai") as fleet:
        address = fleet.url("openai") + "/v1"
        with serving(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=address) as server:
            assert re.search(r"^  OpenAI +live$", server.stdout, re.MULTILINE)
            assert re.search(r"^  Azure OpenAI +off \(set ", server.stdout, re.MULTILINE)
            assert re.search(r"^  Azure Speech +off \(set AZURE_SPEECH_KEY and ", server.stdout, re.MULTILINE)
            assert "simulat" not in server.stdout.lower()
            answer = server.chat()
            assert answer.status_code == 200
            assert answer.json()["simulated"] is False and answer.json()["provider"] == "openai"
            assert answer.headers["x-patchbay-simulated"] == "false"
            assert '"simulated":false' in answer.text
            assert server.http.get("/api/local/simulators").status_code == 404
            assert fleet.requests("openai")[-1].headers["authorization"] == f"Bearer {KEY}"
            assert KEY not in server.stdout + server.stderr + answer.text
    # The provider is gone. A configured gateway says so; no simulator helps out.
    with serving(tmp_path, OPENAI_API_KEY=KEY, OPENAI_BASE_URL=address, MAX_RETRIES="0") as server:
        answer = server.chat()
        assert answer.status_code == 502 and answer.json()["simulated"] is False
        assert answer.json()["error"]["attempts"][0]["error"] == "Unreachable"


def test_with_a_key_for_speech_alone_it_hears_and_speaks_and_says_so(tmp_path):
    with providers("azure") as fleet:
        given = {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": fleet.url("azure")}
        with serving(tmp_path, **given) as server:
            assert re.search(r"^  Azure Speech +live$", server.stdout, re.MULTILINE), server.stdout
            assert re.search(r"^  Azure OpenAI +off \(set AZURE_OPENAI_KEY and ", server.stdout, re.MULTILINE)
            assert re.search(r"^  Azure Translator +off \(set AZURE_TRANSLATION_KEY\)$", server.stdout, re.MULTILINE)
            command = server.stdout.partition("Try:\n")[2].strip()
            assert "/api/ai/speak" in command and "Nobody can answer" not in server.stdout
            subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True, timeout=20)
            spoken = (tmp_path / "hello.mp3").read_bytes()
            body = server.http.post("/api/ai/transcribe", files={"file": ("hello.mp3", spoken)}).json()
            assert (body["text"], body["provider"], body["simulated"]) == ("Hello", "azure", False)
            status = server.http.get("/api/ai/status").json()
            assert status["providers"]["azure"]["can"] == ["transcribe", "diarize", "speak"]
            assert {name for name, chain in status["chains"].items() if chain} == {"transcribe", "diarize", "speak"}
            azure = server.http.get("/api/ai/providers").json()["providers"][0]
            (account,) = azure["accounts"]
            assert (azure["live"], azure["can"], account["missing"]) == (True, ["diarize", "speak", "transcribe"], [])
            assert {one["title"]: one["missing"] for one in account["parts"]} == {
                "Azure OpenAI": ["AZURE_OPENAI_KEY", "AZURE_OPENAI_ENDPOINT"], "Azure Speech": [],
                "Azure Translator": ["AZURE_TRANSLATION_KEY"],
            }  # fmt: skip
            names = [one["id"] for one in server.http.get("/v1/models").json()["data"]]
            assert "azure/azure-tts-neural" in names and "azure/gpt-5.4-mini" not in names
            listed = server.http.get("/api/ai/models", params={"provider": "azure"}).json()["models"]
            assert {one["id"]: one["live"] for one in listed}["gpt-5.4-mini"] is False
            answer = server.chat()
            assert answer.status_code == 503 and "AZURE_OPENAI_KEY" in answer.json()["error"]["message"]


def test_a_dotenv_file_switches_a_provider_on(tmp_path):
    with providers("together") as fleet:
        lines = [f'TOGETHER_API_KEY="{KEY}"', f"TOGETHER_BASE_URL={fleet.url('together')}/v1", "# a comment", ""]
        (tmp_path / ".env").write_text("\n".join(lines))
        with serving(tmp_path) as server:
            assert re.search(r"^  Together +live$", server.stdout, re.MULTILINE)
            body = server.chat().json()
            assert body["simulated"] is False and body["provider"] == "together"
            assert fleet.requests("together")[-1].headers["authorization"] == f"Bearer {KEY}"
            assert KEY not in server.stdout + server.stderr


def test_the_environment_wins_over_the_dotenv_file(tmp_path):
    with providers("openai") as fleet:
        (tmp_path / ".env").write_text(f"OPENAI_API_KEY=from-file\nOPENAI_BASE_URL={fleet.url('openai')}/v1\n")
        with serving(tmp_path, OPENAI_API_KEY=KEY) as server:
            assert server.chat().status_code == 200
            assert fleet.requests("openai")[-1].headers["authorization"] == f"Bearer {KEY}"


def test_half_a_configuration_says_what_is_missing(tmp_path):
    with serving(tmp_path, AZURE_OPENAI_KEY=KEY) as server:
        assert re.search(r"^  Azure OpenAI +off \(set AZURE_OPENAI_ENDPOINT\)$", server.stdout, re.MULTILINE)
        assert "simulat" not in server.stdout.lower()
        answer = server.chat()
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert "AZURE_OPENAI_ENDPOINT" in error["message"] and "OPENAI_API_KEY" in error["message"]
        assert answer.json()["simulated"] is False
        assert server.http.get("/health").json()["ready"] is False
        assert KEY not in answer.text + server.stdout + server.stderr


def test_a_key_of_the_gateway_is_required_and_the_banner_shows_how(tmp_path):
    with serving(tmp_path, PATCHBAY_API_KEY=GATE) as server:
        assert "$PATCHBAY_API_KEY" in server.stdout and GATE not in server.stdout
        assert server.chat().status_code == 401
        assert server.chat(authorization=f"Bearer {GATE}").status_code == 200
        assert GATE not in server.stdout + server.stderr


def test_beyond_loopback_it_starts_with_a_key_only(tmp_path):
    line = refused(tmp_path, HOST="0.0.0.0")
    assert "0.0.0.0" in line and "PATCHBAY_API_KEY" in line
    with serving(tmp_path, HOST="0.0.0.0", PATCHBAY_API_KEY=GATE) as server:
        assert server.chat().status_code == 401
        answer = server.chat(**{"x-api-key": GATE, "host": "ai.example"})
        assert (answer.status_code, answer.json()["simulated"]) == (503, False)  # nothing passes for a real answer
        assert "Nobody can answer" in server.stdout


def test_on_ipv6_loopback(tmp_path):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving(tmp_path, HOST="::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.chat().status_code == 200


def test_a_port_in_use_is_one_clear_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = refused(tmp_path, PORT=port)
    assert port in line and "PORT" in line
    assert not list((tmp_path / ".patchbay").glob("server-*"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("HOST", "no such host"),
        ("CHAT_PROVIDER", "nope"),
        ("OPENAI_BASE_URL", "ftp://127.0.0.1"),
        ("MAX_RETRIES", "-1"),
        ("PATCHBAY_TOTAL_TIMEOUT", "0"),
        ("LOG_LEVEL", "loud"),
        ("ENABLE_FALLBACK", "maybe"),
        ("PATCHBAY_SIMULATOR_SEED", "abc"),
        ("PATCHBAY_SIMULATOR_CHUNK_MS", "abc"),
        ("PATCHBAY_SIMULATOR_PROVIDERS", "groq,nope"),
    ],
)
def test_a_bad_setting_is_one_clear_line(tmp_path, name, value):
    extra = {"PATCHBAY_API_KEY": GATE} if name == "HOST" else {}
    line = refused(tmp_path, **{name: value}, **extra)
    assert name in line and GATE not in line


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in refused(tmp_path, PATCHBAY_HOME=str(tmp_path / "file"))


def test_a_bad_setting_in_the_dotenv_file_says_where_it_stands(tmp_path):
    (tmp_path / ".env").write_text("MAX_RETRIES=many\n")
    line = refused(tmp_path)
    assert "MAX_RETRIES" in line and ".env" in line and "many" in line


def test_killed_right_after_an_answer_it_still_knows_the_decision(tmp_path):
    with serving(tmp_path) as server:
        made = [server.chat().json()["decision_id"] for _ in range(5)]
        time.sleep(0.06)  # what is older than 50 ms is promised to be durable
        server.end(signal.SIGKILL)
    with serving(tmp_path) as server:
        for decision in made:
            answer = server.http.get(f"/api/ai/decisions/{decision}")
            assert answer.status_code == 200 and answer.json()["outcome"] == "ok"
        assert server.chat().status_code == 200
        assert noted(server.home) == server.url


def test_sigterm_ends_it_cleanly(tmp_path):
    with serving(tmp_path) as server:
        decision = server.chat().json()["decision_id"]
        assert list(server.home.glob("server-*"))
        assert server.end(signal.SIGTERM) in {0, 143, -signal.SIGTERM}
        assert not list(server.home.glob("server-*")), "the note of a server that is gone"
        assert "Traceback" not in server.stderr and "ERROR" not in server.stderr
        assert decision in server.stderr  # the last lines of the log were written
    with serving(tmp_path) as server:
        assert server.http.get(f"/api/ai/decisions/{decision}").status_code == 200


def test_interrupted_it_ends_cleanly(tmp_path):
    with serving(tmp_path) as server:
        assert server.end(signal.SIGINT) in {0, 130, -signal.SIGINT}
        assert not list(server.home.glob("server-*"))
        assert "Traceback" not in server.stderr


# Serves, and at the moment the banner is made looks whether the port takes connections.
LOOKING = """
import asyncio, os, socket
from infra.local import server

def looked(_service, url):
    try:
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5).close()
    except ConnectionRefusedError:
        os._exit(7)
    os._exit(0)

server.banner = looked
asyncio.run(server.serve())
"""


def test_what_the_banner_says_is_true_when_it_says_it(tmp_path):
    """Whoever reads the banner or the note may call at once: the port must take connections by then."""
    done = subprocess.run([sys.executable, "-c", LOOKING], cwd=tmp_path, env=environ(), timeout=20, check=False)
    assert done.returncode == 0, "connections are refused" if done.returncode == 7 else "it did not start"


class Echo(BaseHTTPRequestHandler):
    """A provider that quotes the key it was given, in every way that providers and proxies do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["authorization"].partition(" ")[2]
        model = json.loads(raw)["model"]
        status, kind, body = answer_of(model, key)
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def answer_of(model: str, key: str) -> tuple[int, str, bytes]:
    words = f"Incorrect API key provided: {key}. Find yours at https://example.com."
    error: dict[str, Any] = {
        "message": words,
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_api_key",
    }
    match model:
        case "code":
            error = {**error, "message": "no", "code": f"bad_key:{key}"}
        case "param":
            error = {**error, "message": "no", "param": f"header:{key}"}
        case "type":
            error = {**error, "message": "no", "type": f"bad {key}"}
        case "far":  # where a long message is cut
            error = {**error, "message": "x" * 490 + " " + key}
        case "page":
            return 401, "text/html", f"<h1>Bad key {key}</h1>".encode()
        case "far-page":
            return 401, "text/html", ("<p>" + "x" * 165 + f" Authorization: Bearer {key}").encode()
        case "text":
            return 401, "application/json", json.dumps({"error": words}).encode()
        case "stream":
            event = f"data: {json.dumps({'error': error})}\n\n".encode()
            return 200, "text/event-stream", event
        case "server":
            return 500, "application/json", json.dumps({"error": error}).encode()
    return 401, "application/json", json.dumps({"error": error}).encode()


@pytest.fixture(scope="module")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A live gateway in front of the provider that quotes keys."""
    echo = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=echo.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{echo.server_address[1]}/v1"
        folder = tmp_path_factory.mktemp("quoting")
        values = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": address, "MAX_RETRIES": "0", "PATCHBAY_API_KEY": GATE}
        with serving(folder, **values) as server:
            server.http.headers["x-api-key"] = GATE
            yield server
    finally:
        echo.shutdown()
        thread.join()
        echo.server_close()


def pieces(secret: str, size: int = 7) -> set[str]:
    """A part of a key is a part of a key."""
    return {secret[at : at + size] for at in range(len(secret) - size + 1)}


@pytest.mark.parametrize("route", ["/api/ai/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "where", ["message", "code", "param", "type", "far", "page", "far-page", "text", "stream", "server"]
)
def test_a_key_that_a_provider_quotes_goes_no_further(quoting, route, stream, where):
    body = {**HELLO, "model": f"openai/{where}", "fallback": False, "stream": stream}
    answer = quoting.http.post(route, json=body)
    assert answer.status_code >= 400 or "error" in answer.text
    decision = answer.headers["x-patchbay-decision"]
    targets = quoting.http.get("/api/ai/status").json()["providers"]["openai"]["targets"]
    lines = [line for line in quoting.stderr.splitlines() if decision in line]
    shown = {
        "answer": answer.text + str(answer.headers),
        "receipt": quoting.http.get(f"/api/ai/decisions/{decision}").text,
        "status": json.dumps([one for one in targets if one["model"] == where]),
        "stdout": quoting.stdout,
        "log": "\n".join(lines),
    }
    parts = pieces(KEY) | pieces(GATE)
    assert not {place for place, text in shown.items() for part in parts if part in text}
    assert KEY not in quoting.stderr and GATE not in quoting.stderr
