"""Requests for translations, validated once; what a translation is in JSON. Pure."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from core.capabilities import Feature
from core.errors import BadRequest
from core.types.request import Facts
from core.types.translation import Translated, Translation
from core.wire import sentences
from core.wire.shapes import check_type
from core.wire.translation.languages import code_of, is_known, name_of, nearest
from core.wire.translation.placeholders import pieces

Body = dict[str, Any]

# What a translation is asked with, and as which JSON types.
TRANSLATE_PARAMS: dict[str, tuple[type, ...]] = {
    "text": (str, list), "texts": (list,), "target_language": (str,), "targets": (list,), "target_languages": (list,),
    "source_language": (str,), "format": (str,), "formality": (str,), "glossary": (dict,), "context": (str,),
    "domain": (str,), "profanity": (str,), "model": (str,), "check": (bool,),
}  # fmt: skip
FORMATS = ("text", "html")
FORMALITIES = ("default", "formal", "informal", "prefer_formal", "prefer_informal")
PROFANITIES = ("keep", "mark", "remove")
_DEMANDED = frozenset({"formal", "informal"})
_MOST_TARGETS = 50
_MOST_TEXTS = 1000
_MOST_CHARACTERS = 1_000_000  # of all texts together
_MOST_TERMS = 500
_LONGEST_TERM = 200
_LONGEST_CONTEXT = 10_000
_LONGEST_NAME = 300
_BYTES_PER_TOKEN = 3  # of JSON with two languages in it
_TOLD = 350  # tokens of instructions


def translate_body(given: Mapping[str, Any], *, insists: bool = False) -> tuple[Body, list[str]]:
    """A checked request in one form, and the names of what nobody knows.

    `insists`: the caller names who shall translate, and may know languages that are not known here.
    """
    unknown = _check_params(given)
    texts = _texts(given)
    targets = _targets(given, insists=insists)
    made: Body = {"texts": texts, "targets": targets, "html": _word(given, "format", FORMATS) == "html"}
    source = given.get("source_language")
    if source not in (None, "", "auto"):
        made["source"] = _known(source, "source_language", insists=insists)
    formality = _word(given, "formality", FORMALITIES)
    if formality not in {None, "default"}:
        made["formality"] = formality
    if (profanity := _word(given, "profanity", PROFANITIES)) not in {None, "keep"}:
        made["profanity"] = profanity
    if glossary := _glossary(given.get("glossary") or {}, targets):
        made["glossary"] = glossary
    for name in ("context", "domain"):
        if given.get(name):
            if len(given[name]) > _LONGEST_CONTEXT:
                raise _wrong(name, f"is longer than {_LONGEST_CONTEXT} characters")
            made[name] = given[name]
    if given.get("check") is False:
        made["check"] = False
    return made, unknown


def translate_facts(body: Body, unknown: Iterable[str]) -> Facts:
    """What routing must know of a body in our form."""
    features = set()
    if body["html"]:
        features.add(Feature.HTML)
    if body.get("formality") in _DEMANDED:
        features.add(Feature.FORMALITY)
    size = sum(len(text) if text.isascii() else len(text.encode()) for text in body["texts"])
    tokens = size // _BYTES_PER_TOKEN + 1
    params = frozenset({"formality", "profanity", "domain", "context"} & body.keys())
    return Facts(
        features=frozenset(features),
        params=params,
        unknown_params=frozenset(unknown),
        input_tokens=(tokens + _TOLD) * len(body["targets"]),
        max_output=(2 * tokens + 100) * len(body["targets"]),
        inputs=0,
        longest=0,  # what is too long for one request is sent in several
        characters=sum(map(len, body["texts"])) * len(body["targets"]),
        language=body.get("source", ""),
        languages=tuple(body["targets"]),
    )


def glossary_for(body: Mapping[str, Any], target: str) -> dict[str, str]:
    """Term → translation in one language."""
    glossary: Mapping[str, Any] = body.get("glossary") or {}
    return {
        term: wanted if isinstance(wanted, str) else wanted[target]
        for term, wanted in glossary.items()
        if isinstance(wanted, str) or target in wanted
    }


def _check_params(given: Mapping[str, Any]) -> list[str]:
    unknown = []
    for name, value in given.items():
        if name not in TRANSLATE_PARAMS:
            if len(name) > _LONGEST_NAME:
                raise BadRequest("a parameter's name is too long", param=name[:50], code="unknown_parameter")
            unknown.append(name)
        elif value is not None:
            check_type(name, value, TRANSLATE_PARAMS[name])
    return unknown


def _texts(given: Mapping[str, Any]) -> list[str]:
    name = "text" if given.get("text") is not None else "texts"
    if name == "text" and given.get("texts") is not None:
        raise BadRequest("text and texts say the same: send one of them", param="texts", code="invalid_value")
    value = given.get(name)
    if value is None or value == []:
        raise BadRequest("text must be a text or a list of texts", param="text", code="missing")
    texts = [value] if isinstance(value, str) else value
    for index, text in enumerate(texts):
        check_type(f"{name}[{index}]", text, (str,))
        if not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text):
            raise _wrong(f"{name}[{index}]", "holds half a character (a lone surrogate)")
    if not any(text.strip() for text in texts):
        raise _wrong(name, "is empty: there is nothing to translate")
    if len(texts) > _MOST_TEXTS:
        raise _wrong(name, f"has more than {_MOST_TEXTS} texts: send them in several requests")
    if sum(map(len, texts)) > _MOST_CHARACTERS:
        raise _wrong(name, f"is longer than {_MOST_CHARACTERS} characters: send it in several requests")
    return list(texts)


def _targets(given: Mapping[str, Any], *, insists: bool) -> list[str]:
    named = [name for name in ("target_language", "targets", "target_languages") if given.get(name)]
    if len(named) > 1:
        raise BadRequest(f"{' and '.join(named)} say the same: send one of them", param=named[1], code="invalid_value")
    if not named:
        raise BadRequest(
            'target_language is missing: into which language, such as "de"', param="target_language", code="missing"
        )
    (name,) = named
    value = given[name]
    values = [value] if isinstance(value, str) else value
    for index, one in enumerate(values):
        check_type(f"{name}[{index}]", one, (str,))
    if len(values) > _MOST_TARGETS:
        raise _wrong(name, f"has more than {_MOST_TARGETS} languages")
    return list(dict.fromkeys(_known(one, name, insists=insists) for one in values))


def _known(given: str, name: str, *, insists: bool) -> str:
    code = _code(given, name)
    if insists or is_known(code):
        return code
    insisting = "A provider or a model that knows it may be named beside it"
    raise _wrong(name, f"names no language that is known here: {given[:40]!r}. {_likely(given)}{insisting}")


def _likely(given: str) -> str:
    found = nearest(given)
    return f"Is it one of {', '.join(map(name_of, found))}? " if found else ""


def _code(given: str, name: str) -> str:
    code = code_of(given)
    if code is None:
        words = f'must be the code of a language, such as "de" or "pt-BR", or its English name. {_likely(given)}'
        raise _wrong(name, words.rstrip())
    return code


def _word(given: Mapping[str, Any], name: str, words: Sequence[str]) -> str | None:
    value = given.get(name)
    if value is not None and value not in words:
        raise _wrong(name, f"must be one of {', '.join(words)}")
    return value


def _glossary(given: Mapping[str, Any], targets: Sequence[str]) -> Body:
    """Term → translation, or → language → translation."""
    if len(given) > _MOST_TERMS:
        raise _wrong("glossary", f"has more than {_MOST_TERMS} terms")
    made: Body = {}
    for term, wanted in given.items():
        check_type(f"glossary[{term[:40]!r}]", wanted, (str, dict))
        by_language = wanted if isinstance(wanted, dict) else {"": wanted}
        for one in (term, *by_language.values()):
            check_type("glossary's translations", one, (str,))
            if not one.strip() or len(one) > _LONGEST_TERM:
                raise _wrong(
                    "glossary", f"has a term or a translation that is empty or above {_LONGEST_TERM} characters"
                )
        if isinstance(wanted, str):
            made[term.strip()] = wanted.strip()
            continue
        known = {_code(language, "glossary"): one.strip() for language, one in wanted.items()}
        if kept := {language: one for language, one in known.items() if language in targets}:
            made[term.strip()] = kept
    return made


def _wrong(name: str, words: str) -> BadRequest:
    return BadRequest(f"{name} {words}", param=name, code="invalid_value")


class Shape(NamedTuple):
    """How a caller asked, and so wants to be answered."""

    many_texts: bool
    many_targets: bool


def shape_of(given: Mapping[str, Any]) -> Shape:
    return Shape(not isinstance(given.get("text"), str), "target_language" not in given)


def answer_of(translation: Translation, targets: Sequence[str], shape: Shape) -> Body:
    """In JSON: lists where lists were sent."""
    results = translation.results
    found = [None if one.source is None else {"language": one.source, "score": one.score} for one in results]
    if shape.many_texts:
        by_language: dict[str, Any] = {one: [result.texts[one] for result in results] for one in targets}
        said = [one for one, result in zip(found, results, strict=True) if any(map(str.strip, result.texts.values()))]
        same = said[0] if said and all(one == said[0] for one in said) else None
        detected: Body = {"detected_language": same, "detected_languages": found}
    else:
        by_language = {one: results[0].texts[one] for one in targets}
        detected = {"detected_language": found[0]}
    first = {} if shape.many_targets else {"translated_text": by_language[targets[0]]}
    listed = [{"target_language": one, "text": by_language[one]} for one in targets]
    return {**first, "translations": listed, **detected}


def write_translation(translation: Translation) -> bytes:
    """To be kept."""
    return orjson.dumps({
        "model": translation.model,
        "results": [{"texts": one.texts, "source": one.source, "score": one.score} for one in translation.results],
    })  # fmt: skip


def read_translation(raw: bytes) -> Translation:
    found = orjson.loads(raw)
    return Translation(tuple(Translated(**one) for one in found["results"]), found["model"])


def parts_of(text: str, most: int, *, html: bool) -> list[str]:
    """A text in parts that one request can hold, cut at sentences and never in what has to stay whole."""
    if len(text) <= most:
        return [text]
    found = pieces(text, html=html)
    starts = [one.start for one in found]
    ends = {one.end for one in found if one.kind == "tag" and _BLOCK.fullmatch(one.text)}
    at = 0
    for sentence in sentences.sentences(text):
        at += len(sentence)
        before = bisect_left(starts, at) - 1
        if before < 0 or found[before].end <= at:
            ends.add(at)
    made: list[str] = []
    start = cut = 0
    for end in sorted(ends | {len(text)}):
        if end - start > most and cut > start:
            made.append(text[start:cut])
            start = cut
        if end - start > most:
            *whole, last = sentences.parts(text[start:end], most)
            made += whole
            start = end - len(last)
        cut = end
    return [*made, text[start:]] if start < len(text) else made


_BLOCK = re.compile(
    r"</(?:p|div|li|h[1-6]|t[dhr]|table|section|article|[uod]l|dd|dt|blockquote|figure|header|footer)\s*>",
    re.IGNORECASE,
)
