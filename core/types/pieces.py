"""A body that is sent in its pieces, never joined to one: audio is large, and what is around it small."""

from collections.abc import Iterable
from typing import NamedTuple


class Pieces(NamedTuple):
    """Its length is known before its parts are made; they can be gone through once."""

    length: int
    parts: Iterable[bytes | bytearray | memoryview]
