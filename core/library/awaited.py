"""What the seeds show and this version does not do yet. One place: a word leaves it with its capability."""

from typing import NoReturn

from core.capabilities import Capability
from core.errors import NotYet

_WORDS = {
    Capability.RERANK: "reranking",
    Capability.TRANSCRIBE: "transcription",
    Capability.DIARIZE: "speaker diarization",
    Capability.SPEAK: "speech",
    Capability.TRANSLATE: "translation",
}


def capability(wanted: Capability) -> NoReturn:
    raise NotYet(
        f"This version of Patchbay has no {_WORDS.get(wanted, wanted.value)} yet;"
        " chat, images in chat and embeddings work.",
        param="capability",
        code=f"no_{wanted.value}",
    )


def provider(name: str) -> NoReturn:
    raise NotYet(
        f"This version of Patchbay cannot call {name} yet, though its catalogue has the models."
        " Name another provider, or register a provider of your own under this name.",
        param="provider",
        code="provider_not_built",
    )
