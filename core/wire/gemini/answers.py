"""What Gemini answers: whole answers both ways, usage, vectors, refusals. Pure."""

import re
from array import array
from collections.abc import Mapping
from hashlib import blake2b
from math import hypot, isfinite
from typing import Any

import orjson

from core.errors import (
    BrokenOff,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Malformed,
    ParameterRefused,
    QuotaExhausted,
    RequestRefused,
    ServerFault,
    StreamFailed,
    TargetError,
)
from core.types.usage import Usage
from core.wire import canonical
from core.wire.embeddings import Embeddings
from core.wire.faults import classify, phrase, redact
from core.wire.gemini.contents import contents_of
from core.wire.gemini.turns import message_from
from core.wire.openai import Completion

Body = dict[str, Any]

_MAX_WORDS = 500
_LENGTHS = {"MAX_TOKENS", "CONTINUATION"}
_BROKEN = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE", "NO_IMAGE"}
_BACK = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_UNIT = 1e-3  # how far from a length of one rounding may lead

# Google says 400 for much that another account, or another provider, would do.
_OWN_ACCOUNT = re.compile(r"api key|user location|free tier|enable billing", re.IGNORECASE)
_SPENT = re.compile(r"credits? (is|are) depleted|spending (cap|limit)|prepa(id|yment)", re.IGNORECASE)
_TOO_LONG = re.compile(r"token count.{0,60}exceeds|payload size exceeds", re.IGNORECASE)
_CANNOT = re.compile(
    r"schema|mime ?type|modalit|thinking|thought.?signature|is (unsupported|not (supported|enabled))", re.IGNORECASE
)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


def completion_from(theirs: Any, model: str, created: int) -> tuple[Completion, list[str]]:
    """Their answer as ours, and what of it has no place there; an answer that is none raises."""
    if type(theirs) is not dict:
        raise Malformed("the answer is not an object")
    if theirs.get("error"):
        raise read_error(None, orjson.dumps(theirs), otherwise=ServerFault)
    usage, losses = read_usage(theirs.get("usageMetadata")), list[str]()
    with canonical.having_used(usage):
        refuse_blocked(theirs)
        candidates = theirs.get("candidates")
        if type(candidates) is not list or not candidates:
            raise Malformed("the answer has no candidates")
        ident = ident_of(theirs)
        choices = [_choice(one, place, ident, losses) for place, one in enumerate(candidates)]
    made = canonical.completion(ident, str(theirs.get("modelVersion") or model), created, choices, usage)
    logs = [read_logprobs(one) for one in candidates]
    if any(logs):
        for choice, log in zip(made.body["choices"], logs, strict=True):
            choice["logprobs"] = log
        made = made._replace(raw=orjson.dumps(made.body))
    return made, losses


def _choice(candidate: Any, place: int, ident: str, losses: list[str]) -> tuple[Body, str]:
    parts = parts_of(candidate)
    message = message_from(parts, calls_prefix(ident, place), losses, f"candidates[{place}]")
    return message, finish_of(candidate.get("finishReason"), called="tool_calls" in message)


def ident_of(theirs: Mapping[str, Any]) -> str:
    """Its id, or one that the same answer always has."""
    said = theirs.get("responseId")
    return said if type(said) is str and said else blake2b(orjson.dumps(theirs), digest_size=12).hexdigest()


def calls_prefix(ident: str, place: int) -> str:
    """How ids of the calls begin that Google gave none."""
    return f"call_{ident}" + (f"_{place}" if place else "")


def parts_of(candidate: Any) -> list[Body]:
    if type(candidate) is not dict:
        raise Malformed("the answer has a candidate that is not an object")
    content = candidate.get("content") or {}
    parts = (content.get("parts") if type(content) is dict else None) or []
    if type(parts) is not list or not all(type(part) is dict for part in parts):
        raise Malformed("the answer has a candidate without a list of parts")
    return parts


def refuse_blocked(theirs: Mapping[str, Any]) -> None:
    feedback = theirs.get("promptFeedback")
    reason = feedback.get("blockReason") if type(feedback) is dict else None
    if reason and not theirs.get("candidates"):
        raise ContentRefused(f"the prompt was blocked ({reason})", code=str(reason))


def finish_of(reason: Any, *, called: bool) -> str:
    """Calls are told by no reason of their own. What is neither an end, a length nor a mishap is somebody's policy."""
    if reason == "STOP":
        return "tool_calls" if called else "stop"
    if reason in _LENGTHS:
        return "length"
    if reason in _BROKEN:
        raise BrokenOff(f"the model's answer could not be used ({reason})")
    if reason == "MISSING_THOUGHT_SIGNATURE":
        raise ParameterRefused("calls of tools came back without their thought signatures (MISSING_THOUGHT_SIGNATURE)")
    if reason is None or reason == "FINISH_REASON_UNSPECIFIED":
        raise Malformed("the answer does not say why it ended")
    return "content_filter"


def read_logprobs(candidate: Mapping[str, Any]) -> Body | None:
    result = candidate.get("logprobsResult")
    if type(result) is not dict:
        return None
    tops = [one.get("candidates") or [] for one in result.get("topCandidates") or ()]
    found = []
    for place, one in enumerate(result.get("chosenCandidates") or ()):
        others = tops[place] if place < len(tops) else []
        found.append({**_logprob(one), "top_logprobs": [_logprob(other) for other in others]})
    return {"content": found, "refusal": None}


def _logprob(one: Mapping[str, Any]) -> Body:
    token = str(one.get("token") or "")
    return {"token": token, "logprob": one.get("logProbability", 0.0), "bytes": list(token.encode())}


def read_usage(said: Any) -> Usage:
    """Cached input is inside the prompt, thoughts are outside the candidates; audio has a price of its own."""
    if type(said) is not dict or type(said.get("promptTokenCount")) is not int:
        return Usage()
    prompt = _count(said, "promptTokenCount") + _count(said, "toolUsePromptTokenCount")
    cached = min(_count(said, "cachedContentTokenCount"), prompt)
    heard = _sounds(said, "promptTokensDetails") - _sounds(said, "cacheTokensDetails")
    heard = min(max(heard, 0), prompt - cached)
    output = _count(said, "candidatesTokenCount")
    spoken = min(_sounds(said, "candidatesTokensDetails"), output)
    return Usage(
        "reported",
        prompt - cached - heard,
        cached,
        output=output - spoken,
        reasoning=_count(said, "thoughtsTokenCount"),
        audio_input=heard,
        audio_output=spoken,
    )


def _count(table: Mapping[str, Any], name: str) -> int:
    value = table.get(name)
    return value if type(value) is int and value > 0 else 0


def _sounds(said: Mapping[str, Any], name: str) -> int:
    details = said.get(name)
    if type(details) is not list:
        return 0
    return sum(_count(one, "tokenCount") for one in details if type(one) is dict and one.get("modality") == "AUDIO")


def completion_to(body: Mapping[str, Any]) -> Body:
    """A canonical answer as Gemini would have given it."""
    candidates = []
    for place, choice in enumerate(body["choices"]):
        contents, _ = contents_of([{"role": "user", "content": "-"}, choice["message"]], "gemini-2.5", [])
        parts = contents[1]["parts"] if len(contents) > 1 else []
        finish = _BACK.get(choice.get("finish_reason") or "", "STOP")
        candidates.append({"content": {"role": "model", "parts": parts}, "finishReason": finish, "index": place})
    made: Body = {"candidates": candidates, "modelVersion": body.get("model"), "responseId": body.get("id")}
    if usage := body.get("usage"):
        thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        made["usageMetadata"] = {
            "promptTokenCount": usage["prompt_tokens"],
            "candidatesTokenCount": usage["completion_tokens"] - thought,
            "totalTokenCount": usage["total_tokens"],
            **({"thoughtsTokenCount": thought} if thought else {}),
            **({"cachedContentTokenCount": cached} if cached else {}),
        }
    return made


def read_embeddings(theirs: Any, count: int, model: str) -> Embeddings:
    """Vectors of unit length: Google shortens them by cutting, and leaves the rest to us."""
    found = theirs.get("embeddings") if type(theirs) is dict else None
    if type(found) is not list:
        raise Malformed("the answer has no list of embeddings")
    if len(found) != count:
        raise Malformed(f"the answer has {len(found)} embeddings for {count} inputs")
    vectors = [_vector(one) for one in found]
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        raise Malformed(f"the answer has vectors of {min(lengths)} and of {max(lengths)} dimensions")
    return Embeddings(list(vectors), lengths.pop(), read_usage(theirs.get("usageMetadata")), model)


def _vector(one: Any) -> "array[float]":
    try:
        numbers = array("d", one["values"])
    except (TypeError, KeyError, ValueError, OverflowError):
        raise Malformed("the answer has an embedding that is no list of numbers") from None
    length = hypot(*numbers)
    if not numbers or not isfinite(length):
        raise Malformed("the answer has an embedding that is empty or not finite")
    if length and abs(length - 1) > _UNIT:
        return array("d", [number / length for number in numbers])
    return numbers


def read_error(
    status: int | None,
    raw: bytes,
    *,
    secrets: tuple[str, ...] = (),
    otherwise: type[TargetError] = StreamFailed,
    retry_after: float | None = None,
    **facts: Any,
) -> TargetError:
    """A refusal in Google's format, whose details say more than its head; any other body may quote the request."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    if type(body) is list and body:
        body = body[0]  # as its stream without events, and some of its proxies, wrap it
    error = body.get("error") if type(body) is dict else None
    error = error if type(error) is dict else {}
    details = [one for one in error.get("details") or () if type(one) is dict]
    reason = next((one["reason"] for one in details if type(one.get("reason")) is str), None)
    code = _text(reason or error.get("status"), secrets)
    if status is None and type(error.get("code")) is int:
        cls = _classified(error["code"], code, str(error.get("message") or ""))
        cls = otherwise if cls is ServerFault else cls
    else:
        cls = _classified(status or 500, code, str(error.get("message") or ""))
    message = _text(error.get("message"), secrets)
    message = message or f"{phrase(status) or 'an error'}, without a message ({len(raw)} bytes)"
    delays = (_DELAY.fullmatch(str(one.get("retryDelay") or "")) for one in details)
    waits = [float(found[1]) for found in delays if found]
    return cls(
        " ".join(message.split())[:_MAX_WORDS],
        provider_status=status,
        code=code,
        param=_text(_field(details), secrets),
        retry_after=waits[0] if waits else retry_after,
        **facts,
    )


def _classified(status: int, code: str | None, message: str) -> type[TargetError]:
    if status in {400, 402, 403, 429} and _SPENT.search(message):
        return QuotaExhausted
    if status == 400:
        if code == "API_KEY_INVALID" or _OWN_ACCOUNT.search(message):
            return CredentialRefused
        if _TOO_LONG.search(message):
            return ContextTooLong
    cls = classify(status, code, None, message)
    return ParameterRefused if cls is RequestRefused and _CANNOT.search(message) else cls


def _field(details: list[Body]) -> str | None:
    violations = (one.get("fieldViolations") for one in details)
    fields = [one.get("field") for found in violations if type(found) is list for one in found if type(one) is dict]
    return next((field for field in fields if type(field) is str and field), None)


def _text(value: Any, secrets: tuple[str, ...]) -> str | None:
    return redact(str(value), *secrets) if isinstance(value, str | int) else None
