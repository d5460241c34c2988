"""Settings changed while gateways run: the command line writes, the next request of every instance goes by it."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from core import log
from core.backends.embedded.sqlite import SqliteStore
from core.clock import SystemClock
from infra.local.cli import main
from tests.core.fakes import run
from tests.functions.helpers import providers
from tests.harness import HELLO, server

AT_ONCE = {"PATCHBAY_REFRESH": "0.000001"}  # every request looks
ROOT = Path(__file__).parent.parent.parent
READ = ("PATCHBAY_HOME", "PATCHBAY_TABLE", "PATCHBAY_LOCKED", "PATCHBAY_REFRESH", "LLM_PROVIDER", "CHAT_PROVIDER")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """`patchbay config` on the home of the test, in a folder without a `.env`."""
    monkeypatch.chdir(tmp_path)

    def invoke(*args, **environ):
        env = {**dict.fromkeys(READ), "PATCHBAY_HOME": str(tmp_path), **environ}
        return CliRunner().invoke(main, ["config", *args], env=env)

    return invoke


@pytest.fixture(autouse=True)
def level():
    """The level of the log is the process's own."""
    ours, root = log.LINES.level, logging.getLogger("patchbay")
    before = root.level
    yield
    log.LINES.level = ours
    root.setLevel(before)


def printed(result):
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout.splitlines()


def data(result):
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def line(result):
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (only,) = result.stderr.splitlines()
    assert only.startswith("patchbay: ")
    return only


def within(running):
    """What outlives a change in a running server."""
    lasting = running.service._lasting
    assert lasting is not None
    return lasting


def configuration(running):
    return running.http.get("/api/ai/status").json()["configuration"]


def answered_by(running, **fields):
    answer = running.chat(**fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["provider"]


@asynccontextmanager
async def state(home):
    store = await SqliteStore(home / "state.db", SystemClock()).open()
    try:
        yield store
    finally:
        await store.close()


def left_behind(home, item):
    """What another version of Patchbay wrote."""

    async def scene():
        async with state(home) as store:
            await store.put({"pk": "CONFIG", "sk": "head", **item})

    run(scene())


class TestOnTheCommandLine:
    def test_for_people(self, config, tmp_path):
        where = f"{tmp_path}/state.db"
        (made,) = printed(config("set", "llm_provider", "together", "--reason", "azure is slow"))
        assert made == f"LLM_PROVIDER is together: version 1 in {where}; running gateways see it within 2 s"
        (gone,) = printed(config("unset", "LLM_PROVIDER", PATCHBAY_REFRESH="0"))
        assert gone.startswith("LLM_PROVIDER is no longer changed at run time: version 2")
        assert gone.endswith("running gateways see it when they start again (PATCHBAY_REFRESH is 0)")
        head, newest, oldest = printed(config("history"))
        assert head.split() == ["VERSION", "WHEN", "WHO", "NAME", "OLD", "NEW", "REASON"]
        assert newest.startswith("2 ") and newest.split()[-3:] == ["LLM_PROVIDER", "together", "-"]
        assert "@" in oldest and oldest.endswith("LLM_PROVIDER  -         together  azure is slow")

    def test_for_programs(self, config, tmp_path):
        made = data(config("set", "MAX_RETRIES", "5", "--json", PATCHBAY_REFRESH="0.5"))
        assert made.pop("at") > 1_700_000_000
        assert "@" in made.pop("who")
        assert made == {
            "version": 1,
            "name": "MAX_RETRIES",
            "old": None,
            "new": "5",
            "reason": None,
            "store": f"{tmp_path}/state.db",
            "within_seconds": 0.5,
            "warnings": [],
        }
        assert data(config("unset", "MAX_RETRIES", "--json"))["old"] == "5"
        listed = data(config("history", "--json", "--limit", "1"))
        assert [(one["version"], one["old"], one["new"]) for one in listed] == [(2, "5", None)]

    def test_what_a_change_does_not_do_is_said(self, config):
        result = config("set", "LLM_PROVIDER", "groq", OPENAI_API_KEY="k")
        assert result.exit_code == 0
        assert "warning: LLM_PROVIDER (run time): groq cannot answer here: set GROQ_API_KEY" in result.stderr
        assert config("set", "MAX_RETRIES", "3", OPENAI_API_KEY="k").stderr == ""  # nothing new
        (one,) = data(config("set", "CHAT_PROVIDER", "together", "--json", OPENAI_API_KEY="k"))["warnings"]
        assert one.startswith("CHAT_PROVIDER (run time): together cannot answer here")

    def test_nothing_was_changed_yet(self, config):
        assert data(config("history", "--json")) == []
        assert len(printed(config("history"))) == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("set", "LLM_PROVIDR", "together"), "did you mean LLM_PROVIDER?"),
            (("set", "LLM_PROVIDER", "nope"), "provider 'nope' is not known"),
            (("set", "PROVIDER_STRATEGY", "priorty"), "strategy 'priorty' is not known; did you mean priority?"),
            (("set", "MAX_RETRIES", "lots", "--json"), "expected a whole number"),
            (("set", "PORT", "1"), "read once"),
            (("set", "OPENAI_API_KEY", "sk-s3cret"), "is a secret"),
            (("set", "MAX_RETRIES", ""), "unset it"),
            (("unset", "MAX_RETRIES"), "is not changed at run time"),
            (("unset", "NO_SUCH_NAME"), "is not a setting"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_one_line_and_changes_nothing(self, config, arguments, words):
        said = line(config(*arguments))
        assert words in said and "s3cret" not in said
        assert data(config("history", "--json")) == []

    def test_a_lock_in_the_environment_or_in_the_file(self, config, tmp_path):
        assert "locked" in line(config("set", "LLM_PROVIDER", "together", PATCHBAY_LOCKED="LLM_PROVIDER"))
        (tmp_path / ".env").write_text("PATCHBAY_LOCKED=*\n")
        assert "locked" in line(config("set", "LLM_PROVIDER", "together"))

    def test_a_home_that_cannot_be_written(self, config, tmp_path):
        (tmp_path / "file").write_text("")
        assert "state cannot be kept" in line(config("set", "MAX_RETRIES", "1", PATCHBAY_HOME=str(tmp_path / "file")))

    def test_the_group_lists_them(self, config):
        text = config("--help").stdout
        assert all(word in text for word in ("set", "unset", "history"))


class TestTraffic:
    def test_it_moves_without_a_restart(self, config, tmp_path):
        """The command is a process of its own, as it is for people."""
        with server(tmp_path, **AT_ONCE) as running:
            assert answered_by(running) == "azure"
            command = [sys.executable, "-m", "infra.local.cli", "config", "set", "LLM_PROVIDER", "together"]
            environ = {"PATH": "/usr/bin:/bin", "PATCHBAY_HOME": str(tmp_path)}
            done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stderr
            assert answered_by(running) == "together"
            assert configuration(running) == {"version": 1, "changed": {"LLM_PROVIDER": "together"}, "left_out": {}}
            printed(config("unset", "LLM_PROVIDER"))
            assert answered_by(running) == "azure"
            assert configuration(running) == {"version": 2, "changed": {}, "left_out": {}}

    def test_every_instance_sees_it(self, config, tmp_path):
        with server(tmp_path, **AT_ONCE) as one, server(tmp_path, **AT_ONCE) as other:
            assert [answered_by(one), answered_by(other)] == ["azure", "azure"]
            printed(config("set", "LLM_PROVIDER", "openai"))
            assert [answered_by(one), answered_by(other)] == ["openai", "openai"]
            assert configuration(one) == configuration(other)

    def test_until_the_next_look_what_was_holds(self, config, tmp_path):
        with server(tmp_path, PATCHBAY_REFRESH="3600") as running:
            assert answered_by(running) == "azure"
            printed(config("set", "LLM_PROVIDER", "together"))
            assert answered_by(running) == "azure"
            running.service.due = 0.0  # an hour later
            assert answered_by(running) == "together"

    def test_zero_looks_only_at_the_start(self, config, tmp_path):
        printed(config("set", "LLM_PROVIDER", "together"))
        with server(tmp_path, PATCHBAY_REFRESH="0") as running:
            assert answered_by(running) == "together"
            assert running.service.due == float("inf")

    def test_a_start_begins_with_what_was_changed(self, config, tmp_path):
        printed(config("set", "LLM_PROVIDER", "together"))
        with server(tmp_path) as running:
            assert answered_by(running) == "together"
            assert configuration(running)["version"] == 1

    def test_all_that_can_be_live_is(self, config, tmp_path):
        with server(tmp_path, **AT_ONCE) as running:
            for name, value in {
                "TOGETHER_ENABLED": "false",
                "OPENAI_PRIORITY": "1",
                "OPENAI_MODEL": "gpt-x",
                "PATCHBAY_CONNECT_TIMEOUT": "1.5",
                "PATCHBAY_TOTAL_TIMEOUT": "9",
                "PATCHBAY_MAX_BODY_BYTES": "100",
                "MAX_RETRIES": "0",
                "LOG_LEVEL": "debug",
            }.items():
                printed(config("set", name, value))
            answer = running.chat().json()
            assert (answer["provider"], answer["model"]) == ("openai", "gpt-x")
            status = running.http.get("/api/ai/status").json()
            assert status["chains"]["chat"] == ["openai", "azure"]
            assert (status["timeouts"]["connect"], status["timeouts"]["total"]) == (1.5, 9)
            assert status["retries"]["max_retries"] == 0
            assert running.chat(messages=[{"role": "user", "content": "x" * 100}]).status_code == 413
            assert log.LINES.level == logging.DEBUG
            assert within(running).transport.connect_timeout == 1.5

    def test_what_was_learnt_and_what_did_not_change_stays(self, config, tmp_path):
        with server(tmp_path, **AT_ONCE) as running:
            running.chat()
            before: Any = running.service.gateway
            adapter = before.registry.adapter("azure", "default")
            printed(config("set", "OPENAI_MODEL", "gpt-x"))
            running.chat()
            after: Any = running.service.gateway
            assert after is not before
            assert after.registry.adapter("azure", "default") is adapter
            assert next(one for target, one in after.stats.targets.items() if target.provider == "azure").ok == 2
            decisions = running.http.get("/api/ai/decisions").json()["decisions"]
            assert len(decisions) == 2

    def test_no_answer_from_other_settings_is_given_again(self, config, tmp_path):
        def asked():
            answer = running.chat(temperature=0)
            return answer.json()["provider"], answer.headers["x-patchbay-cache"]

        with server(tmp_path, **AT_ONCE) as running:
            assert [asked(), asked()] == [("azure", "miss"), ("azure", "hit")]
            printed(config("set", "LLM_PROVIDER", "together"))
            assert [asked(), asked()] == [("together", "miss"), ("together", "hit")]
            printed(config("unset", "LLM_PROVIDER"))
            assert asked() == ("azure", "hit")  # the same settings as before: what was kept is good again
            printed(config("set", "PATCHBAY_CACHE", "false"))
            assert [asked(), asked()] == [("azure", "off")] * 2


class TestLocks:
    def test_the_environment_wins_over_an_older_change(self, config, tmp_path, caplog):
        printed(config("set", "LLM_PROVIDER", "together"))
        lock = {"LLM_PROVIDER": "openai", "PATCHBAY_LOCKED": "LLM_PROVIDER"}
        with caplog.at_level(logging.WARNING, "patchbay"), server(tmp_path, **AT_ONCE, **lock) as running:
            assert answered_by(running) == "openai"
            printed(config("set", "MAX_RETRIES", "1"))  # a second version says it no second time
            assert answered_by(running) == "openai"
            assert configuration(running)["changed"] == {"MAX_RETRIES": "1"}
            assert "PATCHBAY_LOCKED" in configuration(running)["left_out"]["LLM_PROVIDER"]
        assert caplog.text.count("LLM_PROVIDER is locked by PATCHBAY_LOCKED") == 1

    def test_who_locks_all_never_looks_again(self, config, tmp_path):
        printed(config("set", "LLM_PROVIDER", "together"))
        with server(tmp_path, **AT_ONCE, PATCHBAY_LOCKED="*") as running:
            assert answered_by(running) == "azure"
            assert running.service.due == float("inf")


class Held(BaseHTTPRequestHandler):
    """A provider whose streams wait in their middle until the test lets them go on."""

    go_on = threading.Event()

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self._chunk({"content": "first"})
        assert self.go_on.wait(20)
        self._chunk({"content": " last"})
        self._chunk({}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, delta, finish=None):
        chunk = {
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }  # fmt: skip
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, *_):
        pass


@contextmanager
def held():
    Held.go_on.clear()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Held)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_port}/v1"
    finally:
        Held.go_on.set()
        listening.shutdown()
        thread.join(10)
        listening.server_close()


def test_a_stream_ends_on_the_settings_it_began_with(config, tmp_path):
    with held() as openai, providers("together") as fleet:
        environ = {
            "OPENAI_BASE_URL": openai,
            "OPENAI_API_KEY": "sk-1",
            "TOGETHER_BASE_URL": f"{fleet.url('together')}/v1",
            "TOGETHER_API_KEY": "t",
            "LLM_PROVIDER": "openai",
        }
        with server(tmp_path, **AT_ONCE, **environ) as running:
            body = {**HELLO, "model": "auto", "stream": True}
            with running.http.stream("POST", "/v1/chat/completions", json=body) as stream:
                parts = stream.iter_text()
                text = next(parts)
                gate = within(running).gate
                (under_way,) = gate.counts
                for name, value in {"LLM_PROVIDER": "together", "OPENAI_ENABLED": "false"}.items():
                    printed(config("set", name, value))
                assert answered_by(running) == "together"
                assert gate.counts == {under_way: 1}  # what is under way is counted by the new gateway, too
                Held.go_on.set()
                text += "".join(parts)
            assert "first" in text and " last" in text and "[DONE]" in text
            receipt = running.receipt(stream.headers["x-patchbay-decision"])
            assert (receipt["outcome"], receipt["provider"]) == ("ok", "openai")
            assert gate.counts == {}


LAST = {"version": 7, "at": 1.5, "who": "x", "name": "OLD", "old": None, "new": "1", "reason": None}


class TestWhatAnotherVersionWrote:
    def test_bad_values_are_left_out_and_said_once(self, config, tmp_path, caplog):
        values = {"MAX_RETRIES": "lots", "OLD": "x", "TOGETHER_API_KEY": "s3cret", "LLM_PROVIDER": "together"}
        left_behind(tmp_path, {"v": 1, "version": 7, "values": values, "last": LAST})
        with caplog.at_level(logging.WARNING, "patchbay"), server(tmp_path, **AT_ONCE) as running:
            assert answered_by(running) == "together"
            shown = configuration(running)
            assert (shown["version"], shown["changed"]) == (7, {"LLM_PROVIDER": "together"})
            assert set(shown["left_out"]) == {"MAX_RETRIES", "OLD", "TOGETHER_API_KEY"}
            printed(config("set", "CHAT_PROVIDER", "openai"))
            assert answered_by(running) == "openai"
            assert "s3cret" not in str(configuration(running))
        assert caplog.text.count("expected a whole number from 0 to 100, got 'lots'") == 1
        assert "s3cret" not in caplog.text

    def test_a_newer_schema_stops_nobody(self, config, tmp_path, caplog):
        with caplog.at_level(logging.ERROR, "patchbay"), server(tmp_path, **AT_ONCE) as running:
            printed(config("set", "LLM_PROVIDER", "together"))
            assert answered_by(running) == "together"
            left_behind(tmp_path, {"v": 2, "version": 9, "settings": {}})
            assert answered_by(running) == "together"
            assert configuration(running)["version"] == 1
        assert "schema 2" in caplog.text
        assert "schema 2" in line(config("set", "LLM_PROVIDER", "azure"))
        with server(tmp_path) as running:  # and it can be started
            assert answered_by(running) == "azure"


def test_requests_go_on_while_one_looks(tmp_path, config):
    """With a store that takes its time, one request waits for it and no other."""
    with server(tmp_path, PATCHBAY_REFRESH="3600") as running:
        watch: Any = within(running).watch
        looking, go_on = threading.Event(), threading.Event()
        look = watch.look

        async def slow():
            looking.set()
            while not go_on.is_set():  # noqa: ASYNC110 - it is set from another thread
                await asyncio.sleep(0.001)
            return await look()

        watch.look = slow
        printed(config("set", "LLM_PROVIDER", "together"))
        running.service.due = 0.0
        answers = []
        first = threading.Thread(target=lambda: answers.append(answered_by(running)))
        first.start()
        assert looking.wait(10)
        assert [answered_by(running) for _ in range(3)] == ["azure"] * 3
        assert answers == []
        go_on.set()
        first.join(10)
        assert answers == ["together"]
        assert answered_by(running) == "together"
