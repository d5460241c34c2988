"""Settings in files: which are read, what they may hold, and what is said when something in them is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.config.layers import Origin
from core.config.secrets import Secret
from core.config.settings import examine, load
from core.errors import Misconfigured
from core.providers.registry import Registry
from infra.local.shipped import ship

ROWS = Registry().declared()
KEY = "sk-secret-0123456789abcdef"


class Folder:
    """A working folder with files, and what is read in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        where = self.path / name
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text)

    def load(self, environ=None, **more):
        environ = {"PATCHBAY_SECRETS_DIR": str(self.path / "secrets"), **(environ or {})}
        (self.path / "secrets").mkdir(exist_ok=True)
        return load(ROWS, environ=environ, dotenv=self.path / ".env", **more)

    def problems(self, **environ):
        return [one.message for one in examine(ROWS, environ=environ, dotenv=self.path / ".env")[1]]

    def problem(self, **environ):
        (one,) = self.problems(**environ)
        return one

    def warning(self, **environ):
        (one,) = self.load(environ).warnings
        return one


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


class TestLayers:
    def test_each_over_the_next(self, folder):
        layers = {
            "patchbay.production.yaml": "service: {port: 1}",
            "patchbay.yaml": "service: {port: 2}",
            "secrets/port": "3\n",
            ".env": "PORT=4",
        }
        assert folder.load().port == 8787
        for number, (name, text) in enumerate(layers.items(), 1):
            folder.write(name, text)
            assert folder.load({"PATCHBAY_ENV": "production"}).port == number
        environ = {"PATCHBAY_ENV": "production", "PORT": "5"}
        assert folder.load(environ).port == 5
        assert folder.load(environ, found={"PORT": "6"}).port == 6
        assert folder.load(environ, found={"PORT": "6"}, run_time={"PORT": "7"}).port == 7
        assert folder.load(environ, run_time={"PORT": "7"}, pinned={"PORT": "8"}).port == 8

    def test_each_value_remembers_its_own(self, folder):
        folder.write("patchbay.production.yaml", "logging: {level: debug}\nproviders: {groq: {model: low}}")
        folder.write("patchbay.yaml", "service: {host: localhost}\nproviders: {groq: {endpoint: 'http://x'}}")
        folder.write("secrets/groq_api_key", KEY)
        folder.write(".env", "MAX_RETRIES=1")
        found = folder.load({"PATCHBAY_ENV": "production", "AI_PROVIDER_PORT": "0"}, run_time={"RETRY_DELAY_MS": "1"})
        assert {name: str(origin) for name, origin in found.origins.items()} == {
            "secrets_dir": "PATCHBAY_SECRETS_DIR (environment)",
            "env": "PATCHBAY_ENV (environment)",
            "port": "AI_PROVIDER_PORT (environment)",
            "host": "patchbay.yaml: service.host",
            "log_level": "patchbay.production.yaml: logging.level",
            "max_retries": "MAX_RETRIES (.env)",
            "retry_delay_ms": "RETRY_DELAY_MS (run time)",
            "groq:default.key": f"GROQ_API_KEY ({folder.path / 'secrets'})",
            "groq:default.base_url": "patchbay.yaml: providers.groq.endpoint",
            "groq:default.model": "patchbay.production.yaml: providers.groq.model",
        }
        key = Origin(str(folder.path / "secrets"), "GROQ_API_KEY", secret=True)
        assert found.origin("groq", "default", "key") == key

    def test_an_empty_value_leaves_it_to_the_next(self, folder):
        folder.write("patchbay.production.yaml", "service: {port: 1}")
        folder.write("patchbay.yaml", "service: {port: null, host: ''}")
        assert folder.load({"PATCHBAY_ENV": "production"}).port == 1

    def test_a_name_in_small_letters_counts_where_that_in_capitals_is_not_set(self, folder):
        assert folder.load({"chat_provider": "groq"}).chat_provider == "groq"
        assert folder.load({"chat_provider": "groq", "CHAT_PROVIDER": "azure"}).chat_provider == "azure"
        assert folder.load({"chat_provider": "groq", "CHAT_PROVIDER": " "}).chat_provider == "groq"
        folder.write(".env", "anthropic_model=m\n")
        assert folder.load().accounts["anthropic"][0].model == "m"


class TestWhichFile:
    def test_another_by_name(self, folder):
        folder.write("patchbay.yaml", "service: {port: 1}")
        folder.write("conf/ours.yaml", "service: {port: 2}")
        folder.write("conf/ours.test.yaml", "service: {port: 3, host: there}")
        environ = {"PATCHBAY_CONFIG": "conf/ours.yaml", "PATCHBAY_ENV": "test"}
        found = folder.load(environ)
        assert (found.port, found.host) == (2, "there")
        assert folder.load({"PATCHBAY_CONFIG": str(folder.path / "conf/ours.yaml")}).port == 2

    def test_another_that_is_not_there(self, folder):
        assert folder.problem(PATCHBAY_CONFIG="nowhere.yaml") == "PATCHBAY_CONFIG: there is no file nowhere.yaml"

    def test_json_in_place_of_yaml(self, folder):
        folder.write("patchbay.json", '{"service": {"port": 1}, "cache": {"enabled": false, "ttl": 1.5}}')
        folder.write("patchbay.test.json", '{"service": {"port": 2, "host": "there"}}')
        found = folder.load({"PATCHBAY_ENV": "test"})
        assert (found.port, found.host, found.cache, found.cache_ttl) == (1, "there", False, 1.5)
        folder.write("patchbay.yaml", "service: {port: 3}")
        assert folder.load().port == 3

    def test_the_environments_file_may_be_the_only_one(self, folder):
        folder.write("patchbay.test.yaml", "service: {port: 3}")
        assert folder.load({"PATCHBAY_ENV": "test"}).port == 3

    def test_older_places_where_there_is_none_of_ours(self, folder, caplog):
        folder.write("config/ai-provider/ai-provider.yml", "service: {port: 1}")
        folder.write("config/ai-provider/production.yml", "service: {port: 2, host: there}")
        folder.write(".orchestrator/providers.yaml", "routing: {prefer_local: true}")
        with caplog.at_level("INFO", logger="patchbay"):
            found = folder.load({"PATCHBAY_ENV": "production"})
        assert (found.port, found.host, found.prefer_local) == (1, "there", True)
        assert "configuration is read from config/ai-provider/ai-provider.yml" in caplog.text
        folder.write("patchbay.yaml", "service: {port: 3}")
        found = folder.load()
        assert (found.port, found.prefer_local) == (3, False)

    def test_toml(self, folder):
        folder.write(
            "patchbay.toml", '[service]\nport = 1\n[cache]\nttl = 1.50\n[chains]\nchat = ["groq", "openai"]\n'
        )
        found = folder.load()
        assert (found.port, found.cache_ttl, found.chat_chain) == (1, 1.5, ("groq", "openai"))
        folder.write("ours.toml", f"[service]\nport = 1\napi_key = {KEY}\n")
        problem = folder.problem(PATCHBAY_CONFIG="ours.toml")
        assert problem.startswith("ours.toml is not TOML (at line 3, ") and KEY not in problem

    @pytest.mark.parametrize(
        "name",
        ["patchbay.json", "patchbay.toml", "patchbay.yml", ".orchestrator/providers.yaml",
         "config/ai-provider/ai-provider.yml"],
    )  # fmt: skip
    def test_one_that_is_passed_over_is_said(self, folder, name):
        folder.write(name, "{}")
        folder.write("patchbay.yaml", "service: {port: 1}")
        assert folder.warning() == f"{name} is not read: patchbay.yaml takes its place"

    def test_one_with_a_name_that_is_not_looked_for(self, folder):
        folder.write("config.toml", "")
        assert folder.warning() == "config.toml is not read; call it patchbay.toml"

    def test_a_misspelled_environment_or_file_is_not_silent(self, folder):
        folder.write("patchbay.yml", "service: {port: 1}")
        assert folder.warning() == "patchbay.yml is not read; call it patchbay.yaml"
        folder.write("patchbay.yaml", "service: {port: 2}")
        other = "patchbay.yml is not read: patchbay.yaml takes its place"
        for env in ("prod", "a"):  # which is in the file's name, and not its environment
            said, beside = folder.load({"PATCHBAY_ENV": env}).warnings
            assert f"there is no file for the environment {env}" in said and beside == other

    def test_an_environments_name_is_no_path(self, folder):
        assert "expected letters, digits, dots and dashes" in folder.problem(PATCHBAY_ENV="../other")

    @pytest.mark.parametrize("kind", ["yaml", "json"])
    def test_without_a_yaml_file_no_yaml_library_is_loaded(self, folder, kind):
        folder.write(f"patchbay.{kind}", '{"service": {"port": 1}}')
        code = "import sys; from core.config.settings import load; "
        code += "print(load([], environ={}).port, 'yaml' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder.path, capture_output=True, text=True, check=True, timeout=30
        )
        assert done.stdout.split() == ["1", str(kind == "yaml")]

    def test_without_a_yaml_library_the_error_says_what_to_install(self, folder, monkeypatch):
        folder.write("patchbay.yaml", "service: {port: 1}")
        monkeypatch.delitem(sys.modules, "core.config.yamlfile", raising=False)
        monkeypatch.setattr("core.config.yamlfile", None, raising=False)
        monkeypatch.setitem(sys.modules, "yaml", None)
        monkeypatch.delattr("core.config.yamlfile")
        assert "reading YAML needs PyYAML (pip install -e '.[local]')" in folder.problem()


def test_what_a_function_is_packed_with_says_the_same(folder):
    """YAML here, JSON there: values, references, environments."""
    folder.write("patchbay.yaml", "service: {port: 1}\nproviders: {azure: {api_version: 2024-10-21, api_key: '${K}'}}")
    folder.write("patchbay.test.yaml", "cache: {enabled: off, ttl: 1.50}")
    folder.write("patchbay.example.yaml", "service: {port: 5}")
    environ = {"PATCHBAY_ENV": "test", "K": KEY}
    before = folder.load(environ)
    assert [path.name for path in ship(folder.path, folder.path)] == ["patchbay.test.json", "patchbay.json"]
    for name in ("patchbay.yaml", "patchbay.test.yaml"):
        (folder.path / name).unlink()
    assert folder.load(environ) == before
    assert (before.cache, before.cache_ttl) == (False, 1.5)


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("service: {port: 1", "patchbay.yaml: line 2, column 1: "),
            ("service:\n  port: 1\n port: 2", "patchbay.yaml: line 3, column 2: "),
            ("service: {port: 1}\nservice: {port: 2}", "patchbay.yaml: line 2, column 1: service is there twice"),
            ("service:\n  port: 1\n  port: 2", "patchbay.yaml: line 3, column 3: port is there twice"),
            ("- 1", "patchbay.yaml: expected a mapping of keys, got a list"),
            ("text", "patchbay.yaml: expected a mapping of keys, got a single value"),
            ("service: 1", "patchbay.yaml: service: expected a mapping, got a single value"),
            (
                "service: {port: {a: 1}}",
                "patchbay.yaml: service.port: expected a whole number from 0 to 65535, got a map",
            ),
            (
                "service: {port: [1, 2]}",
                "patchbay.yaml: service.port: expected a whole number from 0 to 65535, got a list",
            ),
            (
                "providers: {groq: {api_key: [a, b]}}",
                "patchbay.yaml: providers.groq.api_key: expected one line of text, got a list; several keys are",
            ),
            (
                "providers: {groq: {model: [a, b]}}",
                "patchbay.yaml: providers.groq.model: expected one line of text, got a list",
            ),
            (
                "providers: {groq: {api_key: true}}",
                "patchbay.yaml: providers.groq.api_key: expected one line of text, got true",
            ),
            ("service: {api_key: [a]}", "patchbay.yaml: service.api_key: expected one line of text, got a list"),
            (
                "chains: {chat: [{a: b}]}",
                "patchbay.yaml: chains.chat: expected names with commas between them, got a list with",
            ),
            ("service: {port: 'x'}", "patchbay.yaml: service.port: expected a whole number from 0 to 65535, got 'x'"),
            (
                "service: {port: 1.5}",
                "patchbay.yaml: service.port: expected a whole number from 0 to 65535, got '1.5'",
            ),
            ("cache: {enabled: maybe}", "patchbay.yaml: cache.enabled: expected true or false, got 'maybe'"),
            ("models: [1]", "patchbay.yaml: models: expected a mapping of provider/model, got a list"),
            ("providers: 1", "patchbay.yaml: providers: expected a mapping or a list, got a single value"),
            ("service: !!python/object:os.system {}", "patchbay.yaml: line 1, column 10: could not determine"),
            ("service: &a [*a]", "patchbay.yaml: service: expected a mapping"),
        ],
    )
    def test_are_one_line_with_file_and_place(self, folder, text, words):
        folder.write("patchbay.yaml", text)
        assert folder.problem().startswith(words)
        with pytest.raises(Misconfigured) as caught:
            folder.load()
        assert "\n" not in caught.value.message

    def test_json_too(self, folder):
        folder.write("patchbay.json", '{"service": \n oops}')
        assert folder.problem().startswith("patchbay.json is not JSON: ") and "line 2" in folder.problem()
        folder.write("patchbay.json", "[]")
        assert folder.problem() == "patchbay.json: expected a mapping of keys, got a list"

    def test_no_value_is_in_a_message_about_the_form(self, folder):
        for text in (f"service: {{api_key: *{KEY}", f"service: {{api_key: !{KEY} x}}", f"{KEY}", f"a: b: {KEY}"):
            folder.write("patchbay.yaml", text)
            assert KEY not in folder.problem()

    def test_all_that_is_wrong_is_told_at_once(self, folder):
        folder.write("patchbay.yaml", "service: {port: x}\ncache: {ttl: 0}\nproviders: {groq: {priority: high}}")
        assert len(folder.problems(MAX_RETRIES="many")) == 4

    def test_a_file_that_may_not_be_read(self, folder):
        if os.geteuid() == 0:
            (folder.path / "secrets").write_text("a file where a folder should be")
            environ = {"PATCHBAY_SECRETS_DIR": str(folder.path / "secrets")}
            assert "cannot be listed" in folder.problem(**environ)
        else:
            folder.write("patchbay.yaml", "service: {port: 1}")
            (folder.path / "patchbay.yaml").chmod(0)
            assert "patchbay.yaml cannot be read (Permission denied)" in folder.problem()

    def test_numbers_and_dates_stay_what_was_written(self, folder):
        folder.write("patchbay.yaml", "providers: {azure: {api_version: 2024-10-21, api_key: 0123, model: 1.10}}")
        (one,) = folder.load().accounts["azure"]
        assert (one.api_version, one.key, one.model) == ("2024-10-21", Secret("0123"), "1.10")


class TestReferences:
    def test_come_from_the_layers_above(self, folder):
        folder.write(".env", "FROM_DOTENV=b\nBOTH=low\n")
        folder.write("secrets/from_secret", "c")
        folder.write("patchbay.yaml", "service: {host: '${FROM_ENVIRON}-${FROM_DOTENV}-${FROM_SECRET}-${BOTH}'}")
        assert folder.load({"FROM_ENVIRON": "a", "BOTH": "high"}).host == "a-b-c-high"

    @pytest.mark.parametrize(
        ("text", "host"),
        [
            ("${NOBODY:-there}", "there"),
            ("${EMPTY:-there}", "there"),
            ("${SET:-there}", "here"),
            ("${NOBODY:-}", "127.0.0.1"),
            ("x${NOBODY:-}y", "xy"),
            ("$${SET}", "${SET}"),
            ("$SET", "$SET"),
            ("a$b", "a$b"),
            ("${NOBODY:-a:b-c}", "a:b-c"),
        ],
    )
    def test_defaults_and_escapes(self, folder, text, host):
        folder.write("patchbay.yaml", f"service: {{host: '{text}'}}")
        assert folder.load({"SET": "here", "EMPTY": ""}).host == host

    def test_an_unset_one_is_an_error_with_file_key_and_name(self, folder):
        folder.write("patchbay.yaml", "service:\n  host: ${NOBODY}\n")
        assert folder.problem() == (
            "patchbay.yaml: service.host: NOBODY is not set; set it, or write ${NOBODY:-} where it may be empty"
        )

    @pytest.mark.parametrize("text", ["${", "${}", "${NOT-A-NAME}", "${A:b}", "${1}"])
    def test_one_that_is_none_is_an_error(self, folder, text):
        folder.write("patchbay.yaml", f"service: {{host: '{text}'}}")
        assert "a reference is ${NAME} or ${NAME:-default}" in folder.problem(A="x")

    def test_a_hidden_one_does_not_matter(self, folder):
        folder.write("patchbay.yaml", "service: {host: '${NOBODY}'}")
        assert folder.load({"HOST": "there"}).host == "there"

    def test_of_who_is_switched_off_is_only_warned_of(self, folder):
        folder.write("patchbay.yaml", "providers: {groq: {enabled: false, api_key: '${NOBODY}'}}")
        assert folder.warning().startswith("patchbay.yaml: providers.groq.api_key: NOBODY is not set")
        folder.write("patchbay.yaml", "providers: {groq: {api_key: '${NOBODY}'}}")
        assert folder.problem().startswith("patchbay.yaml: providers.groq.api_key: NOBODY is not set")

    def test_what_they_stand_for_is_in_no_message(self, folder):
        folder.write("patchbay.yaml", "service: {port: '${KEY}'}\nproviders: {groq: {base_url: '${KEY}/v1'}}")
        problems = folder.problems(KEY=KEY)
        assert len(problems) == 2 and not any(KEY in one for one in problems)
        assert "got '${KEY}'" in problems[0]

    def test_in_models(self, folder):
        folder.write("patchbay.yaml", "models: {local/x: {context: 10, note: 'by ${WHO}', skills: ['${WHAT:-code}']}}")
        found = folder.load({"WHO": "me"})
        assert found.models == {"local/x": {"context": 10, "note": "by me", "skills": ["code"]}}
        assert "models.local/x.note: WHO is not set" in folder.problem()


class TestSecretFiles:
    def test_by_their_small_names(self, folder):
        folder.write("secrets/openai_api_key", KEY + "\n")
        folder.write("secrets/AZURE_OPENAI_KEY", KEY)
        folder.write("secrets/inner/groq_api_key", KEY)
        found = folder.load()
        assert found.accounts["openai"][0].key == found.accounts["azure"][0].key == Secret(KEY)
        assert found.accounts["groq"][0].key is None
        assert KEY not in repr(found)

    def test_a_dash_is_as_good_as_an_underscore(self, folder):
        folder.write("secrets/openai-api-key", KEY)
        assert folder.load().accounts["openai"][0].key == Secret(KEY)

    def test_a_slip_in_a_name(self, folder):
        folder.write("secrets/openai_api_kye", KEY)
        folder.write("secrets/database_password", KEY)
        where = folder.path / "secrets"
        assert folder.warning() == f"OPENAI_API_KYE ({where}) is not known; did you mean OPENAI_API_KEY?"

    def test_what_decides_where_secrets_are_has_no_effect_among_them(self, folder):
        folder.write("secrets/patchbay_env", "production")
        assert folder.warning().startswith("PATCHBAY_ENV (") and "has no effect there" in folder.warning()

    def test_one_that_is_not_text(self, folder):
        (folder.path / "secrets").mkdir()
        (folder.path / "secrets/openai_api_key").write_bytes(b"\xff\xfe")
        assert "openai_api_key is not text in UTF-8" in folder.problem(
            PATCHBAY_SECRETS_DIR=str(folder.path / "secrets")
        )

    def test_no_folder_is_no_error(self, folder):
        assert folder.problems(PATCHBAY_SECRETS_DIR="/nowhere/at/all") == []


class TestSlips:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("servce: {port: 1}", "servce.port is not known; did you mean service.port?"),
            ("service: {prot: 1}", "service.prot is not known; did you mean service.port?"),
            ("provider: {groq: {}}\nx: 1", None),
            ("providers: {opnai: {}}", "providers.opnai is not known; did you mean openai?"),
            ("providers: {groq: {api_kee: x}}", "providers.groq.api_kee is not known; did you mean api_key?"),
            ("nothing_like_it: 1", "nothing_like_it is not known"),
            (
                "anthropic_api_key: x",
                "anthropic_api_key is not known; the setting ANTHROPIC_API_KEY is written providers.anthropic.api",
            ),
            (
                "LLM_PROVIDER: x",
                "LLM_PROVIDER is not known; the setting LLM_PROVIDER is written routing.llm_provider in",
            ),
            (
                "OPENAI_API_KYE: x",
                "OPENAI_API_KYE is not known; the setting OPENAI_API_KEY is written providers.openai.api",
            ),
            ("providers: {groq: {API_KEY: x}}", "providers.groq.API_KEY is not known; did you mean api_key?"),
        ],
    )
    def test_in_files(self, folder, text, words):
        folder.write("patchbay.yaml", text)
        found = folder.load().warnings
        assert any(one.startswith(f"patchbay.yaml: {words}") for one in found) if words else len(found) == 1

    def test_in_the_environment_only_our_own_names(self, folder):
        environ = {"PATCHBAY_CHACHE": "1", "OPENAI_APIKEY": "x", "PATCHBAY_SIMULATOR_SEED": "1", "DATABASE_URL": "x"}
        assert folder.warning(**environ) == "PATCHBAY_CHACHE (environment) is not known; did you mean PATCHBAY_CACHE?"

    def test_in_dotenv_what_is_near_one_of_ours(self, folder):
        folder.write(".env", "OPENAI_APIKEY=x\nPATCHBAY_ODD=1\nDATABASE_URL=x\nMY_OWN=1\nOPENAI_ORG_ID=x\n")
        found = folder.load().warnings
        assert found[0] == "OPENAI_APIKEY (.env) is not known; did you mean OPENAI_API_KEY?"
        assert found[1].startswith("PATCHBAY_ODD (.env) is not known") and len(found) == 2

    def test_the_names_of_own_accounts_are_known(self, folder):
        folder.write("patchbay.yaml", "providers: {groq-fast: {type: groq}}")
        folder.write(".env", "GROQ_FAST_API_KEY=x\n")
        assert folder.load().warnings == ()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("provider: {azure: {api_key: k}}", "did you mean providers?"),
        ("providers: {azure: {acounts: {west: {api_key: k}}}}", "did you mean accounts?"),
    ],
)
def test_a_slip_in_a_structure_is_named_by_its_head(folder, text, meant):
    folder.write("patchbay.yaml", text)
    assert any(meant in one for one in folder.load().warnings)
