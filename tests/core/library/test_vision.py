"""vision_completion of every provider that sees, by its class."""

from collections.abc import Iterator

import pytest

from core.capabilities import Capability
from core.library import Scope, VisionRequest, VisionResponse, using
from core.library.provider import provider_class
from core.providers.registry import Registry
from core.providers.table import TABLE
from infra.local.server import simulated
from tests.core.fakes import run
from tests.harness import Server, server

SEEING = {"openai", "azure", "anthropic", "gemini", "cohere", "ollama", "together", "groq", "local"}
HERE = [row.name for row in TABLE if row.name in SEEING and Capability.CHAT in row.capabilities]
OWN = {"local": "moondream-2", "ollama": "llama3.2-vision"}  # what runs on own machines is their owner's choice
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("vision")
    with server(home, PATCHBAY_SIMULATOR_PROVIDERS=",".join(HERE)) as running:
        yield running


@pytest.mark.parametrize("name", HERE)
def test_each_providers_class_sees(providers: Server, tmp_path, name: str) -> None:
    """By the provider's own default where it sees, else by another model of it."""
    environ = {**simulated(providers.fleet, Registry()), "PATCHBAY_HOME": str(tmp_path), "LOG_LEVEL": "error"}
    made = provider_class(f"{name.title()}Provider")
    assert made is not None
    asked = VisionRequest("What is it?", image_data=PNG, media_type="image/jpeg", model=OWN.get(name))
    with using(Scope(environ=environ, dotenv=None)):
        said = run(made().vision_completion(asked))
    assert isinstance(said, VisionResponse)
    assert said.provider == name
    assert "I was given 1 image: image/png of 8 bytes" in said.content
