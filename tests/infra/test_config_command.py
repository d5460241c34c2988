"""`patchbay config show | check | example`: what is set here, from where, and what is wrong with it."""

import json
import os

import pytest
from click.testing import CliRunner

from core.config import examples
from core.config.settings import SETTINGS
from core.providers.registry import Registry
from infra.local.cli import main

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a folder, with only the settings given."""
    monkeypatch.chdir(tmp_path)
    ours = {name for row in SETTINGS for name in row.env}
    ours |= {name for row in Registry().declared() for names in row.names.values() for name in names}
    nothing = dict.fromkeys(name for name in os.environ if name in ours)

    def work(*args, **environ):
        return CliRunner().invoke(main, ["config", *args], env={**nothing, **environ})

    return work


def rows(result):
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


class TestShow:
    def test_every_setting_with_its_layer(self, run, tmp_path):
        (tmp_path / ".env").write_text("MAX_RETRIES=5\n")
        (tmp_path / "patchbay.yaml").write_text("cache: {ttl: 60}\n")
        found = rows(run("show", "--json", PORT="1234"))
        assert {row.env[0] for row in SETTINGS} == set(found)
        shown = {name: (found[name]["value"], found[name]["layer"], found[name]["from"]) for name in found}
        assert shown["PORT"] == (1234, "environment", "PORT (environment)")
        assert shown["MAX_RETRIES"] == (5, ".env", "MAX_RETRIES (.env)")
        assert shown["PATCHBAY_CACHE_TTL"] == (60, "patchbay.yaml", "patchbay.yaml: cache.ttl")
        assert shown["HOST"] == ("127.0.0.1", "default", "default")
        assert found["HOST"]["key"] == "service.host"

    def test_accounts_and_models(self, run, tmp_path):
        (tmp_path / "patchbay.yaml").write_text(
            "providers: {groq: {api_key: '${MINE}', accounts: {fast: {model: m}}}}\nmodels: {local/x: {context: 9}}"
        )
        found = rows(run("show", "--json", "--set", MINE=KEY, GROQ_FAST_PRIORITY="3"))
        assert {name: row["value"] for name, row in found.items()} == {
            "groq:default.api_key": "***",
            "groq:fast.api_key": "***",
            "groq:fast.model": "m",
            "groq:fast.priority": 3,
            "models.local/x": {"context": 9},
        }
        assert found["groq:fast.api_key"]["from"] == "patchbay.yaml: providers.groq.api_key"
        assert found["groq:fast.priority"]["from"] == "GROQ_FAST_PRIORITY (environment)"

    def test_what_an_account_goes_by(self, run):
        found = rows(run("show", "--json", GROQ_API_KEY=KEY))
        assert {name: row["layer"] for name, row in found.items() if name.startswith("groq:")} == {
            "groq:default.api_key": "environment",
            "groq:default.base_url": "default",
            "groq:default.model": "default",
            "groq:default.enabled": "default",
        }
        assert found["groq:default.base_url"]["value"].startswith("https://") and found["groq:default.model"]["value"]

    def test_models_in_the_table_are_json(self, run, tmp_path):
        (tmp_path / "patchbay.yaml").write_text("models: {local/x: {context: 9, sampling: true}}")
        result = run("show", "--set")
        assert '{"context":9,"sampling":true}' in result.stdout
        assert "read anew here" in result.stderr

    def test_no_secret_and_no_part_of_one(self, run, tmp_path):
        (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nPATCHBAY_API_KEY={KEY}\nAZURE_OPENAI_AD_TOKEN={KEY}\n")
        for args in (("show",), ("show", "--json"), ("check",), ("check", "--json")):
            result = run(*args)
            assert result.exit_code == 0 and "sk-" not in result.output and KEY[-4:] not in result.output
        assert run("show").output.count("***") == 3

    def test_what_is_changed_at_run_time(self, run, tmp_path):
        assert run("set", "LLM_PROVIDER", "groq", PATCHBAY_HOME=str(tmp_path / "home")).exit_code == 0
        found = rows(run("show", "--json", PATCHBAY_HOME=str(tmp_path / "home"), LLM_PROVIDER="azure"))
        assert (found["LLM_PROVIDER"]["value"], found["LLM_PROVIDER"]["layer"]) == ("groq", "run time")

    def test_looking_leaves_nothing_behind(self, run, tmp_path):
        assert run("show").exit_code == run("check").exit_code == 0
        assert list(tmp_path.iterdir()) == []

    def test_for_people(self, run):
        head, *lines = run("show", CHAT_CHAIN="groq,openai").stdout.splitlines()
        assert head.split() == ["SETTING", "VALUE", "FROM"] and len(lines) == len(SETTINGS)
        (chain,) = [line for line in lines if line.startswith("CHAT_CHAIN")]
        assert chain.split() == ["CHAT_CHAIN", "groq,openai", "CHAT_CHAIN", "(environment)"]

    def test_what_is_wrong_is_one_line(self, run):
        result = run("show", PORT="x")
        assert result.exit_code == 1 and result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("patchbay: PORT (environment): expected a whole number from 0 to 65535, got 'x' (")
        assert "`patchbay config check`" in line


class TestCheck:
    def test_nothing_is_wrong(self, run):
        assert run("check").output == "0 errors, 0 warnings; nothing is set\n"
        assert json.loads(run("check", "--json").output) == {"errors": [], "warnings": []}

    def test_all_errors_of_all_layers(self, run, tmp_path):
        (tmp_path / ".env").write_text("MAX_RETRIES=many\n")
        (tmp_path / "patchbay.yaml").write_text(
            "cache: {ttl: 0}\nservice: {prot: 1}\nproviders: {groq: {priority: x}}\nmodels: {openai/x: {context: 0}}\n"
        )
        result = run("check", PORT="x", LLM_PROVIDER="nobody", CHAT_CHAIN="groq,noone")
        assert result.exit_code == 1
        lines = result.output.splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        assert [error.split(" expected ")[0].split(" provider ")[0] for error in errors] == [
            "PORT (environment):",
            "MAX_RETRIES (.env):",
            "patchbay.yaml: cache.ttl:",
            "patchbay.yaml: providers.groq.priority:",
            "patchbay.yaml: models: openai/x: context must be a whole number above 0",
            "LLM_PROVIDER (environment):",
            "CHAT_CHAIN (environment):",
        ]
        assert "warning: patchbay.yaml: service.prot is not known; did you mean service.port?" in lines
        assert lines[-1].startswith("7 errors, ")

    def test_a_warning_is_no_error(self, run):
        result = run("check", LOCAL_QUANTIZATION="4bit")
        assert result.exit_code == 0
        assert result.output.startswith("warning: LOCAL_QUANTIZATION (environment): kept for serving")

    @pytest.mark.parametrize(
        ("environ", "words"),
        [
            ({"LLM_PROVIDER": "groq"}, "LLM_PROVIDER (environment): groq cannot answer here: set GROQ_API_KEY"),
            ({"CHAT_CHAIN": "groq"}, "CHAT_CHAIN (environment): nobody in it can answer"),
            (
                {"EMBEDDING_PROVIDER": "groq"},
                "EMBEDDING_PROVIDER (environment): groq cannot embed, so it is passed over",
            ),
            ({"EMBED_CHAIN": "groq,openai"}, "EMBED_CHAIN (environment): groq cannot embed, so it is passed over"),
            (
                {"GROQ_EMBEDDING_MODEL": "x"},
                "GROQ_EMBEDDING_MODEL (environment) has no effect: Groq makes no embeddings",
            ),
            (
                {"CHAT_CHAIN": "openai", "PATCHBAY_FALLBACK_PROVIDER": "openai"},
                "PATCHBAY_FALLBACK_PROVIDER (environment) has no effect on chat: its chain is written down",
            ),
            (
                {"VOICE_STT_PROVIDER": "groq"},
                "VOICE_STT_PROVIDER (environment): groq cannot answer here: set GROQ_API_KEY",
            ),
            (
                {"VOICE_TTS_PROVIDER": "cohere"},
                "VOICE_TTS_PROVIDER (environment): cohere cannot speak, so it is passed over",
            ),
            (
                {"LLM_PROVIDER": "azure", "AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_REGION": "eastus2"},
                "LLM_PROVIDER (environment): azure cannot answer here: set AZURE_OPENAI_KEY and AZURE_OPENAI_ENDPOINT",
            ),
            (
                {"AZURE_SPEECH_KEY": KEY},
                "AZURE_SPEECH_KEY (environment) has no effect: set AZURE_SPEECH_REGION or AZURE_SPEECH_ENDPOINT",
            ),
            (
                {"AZURE_SPEECH_REGION": "eastus2"},
                "AZURE_SPEECH_REGION (environment) has no effect: set AZURE_SPEECH_KEY",
            ),
            (
                {"AZURE_TRANSLATION_REGION": "eastus2"},
                "AZURE_TRANSLATION_REGION (environment) has no effect: set AZURE_TRANSLATION_KEY",
            ),
            (
                {"AZURE_TRANSLATION_ENDPOINT": "https://mine.cognitiveservices.azure.com"},
                "AZURE_TRANSLATION_ENDPOINT (environment) has no effect: set AZURE_TRANSLATION_KEY",
            ),
            ({"PATCHBAY_SECRETS_DIR": "no/where"}, "PATCHBAY_SECRETS_DIR (environment): there is no folder no/where"),
        ],
    )
    def test_what_has_no_effect(self, run, environ, words):
        assert f"warning: {words}" in run("check", OPENAI_API_KEY=KEY, **environ).output

    def test_who_can_answer_is_not_warned_of(self, run):
        environ = {"CHAT_PROVIDER": "openai", "EMBED_CHAIN": "openai", "PATCHBAY_FALLBACK_PROVIDER": "openai"}
        *told, last = run("check", OPENAI_API_KEY=KEY, **environ).output.splitlines()
        assert last.startswith("0 errors") and all("which is deprecated" in one for one in told)

    def test_a_model_that_ends_is_told_of(self, run):
        told = run("check", OPENAI_API_KEY=KEY).output
        assert (
            "warning: openai is asked for speech with gpt-4o-mini-tts, which is deprecated and ends on 2027-01-06:"
            " nobody succeeds it; OPENAI_TTS_MODEL names another one"
        ) in told

    def test_nor_is_a_service_that_is_whole(self, run):
        environ = {
            "BEAUTIFY_PROVIDER": "openai", "AZURE_SPEECH_KEY": KEY, "AZURE_SPEECH_REGION": "eastus2",
            "VOICE_STT_PROVIDER": "azure", "AZURE_TRANSLATION_ENDPOINT": "http://127.0.0.1:5000",
        }  # fmt: skip
        assert "0 errors, 0 warnings" in run("check", OPENAI_API_KEY=KEY, **environ).output

    def test_all_files_that_were_read_are_named(self, run, tmp_path):
        (tmp_path / ".env").write_text("\n\nthis is nothing\nMY_OWN=1\n")
        (tmp_path / "patchbay.yaml").write_text("{}")
        result = run("check")
        assert result.stderr == ""
        assert result.output.splitlines() == [
            "warning: .env: line 3 is not NAME=value, so it is passed over",
            "0 errors, 1 warnings; read from .env, patchbay.yaml",
        ]

    def test_folders_in_place_of_files(self, run, tmp_path):
        for name in (".env", "patchbay.yaml"):
            (tmp_path / name).mkdir()
        said = json.loads(run("check", "--json").output)["warnings"]
        assert said == [f"{name} is a folder, so it is not read" for name in (".env", "patchbay.yaml")]

    def test_a_state_that_cannot_be_read_is_an_error(self, run, tmp_path):
        (tmp_path / "state.db").write_text("this is no database, and long enough to be taken for none")
        result = run("check", PATCHBAY_HOME=str(tmp_path))
        assert result.exit_code == 1
        assert "error: what is changed at run time cannot be read: " in result.output
        shown = run("show", PATCHBAY_HOME=str(tmp_path))
        assert shown.exit_code == 1 and "PATCHBAY_HOME" in shown.stdout
        assert "cannot be read" in shown.stderr

    @pytest.mark.parametrize("name", ["PORT", "LLM_PROVIDER", "AZURE_OPENAI_ENDPOINT", "OPENAI_MODEL", "CHAT_CHAIN"])
    def test_a_key_in_the_wrong_place_is_not_repeated(self, run, name):
        for command in ("check", "show"):
            assert KEY not in run(command, **{name: KEY}).output

    @pytest.mark.parametrize("url", ["https://user:hunter2@host/", "https://host/?code=hunter2", "http://:hunter2@h"])
    def test_nothing_of_an_address_is_repeated(self, run, url):
        for command in ("check", "show"):
            result = run(command, OPENAI_BASE_URL=url)
            assert result.exit_code == 1 and "hunter2" not in result.output

    def test_a_value_among_secrets_is_not_repeated(self, run, tmp_path):
        for name, text in {"port": "hunter2", "openai_model": "hunter2"}.items():
            (tmp_path / name).write_text(text)
        result = run("check", PATCHBAY_SECRETS_DIR=str(tmp_path))
        assert result.exit_code == 1 and "hunter2" not in result.output
        (tmp_path / "port").write_text("1234")
        result = run("show", PATCHBAY_SECRETS_DIR=str(tmp_path))
        assert "1234" in result.output and "openai:default.model" in result.output and "hunter2" not in result.output

    def test_a_lock_on_nothing_is_an_error(self, run):
        result = run("check", PATCHBAY_LOCKED="LLM_PROVIDR")
        assert result.exit_code == 1 and "did you mean LLM_PROVIDER?" in result.output

    def test_an_open_gateway_is_one(self, run):
        result = run("check", HOST="0.0.0.0")
        assert result.exit_code == 1 and "set PATCHBAY_API_KEY" in result.output
        assert "error: HOST (environment) is 0.0.0.0" in result.output

    def test_a_stored_change_that_does_not_hold_is_a_warning(self, run, tmp_path):
        home = str(tmp_path / "home")
        assert run("set", "LLM_PROVIDER", "groq", PATCHBAY_HOME=home).exit_code == 0
        result = run("check", PATCHBAY_HOME=home, PATCHBAY_LOCKED="LLM_PROVIDER")
        assert "warning: LLM_PROVIDER is locked by PATCHBAY_LOCKED" in result.output


@pytest.mark.parametrize(("what", "make"), [("env", examples.env_example), ("yaml", examples.yaml_example)])
def test_examples_are_printed(run, what, make):
    assert run("example", what).output == make(Registry().declared())
