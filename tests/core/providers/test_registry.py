"""Names → rows → live adapters."""

from importlib.metadata import EntryPoint

import pytest

from core.capabilities import Capability
from core.config import settings
from core.config.settings import Account
from core.errors import Misconfigured
from core.net.transport import Transport
from core.providers import registry as module
from core.providers.contract import Chats, ListsModels
from core.providers.openai_dialect import OpenAIDialect
from core.providers.registry import Registry, load_adapter
from core.providers.row import Row
from core.providers.table import TABLE


def connected(**environ):
    registry = Registry()
    registry.connect(settings.load(registry.declared(), environ=environ).accounts, Transport())
    return registry


def missing(provider, **environ):
    registry = connected(**environ)
    (account,) = registry.accounts(provider)
    return registry.missing(registry.rows[provider], account)


class TestNames:
    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("azure", "azure"),
            ("Azure", "azure"),
            (" AZURE ", "azure"),
            ("azure-openai", "azure"),
            ("togetherai", "together"),
            ("together-ai", "together"),
            ("openai", "openai"),
            ("hf", "huggingface"),
            ("ollama", "ollama"),
            ("nobody", None),
            ("", None),
            ("auto", None),
        ],
    )
    def test_canonical(self, name, found):
        assert Registry().canonical(name) == found

    def test_every_alias_leads_to_its_row(self):
        registry = Registry()
        for row in TABLE:
            assert {registry.canonical(name) for name in (row.name, *row.aliases)} == {row.name}

    def test_a_plug_in_is_found_however_it_is_spelled(self):
        registry = Registry()
        registry.register(Row(name="MyCo", title="My Company", aliases=("My-Company",)))
        assert registry.canonical("MyCo") == registry.canonical("my-company") == "MyCo"

    @pytest.mark.parametrize(
        "row",
        [
            Row(name="azure-openai", title="X"),
            Row(name="new", title="X", aliases=("azure",)),
            Row(name="new", title="X", aliases=("togetherai",)),
        ],
    )
    def test_a_taken_name_is_refused_by_whose_it_is(self, row):
        registry = Registry()
        with pytest.raises(Misconfigured, match=r"is taken by (azure|together)"):
            registry.register(row)
        assert registry.canonical("azure") == "azure"
        assert registry.canonical("new") is None
        assert "new" not in registry.rows

    def test_a_row_may_be_replaced_by_its_own_name(self):
        registry = Registry()
        registry.register(Row(name="openai", title="Mine"))
        assert registry.rows["openai"].title == "Mine"
        assert registry.canonical("openai") == "openai"

    def test_the_order_is_the_tables(self):
        assert list(Registry().rows) == [row.name for row in TABLE]
        offering = [row.name for row in Registry().offering(Capability.CHAT)]
        assert offering[:4] == ["azure", "together", "anthropic", "openai"]
        assert "anthropic" not in [row.name for row in Registry().offering(Capability.SPEAK)]


class TestPlugIns:
    def point(self, monkeypatch, name, value):
        points = [EntryPoint(name=name, value=value, group=module.ENTRY_POINTS)]
        monkeypatch.setattr(module, "entry_points", lambda group: points if group == module.ENTRY_POINTS else [])

    def test_a_row_joins(self, monkeypatch):
        made = Row(name="mine", title="Mine")
        monkeypatch.setattr("tests.core.fakes.PLUG_IN", made, raising=False)
        self.point(monkeypatch, "mine", "tests.core.fakes:PLUG_IN")
        registry = Registry.with_plugins()
        assert registry.rows["mine"] is made
        assert [one.provider for one in registry.declared()][-1] == "mine"

    def test_anything_else_is_refused_by_name(self, monkeypatch):
        self.point(monkeypatch, "odd", "tests.core.fakes:FakeClock")
        with pytest.raises(Misconfigured, match=r"odd .*expected a Row"):
            Registry.with_plugins()


class TestImages:
    """An address goes to the vendor alone: any other server may stand where it reaches what users must not."""

    @pytest.mark.parametrize(
        ("provider", "environ", "sent"),
        [
            ("openai", {}, True),
            ("openai", {"OPENAI_BASE_URL": "https://api.openai.com/v1/"}, True),
            ("openai", {"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, True),
            ("openai", {"OPENAI_BASE_URL": "http://10.0.0.5:8000/v1"}, False),
            ("openai", {"OPENAI_BASE_URL": "https://api.openai.com.example.com/v1"}, False),
            ("openai", {"OPENAI_BASE_URL": "http://10.0.0.5:8000/v1", "openai.simulated": "true"}, True),
            ("azure", {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}, True),
            ("azure", {"AZURE_OPENAI_ENDPOINT": "https://proxy.example.com"}, False),
            ("anthropic", {"ANTHROPIC_BASE_URL": "http://litellm:4000"}, False),
            ("local", {"LOCAL_BASE_URL": "http://10.0.0.5:8000"}, False),
            ("gemini", {}, False),
        ],
    )
    def test_who_is_sent_addresses(self, provider, environ, sent):
        takes = connected(**environ).images(provider, "default")
        assert (takes.urls, takes.documents and not sent) == (sent, False)

    def test_who_says_no_address_of_a_vendor_s_has_none(self):
        """Who speaks the dialect by address, and a program's own object."""
        registry = Registry([Row(name="mine", title="Mine", needs=())])
        for account in (Account(base_url="https://llm.example.com/v1"), Account()):
            registry.connect({"mine": (account,)}, Transport())
            assert not registry.images("mine", "default").urls


class TestMissing:
    @pytest.mark.parametrize(
        ("provider", "environ", "names"),
        [
            ("azure", {}, ["AZURE_OPENAI_KEY", "AZURE_OPENAI_ENDPOINT"]),
            ("azure", {"AZURE_OPENAI_KEY": "k"}, ["AZURE_OPENAI_ENDPOINT"]),
            ("azure", {"AZURE_OPENAI_ENDPOINT": "https://x"}, ["AZURE_OPENAI_KEY"]),
            ("azure", {"AZURE_API_KEY": "k", "AZURE_BASE_URL": "https://x"}, []),
            ("together", {}, ["TOGETHER_API_KEY"]),
            ("together", {"TOGETHER_API_KEY": "k"}, []),
            ("openai", {}, ["OPENAI_API_KEY"]),
            ("openai", {"OPENAI_BASE_URL": "http://localhost:9"}, []),
            ("azure", {"AZURE_OPENAI_AD_TOKEN": "t"}, ["AZURE_OPENAI_ENDPOINT"]),
            ("azure", {"AZURE_OPENAI_AD_TOKEN": "t", "AZURE_OPENAI_ENDPOINT": "https://x"}, []),
            ("groq", {}, ["GROQ_API_KEY"]),
            ("deepseek", {}, ["DEEPSEEK_API_KEY"]),
            ("huggingface", {}, ["HF_API_KEY"]),
            ("huggingface", {"HUGGINGFACE_TOKEN": "k"}, []),
            ("huggingface", {"HF_TOKEN": "k"}, []),
            ("local", {"LOCAL_API_KEY": "k"}, ["LOCAL_BASE_URL"]),
            ("local", {"LOCAL_BASE_URL": "http://gpu:8000"}, []),
            ("ollama", {}, ["OLLAMA_BASE_URL"]),
            ("ollama", {"OLLAMA_BASE_URL": "http://localhost:11434"}, []),
        ],
    )
    def test_what_to_set(self, provider, environ, names):
        assert missing(provider, **environ) == names

    @pytest.mark.parametrize(
        ("provider", "capability", "environ", "names"),
        [
            ("azure", "translate", {}, ["AZURE_TRANSLATION_KEY"]),
            ("azure", "translate", {"AZURE_TRANSLATION_REGION": "eastus2"}, ["AZURE_TRANSLATION_KEY"]),
            ("azure", "translate", {"AZURE_TRANSLATION_KEY": "k"}, []),
            ("azure", "translate", {"AZURE_TRANSLATION_ENDPOINT": "http://mine:5000"}, []),
            *(
                ("azure", "translate", {"AZURE_TRANSLATION_ENDPOINT": f"https://{host}"}, ["AZURE_TRANSLATION_KEY"])
                for host in (
                    "mine.cognitiveservices.azure.com", "mine.services.ai.azure.com", "api.microsofttranslator.com",
                    "api-eur.cognitive.microsofttranslator.com", "mine.cognitiveservices.azure.us",
                )
            ),
            (
                "azure", "translate",
                {"AZURE_OPENAI_AD_TOKEN": "t", "AZURE_TRANSLATION_ENDPOINT": "https://mine.cognitiveservices.azure.com"},
                [],
            ),
            ("azure", "translate", {"AZURE_OPENAI_AD_TOKEN": "t"}, ["AZURE_TRANSLATION_KEY"]),
            ("openai", "chat", {"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, ["OPENAI_API_KEY"]),
            ("openai", "speak", {"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, ["OPENAI_API_KEY"]),
            ("openai", "chat", {"OPENAI_BASE_URL": "https://api.openai.com"}, ["OPENAI_API_KEY"]),
        ],
    )  # fmt: skip
    def test_a_vendor_s_hosts_want_a_key(self, provider, capability, environ, names):
        registry = connected(**environ)
        assert registry.missing(registry.rows[provider], registry.account(provider, "default"), capability) == names

    def test_every_row_names_what_it_needs(self):
        for row in TABLE:
            names = row.declared().names
            assert set(row.needs) <= set(names)
            for name in Registry().missing(row, Account()):
                assert name.isupper()


class TestAdapters:
    def test_one_is_made_on_first_use_and_kept(self):
        registry = connected(OPENAI_API_KEY="k", TOGETHER_API_KEY="k")
        adapter = registry.adapter("openai", "default")
        assert isinstance(adapter, OpenAIDialect)
        assert registry.adapter("openai", "default") is adapter
        assert registry.adapter("together", "default") is not adapter

    def test_connecting_again_forgets_the_old(self):
        registry = connected(OPENAI_API_KEY="k")
        adapter = registry.adapter("openai", "default")
        registry.connect({"openai": (Account(base_url="http://localhost:9"),)}, Transport())
        assert registry.adapter("openai", "default") is not adapter

    def test_unconnected_it_says_so(self):
        with pytest.raises(RuntimeError, match="not connected"):
            Registry().adapter("openai", "default")

    def test_who_has_no_account_has_none(self):
        assert Registry().accounts("openai") == ()

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_every_row_has_an_adapter_that_can_what_it_says(self, row):
        made = load_adapter(row)(row, Account(base_url="http://localhost:9"), Transport())
        if Capability.CHAT in row.capabilities:
            assert isinstance(made, Chats)
        if row.detect:
            assert isinstance(made, ListsModels)

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
    def test_every_row_is_sound(self, row):
        assert row.name == row.name.lower()
        assert row.title
        assert row.base_url or "base_url" in row.needs
        assert not row.extra_params & row.lacks_params
        assert set(row.default_models) <= row.capabilities
