"""An assistant's turn in Anthropic's Messages and as one canonical message, both ways. Pure.

A turn may think again between words and calls, and must come back as it was. A canonical message has its words,
calls and thoughts apart, so the items of its reasoning say where they stood: `place` is how many characters of the
content and how many calls came before a thought (nothing did where it is missing), and `calls`, where words follow a
call, how many characters came before each call.
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Any, Final

import orjson

from core.wire.anthropic.blocks import FORMAT, Body, block_of, dicts, listed, marked
from core.wire.seals import extra_opened, extra_sealed, opened, sealed, signature_of, unsigned

Place = tuple[int, int]

_IDENT: Final = re.compile(r"[a-zA-Z0-9_-]+")


class Places:
    """Where in a turn something is that comes now."""

    __slots__ = ("_calls", "_late", "_length")

    def __init__(self) -> None:
        self._length = 0
        self._calls: list[int] = []
        self._late = False

    def text(self, text: str) -> None:
        self._length += len(text)
        self._late = self._late or bool(text and self._calls)

    def call(self) -> None:
        self._calls.append(self._length)

    def here(self) -> Body:
        return {"place": [self._length, len(self._calls)]} if self._length or self._calls else {}

    def last(self) -> Body:
        """What the last item says of the calls."""
        return {"calls": self._calls} if self._late else {}


def unknown(block: Mapping[str, Any], where: str) -> str:
    return f"{where} was left out: {str(block.get('type'))[:50]} has no counterpart in a chat message"


def tool_id(ident: Any) -> Any:
    """What a call is named by: the same for the same, and in the letters that are taken here."""
    if not ident or (type(ident) is str and _IDENT.fullmatch(ident)):
        return ident
    return f"call_{sha256(str(ident).encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


# Blocks → message


def turn_from(blocks: Iterable[Mapping[str, Any]], where: str, losses: list[str]) -> Body:
    """An assistant's turn as one canonical message."""
    parts: list[Body] = []
    citations: list[Body] = []
    thoughts: list[str] = []
    details: list[Body] = []
    calls: list[Body] = []
    extra: Body | None = None  # of the call that follows
    places, length = Places(), 0
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text":
            text = str(block.get("text") or "")
            parts.append(marked({"type": "text", "text": text}, block))
            if cited := dicts(block.get("citations")):
                citations.append(citation(cited, text, length))
            length += len(text)
            places.text(text)
        elif kind == "redacted_thinking" and (found := extra_opened(str(block.get("data")))):
            extra = found
        elif kind in {"thinking", "redacted_thinking"}:
            thoughts.append(str(block.get("thinking") or ""))
            if detail := detail_of(block, len(details)):
                details.append(detail | places.here())
        elif kind == "tool_use":
            calls.append(marked({**call_of(block), **({"extra_content": extra} if extra else {})}, block))
            extra = None
            places.call()
        else:
            losses.append(unknown(block, f"{where}[{index}]"))
    if details:
        details[-1] |= places.last()
    message: Body = {"role": "assistant", "content": _content(parts, calls)}
    lists = {"reasoning_content": "".join(thoughts), "reasoning_details": details, "tool_calls": calls}
    return message | {name: items for name, items in {**lists, "citations": citations}.items() if items}


def _content(parts: list[Body], calls: list[Body]) -> str | list[Body] | None:
    if any("cache_control" in part for part in parts):
        return parts
    text = "".join(part["text"] for part in parts)
    return None if calls and not text else text


def detail_of(block: Mapping[str, Any], index: int) -> Body | None:
    """A reasoning item; None for a thought without a signature, which cannot be handed in again."""
    if data := block.get("data"):
        seal, maker = opened(str(data), FORMAT)
        return {"type": "reasoning.encrypted", "data": seal, "format": maker, "index": index}
    if not (signature := block.get("signature")):
        return None
    seal, maker = opened(str(signature), FORMAT)
    text = block.get("thinking") or ""
    return {"type": "reasoning.text", "text": text, **signature_of(seal), "format": maker, "index": index}


def call_of(block: Mapping[str, Any]) -> Body:
    arguments = orjson.dumps(block.get("input") or {}).decode()
    return {
        "id": block.get("id"),
        "type": "function",
        "function": {"name": block.get("name"), "arguments": arguments},
    }


def citation(cited: Iterable[Mapping[str, Any]], text: str, start: int) -> Body:
    """One canonical citation: the text that rests on it, and each place it was taken from."""
    sources = []
    for one in cited:
        index = one.get("document_index")
        found = {"type": "document", "id": str(index) if index is not None else one.get("source")}
        sources.append({**found, "document": {name: value for name, value in one.items() if value is not None}})
    return {"start": start, "end": start + len(text), "text": text, "sources": sources}


# Message → blocks


def turn_to(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool = False) -> list[Body]:
    """An assistant's turn as blocks; with `foreign`, others' reasoning is shown, as thoughts without a signature."""
    texts, calls = _texts(message, where, losses), _calls(message, where, losses, foreign=foreign)
    thoughts = _thoughts(message, where, losses, foreign=foreign)
    if refusal := message.get("refusal"):
        texts.append({"type": "text", "text": refusal})
    length = sum(_size(block) for block in texts)
    if any(place[0] > length or place[1] > len(calls) for place, _ in thoughts):
        losses.append(f"{where}'s reasoning stands elsewhere: the words or calls that it stood between are not there")
    details = dicts(message.get("reasoning_details"))
    offsets = next((found for one in details if (found := _numbers(one.get("calls")))), [])
    made = _woven([*thoughts, ((length + 1, len(calls)), None)], deque(texts), calls, offsets)
    return [block for block in made if not _is_blank(block)]


def _woven(
    thoughts: Iterable[tuple[Place, Body | None]],
    texts: deque[Body],
    calls: Sequence[list[Body]],
    offsets: Sequence[int],
) -> list[Body]:
    """All in its place; the last thought is none, and stands for the end."""
    made: list[Body] = []
    said = called = 0
    for (length, count), thought in thoughts:
        for number in range(called, min(count, len(calls))):
            until = min(offsets[number], length) if number < len(offsets) else length
            made += _taken(texts, until - said)
            made += calls[number]
            said = max(said, until)
        made += _taken(texts, length - said)
        said, called = max(said, length), max(called, count)
        if thought is not None:
            made.append(thought)
    return made


def _taken(texts: deque[Body], count: int) -> list[Body]:
    """So many characters from the front, of which the last block may be a part."""
    made: list[Body] = []
    while texts and count > 0:
        block = texts.popleft()
        size = _size(block)
        if size > count:
            texts.appendleft({**block, "text": block["text"][count:]})
            block = {name: value for name, value in block.items() if name != "cache_control"}
            block["text"] = block["text"][:count]
        made.append(block)
        count -= size
    return made


def _size(block: Body) -> int:
    return len(block["text"]) if block["type"] == "text" else 0


def _is_blank(block: Body) -> bool:
    """A text that would be refused."""
    return block["type"] == "text" and not block["text"].strip()


def _texts(message: Mapping[str, Any], where: str, losses: list[str]) -> list[Body]:
    """Also those with nothing in them, which count for the places of thoughts."""
    content, cited = message.get("content"), message.get("citations")
    if type(content) is str and cited:
        return _cited_texts(content, cited)
    made = []
    for index, part in enumerate(listed(content, f"{where}.content")):
        block = block_of(part, f"{where}.content[{index}]", losses)
        if block is None and part["type"] == "text":
            block = {"type": "text", "text": str(part.get("text") or "")}
        if block is not None:
            made.append(block)
    filled = [block for block in made if not _is_blank(block)]
    if filled and (marker := message.get("cache_control")):
        filled[-1]["cache_control"] = marker
    return made


def _cited_texts(content: str, cited: Any) -> list[Body]:
    """The text cut where what is cited begins and ends, as far as there are words for the places it is cited from."""
    blocks: list[Body] = []
    at = 0
    spans = sorted((one for one in _spans(cited) if places_of(one)), key=_ends)
    for (start, end), group in groupby(spans, key=_ends):
        if start < at or end <= start:
            continue  # it lies within another
        if plain := content[at:start]:
            blocks.append({"type": "text", "text": plain})
        places = [place for one in group for place in places_of(one)]
        blocks.append({"type": "text", "text": content[start:end], "citations": places})
        at = end
    if content[at:]:
        blocks.append({"type": "text", "text": content[at:]})
    return blocks


def _spans(cited: Any) -> list[Body]:
    """What of the citations says where it begins and ends: clients may hand in anything."""
    return [one for one in dicts(cited) if type(one.get("start")) is type(one.get("end")) is int]


def _ends(one: Body) -> tuple[int, int]:
    return max(one["start"], 0), one["end"]


def places_of(cited: Mapping[str, Any]) -> list[Body]:
    """Where a canonical citation was taken from, in this dialect's own words."""
    found = dicts([one.get("document") for one in dicts(cited.get("sources"))])
    return [one for one in found if one.get("type") and one.get("cited_text") is not None]


def _calls(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool) -> list[list[Body]]:
    """The blocks of each call, of which one that is left out has none."""
    made: list[list[Body]] = []
    for index, call in enumerate(message.get("tool_calls") or ()):
        at = f"{where}.tool_calls[{index}]"
        function = call.get("function") if type(call) is dict else None
        if type(function) is not dict:
            losses.append(f"{at} was left out: only calls of functions are taken here")
            made.append([])
            continue
        extra = call.get("extra_content") if foreign else None
        blocks: list[Body] = [{"type": "redacted_thinking", "data": extra_sealed(extra)}] if extra else []
        block = {"type": "tool_use", "id": tool_id(call.get("id")), "name": function.get("name")}
        blocks.append(marked({**block, "input": _input_of(function.get("arguments"), at, losses)}, call))
        made.append(blocks)
    return made


def _input_of(arguments: Any, where: str, losses: list[str]) -> Body:
    try:
        value = arguments if type(arguments) is dict else orjson.loads(arguments) if arguments else {}
    except (orjson.JSONDecodeError, TypeError):
        value = None
    if type(value) is dict:
        return value
    losses.append(f"{where}.function.arguments are no JSON object and were passed on as a text in one")
    return {"arguments": str(arguments)}


def _thoughts(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool) -> list[tuple[Place, Body]]:
    """What can be handed in again, with its place in the turn; with `foreign`, to whoever wrote it."""
    details = dicts(message.get("reasoning_details"))
    made: list[tuple[Place, Body]] = []
    for one in sorted(details, key=_index):
        maker = one.get("format")
        if maker != FORMAT and not foreign:
            continue
        if one.get("type") == "reasoning.encrypted" and one.get("data"):
            block = {"type": "redacted_thinking", "data": sealed(one["data"], maker, FORMAT)}
        elif one.get("signature"):
            seal = sealed(one["signature"], maker, FORMAT)
            block = {"type": "thinking", "thinking": one.get("text") or "", "signature": seal}
        elif foreign and one.get("text"):
            block = {"type": "thinking", "thinking": one["text"], "signature": unsigned(one, FORMAT)}
        else:
            continue
        length, count = (*_numbers(one.get("place")), 0, 0)[:2]
        made.append(((length, count), block))
    text = message.get("reasoning_content") or message.get("reasoning")
    if text and foreign and not any(block.get("thinking") for _, block in made):
        return [((0, 0), {"type": "thinking", "thinking": str(text), "signature": ""}), *made]
    if (text or details) and not made:
        losses.append(f"{where}'s reasoning was left out: it was not written by this provider")
    return made


def _index(detail: Body) -> int:
    index = detail.get("index")
    return index if type(index) is int else 0


def _numbers(given: Any) -> list[int]:
    """Numbers as we wrote them; nothing where somebody else did."""
    return given if type(given) is list and all(type(one) is int and one >= 0 for one in given) else []
