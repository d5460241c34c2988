"""Translation: texts in other languages, by a translator or by language models."""

from collections.abc import Sequence
from typing import Any

from core.answers import Answer
from core.cache.memory import Stored
from core.capabilities import Capability, Feature
from core.errors import TargetError
from core.execution.deadline import Deadline
from core.execution.translating import Room, Translating
from core.providers.contract import Call, Chats, Reply, Translates
from core.providers.row import Row
from core.routing.means import means_at
from core.types.caller import Caller
from core.types.plan import Candidate, Means
from core.types.request import Facts, Request
from core.types.translation import Translated, Translation
from core.verbs.kept import Kept
from core.wire.chat import without
from core.wire.structured import asking, settled
from core.wire.tokens import estimated, tokens_of
from core.wire.translation import by_llm as llm
from core.wire.translation.request import read_translation, write_translation

_BY_CHAT = Room(characters=6000, texts=40, languages=1)  # so that an answer ends well below every model's limit
_FILLED = 0.9  # of a translator's limit
_AROUND = 80  # characters; the words by which a translator is told what must not change
_FACTS = Facts(features=frozenset({Feature.JSON_SCHEMA}), params=frozenset({"temperature", "response_format"}))


class Translate(Kept[Translation]):
    async def _answer(self, caller: Caller, request: Request, deadline: Deadline, cache: str) -> Answer[Translation]:
        work = Translating(request.body)

        async def attempt(candidate: Candidate) -> Reply[Translation]:
            call = self._steps.call(candidate, request)

            async def send(texts: Sequence[str], languages: Sequence[str]) -> Reply[Translation]:
                part = call._replace(body={**call.body, "texts": texts, "targets": languages})
                return await self._ask(candidate, part)

            return await work.at(candidate.target, self._room(candidate, request), send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, work.spent)
        receipt.warnings += work.warnings
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        return Answer(won.value.value, receipt)

    async def _read(self, request: Request, stored: Stored) -> Translation:  # noqa: ARG002 - it says all of itself
        return read_translation(stored.raw)

    async def _written(self, value: Translation) -> bytes:
        return write_translation(value)

    def _room(self, candidate: Candidate, request: Request) -> Room:
        if candidate.asks is Capability.CHAT:
            return _BY_CHAT
        row = self._row(candidate)
        most = int((row.most_characters or _BY_CHAT.characters) * _FILLED)
        # Terms are put into a text in the language that it is to be in.
        languages = 1 if request.body.get("glossary") else len(request.body["targets"])
        return Room(most, row.max_inputs, languages, _AROUND)

    def _row(self, candidate: Candidate) -> Row:
        target = candidate.target
        return self._steps.registry.row(target.provider, target.account, candidate.asks or Capability.TRANSLATE)

    async def _ask(self, candidate: Candidate, call: Call) -> Reply[Translation]:
        target = candidate.target
        if candidate.asks is Capability.CHAT:
            return await self._chat(candidate, call)
        adapter: Translates = self._steps.registry.adapter(target.provider, target.account, Capability.TRANSLATE)
        return await adapter.translate(call)

    async def _chat(self, candidate: Candidate, call: Call) -> Reply[Translation]:
        """By a language model, told to answer in JSON by whatever means it has."""
        target, (language,) = candidate.target, call.body["targets"]
        given = llm.masked(call.body["texts"], html=call.body["html"])
        asked = llm.prompt_for(call.body, given, language)
        body, means = self._told(candidate, asked)
        adapter: Chats = self._steps.registry.adapter(target.provider, target.account)
        reply = await adapter.chat(call._replace(body=body, strict=False))
        usage = reply.usage
        if usage.source == "unknown":
            usage = estimated(tokens_of(asked["messages"]), reply.value.message.get("content"), usage.run_ms)
        found = settled(reply.value.body, llm.WANTED, means)[0] if means else reply.value.body
        try:
            texts, sources = llm.answer_from(found["choices"][0], given)
        except TargetError as error:
            error.usage, error.request_id = usage, reply.request_id
            raise
        said = call.body.get("source")
        results = tuple(
            Translated({language: text}, said or source) for text, source in zip(texts, sources, strict=True)
        )
        return Reply(Translation(results, target.model), usage, reply.request_id)

    def _told(self, candidate: Candidate, asked: dict[str, Any]) -> tuple[dict[str, Any], Means | None]:
        """The chat as this model takes it, and by what means it gives JSON; None where words have to do."""
        target, steps = candidate.target, self._steps
        means = means_at(
            self._row(candidate), target, steps.model(target), Request(Capability.CHAT, asked, facts=_FACTS)
        )
        drop = steps.planner.params.dropped(target, _FACTS, None)
        body = asking(asked, llm.WANTED, means, drop) if means else without(asked, {"response_format"})
        return without(body, drop - {"response_format"}), means
