"""Whose limits audio is within, where it cannot be heard in parts. Pure."""

from core.capabilities import Capability
from core.config.catalog import Model
from core.providers.row import Hears, Row
from core.types.plan import Exclusion
from core.types.request import Request
from core.types.target import Target


def limits_of(row: Row, model: Model | None) -> Hears:
    """What one request to a model may hold."""
    limits = row.hears
    if model is None or model.most_seconds is None or (limits.most_seconds or model.most_seconds) < model.most_seconds:
        return limits
    return limits._replace(most_seconds=float(model.most_seconds))


def beyond(target: Target, row: Row, model: Model | None, request: Request) -> Exclusion | None:
    """Who spoke is told apart by voice, and parts heard by themselves would each begin anew."""
    most, seconds = limits_of(row, model).most_seconds, request.facts.audio_ms / 1000
    if request.capability is not Capability.DIARIZE or most is None or seconds <= most:
        return None
    reason = f"hears at most {most:g} s at once, and who spoke is only known where all {seconds:.0f} s are"
    return Exclusion(target, "audio", reason, by_request=True, param="file")
