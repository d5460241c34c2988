"""Whose limits audio is within, where it cannot be heard in parts, and who can hear it in time. Pure."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple

from core.capabilities import Capability, Feature
from core.config.catalog import Model
from core.providers.row import Hears, Row
from core.types.plan import Candidate, Exclusion
from core.types.request import Request
from core.types.target import Target

_AHEAD = 5.0  # seconds that are sent at once
_SLACK, _SLOWER = 2.0, 1.1  # to begin and to end, and what is lost on the way
_ROOM = 0.98  # of a part, which ends at a pause

Known = Callable[[Candidate], tuple[Row, Model | None]]


class Times(NamedTuple):
    """Seconds that there are for a request, and for an attempt at it while another target is left."""

    total: float
    answer: float
    by_caller: bool = False


def limits_of(row: Row, name: str, model: Model | None, *, whole: bool = False) -> Hears:
    """What one request to a model may hold; `whole` where parts heard by themselves are of no use."""
    limits, most = row.hears_with(name, whole=whole), model and model.most_seconds
    if not most or (limits.most_seconds or most) < most:
        return limits
    return limits._replace(most_seconds=float(most))


def beyond(target: Target, row: Row, model: Model | None, request: Request) -> Exclusion | None:
    """Who spoke is told apart by voice, and parts heard by themselves would each begin anew."""
    most, seconds = limits_of(row, target.model, model, whole=True).most_seconds, request.facts.audio_ms / 1000
    if request.capability is not Capability.DIARIZE or most is None or seconds <= most:
        return None
    reason = f"hears at most {most:g} s at once, and who spoke is only known where all {seconds:.0f} s are"
    return Exclusion(target, "audio", reason, by_request=True, param="file")


def is_whole(request: Request) -> bool:
    """Whether parts would be of no use: who spoke is not known from them, nor which pause is the first."""
    body = request.body
    return request.capability is Capability.DIARIZE or bool(body.get("diarize") or body.get("single_utterance"))


def is_live(row: Row, model: Model | None, request: Request) -> bool:
    """Whether events come while it is heard. They tell no times of words, and of segments only who spoke."""
    if request.body.get("timestamps"):
        return False
    return Feature.STREAM in (model.features if model else row.features)


def manner(request: Request, times: Times) -> tuple[object, ...]:
    """All of a request that says in which time it has to be heard."""
    asked = request.body.get("single_utterance"), bool(request.body.get("timestamps")), is_whole(request)
    return (int(times.total), times.by_caller, request.stream, *asked)


def in_time(
    chosen: Sequence[Candidate], known: Known, request: Request, times: Times
) -> tuple[tuple[Candidate, ...], list[Exclusion]]:
    """Those who can be done with it in the time they will have, and why the others are not asked."""
    kept: list[Candidate] = []
    late: list[Exclusion] = []
    for candidate in reversed(chosen):  # who is last has all that is left
        row, model = known(candidate)
        hears = limits_of(row, candidate.target.model, model, whole=is_whole(request))
        live = request.stream and is_live(row, model, request)
        excluded = _late(candidate.target, hears, request, times, len(kept), live=live)
        if excluded is None:
            kept.append(candidate)
        else:
            late.append(excluded)
    return tuple(reversed(kept)), late


def _late(target: Target, hears: Hears, request: Request, times: Times, left: int, *, live: bool) -> Exclusion | None:
    """A stream has begun long before its end: it has all the time there is, and who wants less of it may."""
    if hears.pace is None or request.body.get("single_utterance") or (live and times.by_caller):
        return None
    seconds = request.facts.audio_ms / 1000
    needed = _needed(seconds, hears._replace(most_seconds=None) if live else hears)
    given, named = times.total, "x-patchbay-timeout-ms" if times.by_caller else "PATCHBAY_TOTAL_TIMEOUT"
    if left and not live:
        given = times.total / (left + 1)
        if times.answer < given:
            given, named = times.answer, "PATCHBAY_ANSWER_TIMEOUT"
    if needed <= given:
        return None
    reason = (
        f"is sent sound at {hears.pace:g} times its pace, so that {seconds:.0f} s take {needed:.0f} s, and it would "
        f"have {given:.0f} s ({named})"
    )
    return Exclusion(target, "time", reason, by_request=True, param="file")


def _needed(seconds: float, hears: Hears) -> float:
    """Seconds that it takes at least."""
    part, turns = seconds, 1
    if hears.most_seconds is not None and seconds > hears.most_seconds:
        part = hears.most_seconds * _ROOM
        turns = ceil(ceil(seconds / part) / hears.at_once)
    if part <= _AHEAD:
        return 0.0
    return turns * (part - _AHEAD) / (hears.pace or 1.0) * _SLOWER + _SLACK
