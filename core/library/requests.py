"""What the seeds' callers hand in, with their literal fields; each becomes the canonical body."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from mimetypes import guess_type
from pathlib import Path
from typing import Any

from core.config.settings import SETTINGS
from core.errors import BadRequest
from core.library.words import text_of
from core.wire.media import HEAD, check_address, image_type

Body = dict[str, Any]


@dataclass
class ChatMessage:
    role: str
    content: Any


Messages = Sequence[ChatMessage | Mapping[str, Any]]


@dataclass
class ChatRequest:
    messages: Messages
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass
class LLMRequest:
    messages: Messages
    model: str = "auto"
    temperature: float = 0.7
    max_tokens: int = 4000
    provider: str | None = None
    stream: bool = False
    metadata: dict[str, Any] | None = None  # comes back with the response; no provider sees it


@dataclass
class VisionRequest:
    """One picture, by address, as a file or as bytes, and what is asked of it."""

    prompt: str
    image_url: str | None = None
    image_path: str | Path | None = None
    image_data: bytes | None = field(default=None, repr=False)
    media_type: str | None = None
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None


@dataclass
class TranscriptionRequest:
    audio_path: str | Path | None = None
    language: str | None = None
    enable_timestamps: bool = False
    model: str | None = None
    audio_minutes: float | None = None  # for an estimate of what is not recorded yet


@dataclass
class EmbeddingRequest:
    input: str | Sequence[str]
    model: str | None = None
    dimensions: int | None = None


@dataclass
class ManagerConfig:
    enable_fallback: bool = True
    max_retries: int = 2
    retry_delay_ms: int = 1000

    def __post_init__(self) -> None:
        """Checked as the same settings from the environment are."""
        for name, kind in _MANAGER_KINDS.items():
            value = getattr(self, name)
            try:
                setattr(self, name, kind.parse(str(value)))
            except (ValueError, KeyError):
                words = f"ManagerConfig.{name}: expected {kind.expects}, got {value!r}"
                raise BadRequest(words, param=name, code="invalid_value") from None

    @classmethod
    def of(cls, config: Any) -> "ManagerConfig":
        """From itself or a mapping of its fields."""
        if isinstance(config, cls):
            return config
        if not isinstance(config, Mapping):
            raise BadRequest(
                f"expected a ManagerConfig or a dict of its fields, got {type(config).__name__}",
                param="config", code="invalid_type",
            )  # fmt: skip
        check_names(config, _MANAGER_KINDS, "config")
        return cls(**config)


_MANAGER_KINDS = {
    one.name: one.kind for one in SETTINGS if one.name in {"enable_fallback", "max_retries", "retry_delay_ms"}
}


def check_names(given: Iterable[Any], known: Iterable[str], what: str) -> None:
    """Refuse what nothing would read, with the nearest name that something does."""
    known = tuple(known)
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise BadRequest(f"{what}: {name!r} is not known; {hint}", param=str(name), code="unknown_field")


class _Usual(float):
    """A default that nobody chose: it is shown, and not sent."""


class _UsualCount(int):
    """The same of a whole number."""


@dataclass
class ProviderConfig:
    """What is needed to use a provider, in the fields of all seeds, and what has been seen of it so far."""

    name: str = ""
    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    max_tokens: int = _UsualCount(4000)
    temperature: float = _Usual(0.7)
    enabled: bool = True
    priority: int = 1
    cost_per_token: float = 0.0

    request_count: int = 0
    success_count: int = 0
    error_count: int = 0
    total_cost: float = 0.0
    avg_response_time: float = 0.0
    last_used: float | None = None
    health_status: str = "unknown"

    provider_type: Any = None
    provider: Any = None  # another seed's name for provider_type
    model: str | None = None
    text_model: str | None = None  # another seed's name for model
    embedding_model: str | None = None

    @property
    def said(self) -> Body:
        """The parameters that were chosen for requests that do not name them."""
        values = {"max_tokens": self.max_tokens, "temperature": self.temperature}
        return {name: value for name, value in values.items() if not isinstance(value, _Usual | _UsualCount)}

    def __post_init__(self) -> None:
        self.provider_type = self.provider = self.provider_type or self.provider
        self.model = self.text_model = self.model or self.text_model
        self.name = self.name or (text_of(self.provider_type) if self.provider_type else "")


def user_message(content: Any) -> ChatMessage:
    return ChatMessage("user", content)


def message_list(messages: Messages | str) -> list[dict[str, Any]]:
    """A conversation as the dialect has it; a text alone is what the user says."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, list | tuple):
        raise BadRequest("messages must be a list of messages", param="messages", code="invalid_type")
    return [
        dict(one) if isinstance(one, Mapping) else {"role": text_of(one.role), "content": one.content}
        for one in messages
    ]


def chat_body(request: ChatRequest | LLMRequest | Messages | str, **more: Any) -> Body:
    """The canonical body of a request in any seed's form; what is None was not said."""
    if isinstance(request, ChatRequest | LLMRequest):
        named = {"model": request.model, "temperature": request.temperature, "max_tokens": request.max_tokens}
        if isinstance(request, LLMRequest):
            named["provider"] = request.provider
        more = {**named, **{name: value for name, value in more.items() if value is not None}}
        request = request.messages
    body = {"messages": message_list(request), **more}
    return {name: value for name, value in body.items() if value is not None}


def prompt_body(prompt: str, context: Mapping[str, Any] | None = None, **more: Any) -> Body:
    """A prompt, and before it what the caller knows of its surroundings."""
    messages = [{"role": "user", "content": prompt}]
    if context:
        known = "\n".join(f"{name}: {value}" for name, value in context.items())
        messages.insert(0, {"role": "system", "content": known})
    return chat_body(messages, **more)


def embed_body(request: EmbeddingRequest | str | Sequence[str], **more: Any) -> Body:
    """The canonical body for vectors of a text or of several."""
    if isinstance(request, EmbeddingRequest):
        more = {"model": request.model, "dimensions": request.dimensions, **more}
        request = request.input
    given = request if isinstance(request, str) else list(request)
    return {"input": given, **{name: value for name, value in more.items() if value is not None}}


def vision_body(request: VisionRequest, **more: Any) -> Body:
    parts = [
        {"type": "text", "text": request.prompt},
        {"type": "image_url", "image_url": {"url": _picture(request)}},
    ]
    wanted = ChatRequest([ChatMessage("user", parts)], request.model, request.temperature, request.max_tokens)
    return chat_body(wanted, **more)


def _picture(request: VisionRequest) -> str:
    if request.image_url:
        check_address(request.image_url, "image_url")
        return request.image_url
    data, kind = request.image_data, request.media_type
    if data is None and request.image_path is not None:
        path = Path(request.image_path)
        kind = kind or guess_type(path.name)[0]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise BadRequest(
                f"image_path {path} cannot be read ({error.strerror})", param="image_path", code="unreadable"
            ) from error
    if not data:
        raise BadRequest("name a picture: image_url, image_path or image_data", param="image_url", code="missing")
    if not isinstance(data, bytes | bytearray | memoryview):
        words = f"image_data must be bytes, not {type(data).__name__}"
        raise BadRequest(words, param="image_data", code="invalid_type")
    where = "image_path" if request.image_data is None else "image_data"
    kind = image_type(bytes(data[:HEAD]), kind or "image/png", where)
    return f"data:{kind};base64,{b64encode(data).decode()}"
