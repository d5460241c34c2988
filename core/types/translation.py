"""Translations in one form for all who make them."""

from collections.abc import Mapping
from typing import NamedTuple


class Translated(NamedTuple):
    """One text in every language that was asked for."""

    texts: Mapping[str, str]  # language → text
    source: str | None = None  # its language, as said or detected
    score: float | None = None  # how sure of it whoever detected it was


class Translation(NamedTuple):
    results: tuple[Translated, ...]
    model: str | None = None
