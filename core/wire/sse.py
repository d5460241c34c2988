"""Server-sent events: cut a byte stream at blank lines, and make events."""

from core.errors import Malformed

DONE = b"data: [DONE]\n\n"


class Splitter:
    """Feeds on parts of any size; gives blocks of whole events and keeps the rest."""

    __slots__ = ("_half", "_limit", "_rest")

    def __init__(self, limit: int) -> None:
        self._rest = bytearray()
        self._half = False  # the last part ended in a CR that may be half of a CRLF
        self._limit = limit

    def feed(self, part: bytes) -> bytes:
        """All whole events so far, each ending with a blank line; empty when none is whole."""
        if self._half or b"\r" in part:
            part = self._unix(part)
        if not self._rest and part.endswith(b"\n\n"):
            return part
        rest = self._rest
        seen = max(0, len(rest) - 1)
        rest += part
        end = rest.rfind(b"\n\n", seen) + 2
        if end == 1:
            if len(rest) > self._limit:
                raise Malformed(f"a stream event is larger than {self._limit} bytes")
            return b""
        block = bytes(rest[:end])
        del rest[:end]
        return block

    def flush(self) -> bytes:
        """What is left at the end of the stream: some providers forget the last blank line."""
        rest = bytes(self._rest).strip(b"\r\n")
        self._rest.clear()
        return rest + b"\n\n" if rest else b""

    def _unix(self, part: bytes) -> bytes:
        if self._half:
            part = b"\r" + part
        self._half = part.endswith(b"\r")
        if self._half:
            part = part[:-1]
        return part.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def events(block: bytes) -> list[bytes]:
    """The events of a block, without their blank lines."""
    # A line too many, which some send to keep a connection alive, sticks to its neighbour.
    return [event for part in block.split(b"\n\n") if (event := part.strip(b"\n"))]


def data_of(event: bytes) -> bytes | None:
    """The data of one event; None for comments and events without any."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].lstrip(b" ")
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"
