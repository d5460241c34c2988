"""Content blocks of Anthropic's Messages and parts of canonical messages, both ways. Pure."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from core.errors import BadRequest
from core.wire.media import kind_within
from core.wire.shapes import check_type

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
