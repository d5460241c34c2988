"""A simulated model that is asked to edit a text: it reads the text and does it, by rule."""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import orjson

# A fault: a number or a negation of the text is another, or somebody agrees who is not in it.
WRONG_WORDS: ContextVar[bool] = ContextVar("wrong_words", default=False)

_FENCED = re.compile(r"(`{3,})json\n(.*)\n\1", re.DOTALL)
_SOUNDS = re.compile(r"and these sounds: (.*)\.$", re.MULTILINE)
_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_TASK = re.compile(r"(\w+) will ((?:\w+ ?)+)")
_DUE = re.compile(r"\b(?:on|by|until) (\w+)$")
_NEGATION = re.compile(r"\b(?:not|never|no|nicht|kein|pas)\b ?")
_SHORT = 15  # words of a summary


def edited(messages: Sequence[Mapping[str, Any]], schema: Any) -> dict[str, Any] | None:
    """What the instructions ask for; None where nobody asks to have a text edited."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    told = " ".join(_text(one) for one in messages if one["role"] in ("system", "developer"))
    if not properties or not told.startswith("You edit text."):
        return None
    data = next((found for one in messages if one["role"] == "user" and (found := _data(_text(one)))), None)
    if data is None:
        return None
    match = _SOUNDS.search(told)
    return _Editor(match[1].split(", ") if match else []).answer(properties, data)


class _Editor:
    def __init__(self, sounds: Sequence[str]) -> None:
        self._sounds = set(sounds)

    def answer(self, properties: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        pieces = [one["text"] for one in data.get("segments", ())] or data.get("paragraphs") or data["summaries"]
        words = " ".join(self._clean(one) for one in pieces)
        actions = [_action(*found) for found in _TASK.findall(words)]
        summary = _ended(" ".join(words.split()[:_SHORT]))
        made: dict[str, Any] = {
            "segments": lambda: [
                {"n": one["n"], **self._titled(properties["segments"], one["text"])} for one in data["segments"]
            ],
            "paragraphs": lambda: [
                self._titled(properties["paragraphs"], part) for one in pieces for part in self._divided(one)
            ],
            "summary": lambda: summary,
            "action_items": lambda: actions,
            "names": lambda: sorted({one["owner"] for one in actions if one["owner"]}),
        }
        return {name: made[name]() for name in properties if name in made}

    def _titled(self, listed: Mapping[str, Any], text: str) -> dict[str, str]:
        clean = self._clean(text)
        given = {"heading": " ".join(clean.rstrip(".").split()[:3]), "text": _wrong(clean)}
        return {name: given[name] for name in listed["items"]["properties"] if name in given}

    def _divided(self, text: str) -> list[str]:
        """Paragraphs of three sentences."""
        sentences = [one.strip() for one in _SENTENCE.findall(text) if one.strip()] or [text]
        return [" ".join(sentences[at : at + 3]) for at in range(0, len(sentences), 3)]

    def _clean(self, text: str) -> str:
        words = [one for one in text.split() if one.strip(".,!?…").lower() not in self._sounds]
        return " ".join(_ended(one.strip()) for one in _SENTENCE.findall(" ".join(words)) if one.strip())


def _wrong(text: str) -> str:
    if not WRONG_WORDS.get():
        return text
    if number := re.search(r"\d+", text):
        return f"{text[: number.start()]}{int(number[0]) + 1}{text[number.end() :]}"
    without = _NEGATION.sub("", text, count=1)
    return f"{text} Robert agreed." if without == text else without


def _action(owner: str, task: str) -> dict[str, str]:
    due = _DUE.search(task.strip())
    return {
        "task": _ended(f"{owner} will {task.strip()}"),
        "owner": owner if owner[:1].isupper() else "",
        "due": due[1] if due else "",
    }


def _ended(sentence: str) -> str:
    """With a capital letter at its beginning and a mark at its end."""
    whole = sentence[:1].upper() + sentence[1:]
    return whole if not whole or re.search(r"[.!?。！？]$", whole) else f"{whole}."


def _data(said: str) -> dict[str, Any] | None:
    match = _FENCED.search(said)
    return orjson.loads(match[2]) if match else None


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(part.get("text") or "" for part in content)
