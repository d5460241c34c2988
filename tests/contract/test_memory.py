"""What was heard or said is let go as soon as its request is over, with no need of a collector of rings."""

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import core.errors
from core.providers.registry import Registry
from core.providers.table import TABLE
from tests.contract import ears
from tests.contract.rooms import fleet, room

SIZE = 2_000_000  # bytes of audio, so that what is kept of anything else is nothing against it
TIMES = 4
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


async def growth(app: Any, body: bytes, wanted: int) -> float:
    """How much more is held after some requests than after one, in bodies."""
    status, said = await ask(app, body)
    assert status == wanted, said
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(TIMES):
            await ask(app, body)
        if __import__("os").environ.get("SHOW"):
            for o in gc.get_objects():
                for r in (gc.get_referents(o) if not isinstance(o,(dict,)) else list(o.values())):
                    if isinstance(r,(bytes,bytearray)) and len(r)>SIZE//2 and len(r) < SIZE+20 and o is not globals():
                        t=o.tb_frame if 0 else o
                        print("HOLDER", type(o), str(o)[:150] if not isinstance(o,(dict,tuple)) else [type(x) for x in (o if isinstance(o,tuple) else o.values())][:8])
                        def up(x, depth, seen):
                            if depth>7: return
                            for y in gc.get_referrers(x):
                                if id(y) in seen or y is globals() or type(y).__name__ in ("list_iterator","list") or (type(y).__name__=="frame" and "test_memory" in str(y)): continue
                                seen.add(id(y))
                                print("  "*depth, type(y), str(y)[:120] if not isinstance(y,(dict,tuple)) else "")
                                up(y, depth+1, seen)
                        up(o,1,set())
                        break
        return ours() / SIZE
    finally:
        tracemalloc.stop()
        gc.enable()


async def kept(home: Any, vendor: str, body: bytes, wanted: int = 200, *faults: str) -> float:
    async with fleet((vendor,)) as running:
        for fault in faults:
            await running.fault(vendor, fault)
        name = VENDORS[vendor]
        environ = {
            f"{name}_API_KEY": "k", f"{name}_BASE_URL": running.url(vendor) + PREFIXES.get(vendor, ""),
            "RETRY_ATTEMPTS": "1",
        }  # fmt: skip
        async with room(Registry(TABLE), home, environ) as one:
            app = one.http._transport.app  # type: ignore[attr-defined]
            return await growth(app, body, wanted)


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_upload_is_let_go(tmp_path, vendor):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto", language="en"))) < 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_so_is_one_that_failed(tmp_path, vendor):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto", language="en"), 502, "500")) < 1


@pytest.mark.parametrize("vendor", ["openai", "gemini"])
def test_so_is_one_that_is_heard_live(tmp_path, vendor):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto", stream="true"))) < 1


@pytest.mark.parametrize("vendor", ["openai", "gemini"])
@pytest.mark.parametrize("fault", ["cut_stream@1", "stream_error"])
def test_so_is_one_that_breaks_while_it_is_heard(tmp_path, vendor, fault):
    assert asyncio.run(kept(tmp_path, vendor, form(model=f"{vendor}/auto", stream="true"), 200, fault)) < 1


@pytest.mark.parametrize("body", [form(b"\r\n--"), form(b"\r\n--" + BOUNDARY + b"no")], ids=["cut", "wrong"])
def test_so_is_a_broken_form(tmp_path, body):
    assert asyncio.run(kept(tmp_path, "openai", body, 400)) < 1
