"""The items of the Responses API ↔ the messages of a chat. Pure."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from core.errors import BadRequest
from core.wire.responses.tools import arguments_of, text_of
from core.wire.shapes import check_type, texts_and_files

Body = dict[str, Any]

FORMAT = "openai-responses-v1"  # of reasoning that this API's own providers can read
# What other providers need of their reasoning travels as encrypted content, which clients give back as it is.
_OURS = "patchbay.v1:"
_ROLES = frozenset({"user", "assistant", "system", "developer"})
_BESIDE = frozenset({"extra_content", "citations"})  # what our items have beside the API's own facts
_DETAILS = {"original": "high"}  # an image's size, where a chat has no such word
# What tools did that providers run: the answer they led to says it, too.
_HOSTED = frozenset({
    "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_list_tools",
    "mcp_call",
})  # fmt: skip


class Conversation:
    """Messages out of items. All that an assistant said and did in one turn is one message."""

    def __init__(self, losses: list[str], bound: list[str], *, strict: bool = False) -> None:
        self.messages: list[Body] = []
        # Where each message begins in what the caller sent, and where each part and call of one stands.
        self.origins: list[tuple[Body, str]] = []
        self.losses = losses
        self.bound = bound
        self._strict = strict
        self._turn: Body | None = None
        self._files: list[Body] = []  # of results, for the message that follows: hardly anybody takes them in one
        self._files_from = ""

    def begin(self, message: Body, where: str) -> None:
        self._turn = None
        if self._files and message["role"] != "tool":
            files, self._files = self._files, []
            if message["role"] == "user":
                said = message["content"]
                own = said if isinstance(said, list) else [{"type": "text", "text": said}]
                message["content"] = [*files, *own]
            else:
                self.begin({"role": "user", "content": files}, self._files_from)
        self.messages.append(message)
        self.origins.append((message, where))

    def end(self) -> None:
        """What results left for a message that did not follow."""
        if self._files:
            files, self._files = self._files, []
            self.begin({"role": "user", "content": files}, self._files_from)

    def add(self, item: Any, where: str) -> None:
        if type(item) is not dict:
            raise BadRequest(f"{where} must be an object", param=where, code="invalid_type")
        kind = item.get("type") or ("message" if "role" in item else None)
        if kind is not None and type(kind) is not str:
            raise BadRequest(f"{where}.type must be a string", param=f"{where}.type", code="invalid_type")
        if kind == "message":
            self._message(item, where)
        elif kind in {"function_call", "custom_tool_call"}:
            self._call(item, where)
        elif kind in {"function_call_output", "custom_tool_call_output"}:
            self._output(item, where)
        elif kind == "reasoning":
            self._reasoning(item, where)
        elif kind in _HOSTED and not self._strict:
            self.losses.append(f"{where} was left out: a {kind} is read by who has this API alone")
        elif type(kind) is str:
            self.bound.append(f"{where} ({kind})")
        else:
            raise BadRequest(f"{where} must have a type or a role", param=where, code="missing")

    def _message(self, item: Body, where: str) -> None:
        role = item.get("role")
        if type(role) is not str or role not in _ROLES:
            words = f"{where}.role must be one of {', '.join(sorted(_ROLES))}"
            raise BadRequest(words, param=f"{where}.role", code="invalid_value")
        content = item.get("content")
        if type(content) is not str and type(content) is not list:
            words = f"{where}.content must be a string or a list of parts"
            raise BadRequest(words, param=f"{where}.content", code="invalid_type")
        if role == "assistant":
            self._said(content, where)
            return
        parts = content if isinstance(content, str) else self._parts(content, f"{where}.content")
        self.begin({"role": role, "content": parts} | _marker(item), where)

    def _said(self, content: str | list[Any], where: str) -> None:
        turn = self._assistant(where)
        at = f"{where}.content"
        parts = self._parts(content, at) if isinstance(content, list) else [{"type": "text", "text": content}]
        if refusals := [part["refusal"] for part in parts if part["type"] == "refusal"]:
            turn["refusal"] = turn.get("refusal", "") + "".join(refusals)
        parts = [part for part in parts if part["type"] != "refusal"]
        before = turn["content"]
        if before is None and len(parts) == 1 and parts[0].keys() == {"type", "text"}:
            turn["content"] = parts[0]["text"]
        elif parts:
            earlier = [{"type": "text", "text": before}] if type(before) is str else before or []
            turn["content"] = [*earlier, *parts]

    def _call(self, item: Body, where: str) -> None:
        said = "input" if item["type"] == "custom_tool_call" else "arguments"
        for name in ("call_id", "name", said):
            if type(item.get(name)) is not str:
                raise BadRequest(f"{where}.{name} must be a string", param=f"{where}.{name}", code="missing")
        arguments = arguments_of(item[said]) if said == "input" else item[said]
        function = {"name": item["name"], "arguments": arguments}
        call = {"id": item["call_id"], "type": "function", "function": function}
        if item.get("extra_content"):
            call["extra_content"] = item["extra_content"]
        self._assistant(where).setdefault("tool_calls", []).append(call)
        self.origins.append((call, where))

    def _output(self, item: Body, where: str) -> None:
        if type(item.get("call_id")) is not str:
            raise BadRequest(f"{where}.call_id must be a string", param=f"{where}.call_id", code="missing")
        output, files = item.get("output"), list[Body]()
        if type(output) is list:
            output, files = texts_and_files(self._parts(output, f"{where}.output"))
        elif type(output) is not str:
            words = f"{where}.output must be a string or a list of parts"
            raise BadRequest(words, param=f"{where}.output", code="invalid_type")
        self.begin({"role": "tool", "tool_call_id": item["call_id"], "content": output} | _marker(item), where)
        self._files += files
        self._files_from = where

    def _reasoning(self, item: Body, where: str) -> None:
        for name in ("summary", "content"):
            if item.get(name) is not None:
                check_type(f"{where}.{name}", item[name], (list,))
        turn = self._assistant(where)
        texts = [text for name in ("summary", "content") for text in _texts(item.get(name))]
        if texts:
            earlier = [turn["reasoning_content"]] if turn.get("reasoning_content") else []
            turn["reasoning_content"] = "\n\n".join([*earlier, *texts])
        sealed = item.get("encrypted_content")
        if type(sealed) is str and sealed.startswith(_OURS):
            found = unsealed(sealed, f"{where}.encrypted_content")
        else:
            found = _details(item)
        if found:
            details = turn.setdefault("reasoning_details", [])
            first = len(details)
            details += [{**one, "index": first + number} for number, one in enumerate(found)]

    def _assistant(self, where: str) -> Body:
        if self._turn is None:
            turn: Body = {"role": "assistant", "content": None}
            self.begin(turn, where)
            self._turn = turn
        return self._turn

    def _parts(self, parts: list[Any], where: str) -> list[Body]:
        found = []
        for place, part in enumerate(parts):
            made = self._part(part, at := f"{where}[{place}]")
            if made is not None:
                found.append(made)
                self.origins.append((made, at))
        return found

    def _part(self, part: Any, where: str) -> Body | None:
        kind = part.get("type") if type(part) is dict else None
        if type(kind) is not str:
            raise BadRequest(f"{where} must be an object with a type", param=where, code="invalid_type")
        if kind in {"input_text", "output_text", "text"}:
            _need(part, "text", where)
            return {"type": "text", "text": part["text"]} | _marker(part)
        if kind == "refusal":
            _need(part, "refusal", where)
            return {"type": "refusal", "refusal": part["refusal"]}
        if kind == "input_audio" and type(part.get("input_audio")) is dict:
            return {"type": "input_audio", "input_audio": part["input_audio"]}
        if kind == "input_image" and type(part.get("image_url")) is str:
            return self._image(part, where)
        if kind == "input_file" and (type(part.get("file_data")) is str or type(part.get("file_url")) is str):
            about = {name: part[name] for name in ("filename", "file_data", "file_url") if part.get(name)}
            return {"type": "file", "file": about} | _marker(part)
        if kind in {"input_image", "input_file"} and part.get("file_id"):
            self.bound.append(f"{where}.file_id")
            return None
        words = f"{where} of type {kind[:40]!r} is not known, or lacks what its type needs"
        raise BadRequest(words, param=f"{where}.type", code="invalid_value")

    def _image(self, part: Body, where: str) -> Body:
        image, detail = {"url": part["image_url"]}, part.get("detail")
        if detail is not None:
            check_type(f"{where}.detail", detail, (str,))
            image["detail"] = _DETAILS.get(detail, detail)
            if detail in _DETAILS:
                self.losses.append(f"{where}.detail became {_DETAILS[detail]}: a chat has no {detail}")
        return {"type": "image_url", "image_url": image} | _marker(part)


def items_of(
    message: Mapping[str, Any],
    name: str,
    status: str = "completed",
    logprobs: Iterable[Body] = (),
    texts: frozenset[str] = frozenset(),
) -> list[Body]:
    """What a message of the assistant is as output; `name` makes ids of its items, `status` is that of the last.

    `texts` are the tools whose input is a text.
    """
    items: list[Body] = []
    if thought := reasoning_item(message, f"rs_{name}"):
        items.append(thought)
    calls = message.get("tool_calls") or ()
    parts = _output_parts(message, logprobs)
    if parts or not (calls or items):
        items.append(message_item(f"msg_{name}", parts or [text_part("")]))
        if message.get("citations"):
            items[-1]["citations"] = message["citations"]
    for number, call in enumerate(calls):
        items.append(call_item(f"{name}_{number}", call, texts))
    items[-1]["status"] = status
    return items


def message_item(name: str, parts: list[Body], status: str = "completed") -> Body:
    return {"id": name, "type": "message", "role": "assistant", "status": status, "content": parts}


def text_part(text: str) -> Body:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(name: str, call: Mapping[str, Any], texts: frozenset[str], status: str = "completed") -> Body:
    function = call.get("function") or {}
    called, arguments = function.get("name") or "", function.get("arguments") or ""
    ident = f"ctc_{name}" if called in texts else f"fc_{name}"
    made = {"id": ident, "type": "function_call", "call_id": call.get("id") or ident, "name": called}
    if called in texts:
        made |= {"type": "custom_tool_call", "input": text_of(arguments) if arguments else "", "status": status}
    else:
        made |= {"arguments": arguments, "status": status}
    return made | ({"extra_content": call["extra_content"]} if call.get("extra_content") else {})


def reasoning_item(message: Mapping[str, Any], name: str, status: str = "completed") -> Body | None:
    """What was thought before an answer: its words as a summary, what only its maker can read sealed beside it."""
    text = message.get("reasoning_content") or message.get("reasoning") or ""
    details = [one for one in message.get("reasoning_details") or () if type(one) is dict]
    if not text and not details:
        return None
    summary = [{"type": "summary_text", "text": text}] if text else []
    item: Body = {"id": name, "type": "reasoning", "summary": summary, "status": status}
    if own := next((one for one in details if one.get("format") == FORMAT and one.get("data")), None):
        return {**item, "id": own.get("id") or name, "encrypted_content": own["data"]}
    return {**item, "encrypted_content": sealed(details)}


def annotation(one: Mapping[str, Any]) -> Body:
    """A chat's annotation, whose facts stand one level lower."""
    kind = one.get("type")
    inner = one.get(kind) if type(kind) is str else None
    return {"type": kind, **inner} if type(inner) is dict else dict(one)


def sealed(details: list[Body]) -> str:
    return _OURS + b64encode(orjson.dumps(details)).decode()


def unsealed(text: str, where: str) -> list[Body]:
    try:
        details = orjson.loads(b64decode(text.removeprefix(_OURS), validate=True))
    except ValueError:
        details = None
    if type(details) is not list or not all(type(one) is dict for one in details):
        words = f"{where} was changed on its way: send it back as it came"
        raise BadRequest(words, param=where, code="invalid_encrypted_content")
    return details


def own_items(items: list[Any], losses: list[str]) -> list[Any]:
    """Items for who has this API, without what only other providers can read. That is said of their reasoning."""
    found = []
    for place, item in enumerate(items):
        if type(item) is dict and str(item.get("encrypted_content", "")).startswith(_OURS):
            losses.append(f"input[{place}] was left out: another provider's reasoning")
        elif type(item) is dict and not _BESIDE.isdisjoint(item):
            found.append({name: value for name, value in item.items() if name not in _BESIDE})
        else:
            found.append(item)
    return found


def _details(item: Body) -> list[Body]:
    """Reasoning in this API's own form, piece by piece; pieces of one item share its id."""
    name = item.get("id")
    found: list[Body] = []
    for kind, pieces in (("reasoning.summary", item.get("summary")), ("reasoning.text", item.get("content"))):
        found += [{"type": kind, "text": text} for text in _texts(pieces)]
    if type(item.get("encrypted_content")) is str and item["encrypted_content"]:
        found.append({"type": "reasoning.encrypted", "data": item["encrypted_content"]})
    return [{**one, "format": FORMAT, "id": name} for one in found]


def _texts(pieces: Any) -> list[str]:
    return [one["text"] for one in pieces or () if type(one) is dict and type(one.get("text")) is str]


def _output_parts(message: Mapping[str, Any], logprobs: Iterable[Body]) -> list[Body]:
    content = message.get("content")
    texts = [content] if type(content) is str and content else []
    if type(content) is list:
        texts = [part["text"] for part in content if part.get("type") == "text"]
    noted = [annotation(one) for one in message.get("annotations") or ()]
    parts = [text_part(text) for text in texts]
    if parts:
        parts[0] |= {"annotations": noted, "logprobs": list(logprobs)}
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    return parts


def _need(part: Body, name: str, where: str) -> None:
    if type(part.get(name)) is not str:
        raise BadRequest(f"{where}.{name} must be a string", param=f"{where}.{name}", code="missing")


def _marker(given: Mapping[str, Any]) -> Body:
    """Where a prompt may be cached up to; the least time is rounded up to the next that others know."""
    wanted = given.get("prompt_cache_breakpoint")
    if type(wanted) is not dict:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({"ttl": "1h"} if wanted.get("ttl") else {})}
