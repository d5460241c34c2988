"""Where the audio of a request is: in a form, in base64, at an address, in a bucket. What comes is measured audio."""

import asyncio
import re
from binascii import Error, a2b_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.types import Receive

from core.config.settings import Settings
from core.errors import BadAudio, BadRequest, BodyTooLarge, MediaUnavailable
from core.http import options
from core.http.replies import read_json
from core.http.uploads import File, is_form, read_form
from core.types.audio import MIMES, Audio
from core.wire.sound import transcripts

if TYPE_CHECKING:  # few functions fetch
    from core.net.fetch import Fetch

Body = dict[str, Any]

_FILES = frozenset({"file", "audio"})
KINDS = {**transcripts.PARAMS, **transcripts.SOURCES, **transcripts.ABOUT, **options.FIELDS}
_SETTING = "PATCHBAY_MAX_AUDIO_BYTES"
_DATA_URL = re.compile(r"data:([^,;]{0,100})(?:;[^,]{0,100})?;base64,", re.IGNORECASE)
_S3 = re.compile(r"(?i:s3)://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})", re.DOTALL)
_AT_ONCE = 16  # files that are fetched
_SAME = {"mp4": "m4a", "oga": "ogg", "opus": "ogg", "mpga": "mp3", "mpeg": "mp3", "wave": "wav", "weba": "webm"}
_MIMES = {mime: kind for kind, mime in MIMES.items() if kind not in _SAME} | {
    "audio/x-wav": "wav", "audio/wave": "wav", "audio/vnd.wave": "wav", "audio/mp3": "mp3", "audio/x-m4a": "m4a",
    "audio/m4a": "m4a", "audio/x-flac": "flac", "audio/opus": "ogg", "application/ogg": "ogg", "video/webm": "webm",
    "audio/aacp": "aac", "audio/x-aac": "aac",
}  # fmt: skip
_HEAVY = 256 * 1024  # bytes from which on work is done beside the loop


class _Given(NamedTuple):
    """Bytes with what is said of them."""

    data: bytes
    where: str  # the field that they come from
    name: str = ""
    type: str = ""


class Sources:
    """What is read for requests of one app."""

    def __init__(self) -> None:
        self._fetch: Fetch | None = None
        self._allowed: tuple[str, ...] = ()  # by the settings that it was made for, which may change
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def body(self, receive: Receive, headers: dict[bytes, bytes], settings: Settings) -> Body:
        """The fields of a request, with its audio and that of known speakers measured."""
        file: _Given | None = None
        if is_form(headers):
            form = await read_form(receive, headers, settings.max_audio_bytes, _SETTING, _FILES)
            body, file = transcripts.from_form(form.fields, KINDS), _only(form.files)
        else:
            body = await read_json(receive, headers, settings.max_body_bytes)
        body = {name: value for name, value in body.items() if value is not None}
        transcripts.check_about(body)
        told: list[str] = []
        given = await self._given(body, file, settings)
        body["audio"] = await _measured(given, settings, _said(given, body), told)
        if known := transcripts.known_speakers(body):
            body["known_speakers"] = [
                {"name": name, "audio": None if heard is None else await _voice(name, heard, settings)}
                for name, heard in known
            ]
        for name in (*transcripts.SOURCES, *transcripts.ABOUT):
            body.pop(name, None)
        body[transcripts.TOLD] = tuple(told)
        return body

    async def _given(self, body: Mapping[str, Any], file: _Given | None, settings: Settings) -> _Given:
        named = [name for name in transcripts.SOURCES if name in body]
        if len(named) + (file is not None) != 1:
            also = f", not {' and '.join([*(['file'] if file else []), *named])}" if named else ""
            words = f"Send one audio: as file in a form, audio_base64, audio_url or audio_s3{also}."
            raise BadRequest(words, param="file", code="invalid_value" if named else "missing")
        if file is not None:
            return file
        where, text = named[0], body[named[0]]
        if where == "audio_base64" or text[:5].lower() == "data:":
            return await _decoded(text, where)
        if text[:5].lower() == "s3://":
            data = await self._from_bucket(text, where, settings)
        elif where in {"audio_s3", "audio_uri"}:
            raise BadRequest(f"{where} must be s3://bucket/key", param=where, code="invalid_address")
        else:
            data = await self._from_web(text, where, settings)
        return _Given(data, where, text.partition("?")[0].rpartition("/")[2])

    async def _from_web(self, url: str, where: str, settings: Settings) -> bytes:
        if self._fetch is None or self._allowed != settings.fetch_private:
            from core.net.fetch import Fetch  # noqa: PLC0415 - few requests need it

            self._fetch, self._allowed = Fetch(settings.fetch_private), settings.fetch_private
        left = settings.max_audio_bytes

        def take(size: int) -> None:
            nonlocal left
            left -= size
            if left < 0:
                raise MediaUnavailable(f"it is larger than {settings.max_audio_bytes} bytes ({_SETTING})")

        try:
            async with self._turns:
                return await self._fetch.get(url, take)
        except MediaUnavailable as error:
            raise error.at(where) from None

    @staticmethod
    async def _from_bucket(uri: str, where: str, settings: Settings) -> bytes:
        found = _S3.fullmatch(uri)
        if found is None:
            raise BadRequest(f"{where} must be s3://bucket/key", param=where, code="invalid_address")
        bucket, key = found.groups()
        if bucket not in settings.audio_buckets:
            raise MediaUnavailable(
                f"this gateway does not read bucket {bucket} (PATCHBAY_AUDIO_BUCKETS names those that it does)",
                place=where,
            )
        try:
            return await _read(bucket, key, settings)
        except _NotThere as error:
            raise MediaUnavailable(str(error), place=where) from None


class _NotThere(Exception):
    pass


async def _read(bucket: str, key: str, settings: Settings) -> bytes:
    """From S3 where state lies on AWS, else from the folder that stands in for it."""
    if not (settings.bucket or settings.table):
        from core.backends.embedded.folder import FolderBlobs  # noqa: PLC0415 - only the one that is used

        try:
            data = await FolderBlobs(settings.home / "blobs").get(f"{bucket}/{key}")
        except ValueError:
            data = None
        if data is None:
            words = f"there is no {bucket}/{key} in the folder that stands in for S3 here"
            raise _NotThere(f"{words} (S3 itself is read where PATCHBAY_BUCKET or PATCHBAY_TABLE is set)")
        if len(data) > settings.max_audio_bytes:
            raise _NotThere(f"it is larger than {settings.max_audio_bytes} bytes ({_SETTING})")
        return data
    from core.backends.aws.objects import NotReadable, Objects  # noqa: PLC0415 - see above

    objects = await Objects().open()
    try:
        return await objects.read(bucket, key, settings.max_audio_bytes)
    except NotReadable as error:
        raise _NotThere(str(error)) from None
    finally:
        await objects.close()


def _only(files: list[File]) -> _Given | None:
    for file in files:
        if file.field not in _FILES:
            words = f"Nobody knows what file {file.field[:50]!r} is for: the audio is called file"
            raise BadRequest(f"{words}.", param=file.field[:50], code="unknown_parameter")
    if len(files) > 1:
        raise BadRequest("Send one file: each request is about one audio.", param="file", code="invalid_value")
    return _Given(files[0].data, files[0].field, files[0].name, files[0].type) if files else None


async def _decoded(text: str, where: str) -> _Given:
    """Base64, alone or as a data: URL. Line breaks in it are usual."""
    header = _DATA_URL.match(text)
    if header is None and text[:5].lower() == "data:":
        raise BadRequest(f"{where} must be data:<type>;base64,<data>", param=where, code="invalid_address")
    encoded = text[header.end() :] if header else text

    def decode() -> bytes:
        return a2b_base64("".join(encoded.split()), strict_mode=True)

    try:
        data = decode() if len(encoded) < _HEAVY else await asyncio.to_thread(decode)
    except (Error, ValueError):
        raise BadRequest(f"{where} is not valid base64", param=where, code="invalid_base64") from None
    return _Given(data, where, type=header[1].lower() if header else "")


async def measured(
    data: bytes, settings: Settings, *, where: str, name: str = "", kind: str | None = None
) -> tuple[Audio, list[str]]:
    """Sound that is in memory already, with what is odd about it."""
    given, told = _Given(data, where, name), list[str]()
    said = _said(given, {"audio_format": kind or ""})
    return await _measured(given, settings, said, told), told


async def _measured(given: _Given, settings: Settings, said: list[tuple[str, str]], told: list[str]) -> Audio:
    """What it is by its bytes. What others say of it only makes a warning, when it is wrong."""
    if len(given.data) > settings.max_audio_bytes:
        words = f"{given.where} has {len(given.data)} bytes of audio; at most {settings.max_audio_bytes} are taken"
        raise BodyTooLarge(f"{words} ({_SETTING}).", param=given.where, code="audio_too_large")
    from core.audio.measuring import measure  # noqa: PLC0415 - few functions hear

    try:
        found = await asyncio.to_thread(measure, given.data)
    except BadAudio as error:
        error.param = given.where
        raise
    longest = settings.max_audio_seconds
    if found.ms > longest * 1000:
        words = f"The audio lasts {found.ms / 1000:.0f} s, and at most {longest:g} s are heard"
        raise BadAudio(
            f"{words} (PATCHBAY_MAX_AUDIO_SECONDS). Send it in parts.", param=given.where, code="audio_too_long"
        )
    if found.missing:
        told.append(f"the audio is cut off: {found.missing}; what is there was heard")
    for what, kind in said:
        if kind and _SAME.get(kind, kind) != _SAME.get(found.kind, found.kind):
            told.append(f"{what} says {kind}, but the audio is {found.kind}: it was taken for that")
    return Audio(given.data, found.kind, found.codec, found.ms, found.rate, found.channels, given.name)


async def _voice(name: str, text: str, settings: Settings) -> Audio:
    where = f"known_speakers ({name[:50]})"
    return await _measured(await _decoded(text, where), settings, [], [])


def _said(given: _Given, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The kinds of sound that are named, each with who names it."""
    _, dot, ending = given.name.rpartition(".")
    ending = ending.lower() if dot else ""
    known = {*MIMES, *_SAME}
    return [
        ("its file name", ending if ending in known else ""),
        ("its content type", _MIMES.get(given.type, "")),
        ("audio_format", str(body.get("audio_format", "")).lower().removeprefix("audio/").removeprefix("x-")),
    ]
