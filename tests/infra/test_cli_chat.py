"""`patchbay chat`: a question from arguments, pipes and files; a conversation; and how it ends."""

import base64
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.prompts import IMAGE_LIMIT, TEXT_LIMIT
from tests.harness import Server, server
from tests.infra.results import data, line

COMMAND = [str(Path(sys.executable).with_name("patchbay"))]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
NO_KEY = "patchbay: nothing is configured, so a simulator answers"
SECONDS = 20


@pytest.fixture
def asked(gateway: Server):
    """The messages and the other fields of the latest request that reached the first provider."""

    def latest() -> dict[str, Any]:
        body: dict[str, Any] = json.loads(gateway.fleet.requests("azure")[-1].body)
        return body

    return latest


@contextmanager
def started(gateway: Server, home: Path, *args: str, **pipes) -> Iterator[Any]:
    env = {"PATH": os.environ["PATH"], "PORT": str(urlsplit(gateway.url).port), "TERM": "xterm"}
    with subprocess.Popen([*COMMAND, "chat", *args], env=env, cwd=home, **pipes) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_a_question(patchbay, asked):
    result = patchbay("chat", "What", "is", "DNS?")
    assert result.exit_code == 0
    assert result.stdout.endswith('you said "What is DNS?".\n')
    assert result.stderr.startswith(NO_KEY) and len(result.stderr.splitlines()) == 1
    assert asked()["stream"] is True
    assert asked()["messages"] == [{"role": "user", "content": "What is DNS?"}]


def test_who_answered(patchbay, gateway):
    gateway.fault("azure", "500", times=1)
    result = patchbay("chat", "-v", "hello", "--provider", "azure")
    said = result.stderr.splitlines()
    assert "patchbay: warning: answered by together/" in result.stderr
    assert re.fullmatch(r"together/\S+  \d+ \+ \d+ tokens  \$0\.\d{6}  \d+\.\d s  2 attempts  simulated", said[-1])


def test_every_option_has_its_effect(patchbay, asked, gateway):
    options = ["-s", "Be short", "--temperature", "0.5", "--max-tokens", "7", "-m", "azure/gpt-5.4-mini"]
    result = patchbay("chat", "hello", *options, "--tier", "fast", "--max-cost", "1", "--no-fallback", "--json")
    answer = data(result)
    body = asked()
    assert body["messages"] == [{"role": "system", "content": "Be short"}, {"role": "user", "content": "hello"}]
    assert body["max_completion_tokens"] == 7 and body["model"] == "gpt-5.4-mini"
    receipt = gateway.receipt(answer["decision_id"])
    wanted = {"tier": "fast", "max_cost": 1.0, "fallback": False, "model": "azure/gpt-5.4-mini"}
    assert wanted.items() <= receipt["asked"].items()
    assert "temperature" in receipt["facts"]["params"]


def test_cache_and_provider_reach_the_gateway(patchbay, gateway):
    answer = data(patchbay("chat", "hello", "--json", "--provider", "openai", "--cache", "off"))
    assert answer["provider"] == "openai"
    assert gateway.receipt(answer["decision_id"])["asked"]["cache"] == "off"


def test_json_is_one_object_with_its_receipt(patchbay):
    answer = data(patchbay("chat", "hello", "--json"))
    assert answer["content"].endswith('you said "hello".')
    assert {"provider", "model", "usage", "cost", "decision_id", "attempts", "warnings"} <= answer.keys()
    assert answer["simulated"] is True


def test_an_answer_in_one_piece(patchbay, asked):
    result = patchbay("chat", "--no-stream", "hello")
    assert result.stdout.endswith('you said "hello".\n')
    assert "stream" not in asked()


def test_an_answer_that_was_cut_says_so(patchbay):
    result = patchbay("chat", "tell me more about it", "--max-tokens", "1")
    assert result.exit_code == 0 and "limit of tokens" in result.stderr


@pytest.mark.parametrize("words", [["What is wrong?"], ["What is wrong?", "-"]])
def test_a_pipe_follows_the_prompt(patchbay, asked, words):
    assert patchbay("chat", *words, given="line 1\nline 2\n").exit_code == 0
    assert asked()["messages"][0]["content"] == "What is wrong?\n\nline 1\nline 2"


def test_somebody_else_answered(patchbay):
    """Said always: who reads a pipe must know, too."""
    said = patchbay("chat", "-p", "groq", "hello").stderr
    assert "patchbay: warning: answered by azure/gpt-5.4-mini instead of groq" in said


def test_a_model_for_something_else(patchbay):
    said = line(patchbay("chat", "-m", "openai/text-embedding-3-small", "hello"))
    assert "openai/text-embedding-3-small is a model for embeddings, not for chat" in said


@pytest.mark.parametrize("words", [["", ""], [" "], [" ", "-"]])
def test_a_blank_prompt(patchbay, words):
    assert "nothing to ask" in line(patchbay("chat", *words, given=" \n"), 2)


@pytest.mark.parametrize("words", [[], ["-"], ["-f", "-"]])
def test_a_pipe_is_the_prompt(patchbay, asked, words):
    assert patchbay("chat", *words, given="hello\n").exit_code == 0
    assert asked()["messages"][0]["content"] == "hello"


def test_files_have_their_names_and_longer_fences(patchbay, asked, tmp_path):
    (tmp_path / "a.py").write_text("print(1)\n")
    (tmp_path / "b.md").write_bytes("\ufeff````\nünder\n````".encode())
    (tmp_path / "c.txt").write_bytes("wide ü".encode("utf-16"))
    assert patchbay("chat", "-f", "a.py", "-f", "b.md", "-f", "c.txt", "Why?", given="tail").exit_code == 0
    assert asked()["messages"][0]["content"] == (
        "Why?\n\nFile a.py:\n```\nprint(1)\n```\n\nFile b.md:\n`````\n````\nünder\n````\n`````"
        "\n\nFile c.txt:\n```\nwide ü\n```\n\ntail"
    )


@pytest.mark.parametrize("how", ["file", "image", "pipe"])
@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (PNG, "image/png"), (b"\xff\xd8\xff\xe0rest", "image/jpeg"), (b"GIF89arest", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ],
)  # fmt: skip
def test_images_by_their_first_bytes(patchbay, asked, tmp_path, how, raw, kind):
    (tmp_path / "photo.txt").write_bytes(raw)
    options = {"file": ["-f", "photo.txt"], "image": ["--image", "photo.txt"], "pipe": []}[how]
    assert patchbay("chat", "What?", *options, given=raw if how == "pipe" else None).exit_code == 0
    url = f"data:{kind};base64,{base64.b64encode(raw).decode()}"
    assert asked()["messages"][0]["content"] == [
        {"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]


@pytest.mark.parametrize("url", ["https://example.org/a.png", "HTTPS://example.org/a.png"])
def test_an_image_by_its_address(patchbay, asked, url):
    assert patchbay("chat", "What?", "--image", url).exit_code == 0
    assert asked()["messages"][0]["content"][1]["image_url"] == {"url": "https://example.org/a.png"}


def test_an_image_that_not_everybody_takes(patchbay, tmp_path):
    """What is an image here is one for the gateway, too: it finds who takes it."""
    (tmp_path / "photo").write_bytes(b"\0\0\0\x18ftypheic")
    said = patchbay("chat", "What?", "--image", "photo")
    assert said.exit_code == 0
    assert "image/heic of 12 bytes" in said.output


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"\x00\x01binary", "not text"),
        (b"\xfc not utf-8", "not text"),
        (b"a" * (TEXT_LIMIT + 1), "larger than 4 MiB"),
        (PNG + bytes(IMAGE_LIMIT), "larger than 20 MiB"),
    ],
    ids=["binary", "latin", "text", "image"],
)
@pytest.mark.parametrize("how", ["file", "pipe"])
def test_what_cannot_be_asked(patchbay, gateway, tmp_path, raw, word, how):
    (tmp_path / "file").write_bytes(raw)
    before = gateway.fleet.status()
    result = patchbay("chat", "What?", *(["-f", "file"] if how == "file" else []), given=raw if how == "pipe" else "")
    assert result.exit_code == 2 and word in result.stderr and result.stdout == ""
    assert gateway.fleet.status() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["-f", "missing"], ["--image", "missing", "x"], ["--temperature", "nan", "x"], ["--max-tokens", "0", "x"],
        ["--cache", "maybe", "x"], ["--tier", "huge", "x"], ["--timeout", "0", "x"], ["--max-cost", "-1", "x"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_command_line(patchbay, arguments):
    result = patchbay("chat", *arguments)
    assert "--help" in line(result, 2)


@pytest.mark.parametrize("flags", [[], ["--json"], ["--no-stream"]], ids=str)
def test_a_request_that_fails_is_one_line(patchbay, gateway, flags):
    assert "nope" in line(patchbay("chat", "--model", "nope", "hello", *flags))
    gateway.fault("azure", "401")
    message = line(patchbay("chat", "hello", "--provider", "azure", "--no-fallback", *flags))
    assert "azure/gpt-5.4-mini failed" in message and "Check the provider's key" in message
    decision = re.findall(r"patchbay decisions ([0-9a-f]{32})`", message)[0]
    assert gateway.receipt(decision)["outcome"] == "error"


def test_a_stream_that_breaks_keeps_what_came(patchbay, gateway):
    gateway.fault("azure", "cut_stream@2")
    result = patchbay("chat", "hello")
    assert result.exit_code == 1
    assert result.stdout.startswith("Simulated") and result.stdout.endswith("\n")
    (said,) = result.stderr.splitlines()
    assert "azure/gpt-5.4-mini failed" in said and "incomplete" in said


def test_the_deadline_is_the_callers(patchbay, gateway):
    gateway.fault("azure", "hang")
    message = line(patchbay("chat", "hello", "--timeout", "0.05", "--provider", "azure", "--no-fallback"))
    assert "deadline" in message or "time" in message


def test_without_a_server_it_answers_itself(run, closed, tmp_path):
    result = run("chat", "hello", PORT=closed)
    assert result.exit_code == 0 and result.stdout.endswith('you said "hello".\n')
    assert result.stderr.startswith(NO_KEY)
    (kept,) = data(run("decisions", "--json", PORT=closed))
    assert kept["outcome"] == "ok" and kept["stream"] is True
    assert (tmp_path / ".patchbay" / "state.db").is_file()


def test_without_a_server_what_is_configured_answers(run, closed, gateway):
    settings = {"OPENAI_API_KEY": "k-123456", "OPENAI_BASE_URL": gateway.fleet.url("openai") + "/v1", "PORT": closed}
    result = run("chat", "hello", **settings)
    assert result.stdout.startswith("Simulated answer from openai") and result.stderr == ""
    gateway.fault("openai", "cut_stream@2")
    result = run("chat", "hello", **settings)
    assert result.exit_code == 1 and "incomplete" in result.stderr and result.stdout.startswith("Simulated")
    gateway.clear()
    gateway.fault("openai", "401")
    assert "k-123456" not in line(run("chat", "hello", **settings))


def test_what_was_answered_before_without_a_server(run, closed, gateway):
    settings = {"OPENAI_API_KEY": "k-123456", "OPENAI_BASE_URL": gateway.fleet.url("openai") + "/v1", "PORT": closed}
    asked = ["chat", "hello", "--temperature", "0", "-v"]
    first = run(*asked, **settings)
    before = gateway.fleet.status()
    again = run(*asked, **settings)
    assert again.stdout == first.stdout and "cache hit" in again.stderr and "cache hit" not in first.stderr
    assert gateway.fleet.status() == before
    receipts = data(run("decisions", "--json", **settings))
    shown = run("decisions", receipts[0]["decision_id"], **settings).stdout
    assert f"hit, repeats {receipts[1]['decision_id']}" in shown


def test_a_setting_that_cannot_be(run, closed):
    assert "LLM_PROVIDER" in line(run("chat", "hello", PORT=closed, LLM_PROVIDER="nope"))
    assert "PATCHBAY_API_KEY" in line(run("chat", "hello", PORT=closed, HOST="0.0.0.0"))


def test_with_a_gateway_key(tmp_path, run, closed):
    key = "gate-chat-8c1e-secret"
    with server(tmp_path / "home", PATCHBAY_API_KEY=key) as keyed:
        port = str(urlsplit(keyed.url).port)
        assert "key" in line(run("chat", "hello", PORT=port))
        assert run("chat", "hello", PORT=port, PATCHBAY_API_KEY=key).exit_code == 0
    assert run("chat", "hello", PORT=closed, PATCHBAY_API_KEY=key).exit_code == 0


def test_the_reader_of_a_pipe_leaves(gateway, tmp_path):
    gateway.fault("azure", "slow_chunks")
    with started(
        gateway, tmp_path, "hello", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stdout.read(1)
        it.stdout.close()
        assert it.wait(SECONDS) == 141
        assert b"Traceback" not in (said := it.stderr.read()) and b"Broken" not in said


def test_ctrl_c_cancels_upstream(gateway, tmp_path):
    gateway.fault("azure", "stream_stall@1")
    decisions = {one["decision_id"] for one in newest(gateway)}
    with started(
        gateway, tmp_path, "hello", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as it:
        assert it.stdout.read(1)
        it.send_signal(signal.SIGINT)
        assert it.wait(SECONDS) == 130
        assert b"Traceback" not in it.stderr.read()
    until(lambda: outcome(gateway, decisions) == "cancelled")


def newest(gateway: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.http.get("/api/ai/decisions", params={"limit": 200}).json()["decisions"]
    return found


def outcome(gateway: Server, before: set[str]) -> str | None:
    """Of the one request that was not there before; None until it is settled."""
    made = [one["outcome"] for one in newest(gateway) if one["decision_id"] not in before]
    assert len(made) <= 1
    return made[0] if made else None


def until(true: Callable[[], bool]) -> None:
    """The server notices after its client's end that it has gone."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# Makes its input the terminal of its session, so that Ctrl-C typed there reaches it.
_LEADER = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """A conversation as a person has it."""

    def __init__(self, gateway: Server, home: Path, *args: str, output: Any = None, **environ: str) -> None:
        self.master, end = pty.openpty()
        termios.tcsetwinsize(end, (24, 80))
        env = {"PATH": os.environ["PATH"], "TERM": "dumb", "PORT": str(urlsplit(gateway.url).port), **environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LEADER, *COMMAND, *args],
            stdin=end, stdout=output or end, stderr=end, env=env, cwd=home, start_new_session=True,
        )  # fmt: skip
        os.close(end)
        self.seen = ""

    def until(self, words: str) -> str:
        """All that was shown up to and with the words, which must come."""
        while words not in self.seen:
            assert select.select([self.master], [], [], SECONDS)[0], f"{words!r} did not come: {self.seen}"
            self.seen += os.read(self.master, 4096).decode()
        before, _, self.seen = self.seen.partition(words)
        return before + words

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        return self.process.wait(SECONDS)

    def interrupted(self) -> int:
        """Ctrl-C until it ends: Python loses one that comes while it shows the prompt, and a person presses again."""
        for _ in range(SECONDS):
            self.type("\x03")
            try:
                return self.process.wait(1)
            except subprocess.TimeoutExpired:
                continue  # see above
        return self.ended()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminal(gateway: Server, tmp_path: Path):
    made: list[Terminal] = []

    def start(*args: str, output: Any = None, **environ: str) -> Terminal:
        made.append(Terminal(gateway, tmp_path, *args, output=output, **environ))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_a_conversation(terminal, asked, tmp_path):
    (tmp_path / "notes.txt").write_text("some notes")
    it = terminal("chat", "-s", "Be short", "-f", "notes.txt")
    it.until("Ctrl-D ends.")
    it.until("> ")
    it.type("first\n")
    it.until('first".')
    it.until("simulated\r\n")
    it.until("> ")
    it.type("second \\\nline\n")
    it.until("simulated\r\n")
    it.until("> ")
    assert [one["role"] for one in asked()["messages"]] == ["system", "user", "assistant", "user"]
    assert asked()["messages"][1]["content"] == "File notes.txt:\n```\nsome notes\n```\n\nfirst"
    assert asked()["messages"][3]["content"] == "second \nline"
    it.type("/reset\n")
    it.until("forgotten")
    it.type("/model openai/gpt-6-luna\n")
    it.until("model: openai/gpt-6-luna")
    it.type("third\n")
    it.until("simulated\r\n")
    it.until("> ")
    it.type("/what\n")
    it.until("/reset forgets")
    it.until("> ")
    it.type("\x04")
    assert it.ended() == 0


def test_a_failure_does_not_end_a_conversation(terminal, gateway, asked):
    it = terminal("chat", "--no-fallback", "--provider", "azure")
    it.until("> ")
    gateway.fault("azure", "401", times=1)
    it.type("one\n")
    it.until("Check the provider's key")
    it.until("> ")
    it.type("two\n")
    it.until('you said "two".')
    it.until("> ")
    assert [one["content"] for one in asked()["messages"]] == ["two"]
    it.type("/quit\n")
    assert it.ended() == 0


def test_ctrl_c_in_a_conversation(terminal, gateway, asked):
    it = terminal("chat")
    it.until("> ")
    gateway.fault("azure", "stream_stall@1")
    it.type("one\n")
    it.until("Simulated")
    it.type("\x03")
    it.until("interrupted")
    it.until("> ")
    gateway.clear()
    it.type("two\n")
    it.until('you said "two".')
    assert len(asked()["messages"]) == 1
    it.until("> ")
    assert it.interrupted() == 0


def test_a_conversation_without_a_server(terminal, closed, tmp_path):
    it = terminal("chat", PORT=closed)
    it.until("talking to this process")
    it.until("> ")
    it.type("hello\n")
    it.until('you said "hello".')
    it.until(NO_KEY.partition(": ")[2])
    it.until("> ")
    it.type("\x04")
    assert it.ended() == 0
    assert (tmp_path / ".patchbay" / "state.db").is_file()


def test_answers_of_a_conversation_go_to_a_file(terminal, tmp_path):
    with (tmp_path / "out.txt").open("wb") as output:
        it = terminal("chat", output=output)
        it.until("> ")
        it.type("hello\n")
        it.until("simulated\r\n")
        it.until("> ")
        it.type("\x04")
        assert it.ended() == 0
    text = (tmp_path / "out.txt").read_text()
    assert text.startswith("Simulated answer") and text.endswith('you said "hello".\n') and "> " not in text


def test_an_answer_cannot_steer_the_terminal(terminal):
    it = terminal("chat", "say \x1b]0;owned\x07 it")
    shown = it.until("simulated\r\n")
    assert "owned" in shown and "\x1b" not in shown and "\x07" not in shown
    assert it.ended() == 0


def test_a_table_fits_its_terminal(terminal):
    it = terminal("route", TERM="xterm")
    shown = it.until("OLLAMA_BASE_URL")
    assert all(len(row) <= 80 for row in shown.split("\r\n"))
    assert it.ended() == 0


@pytest.mark.parametrize(
    ("environ", "painted"), [({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)]
)
def test_colours_only_where_they_are_wanted(terminal, environ, painted):
    it = terminal("providers", **environ)
    assert ("\x1b[" in it.until("ollama")) is painted
    assert it.ended() == 0


RECEIPT: dict[str, Any] = {
    "choices": [], "decision_id": "0" * 32, "model": "m", "provider": "p", "usage": None, "duration_ms": 1.0,
    "cost": {"usd": None, "nano_usd": None}, "cache": "off", "simulated": False, "attempts": [], "warnings": [],
}  # fmt: skip


def chunk(text: str) -> bytes:
    said = json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)
    return b"data: " + said.encode(errors="surrogatepass") + b"\r\n\r\n"


def test_events_may_come_in_any_pieces(stand_in, run):
    """A separator of Unicode inside an answer ends no line, and half a letter is none."""
    stream = (
        chunk("one\u2028t\x85wo ") + b": still here\n\n" + chunk("\u00fc") + b"data: " + json.dumps(RECEIPT).encode()
    )
    stand_in.parts = [bytes([one]) for one in stream + b"\n\ndata: [DONE]\n\n"]
    result = run("chat", "hello", "-v", PORT=stand_in.port)
    assert result.exit_code == 0 and result.stdout == "one\u2028t\x85wo \u00fc\n"
    assert result.stderr == "p/m  tokens unknown  cost unknown  0.0 s\n"


def test_a_stream_without_its_end_is_not_whole(stand_in, run):
    stand_in.parts = [chunk("one"), b"data: [DONE]\n\n"]
    result = run("chat", "hello", PORT=stand_in.port)
    assert (result.exit_code, result.stdout) == (1, "one\n") and "broke off" in result.stderr


@pytest.mark.parametrize("flags", [[], ["--no-stream"], ["--json"]], ids=str)
def test_a_server_that_dies(stand_in, run, flags):
    stand_in.parts, stand_in.whole = [b""], False
    message = line(run("chat", "hello", *flags, PORT=stand_in.port))
    assert stand_in.port in message and "RemoteProtocolError" in message


def test_an_answer_without_text(stand_in, run):
    stand_in.says({**RECEIPT, "content": None, "finish_reason": "content_filter"})
    result = run("chat", "hello", "--no-stream", PORT=stand_in.port)
    assert (result.exit_code, result.stdout) == (0, "") and "no text (finish reason: content_filter)" in result.stderr


def test_a_prompt_that_is_no_text(run, stand_in):
    assert "not valid text" in line(run("chat", "\udcff", PORT=stand_in.port))
    assert stand_in.asked == []
