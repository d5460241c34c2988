"""One verb per capability, in core/verbs; what they share is in steps.py."""

from functools import cached_property
from typing import TYPE_CHECKING

from core.accounting.report import Report
from core.answers import Answer, Counted, LiveAnswer, ReplayedAnswer
from core.config.run_time import InForce
from core.steps import Steps
from core.types.caller import Caller
from core.types.plan import Plan
from core.types.request import Request
from core.verbs.chat import Chat
from core.wire.openai import Completion

if TYPE_CHECKING:  # whoever only chats need not load them
    from core.types.audio import Transcript
    from core.types.translation import Translation
    from core.verbs.beautify import Beautify
    from core.verbs.embed import Embed
    from core.verbs.rerank import Rerank
    from core.verbs.speak import LiveSpeech, Speak, Spoken
    from core.verbs.transcribe import Transcribe
    from core.verbs.translate import Translate
    from core.wire.beautify.parts import Beautified
    from core.wire.embeddings import Embeddings
    from core.wire.rerank import Ranking


class Gateway:
    def __init__(self, steps: Steps, *, report: Report, in_force: InForce) -> None:
        self.steps = steps
        self.settings = steps.settings
        self.registry = steps.registry
        self.catalog = steps.catalog
        self.planner = steps.planner
        self.ledger = steps.ledger
        self.stats = steps.stats
        self.clock = steps.clock
        self.simulated = steps.simulated
        self.report = report
        self.in_force = in_force
        self._chat = Chat(steps)

    def plan(self, request: Request) -> Plan:
        """The plan alone: what would be tried, and why."""
        return self.steps.plan(request)

    async def chat(self, caller: Caller, request: Request) -> Answer[Completion]:
        return await self._chat.answer(caller, request)

    async def chat_stream(self, caller: Caller, request: Request) -> LiveAnswer | ReplayedAnswer:
        return await self._chat.stream(caller, request)

    async def count_tokens(self, request: Request) -> Counted:
        return await self._chat.count_tokens(request)

    async def embed(self, caller: Caller, request: Request) -> Answer["Embeddings"]:
        return await self._embed.answer(caller, request)

    async def rerank(self, caller: Caller, request: Request) -> Answer["Ranking"]:
        return await self._rerank.answer(caller, request)

    async def transcribe(self, caller: Caller, request: Request) -> Answer["Transcript"]:
        return await self._transcribe.answer(caller, request)

    async def transcribe_stream(self, caller: Caller, request: Request) -> LiveAnswer:
        return await self._transcribe.stream(caller, request)

    async def speak(self, caller: Caller, request: Request) -> "LiveSpeech":
        return await self._speak.stream(caller, request)

    async def speak_whole(self, caller: Caller, request: Request) -> Answer["Spoken"]:
        return await self._speak.answer(caller, request)

    async def translate(self, caller: Caller, request: Request) -> Answer["Translation"]:
        return await self._translate.answer(caller, request)

    async def beautify(self, caller: Caller, request: Request) -> Answer["Beautified"]:
        return await self._beautify.answer(caller, request)

    @cached_property
    def _embed(self) -> "Embed":
        from core.verbs.embed import Embed  # noqa: PLC0415 - see above

        return Embed(self.steps)

    @cached_property
    def _rerank(self) -> "Rerank":
        from core.verbs.rerank import Rerank  # noqa: PLC0415 - see above

        return Rerank(self.steps)

    @cached_property
    def _transcribe(self) -> "Transcribe":
        from core.verbs.transcribe import Transcribe  # noqa: PLC0415 - see above

        return Transcribe(self.steps)

    @cached_property
    def _speak(self) -> "Speak":
        from core.verbs.speak import Speak  # noqa: PLC0415 - see above

        return Speak(self.steps)

    @cached_property
    def _translate(self) -> "Translate":
        from core.verbs.translate import Translate  # noqa: PLC0415 - see above

        return Translate(self.steps)

    @cached_property
    def _beautify(self) -> "Beautify":
        from core.verbs.beautify import Beautify  # noqa: PLC0415 - see above

        return Beautify(self.steps)
