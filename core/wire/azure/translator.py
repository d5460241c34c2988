"""Azure Translator in its versions 3.0 and 2026-06-06: requests, answers, refusals. Pure.

What must not change goes as HTML in elements that are not translated, and so do terms whose translation is given.
"""

import html as entities
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson

from core.errors import (
    CredentialRefused,
    Malformed,
    Overloaded,
    ParameterRefused,
    QuotaExhausted,
    RequestRefused,
    ServerFault,
    TargetError,
    TooManyInputs,
)
from core.types.translation import Translated, Translation
from core.wire import openai
from core.wire.faults import classify, redact
from core.wire.translation.check import term_in
from core.wire.translation.languages import base, scripts_of
from core.wire.translation.placeholders import LOOSE, TAGS, Piece, pieces

Body = dict[str, Any]

V3, V2026 = "3.0", "2026-06-06"
VERSIONS = (V3, V2026)
_TOKEN = "/sts/v1.0/issueToken"  # noqa: S105 - a path
MOST_ELEMENTS = 1000  # in one request
GENERAL = "nmt"  # what the catalogue calls its general model; any other name is a custom category, or a deployment
_OPEN, _CLOSE = '<span class="notranslate" translate="no" data-kept="">', "</span>"
_KEPT = re.compile(r"<span class=\"notranslate\" translate=\"no\" data-kept=\"\">(.*?)</span>", re.DOTALL)
# What it knows by a region or a script; of all other languages it wants the language alone.
_REGIONS = frozenset({"fr-ca", "pt-pt", "zh-hans", "zh-hant", "sr-cyrl", "sr-latn", "mn-cyrl", "mn-mong", "iu-latn"})
_CODES = {"zh": "zh-Hans", "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh-tw": "zh-Hant", "zh-hk": "zh-Hant",
          "zh-mo": "zh-Hant", "sr": "sr-Cyrl", "mn": "mn-Cyrl", "ku": "ku"}  # fmt: skip
_PROFANITY = {"mark": "Marked", "remove": "Deleted"}
_BY_CODE: Mapping[int, type[TargetError]] = {
    # A language, a pair of them or a category that it does not have: others may.
    **dict.fromkeys((400018, 400019, 400023, 400035, 400036, 400043, 400071, 400079, 400080), ParameterRefused),
    **dict.fromkeys((400050, 400072, 400077), TooManyInputs),
    **dict.fromkeys((401000, 401015, 403000), CredentialRefused),
    403001: QuotaExhausted,  # the free quota of the month
    **dict.fromkeys((408001, 503000), Overloaded),  # a custom system is being made ready
    408002: ServerFault,
}


class Element(NamedTuple):
    """A text as it is sent."""

    text: str
    html: bool


def elements_of(texts: Sequence[str], *, html: bool, glossary: Mapping[str, str]) -> list[Element]:
    """Texts as they are sent; where one has something to keep, all go as HTML, for a request has one kind of text."""
    kept = [list(_kept(text, glossary, html=html)) for text in texts]
    if not html and not any(kept):
        return [Element(text, html=False) for text in texts]
    return [Element(_written(text, found, html=html), html=True) for text, found in zip(texts, kept, strict=True)]


def _written(text: str, kept: Sequence[Piece], *, html: bool) -> str:
    def said(part: str) -> str:
        return part if html else entities.escape(part, quote=False)

    made, at = [], 0
    for piece in sorted(kept):
        made += [said(text[at : piece.start]), _OPEN, said(piece.text), _CLOSE]
        at = piece.end
    return "".join([*made, said(text[at:])])


def _kept(text: str, glossary: Mapping[str, str], *, html: bool) -> Iterator[Piece]:
    """What is not language, apart from tags of HTML, and terms of a glossary with their translation."""
    found = pieces(text, html=html)
    yield from (one for one in found if not html or one.kind not in _OWN)
    busy = [(one.start, one.end) for one in found]
    for term in sorted(glossary, key=len, reverse=True):  # the longest, where several would do
        for match in term_in(term).finditer(text):
            if all(match.end() <= start or match.start() >= end for start, end in busy):
                busy.append(match.span())
                yield Piece(*match.span(), "term", glossary[term])


def text_from(answer: str, element: Element, *, html: bool) -> str:
    """A translation without what had been put around parts of its text."""
    if not element.html:
        return answer
    bare = _KEPT.sub(r"\1", answer)
    return bare if html else entities.unescape(bare)


_OWN = TAGS | LOOSE  # it knows HTML


def code_for(language: str) -> str:
    """Its code of a language."""
    parts = language.split("-")
    for known in (language, "-".join(parts[:2]), "-".join((parts[0], *parts[2:3]))):  # its script, else its region
        if known.lower() in _CODES:
            return _CODES[known.lower()]
        if known.lower() in _REGIONS:
            return known
    return base(language)


def losses_of(languages: Iterable[str]) -> tuple[str, ...]:
    """What it cannot be told of languages."""
    found = {one: code_for(one) for one in languages}
    return tuple(
        f"{one} was asked for as {code}: this translator has no other"
        for one, code in found.items()
        if not _says(code, one)
    )


def _says(code: str, language: str) -> bool:
    """Whether a code says as much as what was asked for, or means the same by itself."""
    own = base(language)
    for part in language.lower().split("-")[1:]:
        if part in code.lower().split("-") or part == own:
            continue
        whole = f"{own}-{part}"
        if whole in _USUAL or _CODES.get(whole) == code or (len(part) == 4 and scripts_of(whole) == scripts_of(own)):
            continue
        return False
    return True


# Regions whose way of saying things is what the language alone means there.
_USUAL = frozenset({"en-us", "pt-br", "ja-jp", "ko-kr", "sv-se", "da-dk", "cs-cz", "el-gr", "uk-ua", "vi-vn", "he-il",
                    "nb-no", "sl-si", "et-ee", "hi-in", "fa-ir", "sr-rs"})  # fmt: skip


def path_for(root: str, version: str) -> str:
    """A resource with a name of its own has its API below a path."""
    return f"/translator/text/v{version}" if "cognitiveservices" in root or ".azure.com" in root else ""


def token_at(url: str | None, region: str | None) -> str:
    """Where a key is exchanged for a token: where its resource is, by its own address or by its region."""
    host = urlsplit(url or "").hostname or ""
    if url and not host.endswith(".microsofttranslator.com"):
        return f"{url.rstrip('/')}{_TOKEN}"
    place = "" if region in {None, "", "global"} else f"{region}."
    return f"https://{place}api.cognitive.microsoft.com{_TOKEN}"


def request_for(body: Mapping[str, Any], elements: Sequence[Element], model: str, version: str) -> tuple[str, Any]:
    """The query and the body of one request. All elements are of one kind."""
    source = body.get("source")
    category = body.get("domain") or (model if model != GENERAL else "")
    profanity = _PROFANITY.get(body.get("profanity", ""), "")
    codes = list(dict.fromkeys(map(code_for, body["targets"])))
    if version == V3:
        query = [("api-version", V3), *(("to", code) for code in codes)]
        query += [("from", code_for(source))] if source else []
        query += [("textType", "html")] if elements[0].html else []
        query += [("category", category)] if category else []
        query += [("profanityAction", profanity)] if profanity else []
        return urlencode(query), [{"Text": one.text} for one in elements]
    options = {"deploymentName": category} if category else {}
    options |= {"profanityAction": profanity} if profanity else {}
    targets = [{"language": code, **options} for code in codes]
    said = {"language": code_for(source)} if source else {}
    inputs = [{"text": one.text, "textType": "Html" if one.html else "Plain", **said, "targets": targets}
              for one in elements]  # fmt: skip
    return urlencode([("api-version", version)]), {"inputs": inputs}


def translation_from(found: Any, body: Mapping[str, Any], elements: Sequence[Element], version: str) -> Translation:
    """Malformed when it is not a translation of each text into each language."""
    if version != V3:
        found = found.get("value") if type(found) is dict else None
    if type(found) is not list or len(found) != len(elements):
        raise Malformed(f"the answer has no list of {len(elements)} translations")
    codes = list(dict.fromkeys(map(code_for, body["targets"])))
    return Translation(
        tuple(_translated(one, body, codes, element) for one, element in zip(found, elements, strict=True))
    )


def _translated(found: Any, body: Mapping[str, Any], codes: Sequence[str], element: Element) -> Translated:
    made = found.get("translations") if type(found) is dict else None
    if type(made) is not list or len(made) != len(codes) or not all(type(one) is dict for one in made):
        raise Malformed(f"the answer has a text that is not in {len(codes)} languages")
    texts = [one.get("text") for one in made]
    if not all(type(one) is str for one in texts):
        raise Malformed("the answer has a translation without a text")
    by_code = dict(zip(codes, texts, strict=True))
    detected = found.get("detectedLanguage")
    language = detected.get("language") if type(detected) is dict else body.get("source")
    score = detected.get("score") if type(detected) is dict else None
    return Translated(
        {one: text_from(by_code[code_for(one)], element, html=body["html"]) for one in body["targets"]},
        language if type(language) is str else None,
        float(score) if isinstance(score, int | float) else None,
    )


def read_error(status: int | None, raw: bytes, *, secrets: tuple[str, ...] = (), **facts: Any) -> TargetError:
    """Its refusals have a number whose first three digits are the status; that number is what they mean."""
    try:
        error = orjson.loads(raw).get("error")
        number = int(error.get("code"))
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
        return openai.read_error(status, raw, secrets=secrets, **facts)
    said = error.get("message")
    message = " ".join(redact(said, *secrets).split())[:500] if type(said) is str else f"error {number}"
    kind = _BY_CODE.get(number) or classify(status, None, None, "")
    if kind is RequestRefused and status == 400 and number // 1000 != 400:
        kind = ServerFault
    return kind(message, provider_status=status, code=str(number), **facts)
