"""Addresses of files in a chat, from the caller's request to what a provider is sent."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.functions.helpers import CHAT_ROUTES, problem
from tests.harness import Server, server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
OWN = ["local/seeing", "ollama/seeing"]  # machines that take only bytes
ALL = [*OWN, "openai/auto"]
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


class Files:
    """What lies where on a server of the user's, and what was asked for."""

    def __init__(self) -> None:
        self.files = {"/cat.png": PNG, "/page": b"<!doctype html>", "/large.png": PNG + bytes(5000)}
        self.asked: list[str] = []
        self.slow = threading.Event()
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files.asked.append(self.path)
                if self.path == "/slow.png":
                    files.slow.wait(20)
                data = files.files.get(self.path)
                self.send_response(404 if data is None else 200)
                self.send_header("content-type", "image/png")
                self.end_headers()
                self.wfile.write(data or b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()


@pytest.fixture(scope="module")
def _files() -> Iterator[Files]:
    made = Files()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def files(_files: Files) -> Files:
    _files.asked.clear()
    return _files


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway before two machines of its owner's that take only bytes, and one vendor that takes addresses."""
    environ = {
        "PATCHBAY_SIMULATOR_PROVIDERS": "local,ollama,openai,anthropic,gemini",
        "CHAT_CHAIN": "local,ollama,openai",
    }
    limits = {"PATCHBAY_FETCH_PRIVATE": "127.0.0.1", "PATCHBAY_FETCH_BYTES": "2000"}
    with server(tmp_path_factory.mktemp("house"), **environ, **limits) as running:
        yield running


@pytest.fixture
def gateway(house: Server) -> Iterator[Server]:
    house.clear()
    yield house
    house.clear()


def seeing(*urls: str, models: list[str] = ALL) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "What is it?"}, *parts]
    return {"messages": [{"role": "user", "content": content}], "models": models}


def images(gateway: Server, provider: str) -> list[str]:
    """What it was sent, in its own form."""
    message = json.loads(gateway.fleet.requests(provider)[-1].body)["messages"][0]
    if "images" in message:
        return [f"data:image/png;base64,{one}" for one in message["images"]]
    return [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]


def upstream(gateway: Server) -> int:
    """How often any provider was asked."""
    return sum(len(gateway.fleet.requests(one)) for one in ("local", "ollama", "openai", "anthropic", "gemini"))


@pytest.mark.parametrize("route", CHAT_ROUTES)
@pytest.mark.parametrize("how", ["whole", "stream"])
def test_who_takes_only_bytes_gets_the_picture(gateway: Server, files: Files, route: str, how: str) -> None:
    answer = gateway.http.post(route, json={**seeing(f"{files.url}/cat.png"), "stream": how == "stream"})
    assert answer.status_code == 200, answer.text
    assert how == "stream" or "image/png of 28 bytes" in answer.text  # as the simulator saw it
    assert answer.headers["x-patchbay-provider"] == "local"
    assert images(gateway, "local") == [DATA]
    assert files.asked == ["/cat.png"]


def test_the_next_one_gets_the_same_without_asking_again(gateway: Server, files: Files) -> None:
    gateway.fault("local", "500")
    body = gateway.chat(seeing(f"{files.url}/cat.png")).json()
    assert body["provider"] == "ollama"
    assert images(gateway, "local") == images(gateway, "ollama") == [DATA]
    assert files.asked == ["/cat.png"]


def test_who_fetches_himself_is_sent_the_address(gateway: Server, files: Files) -> None:
    url = f"{files.url}/cat.png"
    assert gateway.chat(seeing(url, models=["openai/auto"])).json()["provider"] == "openai"
    assert images(gateway, "openai") == [url]
    assert files.asked == []


def test_what_cannot_be_fetched_goes_on_to_who_may_know_better(gateway: Server, files: Files) -> None:
    """Nobody was asked whom the file could not be given to: there is no attempt, and nothing may be billed."""
    body = gateway.chat(seeing(f"{files.url}/none.png")).json()
    assert [one["provider"] for one in body["attempts"]] == ["openai"]
    why = "messages[0].content[1].image_url.url cannot be used: its server answered 404"
    told = [one for one in body["warnings"] if why in one]
    assert [one.partition("/")[0] for one in told] == ["local", "ollama"]
    assert not [one for one in body["warnings"] if "billed" in one]
    assert files.asked == ["/none.png"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none.png", "its server answered 404"),
        ("/page", "what is there is text/plain"),
        ("/large.png", "the files of the request are larger than 2000 bytes in all"),
    ],
)
def test_whose_fault_it_is(gateway: Server, files: Files, path: str, words: str) -> None:
    before = upstream(gateway)
    answer = gateway.chat(seeing(files.url + path, models=OWN))
    error = problem(answer, 400, param="messages[0].content[1].image_url.url")
    assert (error["fault"], error["code"]) == ("caller", "media_unavailable")
    assert words in error["message"]
    assert "data URL" in error["message"]  # what to do
    assert error["message"].count("cannot be used") == 1
    kept = gateway.http.get(f"/api/ai/decisions/{error['decision_id']}").json()
    assert (kept["attempts"], upstream(gateway)) == ([], before)
    assert not [one for one in kept["warnings"] if "billed" in one]


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_its_bytes_say_what_it_is_and_not_its_label(gateway: Server, files: Files, provider: str) -> None:
    answer = gateway.chat(seeing(DATA.replace("png", "jpeg"), f"{files.url}/cat.png", models=[f"{provider}/auto"]))
    assert answer.status_code == 200, answer.text
    raw = gateway.fleet.requests(provider)[-1].body
    assert b"image/jpeg" not in raw
    assert raw.count(b"image/png") == 2
    assert files.asked == ["/cat.png"]


@pytest.mark.parametrize("url", ["http://127.0.0.2:{port}/cat.png", "http://[::1]:{port}/cat.png",
                                 "http://169.254.169.254/latest", "http://no-such-host.invalid/"])  # fmt: skip
def test_places_of_ours_are_not_shown_to_callers(gateway: Server, files: Files, url: str) -> None:
    error = problem(gateway.chat(seeing(url.format(port=files.server.server_port), models=OWN)), 400)
    assert "there is no such host, or it is not allowed" in error["message"]
    assert files.asked == []


def test_without_the_setting_this_machine_is_no_place(files: Files, tmp_path: Path) -> None:
    with server(tmp_path, PATCHBAY_SIMULATOR_PROVIDERS="local,ollama") as running:
        error = problem(running.chat(seeing(f"{files.url}/cat.png", models=OWN)), 400)
        assert "not allowed" in error["message"]
        assert running.chat(seeing(DATA, models=OWN)).status_code == 200
    assert files.asked == []


def test_the_plan_fetches_nothing(gateway: Server, files: Files) -> None:
    assert gateway.http.post("/api/ai/route", json=seeing(f"{files.url}/cat.png")).status_code == 200
    assert files.asked == []


def test_what_is_no_base64_is_refused_before_anybody_is_asked(gateway: Server) -> None:
    problem(gateway.chat(seeing("data:image/png;base64,!!!!")), 400, param="messages[0].content[1].image_url.url")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://x/y", "", "cat.png", "DATA:image/png;base64,aGVsbG8=",
        "data:image/png;base64,aGVsbG8=", "data:application/pdf;base64,JVBERi0xLjc=",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused_before_anybody_is_asked(gateway: Server, files: Files, url: str) -> None:
    before = upstream(gateway)
    problem(gateway.chat(seeing(url)), 400, param="messages[0].content[1].image_url.url")
    assert (upstream(gateway), files.asked) == (before, [])


def test_a_scheme_in_capitals_hides_no_address(gateway: Server, files: Files) -> None:
    """A vendor that takes only https is given the file, as for the same address in small letters."""
    url = f"{files.url}/cat.png".replace("http:", "HTTP:")
    answer = gateway.chat(seeing(url, models=["anthropic/auto"]))
    assert answer.status_code == 200, answer.text
    assert files.asked == ["/cat.png"]
    assert b"127.0.0.1" not in gateway.fleet.requests("anthropic")[-1].body


IMAGE = {"type": "input_image", "image_url": "{url}"}
FILE = {"type": "input_file", "file_url": "{url}"}
BLOCK = {"type": "image", "source": {"type": "url", "url": "{url}"}}


@pytest.mark.parametrize(
    ("route", "part", "param"),
    [
        ("/v1/responses", IMAGE, "input[0].content[0].image_url"),
        ("/v1/responses", FILE, "input[0].content[0].file_url"),
        ("/v1/messages", BLOCK, None),
    ],
)
def test_the_error_has_the_caller_s_own_names(
    gateway: Server, files: Files, route: str, part: dict[str, Any], param: str | None
) -> None:
    part = json.loads(json.dumps(part).replace("{url}", f"{files.url}/none.png"))
    said = [{"role": "user", "content": [part]}]
    more = {"input": said} if route == "/v1/responses" else {"messages": said, "max_tokens": 9}
    error = gateway.http.post(route, json={**more, "models": ["gemini/auto"]}).json()["error"]
    assert error["param"] == param
    place = param or "a file that the request names by its address"
    assert error["message"].startswith(f"{place} cannot be used: its server answered 404. Send the file itself")


def test_a_document_of_the_responses_api_goes_to_anybody(gateway: Server, files: Files) -> None:
    files.files["/a.pdf"] = b"%PDF-1.7"
    said = [{"role": "user", "content": [{"type": "input_file", "file_url": f"{files.url}/a.pdf"}]}]
    answer = gateway.http.post("/v1/responses", json={"input": said, "models": ["gemini/auto"]})
    assert answer.status_code == 200, answer.text
    assert base64.b64encode(b"%PDF-1.7") in gateway.fleet.requests("gemini")[-1].body
    assert files.asked == ["/a.pdf"]
    files.asked.clear()
    answer = gateway.http.post("/v1/responses", json={"input": said, "models": ["openai/auto"]})
    assert answer.status_code == 200, answer.text
    assert json.loads(gateway.fleet.requests("openai")[-1].body)["input"] == said  # its own API fetches it
    assert files.asked == []


def test_one_file_named_often_is_not_sent_often(gateway: Server, files: Files) -> None:
    files.files["/wide.png"] = PNG + bytes(500)
    before = upstream(gateway)
    error = problem(gateway.chat(seeing(*[f"{files.url}/wide.png"] * 4, models=OWN)), 400)
    assert "larger than 2000 bytes in all, each counted as often as it is named" in error["message"]
    assert upstream(gateway) == before


def test_who_keeps_us_waiting_is_no_provider(files: Files, tmp_path: Path) -> None:
    """Half of the time is left for who may fetch it himself; nobody else was asked, nor may bill."""
    files.slow.clear()
    try:
        with server(tmp_path, PATCHBAY_SIMULATOR_PROVIDERS="local,ollama,openai", PATCHBAY_FETCH_PRIVATE="127.0.0.1",
                    PATCHBAY_ANSWER_TIMEOUT="0.4") as running:  # fmt: skip
            url = f"{files.url}/slow.png"
            error = problem(running.chat(seeing(url, models=OWN)), 400, param="messages[0].content[1].image_url.url")
            assert "still waiting for it after 200 ms" in error["message"]
            assert (error["fault"], error["code"]) == ("caller", "media_unavailable")
            kept = running.http.get(f"/api/ai/decisions/{error['decision_id']}").json()
            assert kept["attempts"] == []
            assert not [one for one in kept["warnings"] if "billed" in one]
            assert running.chat(seeing(url)).json()["provider"] == "openai"
    finally:
        files.slow.set()
