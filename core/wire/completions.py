"""OpenAI's older completions API: prompts as chats, answers as texts. Pure."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import orjson

from core.errors import BadRequest, Malformed
from core.types.usage import Usage, added
from core.wire import sse
from core.wire.assembly import usage_body
from core.wire.openai import read_usage
from core.wire.shapes import check_type

Body = dict[str, Any]

# What the API takes, and as which JSON types. Everything else is a provider's own.
COMPLETIONS_PARAMS: dict[str, tuple[type, ...]] = {
    "model": (str,), "prompt": (str, list), "max_tokens": (int,), "n": (int,), "stop": (str, list), "stream": (bool,),
    "stream_options": (dict,), "temperature": (int, float), "top_p": (int, float), "seed": (int,),
    "presence_penalty": (int, float), "frequency_penalty": (int, float), "logit_bias": (dict,), "user": (str,),
    "logprobs": (int,), "echo": (bool,), "suffix": (str,), "best_of": (int,),
}  # fmt: skip
_MOST_PROMPTS = 64
_MOST_TEXTS = 128
_OURS = frozenset({"prompt", "echo", "suffix", "best_of", "logprobs"})
# What a chat takes and texts cannot answer, or what the prompt stands for.
_OF_CHATS = (
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "modalities",
    "audio",
    "documents",
    "web_search_options",
)


def chats_of(theirs: Mapping[str, Any]) -> list[Body]:
    """A chat for each prompt, in which the user says it."""
    given = {name: value for name, value in theirs.items() if value is not None}
    for name, kinds in COMPLETIONS_PARAMS.items():
        if name in given:
            check_type(name, given[name], kinds)
    for name in _OF_CHATS:
        if name in given:
            words = f"{name} is for chats (/v1/chat/completions); this API takes a prompt and gives texts"
            raise BadRequest(words, param=name, code="unsupported_parameter")
    prompts = prompts_of(given)
    n = given.get("n", 1)
    if len(prompts) * n > _MOST_TEXTS:
        words = f"prompt and n must not ask for more than {_MOST_TEXTS} texts together"
        raise BadRequest(words, param="n" if len(prompts) == 1 else "prompt", code="invalid_value")
    if given.get("suffix"):
        words = "suffix cannot be had over chat, which every model answers; leave it out"
        raise BadRequest(words, param="suffix", code="unsupported_parameter")
    if given.get("best_of", n) not in {1, n}:
        words = "best_of must be n: a chat gives no choices beside those it returns"
        raise BadRequest(words, param="best_of", code="unsupported_value")
    shared = {name: value for name, value in given.items() if name not in _OURS}
    if "logprobs" in given:
        shared |= {"logprobs": True, "top_logprobs": given["logprobs"]}
    return [{**shared, "messages": [{"role": "user", "content": prompt}]} for prompt in prompts]


def prompts_of(given: Mapping[str, Any]) -> list[str]:
    prompt = given.get("prompt")
    prompts: list[Any] = prompt if isinstance(prompt, list) else [prompt]
    if prompt is None or not prompts:
        raise BadRequest("prompt must be a text or a list of texts", param="prompt", code="missing")
    if not all(isinstance(one, str) for one in prompts):
        if all(type(one) in {int, list} for one in prompts):
            words = "prompt holds ids of tokens, which mean other words to each model: send text"
            raise BadRequest(words, param="prompt", code="unsupported_value")
        raise BadRequest("prompt must be a text or a list of texts", param="prompt", code="invalid_type")
    if len(prompts) > _MOST_PROMPTS:
        raise BadRequest(f"prompt must not hold more than {_MOST_PROMPTS} texts", param="prompt", code="invalid_value")
    return prompts


def choices_in(raw: bytes) -> set[int]:
    """The numbers of the choices that chunks of a chat begin or go on with."""
    found: set[int] = set()
    for event in sse.events(raw):
        data = sse.data_of(event)
        if data is not None and data != b"[DONE]":
            try:
                found |= {choice.get("index") or 0 for choice in orjson.loads(data).get("choices") or ()}
            except (orjson.JSONDecodeError, AttributeError, TypeError):
                raise Malformed("a stream event is no chunk of a chat") from None
    return found


class Texts:
    """The answers to the prompts of one request, whole or in pieces: choices are numbered through all of them.

    A chat may give fewer choices than n says, and be asked again for the rest: then numbers go on.
    """

    def __init__(self, asked: Mapping[str, Any], name: str, created: int, model: str) -> None:
        self._prompts = prompts_of(asked) if asked.get("echo") else []
        self._each = asked.get("n") or 1
        self._name = name
        self._created = created
        self._model = model
        self._first = 0  # the number of the first choice of the chat that is being answered
        self._given = 1  # how many choices it has
        self._offsets: dict[int, int] = {}  # of each choice: how much of its text there is
        self._usages: list[Usage] = []

    def whole(self, chats: Sequence[Mapping[str, Any]]) -> Body:
        choices: list[Body] = []
        for chat in chats:
            self._model = chat.get("model") or self._model
            self._usages.append(read_usage(chat.get("usage")))
            choices += [self._choice(one, one["message"]) for one in chat["choices"]]
            self.next()
        return {**self._head(), "choices": choices, **self._used()}

    def pieces(self, raw: bytes) -> bytes:
        """The chunks of one chat as those of a completion."""
        made = []
        for event in sse.events(raw):
            data = sse.data_of(event)
            if data is None:
                made.append(event + b"\n\n")  # a comment keeps a connection alive here as there
            elif data != b"[DONE]":
                made += self._read(data)
        return b"".join(made)

    def next(self) -> None:
        """What follows is another chat."""
        self._first += self._given
        self._given = 1

    def used(self) -> bytes:
        """The chunk with what was used for all of them, if anybody said."""
        used = self._used()
        return sse.event(orjson.dumps({**self._head(), "choices": [], **used})) if used else b""

    def _read(self, data: bytes) -> list[bytes]:
        try:
            chunk = orjson.loads(data)
            self._model = chunk.get("model") or self._model
            if chunk.get("usage"):
                self._usages.append(read_usage(chunk["usage"]))
            made = [self._choice(one, one.get("delta") or {}) for one in chunk.get("choices") or ()]
        except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError):
            raise Malformed("a stream event is no chunk of a chat") from None
        return [
            sse.event(orjson.dumps({**self._head(), "choices": [one]}))
            for one in made
            if one["text"] or one["finish_reason"]
        ]

    def _choice(self, choice: Mapping[str, Any], message: Mapping[str, Any]) -> Body:
        number = choice.get("index") or 0
        index, self._given = self._first + number, max(self._given, number + 1)
        before = self._prompts[index // self._each] if self._prompts and index not in self._offsets else ""
        start = self._offsets.get(index, 0) + len(before)
        text = _text(message)
        self._offsets[index] = start + len(text)
        logprobs = _logprobs((choice.get("logprobs") or {}).get("content"), start)
        finish = choice.get("finish_reason")
        return {"text": before + text, "index": index, "logprobs": logprobs, "finish_reason": finish}

    def _head(self) -> Body:
        return {
            "id": f"cmpl-{self._name}", "object": "text_completion", "created": self._created, "model": self._model,
        }  # fmt: skip

    def _used(self) -> Body:
        usage = usage_body(reduce(added, self._usages, Usage()))
        return {} if usage is None else {"usage": usage}


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or message.get("refusal") or ""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return str(content)


def _logprobs(tokens: Any, start: int) -> Body | None:
    """A chat's logarithms in the older form: lists of one length."""
    if not tokens:
        return None
    offsets = []
    for one in tokens:
        offsets.append(start)
        start += len(one["token"])
    return {
        "tokens": [one["token"] for one in tokens],
        "token_logprobs": [one["logprob"] for one in tokens],
        "top_logprobs": [
            {other["token"]: other["logprob"] for other in one.get("top_logprobs") or ()} for one in tokens
        ],
        "text_offset": offsets,
    }
