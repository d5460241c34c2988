"""`patchbay doctor`: every check where all is well and where it is not, with the fix."""

import errno
import json
import re
import shutil
import sqlite3
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core import __version__
from core.net.transport import Incoming
from infra.local import doctor
from tests.harness import server
from tests.infra.results import data

KEY = "sk-doctor-1f9a77-secret"


@pytest.fixture
def examine(run, closed):
    """Runs it with these settings and no server; gives its findings by name, and whether it ended well."""

    def invoke(*args: str, port: str = closed, **environ: str):
        result = run("doctor", "--json", *args, PORT=port, **environ)
        assert KEY not in result.output
        assert result.stderr == ""
        assert result.exit_code in {0, 1}, result.exception
        found = json.loads(result.stdout)
        assert found["ok"] is (result.exit_code == 0)
        assert found["ok"] is all(one["state"] != "fail" for one in found["findings"])
        assert all(one["fix"] for one in found["findings"] if one["state"] == "fail")
        said = [one["said"] for one in found["findings"] if one["state"] == "warn"]
        by_name = {one["name"]: one for one in reversed(found["findings"])}  # of several of a name the first
        return {**by_name, "warnings": {"said": said, "state": "ok"}}

    return invoke


@pytest.fixture
def openai(gateway):
    """Settings for a provider that is a simulator."""
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": gateway.fleet.url("openai") + "/v1"}


def test_a_fresh_machine(examine):
    found = examine()
    assert [one for one in found.values() if one["state"] == "fail"] == []
    assert found["python"]["state"] == found["packages"]["state"] == "ok"
    assert f"patchbay {__version__}" in found["packages"]["said"] and "aiohttp 3" in found["packages"]["said"]
    assert "no .env" in found["configuration"]["said"]
    assert "is free" in found["server"]["said"]
    assert found["providers"]["state"] == "warn" and "OPENAI_API_KEY" in found["providers"]["fix"]
    assert found["strategy"]["said"] == "fallback"
    assert found["chat chain"]["said"].endswith("openai/gpt-6-luna (simulators)")
    assert not Path(".patchbay").exists()


def test_files_and_their_accounts(examine, openai):
    """A key is called as it is in the file."""
    Path("patchbay.yaml").write_text("service: {prot: 1}\nproviders: {quick: {type: openai, api_key: '${MINE}'}}")
    found = examine(OPENAI_BASE_URL=openai["OPENAI_BASE_URL"], MINE=KEY, LLM_PROVIDER="quick")
    assert any("service.prot is not known" in one for one in found["warnings"]["said"])
    assert found["openai:quick"]["said"].startswith("providers.quick.api_key works")
    assert found["chat chain"]["said"].startswith("openai:quick/")


def test_for_people(run, closed):
    result = run("doctor", "--offline", PORT=closed)
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert re.fullmatch(r"ok    python +3\.\d+\.\d+ on .*", rows[0])
    (at,) = [number for number, row in enumerate(rows) if row.startswith("warn  providers ")]
    assert rows[at + 1].strip() == "fix: put a key into .env, e.g. OPENAI_API_KEY=..."


def test_a_key_that_works(examine, openai):
    found = examine(**openai)
    assert found["openai"]["state"] == "ok" and found["openai"]["said"].startswith("OPENAI_API_KEY works: ")
    assert "groq (GROQ_API_KEY)" in found["providers"]["said"] and "simulators are off" in found["providers"]["said"]
    assert found["chat chain"]["said"].startswith("openai/gpt-6-luna (first: ")


def test_the_name_of_a_key_is_the_one_that_was_used(examine, gateway, tmp_path):
    (tmp_path / ".env").write_text(f"HUGGINGFACE_TOKEN={KEY}\nHUGGINGFACE_BASE_URL={gateway.fleet.url('openai')}/v1\n")
    found = examine()
    assert found["huggingface"]["said"].startswith("HUGGINGFACE_TOKEN works")
    assert str(tmp_path / ".env") in found["configuration"]["said"]
    assert "wins for HUGGINGFACE_TOKEN" in examine(HUGGINGFACE_TOKEN=KEY)["configuration"]["said"]


@pytest.mark.parametrize(
    ("fault", "state", "words", "fix"),
    [
        (
            "401",
            "fail",
            "OPENAI_API_KEY is refused (401)",
            "make a new key and put it in the environment as OPENAI_API_KEY",
        ),
        ("403", "fail", "OPENAI_API_KEY is refused (403)", "make a new key"),
        ("402", "fail", "account of OPENAI_API_KEY is empty (402)", "Top up"),
        ("404", "warn", "no list of models there (404)", "OPENAI_BASE_URL"),
        ("429", "warn", "OPENAI_API_KEY is at its limit (429)", "Slow down"),
        ("500", "fail", "ServerFault (500)", "another provider"),
        ("503", "fail", "Overloaded (503)", "overloaded"),
        ("drop_headers", "fail", "Dropped", "another provider"),
        ("truncated_json", "fail", "JSON", "base URL"),
        ("refuse", "fail", "Unreachable: could not connect", "OPENAI_BASE_URL"),
        ("hang", "fail", "did not answer in 0.5 s", "network"),
    ],
    ids=str,
)
def test_a_provider_that_does_not(examine, openai, gateway, fault, state, words, fix):
    gateway.fault("openai", fault)
    found = examine("--timeout", "0.5", **openai)["openai"]
    assert found["state"] == state and words in found["said"] and fix in found["fix"]


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        ("${MINE}", "set MINE, which patchbay.yaml: providers.openai.accounts.west.api_key refers to"),
        (KEY, "write it in patchbay.yaml at providers.openai.accounts.west.api_key"),
    ],
)
def test_a_refused_key_is_mended_where_it_lies(examine, gateway, openai, key, fix):
    gateway.fault("openai", "401")
    Path("patchbay.yaml").write_text(f"providers: {{openai: {{accounts: {{west: {{api_key: '{key}'}}}}}}}}")
    found = examine(OPENAI_BASE_URL=openai["OPENAI_BASE_URL"], MINE=KEY)
    assert fix in found["openai:west"]["fix"]


def test_offline_calls_nobody(examine, openai, gateway):
    before = gateway.fleet.status()
    found = examine("--offline", **openai)
    assert found["openai"]["said"] == "OPENAI_API_KEY is set; not tried (--offline)"
    assert gateway.fleet.status() == before


def test_what_was_changed_at_run_time(examine, run, closed, openai):
    assert run("config", "set", "LLM_PROVIDER", "groq", PORT=closed).exit_code == 0
    found = examine(**openai)
    assert found["configuration"]["said"].startswith("changed at run time (LLM_PROVIDER; ")
    assert "groq should go first" in found["chat chain"]["said"]


def test_half_a_configuration(examine):
    found = examine(AZURE_OPENAI_KEY=KEY)
    assert found["azure"]["state"] == "warn" and "AZURE_OPENAI_ENDPOINT is missing" in found["azure"]["said"]
    assert found["chat chain"]["state"] == "warn" and "AZURE_OPENAI_ENDPOINT" in found["chat chain"]["said"]


def test_a_key_for_speech_alone(examine, gateway):
    """Tried by a token, which costs nothing; that there is no chat is not its fault."""
    given = {"AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_ENDPOINT": gateway.fleet.url("azure")}
    found = examine(**given)
    assert found["azure speech"]["state"] == "ok"
    assert found["azure speech"]["said"].startswith("AZURE_SPEECH_KEY works: ")
    assert "azure" not in found
    assert found["transcribe chain"]["said"].startswith("azure/azure-stt-fast")
    gateway.fault("azure", "401")
    refused = examine(**given)["azure speech"]
    assert (refused["state"], refused["said"]) == ("fail", "AZURE_SPEECH_KEY is refused (401)")
    half = examine(AZURE_SPEECH_KEY=KEY)["azure speech"]
    assert half["state"] == "warn" and "AZURE_SPEECH_REGION or AZURE_SPEECH_ENDPOINT is missing" in half["said"]


def test_a_key_for_translation_alone(examine, gateway):
    """Tried by a token as well; whoever translates by a token of his own is not, for nothing free proves that."""
    given = {"AZURE_TRANSLATION_KEY": KEY, "AZURE_TRANSLATION_ENDPOINT": gateway.fleet.url("azure")}
    found = examine(**given)
    assert found["azure translation"]["said"].startswith("AZURE_TRANSLATION_KEY works: ")
    assert "azure" not in found and "azure speech" not in found
    assert gateway.fleet.requests("azure")[-1].path == "/sts/v1.0/issueToken"
    gateway.fault("azure", "401")
    refused = examine(**given)["azure translation"]
    assert (refused["state"], refused["said"]) == ("fail", "AZURE_TRANSLATION_KEY is refused (401)")
    gateway.clear()
    given = {"AZURE_TRANSLATION_ENDPOINT": given["AZURE_TRANSLATION_ENDPOINT"], "AZURE_OPENAI_AD_TOKEN": KEY}
    untried = examine(**given)["azure translation"]["said"]
    assert untried == "AZURE_OPENAI_AD_TOKEN is set; it has no free call to try it"


def test_a_key_for_translation_that_points_nowhere(examine, closed):
    given = {"AZURE_TRANSLATION_KEY": KEY, "AZURE_TRANSLATION_ENDPOINT": f"http://127.0.0.1:{closed}"}
    found = examine(**given)["azure translation"]
    assert found["state"] == "fail" and "check AZURE_TRANSLATION_ENDPOINT" in found["fix"]


def test_a_provider_that_is_switched_off(examine, openai):
    found = examine(**openai, OPENAI_ENABLED="false")
    assert found["openai"]["said"] == "switched off"


def test_who_is_first_though_another_should_be(examine, openai):
    found = examine(**openai, LLM_PROVIDER="groq", PROVIDER_STRATEGY="priority", ENABLE_FALLBACK="false")
    assert "groq should go first but cannot; openai/gpt-6-luna does" in found["chat chain"]["said"]
    assert found["strategy"]["said"] == "priority; fallback is off, so only the first is asked"


def test_a_local_model_that_is_not_loaded(examine, gateway):
    url = gateway.fleet.url("openai") + "/v1"
    found = examine(OLLAMA_BASE_URL=url, OLLAMA_API_KEY=KEY, OLLAMA_MODEL="nobody-has-this")["ollama"]
    assert found["state"] == "warn" and "nobody-has-this is not among" in found["said"]
    assert "OLLAMA_MODEL" in found["fix"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("LLM_PROVIDER", "nope"),
        ("PROVIDER_STRATEGY", "nope"),
        ("HOST", "0.0.0.0"),
        ("OPENAI_BASE_URL", "nope"),
    ],
)
def test_a_setting_that_cannot_be(examine, name, value):
    found = examine(**({"port": value} if name == "PORT" else {name: value}))
    assert found["configuration"]["state"] == "fail" and name in found["configuration"]["said"]
    assert name in found["configuration"]["fix"] and found["python"]["state"] == "ok"


def test_a_running_server(examine, gateway, openai, monkeypatch):
    port = str(urlsplit(gateway.url).port)
    assert examine(port=port)["server"]["said"] == f"runs on {gateway.url}, version {__version__}"
    found = examine(port=port, **openai)["server"]
    assert found["state"] == "warn" and "simulators" in found["said"] and "start it again" in found["fix"]
    monkeypatch.setattr(doctor, "__version__", "99.0.0")
    assert "99.0.0" in examine(port=port)["server"]["said"]


def test_chains_are_those_of_the_running_server(examine, openai, tmp_path):
    with server(tmp_path / "home", **openai) as live:
        port = str(urlsplit(live.url).port)
        assert examine(port=port, **openai)["chat chain"]["said"] == "openai (the running server)"
        found = examine("--offline", port=port, GROQ_API_KEY=KEY, PROVIDER_STRATEGY="priority")
        assert found["chat chain"]["said"] == "openai in the running server; here it would be groq"
        assert found["embed chain"]["said"] == "openai in the running server; here it would be nobody"
        assert found["strategy"]["said"] == "fallback in the running server; here it would be priority"
        assert found["strategy"]["state"] == found["chat chain"]["state"] == "warn"
        assert "none is configured here" in examine(port=port)["server"]["said"]


def test_simulators_of_the_running_server(examine, gateway, openai):
    found = examine(port=str(urlsplit(gateway.url).port), **openai)
    assert found["chat chain"]["said"] == "azure > together > openai (simulators of the running server)"


def test_a_running_server_with_another_key(examine, tmp_path):
    with server(tmp_path / "home", PATCHBAY_API_KEY=KEY) as keyed:
        port = str(urlsplit(keyed.url).port)
        found = examine(port=port)["server"]
        assert found["state"] == "fail" and "refuses the gateway key" in found["said"]
        assert examine(port=port, PATCHBAY_API_KEY=KEY)["server"]["state"] == "ok"


def test_another_program_on_the_port(examine, stand_in):
    stand_in.health = b"hello"
    found = examine(port=stand_in.port)["server"]
    assert found["state"] == "fail" and "another program" in found["said"] and "PORT" in found["fix"]


def test_a_home_where_nothing_can_be_made(examine):
    found = examine(PATCHBAY_HOME="/proc/x")["state"]
    assert found["state"] == "fail" and found["said"].startswith("/proc cannot be written")


def test_an_address_that_is_not_here(examine):
    found = examine(HOST="192.0.2.1", PATCHBAY_API_KEY=KEY, PATCHBAY_CONNECT_TIMEOUT="1")
    assert found["server"]["state"] == "fail"


def test_state_that_is_there(examine, run, closed, tmp_path):
    assert run("chat", "hello", PORT=closed).exit_code == 0
    assert re.search(r"can be written \(\d+ items", examine()["state"]["said"])
    with sqlite3.connect(tmp_path / ".patchbay" / "state.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        found = examine()["state"]
        other.execute("ROLLBACK")
    other.close()
    assert found["state"] == "warn" and "locked" in found["said"]


def test_state_that_cannot_be(examine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "is not a folder" in examine(PATCHBAY_HOME=str(tmp_path / "file"))["state"]["said"]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "state.db").write_text("this is no database, whatever its name says" * 50)
    found = examine(PATCHBAY_HOME=str(tmp_path / "bad"))["state"]
    assert found["state"] == "fail" and "not a database" in found["said"] and "move the file away" in found["fix"]
    monkeypatch.setattr(tempfile, "TemporaryFile", denied)
    found = examine()["state"]
    assert found["state"] == "fail" and "cannot be written" in found["said"] and "PATCHBAY_HOME" in found["fix"]


def denied(**_: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_table(examine, aws):
    found = examine(PATCHBAY_TABLE=aws.table())
    assert found["state"]["state"] == "ok" and found["state"]["said"].endswith(" answers")
    found = examine(PATCHBAY_TABLE="nobody-made-this")
    assert found["state"]["state"] == "fail" and "nobody-made-this" in found["state"]["said"]


def test_a_disk_that_is_full(monkeypatch, tmp_path):
    for free, state in ((10**6, "fail"), (5 * 10**8, "warn"), (10**11, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: type("U", (), {"free": free}))
        assert doctor.disk(tmp_path / "not" / "there").state == state


@pytest.mark.parametrize(("late", "state"), [(0, "ok"), (300, "warn"), (-300, "warn")])
def test_clocks(examine, openai, monkeypatch, late, state):
    date = formatdate(time.time() - late, usegmt=True)
    monkeypatch.setattr(Incoming, "header", lambda *_: date)
    found = examine(**openai)["clock"]
    assert found["state"] == state
    assert late == 0 or ("ahead of" if late > 0 else "behind") in found["said"]


def test_packages_that_are_missing_or_old(monkeypatch):
    monkeypatch.setattr(
        doctor, "requires", lambda _: ["aiohttp>=99.1", "no-such-thing>=1", 'boto3>=99; extra == "aws"']
    )
    found = doctor.packages()
    assert found.state == "fail" and "is older than 99.1" in found.said and "no-such-thing is missing" in found.said
    assert "boto3" not in found.said


def test_exit_code_and_json(run, closed, openai, gateway):
    gateway.fault("openai", "401")
    assert run("doctor", PORT=closed, **openai).exit_code == 1
    gateway.clear()
    assert data(run("doctor", "--json", PORT=closed, **openai))["ok"] is True


def test_a_login_in_place_of_a_key(examine, tmp_path):
    program = tmp_path / "gemini"
    found = examine(GEMINI_COMMAND=str(program))["gemini"]
    assert found["state"] == "fail" and "there is no program" in found["said"] and "log in with it" in found["fix"]
    program.write_text("#!/bin/sh\necho 0.61.0\n")
    program.chmod(0o755)
    found = examine(GEMINI_COMMAND=str(program))["gemini"]
    assert found["state"] == "ok" and found["said"].startswith("GEMINI_COMMAND works: ")
