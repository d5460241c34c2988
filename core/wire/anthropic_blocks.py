"""Content blocks of Anthropic's Messages and parts of canonical messages, both ways. Pure.

An assistant's turn is the same in a request and in an answer, so both are read and made here.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

import orjson

from core.errors import BadRequest
from core.wire.chat import check_type
from core.wire.media import kind_within
from core.wire.seals import extra_opened, extra_sealed, opened, sealed

Body = dict[str, Any]

FORMAT: Final = "anthropic-claude-v1"  # of reasoning that only this vendor can read again
_PDF, _PLAIN = "application/pdf", "text/plain"
_DOCUMENT_FIELDS = ("title", "context", "citations")


def listed(content: Any, where: str) -> list[Body]:
    """Content as blocks; a string is short for one block of text."""
    if content is None:
        return []
    if type(content) is str:
        return [{"type": "text", "text": content}]
    check_type(where, content, (str, list))
    for index, block in enumerate(content):
        if type(block) is not dict or type(block.get("type")) is not str:
            words = f"{where}[{index}] must be an object with a type"
            raise BadRequest(words, param=f"{where}[{index}]", code="invalid_type")
    blocks: list[Body] = content
    return blocks


def dicts(given: Any) -> list[Body]:
    """The objects of a list, where there is one: what nobody has checked may be anything."""
    return [one for one in given if type(one) is dict] if type(given) is list else []


def marked(made: Body, source: Mapping[str, Any]) -> Body:
    """With the cache marker that the source has."""
    if marker := source.get("cache_control"):
        made["cache_control"] = marker
    return made


# Blocks → parts


def part_from(block: Mapping[str, Any], where: str, losses: list[str]) -> Body | None:
    """A canonical part; None and a loss when there is none for it."""
    kind = block["type"]
    if kind == "text":
        check_type(f"{where}.text", block.get("text"), (str,))
        return marked({"type": "text", "text": block["text"]}, block)
    if kind == "search_result":
        return marked({"type": "text", "text": _found(block, where)}, block)
    made = None
    if kind in {"image", "document"}:
        check_type(f"{where}.source", block.get("source"), (dict,))
        if kind == "document" and (text := _text_in(block)) is not None:
            if _is_cited(block):
                losses.append(f"{where}.citations was left out: what is said is not cited in a chat request")
            return marked({"type": "text", "text": text}, block)
        made = (_image_from if kind == "image" else _document_from)(block["source"])
    if made is None:
        losses.append(f"{where} was left out: {_said(kind)} has no counterpart in a chat request")
        return None
    if kind == "document":
        made["file"] |= {"filename": block["title"]} if block.get("title") else {}
        made |= {"context": block["context"]} if block.get("context") else {}
        made |= {"citations": block["citations"]} if _is_cited(block) else {}
    return marked(made, block)


def _said(kind: Any) -> str:
    """A word of the caller's, which may be anything, as it can be repeated."""
    return str(kind)[:50]


def _found(block: Mapping[str, Any], where: str) -> str:
    inside = listed(block.get("content"), f"{where}.content")
    texts = [str(one.get("text") or "") for one in inside]
    return "\n".join([str(block.get("title") or ""), str(block.get("source") or ""), *texts]).strip()


def _image_from(source: Mapping[str, Any]) -> Body | None:
    url = _url_from(source)
    return {"type": "image_url", "image_url": {"url": url}} if url else None


def _text_in(document: Mapping[str, Any]) -> str | None:
    """A document that is text, as everybody reads it: what it is called, what it is, what stands in it."""
    source = document["source"]
    if source.get("type") == "text":
        inside = source.get("data")
    elif source.get("type") == "content":
        content = source.get("content")
        inside = "\n".join(str(one.get("text") or "") for one in dicts(content)) if type(content) is list else content
    else:
        return None
    return "\n".join(str(one) for one in (document.get("title"), document.get("context"), inside) if one)


def _is_cited(document: Mapping[str, Any]) -> bool:
    asked = document.get("citations")
    return type(asked) is dict and bool(asked.get("enabled"))


def _document_from(source: Mapping[str, Any]) -> Body | None:
    if source.get("type") == "file":
        return {"type": "file", "file": {"file_id": source.get("file_id")}}
    url = _url_from(source)
    if url is None:
        return None
    name = "file_data" if url.startswith("data:") else "file_url"
    return {"type": "file", "file": {name: url}}


def _url_from(source: Mapping[str, Any]) -> str | None:
    if source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = source.get("url")
    return url if source.get("type") == "url" and type(url) is str else None


def turn_from(blocks: Iterable[Mapping[str, Any]], where: str, losses: list[str]) -> Body:
    """An assistant's turn as one canonical message. A reasoning item's index is the place of its block."""
    parts: list[Body] = []
    citations: list[Body] = []
    message: Body = {"role": "assistant", "content": None}
    thoughts: list[str] = []
    details: list[Body] = []
    calls: list[Body] = []
    extra: Body | None = None  # of the call that follows
    length = 0
    for index, block in enumerate(blocks):
        kind = block["type"]
        if kind == "text":
            text = str(block.get("text") or "")
            parts.append(marked({"type": "text", "text": text}, block))
            if cited := dicts(block.get("citations")):
                citations.append(citation(cited, text, length))
            length += len(text)
        elif kind == "redacted_thinking" and (found := extra_opened(str(block.get("data")))):
            extra = found
        elif kind in {"thinking", "redacted_thinking"}:
            thoughts.append(str(block.get("thinking") or ""))
            if detail := detail_of(block, index):
                details.append(detail)
        elif kind == "tool_use":
            calls.append(marked({**call_of(block), **({"extra_content": extra} if extra else {})}, block))
            extra = None
        else:
            losses.append(f"{where}[{index}] was left out: {_said(kind)} has no counterpart in a chat message")
    if parts:
        whole = any("cache_control" in part for part in parts)
        message["content"] = parts if whole else "".join(part["text"] for part in parts)
    if thought := "".join(thoughts):
        message["reasoning_content"] = thought
    lists = {"reasoning_details": details, "tool_calls": calls, "citations": citations}
    return message | {name: items for name, items in lists.items() if items}


def detail_of(block: Mapping[str, Any], index: int) -> Body | None:
    """A reasoning item; None for a thought without a signature, which cannot be handed in again."""
    if data := block.get("data"):
        seal, maker = opened(str(data), FORMAT)
        return {"type": "reasoning.encrypted", "data": seal, "format": maker, "index": index}
    if not (signature := block.get("signature")):
        return None
    seal, maker = opened(str(signature), FORMAT)
    text = block.get("thinking") or ""
    return {"type": "reasoning.text", "text": text, "signature": seal, "format": maker, "index": index}


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


# Parts → blocks


def block_of(part: Mapping[str, Any], where: str, losses: list[str]) -> Body | None:
    """A block; None for a text with nothing in it, which would be refused, and for what there is no block for."""
    kind = part.get("type")
    if kind in {"text", "refusal"}:
        text = str(part.get(kind) or "")
        return marked({"type": "text", "text": text}, part) if text.strip() else None
    source = None
    if kind == "image_url":
        image = part["image_url"]
        source = _source_of(image.get("url"))
        if image.get("detail") in ("low", "high"):  # a tuple: it may be anything
            losses.append(f"{where}.image_url.detail was left out: images have no levels of detail here")
    elif kind == "file" and type(part.get("file")) is dict:
        source = _file_source(part["file"])
    if source is None:
        losses.append(f"{where} was left out: {_said(kind)} of this form is not taken here")
        return None
    if kind == "image_url":
        return marked({"type": "image", "source": source}, part)
    block = {"type": "document", "source": source, "title": part["file"].get("filename"), **_about(part)}
    return marked({name: value for name, value in block.items() if value}, part)


def _about(part: Mapping[str, Any]) -> Body:
    return {name: part[name] for name in _DOCUMENT_FIELDS if part.get(name)}


def _source_of(url: Any) -> Body | None:
    if type(url) is not str:
        return None
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    head, comma, data = url.partition(",")
    media_type = kind_within(data) or head.removeprefix("data:").partition(";")[0]
    return {"type": "base64", "media_type": media_type, "data": data} if comma else None


def _file_source(file: Mapping[str, Any]) -> Body | None:
    data, name = file.get("file_data"), file.get("file_id")
    if type(data) is str:
        source = _source_of(data if data.startswith("data:") else f"data:{_PDF};base64,{data}")
        if source and source.get("media_type", "").startswith("text/"):
            return _text_source(source["data"])
        return source if source and source.get("media_type") == _PDF else None
    if type(file.get("file_url")) is str:
        return {"type": "url", "url": file["file_url"]}
    # Files lie at one vendor; this one's names begin so.
    return {"type": "file", "file_id": name} if type(name) is str and name.startswith("file_") else None


def _text_source(data: str) -> Body | None:
    try:
        text = base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return {"type": "text", "media_type": _PLAIN, "data": text}


def turn_to(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool = False) -> list[Body]:
    """An assistant's turn as blocks; with `foreign`, others' reasoning is shown, as thoughts without a signature."""
    rest = [*_texts(message, where, losses), *_calls(message, where, losses, foreign=foreign)]
    made: list[Body] = []
    for index, thought in _thoughts(message, where, losses, foreign=foreign):
        while rest and len(made) < index:
            made.append(rest.pop(0))
        made.append(thought)
    return made + rest


def _texts(message: Mapping[str, Any], where: str, losses: list[str]) -> list[Body]:
    content, cited = message.get("content"), message.get("citations")
    if type(content) is str and cited:
        return _cited_texts(content, cited)
    blocks = (
        block_of(part, f"{where}.content[{index}]", losses)
        for index, part in enumerate(listed(content, f"{where}.content"))
    )
    made = [block for block in blocks if block]
    if made and (marker := message.get("cache_control")):
        made[-1]["cache_control"] = marker
    if refusal := message.get("refusal"):
        made.append({"type": "text", "text": refusal})
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


def _calls(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool) -> list[Body]:
    made: list[Body] = []
    for index, call in enumerate(message.get("tool_calls") or ()):
        at = f"{where}.tool_calls[{index}]"
        function = call.get("function") if type(call) is dict else None
        if type(function) is not dict:
            losses.append(f"{at} was left out: only calls of functions are taken here")
            continue
        if foreign and (extra := call.get("extra_content")):
            made.append({"type": "redacted_thinking", "data": extra_sealed(extra)})
        block = {"type": "tool_use", "id": call.get("id"), "name": function.get("name")}
        made.append(marked({**block, "input": _input_of(function.get("arguments"), at, losses)}, call))
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


def _thoughts(message: Mapping[str, Any], where: str, losses: list[str], *, foreign: bool) -> list[tuple[int, Body]]:
    """What can be handed in again, with its place in the turn; with `foreign`, to whoever wrote it."""
    details = dicts(message.get("reasoning_details"))
    made: list[tuple[int, Body]] = []
    for one in details:
        maker, index = one.get("format"), one.get("index")
        if maker != FORMAT and not foreign:
            continue
        if one.get("type") == "reasoning.encrypted" and one.get("data"):
            block = {"type": "redacted_thinking", "data": sealed(one["data"], maker, FORMAT)}
        elif one.get("signature"):
            seal = sealed(one["signature"], maker, FORMAT)
            block = {"type": "thinking", "thinking": one.get("text") or "", "signature": seal}
        elif foreign and one.get("text"):
            block = {"type": "thinking", "thinking": one["text"], "signature": ""}  # an item by itself, as in a stream
        else:
            continue
        made.append((index if type(index) is int else 0, block))
    made.sort(key=lambda pair: pair[0])
    text = message.get("reasoning_content") or message.get("reasoning")
    if text and foreign and not any(block.get("thinking") for _, block in made):
        return [(0, {"type": "thinking", "thinking": str(text), "signature": ""}), *made]
    if (text or details) and not made:
        losses.append(f"{where}'s reasoning was left out: it was not written by this provider")
    return made
