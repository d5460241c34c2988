"""Who speaks in an SSML document: others in place of those it names, and somebody where it names nobody. Pure.

Documents are those that ssml.py has read.
"""

import re
from collections.abc import Mapping
from typing import Any
from xml.parsers.expat import ParserCreate
from xml.sax.saxutils import quoteattr

_ATTRIBUTE = rb"""\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*')"""
_TAG = re.compile(rb"<[\w:.-]+(?:%b)*\s*/?>" % _ATTRIBUTE)
_NAME = re.compile(rb"""(?<=\s)name\s*=\s*("[^"]*"|'[^']*')""")
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_BESIDE = frozenset({"voice", "mstts:backgroundaudio"})  # what stands in the root itself


def recast(document: str, cast: Mapping[str, str]) -> str:
    """The same with other names of voices; who is not in `cast` keeps his."""
    data, places = document.encode(), _Places(document)
    for name, at in reversed(places.voices):
        tag = _TAG.match(data, at)
        found = _NAME.search(data, at, tag.end()) if tag else None
        if found is not None and name in cast:
            data = data[: found.start(1)] + quoteattr(cast[name]).encode() + data[found.end(1) :]
    return data.decode()


def voiced(document: str, voice: str) -> str:
    """With a voice around all that is said outside of one."""
    data, places = document.encode(), _Places(document)
    if places.deeper:  # around another one there can be none
        return document
    opens, closes = b"<voice name=%b>" % quoteattr(voice).encode(), b"</voice>"
    made, at = data[: places.inside[0]], places.inside[0]
    for start, end in (*places.beside, (places.inside[1], places.inside[1])):
        part = data[at:start]
        made += opens + part + closes if _COMMENT.sub(b"", part).strip() else part
        made += data[start:end]
        at = end
    return (made + data[at:]).decode()


class _Places:
    """Where in a document's bytes its voices are."""

    def __init__(self, document: str) -> None:
        self.voices: list[tuple[str, int]] = []
        self.beside: list[tuple[int, int]] = []
        self.inside = (0, 0)  # the root
        self.deeper = False  # a voice is within something else
        self._data, self._open = document.encode(), [0]
        parser = self._parser = ParserCreate("utf-8")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.Parse(self._data, True)

    def _start(self, name: str, given: dict[str, Any]) -> None:
        at = self._parser.CurrentByteIndex
        if len(self._open) == 1:
            self.inside = (self._past(at), 0)
        self._open.append(at)
        if name == "voice":
            self.voices.append((given.get("name", ""), at))
            self.deeper = self.deeper or len(self._open) > 3

    def _end(self, name: str) -> None:
        at, start = self._parser.CurrentByteIndex, self._open.pop()
        if len(self._open) == 1:
            self.inside = (self.inside[0], at)
        elif name in _BESIDE and len(self._open) == 2:
            closing = self._data.startswith(b"</", at)
            self.beside.append((start, self._data.index(b">", at) + 1 if closing else self._past(start)))

    def _past(self, at: int) -> int:
        tag = _TAG.match(self._data, at)
        return tag.end() if tag else self._data.index(b">", at) + 1
