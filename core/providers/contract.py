"""What a provider implements: one small Protocol per capability, and the plug that calls it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from core.errors import ParameterRefused
from core.types.frame import Frame
from core.types.request import Native
from core.types.target import Target
from core.types.usage import Usage
from core.wire.openai import Completion

if TYPE_CHECKING:  # a registry of chat alone need not load them
    from core.types.audio import Transcript
    from core.types.translation import Translation
    from core.wire.embeddings import Embeddings
    from core.wire.rerank import Ranking

T = TypeVar("T")

CANONICAL = "chat"  # the dialect of frames unless a source says otherwise
HOP = "x-patchbay-hop"  # on every request of ours: how many gateways it has come through


class Call(NamedTuple):
    """One attempt's request: canonical body, already without what the target does not take."""

    target: Target
    body: Mapping[str, Any]
    idle: float  # seconds a stream may be silent
    max_bytes: int
    wants_usage: bool = False
    hop: int = 0  # gateways the request came through before this one
    strict: bool = False  # rather refuse than leave something out
    native: Native | None = None  # what to send in place of `body`, where the row takes its dialect
    spent: Callable[[Usage], None] | None = None  # told what was used by what is interrupted


def lost(losses: Sequence[str], target: Target, *, strict: bool) -> tuple[str, ...]:
    """What a target is not told, as warnings; a strict request had rather go elsewhere."""
    if losses and strict:
        raise ParameterRefused(f"{'; '.join(losses)} (strict)")
    return tuple(f"{loss} ({target})" for loss in losses)


class Reply(NamedTuple, Generic[T]):
    """A whole answer with who gave it."""

    value: T
    usage: Usage
    request_id: str | None = None
    warnings: tuple[str, ...] = ()  # what of the request could not be said in the provider's dialect


class FrameSource(Protocol):
    """An open stream. `next` gives the frames that have come, None after the end; errors are TargetErrors.

    It may have `warnings`, as a Reply has, and a `dialect`, where its frames are not canonical. `losses`, if it has
    them, are what of the answer could not be said: they are read when it is over.
    """

    @property
    def request_id(self) -> str | None: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def outputs(self) -> int: ...
    async def next(self) -> list[Frame] | None: ...
    def close(self) -> None:
        """Let the connection go; a `next` that waits ends with an error. May be called twice."""
        ...


@runtime_checkable
class Chats(Protocol):
    async def chat(self, call: Call) -> Reply[Completion]: ...
    async def chat_stream(self, call: Call) -> FrameSource: ...


@runtime_checkable
class Embeds(Protocol):
    async def embed(self, call: Call) -> Reply["Embeddings"]:
        """One request, for inputs that are within the row's limits."""
        ...


@runtime_checkable
class Reranks(Protocol):
    async def rerank(self, call: Call) -> Reply["Ranking"]:
        """One request, for documents that are texts and no more than the row's limit."""
        ...


@runtime_checkable
class Transcribes(Protocol):
    async def transcribe(self, call: Call) -> Reply["Transcript"]:
        """One request, for audio within the row's limits; who spoke where the body says `diarize`."""
        ...


@runtime_checkable
class TranscribesLive(Protocol):
    async def transcribe_stream(self, call: Call) -> FrameSource:
        """Events while it listens, each frame the JSON of one in OpenAI's words, without framing.

        `transcript.text.delta` and `transcript.text.segment` are output, `transcript.text.done` is the end. After it
        the source's `transcript` is the whole.
        """
        ...


@runtime_checkable
class Speaks(Protocol):
    async def speak(self, call: Call) -> FrameSource:
        """The bytes of speech as they come; a frame of kind END, without bytes, says that the answer is whole.

        The source's `sound` says what they are, its `boundaries` when which word is said.
        """
        ...


@runtime_checkable
class Translates(Protocol):
    async def translate(self, call: Call) -> Reply["Translation"]:
        """One request, for texts within the row's limits."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    async def count_tokens(self, call: Call) -> int:
        """The tokens of the input, without an answer."""
        ...


@runtime_checkable
class ListsModels(Protocol):
    async def models(self) -> list[str]: ...
