"""Which voice a target says it with: the one that was asked for, or who is nearest to it there. Pure.

Language goes before gender, gender before style. What is not as it was asked for is said.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.config.voices import DEFAULT, Voice, Voices, by_kind
from core.languages import base_of
from core.types.plan import Exclusion
from core.types.request import Request
from core.types.target import Target


class Wanted(NamedTuple):
    """What a request says of the voice."""

    name: str = ""
    language: str = ""
    gender: str = ""
    style: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(self)


class Cast(NamedTuple):
    voice: str | None  # by the provider's name; None leaves it to him
    warning: str = ""


def wanted_in(request: Request) -> Wanted:
    body: Mapping[str, Any] = request.body
    gender, style = body.get("gender") or "", body.get("style") or ""
    return Wanted(request.facts.voice, request.facts.language, gender, style)


def cast(
    voices: Voices, target: Target, wanted: Wanted, *, usual: str | None, named: bool, strict: bool
) -> Cast | Exclusion:
    """`usual` is the account's own choice; `named` says that the caller means this target and no other."""
    found = _cast(voices, target, wanted, usual, named=named)
    if isinstance(found, Cast) and found.warning and strict:
        return _unfit(target, f"{found.warning} (strict)")
    return found


def _cast(voices: Voices, target: Target, wanted: Wanted, usual: str | None, *, named: bool) -> Cast | Exclusion:
    here = voices.at(target.provider, target.model)
    if not wanted.name:
        return _unnamed(voices, target, wanted, usual, here)
    own = voices.find(target.provider, wanted.name, target.model)
    if own is not None:
        if not wanted.language or own.fluency(wanted.language):
            return Cast(own.name)
        return _nearest(target, wanted, own, here, f"voice {own.name} does not speak {wanted.language}")
    if voices.is_its(target.provider, wanted.name):
        return Cast(wanted.name)
    kind = by_kind(wanted.name)
    model = voices.named(wanted.name) or voices.of_form(wanted.name) or (kind and kind[0])
    if model is None:
        if named or not here:
            return Cast(wanted.name)  # it may be new there, or the caller's own
        near = voices.near(wanted.name)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        return _unfit(
            target, f"voice {wanted.name[:100]!r} is not known: name its provider, or one of /api/ai/voices{hint}"
        )
    if not here:
        return Cast(usual, f"voice {wanted.name} was left out: nobody knows the voices of {target.provider}")
    return _as(target, wanted, model, here, kind)


def _unnamed(voices: Voices, target: Target, wanted: Wanted, usual: str | None, here: list[Voice]) -> Cast | Exclusion:
    """Nobody asked for a voice by its name: whatever it is like, there is nothing to warn of."""
    chosen = None if usual is None else voices.find(target.provider, usual, target.model)
    if usual is not None and (chosen is None or _fits(chosen, wanted)):
        return Cast(usual)
    if not here:
        return Cast(None)
    if not any(wanted[1:]):
        default = voices.find(target.provider, DEFAULT, target.model) or voices.named(DEFAULT)
        if default is None or default in here:
            return Cast(default.name if default else here[0].name)
        found = _nearest(target, wanted, default, here, "")
        return Cast(found.voice) if isinstance(found, Cast) else found
    return _nearest(target, wanted, None, here, "")


def _as(
    target: Target, wanted: Wanted, model: Voice, here: list[Voice], kind: tuple[Voice, int] | None
) -> Cast | Exclusion:
    """Who is here what another one is elsewhere."""
    language = wanted.language or ("" if model.is_for_any else model.language)
    decided = [one for name in model.ids.get(target.provider, ()) for one in here if one.name == name]
    decided += [one for one in here if kind is None and one.name.lower().endswith(f"_{model.name.lower()}")]
    fluent = [one for one in decided if not language or one.fluency(language)]
    if not fluent and kind is not None:
        alike = [one for one in here if one.gender == model.gender and one.fluency(model.language) > 1]
        fluent = [one for one in alike[kind[1] - 1 : kind[1]] if one.fluency(language)]
    if fluent and (not wanted.gender or fluent[0].gender == wanted.gender):
        exact = kind is not None or not model.provider
        return Cast(fluent[0].name, "" if exact else _told(target, fluent[0], model, language, wanted))
    return _nearest(target, wanted, model, here, "")


def _nearest(target: Target, wanted: Wanted, model: Voice | None, here: list[Voice], why: str) -> Cast | Exclusion:
    """Of those who speak the language."""
    language = wanted.language or ("" if model is None or model.is_for_any else model.language)
    fluent = [one for one in here if not language or one.fluency(language)]
    if not fluent:
        words = f"no voice there speaks {language}"
        return _unfit(target, f"{why}, and {words}" if why else words, "language" if wanted.language else "voice")
    gender = wanted.gender or (model.gender if model else "")
    style = {wanted.style} if wanted.style else set(model.style if model else ())

    def nearness(one: Voice) -> tuple[int, ...]:
        spoken = one.fluency(language) if language else _as_broad(one, model)
        return (
            spoken,
            _alike(one.gender, gender),
            len(style & set(one.style)),
            int(model is not None and one.age == model.age),
        )

    best = max(fluent, key=nearness)  # of equals the first
    return Cast(best.name, _told(target, best, model, language, wanted, why))


def _as_broad(one: Voice, model: Voice | None) -> int:
    """Whether it can stand in for one that speaks many languages, when nobody says which is wanted."""
    if model is None:
        return int(one.is_for_any)
    return 2 * int(one.is_for_any) + int(base_of(one.language) == base_of(model.language))


def _alike(one: str, other: str) -> int:
    if not other:
        return 0
    return 2 if one == other else int("neutral" in {one, other})


def _fits(one: Voice, wanted: Wanted) -> bool:
    return (not wanted.language or bool(one.fluency(wanted.language))) and wanted.gender in {"", one.gender}


def _told(target: Target, best: Voice, model: Voice | None, language: str, wanted: Wanted, why: str = "") -> str:
    """Who says it in place of whom, and in what he differs."""
    gender = wanted.gender or (model.gender if model else "")
    differs = [f"{best.gender} in place of {gender}"] if gender and gender != best.gender else []
    if language and best.fluency(language) < 2 and not best.is_for_any:
        differs.append(f"{best.language} in place of {language}")
    but = f" ({', '.join(differs)})" if differs else ""
    if wanted.name:
        what = why or f"{target.provider} has no voice {wanted.name}"
        return f"{what}: {best.name} says it, who is nearest by language, gender and style{but}"
    return f"{target.provider} has no such voice: {best.name} says it{but}" if differs else ""


def _unfit(target: Target, reason: str, param: str = "voice") -> Exclusion:
    return Exclusion(target, "voice", reason, by_request=True, param=param)
