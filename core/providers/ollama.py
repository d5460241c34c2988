"""Ollama: chat by its own API, where context and keep_alive can be set; embeddings and models as OpenAI's dialect.

An account whose address ends in /v1 keeps to that dialect for chat, too.
"""

from typing import Any

from core.config.settings import Account
from core.errors import ParameterRefused, TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.api import checked
from core.providers.contract import Call, Reply
from core.providers.frames import Frames
from core.providers.openai_dialect import OpenAIDialect
from core.providers.row import Row
from core.wire.chat import chat_facts, without
from core.wire.ollama.answers import OllamaStream, completion_from
from core.wire.ollama.request import context_for, request_to
from core.wire.openai import Completion

# What /v1 overlooks without a word.
_OWN = ("keep_alive", "options", "think", "thinking", "num_ctx", "top_k", "min_p", "repetition_penalty", "tool_choice")
_ASKING = ("think", "thinking", "reasoning_effort")  # for thought
_THOUGHTS = ("reasoning_content", "reasoning_details")  # of messages


class Ollama(OpenAIDialect):
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        super().__init__(row, account, transport)
        given = (account.base_url or row.base_url or "").partition("?")[0].rstrip("/")
        self._only_compatible = given.endswith(row.path_prefix)
        self._chat_url = address(self._api.root.removesuffix(row.path_prefix) + "/api/chat")
        self._keep_alive = account.keep_alive
        self._num_ctx = account.num_ctx
        self._thoughtless: set[str] = set()  # models that do not think

    async def chat(self, call: Call) -> Reply[Completion]:
        if self._only_compatible:
            call, warnings = _without_own(call)
            reply = await super().chat(call)
            return reply._replace(warnings=(*warnings, *reply.warnings))
        answer, asked, warnings = await self._opened(call, stream=False)
        try:
            raw = await answer.read(call.max_bytes)
            completion = completion_from(raw, call.target.model, asked=asked, secrets=self._api.secrets)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        finally:
            answer.close()
        return Reply(completion, completion.usage, self._api.said(answer.request_id), warnings)

    async def chat_stream(self, call: Call) -> Frames:
        if self._only_compatible:
            call, warnings = _without_own(call)
            frames = await super().chat_stream(call)
            frames.warnings = warnings
            return frames
        answer, asked, warnings = await self._opened(call, stream=True)
        self._api.must_stream(answer, "application/x-ndjson")
        reader = OllamaStream(
            model=call.target.model, limit=call.max_bytes, keep_usage=call.wants_usage, secrets=self._api.secrets,
            asked=asked,
        )  # fmt: skip
        return Frames(answer, reader, self._api.said(answer.request_id), warnings)

    async def _opened(self, call: Call, *, stream: bool) -> tuple[Incoming, int, tuple[str, ...]]:
        """The head of the answer, an estimate of the prompt's tokens, and what was left out.

        Many models do not think, which no list tells: those who refuse to are asked once more without.
        """
        body, asked, warnings = self._body(call, stream=stream)
        left_out = _unthought(call, warnings)
        if call.target.model in self._thoughtless and not call.strict and body.pop("think", None):
            warnings = left_out
        try:
            return await self._api.post(self._chat_url, body, call), asked, warnings
        except ParameterRefused as error:
            if call.strict or not body.get("think") or "support thinking" not in error.message:
                raise
        self._thoughtless.add(call.target.model)
        del body["think"]
        return await self._api.post(self._chat_url, body, call), asked, left_out

    def _body(self, call: Call, *, stream: bool) -> tuple[dict[str, Any], int, tuple[str, ...]]:
        body, losses = request_to(call.body)
        warnings = checked(losses, call)
        asked = chat_facts(call.body).input_tokens
        body |= {"model": call.target.model, "stream": stream}
        if self._keep_alive is not None:
            body.setdefault("keep_alive", self._keep_alive)
        options = body.get("options") or {}
        context = self._num_ctx or context_for(asked, options.get("num_predict"))
        if context and "num_ctx" not in options:
            body["options"] = {**options, "num_ctx": context}
        return body, asked, warnings


def _unthought(call: Call, warnings: tuple[str, ...]) -> tuple[str, ...]:
    """The warnings once nothing of thinking is sent: how it would have been said is of no interest then."""
    asked = tuple(name for name in _ASKING if call.body.get(name))
    others = tuple(words for words in warnings if not words.startswith(asked))
    why = f"{' and '.join(asked)} {'was' if len(asked) == 1 else 'were'} left out: this model does not think"
    return (*others, f"{why} ({call.target})")


def _without_own(call: Call) -> tuple[Call, tuple[str, ...]]:
    messages = call.body.get("messages") or ()
    found = [name for name in _OWN if name in call.body]
    found += [f"messages[].{name}" for name in _THOUGHTS if any(one.get(name) for one in messages)]
    losses = [f"{name} was left out: it is not there under /v1" for name in found]
    return call._replace(body=without(call.body, found)), checked(losses, call)
