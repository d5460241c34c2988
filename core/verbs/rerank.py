"""Reranking: documents in the order of what they have to do with a query."""

import orjson

from core.answers import Answer
from core.cache.memory import Stored
from core.execution.deadline import Deadline
from core.execution.ranking import Ranks
from core.providers.contract import Reply, Reranks
from core.types.caller import Caller
from core.types.plan import Candidate
from core.types.request import Request
from core.verbs.kept import Kept
from core.wire import rerank
from core.wire.rerank import Ranking, asked_of


class Rerank(Kept[Ranking]):
    async def _answer(self, caller: Caller, request: Request, deadline: Deadline, cache: str) -> Answer[Ranking]:
        ranks = Ranks(request.body)

        async def attempt(candidate: Candidate) -> Reply[Ranking]:
            adapter: Reranks = self._steps.registry.adapter(candidate.target.provider, candidate.target.account)
            call = self._steps.call(candidate, request)

            async def send(texts: list[str]) -> Reply[Ranking]:
                return await adapter.rerank(call._replace(body=asked_of(call.body, texts)))

            most = self._steps.registry.rows[candidate.target.provider].max_documents
            return await ranks.at(candidate.target, most, send)

        receipt, won = await self._steps.win(caller, request, attempt, deadline, cache, ranks.spent)
        receipt.warnings += won.value.warnings
        target, first = won.candidate.target, receipt.plan.candidates[0].target if receipt.plan else None
        if first is not None and first.model != target.model:
            receipt.warnings.append(f"scores are those of {target} and not comparable with those of {first}")
        await self._steps.finish(receipt, won, "ok", won.value.usage, won.value.request_id)
        value = won.value.value
        return Answer(value if value.model else value._replace(model=target.model), receipt)

    async def _read(self, request: Request, stored: Stored) -> Ranking:
        count = request.facts.inputs
        found = rerank.read_ranking(stored.raw, count, request.body.get("top_n") or count)
        return found._replace(usage=stored.usage)

    async def _written(self, value: Ranking) -> bytes:
        return orjson.dumps(rerank.answer_of(value))
