"""The command line against a running server: for people, for programs, and when something is wrong."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from core.http.planned import CAPABILITIES
from core.providers.table import TABLE
from infra.local.place import announced, noted, trusted
from infra.local.simulators.faults import WORDS
from tests.harness import server
from tests.infra.results import data, empty, line, printed

KEY = "gate-cli-4d2f7a-secret"
COMMANDS = [
    ["providers"],
    ["models"],
    ["route"],
    ["decisions"],
    ["decisions", "0" * 32],
    ["simulate", "fault", "azure", "500"],
    ["simulate", "clear"],
    ["simulate", "status"],
]


def test_models_for_people(patchbay):
    head, *rows = printed(patchbay("models", "--retired"))
    assert head.split() == ["PROVIDER", "MODEL", "CAPABILITY", "TIER", "CONTEXT", "USD", "STATE"]
    shown = {tuple(row.split()[:2]): " ".join(row.split()[2:]) for row in rows}
    assert shown["openai", "gpt-6-luna"] == "chat fast 1050000 0.1/0.5 per 1M tokens active"
    assert shown["openai", "text-embedding-3-small"] == "embed - 8191 0.02 per 1M tokens active"
    # From that day on the same line says retired.
    assert re.search(r"15 per 1M characters (deprecated|retired) 2027-01-06$", shown["openai", "tts-1"])
    assert re.search(r"0.36 per hour \w+ 2027-02-26, then gpt-transcribe$", shown["openai", "whisper-1"])
    assert shown["openai", "gpt-4-turbo"].endswith("retired 2026-10-23, then gpt-6.1-sol")
    assert shown["azure", "nmt"].endswith("unknown active")
    assert shown["ollama", "llama3:70b"].endswith("free active")


def test_models_for_programs(patchbay):
    found = data(patchbay("models", "--json", "--skill", "code", "--tier", "FAST", "--max-cost", "0.0001"))
    assert {"gpt-6-luna", "openai/gpt-oss-20b"} <= {one["id"] for one in found}
    assert all(one["tier"] == "fast" and one["cost_per_1k_input"] <= 0.0001 for one in found)
    assert data(patchbay("models", "--json", "--provider", "azure-openai", "--capability", "speak"))


def test_voices(patchbay):
    head, *rows = printed(patchbay("voices", "--language", "de", "--gender", "female", "--provider", "azure"))
    assert head.split() == ["PROVIDER", "VOICE", "LANGUAGE", "GENDER", "STYLE", "SPEAKS"]
    assert {"de-DE-female-1", "de-DE-KatjaNeural"} <= {row.split()[1] for row in rows}
    assert all(" female " in row for row in rows)
    (alloy,) = data(patchbay("voices", "alloy", "--provider", "openai", "--json"))
    assert (alloy["name"], alloy["gender"]) == ("alloy", "neutral") and "de" in alloy["languages"]
    assert "no voice" in empty(patchbay("voices", "--language", "tlh"))
    assert rows == printed(patchbay("voices", "--language", "German", "--gender", "female", "--provider", "azure"))[1:]
    assert "language must be a language" in line(patchbay("voices", "--language", "xx-"))
    assert "not known" in line(patchbay("voices", "--provider", "nobody"))


def test_models_that_nobody_has(patchbay):
    assert "no model" in empty(patchbay("models", "--capability", "diarize"))
    assert "no model" in empty(patchbay("models", "gpt", "nonsense"))
    assert data(patchbay("models", "nonsense", "--json")) == []
    assert "'fast', 'standard', 'advanced'" in line(patchbay("models", "--tier", "huge"), 2)
    assert "'code', 'analysis'" in line(patchbay("models", "--skill", "art"), 2)


@pytest.mark.parametrize("by", ["foo", "provider,foo", ""])
def test_usage_by_what_is_no_group_is_a_wrong_command_line(patchbay, by):
    result = patchbay("usage", "--by", by)
    assert result.exit_code == 2
    assert "--by" in result.stderr and "provider, model, account" in result.stderr


def test_providers_for_people(patchbay):
    head, *rows = printed(patchbay("providers"))
    assert head.split() == ["PROVIDER", "STATE", "MODEL", "CAPABILITIES"]
    assert [row.split()[0] for row in rows] == [row.name for row in TABLE for _ in row.parts()]
    assert [" ".join(row.split()[:3]) for row in rows[:3]] == [
        "azure simulated gpt-5.4-mini", "azure speech simulated", "azure translation simulated",
    ]  # fmt: skip
    rows = [row for row in rows if not row.startswith(("azure speech", "azure translation"))]
    states = {row.split()[0]: row for row in rows}
    assert all(states[name].split()[1] == "simulated" for name in ("azure", "together", "openai"))
    assert "needs GROQ_API_KEY" in states["groq"] and "needs OLLAMA_BASE_URL" in states["ollama"]
    assert all("chat" in states[row.name] for row in TABLE)


def test_providers_for_programs(patchbay):
    rows = data(patchbay("providers", "--json"))
    assert isinstance(rows, list)
    assert [one["name"] for one in rows] == [row.name for row in TABLE]
    assert all(one["accounts"] for one in rows)


def test_route_for_people(patchbay, gateway):
    before = gateway.fleet.status()
    head, *rows = printed(patchbay("route", "Explain DNS"))
    assert head.split() == ["TARGET", "UP", "TO", "USD", "WHY"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", *"-" * (len(TABLE) - 3)]
    why = [row[head.index("WHY") :].strip() for row in rows]
    assert all("fallback chain" in reason for reason in why[:3])
    assert "ANTHROPIC_API_KEY" in why[3] and "OLLAMA_BASE_URL" in why[-1]
    assert "azure/gpt-5.4-mini" in rows[0]
    assert gateway.fleet.status() == before


@pytest.mark.parametrize(
    ("options", "first", "candidates"),
    [
        ([], "azure", 3),
        (["--provider", "openai"], "openai", 3),
        (["--model", "together/auto"], "together", 3),
        (["--provider", "openai", "--no-fallback"], "openai", 1),
        (["--tier", "fast"], "azure", 3),
        (["--max-cost", "0"], None, 0),
    ],
    ids=str,
)
def test_route_for_programs(patchbay, options, first, candidates):
    plan = data(patchbay("route", *options, "--json"))
    assert isinstance(plan, dict)
    assert len(plan["candidates"]) == candidates
    assert [one["provider"] for one in plan["candidates"][:1]] == ([first] if first else [])
    assert all(one["reasons"] for one in [*plan["candidates"], *plan["excluded"]])


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_route_for_all_that_can_be_asked_for(patchbay, capability):
    assert data(patchbay("route", "--capability", capability, "--json"))["candidates"], capability


def test_route_shows_what_is_wrong(patchbay):
    assert "nope" in line(patchbay("route", "--provider", "nope"))
    assert "nope" in line(patchbay("route", "--model", "nope", "--json"))
    assert patchbay("route", "--max-cost", "-1").exit_code == 2
    assert patchbay("route", "--max-cost", "nan").exit_code == 2
    assert patchbay("route", "--tier", "nope").exit_code == 2


def test_route_of_a_prompt_that_looks_like_anything(patchbay):
    for prompt in ("", "--", "{}", "\u00fcber \U0001f600", "a" * 5000):
        assert data(patchbay("route", "--json", "--", prompt))["candidates"]


def test_decisions_for_people(patchbay, gateway):
    gateway.fault("azure", "500", times=1)
    made = gateway.chat().json()["decision_id"]
    failed = gateway.chat(max_cost=0, provider="openai", fallback=False).json()["error"]["decision_id"]
    head, *rows = printed(patchbay("decisions"))
    (latest,) = [row for row in rows if row.startswith(failed)]
    (before,) = [row for row in rows if row.startswith(made)]
    assert head.split() == ["DECISION", "WHEN", "OUTCOME", "TARGET", "MS", "USD", "ATTEMPTS"]
    assert latest.split()[0] == failed and latest.split()[3:5] == ["error", "-"]
    assert re.search(rf"^{made}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  ok ", before)
    assert "together/" in before and before.endswith("azure:ServerFault, together:ok")
    assert len(printed(patchbay("decisions", "--limit", "1"))) == 2


def test_decisions_for_programs(patchbay, gateway):
    made = gateway.chat().json()["decision_id"]
    rows = data(patchbay("decisions", "--json", "--limit", "2"))
    assert isinstance(rows, list) and len(rows) == 2
    assert rows[0]["decision_id"] == made


def test_an_attempt_that_was_cancelled_is_not_ok(stand_in, run):
    attempts = [{"provider": "azure", "account": "west", "error": None, "outcome": "cancelled"}]
    stand_in.health = json.dumps(
        {
            "version": "0", "ready": True,
            "decisions": [
                {
                    "decision_id": "0" * 32, "at": 0, "outcome": "cancelled", "provider": None, "model": None,
                    "account": None, "ms": 1.0, "cost_nano": None, "attempts": attempts,
                }
            ],
        }
    ).encode()  # fmt: skip
    assert printed(run("decisions", PORT=stand_in.port))[1].endswith("azure:west:cancelled")


def test_route_of_embeddings_and_of_long_answers(patchbay):
    plan = data(patchbay("route", "--capability", "embed", "--json"))
    assert plan["capability"] == "embed" and plan["candidates"]
    short, long = (
        data(patchbay("route", "--json", "--max-tokens", n))["candidates"][0]["cost_estimate_nano"]
        for n in ("1", "1000")
    )
    assert short < long


def test_one_decision_for_people(patchbay, gateway):
    gateway.fault("azure", "429", times=1)
    made = gateway.chat(tier="fast").json()
    shown = "\n".join(printed(patchbay("decisions", made["decision_id"])))
    assert re.search(r"^outcome +ok$", shown, re.MULTILINE)
    assert re.search(r"^answered by +\S+ \(simulated\)$", shown, re.MULTILINE)
    assert re.search(r"^asked +tier=fast", shown, re.MULTILINE)
    assert re.search(r"^1 +azure/\S+ +failed +\d+ +next +RateLimited 429: ", shown, re.MULTILINE)
    assert re.search(r"^1 +azure/\S+ +number 1 in the fallback chain$", shown, re.MULTILINE)
    assert re.search(r"^- +groq/\S+ +set GROQ_API_KEY$", shown, re.MULTILINE)


def test_one_decision_for_programs(patchbay, gateway):
    made = gateway.chat().json()
    receipt = data(patchbay("decisions", made["decision_id"], "--json"))
    assert receipt["decision_id"] == made["decision_id"] and receipt["outcome"] == "ok"
    assert receipt["attempts"] == made["attempts"]
    assert all(one["reasons"] for one in receipt["candidates"])


@pytest.mark.parametrize(
    "decision", ["0" * 32, "nope", "", "a b", "\u00fc", "a/b", "..", "../status", "x?limit=1", "#"]
)
def test_a_decision_that_is_not_there(patchbay, decision):
    assert "not" in line(patchbay("decisions", decision))


def test_no_decisions_yet(tmp_path, run):
    with server(tmp_path / "home") as fresh:
        port = str(urlsplit(fresh.url).port)
        assert data(run("decisions", "--json", PORT=port)) == []
        assert "patchbay chat" in empty(run("decisions", PORT=port))


def test_a_fault_comes_shows_hits_and_goes(patchbay, gateway):
    assert printed(patchbay("simulate", "fault", "azure", "429:2", "--times", "2")) == ["azure: 429:2 is on"]
    assert gateway.chat().json()["provider"] == "together"
    head, azure, *_ = printed(patchbay("simulate", "status"))
    assert head.split() == ["PROVIDER", "REQUESTS", "FAULTS", "URL"]
    assert azure.startswith("azure") and "429:2 x1" in azure
    assert printed(patchbay("simulate", "clear", "azure")) == ["azure: no faults"]
    assert gateway.chat().json()["provider"] == "azure"
    assert printed(patchbay("simulate", "clear")) == ["every provider: no faults"]


def test_faults_for_programs(patchbay):
    options = ["--rate", "0.3", "--capability", "chat", "--times", "2"]
    made = data(patchbay("simulate", "fault", "together", "cut_stream", *options, "--json"))
    assert made == {
        "provider": "together",
        "fault": "cut_stream",
        "rate": 0.3,
        "capability": "chat",
        "times": 2,
        "fired": 0,
    }
    status = data(patchbay("simulate", "status", "--json"))
    assert isinstance(status, dict) and status["providers"]["together"]["faults"] == [made]
    cleared = data(patchbay("simulate", "clear", "--json"))
    assert isinstance(cleared, dict) and cleared["providers"]["together"]["faults"] == []


@pytest.mark.parametrize("fault", [*WORDS, "400", "500", "599", "429:0.5", "stream_error@0"])
def test_every_fault_can_be_switched(patchbay, fault):
    assert data(patchbay("simulate", "fault", "openai", fault, "--json"))["fault"] == fault


@pytest.mark.parametrize("fault", ["nope", "200", "600", "429:", "429:x", "hang@2", "", "500 "])
@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_a_fault_that_is_none_lists_those_that_are(patchbay, gateway, fault, flag):
    message = line(patchbay("simulate", "fault", "azure", fault, *flag))
    assert all(word in message for word in (*WORDS, "429:2", "400..599"))
    assert gateway.fleet.status()["providers"]["azure"]["faults"] == []


def test_the_help_lists_every_fault(patchbay):
    text = " ".join(patchbay("simulate", "fault", "--help").stdout.split())
    assert not [word for word in WORDS if word not in text]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nope", "500"], "azure"),
        (["azure", "500", "--capability", "nope"], "chat"),
        (["azure", "refuse", "--times", "2"], "times"),
    ],
    ids=str,
)
def test_a_fault_that_cannot_be(patchbay, gateway, arguments, word):
    assert word in line(patchbay("simulate", "fault", *arguments))
    assert not any(one["faults"] for one in gateway.fleet.status()["providers"].values())


@pytest.mark.parametrize("rate", ["0", "1.5", "-1", "nan", "inf", "x"])
def test_a_rate_that_cannot_be(patchbay, rate):
    result = patchbay("simulate", "fault", "azure", "500", "--rate", rate)
    assert result.exit_code == 2 and "--rate" in result.stderr


def test_clearing_an_unknown_provider(patchbay):
    assert "azure" in line(patchbay("simulate", "clear", "nope"))


def test_the_note_in_the_home_leads_to_the_server(gateway, run, tmp_path):
    home = tmp_path / "state"
    with announced(home, gateway.url):
        assert printed(run("providers", PATCHBAY_HOME=str(home)))
        (tmp_path / ".env").write_text(f"PATCHBAY_HOME={home}\n")
        assert printed(run("providers"))
    (tmp_path / ".env").unlink()
    with announced(tmp_path / ".patchbay", gateway.url):  # the default home
        assert printed(run("providers"))
    assert not list((tmp_path / ".patchbay").glob("server-*"))


def test_a_port_wins_over_the_note(gateway, run, tmp_path):
    with announced(tmp_path, "http://127.0.0.1:9"):
        port = str(urlsplit(gateway.url).port)
        assert printed(run("providers", PATCHBAY_HOME=str(tmp_path), PORT=port))


def test_the_other_name_of_the_port_wins_too(gateway, run, tmp_path):
    with announced(tmp_path, "http://127.0.0.1:9"):
        port = str(urlsplit(gateway.url).port)
        assert printed(run("providers", PATCHBAY_HOME=str(tmp_path), AI_PROVIDER_PORT=port))


@pytest.mark.parametrize("command", COMMANDS[-3:], ids=" ".join)
@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_what_only_a_server_has(run, closed, command, flag):
    message = line(run(*command, *flag, PORT=closed), 3)
    assert closed in message and "patchbay serve" in message


@pytest.mark.parametrize("command", [["providers"], ["models"], ["decisions"]], ids=" ".join)
def test_without_a_server_the_command_answers_itself(run, closed, command):
    assert isinstance(data(run(*command, "--json", PORT=closed)), list)


def test_the_note_of_another_process_is_not_believed(stand_in, tmp_path):
    """Whose port, or whose number, somebody else has got since."""
    url = f"http://127.0.0.1:{stand_in.port}"
    with announced(tmp_path, url):
        (note,) = tmp_path.glob("server-*.json")
        facts = json.loads(note.read_text())
        assert noted(tmp_path) == url
        for wrong in ({"started": "1"}, {"pid": 2**22 + 1}, {"pid": 0}, {"pid": -1}, {"pid": "1"}, {"url": 7}):
            note.write_text(json.dumps(facts | wrong))
            assert noted(tmp_path) is None


def test_servers_of_one_home_have_a_note_each(tmp_path):
    """The one that was started last is asked; when it ends, the one before is."""
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            before = tmp_path / f"server-{other.pid}.json"
            before.write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": other.pid, "started": None}))
            os.utime(before, (1, 1))
            with announced(tmp_path, "http://127.0.0.1:2"):
                assert noted(tmp_path) == "http://127.0.0.1:2"
            assert noted(tmp_path) == "http://127.0.0.1:1"
        finally:
            other.kill()
    assert noted(tmp_path) is None
    with announced(tmp_path, "http://127.0.0.1:2"):
        assert not before.exists()  # of one that was killed


@pytest.mark.parametrize(
    ("url", "host", "may"),
    [
        ("http://127.0.0.1:1", "127.0.0.1", True),
        ("http://[::1]:1", "127.0.0.1", True),
        ("http://localhost:1", "127.0.0.1", True),
        ("http://192.0.2.7:1", "192.0.2.7", True),
        ("http://192.0.2.7:1", "0.0.0.0", False),
        ("http://example.com:1", "127.0.0.1", False),
        ("http://127.0.0.1@example.com:1", "127.0.0.1", False),
        ("http://127.0.0.1.example.com:1", "127.0.0.1", False),
        ("https://127.0.0.1:1", "127.0.0.1", False),
        ("http://[x", "127.0.0.1", False),
        ("nonsense", "127.0.0.1", False),
    ],
)
def test_a_note_leads_to_this_machine_or_to_host(url, host, may):
    assert trusted(url, host) is may


@pytest.mark.parametrize("command", [["providers"], ["chat", "a secret plan"], ["doctor", "--offline"]], ids=" ".join)
def test_the_key_and_the_prompt_go_to_a_patchbay_only(run, stranger, monkeypatch, command):
    monkeypatch.setattr(Other, "answer", (200, b"hello"))
    monkeypatch.setattr(Other, "heard", [])
    assert run(*command, PORT=str(stranger.server_address[1]), PATCHBAY_API_KEY=KEY).exit_code
    assert [one.splitlines()[0] for one in Other.heard] == ["GET /health"]
    assert "authorization" not in Other.heard[0].lower() and KEY not in Other.heard[0]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"url": 7}', '{"url": "nonsense"}', "\x00"])
def test_a_note_that_is_damaged(run, closed, tmp_path, text):
    (tmp_path / "server-1.json").write_text(text)
    (tmp_path / ".env").write_text(f"PORT={closed}\n")  # so that no server of the developer's answers instead
    line(run("simulate", "status", PATCHBAY_HOME=str(tmp_path)), 3)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "abc"), ("PORT", "70000"), ("PATCHBAY_TOTAL_TIMEOUT", "never"), ("LOG_LEVEL", "x")]
)
def test_a_bad_setting(run, name, value):
    assert name in line(run("providers", **{name: value}))


class Other(BaseHTTPRequestHandler):
    """Another program on the port."""

    answer = (200, b"")

    heard: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.heard.append(f"{self.command} {self.path}\n{self.headers}")
        status, body = self.answer
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[HTTPServer]:
    other = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=other.serve_forever, args=(0.01,))
    thread.start()
    yield other
    other.shutdown()
    thread.join()
    other.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        (200, b""),
        (200, b"<html>hello</html>"),
        (404, b"not found"),
        (500, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b"null"),
        (404, b'{"detail": "Not Found"}'),
        (404, b"[]"),
        (401, b'{"error": "no"}'),
        (400, b"null"),
    ],
    ids=repr,
)
def test_another_program_on_the_port(run, stranger, monkeypatch, answer):
    monkeypatch.setattr(Other, "answer", answer)
    port = str(stranger.server_address[1])
    assert port in line(run("providers", PORT=port), 3)
    assert port in line(run("chat", "hello", PORT=port), 3)


def test_with_a_gateway_key(tmp_path, run):
    with server(tmp_path / "home", PATCHBAY_API_KEY=KEY) as keyed:
        port = str(urlsplit(keyed.url).port)
        assert "key" in line(run("providers", PORT=port))
        message = line(run("providers", PORT=port, PATCHBAY_API_KEY="wrong-0123456789"))
        assert "key" in message and "wrong-0123456789" not in message
        assert printed(run("providers", PORT=port, PATCHBAY_API_KEY=KEY))
        (tmp_path / ".env").write_text(f"PATCHBAY_API_KEY={KEY}\n")
        assert KEY not in "".join(printed(run("providers", PORT=port)))
        assert data(run("simulate", "status", "--json", PORT=port))


def test_without_simulators(tmp_path, run):
    with server(tmp_path / "home", AZURE_OPENAI_KEY="k") as live:
        port = str(urlsplit(live.url).port)
        for command in (["status"], ["clear"], ["fault", "azure", "500"]):
            assert "real providers" in line(run("simulate", *command, PORT=port))
        rows = printed(run("providers", PORT=port))
        assert any("needs AZURE_OPENAI_ENDPOINT" in row for row in rows)


@pytest.mark.parametrize(
    "arguments", [[], ["-h"], ["--help"], ["serve", "-h"], ["route", "--help"], ["simulate", "-h"]]
)
def test_help(run, arguments):
    result = run(*arguments)
    assert "Usage" in result.output and "Traceback" not in result.output
    assert result.exit_code == (0 if arguments else 2)


@pytest.mark.parametrize(
    "arguments", [["nope"], ["providers", "x"], ["decisions", "--limit", "0"], ["simulate", "fault"], ["--nope"]]
)
def test_a_command_that_is_not_there(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2 and "--help" in result.stderr and result.stdout == ""
    assert arguments == ["--nope"] or len(result.stderr.splitlines()) == 1


def test_the_installed_command(gateway, tmp_path):
    """The script itself, as people and programs run it."""
    script = str(Path(sys.executable).with_name("patchbay"))
    env = {"PATH": os.environ["PATH"], "PORT": str(urlsplit(gateway.url).port)}

    def ran(*args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *args], env={**env, **more}, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False
        )

    done = ran("providers", "--json")
    assert done.returncode == 0 and done.stderr == "" and len(json.loads(done.stdout)) == len(TABLE)
    done = ran("simulate", "fault", "azure", "nope")
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert ran("--version").stdout.strip()
