"""Provider × capability × feature, generated from the table: each cell works, or is declared absent and refused so."""

from typing import Any

import pytest

from core.capabilities import Capability, Feature
from core.providers.row import Row
from core.providers.table import TABLE
from tests.conftest import MATRIX
from tests.contract.cases import EVERYBODY, Mode
from tests.contract.cells import CELLS, Cell, asked, chatting, model_with
from tests.contract.tasks import FEATURES, TASKS, Task

SOUND = (*TASKS, *FEATURES)
MODES: tuple[Mode, ...] = ("plain", "stream")
# What gives an answer in JSON where there is nothing made for it, the best first.
MEANS = {
    Feature.JSON_SCHEMA: (Feature.JSON_MODE, Feature.TOOLS),
    Feature.JSON_MODE: (Feature.JSON_SCHEMA, Feature.TOOLS),
}


def name_of(cell: Cell) -> str:
    return cell.feature.value if cell.feature else "chat"


def rows(capability: Capability) -> list[Row]:
    return [row for row in TABLE if capability in row.capabilities]


# What nobody has there. A feature that table or catalogue loses has to be lost here, too.
ABSENT = {
    "audio": {row.name for row in TABLE} - {"gemini"},
    "files": {row.name for row in TABLE} - {"azure", "anthropic", "openai", "gemini"},
    "documents": {row.name for row in TABLE} - {"anthropic", "cohere"},
    "tools": {"replicate"},
    "json_mode": {"replicate"},
    "json_schema": {"replicate"},
    "embed": {"anthropic", "groq", "deepseek", "replicate"},
    "rerank": {row.name for row in TABLE} - {"together", "huggingface", "cohere", "local"},
    "transcribe": {"anthropic", "deepseek", "ollama"},
    "diarize": {row.name for row in TABLE} - {"azure", "together", "openai", "replicate", "local"},
    "speak": {row.name for row in TABLE} - {"azure", "together", "openai", "groq", "gemini", "replicate"},
    "translate": set(),
    "segments": {"anthropic", "deepseek", "ollama", "cohere"},
    "words": {"anthropic", "deepseek", "ollama", "cohere", "gemini", "huggingface"},
    "to_english": {"anthropic", "deepseek", "ollama", "cohere", "azure", "huggingface"},
    "one_utterance": {row.name for row in TABLE} - {"azure"},
    "ssml": {row.name for row in TABLE} - {"azure"},
    "boundaries": {row.name for row in TABLE} - {"azure"},
    "html": set(),
    "formality": set(),
}


@pytest.fixture
def matrix(pytestconfig: pytest.Config) -> dict[tuple[str, str], str]:
    """Filled by the tests below, shown at the end of the session."""
    return pytestconfig.stash.setdefault(MATRIX, {})


def test_every_provider_of_the_table_is_in_every_contract_test():
    assert set(EVERYBODY) == {row.name for row in chatting()}


def test_every_feature_of_the_table_has_a_cell():
    # A stream is asked of each cell; token ids are of embeddings, and tested there.
    chats = {cell.feature for cell in CELLS} - {None}
    sounds = {task.feature for task in FEATURES} | {Feature.SPEAKERS}  # whom a capability of its own tells apart
    assert chats | sounds == set(Feature) - {Feature.STREAM, Feature.TOKENS}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cell", CELLS, ids=name_of)
@pytest.mark.parametrize("row", chatting(), ids=lambda row: row.name)
def test_a_cell(gateways, matrix, row, cell, mode):
    gateway = gateways("quick", row.name)
    needed = [cell.feature] if cell.feature else []
    model = model_with(row, *needed)
    if model is None and cell.feature in MEANS:
        model = next((found for one in MEANS[cell.feature] if (found := model_with(row, one))), None)
    answer = asked(gateway, row, model, cell, mode)
    if model is None and cell.feature is not None:
        assert answer.status == 400, answer.body
        assert row.name in ABSENT[cell.feature]
        assert cell.feature in answer.error["message"]
        assert {one["code"] for one in answer.error["excluded"]} == {"features"}
        matrix[row.name, name_of(cell)] = "-"
        return
    assert row.name not in ABSENT.get(name_of(cell), set())
    assert answer.status == 200, answer.body
    assert answer.errors == []
    cell.check(answer)
    receipt = gateway.receipt(answer.decision)
    assert (receipt["outcome"], receipt["provider"], receipt["model"]) == ("ok", row.name, model or receipt["model"])
    assert len(receipt["attempts"]) == 1
    assert receipt["usage"]["source"] == "reported"
    means = receipt["candidates"][0].get("means")
    matrix[row.name, name_of(cell)] = "yes" if means in {None, "native"} else f"by {means}"


@pytest.mark.parametrize("row", chatting(), ids=lambda row: row.name)
def test_its_models_are_listed_at_no_cost(gateways, matrix, row):
    gateway = gateways("quick", row.name)
    adapter = gateway.service.gateway.registry.adapter(row.name, "default")
    before = gateway.fleet.status()["providers"][row.name]["requests"]
    listed = gateway.on_loop(adapter.models())
    assert listed
    assert all(isinstance(name, str) and name for name in listed)
    assert gateway.fleet.status()["providers"][row.name]["requests"] > before
    assert {request.method for request in gateway.fleet.requests(row.name)[before:]} == {"GET"}
    matrix[row.name, "models"] = "yes"


# What is asked for beside chat; of who has no default model a model is named.
BESIDE: dict[Capability, tuple[str, dict[str, Any], str]] = {
    Capability.EMBED: ("/api/ai/embed", {"input": "Hello"}, "embeddings"),
    Capability.RERANK: ("/api/ai/rerank", {"query": "Who won?", "documents": ["The reds won.", "Bread"]}, "results"),
}
NAMED = {
    ("local", Capability.EMBED): "bge-large-en",
    ("local", Capability.RERANK): "bge-reranker-v2-m3",
    ("huggingface", Capability.RERANK): "sentence-transformers/all-mpnet-base-v2",
}


@pytest.mark.parametrize("capability", BESIDE)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_capability_beside_chat(gateways, matrix, row, capability):
    gateway = gateways("quick", row.name)
    route, body, field = BESIDE[capability]
    named = NAMED.get((row.name, capability))
    fields = {"provider": row.name, "fallback": False, "cache": "off"} | ({"model": named} if named else {})
    answer = gateway.http.post(route, json={**body, **fields}).json()
    assert (capability not in row.capabilities) == (row.name in ABSENT[capability])
    if capability not in row.capabilities:
        assert {one["code"] for one in answer["error"]["excluded"]} == {"capability"}
        matrix[row.name, capability] = "-"
        return
    assert answer["provider"] == row.name, answer
    assert answer[field]
    assert all(isinstance(one, list | dict) for one in answer[field])
    matrix[row.name, capability] = "yes"


@pytest.mark.parametrize("task", SOUND, ids=lambda task: task.name)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_sound_and_languages(gateways, matrix, row: Row, task: Task):
    gateway = gateways("quick", row.name)
    named = NAMED.get((row.name, task.capability))
    fields = {"provider": row.name, "fallback": False} | ({"model": named} if named else {})
    answer = gateway.http.post(task.route, json={**task.body, **fields}, headers=task.headers)
    if row.name in ABSENT[task.name]:
        assert answer.status_code in {400, 503}, answer.text
        assert {one["code"] for one in answer.json()["error"]["excluded"]} <= {"capability", "features"}
        matrix[row.name, task.name] = "-"
        return
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-patchbay-provider"] == row.name
    task.check(answer)
    matrix[row.name, task.name] = "yes"
