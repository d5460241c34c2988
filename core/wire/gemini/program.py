"""What goes to Google's own program and what it says: one text each way, and its counts. Pure."""

from typing import Any

from core.errors import ParameterRefused
from core.types.usage import Usage
from core.wire.canonical import call_in_words

_NOBODY = "Answer the user."  # in place of its own prompt, which makes it an agent that works on files
_SPEAKERS = {"user": "User", "assistant": "Assistant", "tool": "Tool"}
_NOISE = ("Warning:", "[STARTUP]", "Ripgrep", "at ", "Loaded cached")
_MOST = 300


def prompt_of(messages: list[dict[str, Any]]) -> tuple[str, str, list[str]]:
    """The system's words, the conversation as one text, and what of it is lost by that."""
    system, turns, losses = [], [], list[str]()
    for index, message in enumerate(messages):
        words = _words(message, f"messages[{index}]")
        if calls := [call["function"] for call in message.get("tool_calls") or () if "function" in call]:
            words = "\n".join([*([words] if words else ()), *map(call_in_words, calls)])
        if message["role"] in {"system", "developer"}:
            system.append(words)
        else:
            turns.append((_SPEAKERS.get(message["role"], "User"), words))
        if message.get("tool_calls"):
            losses.append(f"messages[{index}].tool_calls was written into the prompt: the program knows words only")
    if not turns:
        turns, system = [("User", "\n\n".join(system))], []
    if len(turns) == 1:
        return "\n\n".join(system) or _NOBODY, turns[0][1], losses
    losses.append("messages were sent as one text, each with who says it: the program takes nothing else")
    told = "\n\n".join(f"{speaker}: {words}" for speaker, words in turns)
    return "\n\n".join(system) or _NOBODY, f"{told}\n\nAssistant:", losses


def _words(message: dict[str, Any], at: str) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    for place, part in enumerate(content):
        if part["type"] not in {"text", "refusal"}:
            words = f"{at}.content[{place}]: the program takes text only"
            raise ParameterRefused(words, param=f"{at}.content[{place}]")
    return "".join(part.get("text") or part.get("refusal") or "" for part in content)


def read_usage(stats: Any) -> Usage:
    """Cached input is inside the input; what the total has beyond both was thought."""
    if type(stats) is not dict or not all(type(stats.get(name)) is int for name in ("input_tokens", "output_tokens")):
        return Usage()
    given, said, total = (max(0, stats.get(name) or 0) for name in ("input_tokens", "output_tokens", "total_tokens"))
    cached = stats.get("cached")
    cached = min(max(cached, 0), given) if type(cached) is int else 0
    return Usage("reported", given - cached, cached, output=said, reasoning=max(0, total - given - said))


def last_words(said: str) -> str:
    """What it told people last, without its warnings and the places in its code."""
    lines = [line.strip() for line in said.splitlines()]
    kept = [line for line in lines if line and not line.startswith(_NOISE)]
    return " ".join(kept)[:_MOST]
