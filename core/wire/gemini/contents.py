"""A conversation as Gemini has it, both ways: contents with parts, and tools that answer by their names. Pure."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from core.errors import ParameterRefused, RequestRefused
from core.wire.gemini.turns import message_from, turn_to
from core.wire.media import kind_within

Body = dict[str, Any]

# Addresses that its servers fetch by themselves.
_THEIRS = ("https://generativelanguage.googleapis.com/", "https://www.youtube.com/", "https://youtu.be/", "gs://")
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_URL_PARTS = {"image_url": "image/", "video_url": "video/", "audio_url": "audio/"}
_SOUNDS = {"audio/mp3": "mp3", "audio/mpeg": "mp3", "audio/wav": "wav", "audio/x-wav": "wav"}


def generation_of(model: str) -> tuple[int, int]:
    """(3, 8) of gemini-3.8-flash; what has no number, as gemini-flash-latest, is taken for the newest."""
    found = re.match(r"(?:models/)?gemini-(\d+)(?:\.(\d+))?", model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def contents_of(messages: list[Body], model: str, losses: list[str]) -> tuple[list[Body], list[Body]]:
    """The contents, and the parts of the system's words."""
    contents: list[Body] = []
    system: list[Body] = []
    names: dict[str, str] = {}
    asked = max((index for index, one in enumerate(messages) if one["role"] == "user"), default=-1)
    for index, message in enumerate(messages):
        at, role = f"messages[{index}]", message["role"]
        if role in {"system", "developer"}:
            if contents:
                losses.append(f"{at} was moved to the front: the system speaks first here")
            system += _user(message, at, losses)
        elif role == "assistant":
            signed = index > asked and generation_of(model) >= (3, 0)
            _append(contents, "model", _assistant(message, at, losses, names, signed=signed), at, losses)
        elif role == "tool":
            _append(contents, "user", [_answer(message, at, model, losses, names)], at, losses)
        elif role == "user":
            _append(contents, "user", _user(message, at, losses), at, losses)
        else:
            raise ParameterRefused(f"{at}.role: {role} is of an older way to call tools", param=f"{at}.role")
    if not contents and system:
        losses.append("the system's words were sent as the user's: nobody else says anything")
        return [{"role": "user", "parts": system}], []
    if not contents:
        raise RequestRefused("messages are empty: nobody says anything", param="messages")
    return contents, system


def _append(contents: list[Body], role: str, parts: list[Body], at: str, losses: list[str]) -> None:
    """Answers of tools to the same calls belong together, and so does what a model says at once."""
    if not parts:
        losses.append(f"{at} was left out: it is empty")
        return
    last = contents[-1] if contents else None
    if last is not None and last["role"] == role and (role == "model" or _answers(last["parts"], parts)):
        last["parts"] += parts
    else:
        contents.append({"role": role, "parts": parts})


def _answers(*lists: list[Body]) -> bool:
    return all("functionResponse" in part for parts in lists for part in parts)


def _user(message: Body, at: str, losses: list[str]) -> list[Body]:
    content = message.get("content")
    if not isinstance(content, list):
        return [{"text": content}] if content else []
    made = [_part(part, f"{at}.content[{index}]", losses) for index, part in enumerate(content)]
    return [part for part in made if part is not None]


def _part(part: Body, at: str, losses: list[str]) -> Body | None:
    kind = part["type"]
    if kind in {"text", "refusal"}:
        return {"text": part[kind]} if part.get(kind) else None
    if kind in _URL_PARTS:
        given = part.get(kind) or {}
        if given.get("detail", "auto") != "auto":
            losses.append(f"{at}.{kind}.detail was left out: it is set for all media at once here")
        return _media(given.get("url") or "", f"{at}.{kind}.url", _URL_PARTS[kind])
    if kind == "input_audio":
        sound = part["input_audio"]
        data = sound.get("data") or ""
        mime = kind_within(data, "audio/") or f"audio/{sound.get('format') or 'wav'}"
        return {"inlineData": {"mimeType": mime, "data": data}}
    file = part.get("file") or {}
    if file.get("file_data"):
        return _media(file["file_data"], f"{at}.file.file_data", "")
    if str(file.get("file_id") or "").startswith(_THEIRS):
        return {"fileData": {"fileUri": file["file_id"]}}
    raise ParameterRefused(f"{at}: this provider has no file of that id", param=f"{at}.file.file_id")


def _media(url: str, at: str, kind: str) -> Body:
    """Bytes go with the request; of addresses only its own are fetched."""
    if url.startswith(_THEIRS):
        return {"fileData": {"fileUri": url}}
    head = _DATA.match(url[:500])
    if head is None:
        raise ParameterRefused(f"{at}: this provider takes the bytes (data:…;base64,…), no address", param=at)
    mime, data = head[1] or "text/plain", url[head.end() :]
    data = data if head[3] else b64encode(unquote_to_bytes(data)).decode()
    mime = kind_within(data, kind) or mime
    if not mime.lower().startswith(kind):
        raise RequestRefused(f"{at} is {mime}, not {kind}*", param=at)
    return {"inlineData": {"mimeType": mime.lower(), "data": data}}


def _assistant(message: Body, at: str, losses: list[str], names: dict[str, str], *, signed: bool) -> list[Body]:
    said = _user(message, at, losses)
    if message.get("refusal"):
        said.append({"text": message["refusal"]})
    if message.get("audio"):
        losses.append(f"{at}.audio was left out: what was spoken stays where it was made")
    for number, call in enumerate(message.get("tool_calls") or ()):
        if call.get("type", "function") != "function":
            where = f"{at}.tool_calls[{number}]"
            raise ParameterRefused(f"{where}: this provider calls functions only", param=where)
        names[call["id"]] = call["function"]["name"]
    return turn_to(message, said, at, losses, signed=signed)


def _answer(message: Body, at: str, model: str, losses: list[str], names: Mapping[str, str]) -> Body:
    """What a tool gave, under the name of the function that was called."""
    ident = str(message.get("tool_call_id"))
    if ident not in names:
        words = f"{at}.tool_call_id: no tool call before it has this id, and results go by the names of functions here"
        raise ParameterRefused(words, param=f"{at}.tool_call_id")
    parts = _user(message, at, losses)
    text = "".join(part["text"] for part in parts if "text" in part)
    made: Body = {"id": ident, "name": names[ident], "response": _response(text)}
    media = [{"inlineData": part["inlineData"]} for part in parts if "inlineData" in part]
    if media and generation_of(model) >= (3, 0):
        made["parts"] = media
    elif media:
        losses.append(f"{at}.content: {len(media)} image or file was left out: tools of {model} answer in words")
    return {"functionResponse": made}


def _response(text: str) -> Body:
    """An object as it is, anything else under the name that Google has for it."""
    if text.lstrip().startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict) and not _is_wrapped(found):
            return found
    return {"output": text}


def _is_wrapped(found: Body) -> bool:
    return list(found) == ["output"] and isinstance(found["output"], str)


def messages_from(contents: list[Body], losses: list[str]) -> list[Body]:
    """The way back. Calls without ids get some, and answers of tools find theirs by name, in order."""
    messages: list[Body] = []
    open_calls: list[tuple[str, str]] = []
    for index, content in enumerate(contents):
        at, parts = f"contents[{index}]", content.get("parts") or []
        if content.get("role") == "model":
            message = message_from(parts, f"call_{index}", losses, at)
            open_calls = [(one["function"]["name"], one["id"]) for one in message.get("tool_calls") or ()]
            messages.append({"role": "assistant", **message})
            continue
        given = [part["functionResponse"] for part in parts if "functionResponse" in part]
        messages += [_tool_message(one, at, open_calls) for one in given]
        if said := [made for part in parts if (made := _part_from(part, at, losses)) is not None]:
            plain = said[0]["text"] if len(said) == 1 and said[0]["type"] == "text" else said
            messages.append({"role": "user", "content": plain})
    return messages


def _tool_message(given: Body, at: str, open_calls: list[tuple[str, str]]) -> Body:
    name, ident = given.get("name"), given.get("id")
    found = next((one for one in open_calls if one[1] == ident or (ident is None and one[0] == name)), None)
    if found is None:
        raise RequestRefused(f"{at}: nobody called {name}", param=at)
    open_calls.remove(found)
    response = given.get("response") or {}
    text = response["output"] if _is_wrapped(response) else orjson.dumps(response).decode()
    media = [_inline(part["inlineData"]) for part in given.get("parts") or ()]
    content = [{"type": "text", "text": text}, *media] if media else text
    return {"role": "tool", "tool_call_id": found[1], "content": content}


def _part_from(part: Body, at: str, losses: list[str]) -> Body | None:
    if part.get("text"):
        return {"type": "text", "text": part["text"]}
    if "inlineData" in part:
        return _inline(part["inlineData"])
    if "fileData" in part:
        return {"type": "file", "file": {"file_id": part["fileData"]["fileUri"]}}
    if "functionResponse" not in part and "text" not in part:
        losses.append(f"{at} has {', '.join(sorted(part))}, which was left out")
    return None


def _inline(blob: Body) -> Body:
    mime, data = blob.get("mimeType") or "", blob.get("data") or ""
    if mime in _SOUNDS:
        return {"type": "input_audio", "input_audio": {"data": data, "format": _SOUNDS[mime]}}
    url, kind = f"data:{mime};base64,{data}", mime.partition("/")[0]
    if kind in {"image", "video", "audio"}:
        return {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url}}
