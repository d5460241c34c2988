"""Accounts of one provider: default, with names, as a list; what each takes from its provider and what it does not."""

import pytest

from core.config.secrets import Secret
from core.config.settings import examine
from core.providers.registry import Registry
from core.types.target import Place

ROWS = Registry().declared()
WEST_AND_EAST = """
providers:
  azure:
    api_version: 2024-10-21
    default_model: gpt-5.4-mini
    accounts:
      west: {api_key: w, endpoint: "https://west.example.com", priority: 2}
      East: {api_key: e, base_url: "https://east.example.com", model: other, max_tokens: 5}
"""


@pytest.fixture
def read(tmp_path):
    def work(text, **environ):
        (tmp_path / "patchbay.yaml").write_text(text)
        return examine(ROWS, environ=environ, dotenv=tmp_path / ".env")

    return work


@pytest.fixture
def accounts(read):
    """By name, of one provider."""

    def work(provider, text, **environ):
        config, problems = read(text, **environ)
        assert not problems, problems
        return {one.name: one for one in config.accounts[provider]}

    return work


class TestForms:
    @pytest.mark.parametrize("key", ["base_url", "endpoint"])
    def test_the_address(self, accounts, key):
        found = accounts("openai", f"providers: {{openai: {{{key}: 'https://x/v1/'}}}}")
        assert found["default"].base_url == "https://x/v1"

    @pytest.mark.parametrize("key", ["model", "default_model", "text_model"])
    def test_the_model(self, accounts, key):
        assert accounts("openai", f"providers: {{openai: {{{key}: m}}}}")["default"].model == "m"

    @pytest.mark.parametrize(
        ("given", "capability"),
        [
            ("embedding_model: m", "embed"),
            ("models: {embed: m}", "embed"),
            ("models: {transcribe: m}", "transcribe"),
            ("models: {chat: m}", "chat"),
        ],
    )
    def test_models_by_capability(self, accounts, given, capability):
        one = accounts("openai", f"providers: {{openai: {{{given}}}}}")["default"]
        assert one.model_for(capability) == "m"
        assert one.model_for("rerank") is None

    @pytest.mark.parametrize("name", ["azure", "azure-openai", "Azure", "AZURE-OPENAI"])
    def test_every_name_of_a_provider(self, accounts, name):
        assert accounts("azure", f"providers: {{{name}: {{model: m}}}}")["default"].model == "m"

    @pytest.mark.parametrize(
        "text",
        [
            "providers: {groq-fast: {type: groq, text_model: m, api_key: k}}",
            "providers: {groq-fast: {provider: GROQ, text_model: m, api_key: k}}",
            "providers: [{type: groq, name: groq-fast, text_model: m, api_key: k}]",
            "providers: {groq: {accounts: {groq-fast: {text_model: m, api_key: k}}}}",
            "providers: [{type: groq, accounts: {groq-fast: {text_model: m, api_key: k}}}]",
        ],
    )
    def test_an_account_with_a_name(self, accounts, text):
        found = accounts("groq", text)
        assert list(found) == ["groq-fast"]
        assert (found["groq-fast"].model, found["groq-fast"].key) == ("m", Secret("k"))

    def test_a_list_may_have_a_provider_twice(self, accounts):
        found = accounts("groq", "providers: [{type: groq, api_key: a}, {type: groq, name: b, api_key: b}]")
        assert {name: one.key.reveal() for name, one in found.items()} == {"default": "a", "b": "b"}

    def test_default_may_be_named(self, accounts):
        found = accounts("groq", "providers: {groq: {model: m, accounts: {default: {api_key: k}}}}")
        assert (found["default"].key, found["default"].model) == (Secret("k"), "m")


class TestInheritance:
    def test_what_an_account_does_not_say_is_its_providers(self, accounts):
        found = accounts("azure", WEST_AND_EAST)
        assert list(found) == ["west", "east"]
        assert {one.api_version for one in found.values()} == {"2024-10-21"}
        assert (found["west"].model, found["east"].model) == ("gpt-5.4-mini", "other")
        assert (found["west"].priority, found["east"].priority) == (2, None)
        assert (found["west"].max_tokens, found["east"].max_tokens) == (None, 5)

    def test_a_key_serves_the_same_address(self, accounts):
        found = accounts("groq", "providers: {fast: {type: groq, model: m}}", GROQ_API_KEY="k")
        assert [one.key for one in found.values()] == [Secret("k")] * 2
        assert list(found) == ["default", "fast"]

    def test_a_key_is_not_sent_to_another_address(self, accounts):
        found = accounts("groq", "providers: {mine: {type: groq, base_url: 'http://x'}}", GROQ_API_KEY="k")
        assert found["mine"].key is None

    @pytest.mark.parametrize("service", ["speech", "translation"])
    def test_a_service_has_a_key_and_a_place_of_its_own(self, accounts, service):
        text = f"""
providers:
  azure:
    api_key: chat
    endpoint: "https://a.example.com"
    {service}: {{api_key: s, region: eastus}}
    accounts:
      same: {{api_key: w, endpoint: "https://w.example.com"}}
      moved: {{{service}: {{region: westus}}}}
      owner: {{{service}: {{region: westus, api_key: o}}}}
      there: {{{service}: {{endpoint: "https://t.example.com"}}}}
"""
        found = accounts("azure", text)
        key, region, url = (f"{service}_{part}" for part in ("key", "region", "url"))

        def of(name):
            one = found[name]
            return getattr(one, key), getattr(one, region), getattr(one, url)

        assert of("default") == of("same") == (Secret("s"), "eastus", None)
        assert of("moved") == (None, "westus", None)  # a key only for the same place
        assert of("owner") == (Secret("o"), "westus", None)
        assert of("there") == (None, "eastus", "https://t.example.com")
        assert found["moved"].key == found["there"].key == Secret("chat")

    def test_a_region_of_its_own_is_not_beaten_by_its_providers_address(self, accounts):
        text = "providers: {azure: {speech_key: s, speech_url: 'https://a', accounts: {b: {speech_region: r}}}}"
        found = accounts("azure", text)["b"]
        assert (found.speech_key, found.speech_region, found.speech_url) == (None, "r", None)

    def test_named_accounts_leave_a_default_with_a_key_for_speech(self, accounts):
        text = (
            "providers: {azure: {speech_key: s, speech_region: a, accounts: {b: {speech_region: b, speech_key: t}}}}"
        )
        assert list(accounts("azure", text)) == ["default", "b"]

    def test_its_names_in_the_environment(self, accounts):
        text = "providers: {azure: {accounts: {west: {}}}}"
        found = accounts("azure", text, AZURE_WEST_SPEECH_KEY="k", AZURE_WEST_SPEECH_REGION="r", AZURE_SPEECH_KEY="d")
        assert (found["west"].speech_key, found["west"].speech_region) == (Secret("k"), "r")

    def test_a_key_of_its_own_is_not_beaten_by_its_providers_token(self, accounts):
        environ = {"AZURE_OPENAI_AD_TOKEN": "t", "AZURE_OPENAI_ENDPOINT": "https://x"}
        found = accounts("azure", "providers: {azure: {accounts: {b: {api_key: k}}}}", **environ)
        assert (found["b"].key, found["b"].token, found["b"].base_url) == (Secret("k"), None, "https://x")

    def test_who_is_switched_off_takes_its_accounts_along(self, accounts):
        text = "providers: {groq: {enabled: false, accounts: {a: {api_key: k}, b: {api_key: k, enabled: true}}}}"
        assert {name: one.enabled for name, one in accounts("groq", text).items()} == {"a": False, "b": True}

    def test_a_default_without_access_gives_way(self, accounts):
        assert list(accounts("azure", WEST_AND_EAST)) == ["west", "east"]
        environ = {"AZURE_OPENAI_KEY": "k"}
        assert list(accounts("azure", WEST_AND_EAST, **environ)) == ["default", "west", "east"]

    def test_the_file_of_the_environment_lies_below(self, accounts, tmp_path):
        (tmp_path / "patchbay.test.yaml").write_text(
            "providers: {azure: {accounts: {west: {model: low, priority: 9}, north: {api_key: n}}}}"
        )
        found = accounts("azure", WEST_AND_EAST, PATCHBAY_ENV="test")
        assert list(found) == ["west", "east", "north"]
        assert (found["west"].priority, found["west"].model) == (2, "low")


class TestEnvironment:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("providers: {groq-fast: {type: groq}}", "GROQ_FAST_API_KEY"),
            ("providers: {groq: {accounts: {fast: {}}}}", "GROQ_FAST_API_KEY"),
            ("providers: {fast: {type: groq}}", "GROQ_FAST_API_KEY"),
            ("providers: {groq: {accounts: {eu.1: {}}}}", "GROQ_EU_1_API_KEY"),
        ],
    )
    def test_an_account_has_names_of_its_own(self, accounts, text, name):
        (one,) = accounts("groq", text, **{name: "k"}).values()
        assert one.key == Secret("k")

    def test_they_win_over_the_file(self, accounts):
        found = accounts("azure", WEST_AND_EAST, AZURE_WEST_PRIORITY="7", AZURE_WEST_MODEL="m")
        assert (found["west"].priority, found["west"].model) == (7, "m")

    def test_they_do_not_take_a_name_that_means_something_else(self, accounts):
        text = "providers: {azure: {accounts: {openai: {model: m}}}}"
        found = accounts(
            "azure", text, AZURE_OPENAI_API_KEY="k", AZURE_OPENAI_MODEL="n", AZURE_OPENAI_ENDPOINT="https://x"
        )
        assert (found["default"].key, found["default"].model, found["openai"].model) == (Secret("k"), "n", "m")


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{x: {type: groqq}}", "providers.x.type: provider 'groqq' is not known; did you mean groq?"),
            ("{openai: {type: groq}}", "providers.openai: is called like the provider openai; choose another name"),
            ("{auto: {type: groq}}", "providers.auto: an account's name has letters, digits, dots and dashes"),
            ("{'a/b': {type: groq}}", "providers.a/b: an account's name has"),
            ("{groq: 5}", "providers.groq: expected a mapping, got a single value"),
            ("{groq: {accounts: []}}", "providers.groq.accounts: expected a mapping of names, got a list"),
            ("{groq: {accounts: {a: b}}}", "providers.groq.accounts.a: expected a mapping, got a single value"),
            ("{groq: {models: [m]}}", "providers.groq.models: expected a mapping of capabilities to models"),
            ("{groq: {priority: {a: 1}}}", "providers.groq.priority: expected a single value, got a mapping"),
            (
                "{groq: {priority: first}}",
                "providers.groq.priority: expected a whole number from 0 to 10000, got 'first'",
            ),
            (
                "{azure: {translation_version: '4.0'}}",
                "providers.azure.translation_version: expected one of 3.0, 2026-06-06",
            ),
            ("{groq: {temperature: 3}}", "providers.groq.temperature: expected a number from 0 to 2, got '3'"),
            ('{groq: {api_key: "a\\nb"}}', "providers.groq.api_key: expected one line of text, got ***"),
            ("[5]", "providers[0]: expected a mapping, got a single value"),
            ("[{model: m}]", "providers[0]: needs type: <provider>"),
        ],
    )
    def test_are_one_line(self, read, text, words):
        _, (problem,) = read(f"providers: {text}")
        assert problem.message.startswith(f"patchbay.yaml: {words}")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("{groq: {cost_per_token: 0.1}}", "providers.groq.cost_per_token has no effect: prices belong to models"),
            ("{groq: {rate_limit: 5}}", "providers.groq.rate_limit has no effect: this version sets no limits"),
            ("{groq: {auth_method: cli}}", "providers.groq.auth_method: cli has no effect"),
            (
                "{groq: {base_url: 'http://a', endpoint: 'http://b'}}",
                "providers.groq.endpoint has no effect beside providers.groq.base_url",
            ),
            ("{groqq: {}}", "providers.groqq is not known; did you mean groq?"),
            ("{groq: {priorty: 1}}", "providers.groq.priorty is not known; did you mean priority?"),
        ],
    )  # fmt: skip
    def test_or_a_warning(self, read, text, words):
        config, problems = read(f"providers: {text}")
        assert not problems
        assert [one for one in config.warnings if one.startswith(f"patchbay.yaml: {words}")] == list(config.warnings)

    @pytest.mark.parametrize("method", ["api_key", "token"])
    def test_the_usual_ways_to_show_who_one_is_need_no_warning(self, read, method):
        assert read(f"providers: {{groq: {{auth_method: {method}}}}}")[0].warnings == ()


class TestPrograms:
    """`auth_method: cli`: who is logged in to the vendor's own program has no key."""

    @pytest.mark.parametrize(
        ("text", "command"),
        [
            ("{auth_method: cli}", "gemini"),
            ("{auth_method: CLI, command: /opt/gemini}", "/opt/gemini"),
            ("{command: /opt/gemini}", "/opt/gemini"),
            ("{auth_method: api_key}", None),
        ],
    )
    def test_what_is_run(self, read, text, command):
        config, problems = read(f"providers: {{gemini: {text}}}")
        (one,) = config.accounts["gemini"]
        assert not problems and config.warnings == ()
        assert (one.command, one.has_access, config.configured) == (command, bool(command), bool(command))
        missing = Registry().missing(Registry().rows["gemini"], one)
        assert missing == ([] if command else ["GEMINI_API_KEY"])

    def test_the_environment_names_it_too(self, accounts):
        assert accounts("gemini", "{}", GEMINI_COMMAND="/opt/gemini")["default"].command == "/opt/gemini"

    def test_a_key_goes_before_it(self, read):
        config, _ = read("providers: {gemini: {auth_method: cli}}", GEMINI_API_KEY="k")
        (one,) = config.accounts["gemini"]
        assert (one.command, one.key) == (None, Secret("k"))
        assert config.warnings == (
            "patchbay.yaml: providers.gemini.command has no effect: the account has a key",
        )  # fmt: skip

    def test_an_account_of_its_own_beside_one_with_a_key(self, accounts):
        text = "providers: {gemini: {api_key: k}, gemini-mine: {type: gemini, auth_method: cli}}"
        found = accounts("gemini", text)
        assert {name: (one.command, bool(one.key)) for name, one in found.items()} == {
            "default": (None, True), "gemini-mine": ("gemini", False),
        }  # fmt: skip


class TestNames:
    TEXT = """
providers:
  groq-fast: {type: groq, api_key: k}
  azure: {accounts: {west: {api_key: k}, both: {api_key: k}}}
  openai: {accounts: {both: {api_key: k}}}
"""

    @pytest.mark.parametrize(
        ("name", "place"),
        [
            ("groq-fast", Place("groq", "groq-fast")),
            (" GROQ-Fast ", Place("groq", "groq-fast")),
            ("groq:groq-fast", Place("groq", "groq-fast")),
            ("west", Place("azure", "west")),
            ("azure-openai:west", Place("azure", "west")),
            ("both", None),
            ("openai:both", Place("openai", "both")),
            ("groq", Place("groq")),
            ("openai:default", None),
            ("default", None),
            ("nobody", None),
            ("azure:nobody", None),
        ],
    )
    def test_mean_an_account_or_a_provider(self, read, name, place):
        config, _ = read(self.TEXT)
        assert Registry().place(name, config.accounts) == place

    def test_of_all_for_messages(self, read):
        config, _ = read(self.TEXT)
        assert Registry().known(config.accounts)[-4:] == ["azure:west", "azure:both", "openai:both", "groq-fast"]


class TestAddresses:
    def test_the_vendors_own_needs_the_key(self, accounts):
        registry = Registry()
        for given, missing in (("https://api.openai.com/v1/", ["OPENAI_API_KEY"]), ("http://proxy", [])):
            one = accounts("openai", "", OPENAI_BASE_URL=given)["default"]
            assert registry.missing(registry.rows["openai"], one) == missing
            assert one.has_access is (not missing)

    def test_the_vendors_own_keeps_the_key(self, accounts):
        text = "providers: {openai: {api_key: k, accounts: {a: {base_url: 'https://api.openai.com/v1'}}}}"
        assert accounts("openai", text)["a"].key == Secret("k")

    def test_keys_on_a_shared_address_are_all_accounts(self, accounts):
        text = "providers: {openai: {base_url: 'http://proxy', accounts: {a: {api_key: k1}, b: {api_key: k2}}}}"
        found = accounts("openai", text)
        assert list(found) == ["a", "b"]
        assert {one.base_url for one in found.values()} == {"http://proxy"}

    def test_an_address_of_its_own_is_an_account_of_its_own(self, accounts):
        text = "providers: {local: {base_url: 'http://a', accounts: {b: {base_url: 'http://b'}}}}"
        assert list(accounts("local", text)) == ["default", "b"]


class TestStructure:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("groq: {accounts: {fast: {type: openai, api_key: x}}}", "providers.groq.accounts.fast.type: 'openai' is"),
            ("groq: {accounts: {default: {type: openai, api_key: x}}}", "groq.accounts.default.type: 'openai' is"),
            ("fast: {type: groq, accounts: {x: {api_key: x}}}", "providers.fast.accounts: an account has no accounts"),
            ("groq: {accounts: {a: {accounts: {b: {}}}}}", "providers.groq.accounts.a.accounts: an account has no"),
            ("fast: {type: groq, provider: openai, api_key: x}", "providers.fast.provider: 'openai' is another"),
            ("fast: {type: groq, name: slow, api_key: x}", "providers.fast.name: it is called fast here"),
            ("groq: {name: slow, api_key: x}", "providers.groq.name: it is called groq here"),
        ],
    )
    def test_that_nobody_would_follow_is_refused(self, read, text, words):
        _, problems = read(f"providers: {{{text}}}")
        (one,) = problems
        assert words in one.message

    @pytest.mark.parametrize(
        "text",
        [
            "{groq: {accounts: {fast: {type: groq, name: fast, api_key: x}}}}",
            "{fast: {type: groq, provider: groq, name: Fast, api_key: x}}",
            "[{name: fast, type: groq, api_key: x}]",
        ],
    )
    def test_that_says_the_same_twice_is_no_harm(self, accounts, text):
        assert "fast" in accounts("groq", f"providers: {text}")
