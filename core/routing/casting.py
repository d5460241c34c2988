"""Who says a request for speech at a target: its voice, those that its document names, and its style. Pure."""

from typing import NamedTuple

from core.config.voices import DEFAULT, Voices
from core.providers.row import Row
from core.routing.voices import Cast, Wanted, cast, wanted_in
from core.types.plan import Exclusion
from core.types.request import Request
from core.types.target import Target

_STYLE = "style"


class Casting(NamedTuple):
    voice: str | None  # by the provider's name; None leaves it to him
    voices: tuple[tuple[str, str], ...]  # those that a document names, and who they are there
    warnings: tuple[str, ...]


def casting(
    voices: Voices, target: Target, request: Request, row: Row, *, usual: str | None, named: bool
) -> Casting | Exclusion:
    """`usual` is the account's own choice; `named` says that the caller means this target and no other."""
    facts, strict, wanted = request.facts, request.options.strict, wanted_in(request)
    found: Cast | Exclusion = Cast(wanted.name)
    if not (facts.own_voice and row.own_voices):
        found = cast(voices, target, _fluent(voices, wanted, request), usual=usual, named=named, strict=strict)
    if isinstance(found, Exclusion):
        return found
    names, told = [], [found.warning]
    for name in facts.voices:
        theirs = _fluent(voices, Wanted(name, wanted.language), request)
        one = cast(voices, target, theirs, usual=None, named=named, strict=strict)
        if isinstance(one, Exclusion):
            return one
        names.append((name, one.voice or name))
        told.append(one.warning)
    if unsaid := _unstyled(voices, target, found.voice, wanted.style, row):
        if strict:
            return Exclusion(target, "parameters", f"does not take {_STYLE} (strict)", by_request=True, param=_STYLE)
        told.append(unsaid)
    return Casting(found.voice, tuple(names), tuple(dict.fromkeys(filter(None, told))))


def is_owner(voices: Voices, provider: str, model: str, name: str) -> bool:
    """Whether this is a provider's own voice, and no name that stands for one of several."""
    known = voices.named(name)
    if name.lower() == DEFAULT or (known is not None and not known.provider):
        return False
    return voices.find(provider, name, model) is not None or voices.is_its(provider, name)


def hint(voices: Voices, provider: str, names: list[str]) -> str:
    """Who may have been meant by names that a provider has refused."""
    unknown = [one for one in names if voices.find(provider, one) is None]
    near = [(one, found) for one in unknown if (found := voices.near(one, provider))]
    told = [f"Voice {one[:100]!r} is not known here; did you mean {' or '.join(found)}?" for one, found in near]
    return " ".join(told)


def _fluent(voices: Voices, wanted: Wanted, request: Request) -> Wanted:
    """Who is named in a document says his part in his own language, whichever the document begins with."""
    if wanted.name not in request.facts.voices:
        return wanted
    known = voices.named(wanted.name) or voices.of_form(wanted.name)
    kept = known is None or known.is_for_any or not known.language
    return wanted if kept else wanted._replace(language="")


def _unstyled(voices: Voices, target: Target, voice: str | None, style: str, row: Row) -> str:
    """What becomes of a style where nobody can be told: a voice may have it of itself."""
    own = voices.find(target.provider, voice, target.model) if voice else None
    if not style or _STYLE in row.extra_params or (own is not None and style in own.style):
        return ""
    return f"{_STYLE} was not sent: {target} does not take it"
