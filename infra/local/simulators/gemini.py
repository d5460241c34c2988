"""Gemini's own API: generateContent and its stream, counting, models.

Beside what every simulator does, a user who writes `simulate:SAFETY`, or any other finish reason, gets it, and
`simulate:BLOCKED` has the prompt itself blocked. A key `invalid` is refused as Google refuses one.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from math import ceil, log
from typing import Any
from urllib.parse import parse_qs

import orjson

from infra.local.simulators import gemini_checks as checks
from infra.local.simulators.answers import Answer, ToolCall, answers, prompt_tokens, tokens
from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import google, refusal
from infra.local.simulators.gemini_requests import as_chat, invalid, last_words, parts_of, read
from infra.local.simulators.replies import Call, Reply, Stream, json_reply
from infra.local.simulators.samples import SchemaError

THOUGHT = "Simulated thought."
CACHE_BLOCK = 1024  # what it keeps of a prompt is whole blocks
AUDIO_TOKENS = 32  # a second of what is heard; a part, whatever its length, of what is not
MOST_BYTES = 20 * 2**20  # of a request
PAGE = 4  # models at most in a page, however many were asked for
ASKED = re.compile(r"simulate:([A-Z_]+)")
MODALITIES = {"image_url": "IMAGE", "input_audio": "AUDIO", "file": "DOCUMENT"}


def asked(call: Call) -> str:
    """Which capability a request is for: they share a path."""
    if call.names["model"] in call.vendor.speakers:
        return "speak"
    body = call.request.body
    return "transcribe" if b'"segments"' in body and re.search(rb'"(audio|video)/', body) else "chat"


def _heard(call: Call, body: dict[str, Any], config: dict[str, Any]) -> tuple[str, float] | None:
    if asked(call) != "transcribe":
        return None
    from infra.local.simulators import gemini_audio  # noqa: PLC0415 - who only writes needs no decoders

    return gemini_audio.heard(body, config)


def generate(call: Call) -> Reply | Stream:
    said = _said(call, streams=False)
    return json_reply(said.whole()) if isinstance(said, _Said) else said


def generate_stream(call: Call) -> Reply | Stream:
    streams = parse_qs(call.request.query).get("alt") == ["sse"]
    said = _said(call, streams=streams)
    if not isinstance(said, _Said):
        return said
    if not streams:
        return json_reply(list(said.chunks()))
    chunks = [_event(chunk) for chunk in said.chunks()]
    ends = len(chunks) - said.endings
    headers = {"content-type": "text/event-stream"}
    return Stream(headers, (), tuple(chunks[:ends]), tuple(chunks[ends:]), _event(google(500)))


def _said(call: Call, *, streams: bool) -> "_Said | Reply | Stream":
    model = call.names["model"]
    if len(call.request.body) > MOST_BYTES:
        return invalid(f"Request payload size exceeds the limit: {MOST_BYTES} bytes.", None)
    if model in call.vendor.embedders:
        words = f"models/{model} is not found for API version v1beta, or is not supported for generateContent."
        return refusal(call.vendor, 404, words)
    try:
        body = read(call, checks.GENERATE)
        config = body.get("generationConfig") or {}
        speaks = model in call.vendor.speakers
        checks.check_modalities(config, model, speaks=speaks)
        if speaks:
            from infra.local.simulators import gemini_audio  # noqa: PLC0415 - who only writes needs no encoders

            checks.check_generate(body, model)
            return gemini_audio.spoken(call, body, config, streams=streams, error=_event(google(500)))
        return _Said(call, body)
    except RequestError as error:
        return invalid(error.message, error.param)
    except SchemaError as error:
        return invalid(f"Invalid JSON schema: {error}.", "generation_config.response_json_schema")


def count(call: Call) -> Reply:
    try:
        given = read(call, checks.COUNT)
        body = given.get("generateContentRequest") or given
        said = _Said(call, {name: value for name, value in body.items() if name != "model"})
    except RequestError as error:
        return invalid(error.message, error.param)
    return json_reply({"totalTokens": said.prompt, "promptTokensDetails": said.details})


def models(call: Call) -> Reply:
    query = parse_qs(call.request.query)
    start, size = (int(query.get(name, ["0"])[0] or 0) for name in ("pageToken", "pageSize"))
    end = start + (min(size, PAGE) or PAGE)
    listed = [_about(call, name) for name in call.vendor.all_models]
    more = {"nextPageToken": str(end)} if end < len(listed) else {}
    return json_reply({"models": listed[start:end], **more})


def _about(call: Call, name: str) -> dict[str, Any]:
    embeds = name in call.vendor.embedders
    verbs = ["embedContent", "countTokens"] if embeds else ["generateContent", "countTokens"]
    limits = {"inputTokenLimit": 2048 if embeds else 1048576, "outputTokenLimit": 1 if embeds else 65536}
    about = {"name": f"models/{name}", "version": "001", "displayName": name, "supportedGenerationMethods": verbs}
    return {**about, **limits}


def _event(content: Any) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\r\n\r\n"


class _Said:
    """What is answered to a request, whole or in pieces."""

    def __init__(self, call: Call, body: dict[str, Any]) -> None:
        self.call, self.model = call, call.names["model"]
        checks.check_generate(body, self.model)
        config = body.get("generationConfig") or {}
        asked = as_chat(body, config)
        self._thinking = config.get("thinkingConfig") or {}
        self._logs = bool(config.get("responseLogprobs"))
        words = ASKED.search(last_words(asked))
        self._wanted = words[1] if words else None
        self._answers = answers(asked, call.vendor.name, self.model)
        found = _heard(call, body, config)
        if found is not None and not self._wanted:
            self._answers = (replace(self._answers[0], text=found[0], tool_calls=(), finish_reason="stop"),)
        self.endings = 1 if self._wanted == "BLOCKED" else len(self._answers)
        media = [part["type"] for message in asked["messages"] for part in parts_of(message)]
        counted = {kind: media.count(kind) for kind in MODALITIES if kind in media}
        sound = counted.get("input_audio", 0) * AUDIO_TOKENS
        if found is not None:
            sound = ceil(found[1] * AUDIO_TOKENS)
        self.prompt = prompt_tokens(asked) + sound
        images = counted.get("image_url", 0) * 85
        parts = {"TEXT": self.prompt - sound - images, "IMAGE": images, "AUDIO": sound}
        self.details = [{"modality": name, "tokenCount": size} for name, size in parts.items() if size]

    @property
    def thinks(self) -> bool:
        number = checks.generation_of(self.model)
        off = self._thinking.get("thinkingBudget", None if "lite" not in self.model or number >= (3,) else 0) == 0
        return number >= (2, 5) and not off

    def whole(self) -> dict[str, Any]:
        if self._wanted == "BLOCKED":
            return self._blocked()
        candidates = [
            self._candidate(index, [*self._thoughts(), *self._parts(one)], one)
            for index, one in enumerate(self._answers)
        ]
        return {"candidates": candidates, **self._head(), "usageMetadata": self._usage()}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """As in a stream, where each chunk counts and only the last has counted all."""
        if self._wanted == "BLOCKED":
            yield self._blocked()
            return
        so_far = {"promptTokenCount": self.prompt, "totalTokenCount": self.prompt}
        for index, one in enumerate(self._answers):
            pieces = [
                {**part, "text": piece} if "text" in part else part
                for part in (*self._thoughts(), *self._parts(one))
                if part.get("text") != ""
                for piece in re.findall(r"\S+\s*|\s+", part.get("text", "-"))
            ]
            for part in pieces:
                candidate = {"content": {"role": "model", "parts": [part]}, "index": index}
                yield {"candidates": [candidate], **self._head(), "usageMetadata": so_far}
        for index, one in enumerate(self._answers):
            last = [part for part in self._parts(one) if part.get("text") == ""] or [{"text": ""}]
            candidate = self._candidate(index, last, one)
            yield {"candidates": [candidate], **self._head(), "usageMetadata": self._usage()}

    def _head(self) -> dict[str, Any]:
        return {"modelVersion": self.model, "responseId": f"sim{self.call.id[:20]}"}

    def _blocked(self) -> dict[str, Any]:
        usage = {"promptTokenCount": self.prompt, "totalTokenCount": self.prompt}
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **self._head(), "usageMetadata": usage}

    def _candidate(self, index: int, parts: list[dict[str, Any]], answer: Answer) -> dict[str, Any]:
        ended = "MAX_TOKENS" if answer.finish_reason == "length" else "STOP"
        made: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": index}
        if self._wanted:
            risk = {"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": True}
            made |= {"finishMessage": "Simulated.", "safetyRatings": [risk]}
            made["content"] = {"role": "model"} if self._wanted != "MAX_TOKENS" else made["content"]
        if self._logs and answer.text:
            made |= {"logprobsResult": _logprobs(answer.text), "avgLogprobs": log(0.9)}
        return {**made, "finishReason": self._wanted or ended}

    def _thoughts(self) -> list[dict[str, Any]]:
        shown = self.thinks and self._thinking.get("includeThoughts") and not self._wanted
        return [{"text": THOUGHT, "thought": True}] if shown else []

    def _parts(self, answer: Answer) -> list[dict[str, Any]]:
        """Models from the third generation on sign their first call, or after their text."""
        if self._wanted:
            return []
        signs = checks.generation_of(self.model) >= (3,)
        if answer.tool_calls:
            whole = answer.finish_reason != "length"  # of a call that was cut off nothing comes
            return [
                {
                    "functionCall": self._call(one),
                    **({"thoughtSignature": _signature(one.name)} if signs and not place else {}),
                }
                for place, one in enumerate(answer.tool_calls if whole else answer.tool_calls[:-1])
            ]
        return [
            {"text": answer.text or ""},
            *([{"text": "", "thoughtSignature": _signature("text")}] if signs else []),
        ]

    def _call(self, one: ToolCall) -> dict[str, Any]:
        named = {"id": one.id.removeprefix("call_")[:8]} if checks.generation_of(self.model) >= (3,) else {}
        return {**named, "name": one.name, "args": orjson.loads(one.arguments)}

    def _usage(self) -> dict[str, Any]:
        said = sum(answer.tokens for answer in self._answers) if not self._wanted else 0
        thought = tokens(THOUGHT) * len(self._answers) if self.thinks else 0
        cached = self.prompt // CACHE_BLOCK * CACHE_BLOCK
        return {
            "promptTokenCount": self.prompt,
            **({"candidatesTokenCount": said} if said else {}),
            "totalTokenCount": self.prompt + said + thought,
            **({"cachedContentTokenCount": cached} if cached else {}),
            "promptTokensDetails": self.details,
            **({"thoughtsTokenCount": thought} if thought else {}),
        }


def _signature(name: str) -> str:
    return b64encode(checks.SIGNED + name.encode()).decode()


def _logprobs(text: str) -> dict[str, Any]:
    chosen = [{"token": word, "tokenId": 7, "logProbability": log(0.9)} for word in re.findall(r"\S+\s*|\s+", text)]
    tops = [{"candidates": [one, {"token": "-", "tokenId": 8, "logProbability": log(0.1)}]} for one in chosen]
    return {"chosenCandidates": chosen, "topCandidates": tops, "logProbabilitySum": log(0.9) * len(chosen)}
