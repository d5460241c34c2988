"""`patchbay invoke` as a person uses it: in a shell, with files and pipes."""

import json
import subprocess
import sys

import pytest

from infra.local.sandbox import ROOT
from tests.functions.helpers import providers
from tests.runtime.lambdas import EVENTS


@pytest.fixture
def invoke(tmp_path):
    def run(*arguments, given=None, **environ):
        return subprocess.run(
            [sys.executable, "-m", "infra.local.cli", "invoke", *map(str, arguments)],
            cwd=tmp_path, input=given, capture_output=True, text=True, timeout=50,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **environ},
        )  # fmt: skip

    return run


def test_simulators_answer_when_nothing_is_configured(invoke, tmp_path):
    done = invoke("chat", EVENTS / "chat.json")
    assert done.returncode == 0, done.stderr
    first, _, body = done.stdout.partition("\n")
    assert first == "status 200"
    assert json.loads(body)["simulated"] is True
    written = [json.loads(line) for line in done.stderr.splitlines()]
    assert {line.get("event") for line in written if "_aws" not in line} == {"attempt", "request"}
    assert (tmp_path / ".patchbay/state.db").exists()


def test_the_file_of_this_folder_holds_there_too(invoke, tmp_path):
    (tmp_path / "patchbay.yaml").write_text("routing: {llm_provider: together}")
    done = invoke("chat", EVENTS / "chat.json")
    assert json.loads(done.stdout.partition("\n")[2])["provider"] == "together"


def test_what_it_did_is_in_the_records(invoke, tmp_path):
    """The process ends with its answer, and what it wrote must be there then."""
    done = [invoke("chat", "-v", EVENTS / "chat.json") for _ in range(3)]
    made = {
        line.partition(": ")[2] for one in done for line in one.stdout.splitlines() if "x-patchbay-decision" in line
    }
    told = subprocess.run(
        [sys.executable, "-m", "infra.local.cli", "decisions", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=50,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PORT": "1"},
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert {one["decision_id"] for one in json.loads(told.stdout)} == made
    assert len(made) == 3


@pytest.mark.parametrize("given", [[], ["FN=chat"], ["EVENT=events/chat.json"]])
def test_make_says_what_to_write(given):
    done = subprocess.run(
        ["make", "--no-print-directory", "invoke", *given], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, "make invoke FN=chat EVENT=events/chat.json" in done.stdout) == (2, True), done.stderr


def test_headers_are_shown_when_asked_for(invoke):
    done = invoke("chat", "-v", EVENTS / "chat-stream.json")
    head, _, body = done.stdout.partition("\n\n")
    assert "x-patchbay-provider: azure" in head.splitlines()
    assert body.startswith("data: ")
    assert body.rstrip().endswith("data: [DONE]")


def test_json_is_lambdas_answer_and_nothing_else(invoke):
    done = invoke("catalog", EVENTS / "catalog-status.json", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["statusCode"]) == (0, 200)
    assert "simulated" in answer["body"]


def test_an_event_comes_through_a_pipe(invoke):
    done = invoke("chat", "-", given=(EVENTS / "chat-bad-json.json").read_text())
    assert (done.returncode, done.stdout.partition("\n")[0]) == (0, "status 400")


def test_what_is_configured_in_dotenv_answers(invoke, tmp_path):
    with providers("openai") as fleet:
        (tmp_path / ".env").write_text(
            f"OPENAI_BASE_URL={fleet.url('openai')}/v1\nOPENAI_API_KEY=sk-test-1\nPATCHBAY_API_KEY=another\n"
        )
        done = invoke("chat", EVENTS / "chat.json", "--json")
        assert fleet.status()["providers"]["openai"]["requests"] == 1
    answer = json.loads(done.stdout)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["simulated"] is False
    assert "sk-test-1" not in done.stdout + done.stderr


def test_a_gateway_that_fails_is_exit_code_1(invoke):
    done = invoke(
        "chat", EVENTS / "chat.json",
        OPENAI_API_KEY="sk-test-1", OPENAI_BASE_URL="http://127.0.0.1:1/v1", MAX_RETRIES="0",
    )  # fmt: skip
    assert (done.returncode, done.stdout.partition("\n")[0]) == (1, "status 502")


def test_a_function_that_fails_is_exit_code_1(invoke):
    done = invoke("chat", EVENTS / "chat-not-http.json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("patchbay: the function failed: UnknownEvent: This function")
    told = invoke("chat", EVENTS / "chat-not-http.json", "--json")
    assert (told.returncode, json.loads(told.stdout)["errorType"]) == (1, "UnknownEvent")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nothing", "-"), 1, "patchbay: there is no function 'nothing'; there are catalog, chat"),
        (("chat", "-"), 1, "patchbay: <stdin> is not JSON"),
        (("chat", "nowhere.json"), 2, "nowhere.json"),
        (("chat",), 2, "Missing argument 'EVENT'"),
    ],
)
def test_what_cannot_be_invoked_says_so(invoke, arguments, code, words):
    done = invoke(*arguments, given="Hello")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_does_not_fit_is_one_line(invoke):
    done = invoke("chat", EVENTS / "chat.json", MAX_RETRIES="many")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("patchbay: MAX_RETRIES (environment): expected a whole number")
    assert len(done.stderr.splitlines()) == 1
