"""What each fault does on the wire."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlsplit

import h11
import httpx2
import openai
import pytest
import uvloop
from openai import AsyncOpenAI

from infra.local.simulators.faults import VALID, WORDS, Fault, FaultBook, fires
from infra.local.simulators.fleet import Fleet, Waits

PATH = "/v1/chat/completions"
HELLO = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello there"}]}
WAITS = Waits(slow=0.01, huge_bytes=300_000)


def encoded(*, stream=False, **more):
    return json.dumps({**HELLO, **({"stream": True} if stream else {}), **more}).encode()


@asynccontextmanager
async def fleet(*names, waits=WAITS, **settings):
    running = Fleet(names or ("openai",), waits=waits, **settings)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def line(running, vendor="openai"):
    url = urlsplit(running.url(vendor))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def packed(body, path=PATH, method="POST", **headers):
    link = h11.Connection(h11.CLIENT)
    fields = {"host": "simulator", "authorization": "Bearer k", "content-length": str(len(body)), **headers}
    head = link.send(h11.Request(method=method, target=path, headers=[*fields.items()]))
    return head + link.send(h11.Data(data=body)) + link.send(h11.EndOfMessage())


@dataclass
class Seen:
    """What came over the wire, and how it ended: whole, cut (end of file) or reset."""

    head: h11.Response | None
    body: bytes
    end: str

    @property
    def headers(self):
        assert self.head is not None
        return {name.decode(): value.decode() for name, value in self.head.headers}

    @property
    def events(self):
        return [part.removeprefix(b"data: ") for part in self.body.split(b"\n\n") if part]

    @property
    def text(self):
        deltas = [c["delta"] for e in self.events if e != b"[DONE]" for c in json.loads(e).get("choices", ())]
        return "".join(delta.get("content") or "" for delta in deltas)


async def answer(reader, *, until=None):
    """Read one response with h11, which knows a whole body from a cut one."""
    link = h11.Connection(h11.CLIENT)
    link.send(h11.Request(method="GET", target="/", headers=[("host", "simulator")]))
    link.send(h11.EndOfMessage())
    head, body = None, b""
    while True:
        try:
            event = link.next_event()
            if event is h11.NEED_DATA:
                link.receive_data(await reader.read(2**16))
                continue
        except h11.RemoteProtocolError:
            return Seen(head, body, "cut")
        except ConnectionResetError:
            return Seen(head, body, "reset")
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if until is not None and body.count(b"\n\n") >= until:
                return Seen(head, body, "open")
        elif isinstance(event, h11.EndOfMessage):
            return Seen(head, body, "whole")
        else:
            return Seen(head, body, "cut")


async def ask(running, body, vendor="openai", path=PATH, **more):
    async with line(running, vendor) as (reader, writer):
        writer.write(packed(body, path, **more))
        return await answer(reader)


def under(fault, body, vendor="openai", path=PATH, waits=WAITS):
    async def run():
        async with fleet(vendor, waits=waits) as running:
            await running.fault(vendor, fault)
            return await ask(running, body, vendor, path)

    return asyncio.run(run())


async def settled(running, vendor="openai"):
    """Until the simulator holds no connection any more."""
    async with asyncio.timeout(5):
        await asyncio.gather(*running._simulators[vendor].server._tasks)


@pytest.mark.parametrize("text", ["400", "599", "429:2", "503:0.5", "cut_stream@0", "stream_stall@12", *WORDS])
def test_fault_text(text):
    assert Fault.parse(text).text == text


def test_fault_text_is_understood():
    assert Fault.parse("429:0.5") == Fault("429:0.5", "status", status=429, retry_after=0.5)
    assert Fault.parse("stream_error@0").after == 0
    assert Fault.parse("stream_error").after == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "200",
        "600",
        "boom",
        "429:",
        "429:x",
        "429:-1",
        "429:nan",
        "hang@3",
        "cut_stream@",
        "cut_stream@-1",
        "500@1",
    ],
)
def test_unknown_fault_text_lists_the_valid(text):
    with pytest.raises(ValueError, match="unknown fault") as raised:
        Fault.parse(text)
    assert VALID in str(raised.value)


def test_switches_are_checked():
    book = FaultBook()
    for rate in (0, 1.1, float("nan")):
        with pytest.raises(ValueError, match="rate must be"):
            book.add("openai", "500", rate=rate)
    with pytest.raises(ValueError, match="times must be"):
        book.add("openai", "500", times=0)
    with pytest.raises(ValueError, match="whole port"):
        book.add("openai", "refuse", times=1)
    with pytest.raises(ValueError, match="whole port"):
        book.add("openai", "refuse", capability="chat")
    with pytest.raises(ValueError, match="known are chat"):
        asyncio.run(Fleet().fault("openai", "500", capability="tea"))
    assert book.status() == []


def test_fires_is_a_fair_coin_that_falls_the_same_way_again():
    counts = range(1, 2001)
    fallen = [fires(1, b"body", "openai/x", count, 0.3) for count in counts]
    assert fallen == [fires(1, b"body", "openai/x", count, 0.3) for count in counts]
    assert 500 < sum(fallen) < 700
    for other in ((2, b"body", "openai/x"), (1, b"bodies", "openai/x"), (1, b"body", "azure/x")):
        assert fallen != [fires(*other, count, 0.3) for count in counts]
    assert all(fires(seed, b"", "", 1, 1.0) for seed in range(100))
    assert all(fires(1, b"body", "openai/x", count, 0.6) for count, hit in zip(counts, fallen, strict=True) if hit)


def test_counts_forget_the_body_not_seen_for_longest(monkeypatch):
    monkeypatch.setattr("infra.local.simulators.faults.REMEMBERED", 2)
    book = FaultBook()
    seen = [book.count("t", body) for body in (b"a", b"b", b"a", b"c", b"a", b"b")]
    assert seen == [1, 1, 2, 1, 3, 1]


def test_rate_is_predicted_by_fires_and_counts_go_per_body():
    async def run():
        bodies = [encoded(), encoded(temperature=1)]
        async with fleet("openai", seed=7) as running:
            await running.fault("openai", "500", rate=0.5)
            got: dict[bytes, list[int]] = {body: [] for body in bodies}
            for _ in range(12):
                for body in bodies:
                    got[body].append((await ask(running, body)).head.status_code)
            await running.clear()
            # The counts run on.
            await running.fault("openai", "503", rate=0.5)
            for body in bodies:
                got[body].append((await ask(running, body)).head.status_code)
        for body in bodies:
            hits = [fires(7, body, "openai" + PATH, count, 0.5) for count in range(1, 14)]
            assert got[body] == [500 if hit else 200 for hit in hits[:12]] + [503 if hits[12] else 200]
        assert len({tuple(statuses) for statuses in got.values()}) == 2

    asyncio.run(run())


def test_times_the_latest_first_and_status():
    async def run():
        async with fleet("openai", "azure") as running:
            await running.fault("openai", "500")
            row = await running.fault("openai", "503", times=2)
            assert row == {
                "provider": "openai",
                "fault": "503",
                "rate": 1.0,
                "capability": None,
                "times": 2,
                "fired": 0,
            }
            statuses = [(await ask(running, encoded())).head.status_code for _ in range(4)]
            assert statuses == [503, 503, 500, 500]
            fired = [(f["fault"], f["fired"]) for f in running.status()["providers"]["openai"]["faults"]]
            assert fired == [("500", 2), ("503", 2)]
            await running.fault("openai", "500", times=1)
            statuses = [(await ask(running, encoded())).head.status_code for _ in range(2)]
            assert statuses == [500, 200]
            await running.fault("azure", "500")
            await running.clear("openai")
            assert running.status()["providers"]["openai"]["faults"] == []
            assert len(running.status()["providers"]["azure"]["faults"]) == 1
            await running.clear()
            assert running.status()["providers"]["azure"]["faults"] == []

    asyncio.run(run())


def test_capability_narrows():
    async def run():
        async with fleet() as running:
            await running.fault("openai", "500", capability="chat")
            assert (await ask(running, encoded())).head.status_code == 500
            assert (await ask(running, b"", path="/v1/models", method="GET")).head.status_code == 200
            await running.fault("openai", "503")
            assert (await ask(running, b"", path="/v1/models", method="GET")).head.status_code == 503

    asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_hang(stream):
    async def run():
        async with fleet() as running:
            await running.fault("openai", "hang")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded(stream=stream)))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)
            await settled(running)

    asyncio.run(run())


def test_stop_ends_a_hang():
    async def run():
        async with fleet() as running:
            await running.fault("openai", "hang")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded()))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)
                await running.stop()
                assert (await answer(reader)).head is None

    asyncio.run(run())


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run])
def test_refuse_closes_the_port_and_gives_it_back(runner):
    async def run():
        async with fleet("openai", "azure") as running:
            url = running.url("openai")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded()))
                assert (await answer(reader)).head.status_code == 200
                await running.fault("openai", "refuse")
                assert await reader.read() == b""
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    await ask(running, encoded())
            # A second fault leaves the port closed; another vendor's is not touched.
            await running.fault("openai", "500")
            with pytest.raises(ConnectionRefusedError):
                await ask(running, encoded())
            await running.clear("azure")
            assert (await ask(running, encoded(), "azure", "/openai" + PATH)).head.status_code == 200
            await running.clear("openai")
            assert running.url("openai") == url
            assert (await ask(running, encoded())).head.status_code == 200
            await running.fault("openai", "refuse")
            await running.clear()
            assert (await ask(running, encoded())).head.status_code == 200
            await running.fault("openai", "refuse")

    runner(run())


@pytest.mark.parametrize("stream", [False, True])
def test_drop_headers(stream):
    seen = under("drop_headers", encoded(stream=stream))
    assert (seen.head, seen.body, seen.end) == (None, b"", "reset")


def test_drop_body():
    whole = under("slow_first_byte", encoded())
    seen = under("drop_body", encoded())
    assert seen.end == "cut"
    assert int(seen.headers["content-length"]) == len(whole.body)
    assert len(seen.body) == len(whole.body) // 2
    stream = under("drop_body", encoded(stream=True))
    assert (stream.head.status_code, stream.body, stream.end) == (200, b"", "cut")
    assert stream.headers["transfer-encoding"] == "chunked"


def test_truncated_json():
    seen = under("truncated_json", encoded())
    assert seen.end == "whole"
    with pytest.raises(json.JSONDecodeError):
        json.loads(seen.body)
    stream = under("truncated_json", encoded(stream=True))
    assert stream.end == "whole"
    first, half = stream.events
    assert json.loads(first)["choices"][0]["delta"]["role"] == "assistant"
    assert half.startswith(b'{"id"')
    with pytest.raises(json.JSONDecodeError):
        json.loads(half)


@pytest.mark.parametrize("stream", [False, True])
def test_wrong_content_type(stream):
    seen = under("wrong_content_type", encoded(stream=stream))
    assert (seen.head.status_code, seen.end) == (200, "whole")
    assert seen.headers["content-type"].startswith("text/html")
    assert b"sign in" in seen.body
    assert "x-request-id" not in seen.headers


@pytest.mark.parametrize(("suffix", "outputs"), [("", 3), ("@0", 0), ("@2", 2)])
def test_stream_faults_strike_where_they_should(suffix, outputs):
    cut = under(f"cut_stream{suffix}", encoded(stream=True))
    assert (cut.end, len(cut.events)) == ("cut", 1 + outputs)
    failed = under(f"stream_error{suffix}", encoded(stream=True))
    assert (failed.end, len(failed.events)) == ("whole", 2 + outputs)
    assert json.loads(failed.events[-1])["error"]["type"] == "server_error"
    words = ["Simulated ", "answer ", "from "][:outputs]
    assert cut.text == failed.text == "".join(words)


@pytest.mark.parametrize(("suffix", "outputs"), [("", 3), ("@0", 0)])
def test_stream_stall(suffix, outputs):
    async def run():
        async with fleet() as running:
            await running.fault("openai", f"stream_stall{suffix}")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded(stream=True)))
                seen = await answer(reader, until=1 + outputs)
                assert (seen.head.status_code, len(seen.events)) == (200, 1 + outputs)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.05)
            await settled(running)

    asyncio.run(run())


def test_faults_after_the_last_output_strike_before_the_end():
    seen = under("cut_stream@99", encoded(stream=True))
    assert seen.end == "cut"
    assert seen.text.endswith('you said "Hello there".')
    assert b'finish_reason":"stop' not in seen.body


def test_azure_stream_faults_leave_the_filter_chunk_and_the_role():
    seen = under("cut_stream@0", encoded(stream=True), "azure", "/openai" + PATH)
    filtered, role = (json.loads(event) for event in seen.events)
    assert filtered["choices"] == []
    assert role["choices"][0]["delta"]["role"] == "assistant"
    failed = under("stream_error@0", encoded(stream=True), "azure", "/openai" + PATH)
    assert json.loads(failed.events[-1])["error"]["code"] == "InternalServerError"


@pytest.mark.parametrize("vendor", ["openai", "azure", "together", "ollama"])
def test_no_end_marker(vendor):
    path = "/openai" + PATH if vendor == "azure" else PATH
    seen = under("no_end_marker", encoded(stream=True, stream_options={"include_usage": True}), vendor, path)
    assert seen.end == "whole"
    assert seen.text.endswith('you said "Hello there".')
    chunks = [json.loads(event) for event in seen.events]
    assert not any(chunk.get("usage") for chunk in chunks)
    assert not any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])


def test_huge_body():
    seen = under("huge_body", encoded())
    assert seen.end == "whole"
    assert "content-length" not in seen.headers
    content = json.loads(seen.body)["choices"][0]["message"]["content"]
    assert content.startswith("a" * WAITS.huge_bytes)
    stream = under("huge_body", encoded(stream=True))
    assert len(stream.events[1]) > WAITS.huge_bytes
    assert json.loads(stream.events[1])["choices"][0]["delta"]["content"].startswith("aaa")
    assert len(under("huge_body", b"").body) < 1000 + WAITS.huge_bytes


@pytest.mark.parametrize("stream", [False, True])
def test_huge_body_stops_when_the_client_leaves(stream):
    async def run():
        async with fleet(waits=Waits(huge_bytes=2**40)) as running:
            await running.fault("openai", "huge_body")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded(stream=stream)))
                assert len(await reader.readexactly(2**20)) == 2**20
                writer.transport.abort()
            await settled(running)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "stream", "slept"),
    [
        ("slow_first_byte", False, [0.01 + 0.002]),
        ("slow_first_byte", True, [0.01 + 0.002, *[0.001] * 7]),
        ("slow_chunks", False, [0.002, 0.01]),
        ("slow_chunks", True, [0.002, *[0.01] * 7]),
    ],
)
def test_slow_faults_wait_where_they_should(fault, stream, slept, monkeypatch):
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    monkeypatch.setattr("infra.local.simulators.delivery.asyncio", SimpleNamespace(sleep=sleep))
    seen = under(fault, encoded(stream=stream, max_completion_tokens=8), waits=Waits(0.002, 0.001, 0.01))
    assert seen.end == "whole"
    assert waited == pytest.approx(slept)


def test_slow_chunks_really_come_apart():
    async def run():
        async with fleet() as running:
            await running.fault("openai", "slow_chunks")
            async with line(running) as (reader, writer):
                writer.write(packed(encoded()))
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                first = await reader.read(2**16)
                rest = await reader.readexactly(length - len(first))
                return first, rest

    first, rest = asyncio.run(run())
    assert rest
    assert json.loads(first + rest)


@pytest.mark.parametrize("fault", ["cut_stream", "stream_error@0", "stream_stall", "no_end_marker"])
def test_stream_faults_leave_other_answers_alone(fault):
    async def run():
        async with fleet() as running:
            await running.fault("openai", fault, times=1)
            seen = await ask(running, encoded())
            return seen, running.status()["providers"]["openai"]["faults"][0]["fired"]

    seen, fired = asyncio.run(run())
    assert (seen.head.status_code, seen.end, fired) == (200, "whole", 0)


def test_connections_are_kept_and_reused():
    async def run():
        async with fleet() as running, line(running) as (reader, writer):
            for stream in (False, True, False):
                writer.write(packed(encoded(stream=stream)))
                seen = await answer(reader)
                assert (seen.head.status_code, seen.end) == (200, "whole")
            await running.fault("openai", "429:1")
            writer.write(packed(encoded()))
            assert (await answer(reader)).head.status_code == 429
            writer.write(packed(encoded(), connection="close"))
            assert (await answer(reader)).head.status_code == 429
            assert await reader.read() == b""

    asyncio.run(run())


def test_server_answers_what_is_no_request(monkeypatch):
    monkeypatch.setattr("infra.local.simulators.httpd.MAX_BODY", 1000)

    async def run():
        async with fleet() as running:
            async with line(running) as (reader, writer):
                writer.write(b"nonsense\r\n\r\n")
                assert (await answer(reader)).head.status_code == 400
            assert (await ask(running, b"a" * 1001)).head.status_code == 413
            assert (await ask(running, encoded(), expect="100-continue")).head.status_code == 200
            async with line(running) as (_, writer):
                writer.write(packed(encoded())[:-5])
            await settled(running)
            assert len(running.requests("openai")) == 1

    asyncio.run(run())


def test_faults_reach_the_sdk():
    async def run():
        async with fleet() as running, httpx2.AsyncClient(trust_env=False) as http:
            url = running.url("openai") + "/v1"
            sdk = AsyncOpenAI(api_key="k", base_url=url, max_retries=0, http_client=http, timeout=10)

            async def chat(fault, **options):
                await running.clear()
                await running.fault("openai", fault)
                answered = await sdk.chat.completions.create(**{**HELLO, **options})
                return [chunk async for chunk in answered] if options.get("stream") else answered

            for fault in ("refuse", "drop_headers", "drop_body"):
                with pytest.raises(openai.APIConnectionError) as raised:
                    await chat(fault)
                assert not isinstance(raised.value, openai.APITimeoutError)
            with pytest.raises(openai.APITimeoutError):
                await chat("hang", timeout=0.1)
            with pytest.raises(openai.APIError, match="had an error"):
                await chat("stream_error", stream=True)
            with pytest.raises(openai.APIConnectionError):
                await chat("cut_stream", stream=True)
            assert (await chat("no_end_marker", stream=True))[-1].choices[0].finish_reason is None

    asyncio.run(run())
