"""OpenAPI entries of the generation routes, which are plain routes and so unknown to FastAPI."""

from typing import Any

from core.capabilities import Capability
from core.wire.chat import CHAT_PARAMS

_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "provider": {"type": ["string", "null"], "description": "Goes first; the chain follows."},
    "fallback": {
        "type": "boolean",
        "default": True,
        "description": "false: only the provider or model named.",
    },
    "models": {"type": "array", "items": {"type": "string"}, "description": "Exactly these, in this order."},
    "strategy": {"type": "string", "description": "How candidates are ordered."},
    "cache": {"enum": ["off", "read", "write", "on"]},
    "max_cost": {"type": "number", "minimum": 0, "description": "USD; dearer targets are left out."},
    "tier": {"enum": ["fast", "standard", "advanced", "local"]},
    "strict": {
        "type": "boolean",
        "default": False,
        "description": "Refuse where a parameter would be dropped.",
    },
}


def _types(kinds: tuple[type, ...]) -> dict[str, Any]:
    names = [_JSON_TYPES[kind] for kind in kinds]
    return {"type": names[0] if len(names) == 1 else names}


def _chat_body() -> dict[str, Any]:
    params = {name: _types(kinds) for name, kinds in CHAT_PARAMS.items()}
    params["model"]["description"] = "A model, provider/model, provider/auto, or auto: the chain decides."
    schema = {
        "type": "object",
        "required": ["messages"],
        "properties": {**params, **_OPTIONS},
        "additionalProperties": True,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


CHAT_BODY = _chat_body()


def chat_operation(summary: str, *, native: bool) -> dict[str, Any]:
    answer = "The answer with its receipt" if native else "The provider's chat completion"
    error = {"application/json": {"schema": {"type": "object", "required": ["error"]}}}
    deadline = {
        "name": "x-patchbay-timeout-ms",
        "in": "header",
        "required": False,
        "schema": {"type": "integer", "minimum": 1},
    }
    return {
        "post": {
            "summary": summary,
            "tags": [Capability.CHAT.value],
            "parameters": [deadline],
            "requestBody": CHAT_BODY,
            "responses": {
                "200": {
                    "description": answer,
                    "content": {"application/json": {"schema": {"type": "object"}}, "text/event-stream": {}},
                },
                "4XX": {"description": "The request cannot be served as it is", "content": error},
                "5XX": {"description": "Every target failed; each attempt is listed", "content": error},
            },
        }
    }
