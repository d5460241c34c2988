"""What addresses in a request lead to, for targets that take only bytes: fetched once, whoever is asked next."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple, Self

from core.errors import MediaUnavailable
from core.providers.contract import Call
from core.providers.table import Images
from core.wire.chat import LINKS, is_link
from core.wire.media import kind_of

_MOST = 64  # files of a request
_AT_ONCE = 8
_HEAD = 64  # bytes that say what a file is
# What a part may hold; a file may be anything that is known.
_FAMILIES = {"image_url": "image/", "input_audio": "audio/", "audio_url": "audio/", "video_url": "video/", "file": ""}
_BOXES = frozenset({"video/mp4", "video/webm"})  # which may hold nothing but sound

Get = Callable[[str, Callable[[int], None]], Awaitable[bytes]]


class _File(NamedTuple):
    type: str
    size: int
    base64: str


class _Link(NamedTuple):
    """An address in the place of a file."""

    at: tuple[int, int]  # which message, which part of it
    part: dict[str, Any]
    field: str  # of the part's content
    url: str


class Media:
    """The files of one request, from its first attempt to its last."""

    def __init__(self, get: Get, most_bytes: int) -> None:
        self._get = get
        self._most_bytes = self._left = most_bytes  # of all files
        self._files: dict[str, asyncio.Task[_File | str]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._files.values():
            task.cancel()

    async def given(self, call: Call, takes: Images) -> Call:
        """The call with files in place of the addresses that its target does not take."""
        wanted = [link for link in _links(call.body) if _is_wanted(link, takes)]
        if not wanted:
            return call
        self._begin({link.url for link in wanted})
        parts: dict[tuple[int, int], dict[str, Any]] = {}
        for link in wanted:
            # Shielded: an attempt whose time is over leaves the file to the next one.
            file = await asyncio.shield(self._files[link.url])
            parts[link.at] = _filled(link, _fitting(file, link, takes))
        return call._replace(body=_with_parts(call.body, parts), native=None)

    def _begin(self, urls: set[str]) -> None:
        if len(urls) > _MOST:
            raise MediaUnavailable(f"messages name more than {_MOST} files to fetch", param="messages")
        for url in urls - self._files.keys():
            self._files[url] = asyncio.create_task(self._file(url))

    async def _file(self, url: str) -> _File | str:
        """The file, or why it cannot be had: every attempt that asks hears the same."""
        async with self._room:
            try:
                data = await self._get(url, self._take)
            except MediaUnavailable as error:
                return error.message
        kind = _type_of(data)
        if kind is None:
            return "what is there is no file of a known kind"
        return _File(kind, len(data), b64encode(data).decode())

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise MediaUnavailable(f"the files of the request are larger than {self._most_bytes} bytes in all")


class NoMedia(Media):
    """For requests that name no addresses, which are nearly all."""

    def __init__(self) -> None:
        self._files = {}


NO_MEDIA = NoMedia()


def _links(body: Mapping[str, Any]) -> Iterator[_Link]:
    for index, message in enumerate(body["messages"]):
        content = message.get("content")
        for number, part in enumerate(content if type(content) is list else ()):
            for field in LINKS.get(part["type"], ()):
                text = part[part["type"]].get(field)
                if text is not None and (is_link(text) or (field == "url" and not text.startswith("data:"))):
                    yield _Link((index, number), part, field, text)


def _is_wanted(link: _Link, takes: Images) -> bool:
    """Nobody takes an address where the dialect wants the file itself."""
    taken = {"url": takes.urls, "file_url": takes.documents}.get(link.field, False)
    return not link.url.startswith(takes.own) and (not taken or (not takes.plain and link.url.startswith("http://")))


def _fitting(file: _File | str, link: _Link, takes: Images) -> _File:
    kind, words = link.part["type"], None
    if isinstance(file, str):
        words = file
    elif _FAMILIES[kind] == "audio/" and file.type in _BOXES:
        return file._replace(type=file.type.replace("video/", "audio/"))
    elif not file.type.startswith(_FAMILIES[kind]):
        words = f"what is there is {file.type}"
    elif kind == "image_url" and takes.types is not None and file.type not in takes.types:
        words = f"this provider does not take {file.type} as an image"
    elif kind == "image_url" and takes.most_bytes is not None and file.size > takes.most_bytes:
        words = f"it has {file.size} bytes, and this provider takes at most {takes.most_bytes}"
    else:
        return file
    place = "messages[{}].content[{}].".format(*link.at) + f"{kind}.{link.field}"
    raise MediaUnavailable(f"{place} cannot be used: {words}", param=place)


def _filled(link: _Link, file: _File) -> dict[str, Any]:
    kind = link.part["type"]
    given = {name: value for name, value in link.part[kind].items() if name != link.field}
    data = f"data:{file.type};base64,{file.base64}"
    if kind == "input_audio":
        return {**link.part, kind: {**given, "data": file.base64}}
    if kind == "file":
        name = link.url.partition("?")[0].rpartition("/")[2]
        return {**link.part, kind: {"filename": name or "file", **given, "file_data": data}}
    return {**link.part, kind: {**given, "url": data}}


def _with_parts(body: Mapping[str, Any], parts: Mapping[tuple[int, int], dict[str, Any]]) -> dict[str, Any]:
    messages = list(body["messages"])
    for index, number in parts:
        message = messages[index]
        content = list(message["content"])
        content[number] = parts[index, number]
        messages[index] = {**message, "content": content}
    return {**body, "messages": messages}


def _type_of(data: bytes) -> str | None:
    """By its first bytes; what has no mark is text if it can be read as such."""
    kind = kind_of(data[:_HEAD])
    if kind is None and b"\0" not in data:
        with suppress(UnicodeDecodeError):
            data.decode()
            return "text/plain"
    return kind
