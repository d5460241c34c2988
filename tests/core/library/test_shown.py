"""One table: everything that the seeds' code shows, called here over simulated providers."""

import re
from pathlib import Path

import pytest

from core import library
from core.library import (
    ChatRequest,
    ChatResponse,
    ModelInfo,
    STTProvider,
    STTResult,
    TranslationProvider,
    TTSProvider,
)
from core.library.legacy import LegacyAdapter
from infra.local.simulators.vendors import VENDORS
from tests.core.library.conftest import heard
from tests.sound import recording

TABLE = [
    [part.strip() for part in line.split(" | ")]
    for line in Path(__file__).with_name("shown.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


class Mine:
    """A provider of a caller's own, without any base class."""

    def __init__(self, config, capability=None):
        self.config = config

    def list_models(self):
        return [ModelInfo("mine", "mine-1", capabilities=["code"], cost_per_1k_input=0.5, cost_per_1k_output=1.0)]

    async def chat_completion(self, request: ChatRequest) -> ChatResponse:
        return ChatResponse("mine says hello", "somebody")


class Ear(STTProvider):
    async def speech_to_text(self, audio_data, audio_format, language=None):
        return STTResult(f"{len(audio_data)} bytes of {audio_format} in {language}", detected_language=language)


class Mouth(TTSProvider):
    async def text_to_speech(self, text, voice=None):
        return recording(text)


class Tongue(TranslationProvider):
    async def translate_text(self, text, target_language):
        return {"translated_text": {"Good morning": "Guten Morgen"}[text], "source_language": "en"}


def legacy(adapter, *arguments) -> LegacyAdapter:
    with pytest.warns(DeprecationWarning, match="use .*Provider"):
        made: LegacyAdapter = adapter(*arguments)
    return made


@pytest.mark.parametrize(
    ("where", "name", "expression", "holds"), TABLE, ids=[f"{row[0]} {row[1]} {n}" for n, row in enumerate(TABLE)]
)
def test_what_the_seeds_show_is_here(house, meeting, where, name, expression, holds):
    assert re.fullmatch(r"00[0-4] L\d{1,3}", where)
    root, *path = name.split(".")
    named = getattr(library, root)
    for part in path:
        if part in getattr(named, "__dataclass_fields__", {}):
            break
        named = getattr(named, part)
    ours = {"Mine": Mine, "Ear": Ear, "Mouth": Mouth, "Tongue": Tongue, "legacy": legacy, "recording": recording}
    names = house.names(expression, **ours, meeting=meeting, MODEL=VENDORS["openai"].models[0])
    value = house.python(expression, names)
    assert eval(holds, house.names(holds), {"it": value, "heard": heard}), value


def test_every_public_name_is_in_the_table():
    shown = set(re.findall(r"\w+", " ".join(" ".join(row) for row in TABLE)))
    ours = {"BeautifyResult", "Provider", "RankedDocument", "RerankResponse", "Scope", "TTSResult", "using"}
    ours |= {"TranslationResult"}
    assert set(library.__all__) - shown - ours == set()


def test_type_checkers_see_the_same_names():
    stub = Path(library.__file__).with_suffix(".pyi").read_text()
    assert set(re.findall(r"(\w+) as \1\b", stub)) | {"ProviderType"} == set(library.__all__)


def test_what_nobody_has_is_no_name():
    with pytest.raises(ImportError):
        from core.library import NobodyProvider  # noqa: F401 - it must not be there
    for name in ("Nobody", "NobodyAdapter", "Provider2", "Client", "Adapter"):
        assert not hasattr(library, name), name
