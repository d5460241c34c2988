"""One piece of a stream: the bytes as the caller's dialect wants them, and what kind of piece it is."""

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    META = 0  # role, keep-alive, ids: nothing a reader would miss
    OUTPUT = 1  # text, tool call, reasoning, audio: from here on the stream is committed
    USAGE = 2
    END = 3


class Frame(NamedTuple):
    raw: bytes
    kind: Kind
