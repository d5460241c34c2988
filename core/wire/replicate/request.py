"""Replicate: a conversation as the inputs of a model that takes a prompt. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from core.errors import ModelMissing
from core.wire.canonical import call_in_words


class Inputs(NamedTuple):
    """What the models of an owner call their inputs; they refuse what they do not know."""

    length: str = "max_tokens"
    system: str | None = "system_prompt"
    image: str = "image"
    images: bool = False  # several of them, in a list
    stops: str | None = "stop_sequences"
    takes: frozenset[str] = frozenset(
        {"temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"}
    )


# By general knowledge of the owners' own models; `input` of a request says what is otherwise.
_COMMON = Inputs()
_OWNERS: Mapping[str, Inputs] = {
    "openai": Inputs(
        "max_completion_tokens", image="image_input", images=True, stops=None,
        takes=frozenset({
            "temperature", "top_p", "presence_penalty", "frequency_penalty", "reasoning_effort", "verbosity",
        }),
    ),
    "anthropic": Inputs(stops=None, takes=frozenset()),
    "google": Inputs(
        "max_output_tokens", "system_instruction", "images", images=True, stops=None,
        takes=frozenset({"temperature", "top_p"}),
    ),
    "deepseek-ai": Inputs(
        system=None, stops=None, takes=frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty"})
    ),
}  # fmt: skip
_READ = frozenset({
    "model", "messages", "stream", "stream_options", "input", "stop", "max_tokens", "max_completion_tokens",
    "response_format",
})  # fmt: skip
_SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Tool", "function": "Tool"}


def request_to(body: Mapping[str, Any], model: str) -> tuple[dict[str, Any], list[str]]:
    """The inputs of a model, and what of the request could not be said with them."""
    known = _OWNERS.get(model.partition("/")[0], _COMMON)
    losses: list[str] = []
    systems: list[str] = []
    turns: list[tuple[str, str]] = []
    images: list[tuple[str, str]] = []  # where, and its address
    for index, message in enumerate(body.get("messages") or ()):
        where = f"messages[{index}]"
        text = _text_of(message.get("content"), f"{where}.content", images, losses)
        text = "\n".join([*([text] if text else ()), *_told(message, where, losses)])
        if message["role"] in {"system", "developer"}:
            systems.append(text)
        else:
            turns.append((message["role"], text))
    given: dict[str, Any] = {"prompt": _prompt(turns)}
    if systems and known.system:
        given[known.system] = "\n\n".join(systems)
    elif systems:
        given["prompt"] = "\n\n".join([*systems, given["prompt"]])
    given |= _pictures(images, known, losses) | _settings(body, known, losses)
    return {**given, **(body.get("input") or {})}, losses


def _text_of(content: Any, where: str, images: list[tuple[str, str]], losses: list[str]) -> str:
    if not isinstance(content, list):
        return content or ""
    texts = []
    for index, part in enumerate(content):
        at = f"{where}[{index}]"
        if part.get("cache_control"):
            losses.append(f"{at}.cache_control was left out: it has no prompt cache to mark")
        if part["type"] == "text":
            texts.append(part["text"])
        elif part["type"] == "image_url":
            images.append((at, part["image_url"]["url"]))
        else:
            losses.append(f"{at} was left out: it takes no {part['type']}")
    return "\n".join(texts)


def _told(message: Mapping[str, Any], where: str, losses: list[str]) -> Iterator[str]:
    """Calls of functions, in words: a conversation that had them may go on here."""
    lost = (name for name in ("cache_control", "reasoning_details", "reasoning_content") if message.get(name))
    losses += [f"{where}.{name} was left out: it has no such input" for name in lost]
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function")
        if isinstance(function, dict):
            losses.append(f"{where}.tool_calls[{index}] was written into the prompt: it knows no functions")
            yield call_in_words(function)
        else:
            losses.append(f"{where}.tool_calls[{index}] was left out: it knows no functions")


def _prompt(turns: Sequence[tuple[str, str]]) -> str:
    """A single question as it is; else who said what, and whose turn it is."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    lines = [f"{_SPEAKERS[role]}: {text}" for role, text in turns]
    return "\n\n".join(lines if turns and turns[-1][0] == "assistant" else [*lines, "Assistant:"])


def _pictures(images: list[tuple[str, str]], known: Inputs, losses: list[str]) -> dict[str, Any]:
    if not images:
        return {}
    if known.images:
        return {known.image: [url for _, url in images]}
    losses += [f"{where} was left out: it takes one image, the last" for where, _ in images[:-1]]
    return {known.image: images[-1][1]}


def _settings(body: Mapping[str, Any], known: Inputs, losses: list[str]) -> dict[str, Any]:
    given = {name: body[name] for name in body if name in known.takes and body[name] is not None}
    length = body.get("max_completion_tokens") or body.get("max_tokens")
    if length:
        given[known.length] = length
    stops = [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop") or []
    if stops and (known.stops is None or any("," in stop for stop in stops)):
        why = "this model has none" if known.stops is None else "they are separated by commas there"
        losses.append(f"stop was left out: {why}")
    elif stops and known.stops:
        given[known.stops] = ",".join(stops)
    if (body.get("response_format") or {}).get("type") not in {None, "text"}:
        losses.append("response_format was left out: it has no formats")
    losses += [
        f"{name} was left out: this model has no such input" for name in body if name not in _READ | known.takes
    ]
    return given


def place_of(model: str) -> tuple[str, dict[str, str]]:
    """Where a model's predictions are made, and what of its name the body says."""
    name, _, version = model.rpartition(":")
    parts = model.split("/")
    if len(parts) == 3 and parts[0] == "deployments" and all(parts):
        return f"/v1/deployments/{quote(parts[1], safe='')}/{quote(parts[2], safe='')}/predictions", {}
    if name or "/" not in model:
        return "/v1/predictions", {"version": version}
    if len(parts) == 2 and all(parts):
        return f"/v1/models/{quote(parts[0], safe='')}/{quote(parts[1], safe='')}/predictions", {}
    raise ModelMissing(f"{model[:100]!r} is no model: write owner/name, owner/name:version or deployments/owner/name")
