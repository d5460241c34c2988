"""Who is asked, in which order, and why nobody else is: decided from the request and the settings alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.capabilities import Capability, Feature
from core.config import settings
from core.config.catalog import Catalog, Model
from core.config.prices import Rates, moment, parse_periods, per_token
from core.errors import BadRequest, NotFound
from core.net.transport import Transport
from core.providers.registry import Registry
from core.providers.row import Row
from core.providers.table import TABLE
from core.routing.planner import Planner
from core.types.request import Options, Request
from core.types.target import Target
from core.types.usage import NANO_PER_USD
from core.wire.chat import chat_facts
from tests.core.fakes import examples

ALL = frozenset({Feature.STREAM, Feature.TOOLS, Feature.VISION, Feature.JSON_MODE, Feature.JSON_SCHEMA})
BLIND = ALL - {Feature.VISION, Feature.JSON_SCHEMA}
HI = [{"role": "user", "content": "Hello"}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
KEYS = {
    "AZURE_OPENAI_KEY": "a",
    "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com",
    "TOGETHER_API_KEY": "t",
    "OPENAI_API_KEY": "o",
}
LLAMA, OSS = "meta-llama/Llama-3.3-70B-Instruct-Turbo", "openai/gpt-oss-120b"


def model(provider, name, tier, usd=1, **facts):
    prices = () if usd is None else per_token(Rates(input=usd * 10**6, output=usd * 10**7))
    facts = {"features": ALL, "context": 100_000, "max_output": 10_000, "prices": prices, **facts}
    return Model(id=name, provider=provider, capability=Capability.CHAT, tier=tier, **facts)


CATALOG = Catalog(
    [
        model("azure", "gpt-5.4-mini", "fast", sampling=False),
        model("azure", "gpt-5.5", "advanced", usd=5, sampling=False),
        model("openai", "gpt-6-luna", "fast", sampling=False, context=1_000_000),
        model("openai", "gpt-5.4-mini", "fast", usd=2, sampling=False),
        model("openai", "gpt-4.1-mini", "fast", usd=3),
        model("openai", "gpt-5.5", "advanced", usd=6, sampling=False),
        model("openai", "unpriced", "standard", usd=None),
        model("together", LLAMA, "standard", features=BLIND),
        model("together", OSS, "standard", features=BLIND),
        model("together", "Qwen/Qwen3.5-9B", "fast"),
    ]
)


def planner(environ=None, catalog=CATALOG, registry=None):
    registry = registry or Registry()
    config = settings.load(registry.declared(), environ=KEYS if environ is None else environ)
    registry.connect(config.accounts, Transport())
    return Planner(registry, catalog, config)


def request(body=None, **options):
    body = {"messages": HI, **(body or {})}
    return Request(
        capability=Capability.CHAT,
        body=body,
        options=Options(**options),
        facts=chat_facts(body),
        stream=body.get("stream", False),
    )


def plan(environ=None, body=None, **options):
    return planner(environ).plan(request(body, **options))


def order(environ=None, body=None, **options):
    return [str(one.target) for one in plan(environ, body, **options).candidates]


def providers(environ=None, body=None, **options):
    return [one.target.provider for one in plan(environ, body, **options).candidates]


def excluded(made):
    """Why each provider is out."""
    return {one.target.provider: (one.code, one.reason) for one in made.excluded}


AZURE, TOGETHER, OPENAI = "azure/gpt-5.4-mini", f"together/{LLAMA}", "openai/gpt-6-luna"


PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object"}}}
FUNCTION = {"type": "function", "function": {"name": "weather"}}
WORDS = {"type": "json_schema", "json_schema": {"name": "words", "schema": {"type": "array"}}}


class TestMeans:
    """Of those that are configured, together's default model has a JSON mode and no schemas."""

    def means(self, wanted, **options):
        made = plan(None, {"response_format": wanted}, **options)
        return {one.target.provider: one.means for one in made.candidates}

    def test_who_has_no_schemas_answers_by_json_mode_in_his_place_of_the_chain(self):
        expected = {"azure": "native", "together": "json_mode", "openai": "native"}
        assert self.means(PERSON) == expected
        assert list(self.means(PERSON)) == list(expected)

    def test_and_says_so(self):
        made = {one.target.provider: one for one in plan(None, {"response_format": PERSON}).candidates}
        assert made["together"].reasons[-1] == "by JSON mode, checked here"
        assert made["together"].warnings == (
            f"{TOGETHER} takes no JSON schema in this request: asked by JSON mode, and checked here",
        )
        assert made["azure"].warnings == () and len(made["azure"].reasons) == 1

    def test_strict_takes_a_providers_own_means_only(self):
        made = plan(None, {"response_format": PERSON}, compatibility="strict")
        assert [one.target.provider for one in made.candidates] == ["azure", "openai"]
        assert excluded(made)["together"] == (
            "features",
            "gives json_schema only by JSON mode, which strict forbids",
        )

    def test_what_is_no_object_needs_schemas(self):
        assert self.means(WORDS) == {"azure": "native", "openai": "native"}
        assert self.means(PERSON)["together"] == "json_mode", "equal but for their schemas' types"
        words = "gives json_schema only by JSON mode, which gives objects only"
        assert excluded(plan(None, {"response_format": WORDS}))["together"] == ("features", words)

    def test_json_mode_is_everybodys_here(self):
        assert set(self.means({"type": "json_object"}).values()) == {"native"}

    def test_who_asks_for_no_json_needs_no_means(self):
        assert set(self.means({"type": "text"}).values()) == {None}

    def test_a_function_where_there_is_nothing_else(self):
        tools = frozenset({Feature.STREAM, Feature.TOOLS})
        bare = Catalog([model("together", LLAMA, "standard", features=tools)])
        made = planner({"TOGETHER_API_KEY": "t"}, bare)
        (one,) = made.plan(request({"response_format": PERSON})).candidates
        assert (one.means, one.reasons[-1]) == ("tool", "by a function call, checked here")
        assert "tool_choice" not in one.drop

    @pytest.mark.parametrize(
        ("name", "fields", "means"),
        [
            ("old-1", {"tools": [FUNCTION]}, "tool"),
            ("old-1", {"documents": ["The"]}, None),
            ("old-1", {}, "native"),
            ("new-1", {"tools": [FUNCTION]}, "native"),
        ],
    )
    def test_who_gives_json_only_without_functions_gives_it_by_one_more(self, name, fields, means):
        features = ALL | {Feature.DOCUMENTS}
        row = Row("acme", "Acme", base_url="https://acme.example", json_alone="old-", features=features)
        made = planner({"ACME_API_KEY": "a", "ACME_MODEL": name}, registry=Registry([row]))
        found = made.plan(request({"response_format": PERSON, **fields}))
        assert [one.means for one in found.candidates] == ([means] if means else [])
        assert means or "json_schema" in found.excluded[0].reason

    def test_who_cannot_be_made_to_call_is_not_told_to(self):
        features, lacks = frozenset({Feature.TOOLS}), frozenset({"tool_choice"})
        row = Row("acme", "Acme", base_url="https://acme.example", features=features, lacks_params=lacks)
        made = planner({"ACME_API_KEY": "a", "ACME_MODEL": "m"}, registry=Registry([*TABLE, row]))
        (only,) = made.plan(request({"response_format": PERSON}, provider="acme")).candidates
        assert only.means == "tool" and "tool_choice" in only.drop
        assert not any("tool_choice" in each for each in only.warnings), "nobody asked for one"


class TestChain:
    def test_azure_then_together_then_openai(self):
        assert order() == [AZURE, TOGETHER, OPENAI]

    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["OPENAI_API_KEY"], [OPENAI]),
            (["TOGETHER_API_KEY"], [TOGETHER]),
            (["TOGETHER_API_KEY", "OPENAI_API_KEY"], [TOGETHER, OPENAI]),
            (["AZURE_OPENAI_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_KEY"], [AZURE, OPENAI]),
            ([], []),
        ],
    )
    def test_only_who_is_configured(self, names, expected):
        assert order({name: KEYS[name] for name in names}) == expected

    def test_the_others_are_out_with_the_name_to_set(self):
        out = excluded(plan({"OPENAI_API_KEY": "o"}))
        assert out["azure"] == ("not_configured", "set AZURE_OPENAI_KEY and AZURE_OPENAI_ENDPOINT")
        assert out["together"] == ("not_configured", "set TOGETHER_API_KEY")
        assert "OLLAMA_BASE_URL" in out["ollama"][1]
        assert "openai" not in out

    def test_half_a_configuration_names_the_other_half(self):
        made = plan({"AZURE_OPENAI_KEY": "a"})
        assert excluded(made)["azure"] == ("not_configured", "set AZURE_OPENAI_ENDPOINT")
        assert not any(one.by_request for one in made.excluded)

    def test_who_is_switched_off_says_by_what(self):
        made = plan({**KEYS, "TOGETHER_ENABLED": "false"})
        assert [one.target.provider for one in made.candidates] == ["azure", "openai"]
        code, reason = excluded(made)["together"]
        assert code == "disabled"
        assert "TOGETHER_ENABLED" in reason

    def test_the_users_own_server_needs_no_key(self):
        assert order({"OPENAI_BASE_URL": "http://localhost:9/v1"}) == [OPENAI]
        assert "azure" in excluded(plan({"AZURE_OPENAI_ENDPOINT": "http://localhost:9"}))

    def test_somebody_without_a_model_says_what_to_set(self):
        environ = {"OLLAMA_BASE_URL": "http://localhost:11434"}
        code, reason = excluded(plan(environ))["ollama"]
        assert code == "no_model"
        assert "OLLAMA_MODEL" in reason
        assert order({**environ, "OLLAMA_MODEL": "llama3.2"}) == ["ollama/llama3.2"]
        assert order(environ, model="ollama/llama3.2", fallback=False) == ["ollama/llama3.2"]

    def test_an_accounts_own_model_is_its_default(self):
        assert order({**KEYS, "AZURE_OPENAI_DEPLOYMENT": "my-gpt"})[0] == "azure/my-gpt"

    def test_nobody_is_asked_twice(self):
        for options in ({"provider": "azure"}, {"model": "gpt-5.4-mini"}, {"model": "azure/gpt-5.4-mini"}):
            targets = order(**options)
            assert len(targets) == len(set(targets))

    def test_who_comes_where_has_its_reason(self):
        for position, one in zip((1, 2, 4), plan().candidates, strict=True):  # the third has no key
            assert any(str(position) in reason for reason in one.reasons)

    def test_it_can_be_asked_for_by_name(self):
        chat, embed = (list(map(str, planner().chain(one))) for one in (Capability.CHAT, Capability.EMBED))
        assert chat[:3] == ["azure", "together", "openai"]
        assert embed[:3] == ["azure", "openai", "together"]  # two have the default model


class TestFirst:
    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({"LLM_PROVIDER": "openai"}, ["openai", "azure", "together"]),
            ({"CHAT_PROVIDER": "together"}, ["together", "azure", "openai"]),
            ({"CHAT_PROVIDER": "together", "LLM_PROVIDER": "openai"}, ["together", "azure", "openai"]),
            ({"LLM_PROVIDER": "auto"}, ["azure", "together", "openai"]),
            ({"CHAT_PROVIDER": "auto"}, ["azure", "together", "openai"]),
            ({"CHAT_PROVIDER": "auto", "LLM_PROVIDER": "openai"}, ["azure", "together", "openai"]),
            ({"LLM_PROVIDER": "TogetherAI"}, ["together", "azure", "openai"]),
            ({"LLM_PROVIDER": "azure-openai"}, ["azure", "together", "openai"]),
            ({"LLM_PROVIDER": "ollama"}, ["azure", "together", "openai"]),
        ],
    )
    def test_the_settings_say_who(self, environ, expected):
        assert providers({**KEYS, **environ}) == expected

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({"OPENAI_PRIORITY": "1"}, ["openai", "azure", "together"]),
            ({"OPENAI_PRIORITY": "2", "TOGETHER_PRIORITY": "1"}, ["together", "openai", "azure"]),
            ({"AZURE_PRIORITY": "9", "OPENAI_PRIORITY": "9"}, ["azure", "openai", "together"]),
            ({"OPENAI_PRIORITY": "0", "LLM_PROVIDER": "together"}, ["together", "openai", "azure"]),
            ({"AZURE_PRIORITY": "10000"}, ["azure", "together", "openai"]),
        ],
    )
    def test_numbers_order_the_chain(self, environ, expected):
        assert providers({**KEYS, **environ}) == expected


GPU = {"LOCAL_BASE_URL": "http://gpu:8000", "LOCAL_LLM_MODEL": "llama-3.1-8b"}


class TestOwnMachines:
    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            (GPU, ["azure", "together", "openai", "local"]),
            ({**GPU, "LOCAL_MODELS_ENABLED": "true"}, ["local", "azure", "together", "openai"]),
            ({**GPU, "LOCAL_ENABLED": "true"}, ["azure", "together", "openai", "local"]),
            ({**GPU, "LOCAL_MODELS_ENABLED": "false"}, ["azure", "together", "openai"]),
            ({"LOCAL_MODELS_ENABLED": "true"}, ["azure", "together", "openai"]),
            (
                {**GPU, "LOCAL_MODELS_ENABLED": "true", "OPENAI_PRIORITY": "50"},
                ["local", "openai", "azure", "together"],
            ),
            (
                {**GPU, "LOCAL_MODELS_ENABLED": "true", "LOCAL_PRIORITY": "60", "OPENAI_PRIORITY": "50"},
                ["openai", "local", "azure", "together"],
            ),
            (
                {**GPU, "LOCAL_MODELS_ENABLED": "true", "CHAT_PROVIDER": "together"},
                ["together", "local", "azure", "openai"],
            ),
        ],
    )
    def test_where_they_stand(self, environ, expected):
        assert providers({**KEYS, **environ}) == expected

    def test_switched_on_without_an_address_they_say_what_to_set(self):
        made = plan({**KEYS, "LOCAL_MODELS_ENABLED": "true"})
        assert excluded(made)["local"] == ("not_configured", "set LOCAL_BASE_URL")
        assert "LOCAL_MODELS_ENABLED" in excluded(plan({**KEYS, **GPU, "LOCAL_MODELS_ENABLED": "false"}))["local"][1]

    def test_they_are_the_local_tier(self):
        assert order({**KEYS, **GPU}, tier="local") == ["local/llama-3.1-8b"]


class TestNames:
    def test_of_people_are_dropped_where_they_are_not_taken(self):
        named = [{**HI[0], "name": "Ada"}]
        environ = {"GROQ_API_KEY": "g", "OPENAI_API_KEY": "o"}
        warnings = {one.target.provider: one.warnings for one in plan(environ, {"messages": named}).candidates}
        assert warnings["openai"] == ()
        assert "messages[].name was not sent" in warnings["groq"][0]
        assert plan(environ, {"messages": HI}).candidates[-1].warnings == ()


class TestProvider:
    @pytest.mark.parametrize("name", ["openai", "OpenAI", " openai "])
    def test_the_one_named_is_first_and_the_chain_follows(self, name):
        assert order(provider=name) == [OPENAI, AZURE, TOGETHER]

    @pytest.mark.parametrize("name", ["azure-openai", "AZURE-OPENAI"])
    def test_aliases(self, name):
        assert providers(provider=name)[0] == "azure"

    @pytest.mark.parametrize("name", ["auto", "AUTO", None])
    def test_auto_is_the_chain(self, name):
        assert order(provider=name) == order()

    def test_it_wins_over_the_settings(self):
        assert providers({**KEYS, "LLM_PROVIDER": "together"}, provider="openai") == ["openai", "together", "azure"]

    def test_one_that_is_not_configured_is_out_and_the_chain_answers(self):
        made = plan({"OPENAI_API_KEY": "o"}, provider="together")
        assert [one.target.provider for one in made.candidates] == ["openai"]
        assert "TOGETHER_API_KEY" in excluded(made)["together"][1]

    @pytest.mark.parametrize("name", ["groq-x", "", "  ", "openai/gpt-4o"])
    def test_an_unknown_one_is_refused_with_those_known(self, name):
        with pytest.raises(BadRequest) as caught:
            plan(provider=name)
        assert caught.value.param == "provider"
        for known in ("azure", "together", "openai"):
            assert known in caught.value.message

    def test_with_a_model_it_takes_that_model(self):
        assert order(provider="together", model=OSS)[0] == f"together/{OSS}"
        assert order(provider="openai", model="anything-new")[0] == "openai/anything-new"
        assert order(provider="openai", model="openai/gpt-5.5")[0] == "openai/gpt-5.5"

    def test_with_a_model_others_have_too_they_are_next(self):
        assert order(provider="openai", model="gpt-5.4-mini") == [
            "openai/gpt-5.4-mini",
            AZURE,
            TOGETHER,
            OPENAI,
        ]

    def test_its_models_may_be_named_like_another_provider(self):
        """Together serves models of openai/…; with the provider given, the rest is the model's whole name."""
        assert order(provider="together", model="openai/gpt-oss-240b")[0] == "together/openai/gpt-oss-240b"


class TestFallback:
    def test_off_there_is_one_target(self):
        made = plan(fallback=False)
        assert [str(one.target) for one in made.candidates] == [AZURE]

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"provider": "openai"}, OPENAI),
            ({"model": "gpt-5.4-mini"}, AZURE),
            ({"model": "openai/gpt-5.4-mini"}, "openai/gpt-5.4-mini"),
            ({"models": ("gpt-5.5", OSS)}, "azure/gpt-5.5"),
        ],
    )
    def test_off_it_is_the_one_named(self, options, expected):
        assert order(fallback=False, **options) == [expected]

    def test_off_the_others_are_out_for_that_reason(self):
        made = plan(model="gpt-5.4-mini", fallback=False)
        assert ("strict", "fallback is off") in [(one.code, one.reason) for one in made.excluded]

    def test_off_nobody_stands_in_for_who_is_missing(self):
        made = plan({"OPENAI_API_KEY": "o"}, provider="together", fallback=False)
        assert made.candidates == ()
        assert "TOGETHER_API_KEY" in excluded(made)["together"][1]

    def test_off_by_the_settings(self):
        environ = {**KEYS, "ENABLE_FALLBACK": "false"}
        assert order(environ) == [AZURE]
        assert order(environ, provider="openai") == [OPENAI]
        assert order(environ, provider="openai", fallback=True) == [OPENAI]


class TestModel:
    def test_who_else_has_it_is_next_and_then_the_chain(self):
        assert order(model="gpt-5.4-mini") == [AZURE, "openai/gpt-5.4-mini", TOGETHER, OPENAI]

    def test_who_else_has_it_comes_in_the_order_of_the_chain(self):
        environ = {**KEYS, "LLM_PROVIDER": "openai"}
        assert order(environ, model="gpt-5.4-mini")[:2] == ["openai/gpt-5.4-mini", AZURE]

    def test_a_provider_before_it_goes_first(self):
        assert order(model="openai/gpt-5.4-mini") == ["openai/gpt-5.4-mini", AZURE, TOGETHER, OPENAI]

    def test_a_provider_before_it_may_be_an_alias_in_any_case(self):
        assert order(model="Azure-OpenAI/gpt-5.5")[:2] == ["azure/gpt-5.5", "openai/gpt-5.5"]

    def test_an_unknown_one_of_a_known_provider_passes_through(self):
        made = plan(model="azure/my-own-deployment")
        assert [str(one.target) for one in made.candidates] == ["azure/my-own-deployment", AZURE, TOGETHER, OPENAI]
        assert planner().costs.estimate(made.candidates[0].target, chat_facts({"messages": HI})) is None

    @pytest.mark.parametrize(("name", "first"), [("together/auto", TOGETHER), ("openai/AUTO", OPENAI)])
    def test_provider_slash_auto_is_that_providers_default(self, name, first):
        assert order(model=name)[0] == first
        assert len(order(model=name)) == 3

    @pytest.mark.parametrize("name", ["auto", "Auto", None])
    def test_auto_is_the_chain(self, name):
        assert order(model=name) == order()

    def test_a_name_with_a_slash_of_its_own_stays_whole(self):
        assert order(model=OSS)[0] == f"together/{OSS}"
        assert order(model=LLAMA)[0] == TOGETHER

    def test_a_provider_and_its_model_are_not_another_ones_name(self):
        """Somebody else sells it under just that name."""
        sold = Catalog([model("openai", "gpt-5.5", "advanced"), model("replicate", "openai/gpt-5.5", "advanced")])
        asked = Request(
            Capability.CHAT, {"messages": HI}, Options(model="openai/gpt-5.5"), chat_facts({"messages": HI})
        )
        made = planner({**KEYS, "REPLICATE_API_TOKEN": "r"}, sold).plan(asked)
        assert made.candidates[0].target[::2] == ("openai", "gpt-5.5")

    def test_a_provider_before_a_name_with_a_slash(self):
        assert order(model=f"together/{OSS}")[0] == f"together/{OSS}"
        assert order(model="together/new-lab/new-model")[0] == "together/new-lab/new-model"

    @pytest.mark.parametrize(
        ("name", "near"),
        [("gpt-5.4-mino", "gpt-5.4-mini"), ("gpt5.5", "gpt-5.5"), ("Qwen/Qwen3.5", "Qwen/Qwen3.5-9B")],
    )
    def test_an_unknown_one_is_not_found_but_near_names_are(self, name, near):
        with pytest.raises(NotFound) as caught:
            plan(model=name)
        assert caught.value.status == 404
        assert (caught.value.param, caught.value.code) == ("model", "model_not_found")
        assert near in caught.value.message
        assert "provider/model" in caught.value.message

    @pytest.mark.parametrize("name", ["zzz", "nobody/zzz", "/", "azure/", "/gpt-5.5"])
    def test_one_like_nothing_is_not_found_without_a_guess(self, name):
        with pytest.raises(NotFound, match="is not known"):
            plan(model=name)

    def test_one_nobody_configured_has_is_out_and_the_chain_answers(self):
        made = plan({"OPENAI_API_KEY": "o"}, model=OSS)
        assert [str(one.target) for one in made.candidates] == [OPENAI]
        assert Target("together", "default", OSS) in [one.target for one in made.excluded]


class TestModels:
    def test_the_list_is_exact(self):
        assert order(models=("openai/gpt-5.5", OSS)) == ["openai/gpt-5.5", f"together/{OSS}"]

    def test_a_name_means_everybody_who_has_it(self):
        assert order(models=("gpt-5.5", OSS)) == ["azure/gpt-5.5", "openai/gpt-5.5", f"together/{OSS}"]

    def test_the_order_is_the_callers(self):
        assert order(models=(OSS, "gpt-5.5"))[0] == f"together/{OSS}"

    def test_nobody_beyond_it_answers(self):
        made = plan({"OPENAI_API_KEY": "o"}, models=(OSS,))
        assert made.candidates == ()

    def test_an_unknown_name_in_it_is_not_found(self):
        with pytest.raises(NotFound, match=r"gpt-5\.6"):
            plan(models=("gpt-5.5", "gpt-5.6"))

    def test_a_providers_default_can_be_in_it(self):
        assert order(models=("together/auto", "openai/auto")) == [TOGETHER, OPENAI]


class TestTier:
    def test_it_picks_each_providers_cheapest_of_it(self):
        made = plan(tier="fast")
        assert [str(one.target) for one in made.candidates] == [AZURE, "together/Qwen/Qwen3.5-9B", OPENAI]

    def test_who_has_none_is_out(self):
        made = plan(tier="advanced")
        assert [str(one.target) for one in made.candidates] == ["azure/gpt-5.5", "openai/gpt-5.5"]
        assert excluded(made)["together"][0] == "tier"

    def test_a_default_of_that_tier_stays(self):
        environ = {**KEYS, "OPENAI_MODEL": "gpt-4.1-mini"}
        assert "openai/gpt-4.1-mini" in order(environ, tier="fast")

    def test_local_is_who_runs_here(self):
        environ = {**KEYS, "OLLAMA_BASE_URL": "http://localhost:11434", "OLLAMA_MODEL": "llama3.2"}
        made = plan(environ, tier="local")
        assert [str(one.target) for one in made.candidates] == ["ollama/llama3.2"]
        assert excluded(made)["azure"][0] == "tier"

    def test_a_named_model_of_another_tier_is_out(self):
        made = plan(model="gpt-5.5", tier="fast")
        assert "azure/gpt-5.5" not in [str(one.target) for one in made.candidates]
        assert all(one.by_request for one in made.excluded if one.code == "tier")


END = moment("2026-12-11")
AGEING = Catalog(
    [
        model("azure", "gpt-5.4-mini", "fast"),
        model("openai", "gpt-6-luna", "fast"),
        model("openai", "gpt-4-turbo", "advanced", lifecycle="retired", successor="gpt-4.1"),
        model("openai", "gpt-4.1", "advanced", lifecycle="deprecated", retires=END, successor="gpt-6.1-sol"),
        model("openai", "gpt-6.1-sol", "advanced"),
        model("openai", "o1", "advanced", lifecycle="retired"),
        model("openai", "old", "advanced", lifecycle="deprecated"),
        Model(id="whisper-1", provider="openai", capability=Capability.TRANSCRIBE),
        model("nobody", "elsewhere", "fast"),
    ]
)


class TestAgeing:
    def plan(self, environ=None, at=END - 1, **options):
        return planner(environ, AGEING).plan(request(**options), at)

    def first(self, **options):
        one = self.plan(**options).candidates[0]
        return str(one.target), one.warnings, one.instead_of

    @pytest.mark.parametrize("options", [{"model": "gpt-4-turbo"}, {"model": "openai/gpt-4-turbo"}])
    def test_a_retired_model_is_answered_by_its_successor(self, options):
        name, warnings, instead_of = self.first(**options, fallback=False)
        assert name == "openai/gpt-4.1"
        assert instead_of == "gpt-4-turbo"
        assert warnings == (
            "model gpt-4-turbo is retired; using gpt-4.1",
            "model gpt-4.1 is deprecated and ends on 2026-12-11; gpt-6.1-sol succeeds it",
        )

    def test_from_the_announced_day_on_the_next_one_answers(self):
        name, warnings, _ = self.first(model="gpt-4-turbo", at=END)
        assert (name, warnings) == ("openai/gpt-6.1-sol", ("model gpt-4-turbo is retired; using gpt-6.1-sol",))
        name, warnings, _ = self.first(model="gpt-4.1", at=END)
        assert (name, warnings) == ("openai/gpt-6.1-sol", ("model gpt-4.1 is retired; using gpt-6.1-sol",))

    def test_one_planner_tells_the_days_apart(self):
        by, asked = planner(None, AGEING), request(model="gpt-4.1", fallback=False)
        names = [by.plan(asked, at).candidates[0].target.model for at in (END - 1, END, END - 1)]
        assert names == ["gpt-4.1", "gpt-6.1-sol", "gpt-4.1"]

    def test_without_a_known_day_it_is_said_without(self):
        assert self.first(model="old")[1:] == (("model old is deprecated",), None)

    def test_who_has_no_successor_is_out(self):
        made = self.plan(model="o1")
        (out,) = [one for one in made.excluded if one.code == "retired"]
        assert (out.by_request, out.param, str(out.target)) == (True, "model", "openai/o1")
        assert [str(one.target) for one in made.candidates] == [AZURE, TOGETHER, OPENAI]

    def test_an_accounts_default_is_succeeded_too(self):
        made = self.plan({**KEYS, "OPENAI_MODEL": "gpt-4-turbo"}, provider="openai", fallback=False)
        assert str(made.candidates[0].target) == "openai/gpt-4.1"
        assert made.candidates[0].warnings[0].startswith("model gpt-4-turbo is retired")

    def test_a_model_in_a_list_is_succeeded_once(self):
        made = self.plan(models=("gpt-4-turbo", "gpt-4.1", "gpt-6.1-sol"))
        assert [one.target.model for one in made.candidates] == ["gpt-4.1", "gpt-6.1-sol"]

    def test_a_successor_of_another_tier_does_not_pass_for_it(self):
        made = self.plan({**KEYS, "OPENAI_MODEL": "gpt-4-turbo"}, provider="openai", tier="fast")
        assert (made.candidates[0].target.model, made.candidates[0].warnings) == ("gpt-6-luna", ())

    def test_a_model_for_something_else_does_not_chat(self):
        """Nor does another one in its place."""
        with pytest.raises(BadRequest, match="whisper-1 is a model for transcription, not for chat"):
            self.plan(model="whisper-1")
        (out,) = self.plan(models=("openai/whisper-1", "openai/auto")).excluded
        assert out.reason == "is a model for transcribe, not for chat"

    def test_a_model_of_a_provider_that_is_not_here_is_not_found(self):
        with pytest.raises(NotFound, match=r"It is a model of nobody, not among the providers here"):
            self.plan(model="elsewhere")

    def test_a_cap_is_judged_at_the_price_of_the_day(self):
        prices = parse_periods(
            {
                "usd_per_mtok": {"input": "1", "output": "1"},
                "price_changes": [{"from": "2026-12-11", "usd_per_mtok": {"input": "100", "output": "100"}}],
            }
        )
        catalog = Catalog([model("openai", "gpt-6-luna", "fast", prices=prices)])
        by = planner({"OPENAI_API_KEY": "o"}, catalog)
        asked = request({"max_tokens": 100}, max_cost=0.001)
        assert [len(by.plan(asked, at).candidates) for at in (END - 1, END, END - 1)] == [1, 0, 1]


class TestMoney:
    def estimate(self, provider, name, body=None, environ=None):
        facts = chat_facts({"messages": HI, **(body or {})})
        return planner(environ).costs.estimate(Target(provider, "default", name), facts)

    def test_the_estimate_is_the_dearest(self):
        tokens = 2 * chat_facts({"messages": HI}).input_tokens
        assert self.estimate("azure", "gpt-5.4-mini", {"max_tokens": 100}) == tokens * 1000 + 100 * 10_000
        assert self.estimate("azure", "gpt-5.4-mini") == tokens * 1000 + 10_000 * 10_000

    def test_without_a_price_there_is_none(self):
        assert self.estimate("openai", "unpriced") is None
        assert self.estimate("azure", "my-own-deployment") is None

    def test_who_may_cost_more_is_out_and_says_how_much(self):
        made = plan(model="openai/gpt-5.4-mini", body={"max_tokens": 1000}, max_cost=0.012)
        assert [str(one.target) for one in made.candidates] == [AZURE, TOGETHER, OPENAI]
        (out,) = [one for one in made.excluded if one.code == "max_cost"]
        assert out.by_request
        assert "0.0200" in out.reason
        assert "max_tokens" in out.reason

    def test_exactly_the_cap_is_allowed(self):
        most = self.estimate("azure", "gpt-5.4-mini", {"max_tokens": 100})
        assert most is not None
        assert providers(body={"max_tokens": 100}, max_cost=most / NANO_PER_USD)[0] == "azure"
        assert "azure" not in providers(body={"max_tokens": 100}, max_cost=(most - 1000) / NANO_PER_USD)

    def test_who_names_no_length_is_given_what_the_cap_leaves(self):
        made = plan(max_cost=0.01)
        first = made.candidates[0]
        room = dict(first.defaults)["max_tokens"]
        assert f"at most {room} tokens" in first.warnings[-1]
        for length, within in ((room, True), (room + 1, False)):
            most = self.estimate("azure", "gpt-5.4-mini", {"max_tokens": length})
            assert most is not None
            assert (most <= 0.01 * NANO_PER_USD) is within

    def test_a_cap_that_bounds_nothing_says_nothing(self):
        first = plan(max_cost=100).candidates[0]
        assert first.defaults == () and not any("max_cost" in one for one in first.warnings)

    def test_a_cap_that_leaves_no_answer_leaves_the_target_out(self):
        made = plan(max_cost=0.0001)
        (out,) = [one for one in made.excluded if one.target.provider == "azure"]
        assert "100 tokens of answer may cost up to" in out.reason and "raise max_cost" in out.reason

    def test_a_cap_of_nothing_excludes_everybody_who_costs(self):
        environ = {**KEYS, "OLLAMA_BASE_URL": "http://localhost:11434", "OLLAMA_MODEL": "llama3.2"}
        assert order(environ, max_cost=0) == ["ollama/llama3.2"]

    @pytest.mark.parametrize("name", ["openai/unpriced", "azure/my-own-deployment"])
    def test_who_has_no_known_price_is_out_under_a_cap(self, name):
        made = plan(model=name, max_cost=100)
        assert name not in [str(one.target) for one in made.candidates]
        assert "price is not known" in next(one.reason for one in made.excluded if one.code == "max_cost")

    def test_what_runs_here_is_free(self):
        assert self.estimate("ollama", "llama3.2") == 0

    def test_several_answers_cost_several_times(self):
        one = self.estimate("azure", "gpt-5.4-mini", {"max_tokens": 1000})
        ten = self.estimate("azure", "gpt-5.4-mini", {"max_tokens": 1000, "n": 10})
        assert one is not None
        assert ten is not None
        assert ten > 9 * one


class TestFit:
    def test_who_cannot_see_is_out_for_an_image(self):
        made = plan({**KEYS, "TOGETHER_MODEL": LLAMA}, body={"messages": IMAGE})
        assert [one.target.provider for one in made.candidates] == ["azure", "openai"]
        assert excluded(made)["together"] == ("features", "does not take vision")
        assert all(one.by_request for one in made.excluded if one.code == "features")

    def test_a_default_that_cannot_see_gives_way_to_one_that_can(self):
        """Nobody chose it; that the provider has another one is all who ask with an image care for."""
        made = plan(body={"messages": IMAGE})
        assert [str(one.target) for one in made.candidates] == [AZURE, "together/Qwen/Qwen3.5-9B", OPENAI]
        assert made.candidates[1].reasons[1] == f"in place of {LLAMA}, which takes no images"
        assert str(plan(body={"messages": HI}).candidates[1].target) == f"together/{LLAMA}"
        made = plan(body={"messages": IMAGE}, tier="standard")
        assert excluded(made)["together"] == ("features", "does not take vision")
        assert "together/Qwen/Qwen3.5-9B" in order(body={"messages": IMAGE}, tier="fast")

    def test_a_named_model_that_cannot_see_is_out_all_the_same(self):
        made = plan(body={"messages": IMAGE}, model=OSS)
        assert f"together/{OSS}" in [str(one.target) for one in made.excluded]
        made = plan(body={"messages": IMAGE}, model=f"together/{OSS}", fallback=False)
        assert made.candidates == ()

    def test_what_is_not_in_the_catalogue_is_given_the_benefit(self):
        assert order(body={"messages": IMAGE}, model="together/new-model")[0] == "together/new-model"

    def test_audio_nobody_takes(self):
        sound = {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}
        made = plan(body={"messages": [{"role": "user", "content": [sound]}]})
        assert made.candidates == ()

    def test_far_too_long_is_out_with_both_numbers(self):
        made = plan(body={"messages": [{"role": "user", "content": "x" * 1_000_000}]})
        assert [str(one.target) for one in made.candidates] == [OPENAI]
        code, reason = excluded(made)["azure"]
        assert code == "context"
        assert "100000" in reason

    def test_a_little_too_long_may_be_tried_for_estimates_err(self):
        assert providers(body={"messages": [{"role": "user", "content": "x" * 420_000}]})[0] == "azure"


class TestParameters:
    def candidate(self, name, body, **options):
        made = plan(body=body, model=name, **options)
        return next((one for one in made.candidates if str(one.target) == name), None)

    def test_what_a_model_refuses_is_dropped_with_a_word(self):
        one = self.candidate(OPENAI, {"temperature": 0.2, "top_p": 0.5})
        assert one.drop == {"temperature", "top_p"}
        assert [warning for warning in one.warnings if "temperature" in warning and OPENAI in warning]
        assert len(one.warnings) == 2

    def test_who_takes_them_gets_them(self):
        one = self.candidate("openai/gpt-4.1-mini", {"temperature": 0.2, "logprobs": True})
        assert (one.drop, one.warnings) == (frozenset(), ())

    def test_without_reasoning_they_are_kept(self):
        one = self.candidate(OPENAI, {"temperature": 0.2, "reasoning_effort": "none"})
        assert one.drop == frozenset()
        assert self.candidate(OPENAI, {"temperature": 0.2, "reasoning_effort": "low"}).drop == {"temperature"}

    def test_what_is_not_in_the_catalogue_gets_everything(self):
        assert self.candidate("azure/my-own-deployment", {"temperature": 0.2}).drop == frozenset()

    def test_a_providers_own_go_to_that_provider_alone(self):
        body = {"top_k": 40, "repetition_penalty": 1.1}
        assert self.candidate(TOGETHER, body).drop == frozenset()
        assert self.candidate(OPENAI, body).drop == {"top_k", "repetition_penalty"}

    def test_what_a_provider_lacks_is_dropped(self):
        assert self.candidate(TOGETHER, {"store": True, "metadata": {"a": "b"}}).drop == {"store", "metadata"}

    def test_strictly_who_lacks_one_is_out_and_says_which(self):
        made = plan(body={"temperature": 0.2}, compatibility="strict")
        assert [one.target.provider for one in made.candidates] == ["together"]
        code, reason = excluded(made)["openai"]
        assert code == "parameters"
        assert "temperature" in reason
        assert next(one.by_request for one in made.excluded if one.target.provider == "openai")

    def test_strictly_what_everybody_takes_excludes_nobody(self):
        assert providers(body={"max_tokens": 10, "seed": 1}, compatibility="strict") == ["azure", "together", "openai"]
        assert (
            self.candidate(OPENAI, {"temperature": 1, "reasoning_effort": "none"}, compatibility="strict") is not None
        )

    def test_who_is_permissive_sends_what_nobody_knows(self):
        body = {
            "top_k": 40,
            "brand_new": {"a": 1},
            "messages": [*HI, {**HI[0], "cache_control": {"type": "ephemeral"}}],
        }
        one = self.candidate(OPENAI, body, compatibility="permissive")
        assert (one.drop, one.warnings) == (frozenset(), ())
        one = self.candidate(TOGETHER, {**body, "store": True}, compatibility="permissive")
        assert one.drop == {"store"}
        assert one.warnings == (f"store was not sent: {one.target} does not take it",)

    @pytest.mark.parametrize(
        ("body", "effort", "warning"),
        [
            ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "low", "was rounded to reasoning_effort low"),
            ({"thinking": {"type": "enabled", "budget_tokens": 8000}}, "medium", "was rounded"),
            ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high", "was rounded"),
            ({"thinking": {"type": "adaptive"}}, "medium", "was rounded"),
            ({"thinking": {"type": "adaptive"}, "reasoning_effort": "low"}, None, None),
            ({"thinking": {"type": "enabled", "budget_tokens": 9}, "reasoning_effort": "low"}, None,
             "thinking.budget_tokens was not sent"),
            ({"thinking": {"type": "disabled"}}, None, "thinking was not sent"),
        ],
    )  # fmt: skip
    def test_thinking_is_asked_for_by_effort_where_that_is_what_there_is(self, body, effort, warning):
        one = self.candidate(OPENAI, body)
        assert (one.drop, dict(one.defaults).get("reasoning_effort")) == ({"thinking"}, effort)
        assert len(one.warnings) == bool(warning)
        assert warning is None or warning in one.warnings[0]
        assert bool(warning) == ("openai" in excluded(plan(body=body, compatibility="strict")))
        oss = Target("together", "default", OSS)
        named = plan(body=body, model=f"together/{OSS}").candidates[0]
        assert (named.target, dict(named.defaults).get("reasoning_effort")) == (oss, effort)

    def test_one_that_does_not_think_need_not_be_told_not_to(self):
        body = {"thinking": {"type": "disabled"}}
        one = self.candidate(TOGETHER, body)
        assert (one.target.model, one.drop, one.warnings) == (LLAMA, {"thinking"}, ())
        assert providers(body=body, compatibility="strict") == ["together"]
        one = self.candidate(TOGETHER, {"thinking": {"type": "adaptive"}})
        assert (one.defaults, one.warnings) == ((), (f"thinking was not sent: {one.target} does not take it",))

    def test_what_stands_inside_messages_goes_to_who_takes_it(self):
        said = {"role": "assistant", "content": "a", "reasoning_content": "b", "name": "Eve"}
        keys = {**KEYS, "DEEPSEEK_API_KEY": "d"}
        made = plan(keys, body={"messages": [*HI, said, *HI]})
        drops = {one.target.provider: one.drop for one in made.candidates}
        assert drops["openai"] == {"messages[].reasoning_content"}
        assert drops["deepseek"] == frozenset()
        made = plan(keys, body={"messages": [*HI, said, *HI]}, compatibility="strict")
        assert [one.target.provider for one in made.candidates] == ["deepseek"]
        assert "messages[].reasoning_content (strict)" in excluded(made)["openai"][1]

    def test_documents_go_to_nobody_who_has_no_means_for_them(self):
        made = plan(body={"documents": ["a text"]})
        assert made.candidates == ()
        assert excluded(made)["openai"] == ("features", "does not take documents")

    def test_nothing_asked_nothing_dropped(self):
        for one in plan().candidates:
            assert (one.drop, one.warnings) == (frozenset(), ())

    def test_dropped_says_it_for_one_target(self):
        facts = chat_facts({"messages": HI, "temperature": 1})
        target = Target("openai", "default", "gpt-6-luna")
        assert planner().params.dropped(target, facts, None) == {"temperature"}
        assert planner().params.dropped(target, facts, "none") == frozenset()


class TestStrategy:
    def test_an_unknown_one_is_refused_with_those_known(self):
        with pytest.raises(BadRequest) as caught:
            plan(strategy="dartboard")
        assert (caught.value.status, caught.value.param) == (400, "strategy")
        assert "fallback" in caught.value.message

    def test_the_plan_names_it(self):
        assert plan().strategy == plan(strategy="fallback").strategy == "fallback"
        assert plan().policy


BODIES = st.fixed_dictionaries(
    {"messages": st.sampled_from(["short", "seen", "long", "longer"])},
    optional={
        "temperature": st.just(0.5),
        "top_k": st.just(5),
        "max_tokens": st.sampled_from([1, 1000]),
        "stream": st.booleans(),
        "reasoning_effort": st.sampled_from(["none", "low"]),
        "tools": st.just([{"type": "function", "function": {"name": "now"}}]),
    },
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.sampled_from(["azure", "together", "openai", "auto", "ollama", "nobody"]),
        "model": st.sampled_from(["gpt-5.4-mini", "openai/gpt-5.5", OSS, "azure/mine", "together/auto", "zzz"]),
        "models": st.sampled_from([(), ("gpt-5.5", OSS), ("zzz",)]),
        "fallback": st.booleans(),
        "tier": st.sampled_from(["fast", "advanced", "local"]),
        "max_cost": st.sampled_from([0, 0.001, 0.01, 1]),
        "compatibility": st.sampled_from(["strict", "warn", "permissive"]),
        "strategy": st.sampled_from(["fallback", "dartboard"]),
    },
)


MESSAGES = {
    "short": HI,
    "seen": IMAGE,
    "long": [{"role": "user", "content": "x" * 1_000_000}],
    "longer": [{"role": "user", "content": "x" * 1_100_000}],
}


def drawn(body, options):
    return request({**body, "messages": MESSAGES[body["messages"]]}, **options)


def decided(by, asked):
    """The plan, or the words of its refusal."""
    try:
        return by.plan(asked)
    except (BadRequest, NotFound) as error:
        return type(error), error.message


class TestPure:
    SHARED = planner()

    @examples(300)
    @given(BODIES, OPTIONS)
    def test_the_same_request_has_the_same_plan_whatever_came_before(self, body, options):
        """One planner for all examples against a new one for each: nothing may be remembered but by its cause."""
        expected = decided(planner(), drawn(body, options))
        assert decided(self.SHARED, drawn(body, options)) == expected
        assert decided(self.SHARED, drawn(body, options)) == expected

    @examples(300)
    @given(BODIES, OPTIONS)
    def test_everybody_is_either_in_or_out_and_out_for_a_reason(self, body, options):
        try:
            made = self.SHARED.plan(drawn(body, options))
        except (BadRequest, NotFound):
            return
        inside = [one.target for one in made.candidates]
        outside = [one.target for one in made.excluded]
        assert len(set(inside)) == len(inside)
        assert not set(inside) & set(outside)
        assert all(one.code and one.reason for one in made.excluded)
        assert all(one.reasons for one in made.candidates)
        assert options.get("fallback", True) or len(inside) <= 1
        assert options.get("compatibility") != "strict" or not any(one.drop for one in made.candidates)

    @examples(100)
    @given(BODIES, OPTIONS)
    def test_the_request_is_left_as_it_was(self, body, options):
        asked = drawn(body, options)
        before = repr(asked)
        try:
            self.SHARED.plan(asked)
        except (BadRequest, NotFound):
            return
        assert repr(asked) == before
