"""A decoded call: what goes to the provider, and what the caller told us about who should answer."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from core.capabilities import Capability, Feature


class Names(Protocol):
    """Texts that name parts of a translation, by the names that its caller knows."""

    def __call__(self, text: str) -> str: ...
    def inside(self, value: Any) -> Any:
        """The same for all texts in a JSON value."""
        ...


class Options(NamedTuple):
    """Fields for Patchbay itself; none of them reaches a provider."""

    provider: str | None = None
    model: str | None = None
    models: tuple[str, ...] = ()
    fallback: bool = True
    strategy: str | None = None
    cache: str | None = None
    tier: str | None = None
    max_cost: float | None = None
    compatibility: str = "warn"  # strict, warn, permissive: what becomes of what a target does not take

    @property
    def strict(self) -> bool:
        return self.compatibility == "strict"


class Facts(NamedTuple):
    """What routing may know of a request: never its words."""

    features: frozenset[Feature] = frozenset()
    params: frozenset[str] = frozenset()
    unknown_params: frozenset[str] = frozenset()
    idle_params: frozenset[str] = frozenset()  # named with the value that they have anyway, so not among `params`
    input_tokens: int = 0  # an estimate
    max_output: int | None = None
    messages: int = 0
    inputs: int = 0  # texts to embed
    longest: int | None = None  # estimated tokens of the longest of them, where each has to fit by itself
    longest_at: int | None = None  # which of them that is
    answers: int = 1
    searches: int = 0  # the most that reranking can be, where it is sold by the search
    as_object: bool = True  # the JSON that is asked for may be an object
    images: int = 0
    image_bytes: int = 0  # of the largest that is given as data
    image_types: frozenset[str] = frozenset()  # of those that are
    links: bool = False  # somewhere stands an address in place of a file
    audio_ms: int = 0  # to be heard
    audio_bytes: int = 0
    audio_kind: str = ""
    characters: int = 0  # to be said, or to be translated, once for each language
    voice: str = ""  # that is wanted
    voices: tuple[str, ...] = ()  # that a document names, each for a part of it
    own_voice: bool = False  # it is somebody's own, named as an object with its id
    language: str = ""  # of what is heard or said
    languages: tuple[str, ...] = ()  # to translate into


class Native(NamedTuple):
    """A body in another dialect than the canonical one, as the caller sent it: some providers take it as it is."""

    dialect: str
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()  # of that dialect, for the provider
    losses: tuple[str, ...] = ()  # what its translation does not say
    bound: tuple[str, ...] = ()  # what no translation can say: only who takes the body as it is can answer
    names: Names | None = None  # what its translation calls things → what the caller does
    # The same where both call things alike (messages[0]), and so only of words about the translation.
    named: Callable[[str], str] | None = None


class Request(NamedTuple):
    capability: Capability
    body: dict[str, Any]
    options: Options = Options()
    facts: Facts = Facts()
    stream: bool = False
    wants_usage: bool = False  # the caller asked for the stream's usage chunk
    route: str = ""
    timeout: float | None = None  # seconds, from the caller
    allowed: float | None = None  # seconds that are left where this runs
    most_bytes: int | None = None  # the largest answer that can be returned where this runs
    hop: int = 0  # gateways it came through before this one
    native: Native | None = None  # `body` is its translation
    defaults: tuple[tuple[str, Any], ...] = ()  # of its route, for who takes them where the operator set none
    keeps: bool = False  # its route keeps answers at any temperature
    context: Any = None  # what its route needs for the answer; it changes nothing of what is asked
    warnings: tuple[str, ...] = ()  # what is odd about it, though it can be answered
    purpose: str = ""  # a chat for something that has settings of its own: beautify
