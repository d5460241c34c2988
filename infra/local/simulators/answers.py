"""What the simulated model says: always the same to the same request."""

import re
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from infra.local.simulators import translating
from infra.local.simulators.editing import edited
from infra.local.simulators.samples import sample

# A fault: JSON that was asked for comes as words, and a function is called without its arguments.
WRONG_JSON: ContextVar[bool] = ContextVar("wrong_json", default=False)
QUOTED = 400
# What OpenAI counts for one image at low detail.
IMAGE_TOKENS = 85
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    text: str | None
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str

    @property
    def tokens(self) -> int:
        said = [self.text or "", *(part for call in self.tool_calls for part in (call.name, call.arguments))]
        return tokens("".join(said))


def tokens(text: str) -> int:
    return -(-len(text) // CHARS_PER_TOKEN)


def answers(body: dict[str, Any], source: str, model: str) -> tuple[Answer, ...]:
    """One answer per choice asked for; source is the vendor that is simulated."""
    return tuple(_answer(body, source, model, index) for index in range(body.get("n") or 1))


def _answer(body: dict[str, Any], source: str, model: str, index: int) -> Answer:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    room = limit * CHARS_PER_TOKEN if limit else None
    task = None if WRONG_JSON.get() else translating.task_in(map(_content, body["messages"]))
    if tools := _chosen(body):
        return _calling(body, tools, index, room, translating.answer(task) if task else None)
    said = _text(body, source, model, index)
    text = translating.answer(task) if task else _formatted(body, said, source, model)
    stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
    cuts = [text.find(stop) for stop in stops if stop and stop in text]
    text = text[: min(cuts)] if cuts else text
    if room is not None and len(text) > room:
        return Answer(text[:room], (), "length")
    return Answer(text, (), "stop")


def prompt_tokens(body: dict[str, Any]) -> int:
    said = [_content(message) for message in body["messages"]]
    called = [
        orjson.dumps(message["tool_calls"]).decode() for message in body["messages"] if message.get("tool_calls")
    ]
    tools = [orjson.dumps(body["tools"]).decode()] if body.get("tools") else []
    images = sum(len(_parts(message, "image_url")) for message in body["messages"])
    return tokens("".join([*said, *called, *tools])) + images * IMAGE_TOKENS


def _text(body: dict[str, Any], source: str, model: str, index: int) -> str:
    start = f"Simulated answer from {source} ({model}): "
    choice = f" This is choice {index + 1}." if index else ""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return f'{start}the tool returned "{_short(_content(last))}".{choice}'
    user = _last_user(body)
    said = _content(user)
    saw = f'you said "{_short(said)}".' if said else "you said nothing."
    return f"{start}{saw}{_attachments(user)}{choice}"


def _attachments(message: dict[str, Any]) -> str:
    seen = [_image(part["image_url"]["url"]) for part in _parts(message, "image_url")]
    images = f" I was given {_many(len(seen), 'image')}: {', '.join(seen)}." if seen else ""
    sounds, files = len(_parts(message, "input_audio")), len(_parts(message, "file"))
    more = [_many(count, noun) for count, noun in ((sounds, "audio part"), (files, "file")) if count]
    return images + (f" I was given {' and '.join(more)}." if more else "")


def _image(url: str) -> str:
    if not url.startswith("data:"):
        return _short(url)
    head, _, data = url.partition(",")
    return f"{head.removeprefix('data:').partition(';')[0]} of {len(data.rstrip('=')) * 3 // 4} bytes"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _formatted(body: dict[str, Any], text: str, source: str, model: str) -> str:
    wanted = {} if WRONG_JSON.get() else body.get("response_format") or {}
    match wanted.get("type"):
        case "json_object" if (schema := _told(body)) is not None:
            return orjson.dumps(_made(body, schema)).decode()
        case "json_object":
            return orjson.dumps({"simulated": True, "provider": source, "model": model, "answer": text}).decode()
        case "json_schema":
            return orjson.dumps(_made(body, wanted["json_schema"].get("schema"))).decode()
        case _:
            return text


def _made(body: dict[str, Any], schema: Any) -> Any:
    """What was asked for in words, where these are understood here; else the least that the schema accepts."""
    done = edited(body["messages"], schema)
    return sample(schema) if done is None else done


def _told(body: dict[str, Any]) -> dict[str, Any] | None:
    """A JSON schema at the end of the instructions, which a model in JSON mode would keep to."""
    for message in body["messages"]:
        if message["role"] in ("system", "developer"):
            said = _content(message)
            try:
                found = orjson.loads(said[said.index("{") :])
            except ValueError:
                continue  # no schema among these words
            if isinstance(found, dict):
                return found
    return None


def _chosen(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The functions to call: one that was demanded, or those whose names the user wrote, or the instructions."""
    functions = [tool["function"] for tool in body.get("tools") or () if tool["type"] == "function"]
    choice = body.get("tool_choice") or "auto"
    if not functions or choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    if isinstance(choice, dict) and choice.get("type") == "function":
        return [next(f for f in functions if f["name"] == choice["function"]["name"])]
    said = _content(_last_user(body))
    told = " ".join(_content(message) for message in body["messages"] if message["role"] in ("system", "developer"))
    named = [f for f in functions if f["name"] in said or f"the function {f['name']}" in told]
    if not named and choice == "required":
        named = functions[:1]
    return named[:1] if body.get("parallel_tool_calls") is False else named


def _calling(
    body: dict[str, Any], functions: Sequence[dict[str, Any]], index: int, room: int | None, said: str | None = None
) -> Answer:
    calls = []
    for number, function in enumerate(functions):
        given = {} if WRONG_JSON.get() else _made(body, function.get("parameters"))
        arguments = said or orjson.dumps(given).decode()
        mark = blake2b(f"{function['name']}\0{arguments}\0{index}\0{number}".encode(), digest_size=12)
        calls.append(ToolCall(f"call_{mark.hexdigest()}", function["name"], arguments))
        if room is not None:
            room -= len(function["name"])
            if len(arguments) > room:
                calls[-1] = ToolCall(calls[-1].id, function["name"], arguments[: max(room, 0)])
                return Answer(None, tuple(calls), "length")
            room -= len(arguments)
    return Answer(None, tuple(calls), "tool_calls")


def _last_user(body: dict[str, Any]) -> dict[str, Any]:
    users = [message for message in body["messages"] if message["role"] == "user"]
    return users[-1] if users else {}


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in _parts(message, "text"))


def _parts(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    content = message.get("content")
    return [part for part in content if part["type"] == kind] if isinstance(content, list) else []


def _short(text: str) -> str:
    plain = re.sub(r"\s+", " ", text).strip()
    return plain if len(plain) <= QUOTED else plain[: QUOTED - 3] + "..."
