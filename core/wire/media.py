"""What bytes are, by how they begin: names and headers only say what somebody thinks. Pure."""

import re
from binascii import Error, a2b_base64
from typing import NamedTuple

from core.errors import BadRequest
from core.types.audio import MIMES, begins

HEAD = 64  # bytes that say what a file is
_LONGEST_HEADER = 200
_HEAD_CHARS = 256  # of base64: beyond the length of a line, so that line breaks are among them
_TAIL_CHARS = 64

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_SOUNDS = {**{kind: MIMES[kind] for kind in ("wav", "mp3", "ogg", "flac")}, "webm": "video/webm"}
# Files of boxes (ISO 14496-12) by their major brand; any other brand is a film.
_BRANDS = {
    b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic", b"heim": "image/heic",
    b"heis": "image/heic", b"hevc": "image/heic", b"hevx": "image/heic", b"mif1": "image/heif", b"msf1": "image/heif",
    b"M4A ": "audio/mp4", b"M4B ": "audio/mp4",
}  # fmt: skip
# Of what is declared as one of these the first bytes are known; anything else may be what it says it is.
_MARKED = frozenset({
    "image/jpg", "image/webp", *(kind for _, kind in _BEGINNINGS), *_SOUNDS.values(), *_BRANDS.values(),
})  # fmt: skip
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,19}):", re.IGNORECASE)
# Where a file may be named: here, on the web, and in a store that a provider reads by itself (Images.own).
SCHEMES = frozenset({"data", "http", "https", "gs"})


class Data(NamedTuple):
    """What a data: URL holds."""

    type: str  # by its first bytes; by its own words where those are not known
    size: int  # in bytes
    start: int  # where in the URL its base64 begins


def kind_of(head: bytes, family: str = "") -> str | None:
    """The media type of a file that begins so, or None. Boxes of films hold sound where sound is wanted."""
    kind = _kind_of(head)
    return kind.replace("video/", family) if kind and family == "audio/" else kind


def _kind_of(head: bytes) -> str | None:
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return _SOUNDS.get(begins(head) or "")


def kind_within(encoded: str, family: str = "") -> str | None:
    """The same of a file in base64."""
    try:
        return kind_of(a2b_base64(encoded[:_TAIL_CHARS]), family)
    except (Error, ValueError):
        return None


def scheme_of(text: str) -> str:
    """How an address begins, in small letters; empty for what is none, as base64 is."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def check_address(text: str, where: str) -> str:
    """The scheme of an address that may be asked for."""
    scheme = scheme_of(text)
    if scheme not in SCHEMES:
        raise BadRequest(f"{where} must be an https:// or data: address", param=where, code="invalid_address")
    return scheme


def image_type(head: bytes, declared: str, where: str) -> str:
    """What an image is by its first bytes, or what it is said to be where that has no mark; the one rule for all."""
    kind = kind_of(head)
    if kind is None and declared in _MARKED:
        raise BadRequest(f"{where} does not begin as {declared} does", param=where, code="invalid_image")
    kind = kind or declared
    if not kind.startswith("image/"):
        raise BadRequest(f"{where} is {kind}, not an image", param=where, code="invalid_image")
    return kind


def read_data_url(url: str, where: str) -> Data:
    """An image as a data: URL in base64. Its ends are looked at, not all of it: it may be megabytes."""
    start = url.find(",", 0, _LONGEST_HEADER) + 1
    header = url[:start].lower()
    if not header.endswith(";base64,"):
        raise _wrong(where, "must be data:<type>;base64,<data>")
    length = len(url) - start
    if not length:
        raise _wrong(where, "holds nothing")
    try:
        head = a2b_base64(url[start : start + _HEAD_CHARS], strict_mode=True)
        a2b_base64(url[-min(length, _TAIL_CHARS) :], strict_mode=True)
    except (Error, ValueError):
        raise _wrong(where, "is not valid base64") from None
    if length % 4:
        raise _wrong(where, "is not valid base64: its end is missing")
    declared = header.removeprefix("data:").partition(";")[0]
    return Data(image_type(head, declared or "text/plain", where), length // 4 * 3 - url.count("=", -2), start)


def _wrong(where: str, words: str) -> BadRequest:
    return BadRequest(f"{where} {words}", param=where, code="invalid_data_url")
