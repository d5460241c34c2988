"""One vendor on one port: finds the responder for a path, and the fault for a request."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, unquote

from infra.local.simulators import (
    anthropic,
    chat,
    cohere,
    cohere_embeddings,
    embeddings,
    gemini,
    gemini_embeddings,
    listings,
    ollama,
    pipelines,
    replicate,
    replicate_files,
    replicate_models,
    rerank,
    responses,
    translator,
)
from infra.local.simulators.answers import WRONG_JSON
from infra.local.simulators.delivery import Waits, deliver
from infra.local.simulators.editing import WRONG_WORDS
from infra.local.simulators.errors import lost, refusal
from infra.local.simulators.faults import Fault, FaultBook
from infra.local.simulators.httpd import Exchange, Request, Server
from infra.local.simulators.replies import Call, Reply, Socket, Stream
from infra.local.simulators.vendor import Vendor

# Faults of what is said, in answers that are otherwise well.
_WRONG = {"wrong_json": WRONG_JSON, "wrong_words": WRONG_WORDS}
KEPT_REQUESTS = 1000
KEPT_BYTES = 64 * 2**20
SOUND = frozenset({"transcribe", "speak"})
PORTAL = Reply(
    200,
    {"content-type": "text/html; charset=utf-8"},
    b"<!DOCTYPE html><html><head><title>Sign in</title></head>"
    b"<body><h1>Please sign in to this network</h1></body></html>",
)


Respond = Callable[[Call], Reply | Stream | Socket]


@dataclass(frozen=True, slots=True)
class Responder:
    method: str
    # None: a path that belongs to no capability.
    capability: str | None
    # Or where it is, for what needs decoders: those take as long to import as all the rest.
    respond: Respond | str
    # How it says errors where the vendor has more than one way.
    errors: str | None = None
    auth: tuple[str, ...] | None = None  # headers that may carry the key, where they are others
    sockets: bool = False  # it asks for something to be made by opening one
    long: bool = False  # takes long enough to be done in a thread
    also: Mapping[str, Respond | str] = field(default_factory=dict)  # by other methods
    public: bool = False  # needs no key
    several: Callable[[Call], str] | None = None  # which capability a request is for, where a path has several

    def asked(self, call: Call) -> str | None:
        return self.several(call) if self.several else self.capability

    def is_long(self, call: Call) -> bool:
        return self.long or self.asked(call) in SOUND


SILENT = "silent"  # errors are a status alone
SPEECH_KEYS = ("ocp-apim-subscription-key", "authorization")

# A new capability is an entry here and its paths in the vendors' rows.
RESPONDERS = {
    "chat": Responder("POST", "chat", chat.respond),
    "responses": Responder("POST", "chat", responses.respond),
    "embeddings": Responder("POST", "embed", embeddings.respond),
    "rerank": Responder("POST", "rerank", rerank.respond),
    "similarity": Responder("POST", "rerank", rerank.similarity),
    "cohere_chat": Responder("POST", "chat", cohere.chat),
    "cohere_embed": Responder("POST", "embed", cohere_embeddings.respond),
    "cohere_rerank": Responder("POST", "rerank", rerank.respond_cohere),
    "cohere_transcribe": Responder("POST", "transcribe", "cohere_audio:transcribe", long=True),
    "cohere_models": Responder("GET", None, cohere_embeddings.models),
    "messages": Responder("POST", "chat", anthropic.respond),
    "count_tokens": Responder("POST", None, anthropic.count_tokens),
    "gemini": Responder("POST", "chat", gemini.generate, several=gemini.asked),
    "gemini_stream": Responder("POST", "chat", gemini.generate_stream, several=gemini.asked),
    "gemini_count": Responder("POST", None, gemini.count),
    "gemini_embed": Responder("POST", "embed", gemini_embeddings.embed),
    "gemini_embed_batch": Responder("POST", "embed", gemini_embeddings.batch),
    "gemini_models": Responder("GET", None, gemini.models),
    "models": Responder("GET", None, listings.models),
    "anthropic_models": Responder("GET", None, anthropic.models),
    "tags": Responder("GET", None, listings.tags),
    "version": Responder("GET", None, listings.version),
    "ollama chat": Responder("POST", "chat", ollama.chat, "text"),
    "ollama embed": Responder("POST", "embed", ollama.embed, "text"),
    "ollama show": Responder("POST", None, ollama.show, "text"),
    "predict": Responder("POST", "chat", replicate.create, several=replicate_models.asked),
    "prediction": Responder("GET", None, replicate.show),
    "cancel prediction": Responder("POST", None, replicate.cancel),
    "stream prediction": Responder("GET", "chat", replicate.stream),
    "replicate models": Responder("GET", None, replicate.models),
    "replicate collection": Responder("GET", None, replicate.collection),
    "translate": Responder("POST", "translate", translator.translate, "translator", translator.KEYS),
    "detect": Responder("POST", "translate", translator.detect, "translator", translator.KEYS),
    "languages": Responder("GET", None, translator.spoken, "translator", ()),
    "replicate files": Responder("POST", None, replicate_files.put),
    "replicate file": Responder("GET", None, replicate_files.show, also={"DELETE": replicate_files.remove}),
    "replicate delivery": Responder("GET", None, replicate_files.deliver, public=True),
    "recognition": Responder("POST", "transcribe", "huggingface_audio:recognise", long=True),
    "feature extraction": Responder("POST", "embed", pipelines.feature_extraction),
    "transcriptions": Responder("POST", "transcribe", "transcriptions:respond", long=True),
    "audio translations": Responder("POST", "transcribe", "transcriptions:translate", long=True),
    "speech": Responder("POST", "speak", "speech:respond", long=True),
    "fast transcription": Responder("POST", "transcribe", "azure_speech:transcribe", auth=SPEECH_KEYS, long=True),
    "ssml": Responder("POST", "speak", "azure_speech:speak", SILENT, SPEECH_KEYS, long=True),
    "speech voices": Responder("GET", None, "azure_speech:voices", SILENT, SPEECH_KEYS),
    "speech token": Responder("POST", None, "azure_speech:token", auth=SPEECH_KEYS),
    "live recognition": Responder(
        "GET",
        "transcribe",
        "azure_speech_ws:recognise",
        SILENT,
        SPEECH_KEYS,
        sockets=True,
        also={"POST": "azure_speech:short"},
    ),
    "live speech": Responder("GET", "speak", "azure_speech_ws:synthesise", SILENT, SPEECH_KEYS, sockets=True),
}
CAPABILITIES = frozenset(r.capability for r in RESPONDERS.values() if r.capability)


class Simulator:
    def __init__(self, vendor: Vendor, book: FaultBook, waits: Waits, host: str) -> None:
        self.vendor = vendor
        self.server = Server(self._serve, host)
        self.count = 0
        self.calls = 0  # of them those that ask for something to be made
        self.received: deque[Request] = deque()
        self._kept = 0
        self._desk: dict[str, Any] = {}
        self._book = book
        self._waits = waits
        self._routes = [(_pattern(path), RESPONDERS[name]) for path, name in vendor.paths.items()]

    async def _serve(self, request: Request, exchange: Exchange) -> None:
        self._record(request)
        target = self.vendor.name + request.target
        body = _lasting(request)
        count = self._book.count(target, body)
        mark = blake2b(f"{self._book.seed}\0{target}\0{count}\0".encode() + body, digest_size=16).hexdigest()
        responder, names = self._route(request)
        self.calls += responder is not None and _makes(responder, request)
        call = Call(_spoken(self.vendor, responder), request, names, mark, int(time.time()), self._desk)
        heavy = responder is not None and responder.is_long(call)
        reply = await asyncio.to_thread(self._reply, call, responder) if heavy else self._reply(call, responder)
        fault = self._book.choose(
            self.vendor.name,
            responder.asked(call) if responder else None,
            target,
            body,
            count,
            streaming=isinstance(reply, Stream | Socket),
            socket=isinstance(reply, Socket),
        )
        if fault is not None and fault.name in _WRONG:
            reply = copy_context().run(self._wrong, _WRONG[fault.name], call, responder)
        await deliver(exchange, self._headed(_spoiled(reply, call.vendor, fault), mark), fault, self._waits)

    def _record(self, request: Request) -> None:
        self.count += 1
        self.received.append(request)
        self._kept += len(request.body)
        while len(self.received) > KEPT_REQUESTS or self._kept > KEPT_BYTES:
            self._kept -= len(self.received.popleft().body)

    def _route(self, request: Request) -> tuple[Responder | None, dict[str, str]]:
        for pattern, responder in self._routes:
            if match := pattern.fullmatch(request.path):
                return responder, {name: unquote(part) for name, part in match.groupdict().items()}
        return None, {}

    def _reply(self, call: Call, responder: Responder | None) -> Reply | Stream | Socket:
        request, vendor = call.request, call.vendor
        if responder is None:
            return lost(vendor, request.method, request.path)
        if request.method not in {responder.method, *responder.also}:
            return lost(vendor, request.method, request.path, 405)
        if not responder.public and not _authorized(vendor, request):
            return refusal(vendor, 401)
        if "deployment" in call.names and not parse_qs(request.query).get("api-version"):
            return lost(vendor, request.method, request.path)
        return _made(responder.also.get(request.method, responder.respond))(call)

    def _wrong(self, kind: ContextVar[bool], call: Call, responder: Responder | None) -> Reply | Stream | Socket:
        kind.set(True)
        return self._reply(call, responder)

    def _headed(self, reply: Reply | Stream | Socket, mark: str) -> Reply | Stream | Socket:
        if reply is PORTAL:
            return reply
        vendor = self.vendor
        ids = dict.fromkeys(vendor.request_ids, f"req_{mark}")
        return replace(reply, headers={**ids, **vendor.headers, **_room(vendor), **reply.headers})


@cache
def _made(respond: Respond | str) -> Respond:
    if not isinstance(respond, str):
        return respond
    module, _, name = respond.partition(":")
    found: Respond = getattr(import_module(f"infra.local.simulators.{module}"), name)
    return found


def _spoken(vendor: Vendor, responder: Responder | None) -> Vendor:
    if responder is None:
        return vendor
    vendor = replace(vendor, errors=responder.errors) if responder.errors else vendor
    return vendor if responder.auth is None else replace(vendor, auth=responder.auth)


def _makes(responder: Responder, request: Request) -> bool:
    return responder.capability is not None and (request.method == "POST" or responder.sockets)


def _spoiled(reply: Reply | Stream | Socket, vendor: Vendor, fault: Fault | None) -> Reply | Stream | Socket:
    if fault is not None and fault.name == "status":
        return refusal(vendor, fault.status, retry_after=fault.retry_after)
    if fault is not None and fault.name == "wrong_content_type":
        return PORTAL
    return reply


def _lasting(request: Request) -> bytes:
    """The body as it would be again: a form is bounded by words of chance."""
    _, mark, boundary = request.headers.get("content-type", "").partition("boundary=")
    return request.body.replace(boundary.strip('"').encode(), b"") if mark else request.body


def _authorized(vendor: Vendor, request: Request) -> bool:
    for name in vendor.auth:
        value = request.headers.get(name, "")
        scheme, _, key = value.partition(" ")
        if value and (name != "authorization" or (scheme.lower() == "bearer" and key.strip())):
            return True
    return not vendor.auth


def _room(vendor: Vendor) -> dict[str, str]:
    """The limits as they stand while there is room left."""
    return {name: vendor.limits[name.replace("remaining", "limit")] for name in vendor.limits if "reset" not in name}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))
