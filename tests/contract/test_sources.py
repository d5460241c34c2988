"""Streams of sound that are given up while somebody waits for their next frames: the wait ends at once."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from core.capabilities import Capability
from core.config.secrets import Secret
from core.config.settings import Account
from core.errors import TargetError
from core.execution.saying import RATE, Saying
from core.net.transport import Transport
from core.providers.contract import Call, TranscribesLive
from core.providers.registry import load_adapter
from core.providers.row import Row
from core.providers.table import TABLE
from core.types.audio import Sound
from core.types.frame import Kind
from core.types.target import Target
from core.verbs.transcribe import Listening
from infra.local.simulators.fleet import Fleet
from tests.contract.sounding import KEY, audio

TEXT = "Good morning everybody. " * 20
# What streams only where it is asked for in a way of its own.
MODELS = {("azure", Capability.TRANSCRIBE): "azure-stt", ("openai", Capability.TRANSCRIBE): "gpt-4o-transcribe"}
# Whose speech is there before the first piece of it goes out, and whose models hear whole files alone.
WHOLE = {("replicate", Capability.SPEAK), ("groq", Capability.TRANSCRIBE), ("together", Capability.TRANSCRIBE)}


def rows() -> Iterator[Any]:
    """Everybody whose adapter gives frames of sound, or of what is heard in it."""
    for row in TABLE:
        for what in (Capability.TRANSCRIBE, Capability.SPEAK):
            one = row.services.get(what)
            if one is None or (row.name, what) in WHOLE or row.local:
                continue
            adapter: object = load_adapter(one)(one, _account(one, "http://127.0.0.1:1"), Transport())
            if what is Capability.SPEAK or isinstance(adapter, TranscribesLive):
                yield pytest.param(one, what, {}, id=f"{row.name} {what}")
            if what is Capability.SPEAK and row.name == "azure":
                yield pytest.param(one, what, {"boundaries": True}, id=f"{row.name} {what} boundaries")


def _account(row: Row, url: str) -> Account:
    if row.name == "azure":
        return Account(speech_key=Secret(KEY), speech_url=url)
    return Account(key=Secret(KEY), base_url=f"{url}{urlsplit(row.base_url or '').path}")


def _call(row: Row, what: Capability, more: dict[str, Any]) -> Call:
    model = MODELS.get((row.name, what)) or row.default_models[what]
    body: dict[str, Any] = {"audio": audio(TEXT), "language": "en", "timestamps": ()}
    if what is Capability.SPEAK:
        kind = "pcm" if "pcm" in row.says else row.says[0]
        body = {"input": TEXT[: row.most_characters or None], "sound": Sound(kind, RATE), "voice": None, **more}
    return Call(Target(row.name, "default", model), body, 60.0, 2**24)


async def _given_up(source: Any) -> None:
    """Read until nothing comes any more, close it, and see the wait end."""
    while True:
        reading = asyncio.ensure_future(source.next())
        done, _ = await asyncio.wait([reading], timeout=0.4)
        if not done:
            break
        frames = reading.result()
        assert frames is not None and all(frame.kind is not Kind.END for frame in frames), "it never waited"
    source.close()
    async with asyncio.timeout(10):
        with pytest.raises(TargetError):
            await reading


@pytest.mark.parametrize(("row", "what", "more"), [*rows()])
def test_who_waits_for_a_stream_that_is_closed_need_not(row, what, more):
    async def scenario() -> None:
        fleet = Fleet((row.name,))
        await fleet.start()
        transport = await Transport().open()
        try:
            adapter = load_adapter(row)(row, _account(row, fleet.url(row.name)), transport)
            call = _call(row, what, more)

            async def ask(_: str) -> Any:
                return await adapter.speak(call)

            await fleet.fault(row.name, "stream_stall@1")
            if what is Capability.TRANSCRIBE:
                await _given_up(Listening(await adapter.transcribe_stream(call), ()))
                return
            # By itself, and as the gateway says it, untouched and made anew.
            await _given_up(await adapter.speak(call))
            for wanted in (call.body["sound"], Sound("flac", RATE)):
                await _given_up(await Saying(ask, [TEXT], wanted, lambda _: 0.0, counted=True).open())
        finally:
            await transport.close()
            await fleet.stop()

    asyncio.run(scenario())
