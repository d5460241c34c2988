"""Who comes when: explicit chains, who is configured first, own machines, numbers, prices, accounts."""

import pytest

from core.capabilities import Capability
from core.configuration import Configuration
from core.errors import BadRequest, Misconfigured
from core.net.transport import Transport
from core.providers.registry import Registry
from core.routing.planner import Planner
from core.types.request import Options, Request
from core.wire.chat import chat_facts

KEYS = """
providers:
  azure: {api_key: k, endpoint: "https://x.example.com", model: gpt-5.4-mini}
  together: {api_key: k}
  openai: {api_key: k, model: gpt-5.4-mini}
  groq: {api_key: k}
"""
TWO = """
  west: {type: azure, api_key: w, endpoint: "https://west.example.com"}
  groq-fast: {type: groq, model: llama-3.1-8b-instant}
"""
HI = [{"role": "user", "content": "Hi"}]


@pytest.fixture
def planner(tmp_path):
    def made(text=KEYS, **environ):
        (tmp_path / "patchbay.yaml").write_text(text)
        registry = Registry.with_plugins()
        read = Configuration(registry, environ=environ, dotenv=tmp_path / ".env")
        config = read.load({})
        registry.connect(config.accounts, Transport())
        return Planner(registry, read.catalog, config)

    return made


def plan(planner, body=None, at=0.0, **options):
    body = {"messages": HI, **(body or {})}
    return planner.plan(Request(Capability.CHAT, body, Options(**options), chat_facts(body)), at)


def order(planner, body=None, **options):
    """Accounts in order; the default one by its provider alone."""
    return [str(one.target).partition("/")[0] for one in plan(planner, body, **options).candidates]


class TestExplicit:
    def test_is_exact(self, planner):
        assert order(planner(KEYS, CHAT_CHAIN="groq, openai")) == ["groq", "openai"]
        assert order(planner(KEYS + "chains: {chat: [openai, azure]}")) == ["openai", "azure"]

    def test_wins_over_who_is_first_over_numbers_and_over_own_machines(self, planner):
        text = KEYS + "  ollama: {endpoint: 'http://x', model: m, priority: 1}\nrouting: {prefer_local: true}"
        environ = {
            "CHAT_PROVIDER": "azure",
            "CHAT_CHAIN": "groq,ollama,openai",
            "PATCHBAY_FALLBACK_PROVIDER": "openai",
        }
        assert order(planner(text, **environ)) == ["groq", "ollama", "openai"]

    def test_auto_is_everybody_else(self, planner):
        assert order(planner(KEYS, CHAT_CHAIN="groq,auto")) == ["groq", "azure", "together", "openai"]
        assert order(planner(KEYS, CHAT_CHAIN="auto,azure")) == ["together", "openai", "groq", "azure"]

    def test_names_accounts(self, planner):
        text = KEYS + TWO
        assert order(planner(text, CHAT_CHAIN="groq-fast,azure:west,openai")) == [
            "groq:groq-fast", "azure:west", "openai",
        ]  # fmt: skip
        assert order(planner(text, CHAT_CHAIN="azure,openai")) == ["azure", "azure:west", "openai"]
        assert order(planner(text, CHAT_CHAIN="west,azure")) == ["azure:west", "azure"]

    def test_who_is_named_by_the_caller_is_asked_before_it(self, planner):
        made = planner(KEYS, CHAT_CHAIN="groq,openai", PATCHBAY_FALLBACK_PROVIDER="openai")
        assert order(made, provider="together") == ["together", "groq", "openai"]
        assert order(made, provider="together", fallback=False) == ["together"]


class TestSecond:
    def test_follows_right_after_the_first_that_can_answer(self, planner):
        assert order(planner(KEYS, PATCHBAY_FALLBACK_PROVIDER="groq")) == ["azure", "groq", "together", "openai"]
        text = KEYS.replace("azure: {", "azure: {enabled: false, ")
        assert order(planner(text, PATCHBAY_FALLBACK_PROVIDER="groq")) == ["together", "groq", "openai"]

    def test_may_be_the_first(self, planner):
        made = planner(KEYS, PATCHBAY_FALLBACK_PROVIDER="azure", LLM_PROVIDER="azure")
        assert order(made) == ["azure", "together", "openai", "groq"]

    def test_follows_whom_the_caller_names(self, planner):
        made = planner(KEYS + "routing: {fallback_provider: groq}")
        assert order(made, provider="openai") == ["openai", "groq", "azure", "together"]

    def test_follows_whom_configuration_puts_first(self, planner):
        made = planner(KEYS + "routing: {fallback_provider: groq, llm_provider: together}")
        assert order(made) == ["together", "groq", "azure", "openai"]


class TestOwnMachines:
    TEXT = KEYS + "  ollama: {endpoint: 'http://x', model: m}\n  local: {base_url: 'http://y', model: m}\n"

    def test_lead_where_they_are_preferred(self, planner):
        assert order(planner(self.TEXT))[-2:] == ["local", "ollama"]
        made = planner(self.TEXT + "routing: {prefer_local: true}")
        assert order(made)[:3] == ["local", "ollama", "azure"]

    def test_lead_over_numbers_and_follow_who_is_named(self, planner):
        text = self.TEXT.replace("together: {", "together: {priority: 1, ") + "routing: {prefer_local: true}"
        assert order(planner(text))[:3] == ["local", "ollama", "together"]
        assert order(planner(text, LLM_PROVIDER="groq"))[:3] == ["groq", "local", "ollama"]


class TestPriority:
    TEXT = KEYS.replace("groq: {", "groq: {priority: 2, ").replace("openai: {", "openai: {priority: 5, ")

    def test_numbers_always_and_without_one_last(self, planner):
        made = planner(self.TEXT, LLM_PROVIDER="together", PROVIDER_STRATEGY="priority")
        assert order(made) == ["groq", "openai", "together", "azure"]
        assert plan(made).strategy == "priority"

    def test_inside_an_explicit_chain(self, planner):
        made = planner(self.TEXT, CHAT_CHAIN="azure,openai,groq", PROVIDER_STRATEGY="priority")
        assert order(made) == ["azure", "openai", "groq"]
        assert plan(made).strategy == "fallback"
        assert order(made, strategy="priority") == ["groq", "openai", "azure"]

    def test_asked_for_in_a_request(self, planner):
        made = planner(self.TEXT, LLM_PROVIDER="together")
        assert order(made)[0] == "together"
        assert order(made, strategy="priority")[0] == "groq"
        with pytest.raises(BadRequest, match="known: fallback, priority, cost_optimized"):
            order(made, strategy="cheap")

    def test_says_so_where_somebody_is_named_too(self, planner):
        made = planner(self.TEXT, LLM_PROVIDER="together", PROVIDER_STRATEGY="priority")
        (words,) = made._settings.warnings
        assert words == "LLM_PROVIDER (environment) goes first only among equals: the strategy is priority"


class TestCost:
    TEXT = """
providers:
  azure: {api_key: k, endpoint: "https://x.example.com", model: unknown-deployment}
  openai: {api_key: k, model: dear}
  groq: {api_key: k, model: cheap}
  together: {api_key: k, model: middle}
  ollama: {endpoint: 'http://x', model: m}
models:
  openai/dear: {usd_per_mtok: {input: 1, output: 10}}
  groq/cheap: {usd_per_mtok: {input: 2, output: 1}}
  together/middle: {usd_per_mtok: {input: 0.5, output: 9}}
"""

    def test_free_then_the_cheapest_and_unknown_last(self, planner):
        made = planner(self.TEXT, PROVIDER_STRATEGY="cost_optimized")
        assert order(made, {"max_tokens": 1000}) == ["ollama", "groq", "together", "openai", "azure"]

    def test_depends_on_the_request(self, planner):
        made = planner(self.TEXT, PROVIDER_STRATEGY="cost_optimized")
        long = {"messages": [{"role": "user", "content": "word " * 20_000}], "max_tokens": 1}
        assert order(made, long) == ["ollama", "together", "openai", "groq", "azure"]
        assert order(made, {"max_tokens": 1000})[1] == "groq"  # though the same plan is remembered for others

    def test_asked_for_in_a_request(self, planner):
        made = planner(self.TEXT)
        assert order(made)[0] == "azure"
        assert order(made, {"max_tokens": 1000}, strategy="cost_optimized")[0] == "ollama"
        assert order(made, {"max_tokens": 1000}, strategy="cost_optimized", provider="openai")[:2] == [
            "openai",
            "ollama",
        ]

    def test_equal_prices_keep_the_order_of_the_chain(self, planner):
        text = self.TEXT.replace("input: 1, output: 10", "input: 2, output: 1")
        made = planner(text, PROVIDER_STRATEGY="cost_optimized", LLM_PROVIDER="openai")
        assert order(made, {"max_tokens": 1000})[1:3] == ["openai", "groq"]


class TestAccounts:
    def test_have_places_of_their_own(self, planner):
        text = KEYS.replace("groq: {", "groq: {priority: 5, ") + TWO.replace(
            "model: llama", "priority: 1, model: llama"
        )
        text = text.replace("openai: {", "openai: {priority: 3, ")
        assert order(planner(text))[:3] == ["groq:groq-fast", "openai", "groq"]

    def test_of_a_provider_go_by_number(self, planner):
        text = KEYS + TWO.replace("azure, ", "azure, priority: 1, ")
        assert order(planner(text), provider="azure")[:2] == ["azure:west", "azure"]

    @pytest.mark.parametrize("name", ["groq-fast", "groq:groq-fast"])
    def test_can_be_named_like_providers(self, planner, name):
        made = planner(KEYS + TWO)
        assert order(made, provider=name)[:2] == ["groq:groq-fast", "azure"]
        assert order(made, provider=name, fallback=False) == ["groq:groq-fast"]
        assert order(planner(KEYS + TWO, LLM_PROVIDER=name))[:2] == ["groq:groq-fast", "azure"]
        found = plan(made, model=f"{name}/llama-3.3-70b-versatile").candidates
        assert [str(one.target) for one in found][:2] == [
            "groq:groq-fast/llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile",
        ]  # fmt: skip
        assert plan(made, model=f"{name}/auto").candidates[0].target.model == "llama-3.1-8b-instant"

    def test_a_list_of_models_is_exact(self, planner):
        made = planner(KEYS + TWO)
        found = plan(made, models=("groq-fast/auto", "west/m")).candidates
        assert [str(one.target) for one in found] == ["groq:groq-fast/llama-3.1-8b-instant", "azure:west/m"]

    def test_that_two_have_says_so(self, planner):
        text = KEYS + TWO + "  more: {type: azure}\n"
        text = text.replace("groq: {api_key: k}", "groq: {api_key: k, accounts: {west: {api_key: g}}}")
        words = "'west' is an account of azure and of groq; write azure:west or groq:west"
        with pytest.raises(BadRequest, match=words):
            plan(planner(text), provider="west")
        with pytest.raises(Misconfigured, match=f"CHAT_CHAIN .*{words}"):
            planner(text, CHAT_CHAIN="west")

    def test_that_could_answer_are_the_chain_that_is_shown(self, planner):
        text = KEYS.replace("openai: {", "openai: {enabled: false, ") + TWO
        shown = [str(one) for one in planner(text, CHAT_CHAIN="groq-fast,openai,west").chain(Capability.CHAT)]
        assert shown == ["groq-fast", "azure:west"]

    def test_that_nobody_has(self, planner):
        with pytest.raises(BadRequest, match=r"provider 'groq-slow' is not known; known: .*groq-fast"):
            plan(planner(KEYS + TWO), provider="groq-slow")

    def test_say_what_they_lack(self, planner):
        east = "  east: {type: azure, endpoint: 'https://east.example.com'}\n"
        made = planner(KEYS + east + "  off: {type: groq, enabled: false}")
        out = {str(one.target).partition("/")[0]: one.reason for one in plan(made).excluded}
        assert out["azure:east"] == "set AZURE_EAST_API_KEY"
        assert out["groq:off"] == "switched off by patchbay.yaml: providers.off.enabled"

    def test_a_model_of_somebody_outside_the_chain(self, planner):
        found = plan(planner(KEYS, CHAT_CHAIN="groq"), model="gpt-4.1-mini").candidates
        assert {str(one.target) for one in found[:2]} == {"azure/gpt-4.1-mini", "openai/gpt-4.1-mini"}
        assert found[-1].target.provider == "groq"


class TestDefaults:
    TEXT = """
providers:
  openai: {api_key: k, model: gpt-4.1-mini, max_tokens: 50, temperature: 0.3}
  groq: {api_key: k, max_tokens: 1000000000}
  mine: {type: openai, model: gpt-5.4-mini, max_tokens: 7}
"""

    def test_are_the_accounts(self, planner):
        found = {str(one.target): dict(one.defaults) for one in plan(planner(self.TEXT)).candidates}
        assert found["openai/gpt-4.1-mini"] == {"max_tokens": 50, "temperature": 0.3}

    def test_are_not_sent_where_they_are_refused_and_nobody_is_told(self, planner):
        text = self.TEXT + "models: {openai/gpt-5.4-mini: {sampling: false}}"
        (one,) = [one for one in plan(planner(text)).candidates if one.target.account == "mine"]
        assert dict(one.defaults) == {"max_tokens": 7}
        assert one.drop == frozenset() and one.warnings == ()

    def test_are_no_longer_than_the_model_can(self, planner):
        text = self.TEXT + "models: {groq/openai/gpt-oss-120b: {max_output: 99}}"
        (one,) = [one for one in plan(planner(text)).candidates if one.target.provider == "groq"]
        assert dict(one.defaults) == {"max_tokens": 99}


class TestCap:
    def test_of_the_settings_holds_for_requests_that_name_none(self, planner):
        made = planner(KEYS + "routing: {max_cost_per_task: 0.000001}")
        assert order(made, {"max_tokens": 1000}) == []
        assert {one.code for one in plan(made, {"max_tokens": 1000}).excluded} >= {"max_cost"}
        assert order(made, {"max_tokens": 1000}, max_cost=1.0)[0] == "azure"

    def test_counts_the_accounts_own_length(self, planner):
        text = KEYS.replace("openai: {", "openai: {max_tokens: 1, ") + "routing: {max_cost_per_task: 0.00005}"
        assert order(planner(text)) == ["openai"]
