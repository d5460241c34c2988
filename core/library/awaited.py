"""What the seeds show and this version does not do yet. One place: a word leaves it with its capability."""

from typing import NoReturn

from core.capabilities import NOUNS, Capability
from core.errors import NotYet


def capability(wanted: Capability) -> NoReturn:
    raise NotYet(
        f"This version of Patchbay has no {NOUNS[wanted]} yet; chat, images in chat, embeddings and reranking work.",
        param="capability",
        code=f"no_{wanted.value}",
    )
