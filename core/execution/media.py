"""What addresses in a request lead to, for targets that take only bytes: fetched once, whoever is asked next."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
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

Get = Callable[[str, Callable[[int], None]], Awaitable[bytes]]


class _File(NamedTuple):
    type: str
    size: int
    base64: str


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
        wanted = {where: (part, url) for where, part, url in _links(call.body) if _is_wanted(part, takes)}
        if not wanted:
            return call
        self._begin({url for _, url in wanted.values()})
        parts: dict[str, dict[str, Any]] = {}
        for where, (part, url) in wanted.items():
            # An attempt whose time is over leaves the file to the next one.
            file = await asyncio.shield(self._files[url])
            parts[where] = _filled(part, _fitting(file, part["type"], where, takes))
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
        kind = kind_of(data[:_HEAD])
        return "what is there is no file of a known kind" if kind is None else _File(kind, len(data), _text(data))

    def _take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise MediaUnavailable(f"the files of the request are larger than {self._most_bytes} bytes in all")


class NoMedia(Media):
    """For requests that name no addresses, which are nearly all."""

    def __init__(self) -> None:
        self._files = {}

    async def given(self, call: Call, takes: Images) -> Call:  # noqa: ARG002 - see Media
        return call


NO_MEDIA = NoMedia()


def _links(body: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Each address in the place of a file: where it stands, the part it is in, and itself."""
    for index, message in enumerate(body["messages"]):
        content = message.get("content")
        for number, part in enumerate(content if type(content) is list else ()):
            kind = part["type"]
            text = part[kind].get(LINKS[kind]) if kind in LINKS else None
            if text is not None and (is_link(text) or (kind == "image_url" and not text.startswith("data:"))):
                yield f"messages[{index}].content[{number}]", part, text


def _is_wanted(part: Mapping[str, Any], takes: Images) -> bool:
    """Nobody takes the address of a document or of sound where the dialect wants the file itself."""
    return part["type"] in {"input_audio", "file"} or not takes.urls


def _fitting(file: _File | str, kind: str, where: str, takes: Images) -> _File:
    place = f"{where}.{kind}.{LINKS[kind]}"
    if isinstance(file, str):
        raise MediaUnavailable(f"{place} cannot be used: {file}", param=place)
    words = None
    if not file.type.startswith(_FAMILIES[kind]):
        words = f"what is there is {file.type}"
    elif kind == "image_url" and takes.types is not None and file.type not in takes.types:
        words = f"this provider does not take {file.type} as an image"
    elif kind == "image_url" and takes.most_bytes is not None and file.size > takes.most_bytes:
        words = f"it has {file.size} bytes, and this provider takes at most {takes.most_bytes}"
    if words is not None:
        raise MediaUnavailable(f"{place} cannot be used: {words}", param=place)
    return file


def _filled(part: Mapping[str, Any], file: _File) -> dict[str, Any]:
    kind = part["type"]
    text = file.base64 if kind == "input_audio" else f"data:{file.type};base64,{file.base64}"
    return {**part, kind: {**part[kind], LINKS[kind]: text}}


def _with_parts(body: Mapping[str, Any], parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    messages = [
        {**message, "content": [parts.get(f"messages[{i}].content[{n}]", part) for n, part in enumerate(content)]}
        if type(content := message.get("content")) is list
        else message
        for i, message in enumerate(body["messages"])
    ]
    return {**body, "messages": messages}


def _text(data: bytes) -> str:
    return b64encode(data).decode()
