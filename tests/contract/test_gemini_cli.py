"""A login to Gemini's own program in place of a key; the program here is one that only looks like it."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import pytest

from core.errors import ProgramUnusable
from core.net.program import leaving
from core.providers.registry import Registry
from tests.contract.cases import NATIVE, OPENAI
from tests.contract.cells import WEATHER, image, text, user
from tests.contract.rooms import room

PROGRAM = '''
"""Does as it is told in what it is asked."""
import json, os, subprocess, sys, time
from pathlib import Path

def say(kind, **fields):
    print(json.dumps({"type": kind, "timestamp": "2026-11-20T00:00:00Z", **fields}), flush=True)

def seen(**more):
    folder = Path.cwd()
    files = sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())
    found = {"arguments": sys.argv[1:], "environ": dict(os.environ), "files": files, "pid": os.getpid(), **more}
    new = Path(__file__).with_name("seen.new")
    new.write_text(json.dumps(found))
    new.replace(new.with_name("seen.json"))

if "--version" in sys.argv:
    print("0.61.0")
    sys.exit(3 if Path(__file__).with_name("broken").exists() else 0)
asked = sys.stdin.read()
settings = json.loads(Path(".gemini/settings.json").read_text())
seen(asked=asked, system=Path(os.environ["GEMINI_SYSTEM_MD"]).read_text(), settings=settings)
print("Warning: 256-color support not detected.", file=sys.stderr)
if "LOGIN" in asked:
    print("Please set an Auth method, not AIza" + "S" * 35, file=sys.stderr)
    sys.exit(41)
if "CRASH" in asked:
    print("Something broke\\n    at somewhere (file.js:1:2)", file=sys.stderr)
    sys.exit(1)
print("Hello, dear people")
if "GARBAGE" in asked:
    print("{half a", flush=True)
    sys.exit(0)
say("init", session_id="s", model=sys.argv[2])
say("message", role="user", content=asked)
if "HANG" in asked:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    seen(child=child.pid)
    time.sleep(600)
if "QUOTA" in asked:
    say("result", status="error", error={"type": "unknown", "message": "[API Error: You exceeded your current quota]"})
    sys.exit(1)
for word in ("It ", "says ", "x" * 100_000 if "LONG" in asked else asked):
    say("message", role="assistant", content=word, delta=True)
if "CUT" in asked:
    sys.exit(0)
say("result", status="success", stats={"total_tokens": 40, "input_tokens": 20, "output_tokens": 15, "cached": 8})
'''


@pytest.fixture
def program(tmp_path):
    if sys.platform == "win32":
        pytest.skip("a script is no program there")
    made = tmp_path / "bin" / "gemini"
    made.parent.mkdir()
    made.write_text(f"#!{sys.executable}\n{PROGRAM}")
    made.chmod(0o755)
    return made


def seen(program):
    return json.loads(program.with_name("seen.json").read_text())


def in_room(tmp_path, program, work, **environ):
    """What a piece of work gives in a gateway whose only provider is the program."""

    async def scenario():
        settings = {"GEMINI_COMMAND": str(program), "GEMINI_MODEL": "gemini-2.5-flash", "MAX_RETRIES": "0", **environ}
        async with room(Registry(), tmp_path, settings) as here:
            found = await work(here)
        await asyncio.gather(*leaving)
        return found

    return asyncio.run(scenario())


def ask(tmp_path, program, words, *, mode="plain", route=OPENAI, environ=None, **fields):
    body = {"messages": [user(words)], **fields}
    return in_room(tmp_path, program, lambda here: here.ask(route, mode, **body), **(environ or {}))


def test_an_answer_and_its_cost(tmp_path, program):
    answer = ask(tmp_path, program, "Hello", route=NATIVE, max_tokens=9)
    assert (answer.status, answer.body["content"], answer.body["provider"]) == (200, "It says Hello", "gemini")
    usage = answer.body["usage"]
    counts = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    assert [usage[name] for name in counts] == [12, 8, 15, 5]
    assert answer.body["cost"]["nano_usd"] == 12 * 300 + 8 * 30 + 20 * 2500
    assert answer.body["warnings"] == [
        "max_tokens was not sent: gemini/gemini-2.5-flash does not take it",
        "the cost is what its API would take; a login may have a plan of its own",
    ]


def test_it_gets_the_words_and_nothing_else(tmp_path, program, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-somebody-s")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "mine")
    ask(tmp_path, program, "Hello")
    given = seen(program)
    assert given["arguments"] == ["-m", "gemini-2.5-flash", "-o", "stream-json"]
    assert (given["asked"], given["system"]) == ("Hello", "Answer the user.")
    assert given["files"] == [".gemini/settings.json"]
    assert given["settings"]["tools"] == {"core": ["none"]}
    assert "OPENAI_API_KEY" not in given["environ"]
    assert given["environ"]["GOOGLE_CLOUD_PROJECT"] == "mine"
    assert given["environ"]["PATH"] == os.environ["PATH"]
    assert not Path(given["environ"]["GEMINI_SYSTEM_MD"]).parent.exists()


def test_a_conversation_is_one_text(tmp_path, program):
    messages = [
        {"role": "system", "content": "Be kind"},
        user("Hello"),
        {"role": "assistant", "content": "Hi"},
        user("Bye"),
    ]
    answer = ask(tmp_path, program, "", route=NATIVE, messages=messages)
    assert seen(program)["asked"] == "User: Hello\n\nAssistant: Hi\n\nUser: Bye\n\nAssistant:"
    assert seen(program)["system"] == "Be kind"
    assert answer.body["warnings"][0].startswith("messages were sent as one text")


def test_what_was_called_is_told_in_words(tmp_path, program):
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
    result = {"role": "tool", "tool_call_id": "c", "content": "42"}
    messages = [user("Hello"), {"role": "assistant", "content": None, "tool_calls": [call]}, result]
    answer = ask(tmp_path, program, "", route=NATIVE, messages=messages)
    told = 'User: Hello\n\nAssistant: [called weather with {"city":"Oslo"}]\n\nTool: 42\n\nAssistant:'
    assert seen(program)["asked"] == told
    assert answer.body["warnings"][0].startswith("messages[1].tool_calls was written into the prompt")


def test_a_stream(tmp_path, program):
    answer = ask(tmp_path, program, "Hello", mode="stream", stream_options={"include_usage": True})
    assert (answer.text, answer.done, answer.errors) == ("It says Hello", True, [])
    assert answer.events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert answer.events[-2]["choices"][0]["finish_reason"] == "stop"
    assert answer.events[-1]["usage"]["total_tokens"] == 40


@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize(
    ("words", "error", "fault", "status", "why"),
    [
        ("LOGIN", "CredentialRefused", "account", 502, "ended with 41: Please set an Auth method, not ***"),
        ("CRASH", "ServerFault", "provider", 502, "the program ended with 1: Something broke"),
        ("GARBAGE", "StreamCut", "network", 502, "the program ended without a result"),
        ("QUOTA", "RateLimited", "account", 429, "[API Error: You exceeded your current quota]"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told(tmp_path, program, mode, words, error, fault, status, why):
    answer = ask(tmp_path, program, words, mode=mode)
    assert answer.status == status
    (attempt,) = answer.error["attempts"]
    assert (attempt["error"], attempt["fault"]) == (error, fault)
    assert attempt["why"].endswith(why)
    assert ("start the program once by hand" in answer.error["message"]) == (words == "LOGIN")


def test_an_answer_that_breaks_off(tmp_path, program):
    answer = ask(tmp_path, program, "CUT", mode="stream")
    assert (answer.text, answer.done, answer.errors[0]["class"]) == ("It says CUT", False, "StreamCut")


def test_an_answer_that_is_too_long(tmp_path, program):
    answer = ask(tmp_path, program, "LONG", environ={"PATCHBAY_MAX_ANSWER_BYTES": "50000"})
    assert answer.error["attempts"][0]["error"] == "Malformed"


@pytest.mark.parametrize(
    ("environ", "headers", "error"),
    [
        ({}, {"x-patchbay-timeout-ms": "300"}, "AttemptTimeout"),
        ({"PATCHBAY_IDLE_TIMEOUT": "0.3"}, {}, "IdleTimeout"),
    ],
)
def test_one_that_hangs_is_not_waited_for(tmp_path, program, environ, headers, error):
    async def work(here):
        return await here.http.post(OPENAI, json={"messages": [user("HANG")]}, headers=headers)

    answer = in_room(tmp_path, program, work, **environ)
    assert answer.json()["error"]["attempts"][0]["error"] == error


@pytest.mark.parametrize("mode", ["plain", "stream"])
def test_it_ends_with_all_that_it_started_when_nobody_waits_any_more(tmp_path, program, mode):
    async def work(here):
        asking = asyncio.create_task(here.ask(OPENAI, mode, messages=[user("HANG")]))
        while not (program.with_name("seen.json").exists() and "child" in seen(program)):
            assert not asking.done()
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return seen(program)

    given = in_room(tmp_path, program, work)
    while runs(given["pid"]) or runs(given["child"]):
        time.sleep(0.01)


def runs(pid):
    """Whether a process is there, and not only its name until somebody has asked how it ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_program_that_is_not_there_is_the_account_s_fault(tmp_path, program):
    answer = ask(tmp_path, "no-such-program", "Hello")
    assert answer.status == 502
    (attempt,) = answer.error["attempts"]
    assert (attempt["error"], attempt["fault"]) == ("ProgramUnusable", "account")
    assert attempt["why"] == "there is no program no-such-program where this gateway runs"
    assert ProgramUnusable.advice in answer.error["message"]
    program.chmod(0o755)
    program.write_text("#!/no/such/interpreter\n")
    assert "cannot be started" in ask(tmp_path, program, "Hello").error["attempts"][0]["why"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tools": [WEATHER]}, "does not take tools"),
        ({"messages": [user(text("Look"), image())]}, "does not take vision"),
        ({"response_format": {"type": "json_object"}}, "does not take json_mode"),
    ],
)
def test_what_it_cannot_do_is_planned_around(tmp_path, program, fields, why):
    answer = ask(tmp_path, program, "Hello", **fields)
    excluded = {one["provider"]: one["reason"] for one in answer.error["excluded"]}
    assert (answer.status, excluded["gemini"]) == (400, why)
    assert not program.with_name("seen.json").exists()


def test_it_gives_no_vectors(tmp_path, program):
    async def work(here):
        return await here.http.post("/v1/embeddings", json={"input": "Hello", "model": "gemini/gemini-embedding-001"})

    answer = in_room(tmp_path, program, work)
    assert "Google Gemini's own program has no embeddings" in answer.json()["error"]["message"]


def test_that_it_runs_is_seen_for_nothing(tmp_path, program):
    async def look(here):
        gateway = await here.service.open()
        return await gateway.registry.adapter("gemini", "default").models()

    assert in_room(tmp_path, program, look) == []
    program.with_name("broken").touch()
    with pytest.raises(Exception, match="the program ended with 3"):
        in_room(tmp_path, program, look)
