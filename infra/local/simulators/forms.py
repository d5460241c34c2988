"""Forms with a file, as a strict server reads them: part by part, in the order in which they came."""

import re
from dataclasses import dataclass

from infra.local.simulators.checks import RequestError
from infra.local.simulators.httpd import Request

BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";,]+)"?', re.IGNORECASE)
NAMED = re.compile(rb'[; ]name="?([^";\r\n]*)"?', re.IGNORECASE)
FILENAME = re.compile(rb'filename="?([^"\r\n;]*)"?', re.IGNORECASE)
KIND = re.compile(rb"content-type: *([^\r\n]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    data: bytes
    filename: str | None
    kind: str

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


def parts(request: Request) -> list[Part]:
    found = BOUNDARY.match(request.headers.get("content-type", ""))
    if found is None:
        raise RequestError("the body must be multipart/form-data with a boundary")
    mark = b"--" + found[1].encode()
    pieces = (b"\r\n" + request.body).split(b"\r\n" + mark)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise RequestError("the form does not end with its boundary")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, found, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    name = NAMED.search(head)
    if not found or name is None:
        raise RequestError("a part of the form has no name")
    filename, kind = FILENAME.search(head), KIND.search(head)
    return Part(
        name[1].decode(),
        data,
        filename[1].decode("utf-8", "replace") if filename else None,
        kind[1].decode().strip() if kind else "",
    )
