"""What has to come out of a translation as it went in: placeholders of programs, tags, addresses, code. Pure.

They are found, taken out of a text in exchange for marks that no translator mistakes for words, and put back.
"""

import html as entities
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

MARK = re.compile(r"<\s?x\s?(\d{1,6})\s?/?\s?>", re.IGNORECASE)  # as models write it back


class Piece(NamedTuple):
    start: int
    end: int
    kind: str
    text: str


class Masked(NamedTuple):
    """A text with marks, and what they stand for."""

    text: str
    kept: tuple[str, ...]


_TAG = r"""</?[A-Za-z](?:[^<>"']|"[^"]*+"|'[^']*+')*+>"""
# In plain text only what is surely a tag: 1 <a and b> 2 is not.
_SURE_TAG = r"""</?(?:[A-Za-z][\w:.-]*+(?:\s++[\w:@.-]++=(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]++))*+\s*+/?|\d{1,4}\s?/?)>"""
_COMMON = (
    ("mark", MARK.pattern),
    ("code", r"```|<%|`[^`\n]++`"),
    ("url", r"""(?:(?:https?|ftp|file|wss?)://|(?<![\w.@])www\.)[^\s<>"'`«»“”„‘’、。，！？；：（）【】「」『』{}|\\^\[\]…]++"""),
    ("email", r"(?<![\w.%+-])(?:mailto:)?[A-Za-z0-9_%+](?:[\w.%+-]*+@)(?:[A-Za-z0-9-]++\.)++[A-Za-z]{2,24}(?![\w@])"),
    ("braces", r"\{\{\{?[^{}]*+\}\}\}?|[$%#]\{[^{}\n]*+\}"),
    ("brackets", r"\[\[[^\[\]\n]{1,80}\]\]"),
    ("variable", r"(?<![\w%])%[A-Za-z_]\w++%(?!\w)|(?<![\w$])\$[A-Za-z_]\w*+"),
    ("format", r"\{\s*+\w++\s*+,\s*+(?:number|date|time|duration|spellout|ordinal|list)\b[^{}\n]*+\}"),
    ("brace", r"\{[A-Za-z_]\w*+ \w++\}|\{[ ]?(?:[\w$][\w$.\[\]:-]*+(?:![rsa])?(?::[^{}\s]*+)?)?[ ]?\}"),
    ("named", r"%\(\w++\)[-#0 +]*+\d*+(?:\.\d++)?[diouxXeEfFgGcrsa]"),
    ("printf", r"(?<![\d%])%(?:\d++\$)?[-+#0]*+\d*+(?:\.\d++)?(?:hh|ll|[hlqjzt])?[diouxXeEfFgGcsSpaA@](?![A-Za-z])"),
    ("emoji", r"(?<![\w:]):[a-z][a-z0-9_+-]*+:(?![\w:])"),
)  # fmt: skip
_HTML = (
    ("comment", r"<!--|<![A-Za-z\[]|<\?"),
    ("tag", _TAG),
    ("entity", r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"),
)


def _together(kinds: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    # A mark is what models may write in either case; nothing else is.
    return re.compile("|".join(f"(?P<{kind}>{'(?i:' + one + ')' if kind == 'mark' else one})" for kind, one in kinds))


_ICU = r"\{\s*+[\w.-]++\s*+,\s*+(?:plural|select|selectordinal)\s*+,"
_PATTERNS = {
    False: _together((_COMMON[0], ("icu", _ICU), *_COMMON[1:], ("tag", _SURE_TAG))),
    True: _together((_COMMON[0], *_HTML, ("icu", _ICU), *_COMMON[1:])),
}
_DEEPEST = 8  # plurals within plurals
_BRACE = re.compile("[{}]")
_ENTITY = re.compile(_HTML[2][1])
_BRANCH = re.compile(r"\s*+(?:offset:\d++\s++)?(?:=\d++|[\w-]++)\s*+\{")
_ENDS = {"```": "```", "<%": "%>", "<!--": "-->", "<?": "?>"}
_RAW = frozenset({"script", "style"})
_CODE = frozenset({"code", "pre", "kbd", "samp", "var"})  # what is in them is not language
_ELEMENT = re.compile(r"<([A-Za-z][\w:-]*)")
_UNTRANSLATED = re.compile(
    r"""\stranslate\s*=\s*["']?no\b|\sclass\s*=\s*(?:"[^"]*\bnotranslate\b[^"]*"|'[^']*\bnotranslate\b[^']*')""",
    re.IGNORECASE,
)
_URL_END = ".,;:!?)*_~'"
_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
TAGS = frozenset({"tag", "comment"})
_GLUED = TAGS | {"content"}
# What may be said otherwise: an ampersand can become a word.
LOOSE = frozenset({"entity"})


def pieces(text: str, *, html: bool = False) -> list[Piece]:
    """What of a text is not language, in order and without overlaps."""
    return list(_Scan(text, html=html).between(0, len(text)))


class _Scan:
    """One way through a text. What is sought in vain is not sought again: texts may be long, and made to hurt."""

    def __init__(self, text: str, *, html: bool) -> None:
        self._text = text
        self._html = html
        self._pattern = _PATTERNS[html]
        self._missing: set[str] = set()
        self._braces: dict[int, int] | None = None

    def between(self, start: int, end: int, *, counts: bool = False, depth: int = 0) -> Iterator[Piece]:
        """`counts`: inside a branch of a plural, where # is its number."""
        text, at = self._text, start
        while at < end:
            match = self._pattern.search(text, at, end)
            if counts and (number := text.find("#", at, match.start() if match else end)) >= 0:
                yield Piece(number, number + 1, "number", "#")
                at = number + 1
            elif match is None:
                return
            elif match.lastgroup == "icu":
                inner = None if depth >= _DEEPEST else self._branches(match, end)
                at = match.start() + 1 if inner is None else inner[1]
                if inner is not None:
                    yield from self._message(match, *inner, depth=depth)
            else:
                stop = self._stop(match, str(match.lastgroup), end)
                at = match.end() if stop is None else stop
                if stop is not None:
                    yield Piece(match.start(), stop, str(match.lastgroup), text[match.start() : stop])
                if stop is not None and (inside := self._code(match, end)) and inside > at:
                    yield Piece(at, inside, "content", text[at:inside])
                    at = inside

    def _message(self, head: re.Match[str], inner: list[tuple[int, int]], end: int, *, depth: int) -> Iterator[Piece]:
        """A plural or a choice: what is said in its branches is language, all around them is not."""
        at, counts = head.start(), "select," not in head[0].replace(" ", "")
        for first, last in inner:
            yield Piece(at, first, "icu", self._text[at:first])
            yield from self.between(first, last, counts=counts, depth=depth + 1)
            at = last
        yield Piece(at, end, "icu", self._text[at:end])

    def _branches(self, head: re.Match[str], end: int) -> tuple[list[tuple[int, int]], int] | None:
        """Where the messages stand and where the whole ends; None where it is none."""
        if self._braces is None:
            self._braces = _braces(self._text)
        whole = self._braces.get(head.start(), end)
        if whole >= end:
            return None
        found: list[tuple[int, int]] = []
        at = head.end()
        while branch := _BRANCH.match(self._text, at, whole):
            at = self._braces[branch.end() - 1] + 1
            found.append((branch.end(), at - 1))
        return (found, whole + 1) if found and not self._text[at:whole].strip() else None

    def _stop(self, match: re.Match[str], kind: str, end: int) -> int | None:
        """Where a piece ends that began; None where it is none after all."""
        found = match[0]
        if kind == "url":
            return match.start() + len(_address(found))
        if kind == "comment" or found in _ENDS:
            return self._until(_ENDS.get(found, ">"), match.end(), end)
        element = _ELEMENT.match(found) if kind == "tag" else None
        if element is None or found.endswith("/>"):
            return match.end()
        name = element[1].lower()
        if name in _RAW or (name not in _VOID and _UNTRANSLATED.search(found)):
            return self._element(name, match.end(), end) or match.end()
        return match.end()

    def _code(self, match: re.Match[str], end: int) -> int | None:
        """Where the content of an element of code ends; None where none begins."""
        element = _ELEMENT.match(match[0]) if match.lastgroup == "tag" and self._html else None
        name = element[1].lower() if element and not match[0].endswith("/>") else ""
        closed = self._element(name, match.end(), end) if name in _CODE else None
        return None if closed is None else self._text.rfind("</", match.end(), closed)

    def _until(self, closing: str, at: int, end: int) -> int | None:
        place = -1 if closing in self._missing else self._text.find(closing, at, end)
        if place < 0:
            self._missing.add(closing)
            return None
        return place + len(closing)

    def _element(self, name: str, at: int, end: int) -> int | None:
        """Behind the tag that closes an element whose content begins here."""
        if name in self._missing:
            return None
        depth = 1
        for tag in re.compile(rf"<(/?){re.escape(name)}\b[^<>]*>", re.IGNORECASE).finditer(self._text, at, end):
            depth = depth - 1 if tag[1] else depth if name in _RAW or tag[0].endswith("/>") else depth + 1
            if depth == 0:
                return tag.end()
        self._missing.add(name)
        return None


def _braces(text: str) -> dict[int, int]:
    """Where each brace that opens is closed; those that never are close behind the text."""
    found, waiting = dict[int, int](), list[int]()
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            waiting.append(match.start())
        elif waiting:
            found[waiting.pop()] = match.start()
    return found | dict.fromkeys(waiting, len(text))


def _address(found: str) -> str:
    """Without what ends the sentence around it."""
    bare = found.rstrip(_URL_END)
    return bare + ")" if found[len(bare) :].startswith(")") and bare.count("(") > bare.count(")") else bare


def letters(text: str) -> str:
    """HTML whose letters are letters: those that are written as entities tear a word apart."""
    return _ENTITY.sub(_letter, text) if "&" in text else text


def _letter(found: re.Match[str]) -> str:
    said = entities.unescape(found[0])
    return said if len(said) == 1 and unicodedata.category(said)[0] in "LM" else found[0]


def mask(text: str, *, html: bool = False) -> Masked:
    """Marks in the place of pieces; tags that stand side by side are one."""
    kept: list[str] = []
    made: list[str] = []
    at, glued = 0, False
    for piece in pieces(text, html=html):
        between = text[at : piece.start]
        if kept and glued and piece.kind in _GLUED and not between.strip():
            kept[-1] += between + piece.text
        else:
            made += [between, f"<x{len(kept) + 1}/>"]
            kept.append(piece.text)
        glued, at = piece.kind in _GLUED, piece.end
    return Masked("".join([*made, text[at:]]), tuple(kept))


def restore(text: str, kept: tuple[str, ...]) -> str:
    """What the marks stand for in their place. A mark that stands for nothing stays and will be noticed."""

    def given(found: re.Match[str]) -> str:
        number = int(found[1])
        return kept[number - 1] if 1 <= number <= len(kept) else found[0]

    return MARK.sub(given, text)
