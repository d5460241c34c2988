"""Forms with files (multipart/form-data), read as they come: one copy of a file is all that is held of it."""

import logging
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from starlette.types import Receive

from core.errors import BadRequest, BodyTooLarge
from core.http.replies import CallerLeft

if TYPE_CHECKING:  # few functions are sent forms
    from python_multipart.multipart import MultipartCallbacks

FORM = "multipart/form-data"
_MOST_PARTS = 300
_MOST_TEXT = 8 * 2**20  # bytes of all fields that are no files; voices of known speakers are among them
_MOST_HEADERS, _LONGEST_HEADER = 16, 8 * 1024
_FRAME = 64 * 1024  # what boundaries and headers may add to a form, beside its text
_PLAIN = frozenset({b"", b"binary", b"8bit", b"7bit"})  # transfer encodings that change nothing


class File(NamedTuple):
    field: str
    name: str  # as the caller calls it
    type: str  # as he says; what it is, its bytes say
    data: bytes


class Form(NamedTuple):
    fields: list[tuple[str, str]]
    files: list[File]


def is_form(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == FORM.encode()


async def read_form(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, setting: str, files: frozenset[str]
) -> Form:
    """`files` are the fields that hold a file, whether or not it is given a name."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit + _MOST_TEXT + _FRAME:
        raise _too_large(limit, setting)
    reading = _Reading(files)
    parser = _Parser(_boundary(headers), reading)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        parser.feed(message.get("body", b""))
        if reading.file_bytes > limit:
            raise _too_large(limit, setting)
        more = message.get("more_body", False)
    return reading.form()


class _Parser:
    """It knows the reading and the reading does not know it: in a ring they would keep the files alive."""

    def __init__(self, boundary: bytes, reading: "_Reading") -> None:
        from python_multipart import multipart  # noqa: PLC0415 - few functions are sent forms
        from python_multipart.exceptions import FormParserError  # noqa: PLC0415 - see above

        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # callers' mistakes, which they are told
        callbacks: MultipartCallbacks = {
            "on_part_begin": reading.begin,
            "on_header_field": reading.header_name,
            "on_header_value": reading.header_value,
            "on_header_end": reading.header_end,
            "on_headers_finished": reading.headers_end,
            "on_part_data": reading.data,
            "on_part_end": reading.part_end,
            "on_end": reading.end,
        }
        self._error = FormParserError
        try:
            self._parser = multipart.MultipartParser(
                boundary, callbacks, max_header_count=_MOST_HEADERS, max_header_size=_LONGEST_HEADER
            )
        except FormParserError:
            raise _wrong("its boundary is too long") from None

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except self._error as error:
            raise _wrong(f"it is not what {FORM} says ({_words(error)})") from None


class _Reading:
    """A form as far as it has come."""

    def __init__(self, files: frozenset[str]) -> None:
        self._names_of_files = files
        self._parts = self._text = self.file_bytes = 0
        self._is_whole = False
        self._fields: list[tuple[str, str]] = []
        self._files: list[File] = []
        self.begin()

    def form(self) -> Form:
        if not self._is_whole:
            raise _wrong("its end is missing: the last boundary did not come")
        return Form(self._fields, self._files)

    def begin(self) -> None:
        self._name, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        self._held = BytesIO()
        self._field, self._filename, self._is_file = "", "", False

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def headers_end(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise _wrong(f"it has more than {_MOST_PARTS} parts")
        kind, named = _options(self._headers.get(b"content-disposition", b""))
        self._field = _decoded(named.get(b"name", b""))
        if kind != b"form-data" or not self._field:
            raise _wrong(f"part {self._parts} has no name: content-disposition: form-data; name=...")
        if self._headers.get(b"content-transfer-encoding", b"").strip().lower() not in _PLAIN:
            raise _wrong(f"{self._field} comes in a transfer encoding; send its bytes as they are")
        self._filename = _decoded(named.get(b"filename", b""))
        self._is_file = b"filename" in named or self._field in self._names_of_files

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.file_bytes += end - start
        else:
            self._text += end - start
            if self._text > _MOST_TEXT:
                raise _wrong(f"its fields have more than {_MOST_TEXT} bytes of text")
        self._held.write(memoryview(data)[start:end])

    def part_end(self) -> None:
        held, self._held = self._held.getvalue(), BytesIO()  # which shares the bytes, and copies none
        if self._is_file:
            said = self._headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            self._files.append(File(self._field, self._filename, said, held))
            return
        try:
            self._fields.append((self._field, held.decode()))
        except UnicodeDecodeError:
            raise _wrong(f"{self._field} is not UTF-8") from None

    def end(self) -> None:
        self._is_whole = True


def _boundary(headers: Mapping[bytes, bytes]) -> bytes:
    _, named = _options(headers.get(b"content-type", b""))
    if not named.get(b"boundary"):
        raise _wrong("content-type names no boundary; let your HTTP client write that header")
    return named[b"boundary"]


def _options(header: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    from python_multipart.multipart import parse_options_header  # noqa: PLC0415 - see _Parser

    return parse_options_header(header.decode("latin-1"))


def _too_large(limit: int, setting: str) -> BodyTooLarge:
    return BodyTooLarge(
        f"The form is larger than {limit} bytes ({setting}). Send audio in a packed form (mp3, opus, flac), or its"
        " address: audio_url, audio_s3.",
        code="body_too_large",
    )


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def _words(error: Exception) -> str:
    return str(error).partition(" at ")[0][:100].lower() or "it cannot be parsed"


def _wrong(why: str) -> BadRequest:
    return BadRequest(f"The form cannot be read: {why}.", code="invalid_form")
