"""Azure Translator, versions 3.0 and 2026-06-06, by its documentation; it translates as translating.py does."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import orjson

from core.languages import NAMES, base_of
from core.wire.scripts import scripts_of
from infra.local.simulators.errors import refusal
from infra.local.simulators.replies import Call, Reply, json_reply
from infra.local.simulators.translating import detect as detected
from infra.local.simulators.translating import translate as translated
from infra.local.simulators.translating import translate_html

KEYS = ("ocp-apim-subscription-key", "authorization")
V3, V2026 = "3.0", "2026-06-06"
MOST_CHARACTERS, MOST_ELEMENTS, MOST_DETECTED = 50_000, 1000, 100
_REGIONS = ("fr-CA", "pt-PT", "zh-Hans", "zh-Hant", "sr-Cyrl", "sr-Latn", "mn-Cyrl")
# What it does not translate, so that who asks for it is sent elsewhere.
_UNKNOWN = frozenset({"la", "eo", "yi", "no", "zh", "sr", "mn"})
LANGUAGES = {code: code for code in (*(one for one in NAMES if "-" not in one and one not in _UNKNOWN), *_REGIONS)}
_PARAMETERS = frozenset({
    "api-version", "to", "from", "category", "textType", "profanityAction", "profanityMarker", "includeAlignment",
    "includeSentenceLength", "suggestedFrom", "fromScript", "toScript", "allowFallback",
})  # fmt: skip
_SWEARING = re.compile(r"\b(damn|verdammt)\b", re.IGNORECASE)
_CATEGORIES = ("general", "generalnn")


class RefusedError(Exception):
    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number, self.message = number, message


def translate(call: Call) -> Reply:
    try:
        query = parse_qs(call.request.query, keep_blank_values=True)
        version = _version(query)
        _check_region(call)
        body = _json(call)
        return _v3(call, query, body) if version == V3 else _v2026(call, body)
    except RefusedError as error:
        return _refused(call, error)


def detect(call: Call) -> Reply:
    try:
        if _version(parse_qs(call.request.query)) != V3:
            raise RefusedError(404001, "The requested resource is not found.")  # noqa: TRY301 - answered below
        texts = _texts(_json(call), "Text")
        if len(texts) > MOST_DETECTED:
            raise RefusedError(400072, "The maximum number of elements is exceeded.")  # noqa: TRY301 - answered below
    except RefusedError as error:
        return _refused(call, error)
    found = (detected(text) for text in texts)
    supported = {"isTranslationSupported": True, "isTransliterationSupported": False}
    return json_reply([{"language": language, "score": score, **supported} for language, score in found])


def spoken(call: Call) -> Reply:
    """What it translates; who asks need not say who he is."""
    if "api-version" not in parse_qs(call.request.query):
        return _refused(call, RefusedError(400021, "The API version parameter is missing or invalid."))
    named = {
        code: {"name": NAMES.get(code.lower(), code), "nativeName": code,
               "dir": "rtl" if scripts_of(code) & {"ARABIC", "HEBREW"} else "ltr"}
        for code in LANGUAGES
    }  # fmt: skip
    return json_reply({"translation": named})


def _v3(call: Call, query: dict[str, list[str]], body: Any) -> Reply:
    if unknown := query.keys() - _PARAMETERS:
        raise RefusedError(400000, f"The request input {min(unknown)} is not valid.")
    texts = _texts(body, "Text")
    codes = query.get("to") or []
    if not codes:
        raise RefusedError(400036, "The target language is not valid.")
    source = query.get("from", [None])[0]
    kind = query.get("textType", ["plain"])[0].lower()
    if kind not in {"plain", "html"}:
        raise RefusedError(400032, "The text type is not valid.")
    _check_languages(codes, source)
    _check_category(query.get("category", ["general"])[0])
    _check_size(sum(map(len, texts)) * len(codes), len(texts))
    action = query.get("profanityAction", ["NoAction"])[0]
    items = []
    for text in texts:
        language, score = (source, 1.0) if source else _detected(text, html=kind == "html")
        made = [{"text": _said(text, code, language, action, html=kind == "html"), "to": code} for code in codes]
        told = {} if source else {"detectedLanguage": {"language": language, "score": score}}
        items.append({**told, "translations": made})
    return _metered(call, items, sum(map(len, texts)) * len(codes))


def _v2026(call: Call, body: Any) -> Reply:
    inputs = body.get("inputs") if isinstance(body, dict) else None
    texts = _texts(inputs, "text")
    items, count = [], 0
    for text, one in zip(texts, inputs or (), strict=True):
        if unknown := one.keys() - {"text", "language", "script", "textType", "targets"}:
            raise RefusedError(400000, f"The request input {min(unknown)} is not valid.")
        targets = one.get("targets")
        if not isinstance(targets, list) or not targets:
            raise RefusedError(400036, "The target language is not valid.")
        html = str(one.get("textType", "Plain")).lower() == "html"
        source = one.get("language")
        _check_languages([target.get("language") for target in targets], source)
        language, score = (source, 1.0) if source else _detected(text, html=html)
        made = []
        for target in targets:
            _check_category(target.get("deploymentName", "general"))
            if target.get("tone") and target.get("deploymentName", "general") == "general":
                raise RefusedError(400000, "The request input tone is not valid: it needs a language model.")
            action = target.get("profanityAction", "NoAction")
            said = _said(text, target["language"], language, action, html=html)
            made.append({"language": target["language"], "text": said, "sourceCharacters": len(text)})
        told = {} if source else {"detectedLanguage": {"language": language, "score": score}}
        items.append({**told, "translations": made})
        count += len(text) * len(targets)
    _check_size(count, len(texts))
    return _metered(call, {"value": items}, count)


def _detected(text: str, *, html: bool) -> tuple[str, float]:
    return detected(re.sub(r"<[^<>]*>", " ", text) if html else text)


def _said(text: str, code: str, source: str, action: str, *, html: bool) -> str:
    """As plain text all words are words, those of placeholders too."""
    made = translate_html(text, code, source) if html else translated(text, code, source)
    if action == "Marked":
        return _SWEARING.sub("***", made)
    return _SWEARING.sub("", made) if action == "Deleted" else made


def _metered(call: Call, content: Any, count: int) -> Reply:
    reply = json_reply(content)
    about = {"x-requestid": f"req_{call.id}", "x-metered-usage": str(count), "x-mt-system": "Microsoft"}
    return replace(reply, headers={**reply.headers, **about})


def _refused(call: Call, error: RefusedError) -> Reply:
    content = {"error": {"code": error.number, "message": error.message}}
    return replace(refusal(call.vendor, error.number // 1000), body=orjson.dumps(content))


def _version(query: dict[str, list[str]]) -> str:
    version = query.get("api-version", [""])[0]
    if version not in {V3, V2026}:
        raise RefusedError(400021, "The API version parameter is missing or invalid.")
    return version


def _check_region(call: Call) -> None:
    """Keys of a region are good there alone."""
    key, region = (call.request.headers.get(name) for name in (KEYS[0], "ocp-apim-subscription-region"))
    if (key or "").startswith("regional") and not region:
        raise RefusedError(401000, "The request is not authorized because credentials are missing or invalid.")


def _json(call: Call) -> Any:
    if "application/json" not in call.request.headers.get("content-type", ""):
        raise RefusedError(415000, "The Content-Type header is missing or invalid.")
    try:
        return orjson.loads(call.request.body)
    except orjson.JSONDecodeError:
        raise RefusedError(400074, "The body of the request is not valid JSON.") from None


def _texts(given: Any, name: str) -> list[str]:
    if not isinstance(given, list) or not given:
        raise RefusedError(400000, "One of the request inputs is not valid.")
    texts = [one.get(name, one.get("text")) if isinstance(one, dict) else None for one in given]
    if not all(isinstance(text, str) for text in texts):
        raise RefusedError(400000, "One of the request inputs is not valid.")
    return [str(text) for text in texts]


def _check_languages(codes: list[Any], source: str | None) -> None:
    for code in codes:
        if code not in LANGUAGES:
            raise RefusedError(400036, "The target language is not valid.")
    if source is not None and source not in LANGUAGES and base_of(source) not in LANGUAGES:
        raise RefusedError(400035, "The source language is not valid.")


def _check_category(category: str) -> None:
    if category not in _CATEGORIES and not category.startswith("custom-"):
        raise RefusedError(400079, "The custom system requested for translation does not exist.")


def _check_size(count: int, elements: int) -> None:
    if count > MOST_CHARACTERS:
        raise RefusedError(400077, "The maximum request size has been exceeded.")
    if elements > MOST_ELEMENTS:
        raise RefusedError(400072, "The maximum number of elements is exceeded.")
