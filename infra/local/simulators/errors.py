"""Errors in the words of each vendor."""

from typing import Any

from infra.local.simulators.replies import Reply, json_reply
from infra.local.simulators.vendor import Vendor

# Status -> type, code, message. Anything else is a plain client or server error.
OPENAI: dict[int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "credit_balance_exhausted", "Insufficient balance."),
    403: ("invalid_request_error", "permission_denied", "You are not allowed to use this model."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    408: ("server_error", "request_timeout", "The request timed out."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", "unprocessable_entity", "The request cannot be processed."),
    429: (
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached on requests per min (RPM). Please slow down.",
    ),
    503: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
    529: ("server_error", "overloaded", "The engine is currently overloaded, please try again later."),
}

TOGETHER: dict[int, tuple[str, str | None, str]] = {
    **OPENAI,
    402: ("credit_limit", None, "Credit limit exceeded, please add a payment method or raise the limit."),
    429: ("rate_limit", "rate_limit_exceeded", "You have reached the rate limit of this model."),
    503: ("service_unavailable", "overloaded", "The server is overloaded or not ready yet."),
}

GROQ: dict[int, tuple[str, str | None, str]] = {
    **OPENAI,
    413: ("tokens", "rate_limit_exceeded", "Request too large for this model: it is above its tokens per minute."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached on tokens per minute (TPM)."),
    498: ("server_error", "capacity_exceeded", "Flex tier capacity exceeded."),
}

DEEPSEEK: dict[int, tuple[str, str | None, str]] = {
    **OPENAI,
    401: ("authentication_error", "invalid_request_error", "Authentication Fails, your api key is invalid."),
    402: ("unknown_error", "invalid_request_error", "Insufficient Balance"),
    503: ("service_unavailable_error", "service_unavailable_error", "Service is too busy."),
}

# Replicate's titles.
PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("Invalid request", "The request is not valid."),
    401: ("Unauthenticated", "You did not pass a valid authentication token"),
    402: ("Insufficient credit", "You have insufficient credit to run this model."),
    403: ("Forbidden", "You are not allowed to use this model."),
    404: ("Not found", "The requested resource could not be found."),
    422: ("Input validation failed", "- input: prompt is required\n"),
    429: ("Too many requests", "Request was throttled. Your rate limit resets soon."),
    503: ("Service unavailable", "The service is temporarily unavailable."),
}

TABLES = {"together": TOGETHER, "groq": GROQ, "deepseek": DEEPSEEK}

AZURE: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "The request is not valid."),
    401: ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
    402: ("InsufficientBalance", "The subscription has no balance left."),
    403: ("PermissionDenied", "The principal lacks the required data action."),
    404: ("DeploymentNotFound", "The API deployment for this resource does not exist."),
    408: ("Timeout", "The operation was timeout."),
    413: ("RequestEntityTooLarge", "The request body is too large."),
    429: ("429", "Requests have exceeded the call rate limit of your current pricing tier."),
    500: ("InternalServerError", "The server had an error processing your request."),
    503: ("ServiceUnavailable", "The service is temporarily unable to process your request."),
}

TRANSLATOR: dict[int, tuple[int, str]] = {
    400: (400000, "One of the request inputs is not valid."),
    401: (401000, "The request is not authorized because credentials are missing or invalid."),
    403: (403000, "The operation is not allowed."),
    404: (404001, "The requested resource is not found."),
    405: (405000, "The request method is not supported for the requested resource."),
    408: (408002, "The request timed out while waiting for the incoming stream."),
    429: (429000, "The server rejected the request because the client has exceeded request limits."),
    500: (500000, "An unexpected error occurred."),
    503: (503000, "Service is temporarily unavailable. Please retry."),
}

COHERE: dict[int, str] = {
    400: "invalid request",
    401: "invalid api token",
    402: "Please add or update your payment method to continue",
    403: "you do not have access to this resource",
    404: "model not found, make sure the correct model ID was used and that you have access to the model",
    413: "too many tokens: the request is larger than the model's context",
    422: "invalid request: one of the parameters is not valid",
    429: "You are using a Trial key, which is limited to 40 API calls / minute. Please wait and try again later.",
    498: "invalid token",
    499: "request was cancelled",
    501: "this is not implemented",
    503: "the service is unavailable, please try again later",
    504: "the request timed out",
}

ANTHROPIC: dict[int, tuple[str, str]] = {
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "Not Found"),
    413: ("request_too_large", "Request exceeds the maximum allowed number of bytes."),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}

# Status -> Google's own name of it, message.
GOOGLE: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials. Expected an API key."),
    402: ("FAILED_PRECONDITION", "The project has no billing account in good standing."),
    403: ("PERMISSION_DENIED", "Your API key doesn't have the required permissions."),
    404: ("NOT_FOUND", "The model is not found for this API version, or is not supported for this method."),
    408: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan and billing details."),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "The service is unable to finish processing within the deadline."),
    529: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}

PROBLEM = {"content-type": "application/problem+json"}
OLLAMA_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def error_body(vendor: Vendor, status: int, message: str = "", param: str | None = None) -> dict[str, Any]:
    if vendor.errors == "azure":
        code, words = AZURE.get(status, (str(status), "The request could not be served."))
        return {"error": {"code": code, "message": message or words}}
    if vendor.errors == "translator":
        number, words = TRANSLATOR.get(status, (status * 1000, "The request could not be served."))
        return {"error": {"code": number, "message": message or words}}
    if vendor.errors == "cohere":
        return {"id": "simulated", "message": message or COHERE.get(status, "internal server error")}
    if vendor.errors == "anthropic":
        return _anthropic(status, message)
    if vendor.errors == "google":
        return google(status, message)
    if vendor.errors == "problem":
        title, words = PROBLEMS.get(status, ("Internal server error", "The request could not be served."))
        return {"title": title, "detail": message or words, "status": status}
    table = TABLES.get(vendor.errors, OPENAI)
    plain = "invalid_request_error" if status < 500 else "server_error"
    kind, text_code, words = table.get(status, (plain, None, "The server had an error processing your request."))
    if vendor.errors == "ollama":
        kind, text_code = OLLAMA_TYPES.get(status, "api_error"), None
    return _said(vendor, message or words, kind, param, text_code, status)


def _said(vendor: Vendor, message: str, kind: str, param: str | None, code: str | None, status: int) -> dict[str, Any]:
    match vendor.errors:
        case "text":
            return {"error": message}
        case "groq":
            return {"error": {"message": message, "type": kind, **({"code": code} if code else {})}}
        case "anthropic":
            return _anthropic(status, message)
        case "numbers":
            name = "BadRequestError" if status < 500 else "InternalServerError"
            return {"error": {"message": message, "type": name, "param": param, "code": status}}
        case _:
            return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _anthropic(status: int, message: str) -> dict[str, Any]:
    plain = "invalid_request_error" if status < 500 else "api_error"
    kind, words = ANTHROPIC.get(status, (plain, "The request could not be served."))
    return {"type": "error", "error": {"type": kind, "message": message or words}}


def google(status: int, message: str = "", *details: dict[str, Any]) -> dict[str, Any]:
    plain = ("INVALID_ARGUMENT", GOOGLE[400][1]) if status < 500 else ("INTERNAL", GOOGLE[500][1])
    name, words = GOOGLE.get(status, plain)
    error: dict[str, Any] = {"code": status, "message": message or words, "status": name}
    if details:
        error["details"] = [{**one, "@type": f"type.googleapis.com/google.rpc.{one['@type']}"} for one in details]
    return {"error": error}


def _google_refusal(status: int, message: str, retry_after: float | None) -> Reply:
    """How long to wait is said in the body, and in no header."""
    details: list[dict[str, Any]] = []
    if status == 429:
        quota = "generativelanguage.googleapis.com/generate_content_requests"
        details.append({"@type": "QuotaFailure", "violations": [{"quotaMetric": quota, "quotaValue": "10"}]})
    if retry_after is not None:
        details.append({"@type": "RetryInfo", "retryDelay": f"{retry_after:g}s"})
    return json_reply(google(status, message, *details), status)


def refusal(vendor: Vendor, status: int, message: str = "", retry_after: float | None = None) -> Reply:
    if vendor.errors == "google":
        return _google_refusal(status, message, retry_after)
    headers = dict(vendor.limits) if status == 429 else {}
    if retry_after is not None:
        headers["retry-after"] = f"{retry_after:g}"
        if vendor.retry_after_ms:
            headers["retry-after-ms"] = f"{retry_after * 1000:.0f}"
    if vendor.errors == "silent":
        return Reply(status, headers, b"")
    if vendor.errors == "problem":
        headers |= PROBLEM
    return json_reply(error_body(vendor, status, message), status, headers)


def lost(vendor: Vendor, method: str, path: str, status: int = 404) -> Reply:
    """No such path, or not with this method."""
    if vendor.errors == "silent":
        return Reply(status, {}, b"")
    if vendor.errors == "azure":
        return json_reply({"error": {"code": str(status), "message": "Resource not found"}}, status)
    if vendor.errors == "translator":
        return refusal(vendor, status)
    if vendor.errors == "cohere":
        return refusal(vendor, status, f"{method} {path} was not found")
    if vendor.errors == "google":
        return json_reply(google(404, f"Method not found: {method} {path}"), 404)
    return invalid(vendor, f"Invalid URL ({method} {path})", None, None, status)


def invalid(vendor: Vendor, message: str, param: str | None, code: str | None, status: int = 400) -> Reply:
    """A request the model's own front rejects: there Azure speaks as OpenAI does."""
    if vendor.errors == "problem":
        return json_reply(error_body(vendor, status, message), status, PROBLEM)
    if vendor.errors == "ollama":
        code = None
    return json_reply(_said(vendor, message, "invalid_request_error", param, code, status), status)
