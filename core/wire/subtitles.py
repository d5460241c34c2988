"""A transcript as subtitles, SRT and WebVTT: cues of a length that people can read, by the times there are. Pure."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from unicodedata import category, east_asian_width

from core.types.audio import Segment, Transcript

_LINE = 42  # columns
_LINES = 2
_LONGEST, _SHORTEST = 7.0, 0.8  # seconds that a cue stands
_PAUSE = 1.0  # seconds of silence that end a cue, where the times of words are known
_LEAST = 0.04  # seconds; a cue has to have an end after its beginning
_FULL = _LINE  # columns from which on the end of a sentence ends a cue
_ENDS = tuple(".?!…。？！")
_PIECES = re.compile(r"\S+")
_NO_MARKUP = str.maketrans("<>", "‹›")  # SRT has no way to escape what players take for its tags
_NEAR = 40  # characters within which a word is looked for in its text


class Cue(NamedTuple):
    start: float
    end: float
    text: str
    speaker: str | None = None


class _Piece(NamedTuple):
    """What no line break comes into: a word, or a character of a script without spaces."""

    text: str
    start: float
    end: float
    glued: bool  # to the one before it


def srt(transcript: Transcript) -> str:
    """A speaker's name stands before his first words, as nothing in the format is made for it."""
    blocks, before = [], None
    for number, cue in enumerate(cues(transcript, named=True), 1):
        named = f"{_plain(cue.speaker)}: " if cue.speaker and cue.speaker != before else ""
        before = cue.speaker
        text = _wrapped(named + cue.text).translate(_NO_MARKUP)
        blocks.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)


def vtt(transcript: Transcript) -> str:
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        text = _escaped(_wrapped(cue.text))
        if cue.speaker:
            text = f"<v {_escaped(_plain(cue.speaker))}>{text}</v>"
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def cues(transcript: Transcript, *, named: bool = False) -> list[Cue]:
    """In order of time, with room for speakers' names if they are `named` in the text.

    Those of one speaker do not overlap; where two speak at once, theirs may.
    """
    found = [
        cue
        for one in _segments(transcript)
        for cue in _cues(one, _width(_plain(one.speaker)) + 1 if named and one.speaker else 0)
    ]
    found.sort(key=lambda one: one.start)
    for place, cue in enumerate(found):
        following = found[place + 1] if place + 1 < len(found) else None
        end = max(cue.end, cue.start + _SHORTEST)
        if following is not None and (following.speaker == cue.speaker or cue.end <= following.start):
            end = min(end, following.start)
        found[place] = cue._replace(end=max(end, cue.start + _LEAST))
    return found


def _segments(transcript: Transcript) -> list[Segment]:
    """With the words of each. A provider that gave only words is taken for one long segment of each speaker's turn."""
    if not transcript.segments:
        text, words = transcript.text.strip(), transcript.words
        if not text:
            return []
        end = max(transcript.duration, words[-1].end if words else 0.0)
        return [Segment(text, words[0].start if words else 0.0, end, words=words)]
    words, place = transcript.words, 0
    found = []
    for one in transcript.segments:
        if not one.words and words:
            first = place
            while place < len(words) and (words[place].start + words[place].end) / 2 <= one.end:
                place += 1
            one = one._replace(words=tuple(words[first:place]))  # noqa: PLW2901 - the same with its words
        if one.text.strip():
            found.append(one)
    return found


def _cues(segment: Segment, indent: int) -> Iterator[Cue]:
    held: list[_Piece] = []
    page = _Page(indent)
    for piece in _pieces(segment):
        if held and (_is_over(held, piece, page, timed=bool(segment.words)) or not page.takes(piece)):
            yield _cue(held, segment.speaker)
            held, page = [], _Page(indent)
            page.takes(piece)
        elif not held:
            page.takes(piece)
        held.append(piece)
    if held:
        yield _cue(held, segment.speaker)


def _is_over(held: Sequence[_Piece], piece: _Piece, page: "_Page", *, timed: bool) -> bool:
    last = held[-1]
    if piece.end - held[0].start > _LONGEST or (timed and piece.start - last.end > _PAUSE):
        return True
    return last.text.endswith(_ENDS) and page.width >= _FULL


class _Page:
    """How far the lines of a cue are full."""

    def __init__(self, indent: int) -> None:
        self._lines, self._column = 1, min(indent, _LINE)

    @property
    def width(self) -> int:
        return (self._lines - 1) * _LINE + self._column

    def takes(self, piece: _Piece) -> bool:
        """Put it on the page, if there is room."""
        width = _width(piece.text)
        column = self._column + width + (1 if self._column and not piece.glued else 0)
        if column > _LINE:
            self._lines, column = self._lines + 1, width
        self._column = column
        return self._lines <= _LINES


def _cue(held: Sequence[_Piece], speaker: str | None) -> Cue:
    return Cue(held[0].start, max(one.end for one in held), _joined(held), speaker)


def _joined(held: Sequence[_Piece]) -> str:
    return "".join(one.text if one.glued or not place else f" {one.text}" for place, one in enumerate(held))


def _pieces(segment: Segment) -> Iterator[_Piece]:
    text = _plain(segment.text)
    at = _Times(text, segment)
    for found in _PIECES.finditer(text):
        start, end = found.span()
        glued = False
        for first, last in _cuts(text, start, end):
            begin, stop = _said(text, first, last)
            yield _Piece(text[first:last], at(begin), at(stop, ends=True), glued)
            glued = True


def _cuts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where a word may be broken: between characters of a wide script, and where it is longer than a line."""
    first = start
    for place in range(start + 1, end):
        wide = _is_wide(text[place]) or _is_wide(text[place - 1])
        if (wide and text[place].isalnum()) or place - first >= _LINE:
            yield first, place
            first = place
    yield first, end


def _said(text: str, first: int, last: int) -> tuple[int, int]:
    """Where what is said begins and ends: not the signs around it, which take no time."""
    spoken = [place for place in range(first, last) if text[place].isalnum()]
    return (spoken[0], spoken[-1] + 1) if spoken else (first, last)


class _Times:
    """When a place in a text is said: by its words where they are found in it, between them in proportion."""

    def __init__(self, text: str, segment: Segment) -> None:
        low = text.lower()
        if len(low) != len(text):  # some letters are two when they are small: then places would not be the same
            low = text
        place, end = _said(text, 0, len(text))
        self._places, self._times = [place], [segment.start]
        for word in segment.words:
            sought = word.text.strip().strip(".,;:?!…\"'«»“”").lower()
            found = low.find(sought, place, place + len(sought) + _NEAR) if sought else -1
            if found < 0:
                continue
            self._add(found, word.start)
            place = found + len(sought)
            self._add(place, word.end)
        self._add(end, segment.end)

    def _add(self, place: int, seconds: float) -> None:
        if place > self._places[-1] or (place == self._places[-1] and seconds > self._times[-1]):
            self._places.append(place)
            self._times.append(max(seconds, self._times[-1]))

    def __call__(self, place: int, *, ends: bool = False) -> float:
        after = bisect_right(self._places, place)
        first = bisect_left(self._places, place)
        if ends and self._places[first : first + 1] == [place]:  # it ends before the pause that follows
            return self._times[first]
        if not 0 < after < len(self._places):
            return self._times[-1 if after else 0]
        left, right = self._places[after - 1], self._places[after]
        share = (place - left) / (right - left)
        return self._times[after - 1] + share * (self._times[after] - self._times[after - 1])


def _wrapped(text: str) -> str:
    """In two lines of about one length, broken after a comma where that is as good."""
    if _width(text) <= _LINE:
        return text
    found = _breaks(text)
    if not found:
        return _greedy(text)
    half = _width(text) / 2
    best = min(found, key=lambda place: abs(_width(text[:place]) - half) - (6 if text[place - 1] in ",;:.?!" else 0))
    return f"{text[:best].rstrip()}\n{text[best:].lstrip()}"


def _breaks(text: str) -> list[int]:
    """Where a line may end so that both are short enough."""
    return [
        place
        for place in range(1, len(text))
        if (text[place] == " " or (_is_wide(text[place]) and text[place].isalnum()))
        and _width(text[:place].rstrip()) <= _LINE
        and _width(text[place:].lstrip()) <= _LINE
    ]


def _greedy(text: str) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and _width(line) + 1 + _width(word) > _LINE:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def _width(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if _is_wide(one) else 1 for one in text)


def _is_wide(character: str) -> bool:
    return east_asian_width(character) in {"W", "F"}


def _plain(text: str) -> str:
    """One line without what has no shape."""
    spaced = " ".join(text.split())
    if spaced.isprintable():
        return spaced
    return "".join(one for one in spaced if category(one) not in {"Cc", "Cs", "Co", "Cn"})


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, mark: str) -> str:
    whole = max(0, round(seconds * 1000))
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{mark}{whole % 1000:03}"
