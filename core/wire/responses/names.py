"""What a chat calls the things of a request for a response, in the words of its caller. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Body = dict[str, Any]

_STEPS = r"(?:\.\w+|\[\d*\])*"
_NAMES: Final = re.compile(
    rf"(?<![\w.\]])(?:messages\[\d*\]{_STEPS}|tools\[\d+\]\.function{_STEPS}|tool_choice\.function{_STEPS}"
    rf"|response_format{_STEPS}|max_completion_tokens|max_tokens|reasoning_effort|verbosity|logprobs)(?!\w)"
)
_MESSAGE: Final = re.compile(r"(messages\[\d+\])((?:\.(?:content|tool_calls)\[\d+\])?)(.*)")
_SAME: Final = {
    "max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort", "verbosity": "text.verbosity",
    "messages[].reasoning_content": "input[].summary", "messages[].reasoning_details": "input[].encrypted_content",
    "messages[].tool_calls[].extra_content": "input[].extra_content",
    "messages[].cache_control": "input[].prompt_cache_breakpoint",
}  # fmt: skip
# What stands one level lower in a chat.
_INNER: Final = (
    (".function", ""), (".image_url.url", ".image_url"), (".image_url.", "."), (".file.", "."), (".tool_calls", ""),
    (".reasoning_content", ".summary"), (".reasoning_details", ".encrypted_content"),
    (".tool_call_id", ".call_id"), (".cache_control", ".prompt_cache_breakpoint"),
)  # fmt: skip


class Names:
    """Turns a text that names parts of the chat into one that names what the caller sent."""

    def __init__(
        self,
        messages: Sequence[Body],
        origins: Iterable[tuple[Body, str]],
        tools: Sequence[int],
        given: Mapping[str, Any],
    ) -> None:
        self._messages = messages
        self._origins = origins
        self._tools = tools
        self._given = given
        self._places: dict[str, str] | None = None

    def __call__(self, text: str) -> str:
        return "input" if text == "messages" else _NAMES.sub(lambda found: self._one(found[0]), text)

    def inside(self, value: Any) -> Any:
        """The same for all texts in a JSON value."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, dict):
            return {name: self.inside(one) for name, one in value.items()}
        return [self.inside(one) for one in value] if isinstance(value, list) else value

    def _one(self, name: str) -> str:
        if name in _SAME:
            return _SAME[name]
        if name == "logprobs":
            return "include" if self._given.get("top_logprobs") is None else "top_logprobs"
        if name.startswith("response_format"):
            return "text.format" + name.removeprefix("response_format").removeprefix(".json_schema")
        if name.startswith("tool_choice"):
            return name.replace(".function", "", 1)
        if name.startswith("tools"):
            return self._tool(name)
        return self._message(name)

    def _tool(self, name: str) -> str:
        number, _, rest = name.removeprefix("tools[").partition("]")
        place = self._tools[int(number)] if int(number) < len(self._tools) else number
        return f"tools[{place}]" + rest.removeprefix(".function")

    def _message(self, name: str) -> str:
        found = _MESSAGE.fullmatch(name)
        if found is None:
            return name.replace("messages", "input", 1)
        message, element, rest = found.groups()
        place = self._known.get(message + element)
        if element and place is None:
            place, rest = self._known.get(message, "input"), element + rest
        elif place is None:
            return name.replace("messages", "input", 1)
        for inner, theirs in _INNER:
            if rest.startswith(inner):
                rest = theirs + rest.removeprefix(inner)
                break
        if rest.startswith(".content"):
            return self._known.get(f"{message}.content", f"{place}.content") + rest.removeprefix(".content")
        return f"{place}{rest}"

    @property
    def _known(self) -> dict[str, str]:
        """Made when something is to be said, which is seldom."""
        if self._places is None:
            origins = {id(one): where for one, where in self._origins}
            self._places = {}
            for number, message in enumerate(self._messages):
                where, name = origins.get(id(message), "input"), f"messages[{number}]"
                self._places[name] = where
                if type(content := message.get("content")) is str:
                    at = ".output" if message["role"] == "tool" else ".content"
                    self._places[f"{name}.content"] = _whole(where, at)
                for field, inside in (("content", content), ("tool_calls", message.get("tool_calls"))):
                    for place, one in enumerate(inside if type(inside) is list else ()):
                        if id(one) in origins:
                            self._places[f"{name}.{field}[{place}]"] = origins[id(one)]
        return self._places


def _whole(where: str, at: str) -> str:
    """Instructions, and input that is a text, have nothing inside them."""
    return where + at if where.endswith("]") else where
