"""What was heard or said is let go as soon as its request is over, with no need of a collector of rings."""

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

import core.errors
from core.errors import TargetError
from core.providers.registry import Registry
from core.providers.table import TABLE
from core.wire import sse
from core.wire.sound.openai_audio_stream import TranscriptStream
from tests.contract import ears
from tests.contract.rooms import fleet, room

SIZE = 1_000_000  # bytes of audio, so that what is kept of anything else is nothing against it
TIMES = 3
OURS = str(Path(core.errors.__file__).parent / "*")
SOUND = ears.spoken("Hello, this is a test.", rate=16_000)
SOUND += bytes(SIZE - len(SOUND))
SOUND = SOUND[:40] + (len(SOUND) - 44).to_bytes(4, "little") + SOUND[44:]
BOUNDARY = b"a-test"
VENDORS = {
    "openai": "OPENAI", "together": "TOGETHER", "groq": "GROQ", "gemini": "GEMINI", "cohere": "COHERE",
    "huggingface": "HUGGINGFACE", "replicate": "REPLICATE",
}  # fmt: skip
PREFIXES = {"openai": "/v1", "together": "/v1", "groq": "/openai/v1", "huggingface": "/v1"}


def form(*ends: bytes, **fields: str) -> bytes:
    head = "".join(
        f'--{BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += f'--{BOUNDARY.decode()}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    return head.encode() + SOUND + (b"".join(ends) or b"\r\n--" + BOUNDARY + b"--\r\n")


async def ask(app: Any, body: bytes, route: str = "/v1/audio/transcriptions", kind: bytes = b"") -> tuple[int, bytes]:
    """By nothing but the app: clients keep what they send."""
    kind = kind or b"multipart/form-data; boundary=" + BOUNDARY
    heads = [(b"host", b"localhost"), (b"content-type", kind), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": route, "raw_path": route.encode(), "query_string": b"", "headers": heads, "root_path": "",
        "client": ("127.0.0.1", 1), "server": ("localhost", 80), "extensions": {},
    }  # fmt: skip
    parts = [body[at : at + 65536] for at in range(0, len(body), 65536)]
    left = asyncio.Event()
    status, said = 0, bytearray()

    async def receive() -> dict[str, Any]:
        if not parts:
            await left.wait()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        said.extend(message.get("body", b""))

    await app(scope, receive, send)
    return status, bytes(said)


def ours() -> int:
    """Bytes that were allocated by the product and live: simulators keep what they were asked."""
    found = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, OURS)])
    return sum(one.size for one in found.statistics("filename"))


async def growth(app: Any, body: bytes, wanted: Collection[int]) -> float:
    """How much more is held after some requests than after one, in bodies."""
    status, said = await ask(app, body)
    assert status in wanted, said
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(TIMES):
            await ask(app, body)
        return ours() / SIZE
    finally:
        tracemalloc.stop()
        gc.enable()


async def kept(home: Any, vendor: str, body: bytes, wanted: Collection[int] = frozenset({200}), *faults: str) -> float:
    async with fleet((vendor,)) as running:
        for fault in faults:
            await running.fault(vendor, fault)
        name = VENDORS[vendor]
        environ = {
            f"{name}_API_KEY": "k", f"{name}_BASE_URL": running.url(vendor) + PREFIXES.get(vendor, ""),
        }  # fmt: skip
        async with room(Registry(TABLE), home, environ) as one:
            app: Any = getattr(one.http, "_transport").app  # noqa: B009 - it has no public name
            return await growth(app, body, wanted)


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_upload_is_let_go(tmp_path, vendor):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto", language="en"))) < 1


@pytest.mark.parametrize("vendor", ["openai", "gemini"])
def test_so_is_one_that_failed(tmp_path, vendor):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto"), {502}, "500")) < 1


@pytest.mark.parametrize("vendor", ["openai", "gemini"])
@pytest.mark.parametrize("faults", [(), ("cut_stream@1",)], ids=["whole", "broken"])
def test_so_is_one_that_is_heard_live(tmp_path, vendor, faults):
    found = kept(tmp_path, vendor, form(model=f"{vendor}/auto", stream="true"), {200, 502}, *faults)
    assert asyncio.run(found) < 1


@pytest.mark.parametrize("end", [b"\r\n--", b"\r\n--" + BOUNDARY + b"no"], ids=["cut", "wrong"])
def test_so_is_a_broken_form(tmp_path, end):
    assert asyncio.run(kept(tmp_path, "openai", form(end), {400})) < 1


def test_an_error_that_waits_its_turn_keeps_no_reader():
    class Held:
        ms = 1000

    held = Held()
    reader = TranscriptStream(model="m", body={"audio": held}, limit=10**6)
    there = weakref.ref(held)
    events = (b'{"type":"transcript.text.delta","delta":"a"}', b'{"error":{"message":"no"}}')
    gc.disable()
    try:
        assert reader.feed(b"".join(sse.event(one) for one in events))
        with pytest.raises(TargetError):
            reader.feed(b"")
        del reader, held
        assert there() is None
    finally:
        gc.enable()
