"""What is asked of every provider of the table, by capability and feature, and what has to come back."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.capabilities import Capability, Feature
from core.config.catalog import Catalog, Model, load
from core.providers.row import Row
from core.providers.table import TABLE
from tests.contract.cases import NATIVE, Mode
from tests.contract.talk import Heard, ask, said_by
from tests.harness import Server

# A picture and a sound that are really one: what is not would be found out on its way.
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQ"
    "AAAABJRU5ErkJggg=="
)
PDF = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAgD4AAAB9AAACABAAZGF0YQAAAAA="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": parts[0] if len(parts) == 1 else list(parts)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def image(url: str = PNG) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


@dataclass(frozen=True)
class Cell:
    """A feature of chat: what to ask so that it is needed, and what shows that it was there."""

    feature: Feature | None
    body: dict[str, Any]
    check: Callable[[Heard], None]


def _said(answer: Heard) -> None:
    assert answer.text == said_by(answer)


def _called(answer: Heard) -> None:
    (call,) = calls_of(answer)
    assert call["function"]["name"] == "get_weather"
    assert list(json.loads(call["function"]["arguments"])) == ["place"]
    assert call["id"]
    assert finish_of(answer) == "tool_calls"


def _fits(answer: Heard) -> None:
    found = json.loads(answer.text)
    assert set(found) == {"city", "days"}
    assert isinstance(found["days"], int)


def _cited(answer: Heard) -> None:
    found = answer.body.get("citations") or [
        one for event in answer.events for choice in event["choices"] for one in choice["delta"].get("citations") or ()
    ]
    assert found
    assert all(one["sources"] and one["end"] > one["start"] >= 0 for one in found)


CELLS = (
    Cell(None, {"messages": [user("Hello")]}, _said),
    Cell(Feature.TOOLS, {"messages": [user("get_weather please")], "tools": [WEATHER]}, _called),
    Cell(
        Feature.VISION, {"messages": [user(text("Look"), image())]}, lambda answer: _has(answer, "I was given 1 image")
    ),
    Cell(
        Feature.AUDIO,
        {"messages": [user(text("Listen"), {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}})]},
        lambda answer: _has(answer, "1 audio part"),
    ),
    Cell(
        Feature.FILES,
        {"messages": [user(text("Read"), {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}})]},
        lambda answer: _has(answer, "I was given 1 file"),
    ),
    Cell(
        Feature.JSON_MODE,
        {"messages": [user("Hello in JSON")], "response_format": {"type": "json_object"}},
        lambda answer: _is_object(answer.text),
    ),
    Cell(
        Feature.JSON_SCHEMA,
        {
            "messages": [user("A trip, in JSON")],
            "response_format": {"type": "json_schema", "json_schema": {"name": "trip", "schema": SCHEMA}},
        },
        _fits,
    ),
    Cell(
        Feature.DOCUMENTS,
        {"messages": [user("Who won?")], "documents": [{"id": "d1", "title": "Cup", "text": "The reds won the cup."}]},
        _cited,
    ),
)


def _has(answer: Heard, words: str) -> None:
    assert words in answer.text


def _is_object(said: str) -> None:
    assert isinstance(json.loads(said), dict)


def calls_of(answer: Heard) -> list[dict[str, Any]]:
    """The tool calls of an answer, put together where they came in pieces."""
    if not answer.events:
        return list(answer.body.get("tool_calls") or ())
    made: dict[int, dict[str, Any]] = {}
    for event in answer.events:
        for choice in event.get("choices") or ():
            for piece in choice["delta"].get("tool_calls") or ():
                call = made.setdefault(piece["index"], {"type": "function", "function": {"arguments": ""}})
                function = piece.get("function") or {}
                call["function"]["arguments"] += function.get("arguments") or ""
                if function.get("name"):
                    call["function"]["name"] = function["name"]
                call |= {name: value for name, value in piece.items() if name not in {"index", "function"} and value}
    return [made[index] for index in sorted(made)]


def finish_of(answer: Heard) -> str | None:
    if not answer.events:
        found: str | None = answer.body["finish_reason"]
        return found
    reasons = [choice.get("finish_reason") for event in answer.events for choice in event.get("choices") or ()]
    return next((reason for reason in reasons if reason), None)


@cache
def catalog() -> Catalog:
    return load()


def chatting() -> list[Row]:
    return [row for row in TABLE if Capability.CHAT in row.capabilities]


def models_of(row: Row) -> Iterator[Model]:
    """The default one first."""
    default = row.default_models.get(Capability.CHAT)
    found = [model for model in catalog().models if model.provider == row.name and model.capability == "chat"]
    active = [model for model in found if model.lifecycle == "active"]
    yield from sorted(active, key=lambda model: model.id != default)


def model_with(row: Row, *features: Feature) -> str | None:
    """A model that the table and the catalogue say has them; None when they say that there is none."""
    needed, default = set(features), row.default_models.get(Capability.CHAT)
    known = list(models_of(row))
    found = next((model.id for model in known if needed <= model.features), None)
    if found is not None or not needed <= row.features:
        return found
    if default is not None and all(model.id != default for model in known):
        return default
    return "acme/unheard-of"  # what nobody knows has what its row says


def asked(gateway: Server, row: Row, model: str | None, cell: Cell, mode: Mode) -> Heard:
    fields: dict[str, Any] = {"model": model} if model else {}
    return ask(gateway, NATIVE, mode, provider=row.name, fallback=False, **cell.body, **fields)
