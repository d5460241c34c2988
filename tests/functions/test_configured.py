"""Who counts as configured: no simulator answers in somebody's place, and what is owed to own machines is said."""

import json
from io import StringIO

import pytest

from core import log
from core.capabilities import Capability
from core.errors import AllTargetsFailed
from core.types.caller import LOCAL
from core.types.request import Options, Request
from core.wire.chat import chat_facts
from infra.local.banner import banner
from tests.functions.helpers import problem, providers
from tests.harness import HELLO, Server, server


def test_a_key_that_is_switched_off_starts_no_simulators(tmp_path):
    with server(tmp_path, OPENAI_API_KEY="sk-off", OPENAI_ENABLED="false") as gateway:
        error = problem(gateway.chat(), 503)
        assert gateway.service.settings.simulated is False
    assert "openai/gpt-6-luna: switched off by OPENAI_ENABLED (environment)" in error["message"]


def test_beyond_loopback_there_are_no_simulators(tmp_path):
    with server(tmp_path, HOST="0.0.0.0", PATCHBAY_API_KEY="gate") as gateway:
        gateway.http.headers["authorization"] = "Bearer gate"
        assert gateway.http.get("/health").json()["ready"] is False
        assert "OPENAI_API_KEY" in problem(gateway.chat(), 503)["message"]


def test_the_vendors_own_address_is_no_credential(tmp_path):
    with server(tmp_path, OPENAI_BASE_URL="https://api.openai.com/v1") as gateway:
        assert gateway.chat().json()["simulated"] is True


@pytest.mark.parametrize(("price", "nano"), [("", 0), ("usd_per_mtok: {input: 2, output: 4}", 2000)])
def test_a_price_of_ones_own_counts_on_own_machines(tmp_path, price, nano):
    (tmp_path / "patchbay.yaml").write_text(f"models: {{local/mine: {{context: 9000, {price}}}}}")
    with providers("local") as fleet:
        environ = {"LOCAL_BASE_URL": fleet.url("local"), "LOCAL_LLM_MODEL": "mine"}
        with server(tmp_path, **environ) as gateway:
            body = gateway.chat().json()
            (one,) = [
                one
                for one in gateway.http.get("/api/ai/models?provider=local").json()["models"]
                if one["id"] == "mine"
            ]
            plan = gateway.http.post("/api/ai/route", json=HELLO).json()["candidates"][0]
    used = body["usage"]
    assert used["input_tokens"] and used["output_tokens"]
    assert body["cost"]["nano_usd"] == nano * used["input_tokens"] + 2 * nano * used["output_tokens"]
    assert one["free"] is (nano == 0)
    assert (plan["cost_estimate_nano"] == 0) is (nano == 0)


def test_chains_name_accounts_that_could_answer(tmp_path):
    (tmp_path / "patchbay.yaml").write_text("""
providers:
  azure:
    accounts:
      west: {api_key: w, endpoint: "http://127.0.0.1:1"}
      east: {api_key: e, endpoint: "http://127.0.0.1:1", enabled: false}
  groq-fast: {type: groq, api_key: g, base_url: "http://127.0.0.1:1"}
  openai: {api_key: o, enabled: false}
chains: {chat: [groq-fast, azure, openai]}
""")
    with server(tmp_path) as gateway:
        assert gateway.http.get("/api/ai/status").json()["chains"]["chat"] == ["groq-fast", "azure:west"]
        hello = banner(gateway.service, gateway.url)
        lines = StringIO()
        gateway.on_loop(_logged(gateway, lines))
    assert "azure:west: live; azure:east: switched off" in hello and "groq-fast: live" in hello
    (line,) = [one for one in map(json.loads, lines.getvalue().splitlines()) if one["event"] == "request"]
    assert line["chain"] == ["groq-fast", "azure:west"]


async def _logged(gateway: Server, lines: StringIO) -> None:
    """The lines of one request that everybody is too far away for."""
    before = vars(log.LINES).copy()
    log.LINES.configure("info", "json", lines)
    try:
        opened = await gateway.service.open()
        body = dict(HELLO)
        with pytest.raises(AllTargetsFailed):
            await opened.chat(LOCAL, Request(Capability.CHAT, body, Options(), chat_facts(body)))
    finally:
        vars(log.LINES).update(before)


def test_a_strategy_over_a_written_chain_is_said_to_have_no_effect(tmp_path):
    environ = {"OPENAI_API_KEY": "o", "CHAT_CHAIN": "openai", "PROVIDER_STRATEGY": "priority"}
    with server(tmp_path, **environ) as gateway:
        said = gateway.service.settings.warnings
    assert "PROVIDER_STRATEGY (environment) has no effect on chat: its chain is written down" in said
