"""Vector spaces: embeddings of different models cannot be compared, so one request stays within one model. Pure."""

from typing import NamedTuple

from core.config.catalog import Catalog, Model
from core.types.plan import Exclusion
from core.types.request import Request
from core.types.target import Target


class Space(NamedTuple):
    """Whose vectors can be compared: one model, and as many dimensions."""

    model: str
    dimensions: int | None  # None: not known before the answer


def space_of(target: Target, model: Model | None, asked: int | None) -> Space:
    """What nobody described is only like itself."""
    if model is None:
        return Space(f"{target.provider}/{target.model}", asked)
    return Space(model.identity, asked or model.dimensions)


def foreign(target: Target, found: Space, wanted: Space) -> Exclusion | None:
    """Why a target's vectors would not do in place of others, or None."""
    if found.model != wanted.model:
        reason = f"is not {wanted.model}: vectors of two models cannot be compared; list both in models to allow it"
        return Exclusion(target, "vector_space", reason)
    if None not in {found.dimensions, wanted.dimensions} and found.dimensions != wanted.dimensions:
        reason = f"has vectors of {found.dimensions} dimensions, not {wanted.dimensions}"
        return Exclusion(target, "vector_space", reason)
    return None


def unshortened(target: Target, model: Model | None, asked: int | None) -> Exclusion | None:
    """Why a target cannot give vectors of the size asked for, or None."""
    if asked is None or model is None or model.shortens_to(asked):
        return None
    if model.min_dimensions is None:
        able = f"has vectors of {model.dimensions} dimensions, which cannot be shortened"
    else:
        able = f"has vectors of {model.min_dimensions} to {model.dimensions} dimensions"
    return Exclusion(target, "dimensions", able, by_request=True, param="dimensions")


def unreturnable(target: Target, model: Model | None, request: Request) -> Exclusion | None:
    """Why all these vectors could not be handed to the caller where this runs, or None. Nobody is asked for them."""
    dimensions = request.body.get("dimensions") or (model.dimensions if model else None)
    if request.most_bytes is None or dimensions is None:
        return None
    from core.wire.embeddings import vector_bytes  # noqa: PLC0415 - whoever only chats need not load it

    packed = request.body.get("encoding_format") == "base64"
    needed = request.facts.inputs * vector_bytes(dimensions, packed=packed)
    if needed <= request.most_bytes:
        return None
    shorter = "" if packed else "encoding_format base64, "
    reason = (
        f"{request.facts.inputs} vectors of {dimensions} dimensions take up to {needed / 1e6:.1f} MB, and an answer "
        f"from here holds {request.most_bytes / 1e6:.1f} MB: ask for {shorter}fewer inputs at once or fewer dimensions"
    )
    return Exclusion(target, "answer_size", reason, by_request=True, param="input")


def name_at(catalog: Catalog, provider: str, space: Space, own: str) -> str:
    """What a provider calls the model of a space; its own model where it has none, or has that one already."""
    known = catalog.find(provider, own)
    if known is not None and known.identity == space.model:
        return own
    return next((name for owner, name in catalog.keys_of(space.model) if owner == provider), own)
