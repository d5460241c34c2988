"""How simulated translators translate: word by word, really in the other language, always the same."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from core.wire.translation.function_words import hits, languages, words_of
from core.wire.translation.languages import base, code_of, scripts_of
from infra.local.simulators.vocabulary import LANGUAGES, back, into, unheard_of

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TAG = re.compile(r"<[^<>]*>")
_HTML = re.compile(
    r"""(<(\w+)\b[^<>]*(?:\bnotranslate\b|translate="no")[^<>]*>.*?</\2\s*>|<(script|style)\b.*?</\3\s*>|<[^<>]*>|&\#?\w+;)""",
    re.DOTALL,
)
_ORDER = re.compile(r'Translate each text in "texts" (?:from [^\n.]*?\(?([\w-]+)\)? )?into ([^\n.]*?)\.\s*\n')
_CODE = re.compile(r"\(([\w-]+)\)$")
_INFORMAL = {"de": {"Sie": "du", "Ihr": "dein"}, "fr": {"vous": "tu", "votre": "ton"},
             "es": {"usted": "tú", "su": "tu"}}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Task:
    """What somebody asked a language model to translate."""

    texts: tuple[str, ...]
    target: str
    source: str | None = None
    informal: bool = False
    glossary: dict[str, str] = field(default_factory=dict)


def detect(text: str) -> tuple[str, float]:
    """The language of a text by its small words, else by the words that are known here."""
    words = [word.lower() for word in _WORD.findall(_TAG.sub(" ", text))]
    if any("\u3040" <= one <= "\u30ff" for one in text):
        return "ja", 1.0
    if any("\u4e00" <= one <= "\u9fff" for one in text):
        return "zh-Hans", 1.0
    found = hits(words)
    for language in LANGUAGES:
        found[language] = found.get(language, 0) + sum(word in back(language) for word in words)
    best = max(found, key=lambda one: (found[one], one == "en"))
    return (best, 1.0) if found[best] else ("en", 0.5)


def translate(text: str, target: str, source: str | None = None, *, informal: bool = False) -> str:
    """Every word of a text; what is between tags is a text of its own, tags stay."""
    spoken = base(source or detect(text)[0])
    if spoken == base(target):
        return text
    made, at = [], 0
    for tag in _TAG.finditer(text):
        made += [_words(text[at : tag.start()], spoken, target, informal=informal), tag[0]]
        at = tag.end()
    return "".join([*made, _words(text[at:], spoken, target, informal=informal)])


def translate_html(text: str, target: str, source: str | None = None) -> str:
    """The same of HTML: what is not to be translated stays, with all tags and entities."""
    spoken = base(source or detect(_HTML.sub(" ", text))[0])
    if spoken == base(target):
        return text
    made, at = [], 0
    for kept in _HTML.finditer(text):
        made += [_words(text[at : kept.start()], spoken, target), kept[0]]
        at = kept.end()
    return "".join([*made, _words(text[at:], spoken, target)])


def _words(text: str, spoken: str, target: str, *, informal: bool = False) -> str:
    def said(match: re.Match[str]) -> str:
        word = _word(match[0], spoken, target)
        if informal:
            word = _INFORMAL.get(base(target), {}).get(word, word)
        return word[0].upper() + word[1:] if match[0][0].isupper() else word

    found = _WORD.findall(text)
    whole = "".join(found)
    if whole and not whole.isascii() and spoken in {"ja", "zh"}:
        return _without_spaces(text, spoken, target)
    return _WORD.sub(said, text)


def _word(word: str, spoken: str, target: str) -> str:
    english = back(spoken).get(word.lower()) if spoken in LANGUAGES else None
    wanted = base(target)
    if wanted in LANGUAGES and english is not None:
        return into(wanted)[english]
    if wanted in languages() and wanted not in LANGUAGES and english is not None:
        small = sorted(words_of(wanted))
        return small[sum(map(ord, english)) % len(small)]
    scripts = scripts_of(target)
    # Names stay, where they can be read.
    if "LATIN" in scripts and word[0].isupper() and spoken != "de":
        return word
    return unheard_of(word, wanted, scripts)


def _without_spaces(text: str, spoken: str, target: str) -> str:
    """The longest known words first, in a text that does not say where they end."""
    known = sorted(back(spoken), key=len, reverse=True)
    made, at = [], 0
    while at < len(text):
        word = next((one for one in known if text.startswith(one, at)), text[at])
        if word.isalpha():
            made.append(_word(word, spoken, target) + " ")
        else:
            made.append(word)
        at += len(word)
    return "".join(made).strip()


def task_in(said: Iterable[str]) -> Task | None:
    """The order to translate among what was said to a model, and the texts in its JSON."""
    whole = "\n".join(said)
    order = _ORDER.search(whole + "\n")
    start = whole.find('{"texts":', order.end()) if order else -1
    if order is None or start < 0:
        return None
    try:
        data: dict[str, Any] = json.JSONDecoder().raw_decode(whole, start)[0]
    except ValueError:
        return None
    code = _CODE.search(order[2])
    target = code_of(code[1] if code else order[2]) or order[2]
    return Task(tuple(data["texts"]), target, order[1], "reader informally" in whole, dict(data.get("glossary") or {}))


def answer(task: Task) -> str:
    """What a model that does as it is told would say."""
    sources = [task.source or detect(text)[0] for text in task.texts]
    made = [_by_glossary(text, task, source) for text, source in zip(task.texts, sources, strict=True)]
    return orjson.dumps({"source_languages": sources, "translations": made}).decode()


def _by_glossary(text: str, task: Task, source: str) -> str:
    marks: list[str] = []
    for term, wanted in task.glossary.items():
        text = re.sub(rf"(?<!\w){re.escape(term)}(?!\w)", f"<g{len(marks)}/>", text, flags=re.IGNORECASE)
        marks.append(wanted)
    made = translate(text, task.target, source, informal=task.informal)
    return re.sub(r"<g(\d+)/>", lambda found: marks[int(found[1])], made)
