"""Whether a request's images are within what a provider takes. Pure."""

from bisect import bisect_left
from collections.abc import Iterable

from core.providers.row import Images
from core.types.plan import Exclusion
from core.types.request import Facts
from core.types.target import Target


class Limits:
    """All limits that there are: requests between the same two of each are alike."""

    def __init__(self, taken: Iterable[Images]) -> None:
        taken = list(taken)
        self._counts = sorted({one.most for one in taken if one.most is not None})
        self._sizes = sorted({one.most_bytes for one in taken if one.most_bytes is not None})

    def around(self, facts: Facts) -> tuple[int, int, frozenset[str]]:
        """The same for all requests whose images the same providers take."""
        return bisect_left(self._counts, facts.images), bisect_left(self._sizes, facts.image_bytes), facts.image_types


def beyond(target: Target, takes: Images, facts: Facts) -> Exclusion | None:
    """Which limit of a provider's the images are beyond, or None."""
    if not facts.images:
        return None
    if takes.most is not None and facts.images > takes.most:
        words = f"takes at most {takes.most} images, not {facts.images}"
    elif takes.most_bytes is not None and facts.image_bytes > takes.most_bytes:
        words = f"takes images of at most {takes.most_bytes} bytes, not {facts.image_bytes}"
    elif takes.types is not None and (others := facts.image_types - takes.types):
        words = f"does not take {', '.join(sorted(others))} as an image"
    else:
        return None
    return Exclusion(target, "images", words, by_request=True, param="messages")
