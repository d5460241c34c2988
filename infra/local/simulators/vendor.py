"""What a simulated vendor is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.simulators.audio_models import Listener, Speaker

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Embedder:
    """An embedding model."""

    dimensions: int
    context: int = 8192
    shortens: bool = False
    pools: bool = True  # one vector for a text; else one for each of its tokens


@dataclass(frozen=True, slots=True)
class Vendor:
    name: str
    # Path -> responder (simulator.py). A path part in braces reaches the responder by its name.
    paths: Mapping[str, str]
    models: tuple[str, ...]
    # Headers that may carry the key; none: no key is needed.
    auth: tuple[str, ...] = ("authorization",)
    errors: str = "openai"
    request_ids: tuple[str, ...] = ("x-request-id",)
    headers: Mapping[str, str] = field(default_factory=dict)
    # Headers that count down to a 429, with their values on a 429.
    limits: Mapping[str, str] = field(default_factory=dict)
    event_stream: str = "text/event-stream; charset=utf-8"
    fingerprint: str | None = None
    # Parameters beyond OpenAI's own; unknown ones are an error only where the vendor is strict.
    strict: bool = False
    parameters: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    reasoning_rules: bool = False
    retry_after_ms: bool = False
    content_filter: bool = False
    obfuscation: bool = False
    usage_details: bool = True
    usage_on_last_chunk: bool = False
    whole_tool_calls: bool = False
    data_images_only: bool = False
    bare_model_list: bool = False
    # What it calls an end that was not forced.
    stop: str = "stop"
    # An object of the vendor's own in its answers, which repeats the usage on a stream's last chunk.
    extension: str | None = None
    timings: bool = False
    cache_counts: bool = False
    # The name of what it thinks before it answers.
    thinks_in: str | None = None
    keep_alive: bool = False
    one_answer: bool = False
    # Parameters that it refuses though it knows them, and whether it takes names of people.
    refused: frozenset[str] = frozenset()
    takes_names: bool = True
    takes_schemas: bool = True
    # Embeddings: the models, what one request may hold, whether vectors come in base64 and tokens are counted.
    embedders: Mapping[str, Embedder] = field(default_factory=dict)
    max_inputs: int | None = None
    max_embed_tokens: int | None = None
    packs: bool = True
    counts_embeddings: bool = True
    takes_token_ids: bool = True
    cuts_inputs: bool = False  # what is too long is cut and not refused
    rerankers: tuple[str, ...] = ()
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    max_audio_bytes: int | None = None
    audio_files: tuple[str, ...] = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
    hears_english: bool = False  # unless a language is named, it takes everything for English
    speakers: Mapping[str, Speaker] = field(default_factory=dict)

    @property
    def all_models(self) -> tuple[str, ...]:
        return (*self.models, *self.embedders, *self.rerankers, *self.listeners, *self.speakers)
