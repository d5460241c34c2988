"""An adapter for sound, by itself, at a server of the test's own choice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from core.capabilities import Capability
from core.config.secrets import Secret
from core.config.settings import Account
from core.net.transport import Transport
from core.providers.contract import Call
from core.providers.registry import load_adapter
from core.providers.table import TABLE
from core.types.audio import Audio, Sound
from core.types.frame import Kind
from core.types.target import Target
from infra.local.simulators import signal
from tests.sound import recording

KEY = "not-a-real-key-1"


@asynccontextmanager
async def adapter(provider: str, capability: Capability, url: str) -> AsyncIterator[Any]:
    row = next(row for row in TABLE if row.name == provider).services[capability]
    transport = await Transport().open()
    try:
        yield load_adapter(row)(row, Account(key=Secret(KEY), base_url=url), transport)
    finally:
        await transport.close()


def call_for(provider: str, model: str, strict: bool = False, **body: Any) -> Call:  # noqa: FBT001, FBT002 - as of a Call
    return Call(Target(provider, "default", model), body, 5.0, 2**24, strict=strict)


def audio(turns: str | tuple[tuple[int, str], ...], kind: str = "wav", rate: int = 16_000) -> Audio:
    """A recording of that, measured; of nothing, two seconds of silence."""
    data = recording(turns, kind, rate) if turns else signal.wav(signal.silence(2.0, rate), rate)
    samples, _ = signal.samples(data, rate)
    return Audio(data, kind, ms=len(samples) * 1000 // rate, rate=rate)


async def whole(source: Any) -> bytes:
    """All bytes of a stream of speech that ended as it should."""
    said, ended = bytearray(), False
    try:
        while (frames := await source.next()) is not None:
            assert not ended
            for frame in frames:
                said += frame.raw
                ended = frame.kind is Kind.END
    finally:
        source.close()
    assert ended
    return bytes(said)


def heard_in(data: bytes, sound: Sound) -> str:
    """What speech says."""
    if sound.kind == "pcm":
        samples = np.frombuffer(data, "<i2")
        return signal.text(signal.hear(samples, sound.rate))
    return signal.text(signal.heard(data))
