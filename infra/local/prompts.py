"""What a person asks: words, files, images and what is piped in, made into one message."""

import base64
import codecs
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from core.wire.media import HEAD, SCHEMES, kind_of, scheme_of

Content = str | list[dict[str, Any]]

TEXT_LIMIT = 4 * 2**20  # about a million tokens, which is as much as any model reads
IMAGE_LIMIT = 20 * 2**20  # what the larger providers take
_KNOWN = "text (UTF-8), and not an image (PNG, JPEG, GIF, WebP) either"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def message(words: str, files: Sequence[Path], images: Sequence[str], piped: bytes | None) -> Content:
    """The words first, then each file under its name, then what was piped in; images as parts beside the text."""
    texts, parts = ([words] if words else []), []
    for path in files:
        raw = read(path)
        kind = image_type(raw)
        if kind:
            parts.append(_image(_data_url(raw, kind)))
        else:
            texts.append(f"File {path.name}:\n{_fenced(text_of(raw, str(path)))}")
    parts += [_image(_url_of(one)) for one in images]
    if piped:
        kind = image_type(piped)
        if kind:
            parts.append(_image(_data_url(piped, kind)))
        elif text := text_of(piped, "stdin").rstrip("\n"):
            texts.append(text)
    text = "\n\n".join(texts)
    if not parts:
        return text
    return [*([{"type": "text", "text": text}] if text else []), *parts]


def read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return read_some(file, str(path))
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read ({error.strerror})") from error


def read_some(file: BinaryIO, name: str) -> bytes:
    """All of it, unless it is larger than anybody would take."""
    raw = file.read(IMAGE_LIMIT + 1)
    if len(raw) > IMAGE_LIMIT:
        raise click.UsageError(f"{name} is larger than {IMAGE_LIMIT // 2**20} MiB")
    return raw


def image_type(raw: bytes) -> str | None:
    """By its first bytes: names lie."""
    kind = kind_of(raw[:HEAD])
    return kind if kind and kind.startswith("image/") else None


def text_of(raw: bytes, name: str, known: str = _KNOWN) -> str:
    if len(raw) > TEXT_LIMIT:
        raise click.UsageError(
            f"{name} is larger than {TEXT_LIMIT // 2**20} MiB, more than a model reads; send a part"
        )
    try:
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise click.UsageError(f"{name} is not {known}")
    return text


def _fenced(text: str) -> str:
    """Between fences longer than any in the text."""
    longest = max(map(len, re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text.rstrip(chr(10))}\n{fence}"


def _url_of(image: str) -> str:
    if scheme_of(image) in SCHEMES:
        return image
    raw = read(Path(image))
    kind = image_type(raw)
    if kind is None:
        raise click.UsageError(f"{image} is not an image (PNG, JPEG, GIF, WebP) and not an address (https://...)")
    return _data_url(raw, kind)


def _data_url(raw: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(raw).decode()}"


def _image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}
