"""The faces of embeddings: OpenAI's, and ours with its receipt."""

from collections.abc import Iterator

import orjson

from core.answers import Answer
from core.capabilities import Capability
from core.errors import BadRequest
from core.http import options
from core.http.surfaces import Body, Face, marked, summary
from core.types.receipt import Receipt
from core.types.request import Request
from core.wire import embeddings
from core.wire.embeddings import Embeddings

_LARGE = 50_000  # numbers to write, which takes milliseconds
_TEXTS = ("texts", "text")  # other names of `input`


class OpenAIEmbeddings(Face):
    """/v1/embeddings: a provider's bytes where they are what the caller wants."""

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return embed_request(body, route, timeout)

    def answer(self, answer: Answer[Embeddings]) -> bytes:
        return b"".join(self._pieces(answer))

    def pieces(self, answer: Answer[Embeddings]) -> Iterator[bytes] | None:
        large = len(answer.value.vectors) * answer.value.dimensions > _LARGE
        return self._pieces(answer) if large else None

    def _pieces(self, answer: Answer[Embeddings]) -> Iterator[bytes]:
        found = embeddings.pieces_of(answer.value, _encoding(answer.receipt))
        return _marked(found) if answer.receipt.simulated else found


class NativeEmbeddings(OpenAIEmbeddings):
    """/api/ai/embed: the vectors and their receipt in one flat object."""

    shows_receipt = True

    def _pieces(self, answer: Answer[Embeddings]) -> Iterator[bytes]:
        found, encoding = answer.value, _encoding(answer.receipt)
        facts = {"dimensions": found.dimensions, **summary(answer.receipt)}
        yield b'{"embeddings":['
        yield from embeddings.joined(embeddings.written(found.vectors, encoding), found.dimensions, encoding)
        yield b"]," + orjson.dumps(facts)[1:]


def embed_request(body: Body, route: str, timeout: float | None = None) -> Request:
    for name in _TEXTS:
        if name in body:
            if body.get("input") is not None:
                words = f"{name} and input are two names of one field: send one"
                raise BadRequest(words, param=name, code="invalid_value")
            body["input"] = body.pop(name)
    body = {name: value for name, value in body.items() if value is not None}
    chosen = options.take(body)
    facts = embeddings.embed_facts(body)
    return Request(Capability.EMBED, body, chosen, facts, route=route, timeout=timeout)


def _marked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The last one says that it is simulated."""
    last = next(pieces)
    for piece in pieces:
        yield last
        last = piece
    yield marked(last.rstrip())


def _encoding(receipt: Receipt) -> str | None:
    asked: str | None = receipt.request.body.get("encoding_format")
    return asked
