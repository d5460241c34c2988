"""The canonical body in each provider's own spelling, and where it is sent."""

import pytest

from core.config.secrets import Secret
from core.config.settings import Account, load
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
