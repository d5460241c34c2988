"""What addresses in a request lead to, for targets that take only bytes: fetched once, whoever is asked next."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Self

from core.errors import MediaUnavailable
from core.execution.deadline import span
from core.providers.row import Images
from core.wire.chat import LINKS
from core.wire.media import HEAD, kind_of, scheme_of

_MOST = 64  # parts of a request
_AT_ONCE = 8
_SECONDS = 30.0  # for all files of a request
_FETCHED = frozenset({"http", "https"})
# What all requests may fetch at once, and how many times the bytes of one they may hold.
_ALL_AT_ONCE = 32
_REQUESTS = 8
# What a part may hold; a file may be anything that is known.
_FAMILIES = {"image_url": "image/", "input_audio": "audio/", "audio_url": "audio/", "video_url": "video/", "file": ""}
_BOXES = frozenset({"video/mp4", "video/webm"})  # which may hold nothing but sound
_FULL = "this gateway fetches as much for others as it may"

Body = Mapping[str, Any]
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

    @property
    def place(self) -> str:
        return "messages[{}].content[{}].".format(*self.at) + f"{self.part['type']}.{self.field}"


class Room:
    """What all requests of a gateway share: how much is fetched at once, and held."""

    def __init__(self, get: Get, most_bytes: int) -> None:
        self.get = get
        self.most_bytes = most_bytes  # of one request
        self.left = most_bytes * _REQUESTS
        self.turns = asyncio.Semaphore(_ALL_AT_ONCE)


class Media:
    """The files of one request, from before its first attempt to its last."""

    def __init__(self, room: Room, seconds: float = _SECONDS) -> None:
        self._room = room
        self._seconds = min(_SECONDS, seconds)
        self._until: float | None = None
        self._left = room.most_bytes  # of all files, each as often as it is named
        self._files: dict[str, asyncio.Task[_File | MediaUnavailable]] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._files.values():
            task.cancel()
        self._room.left += self._room.most_bytes - max(0, self._left)
        self._files = {}

    async def ready(self, body: Body, takes: Images) -> None:
        """Wait for the files that a target wants in place of addresses; refuse what it cannot have or use."""
        links = [link for link in _links(body) if _is_wanted(link, takes)]
        if not links:
            return
        if len(links) > _MOST:
            raise MediaUnavailable(f"more than {_MOST} parts name files to fetch").at("messages")
        if strange := next((link for link in links if scheme_of(link.url) not in _FETCHED), None):
            raise MediaUnavailable(f"only some providers know what {scheme_of(strange.url)}: means").at(strange.place)
        self._begin({link.url for link in links}, Counter(link.url for link in _links(body)))
        for link in links:
            file = await asyncio.shield(self._files[link.url])
            _fitting(file, link, takes)

    def given(self, body: Body, takes: Images) -> Body:
        """The body with files in place of the addresses that a target does not take; they are ready."""
        parts = {
            link.at: _filled(link, _fitting(self._files[link.url].result(), link, takes))
            for link in _links(body)
            if _is_wanted(link, takes)
        }
        return _with_parts(body, parts) if parts else body

    def _begin(self, urls: set[str], uses: Counter[str]) -> None:
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + self._seconds
        for url in urls - self._files.keys():
            self._files[url] = asyncio.create_task(self._file(url, uses[url]))

    async def _file(self, url: str, uses: int) -> _File | MediaUnavailable:
        """The file, or why it cannot be had: every attempt that asks hears the same."""
        busy = False
        try:
            async with asyncio.timeout_at(self._until), self._turns:
                busy = True
                async with self._room.turns:
                    busy = False
                    data = await self._room.get(url, partial(self._take, uses))
        except TimeoutError:
            words = _FULL if busy else f"still waiting for it after {span(self._seconds)}"
            return MediaUnavailable(words, busy=busy)
        except MediaUnavailable as error:
            return error
        kind = _type_of(data)
        if kind is None:
            return MediaUnavailable("what is there is no file of a known kind")
        return _File(kind, len(data), b64encode(data).decode())

    def _take(self, uses: int, size: int) -> None:
        size *= uses
        if size > self._left:
            raise MediaUnavailable(
                f"the files of the request are larger than {self._room.most_bytes} bytes in all,"
                " each counted as often as it is named"
            )
        if size > self._room.left:
            raise MediaUnavailable(_FULL, busy=True)
        self._left -= size
        self._room.left -= size


class NoMedia(Media):
    """For requests that name no addresses, which are nearly all."""

    def __init__(self) -> None:
        """It has nothing."""

    def __exit__(self, *_: object) -> None:
        """Nor keeps anything."""


NO_MEDIA = NoMedia()


def wanted(body: Body, takes: Images) -> bool:
    """Whether there are addresses that a target is not to see."""
    return any(_is_wanted(link, takes) for link in _links(body))


def _links(body: Body) -> Iterator[_Link]:
    for index, message in enumerate(body["messages"]):
        content = message.get("content")
        for number, part in enumerate(content if type(content) is list else ()):
            for field in LINKS.get(part["type"], ()):
                text = part[part["type"]].get(field)
                if text is not None and scheme_of(text) not in {"", "data"}:
                    yield _Link((index, number), part, field, text)


def _is_wanted(link: _Link, takes: Images) -> bool:
    """Nobody takes an address where the dialect wants the file itself."""
    if link.url.startswith(takes.own):
        return False
    scheme, taken = scheme_of(link.url), {"url": takes.urls, "file_url": takes.documents}.get(link.field, False)
    return not taken or scheme not in _FETCHED or (scheme == "http" and not takes.plain)


def _fitting(file: _File | MediaUnavailable, link: _Link, takes: Images) -> _File:
    kind = link.part["type"]
    if isinstance(file, MediaUnavailable):
        raise file.at(link.place)
    if _FAMILIES[kind] == "audio/" and file.type in _BOXES:
        return file._replace(type=file.type.replace("video/", "audio/"))
    if not file.type.startswith(_FAMILIES[kind]):
        words = f"what is there is {file.type}"
    elif kind == "image_url" and takes.types is not None and file.type not in takes.types:
        words = f"this provider does not take {file.type} as an image"
    elif kind == "image_url" and takes.most_bytes is not None and file.size > takes.most_bytes:
        words = f"it has {file.size} bytes, and this provider takes at most {takes.most_bytes}"
    else:
        return file
    raise MediaUnavailable(words).at(link.place)


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
    kind = kind_of(data[:HEAD])
    if kind is None and b"\0" not in data:
        with suppress(UnicodeDecodeError):
            data.decode()
            return "text/plain"
    return kind
