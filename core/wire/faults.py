"""A provider's refusal → our tree. The status decides, code and words only refine."""

import base64
import re
from http import HTTPStatus

from core.errors import (
    Circle,
    ContentRefused,
    ContextTooLong,
    CredentialRefused,
    Malformed,
    ModelMissing,
    Overloaded,
    ParameterRefused,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFault,
    TargetError,
    TooManyInputs,
)

_CONTEXT = re.compile(
    r"context.{0,12}(length|window)|too many tokens|maximum context|prompt is too long|maximum input length",
    re.IGNORECASE,
)
_BATCH = re.compile(r"\bbatch size\b|'input': array too long|tokens per request", re.IGNORECASE)
_TOKEN = re.compile(r"\binvalid (api )?token\b", re.IGNORECASE)  # told as 498, which is somebody else's for overload
_BY_MONTH = re.compile(r"API calls / month", re.IGNORECASE)
_QUOTA = {
    "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "billing_error",
    "enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached",
}  # fmt: skip
_EMPTY = re.compile(r"credit balance is too low", re.IGNORECASE)  # told as the request's fault by one
_NOT_THERE = re.compile(r"\bmodel\b.* is not supported by (any )?provider", re.IGNORECASE)
# A model, or an input of a model, that is not what was asked for: another one may have it.
_UNABLE = re.compile(
    r"does not support (thinking|tools|images?|vision|chat|generate|completion)|data required for image input"
    r"|additional property \S+ is not allowed|^unknown field: parameter",
    re.IGNORECASE,
)
_CONTENT = {
    "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "invalid_prompt",
    "image_content_policy_violation",
}  # fmt: skip
# Also what lies at another provider, or can be read by another alone: who refuses it is not who is meant.
_PARAMETER = {
    "unsupported_parameter", "unsupported_value", "unknown_parameter",
    "previous_response_not_found", "invalid_encrypted_content", "invalid_json_schema",
}  # fmt: skip
# This model, or this version of its API, does not take what another may.
_NOT_TAKEN = re.compile(
    r"extra inputs are not permitted|is not supported (for|by|on) this model|not compatible with this model"
    r"|this model does not support|is deprecated for this model|invalid `signature` in `",
    re.IGNORECASE,
)
# Each takes a part of JSON Schema of its own. That it is one at all is known before anybody is asked.
_SCHEMA = re.compile(
    r"invalid schema for response_format|invalid json.?schema|response_format type is unavailable", re.IGNORECASE
)
_FILTERED = re.compile(r"blocked by content filtering policy", re.IGNORECASE)
# Told as the request's fault, though it was the model that could not make what it was asked for.
_OWN_FAILURE = {"tool_use_failed", "json_validate_failed"}
_BY_STATUS: dict[int, type[TargetError]] = {
    400: RequestRefused,
    401: CredentialRefused,
    402: QuotaExhausted,
    403: CredentialRefused,
    404: ModelMissing,
    408: ServerFault,
    409: ServerFault,
    410: ModelMissing,
    413: ContextTooLong,
    422: RequestRefused,
    429: RateLimited,
    451: ContentRefused,
    498: Overloaded,
    499: ServerFault,
    503: Overloaded,
    508: Circle,
    529: Overloaded,
}


def classify(status: int | None, code: str | None, kind: str | None, message: str) -> type[TargetError]:
    """The class for a refusal; `status` is None for an error that came inside a stream."""
    words = {(code or "").lower(), (kind or "").lower()}
    if words & _QUOTA:
        return QuotaExhausted
    if status is None:
        status = _status_of(code) or _status_of(kind) or 500
    if status == 498 and _TOKEN.search(message):
        return CredentialRefused
    if status == 429 and _BY_MONTH.search(message):
        return QuotaExhausted
    if status in {400, 413, 422}:
        return _request_fault(words, message) or _BY_STATUS[status]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    # A redirect, or a method that is not there, comes from a wrong address and not from the caller's words.
    return ServerFault if status >= 500 else Malformed


def _request_fault(words: set[str], message: str) -> type[TargetError] | None:
    if "max_tokens_per_request" in words or _BATCH.search(message):
        return TooManyInputs
    if "context_length_exceeded" in words or _CONTEXT.search(message):
        return ContextTooLong
    if words & _CONTENT or _FILTERED.search(message):
        return ContentRefused
    if _EMPTY.search(message):
        return QuotaExhausted
    if words & _PARAMETER or any(one.search(message) for one in (_NOT_TAKEN, _UNABLE, _SCHEMA)):
        return ParameterRefused
    if words & _OWN_FAILURE:
        return ServerFault
    if words & {"model_not_found", "deploymentnotfound"} or _NOT_THERE.search(message):
        return ModelMissing
    return None


def _status_of(word: str | None) -> int | None:
    """What a stream error's code or type would have been as a status; the code says more."""
    if word and _STATUS.fullmatch(word):
        return int(word)
    return next((status for status, names in _STREAM_TYPES.items() if (word or "").lower() in names), None)


_STATUS = re.compile("[45][0-9][0-9]")
_STREAM_TYPES: dict[int, set[str]] = {
    400: {"invalid_request_error", *_CONTENT, *_PARAMETER, "context_length_exceeded"},
    401: {"authentication_error", "invalid_api_key"},
    403: {"permission_error"},
    404: {"not_found_error", "model_not_found"},
    413: {"request_too_large"},
    429: {"rate_limit_error", "rate_limit_exceeded"},
    503: {"overloaded_error", "overloaded"},
    504: {"timeout_error"},
}


def redact(text: str, *secrets: str) -> str:
    """A provider's words without the keys it may quote, in whatever case or coding."""
    text = cut(text, *secrets)
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = re.sub("|".join(map(re.escape, (secret, *_coded(secret)))), "***", text, flags=re.IGNORECASE)
    return _KEY_LIKE.sub("***", text)


def _coded(secret: str) -> list[str]:
    """What is always there of it in base64, at whichever of three places a text before it lets it begin."""
    found = []
    for before in range(3):
        raw = b"\0" * before + secret.encode()
        whole = base64.b64encode(raw[: len(raw) - len(raw) % 3]).decode()
        part = whole[4 if before else 0 :]
        found += [part, part.translate(_URL_SAFE)]
    return [one for one in found if len(one) >= _SHORTEST_SECRET]


def cut(text: str, *secrets: str) -> str:
    """A short word of the provider's, such as an id, without our own keys."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


_URL_SAFE = str.maketrans("+/", "-_")
_SHORTEST_SECRET = 8  # a shorter "key" is a word like `x`, and would tear other words apart
_KEY_LIKE = re.compile(
    r"\b(sk|pk|gsk|hf|r8|xai|tgp)[-_][A-Za-z0-9_\-*]{6,}|\bAIza[A-Za-z0-9_\-*]{20,}|\bya29\.[A-Za-z0-9_\-.*]{10,}"
)


def phrase(status: int | None) -> str:
    """What HTTP calls a status; empty for one it does not know."""
    return HTTPStatus(status).phrase if status in _STATUSES else ""


_STATUSES = {status.value for status in HTTPStatus}
