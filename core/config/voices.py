"""Which voices there are and who has them, in which languages, of what gender and style. Data in voices.json.

It is read when somebody first asks for speech. Every voice is known by its provider's own name; `names` of ours beside
them say who it is at each provider.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import orjson

from core.errors import Misconfigured

GENDERS = ("female", "male", "neutral")
AGES = ("young", "adult", "senior")
DEFAULT = "alloy"  # of requests that name none
_BUILT_IN = Path(__file__).with_name("voices.json")
_FIELDS = frozenset({"language", "gender", "style", "age", "speaks", "ids"})
# en-US-female-2, de-male: the second of those, wherever it is said.
_BY_KIND = re.compile(r"([a-z]{2,3}(?:-[A-Za-z0-9]{2,4})?)-(female|male|neutral)(?:-([1-9]\d?))?", re.IGNORECASE)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MANY = 4  # languages, from which on a voice is for whatever comes


class Voice(NamedTuple):
    """One of a provider's, or one of ours that several have."""

    name: str
    language: str  # its own
    gender: str
    provider: str = ""  # whose; none of one of ours
    style: tuple[str, ...] = ()
    age: str | None = None
    speaks: frozenset[str] = frozenset()  # languages beside its own, without countries
    models: str = ""  # how the names of those begin that have it
    ids: Mapping[str, tuple[str, ...]] = {}  # who it is at providers, where that was decided

    @property
    def languages(self) -> list[str]:
        return [self.language, *sorted(self.speaks - {base_of(self.language)})]

    @property
    def is_for_any(self) -> bool:
        """It speaks whatever it is given."""
        return len(self.speaks) >= _MANY

    def fluency(self, language: str) -> int:
        """2: as it is spoken there; 1: it can speak it; 0: it cannot."""
        base = base_of(language)
        if language.lower() == self.language.lower() or (language == base and base == base_of(self.language)):
            return 2
        return int(base == base_of(self.language) or base in self.speaks)


def base_of(language: str) -> str:
    """Without its country."""
    return language.partition("-")[0].lower()


def by_kind(name: str) -> tuple[Voice, int] | None:
    """A voice that is named by what it is, and which of those it is."""
    found = _BY_KIND.fullmatch(name)
    if found is None:
        return None
    language, _, country = found[1].partition("-")
    language = f"{language.lower()}-{country.upper()}" if country else language.lower()
    return Voice(name, language, found[2].lower()), int(found[3] or 1)


class Voices:
    """All of them, and a user's own over them."""

    def __init__(self, data: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> None:
        self.as_of = str(data["as_of"])
        self._data = data
        self._own = {str(name): _checked(str(name), given) for name, given in (own or {}).items()}
        self._patterns = {provider: re.compile(pattern) for provider, pattern in data["ids"].items()}

    def at(self, provider: str, model: str = "") -> list[Voice]:
        """A provider's, with that model if it is named; the usual ones first."""
        return [one for one in self._at.get(provider, ()) if not model or model.startswith(one.models)]

    def find(self, provider: str, name: str, model: str = "") -> Voice | None:
        """A provider's own by its name there."""
        lowered = name.lower()
        return next((one for one in self.at(provider, model) if one.name.lower() == lowered), None)

    def named(self, name: str) -> Voice | None:
        """Who that is: one of ours, or of any provider's."""
        return self._named.get(name.lower())

    def is_its(self, provider: str, name: str) -> bool:
        """Whether a name that is not listed has the form of a provider's own."""
        return provider in self._patterns and self._patterns[provider].fullmatch(name) is not None

    def of_form(self, name: str) -> Voice | None:
        """What such a name says: some begin with the language."""
        provider = next((one for one in self._patterns if self.is_its(one, name)), None)
        if provider is None:
            return None
        language = re.match(r"[a-z]{2,3}-(?:[A-Z][a-z]+-)?[A-Z]{2}(?=-)", name)
        return Voice(name, language[0] if language else "", "", provider)

    def near(self, name: str, provider: str = "") -> list[str]:
        """Names that are much like this one; of a provider's own alone where he is named."""
        voices = self.at(provider) if provider else self._named.values()
        known = {one.name.lower(): one.name for one in voices}
        return [known[one] for one in get_close_matches(name.lower(), known, n=3, cutoff=0.6)]

    def listed(self) -> list[Voice]:
        """Ours, then each provider's."""
        return [*self._ours, *(voice for voices in self._at.values() for voice in voices)]

    @cached_property
    def _ours(self) -> list[Voice]:
        given = {**self._data["names"], **self._own}
        return [self._voice(name, "", entry) for name, entry in given.items()]

    @cached_property
    def _at(self) -> dict[str, list[Voice]]:
        found = {
            provider: [self._voice(name, provider, entry) for name, entry in entries.items()]
            for provider, entries in self._data["voices"].items()
        }
        for entry in self._own.values():  # what nobody knew is as its user says
            for provider, ids in _ids(entry).items():
                known = {one.name.lower() for one in found.get(provider, ())}
                fresh = [self._voice(one, provider, entry) for one in ids if one.lower() not in known]
                found[provider] = [*found.get(provider, ()), *fresh]
        return found

    @cached_property
    def _named(self) -> dict[str, Voice]:
        theirs = {voice.name.lower(): voice for voices in reversed(self._at.values()) for voice in reversed(voices)}
        return theirs | {voice.name.lower(): voice for voice in self._ours}

    def _voice(self, name: str, provider: str, entry: Mapping[str, Any]) -> Voice:
        speaks, style = entry.get("speaks") or (), entry.get("style") or ()
        spoken = self._data["sets"].get(speaks, speaks).split() if isinstance(speaks, str) else speaks
        return Voice(
            name,
            entry["language"],
            entry["gender"],
            provider,
            (style,) if isinstance(style, str) else tuple(style),
            entry.get("age"),
            frozenset(base_of(one) for one in spoken),
            entry.get("models", ""),
            {} if provider else _ids(entry),
        )


def _ids(entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    given: Mapping[str, Any] = entry.get("ids") or {}
    return {provider: (ids,) if isinstance(ids, str) else tuple(ids) for provider, ids in given.items()}


@cache
def built_in() -> Mapping[str, Any]:
    data: Mapping[str, Any] = orjson.loads(_BUILT_IN.read_bytes())
    return data


def load(own: Mapping[str, Any] | None = None) -> Voices:
    return Voices(built_in(), own)


def check(own: Mapping[str, Any], known: Iterable[str] = ()) -> None:
    """Whether a user's voices can be read; raises with the line that is wrong."""
    providers = set(known)
    for name, given in own.items():
        for provider in _ids(_checked(str(name), given)):
            if providers and provider not in providers:
                _refuse(name, "ids", f"provider {provider!r} is not known")


def _checked(name: str, said: Any) -> Mapping[str, Any]:
    if not isinstance(said, Mapping):
        _refuse(name, "", "must be a mapping of fields")
    given: Mapping[str, Any] = said
    for field in given:
        if field not in _FIELDS:
            near = get_close_matches(str(field), _FIELDS, n=1)
            _refuse(name, str(field), f"is not known{f'; did you mean {near[0]}?' if near else ''}")
    language, gender, age, ids = (given.get(one) for one in ("language", "gender", "age", "ids"))
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        _refuse(name, "language", "must be a language, such as en or en-US")
    if gender not in GENDERS:
        _refuse(name, "gender", f"must be one of {', '.join(GENDERS)}")
    if age is not None and age not in AGES:
        _refuse(name, "age", f"must be one of {', '.join(AGES)}")
    if not isinstance(ids, Mapping) or not ids or not all(map(_is_texts, ids.values())):
        _refuse(name, "ids", "must say who it is at whom, such as {<provider>: <name there>}")
    for field in ("style", "speaks"):
        if given.get(field) is not None and not _is_texts(given[field]):
            _refuse(name, field, "must be a word or a list of words")
    return given


def _is_texts(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value)
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str) and one for one in value)


def _refuse(name: Any, field: str, why: str) -> NoReturn:
    where = f"voices.{name}" + (f".{field}" if field else "")
    raise Misconfigured(f"{where} {why}", param=where)
