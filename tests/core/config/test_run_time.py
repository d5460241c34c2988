"""Which settings may be changed at run time, and what of a change holds."""

import pytest

from core.bootstrap import build
from core.config.run_time import Changes
from core.errors import BadRequest, Misconfigured


def rules(found=None, pinned=None, **environ):
    return build(environ=environ, found=found, pinned=pinned).rules


def settled(values, **environ):
    return rules(**environ).settle(Changes(3, values))


def refused(name, value="x", **environ):
    one = rules(**environ)
    with pytest.raises(BadRequest) as caught:
        one.check({one.name(name): value}, one.name(name))
    return caught.value


class TestWhatMayBeChanged:
    @pytest.mark.parametrize(
        ("name", "kept"),
        [
            ("LLM_PROVIDER", "LLM_PROVIDER"),
            (" max_retries ", "MAX_RETRIES"),
            ("AI_PROVIDER_LOG_LEVEL", "LOG_LEVEL"),
            ("AZURE_MODEL", "AZURE_OPENAI_DEPLOYMENT"),
            ("LOCAL_MODEL", "LOCAL_LLM_MODEL"),
            # The first puts it at the head of the chain as well, so they are two settings.
            ("LOCAL_MODELS_ENABLED", "LOCAL_MODELS_ENABLED"),
            ("LOCAL_ENABLED", "LOCAL_ENABLED"),
        ],
    )
    def test_each_setting_is_kept_under_one_name(self, name, kept):
        assert rules().name(name) == kept

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("LLM_PROVIDR", "LLM_PROVIDR is not a setting; did you mean LLM_PROVIDER?"),
            ("XYZZY", "XYZZY is not a setting"),
            ("openai.simulated", "OPENAI.SIMULATED is not a setting; did you mean OPENAI_MAX_TOKENS?"),
        ],
    )
    def test_what_is_no_setting_is_refused_with_the_nearest_name(self, name, words):
        with pytest.raises(BadRequest) as caught:
            rules().name(name)
        assert caught.value.message == words
        assert caught.value.code == "unknown_setting"

    @pytest.mark.parametrize("name", ["OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "HF_TOKEN", "PATCHBAY_API_KEY"])
    def test_secrets_are_refused_and_not_repeated(self, name):
        error = refused(name, "sk-very-secret")
        assert "stay in the environment, in secrets files or in a secrets manager" in error.message
        assert "very" not in error.message

    @pytest.mark.parametrize(
        "name",
        ["HOST", "PORT", "AI_PROVIDER_PORT", "PATCHBAY_HOME", "PATCHBAY_TABLE", "PATCHBAY_BUCKET",
         "PATCHBAY_LOCKED", "PATCHBAY_REFRESH", "PATCHBAY_USE_PROXY", "PATCHBAY_FETCH_PRIVATE", "LOG_FORMAT"],
    )  # fmt: skip
    def test_what_needs_a_restart_is_refused(self, name):
        assert refused(name, "1").message.endswith("is read once: set it in the environment and restart")

    @pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "LOCAL_BASE_URL", "PATCHBAY_QUEUE"])
    def test_where_a_key_goes_is_not_changed(self, name):
        """Who may write to the store must not be able to have keys sent to himself."""
        assert "says where a key and requests go" in refused(name, "http://elsewhere").message

    def test_what_runs_here_is_not_changed(self):
        """Nor may he have another program run."""
        assert "says which program runs here" in refused("GEMINI_COMMAND", "sh").message

    @pytest.mark.parametrize(
        ("locked", "name", "value"),
        [
            ("LLM_PROVIDER", "LLM_PROVIDER", "openai"),
            ("max_retries, llm_provider", "LLM_PROVIDER", "openai"),
            ("AI_PROVIDER_LOG_LEVEL", "LOG_LEVEL", "debug"),
            ("LOCAL_ENABLED", "LOCAL_MODELS_ENABLED", "true"),  # which decides the same, and more
            ("*", "MAX_RETRIES", "3"),
            ("*_model", "OPENAI_MODEL", "m"),
            ("PATCHBAY_*", "PATCHBAY_MAX_COST", "1"),
        ],
    )
    def test_what_is_locked_is_refused(self, locked, name, value):
        assert "is locked by PATCHBAY_LOCKED" in refused(name, value, PATCHBAY_LOCKED=locked).message

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("MAX_RETRIES", "lots", "MAX_RETRIES (run time): expected a whole number from 0 to 100, got 'lots'"),
            ("LLM_PROVIDER", "nope", "LLM_PROVIDER (run time): provider 'nope' is not known"),
            ("MAX_RETRIES", " ", "an empty value has no effect"),
            ("OPENAI_MODEL", "m" * 5000, "longer than 4096 characters"),
        ],
    )
    def test_a_value_must_load(self, name, value, words):
        assert words in refused(name, value).message

    @pytest.mark.parametrize(
        ("locked", "words"),
        [
            ("MAX_RETRIES,LLM_PROVIDR", "LLM_PROVIDR is not a setting; did you mean LLM_PROVIDER?"),
            ("*_MODL", "no setting fits *_MODL"),
        ],
    )
    def test_a_lock_on_nothing_stops_the_start(self, locked, words):
        with pytest.raises(Misconfigured) as caught:
            rules(PATCHBAY_LOCKED=locked)
        assert caught.value.message == f"PATCHBAY_LOCKED (environment): {words}"


class TestWhatHolds:
    def test_a_change_is_above_the_environment(self):
        config, in_force = settled({"LLM_PROVIDER": "together", "OPENAI_MODEL": "m"}, LLM_PROVIDER="openai")
        assert config.llm_provider == "together"
        assert config.accounts["openai"][0].model == "m"
        assert (in_force.version, dict(in_force.left_out)) == (3, {})

    def test_what_was_locked_since_does_not_hold(self):
        values = {"LLM_PROVIDER": "together", "MAX_RETRIES": "7"}
        config, in_force = settled(values, LLM_PROVIDER="openai", PATCHBAY_LOCKED="LLM_PROVIDER")
        assert (config.llm_provider, config.max_retries) == ("openai", 7)
        assert in_force.values == {"MAX_RETRIES": "7"}
        assert "locked" in in_force.left_out["LLM_PROVIDER"]

    def test_what_no_longer_loads_is_left_out_alone(self):
        values = {
            "MAX_RETRIES": "lots",
            "LLM_PROVIDER": "gone-provider",
            "CHAT_PROVIDER": "together",
            "OLD_NAME": "s3cret",
            "OPENAI_API_KEY": "s3cret",
            "openai.simulated": "true",
            "PORT": "1",
        }
        config, in_force = settled(values)
        assert (config.chat_provider, config.llm_provider, config.max_retries, config.port) == (
            "together",
            None,
            2,
            8787,
        )
        assert config.accounts["openai"][0].key is None
        assert config.accounts["openai"][0].simulated is False
        assert in_force.values == {"CHAT_PROVIDER": "together"}
        assert set(in_force.left_out) == set(values) - {"CHAT_PROVIDER"}
        assert "s3cret" not in str(in_force)

    def test_simulators_stay_above_changes_and_what_was_found_below(self):
        values = {"OPENAI_MODEL": "mine", "OLLAMA_MODEL": "mine"}
        one = rules(pinned={"OPENAI_MODEL": "simulated"}, found={"OLLAMA_MODEL": "found"})
        assert one.start.accounts["ollama"][0].model == "found"
        config, in_force = one.settle(Changes(1, values))
        assert config.accounts["openai"][0].model == "simulated"
        assert config.accounts["ollama"][0].model == "mine"
        assert "simulators" in in_force.left_out["OPENAI_MODEL"]

    def test_a_file_is_read_once(self, tmp_path):
        dotenv = tmp_path / ".env"
        dotenv.write_text("MAX_RETRIES=4\n")
        one = build(environ={}, dotenv=dotenv).rules
        dotenv.write_text("MAX_RETRIES=broken\n")
        config, in_force = one.settle(Changes(1, {"LLM_PROVIDER": "together"}))
        assert (config.max_retries, dict(in_force.left_out)) == (4, {})
