"""The seeds' provider interfaces. Whoever writes a provider of their own starts from one of them, or from none."""

from collections.abc import Generator
from typing import Any

from core.errors import NotFound
from core.library.requests import ProviderConfig
from core.library.results import ModelInfo


class Ready:
    """Yes or no, asked with `await` as one seed does or without as another: a bare coroutine would always be true."""

    def __init__(self, yes: bool) -> None:  # noqa: FBT001 - it is nothing but this
        self._yes = yes

    def __bool__(self) -> bool:
        return self._yes

    def __await__(self) -> Generator[None, None, bool]:
        return self._yes
        yield  # makes it a generator, which is what `await` wants

    def __eq__(self, other: object) -> bool:
        return self._yes == bool(other)

    def __hash__(self) -> int:
        return hash(self._yes)

    def __repr__(self) -> str:
        return repr(self._yes)


class CloudProvider:
    """What has a configuration."""

    def __init__(self, config: ProviderConfig | None = None) -> None:
        self.config = config or ProviderConfig()

    @property
    def model_name(self) -> str | None:
        return self.config.model


class LLMProvider:
    """Chat by one method of your own: `generate(model, prompt)`, `generate(messages)` or `chat_completion(…)`."""

    @property
    def name(self) -> str:
        return type(self).__name__.removesuffix("Provider").lower()

    @property
    def available_models(self) -> list[ModelInfo]:
        return [ModelInfo(provider=self.name, model_id=self.name)]

    def is_available(self) -> Any:
        return Ready(True)

    def get_model_info(self, model: str) -> ModelInfo:
        for info in self.available_models:
            if info.model_id == model:
                return info
        raise NotFound(f"{self.name} has no model {model!r}", param="model", code="model_not_found")

    def list_models(self) -> list[ModelInfo]:
        return self.available_models

    async def is_model_available(self, model: str) -> bool:
        return any(one.model_id == model for one in self.list_models())

    async def generate(self, *_: Any, **__: Any) -> Any:
        """With any parameters: each seed has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no generate() of its own")

    async def embed(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no embed() of its own")


LlmProvider = LLMProvider  # as the third seed writes it


class AIProvider:
    async def transcribe(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no transcribe() of its own")

    async def chat_completion(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no chat_completion() of its own")

    async def generate_embedding(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no generate_embedding() of its own")

    async def vision_completion(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no vision_completion() of its own")

    def list_models(self) -> list[ModelInfo]:
        return []

    async def health_check(self) -> bool:
        return True


class STTProvider:
    """Hears by one method of your own: `speech_to_text(audio_data, audio_format, …)`."""

    async def speech_to_text(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no speech_to_text() of its own")


class TTSProvider:
    """Speaks by one method of your own: `text_to_speech(text, voice, …)`."""

    async def text_to_speech(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no text_to_speech() of its own")


class TranslationProvider:
    """Translates by one method of your own: `translate_text(text, target_language, …)`."""

    async def translate_text(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no translate_text() of its own")


INTERFACES = (LLMProvider, AIProvider, STTProvider, TTSProvider, TranslationProvider)
