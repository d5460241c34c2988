"""The seeds' orchestrator: verbs along the chain, and one task at a time by its risk."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import BadRequest
from core.library import calls, sound
from core.library.provider import form_of
from core.library.registry import ProviderRegistry
from core.library.requests import Messages, chat_body, check_names, prompt_body
from core.library.results import GenerationResult
from core.library.router import ModelRouter
from core.library.scope import Scope
from core.library.sound_results import BeautifyResult, STTResult, TranslationResult, TTSResult
from core.library.words import text_of
from core.routing.tasks import Task

_MOST_MODELS = 20  # that one task may go along
_TASK_FIELDS = ("role", "risk", "area", "complexity")
_ASKED_FIELDS = ("prompt", "description", "context", "max_cost", "max_tokens", "temperature")


class Orchestrator:
    """With a registry it uses who is registered there; without one, what the environment and `.env` configure."""

    def __init__(
        self,
        working_dir: str | Path | None = None,
        provider_registry: ProviderRegistry | None = None,
        *,
        registry: ProviderRegistry | None = None,
    ) -> None:
        chosen = provider_registry or registry
        if chosen is None and working_dir is not None:
            chosen = ProviderRegistry(Scope(dotenv=Path(working_dir) / ".env"))
        self.registry = chosen or ProviderRegistry()
        self.router = ModelRouter(self.registry)

    @property
    def scope(self) -> Scope:
        return self.registry.scope

    async def chat_completion(
        self,
        messages: Messages,
        temperature: float | None = None,
        preferred_provider: object = None,
        *,
        stream: bool = False,
        **more: Any,
    ) -> Any:
        """The preferred provider goes first and the chain follows; `fallback=False` leaves it at that one."""
        preferred = None if preferred_provider is None else text_of(preferred_provider)
        body = chat_body(messages, temperature=temperature, provider=preferred, **more)
        return await calls.answered(self.scope, body, form_of(messages), stream=stream)

    async def run_task(self, task_def: Any) -> GenerationResult:
        """Choose a model by role, risk, area and complexity, and ask it; the others that fit follow."""
        if isinstance(task_def, Mapping):
            check_names(task_def, (*_TASK_FIELDS, *_ASKED_FIELDS), "task")
        given = _Fields(task_def)
        prompt = given("prompt") or given("description")
        if not prompt:
            raise BadRequest("a task needs a prompt", param="prompt", code="missing")
        words = {name: text_of(given(name)) for name in _TASK_FIELDS if given(name)}
        choice = self.router.choice(Task(**words))
        body = prompt_body(
            prompt,
            given("context"),
            models=[f"{one.provider}/{one.model}" for one in choice.offers[:_MOST_MODELS]],
            max_cost=given("max_cost"),
            max_tokens=given("max_tokens"),
            temperature=given("temperature"),
        )
        return GenerationResult.of(await calls.chat(self.scope, body), rationale=choice.why)

    async def speech_to_text(
        self, audio_data: bytes, audio_format: str | None = None, preferred_provider: object = None, **more: Any
    ) -> STTResult:
        """What is said in it. What it is, its bytes say; `language`, `vocabulary`, `diarize` and the like go along."""
        body = sound.speech_body(audio_data, audio_format, **_preferring(preferred_provider, more))
        return STTResult.of(await sound.transcribe(self.scope, body))

    async def text_to_speech(
        self, text: str, voice: str | None = None, preferred_provider: object = None, **more: Any
    ) -> TTSResult:
        """All of its sound; `response_format`, `speed` and the like go along."""
        body = sound.text_body(text, voice, **_preferring(preferred_provider, more))
        return TTSResult.of(await sound.speak(self.scope, body))

    async def translate_text(
        self, text: str | Sequence[str], target_language: str | Sequence[str], preferred_provider: object = None,
        **more: Any,
    ) -> TranslationResult:  # fmt: skip
        """A text, or several, in a language, or several; `source_language`, `glossary` and the like go along."""
        body = sound.translation_body(text, target_language, **_preferring(preferred_provider, more))
        return TranslationResult.of(await sound.translate(self.scope, body), sound.targets_of(body))

    async def beautify(
        self,
        given: str | Mapping[str, Any],
        what: Sequence[str] | None = None,
        preferred_provider: object = None,
        **more: Any,
    ) -> BeautifyResult:
        """A text, or a transcript with segments, cleaned and nothing invented."""
        body = sound.beautify_body(given, what, **_preferring(preferred_provider, more))
        return BeautifyResult.of(await sound.beautify(self.scope, body))


def _preferring(provider: object, more: Mapping[str, Any]) -> dict[str, Any]:
    """Who goes first, beside all else that is said."""
    return {**more, **({} if provider is None else {"provider": text_of(provider)})}


class _Fields:
    """A task's fields, whether it is a mapping or an object."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def __call__(self, name: str) -> Any:
        if isinstance(self._task, Mapping):
            return self._task.get(name)
        return getattr(self._task, name, None)


orchestrator = Orchestrator()
