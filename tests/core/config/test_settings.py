"""Settings come from layers; what does not fit is one clear line, and no secret is ever in it."""

import ast
import copy
import dataclasses
import pickle
from pathlib import Path

import pytest

import core.config
from core.config.secrets import Secret
from core.config.settings import SETTINGS, Declared, Settings, examine, load
from core.errors import Misconfigured
from core.providers.registry import Registry

KEY = "sk-secret-0123456789abcdef"
ROWS = Registry().declared()


def read(environ=None, dotenv=None, run_time=None, rows=()):
    return load(rows, environ=environ or {}, dotenv=dotenv, run_time=run_time)


def refusal(environ, rows=ROWS):
    with pytest.raises(Misconfigured) as caught:
        read(environ, rows=rows)
    return caught.value


def account(provider, **environ):
    (one,) = read(environ, rows=ROWS).accounts[provider]
    return one


@pytest.fixture
def dotenv(tmp_path):
    def write(text):
        path = tmp_path / ".env"
        path.write_text(text)
        return path

    return write


class TestLayers:
    def test_run_time_over_environment_over_file_over_default(self, dotenv):
        path = dotenv("PORT=3000\n")
        assert read().port == 8787
        assert read(dotenv=path).port == 3000
        assert read({"PORT": "2000"}, path).port == 2000
        assert read({"PORT": "2000"}, path, {"PORT": "1000"}).port == 1000

    def test_each_setting_finds_its_own_layer(self, dotenv):
        path = dotenv("HOST=file\nMAX_RETRIES=7\n")
        found = read({"HOST": "environment"}, path, {"RETRY_DELAY_MS": "5"})
        assert (found.host, found.max_retries, found.retry_delay_ms) == ("environment", 7, 5)

    def test_accounts_have_the_same_layers(self, dotenv):
        path = dotenv("OPENAI_API_KEY=file\nOPENAI_MODEL=file-model\n")
        (one,) = load(ROWS, environ={"OPENAI_API_KEY": "environment"}, dotenv=path).accounts["openai"]
        assert one.key == Secret("environment")
        assert one.model == "file-model"

    def test_a_higher_layer_wins_whatever_its_name(self, dotenv):
        path = dotenv("AZURE_OPENAI_KEY=file\n")
        (one,) = load(ROWS, environ={"AZURE_OPENAI_API_KEY": "environment"}, dotenv=path).accounts["azure"]
        assert one.key == Secret("environment")

    def test_a_file_may_be_missing(self, tmp_path):
        assert read(dotenv=tmp_path / ".env").port == 8787
        assert read(dotenv=tmp_path).port == 8787

    def test_a_file_has_quotes_comments_and_exports(self, dotenv):
        path = dotenv("# ours\nexport HOST=\"0.0.0.0\"  # all\nLLM_PROVIDER='openai'\n\nNOTHING\n")
        found = read(dotenv=path)
        assert (found.host, found.llm_provider) == ("0.0.0.0", "openai")

    def test_the_process_environment_is_the_default(self, monkeypatch):
        monkeypatch.setenv("PORT", "4321")
        assert load(()).port == 4321

    @pytest.mark.parametrize("empty", ["", " ", "\t\n"])
    def test_empty_values_are_as_good_as_absent(self, empty, dotenv):
        path = dotenv("PORT=3000\n")
        assert read({"PORT": empty}, path).port == 3000
        assert read({"PORT": empty}).port == 8787
        assert account("openai", OPENAI_API_KEY=empty).key is None
        assert not read({"OPENAI_API_KEY": empty, "PATCHBAY_API_KEY": empty}, rows=ROWS).configured

    def test_blanks_around_a_value_are_not_part_of_it(self):
        assert read({"HOST": " localhost \n"}).host == "localhost"
        assert account("openai", OPENAI_API_KEY=f" {KEY}\n").key == Secret(KEY)


class TestNames:
    def test_the_first_of_several_names_wins(self):
        assert read({"PORT": "1", "AI_PROVIDER_PORT": "2"}).port == 1
        assert read({"AI_PROVIDER_PORT": "2"}).port == 2
        both = {"AZURE_OPENAI_KEY": "one", "AZURE_OPENAI_API_KEY": "two", "AZURE_API_KEY": "three"}
        assert account("azure", **both).key == Secret("one")
        assert account("azure", AZURE_OPENAI_API_KEY="two", AZURE_API_KEY="three").key == Secret("two")
        assert account("azure", AZURE_API_KEY="three").key == Secret("three")

    def test_an_empty_first_name_leaves_it_to_the_next(self):
        assert account("azure", AZURE_OPENAI_KEY="", AZURE_OPENAI_API_KEY="two").key == Secret("two")

    def test_a_rows_own_names_follow_from_its_name(self):
        row = Declared("my-co", {"key": ("MY_CO_API_KEY",)})
        (one,) = read({"MY_CO_API_KEY": KEY}, rows=[row]).accounts["my-co"]
        assert one.key == Secret(KEY)

    def test_every_account_field_can_be_set(self):
        one = account(
            "together",
            TOGETHER_API_KEY=KEY,
            TOGETHER_BASE_URL="http://localhost:9/v1/",
            TOGETHER_MODEL="mine",
            TOGETHER_ENABLED="no",
            TOGETHER_PRIORITY="3",
        )
        assert (one.key, one.base_url, one.model) == (Secret(KEY), "http://localhost:9/v1", "mine")
        assert (one.enabled, one.priority, one.name) == (False, 3, "default")

    def test_everybody_has_an_account_though_nothing_is_set(self):
        assert set(read(rows=ROWS).accounts) == {row.provider for row in ROWS}


class TestMisfits:
    @pytest.mark.parametrize(
        ("name", "text", "expectation"),
        [
            ("PORT", "http", "a whole number from 0 to 65535"),
            ("PORT", "65536", "a whole number from 0 to 65535"),
            ("PORT", "-1", "a whole number from 0 to 65535"),
            ("PORT", "80.5", "a whole number from 0 to 65535"),
            ("AI_PROVIDER_PORT", "x", "a whole number from 0 to 65535"),
            ("MAX_RETRIES", "many", "a whole number from 0 to 100"),
            ("RETRY_DELAY_MS", "60001", "a whole number from 0 to 60000"),
            ("ENABLE_FALLBACK", "maybe", "true or false"),
            ("ENABLE_FALLBACK", "2", "true or false"),
            ("PATCHBAY_CONNECT_TIMEOUT", "soon", "a number of seconds above 0"),
            ("PATCHBAY_CONNECT_TIMEOUT", "0", "a number of seconds above 0"),
            ("PATCHBAY_IDLE_TIMEOUT", "-1", "a number of seconds above 0"),
            ("PATCHBAY_IDLE_TIMEOUT", "nan", "a number of seconds above 0"),
            ("PATCHBAY_TOTAL_TIMEOUT", "inf", "a number of seconds above 0"),
            ("PATCHBAY_MAX_BODY_BYTES", "0", "a whole number from 1 to"),
            ("PATCHBAY_MAX_BODY_BYTES", "32MB", "a whole number from 1 to"),
            ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
            ("LOG_FORMAT", "xml", "one of auto, json, human"),
            ("OPENAI_BASE_URL", "api.openai.com", "an http:// or https:// address"),
            ("OPENAI_BASE_URL", "ftp://api.openai.com", "an http:// or https:// address"),
            ("OPENAI_BASE_URL", "https://", "an http:// or https:// address"),
            ("OPENAI_BASE_URL", "http://[::1", "an http:// or https:// address"),
            ("OPENAI_BASE_URL", "http://localhost:99999/v1", "an http:// or https:// address"),
            ("OPENAI_BASE_URL", "http://localhost:port/v1", "an http:// or https:// address"),
            ("OPENAI_ENABLED", "perhaps", "true or false"),
            ("OPENAI_PRIORITY", "first", "a whole number from 0 to 10000"),
        ],
    )
    def test_are_one_line_with_name_layer_and_expectation(self, name, text, expectation):
        error = refusal({name: text})
        assert error.param == name
        assert error.message.startswith(f"{name} (environment): expected {expectation}")
        assert (repr(text) in error.message) is not name.endswith("_URL")  # those can hold passwords
        assert "\n" not in error.message

    @pytest.mark.parametrize("text", ["https://x/v1?code=s3cret", "https://x/#s3cret", "https://s3cret@x", "s3cret"])
    def test_of_an_address_are_told_without_it(self, text):
        assert "s3cret" not in refusal({"OPENAI_BASE_URL": text}).message

    def test_an_address_of_a_deployment_names_the_settings_it_stands_for(self):
        url = "https://x.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21"
        message = refusal({"AZURE_OPENAI_ENDPOINT": url}).message
        for name in ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_API_VERSION"):
            assert f"{name} to " in message

    def test_name_the_layer_they_came_from(self, dotenv):
        with pytest.raises(Misconfigured, match=r"PORT \(\.env\)"):
            read(dotenv=dotenv("PORT=x"))
        with pytest.raises(Misconfigured, match=r"PORT \(run time\)"):
            read(run_time={"PORT": "x"})

    def test_in_a_hidden_layer_do_not_matter(self, dotenv):
        assert read({"PORT": "1"}, dotenv("PORT=x")).port == 1

    @pytest.mark.parametrize("text", ["1", "true", "TRUE", "Yes", "on"])
    def test_true(self, text):
        assert read({"ENABLE_FALLBACK": text}).enable_fallback is True

    @pytest.mark.parametrize("text", ["0", "false", "False", "NO", "off"])
    def test_false(self, text):
        assert read({"ENABLE_FALLBACK": text}).enable_fallback is False

    @pytest.mark.parametrize(
        ("name", "field", "text", "value"),
        [
            ("LLM_PROVIDER", "llm_provider", "OpenAI", "openai"),
            ("PROVIDER_STRATEGY", "strategy", "Fallback", "fallback"),
            ("LOG_LEVEL", "log_level", "WARNING", "warning"),
            ("PATCHBAY_IDLE_TIMEOUT", "idle_timeout", "2.5", 2.5),
            ("PATCHBAY_MAX_ANSWER_BYTES", "max_answer_bytes", "1048576", 1 << 20),
            ("PATCHBAY_HOME", "home", "/var/lib/patchbay", Path("/var/lib/patchbay")),
            ("PATCHBAY_USE_PROXY", "proxy", "1", True),
            (
                "PATCHBAY_FETCH_PRIVATE",
                "fetch_private",
                "10.0.0.0/8, Minio.internal",
                ("10.0.0.0/8", "minio.internal"),
            ),
            ("PATCHBAY_FETCH_PRIVATE", "fetch_private", "127.0.0.1,FD00::/8", ("127.0.0.1/32", "fd00::/8")),
        ],
    )
    def test_what_fits_is_taken(self, name, field, text, value):
        assert getattr(read({name: text}), field) == value

    @pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "1.2.3", "true/false", "http://minio", "a b", "*"])
    def test_a_network_that_is_none_opens_nothing(self, text):
        assert "expected hosts and networks" in refusal({"PATCHBAY_FETCH_PRIVATE": text}).message

    def test_home_may_begin_with_the_users_own(self, dotenv, monkeypatch):
        """No shell stands between a .env and us; a folder called ~ is nobody's wish."""
        monkeypatch.setenv("HOME", "/home/ada")
        assert read(dotenv=dotenv("PATCHBAY_HOME=~/patchbay")).home == Path("/home/ada/patchbay")


class TestSecrets:
    SET = {"PATCHBAY_API_KEY": KEY, "OPENAI_API_KEY": KEY, "AZURE_OPENAI_KEY": KEY}  # noqa: RUF012 - read only

    def test_are_in_no_repr(self):
        found = read(self.SET, rows=ROWS)
        for shown in (repr(found), str(found), repr(found.accounts), str(found.api_key), f"{found.api_key}"):
            assert KEY not in shown
            assert KEY[:10] not in shown
        assert str(dataclasses.asdict(found)).count(KEY) == 0

    def test_are_there_for_who_needs_them(self):
        found = read(self.SET, rows=ROWS)
        assert found.api_key is not None
        assert found.api_key.reveal() == KEY

    @pytest.mark.parametrize("name", ["PORT", "OPENAI_BASE_URL", "OPENAI_PRIORITY"])
    def test_are_in_no_message_about_another_setting(self, name):
        assert KEY not in refusal({**self.SET, name: "nonsense"}).message

    def test_compare_by_value_and_hide_it(self):
        assert Secret("a") == Secret("a") != Secret("b")
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
        assert Secret("a") != "a"
        assert copy.deepcopy(Secret("a")).reveal() == "a"

    def test_have_no_attributes_to_stumble_on(self):
        assert not hasattr(Secret(KEY), "__dict__")
        assert pickle.loads(pickle.dumps(Secret(KEY))) == Secret(KEY)


class TestMeaning:
    @pytest.mark.parametrize(
        ("environ", "configured"),
        [
            ({}, False),
            ({"OPENAI_API_KEY": KEY}, True),
            ({"OLLAMA_BASE_URL": "http://localhost:11434"}, True),
            ({"ANTHROPIC_API_KEY": KEY}, True),
            ({"OPENAI_BASE_URL": "https://api.openai.com/v1/"}, False),
            ({"OPENAI_BASE_URL": "http://proxy/v1"}, True),
            ({"PATCHBAY_API_KEY": KEY}, False),
            ({"OPENAI_MODEL": "gpt-4o", "OPENAI_PRIORITY": "1", "LLM_PROVIDER": "openai"}, False),
        ],
    )
    def test_configured_is_who_has_a_key_or_an_address(self, environ, configured):
        assert read(environ, rows=ROWS).configured is configured

    @pytest.mark.parametrize(
        ("environ", "capability", "first"),
        [
            ({}, "chat", None),
            ({"LLM_PROVIDER": "openai"}, "chat", "openai"),
            ({"LLM_PROVIDER": "openai"}, "embed", "openai"),
            ({"CHAT_PROVIDER": "together"}, "chat", "together"),
            ({"CHAT_PROVIDER": "together"}, "embed", None),
            ({"CHAT_PROVIDER": "together", "LLM_PROVIDER": "openai"}, "chat", "together"),
            ({"CHAT_PROVIDER": "together", "LLM_PROVIDER": "openai"}, "embed", "openai"),
            ({"LLM_PROVIDER": "auto"}, "chat", None),
            ({"LLM_PROVIDER": "AUTO"}, "chat", None),
            ({"CHAT_PROVIDER": "auto", "LLM_PROVIDER": "openai"}, "chat", None),
        ],
    )
    def test_who_goes_first(self, environ, capability, first):
        assert read(environ).first_for(capability) == first


def test_every_setting_says_what_it_is_and_where_it_is_set():
    for row in SETTINGS:
        assert len(row.doc) > 10, row.name
        assert row.env, row.name
        assert all(name == name.upper() and name.isidentifier() for name in row.env)
        assert row.kind.expects, row.name
    without = {"accounts", "models", "vocabularies", "voices", "warnings", "origins"}
    assert {row.name for row in SETTINGS} == {item.name for item in dataclasses.fields(Settings)} - without


def test_no_two_settings_share_a_name():
    names = [name for item in dataclasses.fields(Settings) for name in item.metadata.get("env", ())]
    # One switch may set two fields of one account.
    names += [name for row in ROWS for name in {name for found in row.names.values() for name in found}]
    assert len(names) == len(set(names))


def test_defaults_need_nothing():
    found = read()
    assert found == Settings()
    assert found.host == "127.0.0.1"
    assert not found.configured


def test_configuration_knows_no_provider():
    for path in Path(next(iter(core.config.__path__))).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            assert not [name for name in names if name.startswith("core.providers")], path


class TestVocabulary:
    def load(self, tmp_path, text, **environ):
        file = tmp_path / "patchbay.yaml"
        file.write_text(text)
        return examine((), environ={"PATCHBAY_CONFIG": str(file), **environ})

    def test_a_list_is_everybodys(self, tmp_path):
        config, problems = self.load(tmp_path, "vocabulary: [Patchbay, Zed Two]\n")
        assert (config.vocabulary, config.vocabularies, problems) == (("Patchbay", "Zed Two"), {}, [])

    def test_organisations_have_their_own_beside_it(self, tmp_path):
        text = "vocabulary:\n  all: [Patchbay]\n  acme: [Zed, Two]\n"
        config, problems = self.load(tmp_path, text)
        assert (config.vocabulary, config.vocabularies, problems) == (("Patchbay",), {"acme": ("Zed", "Two")}, [])
        config, _ = self.load(tmp_path, text, PATCHBAY_VOCABULARY="Other, More")
        assert (config.vocabulary, config.vocabularies) == (("Other", "More"), {"acme": ("Zed", "Two")})

    def test_what_is_no_list_is_named(self, tmp_path):
        _, problems = self.load(tmp_path, "vocabulary: {acme: 3, all: {x: 1}}\n")
        assert [one.param for one in problems] == ["vocabulary.acme", "vocabulary.all"]
