"""OpenAI's Responses API: a request as a canonical chat, and what of it no chat can say. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.errors import BadRequest
from core.wire.chat import CHAT_PARAMS
from core.wire.responses.items import Conversation, own_items
from core.wire.responses.names import Names
from core.wire.responses.tools import tools_from
from core.wire.shapes import check_type

Body = dict[str, Any]

DIALECT = "responses"

# What the API takes, and as which JSON types. Everything else is a provider's own.
RESPONSES_PARAMS: dict[str, tuple[type, ...]] = {
    "model": (str,), "input": (str, list), "instructions": (str,), "stream": (bool,), "stream_options": (dict,),
    "temperature": (int, float), "top_p": (int, float), "max_output_tokens": (int,), "top_logprobs": (int,),
    "tools": (list,), "tool_choice": (str, dict), "parallel_tool_calls": (bool,), "max_tool_calls": (int,),
    "text": (dict,), "reasoning": (dict,), "include": (list,), "truncation": (str,), "context_management": (list,),
    "previous_response_id": (str,), "conversation": (str, dict), "prompt": (dict,), "background": (bool,),
    "store": (bool,), "metadata": (dict,), "user": (str,), "safety_identifier": (str,), "service_tier": (str,),
    "prompt_cache_key": (str,), "prompt_cache_options": (dict,), "prompt_cache_retention": (str,),
    "moderation": (dict,), "image": (dict,), "access_programs": (dict,),
}  # fmt: skip
# The same in both APIs.
_SAME = frozenset(RESPONSES_PARAMS) & (frozenset(CHAT_PARAMS) - {"stream_options", "store", "metadata", "tools"})
_READ = frozenset({
    "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "max_output_tokens",
    "top_logprobs",
})  # fmt: skip
# What the provider has to have kept, or has to keep.
_STATEFUL = ("previous_response_id", "conversation", "prompt", "background")
# What says nothing to a model, or what our own answer says.
_OURS = frozenset({"metadata", "include", "stream_options", "max_tool_calls"})
_LOGPROBS = "message.output_text.logprobs"


class Translation(NamedTuple):
    body: Body  # the canonical chat
    losses: tuple[str, ...]  # what it leaves out, and why
    bound: tuple[str, ...]  # what cannot be left out: only who has this API can answer
    names: Names  # from what the chat calls things to what the caller does

    def in_theirs(self, error: BadRequest) -> BadRequest:
        """What is wrong with the chat, by the names that the caller knows."""
        param = None if error.param is None else self.names(error.param)
        return BadRequest(self.names(error.message), param=param, code=error.code)


def request_from(theirs: Mapping[str, Any], *, strict: bool = False) -> Translation:
    """The chat that a request for a response means. Who is strict had rather be answered by who has this API."""
    if "messages" in theirs:
        words = "messages is what the chat API has (/v1/chat/completions); here they are items of input"
        raise BadRequest(words, param="messages", code="unsupported_parameter")
    for name, kinds in RESPONSES_PARAMS.items():
        if theirs.get(name) is not None:
            check_type(name, theirs[name], kinds)
    given = {name: value for name, value in theirs.items() if value is not None}
    losses: list[str] = []
    bound = [name for name in _STATEFUL if given.get(name)]
    conversation = Conversation(losses, bound, strict=strict)
    _read_input(given, conversation)
    body: Body = {"messages": conversation.messages}
    for name, value in given.items():
        if name in _SAME or name not in RESPONSES_PARAMS:
            body[name] = value
    _read_lengths(given, body)
    tools = tools_from(given, losses, bound, strict=strict)
    body.pop("tool_choice", None)
    body |= tools.chat
    if not tools.places:
        body.pop("parallel_tool_calls", None)
    _read_text(given, body)
    _read_reasoning(given, body, losses)
    _lose(given, losses)
    names = Names(conversation.messages, conversation.origins, tools.places, given)
    return Translation(body, tuple(losses), tuple(bound), names)


def request_to(theirs: Mapping[str, Any], chat: Mapping[str, Any]) -> tuple[Body, list[str]]:
    """A request for who has this API: as its caller sent it, with what the plan changed in its translation.

    What only other providers can read stays out of it.
    """
    body = dict(theirs)
    for name, names in _BY_DEFAULT.items():
        value = next((chat[one] for one in names if chat.get(one) is not None), None)
        if value is not None:
            body[name] = value
        else:
            body.pop(name, None)
    losses: list[str] = []
    if isinstance(body.get("input"), list):
        body["input"] = own_items(body["input"], losses)
    return body, losses


# What a plan may have put in, or taken out under another name.
_BY_DEFAULT = {"max_output_tokens": ("max_completion_tokens", "max_tokens"), "temperature": ("temperature",)}


def _read_input(given: Mapping[str, Any], conversation: Conversation) -> None:
    if given.get("instructions"):
        conversation.begin({"role": "system", "content": given["instructions"]}, "instructions")
    asked = given.get("input")
    if isinstance(asked, str):
        conversation.begin({"role": "user", "content": asked}, "input")
    elif not asked and not conversation.bound:
        words = "input must be a text or a list with at least one item"
        raise BadRequest(words, param="input", code="missing")
    else:
        for place, item in enumerate(asked or ()):
            conversation.add(item, f"input[{place}]")
    conversation.end()
    if not conversation.messages:
        conversation.begin({"role": "user", "content": ""}, "input")  # all there is lies at the provider


def _read_lengths(given: Mapping[str, Any], body: Body) -> None:
    if (most := given.get("max_output_tokens")) is not None:
        if most < 1:
            raise BadRequest("max_output_tokens must be at least 1", param="max_output_tokens", code="invalid_value")
        body["max_completion_tokens"] = most
    if given.get("top_logprobs") is not None or _LOGPROBS in given.get("include", ()):
        body["logprobs"] = True
        body["top_logprobs"] = given.get("top_logprobs", 0)


def _read_text(given: Mapping[str, Any], body: Body) -> None:
    text = given.get("text", {})
    if text.get("verbosity") is not None:
        body["verbosity"] = text["verbosity"]
    wanted = text.get("format")
    if wanted is None:
        return
    check_type("text.format", wanted, (dict,))
    kind = wanted.get("type")
    if kind == "json_schema":
        if type(wanted.get("name")) is not str:
            raise BadRequest("text.format.name must be a string", param="text.format.name", code="missing")
        about = {name: wanted[name] for name in _OF_A_SCHEMA if wanted.get(name) is not None}
        body["response_format"] = {"type": kind, "json_schema": about}
    elif kind == "json_object":
        body["response_format"] = {"type": kind}
    elif kind != "text":
        words = "text.format.type must be one of text, json_object, json_schema"
        raise BadRequest(words, param="text.format.type", code="invalid_value")


_OF_A_SCHEMA = ("name", "description", "schema", "strict")


def _read_reasoning(given: Mapping[str, Any], body: Body, losses: list[str]) -> None:
    reasoning = given.get("reasoning", {})
    if reasoning.get("effort") is not None:
        check_type("reasoning.effort", reasoning["effort"], (str,))
        body["reasoning_effort"] = reasoning["effort"]
    # A summary is given where a provider shows what it thinks; there is no other way to ask for it.
    losses += [
        f"reasoning.{name} was left out: a chat has no such choice"
        for name, value in reasoning.items()
        if value is not None and name not in {"effort", "summary", "generate_summary"}
    ]


def _lose(given: Mapping[str, Any], losses: list[str]) -> None:
    handled = _SAME | _READ | _OURS | {*_STATEFUL, "store", "truncation"}
    if given.get("store"):
        losses.append("store was left out: the response is not kept")
    if given.get("truncation") not in {None, "disabled"}:
        losses.append("truncation was left out: what is too long is refused")
    losses += [
        f"{name} was left out: a chat has no such parameter"
        for name in given
        if name in RESPONSES_PARAMS and name not in handled
    ]
