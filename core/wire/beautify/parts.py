"""Beautifying: a text or a transcript in parts that models clean well, and the whole of what came back. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.request import Facts
from core.wire.beautify.wording import Language, language_of
from core.wire.shapes import check_type
from core.wire.tokens import tokens_in

Body = dict[str, Any]

WHAT = ("punctuation", "paragraphs", "headings", "summary", "action_items")
FORMATS = ("markdown", "text")
BEAUTIFY_PARAMS: dict[str, tuple[type, ...]] = {
    "text": (str,), "transcript": (dict,), "what": (list,), "language": (str,), "format": (str,),
    "model": (str,), "temperature": (int, float), "reasoning_effort": (str,),
}  # fmt: skip
PASSED = frozenset({"model", "temperature", "reasoning_effort"})  # what a provider is sent of it
_USUAL = ("punctuation", "paragraphs")
_CLEANING = frozenset({"punctuation", "paragraphs", "headings"})
_LONGEST = 1_000_000  # characters: some twenty hours of speech
_PART = 6000  # characters of one request: models that write long answers begin to leave out words
_PROMPT = 500  # tokens of our own words in each request
_PAUSE = 2.0  # seconds of silence that begin a paragraph
_ENDS = (
    ". ",
    "? ",
    "! ",
    "\n",
    "。",
    "？",
    "！",
    "; ",
    ", ",
    "，",
    "、",
    " ",
)  # where a long text is cut, the best first
_NOT_KEPT = frozenset({"text", "words", "tokens"})  # of a segment, once its text is another
_NO_SPACE = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


class Piece(NamedTuple):
    """A paragraph, or a segment of a transcript with all that it says beside its words."""

    text: str
    facts: Mapping[str, Any]


class Item(NamedTuple):
    piece: int
    text: str
    behind: str  # what stood between it and the rest of its piece


class Asked(NamedTuple):
    """A checked request."""

    pieces: tuple[Piece, ...]
    what: frozenset[str]
    language: Language
    code: str | None  # the language's, as the caller says it
    transcript: bool
    markdown: bool

    @property
    def cleans(self) -> bool:
        return not self.what.isdisjoint(_CLEANING)

    @property
    def numbered(self) -> bool:
        """Whether each piece stays one, and comes back under its number."""
        return self.transcript or "paragraphs" not in self.what

    @property
    def whole(self) -> str:
        """All words, those of speakers' names as well."""
        names = dict.fromkeys(str(one.facts["speaker"]) for one in self.pieces if one.facts.get("speaker"))
        return "\n\n".join([*names, *(piece.text for piece in self.pieces)])

    def parts(self) -> list[list[Item]]:
        """In order, each of a size for one request; a piece is cut where it is longer than that."""
        found: list[list[Item]] = []
        size = _PART
        for place, piece in enumerate(self.pieces):
            for text, behind in _cut(piece.text):
                if size + len(text) > _PART:
                    found.append([])
                    size = 0
                found[-1].append(Item(place, text, behind))
                size += len(text)
        return found


class Made(NamedTuple):
    """What a model made of a part: headings with texts, in order."""

    texts: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    action_items: tuple[Body, ...] = ()


class Beautified(NamedTuple):
    text: str
    segments: list[Body] | None = None  # of a transcript
    summary: str | None = None
    action_items: list[Body] | None = None
    parts: int = 1


def read_asked(body: Mapping[str, Any]) -> Asked:
    """Validate a body once."""
    for name, value in body.items():
        kinds = BEAUTIFY_PARAMS.get(name)
        if kinds is None:
            words = f"{name[:100]!r} is not known here; known: {', '.join(BEAUTIFY_PARAMS)}"
            raise BadRequest(words, param=name[:100], code="unknown_parameter")
        check_type(name, value, kinds)
    if ("text" in body) == ("transcript" in body):
        raise BadRequest("send a text or a transcript, one of the two", param="text", code="missing")
    what = _chosen(body.get("what") or _USUAL)
    form = body.get("format", FORMATS[0])
    if form not in FORMATS:
        raise BadRequest(f"format must be one of {', '.join(FORMATS)}", param="format", code="invalid_value")
    transcript: Mapping[str, Any] = body.get("transcript") or {}
    field = "transcript" if "transcript" in body else "text"
    pieces = _segments(transcript) if transcript.get("segments") else _paragraphs(_text_in(body, transcript, field))
    size = sum(len(one.text) for one in pieces)
    if not size:
        raise BadRequest(f"{field} has no words", param=field, code="missing")
    if size > _LONGEST:
        words = f"{field} is longer than {_LONGEST} characters; send it in several requests"
        raise BadRequest(words, param=field, code="too_long")
    code = body.get("language") or transcript.get("language") or transcript.get("detected_language")
    code = code if isinstance(code, str) else None
    language = language_of(code, " ".join(one.text for one in pieces[:200]))
    return Asked(tuple(pieces), what, language, code, bool(transcript.get("segments")), form == FORMATS[0])


def _chosen(what: Sequence[Any]) -> frozenset[str]:
    for one in what:
        if one not in WHAT:
            words = f"what names {str(one)[:50]!r}; known: {', '.join(WHAT)}"
            raise BadRequest(words, param="what", code="invalid_value")
    return frozenset(what)


def _text_in(body: Mapping[str, Any], transcript: Mapping[str, Any], field: str) -> str:
    text = transcript.get("text") if field == "transcript" else body["text"]
    if not isinstance(text, str):
        raise BadRequest("transcript has neither segments nor a text", param="transcript", code="missing")
    return text


def _paragraphs(text: str) -> list[Piece]:
    return [Piece(one, {}) for one in re.split(r"\n[^\S\n]*\n\s*", text.strip()) if one.strip()]


def _segments(transcript: Mapping[str, Any]) -> list[Piece]:
    check_type("transcript.segments", transcript["segments"], (list,))
    found = []
    for number, one in enumerate(transcript["segments"]):
        where = f"transcript.segments[{number}]"
        check_type(where, one, (dict,))
        check_type(f"{where}.text", one.get("text"), (str,))
        for name in ("start", "end"):
            if one.get(name) is not None:
                check_type(f"{where}.{name}", one[name], (int, float))
        found.append(Piece(one["text"].strip(), {name: one[name] for name in one if name not in _NOT_KEPT}))
    return found


def beautify_facts(body: Mapping[str, Any], asked: Asked) -> Facts:
    """What routing must know. Each part has to fit by itself; costs are those of all."""
    sizes = [sum(tokens_in(item.text) for item in part) for part in asked.parts()]
    answer = 100 + (max(sizes) if asked.cleans else 0)
    return Facts(
        features=frozenset({Feature.JSON_SCHEMA}),
        params=frozenset(body) & PASSED,
        input_tokens=sum(sizes) + _PROMPT * len(sizes),
        max_output=2 * (sum(sizes) if asked.cleans else 0) + _PROMPT * len(sizes),
        longest=max(sizes) + _PROMPT + answer,
    )


def _cut(text: str) -> Iterator[tuple[str, str]]:
    """At ends of sentences, else between words, with what stood there."""
    start = 0
    while len(text) - start > _PART:
        end = next(
            (at + len(mark) for mark in _ENDS if (at := text.rfind(mark, start + _PART // 2, start + _PART)) > 0), 0
        )
        end = end or start + _PART
        part = text[start:end]
        yield part.rstrip(), part[len(part.rstrip()) :]
        start = end
    yield text[start:], ""


def joined(asked: Asked, parts: Sequence[Sequence[Item]], made: Sequence[Made], summary: str) -> Beautified:
    """All parts as one, in the order of the source."""
    texts = [one for each in made for one in each.texts]
    if asked.numbered and asked.cleans:
        texts = _whole_pieces([item for part in parts for item in part], texts)
    elif not asked.cleans:
        texts = [("", piece.text) for piece in asked.pieces]
    segments: list[Body] | None = None
    if asked.transcript:
        segments = [
            {**piece.facts, "text": text, **({"heading": heading} if heading else {})}
            for piece, (heading, text) in zip(asked.pieces, texts, strict=True)
        ]
    wants_actions = "action_items" in asked.what
    return Beautified(
        _shown(asked, texts),
        segments,
        summary if "summary" in asked.what else None,
        _different(one for each in made for one in each.action_items) if wants_actions else None,
        len(parts),
    )


def _whole_pieces(items: Sequence[Item], texts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The texts of pieces that had been cut, under the first heading of each."""
    found: list[tuple[str, str]] = []
    last, behind = -1, ""
    for item, (heading, text) in zip(items, texts, strict=True):
        if item.piece == last:
            before, start = found.pop()
            found.append((before, f"{start}{behind}{text}"))
        else:
            found.append((heading, text))
        last, behind = item.piece, item.behind
    return found


def _different(items: Iterator[Body]) -> list[Body]:
    known: dict[str, Body] = {}
    for one in items:
        known.setdefault(re.sub(r"\W+", " ", one["task"]).strip().casefold(), one)
    return list(known.values())


def _shown(asked: Asked, texts: Sequence[tuple[str, str]]) -> str:
    """As a page: paragraphs under headings; of a transcript who spoke, and from when on."""
    lines: list[str] = []
    before: Mapping[str, Any] | None = None
    for place, (heading, text) in enumerate(texts):
        facts = asked.pieces[place].facts if asked.transcript else {}
        if heading:
            lines.append(f"## {heading}" if asked.markdown else heading)
            before = None
        if not text:
            continue
        if asked.transcript and before is not None and _goes_on(asked, before, facts):
            space = "" if _NO_SPACE.match(text) else " "
            lines[-1] += f"{space}{text}"
        else:
            lines.append(f"{_speaker(facts, markdown=asked.markdown)}{text}")
        before = facts
    return "\n\n".join(lines)


def _goes_on(asked: Asked, before: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether a segment belongs to the paragraph of the one before it."""
    if "paragraphs" not in asked.what or before.get("speaker") != facts.get("speaker"):
        return False
    ended, begins = before.get("end"), facts.get("start")
    return ended is None or begins is None or begins - ended < _PAUSE


def _speaker(facts: Mapping[str, Any], *, markdown: bool) -> str:
    name, start = facts.get("speaker"), facts.get("start")
    if not name:
        return ""
    label = f"**{name}**" if markdown else str(name)
    if start is None:
        return f"{label}: "
    minutes, seconds = divmod(int(start), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{label} ({f'{hours}:{minutes:02d}' if hours else minutes}:{seconds:02d}): "
