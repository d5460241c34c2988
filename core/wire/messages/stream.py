"""A canonical chat stream as events of the Messages dialect, where one block is open at a time. Pure."""

from collections import deque
from collections.abc import Iterable
from typing import Any

import orjson

from core.errors import Malformed
from core.types.usage import Usage
from core.wire import sse
from core.wire.anthropic.blocks import FORMAT
from core.wire.anthropic.chat import message_id, stop_reason_to, usage_to
from core.wire.anthropic.turns import places_of, tool_id
from core.wire.messages.errors import MESSAGE_STOP
from core.wire.seals import extra_sealed, sealed, unsigned

Body = dict[str, Any]

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
# A block's first look, and how its pieces are called.
_EMPTY: dict[str, Body] = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}}
_PIECES = {"text": (b"text_delta", b"text"), "thinking": (b"thinking_delta", b"thinking"),
           "tool_use": (b"input_json_delta", b"partial_json")}  # fmt: skip
_REASONING = ("reasoning_content", "reasoning")  # two names of one thing


class _Block:
    __slots__ = ("cited", "format", "head", "key", "kind", "number", "over", "pieces", "signature", "unsigned")

    def __init__(self, kind: str, head: Body, key: Any = None) -> None:
        self.kind = kind
        self.head = {"type": kind, **head}
        self.key = key  # the index of the reasoning item that it is
        self.number = -1  # in the message, once it is open
        self.pieces: list[str] = []  # what waits to be sent; of a tool call all that has come
        self.cited: list[Body] = []  # what its text, which is over, rests on
        self.over = False  # nothing more comes to it
        self.signature = ""
        self.format: str | None = None  # who can read the signature
        self.unsigned = ""  # what stands for one

    @property
    def is_whole(self) -> bool:
        """Whether nothing more can come once another block has begun: arguments end when they are JSON."""
        if self.kind != "tool_use":
            return True
        if not self.pieces or not self.pieces[-1].rstrip().endswith("}"):
            return False
        try:
            orjson.loads("".join(self.pieces))
        except orjson.JSONDecodeError:
            return False
        return True


class MessagesStream:
    """Chunks in, events out. What belongs to a later block waits until the open one is over."""

    __slots__ = ("_blocks", "_calls", "_held", "_id", "_input", "_opened", "_out", "_reason", "_started", "_stopped")

    def __init__(self, input_tokens: int) -> None:
        self._input = input_tokens  # an estimate; the end says what it was
        self._started = False
        self._id = ""
        self._out: list[bytes] = []
        self._blocks: deque[_Block] = deque()  # the open one, then those that wait for it
        self._opened = 0
        self._calls: dict[int, _Block] = {}
        # Others' seals, for before what follows them. What follows no more is not told: a message that ends
        # in a thought is to agents one without an answer.
        self._held: list[str] = []
        self._reason: str | None = None
        self._stopped: str | None = None  # by which of the caller's words

    def feed(self, raws: Iterable[bytes]) -> bytes:
        """The events of some frames; Malformed when they hold no chunks."""
        try:
            for raw in raws:
                for event in sse.events(raw):
                    data = sse.data_of(event)
                    if data is None:
                        self._ping()  # a comment, which keeps the connection alive
                    elif data != b"[DONE]":
                        self._chunk(orjson.loads(data))
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            # Output is passed on without a look, so this is the first one.
            raise Malformed("a stream event is not what the dialect says") from None
        return self._taken()

    def end(self, usage: Usage) -> bytes:
        """The rest of a stream that has come to its end."""
        if not self._started:
            self._start({})
        self._advance(last=True)
        delta = {"stop_reason": stop_reason_to(self._reason), "stop_sequence": None}
        if self._stopped and self._reason == "stop":
            delta = {"stop_reason": "stop_sequence", "stop_sequence": self._stopped}
        said = {"type": "message_delta", "delta": delta, "usage": usage_to(usage)}
        self._out += (b"event: message_delta\n", sse.event(orjson.dumps(said)), MESSAGE_STOP)
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out

    def _chunk(self, chunk: Body) -> None:
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # a message has one answer
            if not self._started:
                self._start(chunk)
            if delta := choice.get("delta"):
                self._delta(delta)
            if reason := choice.get("finish_reason"):
                self._reason, stop = reason, choice.get("stop_reason")
                self._stopped = stop if type(stop) is str else None

    def _start(self, chunk: Body) -> None:
        self._started = True
        self._id = message_id(chunk.get("id"))
        message: Body = {
            "id": self._id, "type": "message", "role": "assistant", "model": chunk.get("model") or "", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage_to(Usage("estimated", input=self._input)),
        }  # fmt: skip
        self._out += (
            b"event: message_start\n",
            sse.event(orjson.dumps({"type": "message_start", "message": message})),
        )

    def _ping(self) -> None:
        if self._started:
            self._out.append(_PING)

    def _delta(self, delta: Body) -> None:
        details = delta.get("reasoning_details") or ()
        if not any(item.get("text") or item.get("summary") for item in details):  # else they say the same
            for name in _REASONING:
                if text := delta.get(name):
                    self._more(self._last("thinking"), text)
                    break
        for item in details:
            self._reasoning(item)
        for name in ("content", "refusal"):
            if text := delta.get(name):
                self._more(self._last("text"), text)
        if cited := delta.get("citations"):
            self._cite(cited)
        for piece in delta.get("tool_calls") or ():
            self._call(piece)

    def _reasoning(self, item: Body) -> None:
        """Reasoning that somebody can read again, if it comes back as it is."""
        key, told, seal = item.get("index"), item.get("text") or item.get("summary"), item.get("signature")
        if item.get("type") == "reasoning.encrypted":
            if item.get("data"):
                self._secret(item["data"], item.get("format"))
        elif told or seal:
            block = self._last("thinking", key)
            block.format = item.get("format") or block.format
            block.signature += seal or ""
            if item.get("text"):
                block.unsigned = block.unsigned or unsigned(item, FORMAT)
            if told:
                self._more(block, told)

    def _cite(self, cited: list[Body]) -> None:
        """What the text so far rests on, as far as this dialect has words for it."""
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.kind == "text":
            last.cited += [place for one in cited for place in places_of(one)]
            last.over = bool(last.cited)

    def _secret(self, data: str, maker: str | None) -> None:
        if maker in {None, FORMAT}:
            self._add(_Block("redacted_thinking", {"data": data}))
        else:
            self._held.append(sealed(data, maker, FORMAT))

    def _call(self, piece: Body) -> None:
        function, given = piece.get("function") or {}, tool_id(piece.get("id"))
        index = piece.get("index")
        key = index if type(index) is int else len(self._calls) if given else max(self._calls, default=0)
        block = self._calls.get(key)
        # Some number all their calls alike; another id is another call.
        if block is None or (given and given != block.head["id"]):
            if extra := piece.get("extra_content"):
                self._held.append(extra_sealed(extra))
            head: Body = {"id": given or f"call_{self._id}_{key}", "name": function.get("name") or "", "input": {}}
            block = self._calls[key] = _Block("tool_use", head)
            self._add(block)
        elif not block.head["name"] and function.get("name"):
            block.head["name"] = function["name"]
            self._advance()
        if arguments := function.get("arguments"):
            self._more(block, arguments if type(arguments) is str else orjson.dumps(arguments).decode())

    def _last(self, kind: str, key: Any = None) -> _Block:
        """The block that text of this kind continues, which may be a new one."""
        last = self._blocks[-1] if self._blocks else None
        if last is not None and last.kind == kind and not last.over and (last.key == key or None in (last.key, key)):
            last.key = last.key if key is None else key
            return last
        block = _Block(kind, _EMPTY[kind], key)
        self._add(block)
        return block

    def _add(self, block: _Block) -> None:
        self._blocks += [_Block("redacted_thinking", {"data": seal}) for seal in self._held]
        self._held.clear()
        self._blocks.append(block)
        self._advance()

    def _more(self, block: _Block, text: str) -> None:
        if block.number < 0:
            block.pieces.append(text)
        elif block is self._blocks[0]:
            self._send(block, text)
            if block.kind == "tool_use":
                block.pieces.append(text)
                if len(self._blocks) > 1:
                    self._advance()
        elif text.strip():
            raise Malformed("a tool call goes on after its end")

    def _send(self, block: _Block, text: str) -> None:
        self._out.append(_DELTA % (block.number, *_PIECES[block.kind], orjson.dumps(text)))

    def _advance(self, *, last: bool = False) -> None:
        """Close what is over and open what follows."""
        while self._blocks:
            block = self._blocks[0]
            if block.number < 0:
                if not last and block.head.get("name") == "":
                    return  # its name is still to come
                self._open(block)
            if not last and (len(self._blocks) == 1 or not block.is_whole):
                return
            self._close(block)
            self._blocks.popleft()

    def _open(self, block: _Block) -> None:
        block.number = self._opened
        self._opened += 1
        self._out.append(_START % (block.number, orjson.dumps(block.head)))
        if not block.number:
            self._ping()  # where this dialect's own streams have it
        if text := "".join(block.pieces):
            self._send(block, text)
        if block.kind != "tool_use":
            block.pieces.clear()

    def _close(self, block: _Block) -> None:
        for one in block.cited:
            self._out.append(_DELTA % (block.number, b"citations_delta", b"citation", orjson.dumps(one)))
        seal = sealed(block.signature, block.format, FORMAT) if block.signature else block.unsigned
        if seal:
            self._out.append(_DELTA % (block.number, b"signature_delta", b"signature", orjson.dumps(seal)))
        self._out.append(_STOP % block.number)
