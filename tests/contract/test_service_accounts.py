"""Accounts of a provider whose speech and translation have credentials apart: what is sent where, and how often."""

import asyncio
import json

from core.providers.registry import Registry
from tests.contract.rooms import fleet, room

TRANSLATE, SPEAK = "/api/ai/translate", "/api/ai/speak"
GERMAN = {"text": "Hello", "target_language": "de", "cache": "off"}
SENTENCE = {"text": "Hello there.", "cache": "off"}


def asked(tmp_path, config, request, route=TRANSLATE, fault=None, **environ):
    """An answer, its receipt or plan, and what arrived: `FIRST` stands for the first host, `OTHER` for another."""

    async def scenario():
        async with fleet(["azure"]) as first, fleet(["azure"]) as other:
            if fault:
                await first.fault("azure", fault)
            text = config.replace("FIRST", first.url("azure")).replace("OTHER", other.url("azure"))
            (tmp_path / "patchbay.json").write_text(text)
            names = {name: value.replace("FIRST", first.url("azure")) for name, value in environ.items()}
            settings = {"PATCHBAY_CONFIG": str(tmp_path / "patchbay.json"), "MAX_RETRIES": "0", **names}
            async with room(Registry(), tmp_path, settings) as here:
                answer = await here.http.post(route, json=request)
                status = (await here.http.get("/api/ai/status")).json()
                if decision := answer.headers.get("x-patchbay-decision"):
                    status["receipt"] = (await here.http.get(f"/api/ai/decisions/{decision}")).json()
                return answer, status, first.requests("azure"), other.requests("azure")

    return asyncio.run(scenario())


def accounts(**given):
    return json.dumps({"providers": {"azure": {"accounts": given}}})


TOKEN = {"AZURE_OPENAI_AD_TOKEN": "entra-token-0123", "AZURE_OPENAI_ENDPOINT": "FIRST"}


class TestTokens:
    """The provider's token was given for its address."""

    def test_it_goes_to_no_other_translator(self, tmp_path):
        config = accounts(west={"translation_endpoint": "OTHER"})
        request = {**GERMAN, "provider": "azure:west", "fallback": False}
        _, _, here, there = asked(tmp_path, config, request, **TOKEN)
        assert here == [] and len(there) == 1  # a server of one's own may need no key
        assert "authorization" not in there[0].headers and "entra-token-0123" not in str(there[0].headers)

    def test_nor_to_another_host_that_the_default_account_names(self, tmp_path):
        config = json.dumps({"providers": {"azure": {"translation_endpoint": "OTHER"}}})
        _, _, _, there = asked(tmp_path, config, GERMAN, **TOKEN)
        assert there and all("entra-token-0123" not in str(one.headers) for one in there)

    def test_nor_to_another_s_speech(self, tmp_path):
        config = accounts(west={"speech_endpoint": "OTHER"})
        environ = {**TOKEN, "AZURE_SPEECH_KEY": "speech-key-0123", "AZURE_SPEECH_ENDPOINT": "FIRST"}
        request = {**SENTENCE, "provider": "azure:west", "fallback": False}
        answer, _, _, there = asked(tmp_path, config, request, SPEAK, **environ)
        assert answer.status_code >= 400 and there == []

    def test_an_account_s_own_goes_where_it_says(self, tmp_path):
        config = accounts(west={"translation_endpoint": "OTHER", "base_url": "OTHER", "token": "of-the-west-0123"})
        answer, _, here, there = asked(tmp_path, config, {**GERMAN, "provider": "azure:west"}, **TOKEN)
        assert answer.status_code == 200 and here == []
        assert [one.headers["authorization"] for one in there] == ["Bearer of-the-west-0123"]

    def test_the_provider_s_goes_where_the_provider_s_is(self, tmp_path):
        config = json.dumps({"providers": {"azure": {"translation_endpoint": "FIRST"}}})
        answer, _, here, _ = asked(tmp_path, config, GERMAN, **TOKEN)
        assert answer.status_code == 200
        assert [one.headers["authorization"] for one in here] == ["Bearer entra-token-0123"]


SHARED = accounts(
    west={"api_key": "w", "endpoint": "FIRST"}, ep={"api_key": "e", "endpoint": "FIRST"}, k={"api_key": "k"},
)  # fmt: skip
KEYS = {
    "AZURE_SPEECH_KEY": "speech-key-0123", "AZURE_SPEECH_ENDPOINT": "FIRST",
    "AZURE_TRANSLATION_KEY": "translator-0123", "AZURE_TRANSLATION_ENDPOINT": "FIRST",
}  # fmt: skip


class TestShared:
    """Accounts that have one key and address of a service between them are one candidate for it."""

    def test_an_outage_is_asked_once(self, tmp_path):
        answer, status, here, _ = asked(tmp_path, SHARED, SENTENCE, SPEAK, fault="500", **KEYS)
        assert answer.status_code == 502 and len(here) == 1, answer.text
        assert status["chains"]["speak"] == status["chains"]["transcribe"] == ["azure"]

    def test_the_translator_is_asked_once_and_each_chat(self, tmp_path):
        _, status, here, _ = asked(tmp_path, SHARED, GERMAN, fault="500", **KEYS)
        assert len([one for one in here if one.path.endswith("/translate")]) == 1
        assert status["chains"]["translate"] == ["azure", "azure:west", "azure:ep"]
        assert status["chains"]["chat"] == ["azure:west", "azure:ep"]

    def test_who_is_named_is_the_one(self, tmp_path):
        _, status, *_ = asked(tmp_path, SHARED, {**SENTENCE, "provider": "azure:ep"}, SPEAK, **KEYS)
        receipt = status["receipt"]
        assert [(one["provider"], one["account"]) for one in receipt["attempts"]] == [("azure", "ep")]
        assert {one["code"] for one in receipt["excluded"] if one["provider"] == "azure"} == {"same"}

    def test_another_region_is_another_candidate(self, tmp_path):
        config = accounts(east={"speech": {"region": "eastus", "api_key": "e"}}, same={"model": "m"})
        _, status, *_ = asked(tmp_path, config, SENTENCE, SPEAK, **KEYS)
        assert status["chains"]["speak"] == ["azure", "azure:east"]


def test_who_beautifies_is_among_the_chains(tmp_path):
    config = json.dumps({"providers": {"openai": {"base_url": "OTHER"}, "groq": {"base_url": "OTHER"}}})
    _, status, *_ = asked(tmp_path, config, GERMAN, BEAUTIFY_PROVIDER="groq")
    assert status["chains"]["chat"] == ["openai", "groq"]
    assert status["chains"]["beautify"] == ["groq", "openai"]
