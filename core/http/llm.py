"""/api/v1/completion: an LLMRequest in, an LLMResponse out, with the fields and defaults that these have."""

import orjson

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest, Malformed, PatchbayError
from core.http import options
from core.http.surfaces import Body, OpenAIChat, StreamFace, error_event, summary
from core.types.frame import Frame
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire import sse
from core.wire.chat import chat_facts
from core.wire.openai import Completion
from core.wire.shapes import check_type

_DEFAULTS = (("max_tokens", 4000), ("temperature", 0.7))
_BESIDE_CONTENT = ("tool_calls", "refusal", "reasoning_content")


class LLM(OpenAIChat):
    """Metadata comes back with the answer; no provider sees it. Answers are kept, whatever their temperature."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        chosen = options.take(body)
        metadata = body.pop("metadata", None)
        if metadata is not None:
            check_type("metadata", metadata, (dict,))
        facts = chat_facts(body)
        if facts.answers > 1:
            words = "n must be 1: an LLMResponse holds one answer (/v1/chat/completions gives several)"
            raise BadRequest(words, param="n", code="unsupported_value")
        return Request(
            Capability.CHAT, body, chosen, facts, bool(body.get("stream")), route=route, timeout=timeout,
            defaults=_DEFAULTS, keeps=True, context=metadata,
        )  # fmt: skip

    def answer(self, answer: Answer[Completion]) -> bytes:
        message = answer.value.message
        more = {name: message[name] for name in _BESIDE_CONTENT if message.get(name)}
        more["finish_reason"] = answer.value.finish_reason
        return orjson.dumps(llm_response(message.get("content") or "", answer.receipt, more))

    def stream(self, receipt: Receipt, dialect: str) -> StreamFace:  # noqa: ARG002 - the contract; it has no other
        return LLMStream()


class LLMStream:
    """Pieces of content, and at the end the response without any: contents add up to the answer."""

    def __init__(self) -> None:
        self._finish: str | None = None

    def frames(self, batch: list[Frame]) -> bytes:
        made = []
        for frame in batch:
            for event in sse.events(frame.raw):
                data = sse.data_of(event)
                if data is None:
                    made.append(event + b"\n\n")  # a comment keeps a connection alive here as there
                elif data != b"[DONE]" and (piece := self._piece(data)):
                    made.append(sse.event(orjson.dumps(piece)))
        return b"".join(made)

    def end(self, receipt: Receipt) -> bytes:
        whole = llm_response("", receipt, {"finish_reason": self._finish})
        return sse.event(orjson.dumps(whole)) + sse.DONE

    def error(self, error: PatchbayError, receipt: Receipt) -> bytes:
        return error_event(error, receipt, llm_response("", receipt, {}))

    def _piece(self, data: bytes) -> Body:
        try:
            choices = orjson.loads(data).get("choices")
            if not choices:
                return {}
            delta = choices[0].get("delta") or {}
            self._finish = choices[0].get("finish_reason") or self._finish
        except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError):
            raise Malformed("a stream event is no chunk of a chat") from None
        more = {name: delta[name] for name in _BESIDE_CONTENT if delta.get(name)}
        return {"content": delta.get("content") or "", **more} if more or delta.get("content") else {}


def llm_response(content: str, receipt: Receipt, more: Body) -> Body:
    target = receipt.target
    facts = summary(receipt)
    usage = facts["usage"] or {}
    return {
        "content": content,
        "model": target.model if target else "",
        "provider": target.provider if target else "",
        "usage": {name: count for name, count in usage.items() if isinstance(count, int)},
        "cost_estimate": receipt.cost.usd,
        "response_time_ms": round(receipt.ms, 1),
        "timestamp": receipt.at,
        "metadata": {**more, **facts, **(receipt.request.context or {})},  # the caller's own names stay the caller's
    }
