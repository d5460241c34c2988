"""The canonical body in each provider's own spelling, and where it is sent."""

import pytest

from core.config.secrets import Secret
from core.config.settings import Account, load
from core.errors import Misconfigured
from core.net.transport import Transport
from core.providers.contract import Call
from core.providers.openai_dialect import OpenAIDialect
from core.providers.table import TABLE
from core.types.target import Target

ROWS = {row.name: row for row in TABLE}
HI = [{"role": "user", "content": "Hello"}]


def body(provider, given=None, *, stream=False):
    account = Account(key=Secret("k"), base_url="http://localhost:9")
    adapter = OpenAIDialect(ROWS[provider], account, Transport())
    given = {"messages": HI, **(given or {})}
    before = repr(given)
    call = Call(target=Target(provider, "default", "their-model"), body=given, idle=1, max_bytes=1000)
    made = adapter.chat_body(call, stream=stream)
    assert repr(given) == before, "the caller's body must stay as it was: the next provider gets it too"
    return made


class TestBody:
    @pytest.mark.parametrize("provider", ROWS)
    def test_the_model_is_the_targets(self, provider):
        for given in ({}, {"model": "auto"}, {"model": f"{provider}/their-model"}):
            assert body(provider, given)["model"] == "their-model"

    @pytest.mark.parametrize("provider", ROWS)
    def test_everything_else_goes_as_it_came(self, provider):
        given = {"temperature": 0.5, "stop": ["x"], "n": 2, "tools": [], "seed": None}
        assert body(provider, given) == {"messages": HI, "model": "their-model", **given}

    @pytest.mark.parametrize(
        ("provider", "spelling"),
        [
            ("azure", "max_completion_tokens"),
            ("openai", "max_completion_tokens"),
            ("together", "max_tokens"),
            ("groq", "max_completion_tokens"),
            ("deepseek", "max_tokens"),
            ("huggingface", "max_tokens"),
            ("local", "max_tokens"),
            ("ollama", "max_tokens"),
        ],
    )
    @pytest.mark.parametrize("given", ["max_tokens", "max_completion_tokens"])
    def test_the_longest_answer_in_their_spelling(self, provider, spelling, given):
        made = body(provider, {given: 10})
        other = {"max_tokens", "max_completion_tokens"} - {spelling}
        assert made[spelling] == 10
        assert not other & set(made)

    @pytest.mark.parametrize("provider", ROWS)
    def test_given_both_ways_their_own_spelling_counts(self, provider):
        wanted = ROWS[provider].max_tokens_param
        given = {"max_tokens": 1, "max_completion_tokens": 2}
        made = body(provider, given)
        assert made[wanted] == given[wanted]
        assert len({"max_tokens", "max_completion_tokens"} & set(made)) == 1

    @pytest.mark.parametrize("provider", ROWS)
    @pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
    def test_a_stream_always_tells_its_usage(self, provider, options):
        made = body(provider, {"stream": True, **options}, stream=True)
        assert made["stream"] is True
        assert made["stream_options"]["include_usage"] is True

    def test_other_stream_options_stay(self):
        made = body("openai", {"stream": True, "stream_options": {"include_obfuscation": False}}, stream=True)
        assert made["stream_options"] == {"include_obfuscation": False, "include_usage": True}

    @pytest.mark.parametrize("provider", ROWS)
    def test_a_whole_answer_has_nothing_of_streams(self, provider):
        made = body(provider, {"stream": False, "stream_options": {"include_usage": True}})
        assert not {"stream", "stream_options"} & set(made)


def base_url(provider, address=None):
    """Through the settings, as a user would give it."""
    environ = {} if address is None else {f"{provider.upper()}_BASE_URL": address}
    (account,) = load([ROWS[provider].declared()], environ=environ).accounts[provider]
    return OpenAIDialect.base_url(ROWS[provider], account)


class TestBaseUrl:
    @pytest.mark.parametrize(
        ("provider", "address", "found"),
        [
            ("openai", None, "https://api.openai.com/v1"),
            ("together", None, "https://api.together.ai/v1"),
            ("ollama", None, "http://127.0.0.1:11434/v1"),
            ("azure", "https://mine.openai.azure.com", "https://mine.openai.azure.com/openai/v1"),
            ("azure", "https://mine.openai.azure.com/", "https://mine.openai.azure.com/openai/v1"),
            ("azure", "https://mine.openai.azure.com/openai/v1", "https://mine.openai.azure.com/openai/v1"),
            ("azure", "https://mine.openai.azure.com/openai/v1/", "https://mine.openai.azure.com/openai/v1"),
            ("azure", "https://mine.services.ai.azure.com", "https://mine.services.ai.azure.com/openai/v1"),
            ("groq", None, "https://api.groq.com/openai/v1"),
            ("deepseek", None, "https://api.deepseek.com"),
            ("huggingface", None, "https://router.huggingface.co/v1"),
            ("local", "http://gpu:8000", "http://gpu:8000/v1"),
            ("local", "http://gpu:8000/llm/v1", "http://gpu:8000/llm/v1"),
            ("local", "http://v1.example:8000", "http://v1.example:8000/v1"),
            ("ollama", "http://gpu:11434", "http://gpu:11434/v1"),
            ("ollama", "http://gpu:11434/v1", "http://gpu:11434/v1"),
            ("ollama", "http://gpu:11434/v1/", "http://gpu:11434/v1"),
            ("openai", "http://localhost:8000/v1", "http://localhost:8000/v1"),
            ("openai", "http://localhost:8000/v1/", "http://localhost:8000/v1"),
            ("openai", "https://proxy.example/openai", "https://proxy.example/openai"),
        ],
    )
    def test_a_host_or_the_whole_path(self, provider, address, found):
        assert base_url(provider, address) == found


def adapter(**environ):
    environ = {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com", **environ}
    (account,) = load([ROWS["azure"].declared()], environ=environ).accounts["azure"]
    return OpenAIDialect(ROWS["azure"], account, Transport())


def chat_url(model="my-gpt", **environ):
    call = Call(target=Target("azure", "default", model), body={}, idle=1, max_bytes=1000)
    return str(adapter(**environ)._url(call, "/chat/completions"))


class TestVersions:
    @pytest.mark.parametrize(
        ("environ", "url"),
        [
            ({}, "/openai/v1/chat/completions"),
            ({"AZURE_OPENAI_API_VERSION": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
            (
                {"AZURE_OPENAI_API_VERSION": "2024-10-21"},
                "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21",
            ),
            (
                {"AZURE_OPENAI_API_VERSION": "2025-04-01-preview"},
                "/openai/deployments/my-gpt/chat/completions?api-version=2025-04-01-preview",
            ),
        ],
    )
    @pytest.mark.parametrize("path", ["", "/", "/openai/v1/"])
    def test_a_dated_one_means_the_deployments_own_address(self, environ, url, path):
        endpoint = f"https://mine.openai.azure.com{path}"
        assert chat_url(**environ, AZURE_OPENAI_ENDPOINT=endpoint) == f"https://mine.openai.azure.com{url}"

    def test_a_deployment_may_be_called_anything(self):
        url = chat_url("a b/c?d{model}", AZURE_OPENAI_API_VERSION="2024-10-21")
        assert "/deployments/a%20b%2Fc%3Fd%7Bmodel%7D/chat/completions?api-version=" in url

    @pytest.mark.parametrize("version", ["2024-10-21&x=1", "2024/10", "-", "a b"])
    def test_nothing_else_can_be_said_by_it(self, version):
        with pytest.raises(Misconfigured, match="AZURE_OPENAI_API_VERSION"):
            adapter(AZURE_OPENAI_API_VERSION=version)


class TestCredentials:
    def test_a_key_in_its_own_header(self):
        headers = adapter(AZURE_OPENAI_KEY="the-key")._api._headers
        assert headers["api-key"] == "the-key"
        assert "authorization" not in headers

    def test_a_token_goes_in_place_of_the_key(self):
        headers = adapter(AZURE_OPENAI_KEY="the-key", AZURE_OPENAI_AD_TOKEN="the-token")._api._headers
        assert headers["authorization"] == "Bearer the-token"
        assert "api-key" not in headers

    def test_both_stay_out_of_what_the_provider_says(self):
        made = adapter(AZURE_OPENAI_KEY="the-key-1", AZURE_OPENAI_AD_TOKEN="the-token-1")
        assert made._api.said("the-key-1 or the-token-1") == "*** or ***"
