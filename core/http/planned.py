"""What would be asked: a body as the request of its capability, each read as its own route reads it."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from core.errors import BadRequest
from core.types.request import Request

_ROUTE = "/api/ai/route"
# Where each is read; imported when somebody asks for it.
_READERS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("surfaces:chat_request", {"timeout": None, "wants_usage": False}),
    "embed": ("vectors:embed_request", {}),
    "rerank": ("ranks:rerank_request", {}),
    "transcribe": ("transcripts:planned_request", {"diarize": False}),
    "diarize": ("transcripts:planned_request", {"diarize": True}),
    "speak": ("speech:speech_request", {"timeout": None, "accept": b""}),
    "translate": ("translations:translate_request", {}),
    "beautify": ("beautify:beautify_request", {}),
}
CAPABILITIES = tuple(_READERS)


def planned(body: dict[str, Any]) -> Request:
    """Its field `capability` says of what; it is chat where nothing is said."""
    name = body.pop("capability", "chat")
    if not isinstance(name, str) or name not in _READERS:
        words = f"capability {name!r} is not known; known: {', '.join(_READERS)}"
        raise BadRequest(words, param="capability", code="invalid_value")
    return _reader(name)(body, _ROUTE)


def _reader(name: str) -> Callable[[dict[str, Any], str], Request]:
    where, fixed = _READERS[name]
    module, _, function = where.partition(":")
    return partial(getattr(import_module(f"core.http.{module}"), function), **fixed)
