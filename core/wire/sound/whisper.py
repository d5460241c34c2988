"""What Whisper says beside the words, whoever runs it: names of languages, and how sure it was of a segment. Pure."""

from collections.abc import Iterable
from math import exp

from core.languages import base_of, known_tag
from core.types.audio import Segment

# Its tags of languages that have another today; most models of others know them by these too.
_TAGS = {"nb": "no", "fil": "tl", "jv": "jw"}


def code_for(tag: str) -> str:
    """The language alone: regions are refused (en-US → en)."""
    language = base_of(tag)
    return _TAGS.get(language, language)


def language(said: object) -> str | None:
    """A language by its tag, whether a tag or the English name was said; what is neither is as it was said."""
    return known_tag(said.strip()) if isinstance(said, str) else None


def confidence(average_log_probability: object) -> float | None:
    """From 0 to 1."""
    if type(average_log_probability) not in {float, int}:
        return None
    return round(min(1.0, exp(min(0.0, float(average_log_probability)))), 4)  # type: ignore[arg-type] # looked at above


def overall(segments: Iterable[Segment]) -> float | None:
    """How sure it was on the whole: each segment counts for as long as it is."""
    rated = [(one.confidence, max(one.end - one.start, 0.001)) for one in segments if one.confidence is not None]
    whole = sum(length for _, length in rated)
    return round(sum(rate * length for rate, length in rated) / whole, 4) if rated else None
