"""What any gateway must do, and nothing else: the floor that ours is measured against.

Takes the gateway's own PORT and OPENAI_BASE_URL, so that it can stand in for it.
"""

import os
from io import BytesIO
from typing import TYPE_CHECKING

import aiohttp
import orjson
import uvicorn

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

ROOT = os.environ["OPENAI_BASE_URL"]
URL = ROOT + "/chat/completions"
HEADERS = {"content-type": "application/json", "authorization": "Bearer bench"}


class Floor:
    def __init__(self) -> None:
        self._session: aiohttp.ClientSession

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] == "/health":
            await _reply(send, 200, b"{}")
        elif scope["path"].startswith("/v1/audio/"):
            await self._pass(scope, receive, send)
        else:
            await self._chat(receive, send)

    async def _live(self, receive: "Receive", send: "Send") -> None:
        await receive()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _chat(self, receive: "Receive", send: "Send") -> None:
        request = orjson.loads(await _body(receive))
        async with self._session.post(URL, data=orjson.dumps(request), headers=HEADERS) as response:
            if not request.get("stream"):
                answer = orjson.loads(await response.read())
                answer["gateway"] = "floor"
                await _reply(send, response.status, orjson.dumps(answer))
                return
            await send(_start(response.status, b"text/event-stream"))
            async for part in response.content.iter_any():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _pass(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """A form is passed on as it came."""
        kind = dict(scope["headers"])[b"content-type"].decode()
        headers = {**HEADERS, "content-type": kind}
        url = ROOT + scope["path"].removeprefix("/v1")
        async with self._session.post(url, data=BytesIO(await _body(receive)), headers=headers) as response:
            await _reply(send, response.status, await response.read())


async def _body(receive: "Receive") -> bytes:
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message["more_body"]
    return b"".join(parts)


def _start(status: int, content_type: bytes, *more: tuple[bytes, bytes]) -> dict[str, object]:
    headers = [(b"content-type", content_type), *more]
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _reply(send: "Send", status: int, body: bytes) -> None:
    await send(_start(status, b"application/json", (b"content-length", b"%d" % len(body))))
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Floor(),
        port=int(os.environ["PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
