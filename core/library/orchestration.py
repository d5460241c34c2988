"""The seeds' orchestrator: verbs along the chain, and one task at a time by its risk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from core.capabilities import Capability
from core.errors import BadRequest
from core.library import awaited, calls
from core.library.provider import form_of
from core.library.registry import ProviderRegistry
from core.library.requests import Messages, chat_body, check_names, prompt_body
from core.library.results import GenerationResult
from core.library.router import ModelRouter
from core.library.scope import Scope
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
        self,
        audio_data: bytes,  # noqa: ARG002 - the seed's signature
        audio_format: str = "wav",  # noqa: ARG002 - the seed's signature
        preferred_provider: object = None,  # noqa: ARG002 - the seed's signature
        **_: Any,
    ) -> NoReturn:
        awaited.capability(Capability.TRANSCRIBE)

    async def translate_text(self, text: str, target_language: str, **_: Any) -> NoReturn:  # noqa: ARG002 - the seed's
        awaited.capability(Capability.TRANSLATE)

    async def text_to_speech(self, text: str, voice: str | None = None, **_: Any) -> NoReturn:  # noqa: ARG002 - the seed's
        awaited.capability(Capability.SPEAK)


class _Fields:
    """A task's fields, whether it is a mapping or an object."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def __call__(self, name: str) -> Any:
        if isinstance(self._task, Mapping):
            return self._task.get(name)
        return getattr(self._task, name, None)


orchestrator = Orchestrator()
