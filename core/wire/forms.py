"""Bodies with a file in them: forms of several parts, and files inside of JSON. Pure."""

from binascii import b2a_base64
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from core.types.pieces import Pieces

_BLOCK = 3 * 2**16  # bytes of a file in one piece; of three bytes base64 makes four letters
_HOLE = "\0file\0"  # what stands in JSON where a file belongs; nobody's text has it


def form(
    fields: Mapping[str, str], name: str, filename: str, kind: str, data: bytes | bytearray, boundary: str
) -> tuple[str, Pieces]:
    """The content type and the parts of a form. The file comes last: some read what they are told as it comes."""
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
        for field, value in fields.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    before = f"{head}Content-Type: {kind}\r\n\r\n".encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    pieces = Pieces(len(before) + len(data) + len(after), (before, data, after))
    return f"multipart/form-data; boundary={boundary}", pieces


def hole(prefix: str = "") -> str:
    """What to write into JSON in the place of a file."""
    return prefix + _HOLE


def json_with(body: Mapping[str, Any], data: bytes | bytearray) -> Pieces:
    """JSON with a file in base64 where its first `hole` is."""
    before, _, after = orjson.dumps(body).partition(orjson.dumps(_HOLE)[1:-1])
    return Pieces(len(before) + (len(data) + 2) // 3 * 4 + len(after), _around(before, data, after))


def _around(before: bytes, data: bytes | bytearray, after: bytes) -> Iterator[bytes]:
    yield before
    view = memoryview(data)
    for start in range(0, len(view), _BLOCK):
        yield b2a_base64(view[start : start + _BLOCK], newline=False)
    yield after
