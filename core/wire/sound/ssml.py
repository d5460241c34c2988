"""SSML: whether it is any, what is said in it, and whether that is all there is to it. Pure."""

import re
from typing import NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from core.errors import BadRequest

_ROOT = "speak"
_DEEPEST = 64
# What the root has to say for those who read it, where its author has left it out.
_USUAL = {
    "version": "1.0",
    "xmlns": "http://www.w3.org/2001/10/synthesis",
    "xmlns:mstts": "https://www.w3.org/2001/mstts",
    "xml:lang": "en-US",
}
# A declaration, comments or a document type may stand before the root. Each ends in one way only, or looking for the
# root of what has none would take for ever.
_BEFORE = r"<(?:\?(?:[^?]|\?(?!>))*\?|!--(?:[^-]|-(?!-))*--|![A-Z][^>\[]*(?:\[[^\]]*\][^>\[]*)?)>"
_BEGINS = re.compile(rf"\s*(?:{_BEFORE}\s*)*<speak\b")
_WHOLE = re.compile(r"\s*<(?:speak\b|[?!])")  # with a root, or with what stands before one
# What only orders a text: between those there is a space, or an empty line.
_ORDER = {"s": " ", "p": "\n\n", "speak": ""}
_LANGUAGE = "xml:lang"
_FORM = frozenset({"version", _LANGUAGE})  # attributes that say nothing of how it sounds
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*\n\s*")


class Ssml(NamedTuple):
    document: str  # with its root, where somebody left it out
    text: str  # what is said
    plain: bool  # and nothing more: text, language and voice are all of it
    language: str = ""
    voice: str = ""  # of all that is said
    voices: tuple[str, ...] = ()  # all that are named, each once


def is_ssml(text: str) -> bool:
    return _BEGINS.match(text) is not None


def read(text: str, language: str = "") -> Ssml:
    """Raises where it is none: no entities of its own, one root, well formed. A language is for who names none."""
    document = text if _WHOLE.match(text) else f"<{_ROOT}>{text}</{_ROOT}>"
    found = _Reader()
    found.read(document)
    said = _LINES.sub("\n\n", _SPACE.sub(" ", "".join(found.said))).strip()
    if not said:
        raise BadRequest("the SSML says nothing", param="input", code="empty")
    voices = tuple(dict.fromkeys(found.voices))
    voice = voices[0] if len(voices) == 1 and not found.beside_voice else ""
    plain = found.plain and (not voices or bool(voice))
    usual = {**_USUAL, **({_LANGUAGE: language} if language else {})}
    missing = "".join(f' {name}="{value}"' for name, value in usual.items() if name not in found.root)
    return Ssml(document.replace(f"<{_ROOT}", f"<{_ROOT}{missing}", 1), said, plain, found.language, voice, voices)


class _Reader:
    def __init__(self) -> None:
        self.said: list[str] = []
        self.plain = True
        self.language = ""
        self.root: frozenset[str] = frozenset()  # its attributes
        self.voices: list[str] = []
        self.beside_voice = False  # something is said outside of the voice
        self._open: list[str] = []
        self._instead = 0  # how deep in what is said otherwise than it is written

    def read(self, document: str) -> None:
        parser = ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(document.encode(), True)
        except (ExpatError, UnicodeEncodeError) as error:
            raise _invalid(f"is not well formed: {error}") from None

    def _refuse(self, *_: object) -> None:
        raise _invalid("must not have a document type or entities of its own")

    def _start(self, name: str, given: dict[str, str]) -> None:
        if not self._open and name != _ROOT:
            raise _invalid(f"must be one {_ROOT} element")
        if len(self._open) >= _DEEPEST:
            raise _invalid(f"is nested deeper than {_DEEPEST} levels")
        self._open.append(name)
        attributes = {one for one in given if not one.startswith("xmlns")}
        if self._instead:
            self._instead += 1
        elif name == _ROOT and len(self._open) == 1:
            self.language, self.root = given.get(_LANGUAGE, ""), frozenset(given)
            self.plain = self.plain and attributes <= _FORM
        elif name == "sub" and attributes == {"alias"}:
            self._text(given["alias"])
            self._instead = 1
        elif name == "voice":
            self.voices += [given["name"]] if given.get("name") else []
            self.plain = self.plain and attributes == {"name"} and bool(given["name"])
        elif name not in _ORDER or attributes:
            self.plain = False

    def _end(self, name: str) -> None:
        self._open.pop()
        if self._instead:
            self._instead -= 1
        self.said.append(_ORDER.get(name, ""))

    def _text(self, text: str) -> None:
        if self._instead:
            return
        self.said.append(text)
        if text.strip() and "voice" not in self._open:
            self.beside_voice = True


def _invalid(why: str) -> BadRequest:
    return BadRequest(f"the SSML {why}", param="input", code="invalid_ssml")
