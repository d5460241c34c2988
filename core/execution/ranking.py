"""Any number of documents at targets that rank a few at once: split, ranked side by side, joined by their scores."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from core.errors import TargetError
from core.execution.parts import NOTHING, Spending, is_too_large, side_by_side
from core.providers.contract import Reply
from core.types.target import Target
from core.types.usage import UNKNOWN_USAGE, Usage
from core.wire import rerank
from core.wire.rerank import Ranked, Ranking
from core.wire.tokens import tokens_in

Send = Callable[[list[str]], Awaitable[Reply[Ranking]]]  # about some of the documents


class Ranks(Spending):
    """The documents of one request. Ranks are kept while one model is asked: scores of two cannot be compared."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        super().__init__()
        self._top: int | None = body.get("top_n")
        self._texts = rerank.texts_of(body)
        self._query = tokens_in(body["query"])
        self._model = ("", "")  # whose scores these are
        self._found: list[Ranked] = []
        self._done: set[int] = set()
        self._last: Reply[Ranking] | None = None

    async def at(self, target: Target, most: int, send: Send) -> Reply[Ranking]:
        """Ask a target, which takes `most` documents at once, for the rank of all that has none."""
        if self._model != (target.provider, target.model):
            self._model = (target.provider, target.model)
            self._found, self._last = [], None
            self._done.clear()
        self._usage = UNKNOWN_USAGE
        missing = [place for place in range(len(self._texts)) if place not in self._done]
        if not missing:
            self._usage = NOTHING
        # Full ones: where searches are sold by the hundred documents, equal parts would cost more.
        parts = [missing[start : start + most] for start in range(0, len(missing), most)]
        await side_by_side(parts, lambda part: self._part(part, send))
        found = sorted(self._found, key=rerank.order)[: self._top]
        assert self._last is not None  # noqa: S101 - there is at least one document
        value = self._last.value._replace(results=found, usage=self._usage)
        return self._last._replace(value=value, usage=self._usage)

    async def _part(self, places: Sequence[int], send: Send) -> None:
        """One request; one that turns out too large becomes two."""
        texts = [self._texts[place] for place in places]
        try:
            reply = await send(texts)
        except TargetError as error:
            if len(places) == 1 or not is_too_large(error):
                raise
            middle = len(places) // 2
            await self._part(places[:middle], send)
            await self._part(places[middle:], send)
            return
        usage = reply.usage if reply.usage.source != "unknown" else self._estimate(texts)
        self._count(reply, usage)
        self._found += [Ranked(places[one.place], one.score) for one in reply.value.results]
        self._done.update(places)
        self._last = reply

    def _estimate(self, texts: Sequence[str]) -> Usage:
        """In tokens and in searches: which of them counts, its price knows."""
        sizes = [tokens_in(text) for text in texts]
        tokens = self._query * len(sizes) + sum(sizes)
        return Usage("estimated", input=tokens, searches=rerank.searches(self._query, sizes))
