"""What Anthropic's Messages API turns away before any model sees it, in its own words."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from typing import Any

from infra.local.simulators.checks import RequestError

OLD, NEW = "2023-06-01", "2026-10-21"
PARAMETERS = frozenset(
    {"model", "max_tokens", "messages", "system", "stream", "stop_sequences", "tools", "tool_choice", "thinking",
     "output_config", "metadata", "service_tier", "speed", "cache_control", "inference_geo", "container",
     "diagnostics", "context_management"}
)  # fmt: skip
COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed"}
)
SAMPLING = {"temperature": 1, "top_p": 0.99, "top_k": 0}
EFFORTS = ("low", "medium", "high", "xhigh", "max")
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
IN_USER = frozenset({"text", "image", "document", "search_result", "tool_result"})
IN_ASSISTANT = frozenset({"text", "thinking", "redacted_thinking", "tool_use", "document"})
IN_RESULT = frozenset({"text", "image", "document", "search_result"})
THOUGHTS = frozenset({"thinking", "redacted_thinking"})
CALL_NAMES = {"tool_use": "id", "tool_result": "tool_use_id"}
MARKERS = 4
TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Those that run there and those that are only described there: both have their version in the name.
OWN_TOOL = re.compile(
    r"(web_search|web_fetch|code_execution|bash|text_editor|computer|memory|tool_search_tool_(regex|bm25))_20\d{6}"
)
MODEL = re.compile(r"claude-(?:(?P<first>[\d-]+)-)?(?P<line>[a-z]+)(?:-(?P<number>\d{1,2}(?:-\d{1,2})?)(?!\d))?")


@dataclass(frozen=True, slots=True)
class Line:
    """A model by its name: opus 5.5 of claude-opus-5-5."""

    name: str
    version: tuple[int, ...]

    @classmethod
    def of(cls, model: str) -> "Line":
        match = MODEL.match(model)
        number = (match["number"] or match["first"]) if match else None
        if match is None or number is None:
            raise RequestError(f"model: {model}", code="not_found_error")
        return cls(match["line"], tuple(int(part) for part in number.split("-")))

    @property
    def always_thinks(self) -> bool:
        return self.name in ("fable", "mythos") or (self.name == "opus" and self.version >= (5, 5))

    @property
    def most(self) -> int:
        if self.version >= (4, 6):
            return 64_000 if self.version < (4, 7) and self.name != "opus" else 128_000
        if self.version >= (4, 5):
            return 64_000
        return 32_000 if self.version >= (4,) else 64_000 if self.version >= (3, 7) else 8192


def signature(thought: str, before: Sequence[dict[str, Any]] = ()) -> str:
    """Of a thought and of all that its turn had before it, but texts of blanks, which cannot be handed in again."""
    seen = []
    for kind, group in groupby((block for block in before if _told(block)), key=lambda block: block["type"]):
        told = [_told(block) for block in group]
        seen += ["".join(told).strip()] if kind == "text" else told
    return "sim" + blake2b("\0".join([*seen, thought]).encode(), digest_size=24).hexdigest()


def _told(block: dict[str, Any]) -> str:
    kept = {"text": "text", "thinking": "thinking", "redacted_thinking": "data", "tool_use": "id"}.get(block["type"])
    words = str(block.get(kept)) if kept else ""
    return words if words.strip() or block["type"] != "text" else ""


def check(body: dict[str, Any], version: str | None, *, counting: bool = False) -> None:
    if version is None:
        raise RequestError("anthropic-version: header is required")
    if version not in (OLD, NEW):
        raise RequestError(f'anthropic-version: "{version}" is not a valid version')
    known = COUNTED if counting else PARAMETERS
    for name in body:
        if name not in known and not (name in SAMPLING and version == OLD and not counting):
            raise RequestError(f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if body.get(name) is None:
            raise RequestError(f"{name}: Field required")
    line = Line.of(body["model"])
    if not counting:
        _limits(body, line)
    _thinking(body, line)
    _tools(body, line)
    _config(body, line)
    _system(body)
    _messages(body, line, version)
    if (found := sum("cache_control" in block for block in marked(body))) > MARKERS:
        raise RequestError(f"A maximum of {MARKERS} blocks with cache_control may be provided. Found {found}.")


def marked(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that may have a cache marker, in the order of the prompt: tools, system, messages."""
    yield from body.get("tools") or ()
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        for block in content if isinstance(content, list) else ():
            yield block
            if block["type"] == "tool_result" and isinstance(block.get("content"), list):
                yield from block["content"]


def _limits(body: dict[str, Any], line: Line) -> None:
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise RequestError("max_tokens: Input should be a valid integer")
    if limit > line.most:
        words = "which is the maximum allowed number of output tokens for"
        raise RequestError(f"max_tokens: {limit} > {line.most}, {words} {body['model']}")
    for name, default in SAMPLING.items():
        if line.version >= (4, 7) and body.get(name) not in (None, default):
            raise RequestError(f"`{name}` is deprecated for this model.")
    if (body.get("temperature") or 0) > 1:
        raise RequestError("temperature: range: 0..1")
    if line.version >= (4, 1) and body.get("temperature") is not None and body.get("top_p") is not None:
        words = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise RequestError(words)
    if any(not isinstance(stop, str) or not stop.strip() for stop in body.get("stop_sequences") or ()):
        raise RequestError("stop_sequences: each stop sequence must contain non-whitespace")


def _thinking(body: dict[str, Any], line: Line) -> None:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type")
    taken = (
        {"enabled"} if line.version < (4, 6) else {"enabled", "adaptive"} if line.version < (4, 7) else {"adaptive"}
    )
    if line.version < (3, 7):
        taken = set()
    if line.name == "sonnet" and line.version >= (5, 5):
        taken.add("between_tools")
    elif not line.always_thinks:
        taken.add("disabled")
    if kind is not None and kind not in taken:
        instead = 'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        raise RequestError(f'"thinking.type.{kind}" is not supported for this model. {instead}')
    if kind == "enabled":
        if thinking.get("budget_tokens", 0) < 1024:
            raise RequestError("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if "max_tokens" in body and body["max_tokens"] <= thinking["budget_tokens"]:
            raise RequestError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if kind in ("enabled", "adaptive") and body.get("temperature") not in (None, 1):
        raise RequestError("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    effort = (body.get("output_config") or {}).get("effort")
    if kind in ("disabled", "between_tools") and effort in ("xhigh", "max"):
        raise RequestError(f'output_config.effort: "{effort}" is not supported with "thinking.type.{kind}".')


def _tools(body: dict[str, Any], line: Line) -> None:
    names = set()
    for i, tool in enumerate(body.get("tools") or ()):
        if not TOOL_NAME.fullmatch(str(tool.get("name"))):
            pattern = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
            raise RequestError(f"tools.{i}.custom.name: {pattern}")
        schema = tool.get("input_schema")
        if (kind := tool.get("type")) not in (None, "custom"):
            _own_tool(kind, tool, f"tools.{i}")
        elif not isinstance(schema, dict) or schema.get("type") != "object":
            raise RequestError(f"tools.{i}.custom.input_schema.type: Input should be 'object'")
        names.add(tool["name"])
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not names:
        raise RequestError("tool_choice: may only be specified while providing tools")
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        raise RequestError("tool_choice: Input tag found using 'type' does not match any of the expected tags")
    if kind == "tool" and choice.get("name") not in names:
        raise RequestError(f"Tool '{choice.get('name')}' not found in provided tools")
    if kind in ("any", "tool"):
        if line.version >= (5, 5) or line.name in ("fable", "mythos"):
            raise RequestError("tool_choice forces tool use is not compatible with this model")
        thinking = (body.get("thinking") or {}).get("type")
        if thinking in ("enabled", "adaptive") or (thinking is None and line.version >= (5,)):
            raise RequestError("Thinking may not be enabled when tool_choice forces tool use.")


def _own_tool(kind: Any, tool: dict[str, Any], at: str) -> None:
    """One that is known here by its type, and so has no schema."""
    if not isinstance(kind, str) or not OWN_TOOL.fullmatch(kind):
        raise RequestError(f"{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if "input_schema" in tool:
        raise RequestError(f"{at}.{kind}.input_schema: Extra inputs are not permitted")


def _config(body: dict[str, Any], line: Line) -> None:
    config = body.get("output_config") or {}
    if (effort := config.get("effort")) is not None:
        if effort not in EFFORTS:
            raise RequestError("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
        has = line.version >= (4, 6) or (line.name, line.version) == ("opus", (4, 5))
        if not has or (line.version < (4, 7) and effort == "xhigh"):
            raise RequestError(f"This model does not support effort level '{effort}'.")
    if wanted := config.get("format"):
        if line.version < (4, 5):
            raise RequestError("output_config.format: this model does not support structured outputs")
        if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
            raise RequestError("output_config.format.schema: Field required")
        _compile(wanted["schema"])
        contents = [message.get("content") for message in body["messages"]]
        blocks = [block for content in contents if isinstance(content, list) for block in content]
        if any((block.get("citations") or {}).get("enabled") for block in blocks if block.get("type") == "document"):
            raise RequestError("output_config.format: citations cannot be enabled together with structured outputs")


def _compile(schema: Any) -> None:
    at = "output_config.format.schema"
    if isinstance(schema, list):
        for part in schema:
            _compile(part)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise RequestError(f"{at}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in ("minimum", "maximum", "minLength", "maxLength", "multipleOf", "oneOf"):
        if name in schema and not isinstance(schema[name], dict):
            raise RequestError(f"{at}: For '{schema.get('type')}' type, property '{name}' is not supported")
    for part in schema.values():
        _compile(part)


def _system(body: dict[str, Any]) -> None:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return
    for i, block in enumerate(system):
        if block.get("type") != "text":
            raise RequestError(f"system.{i}.type: Input should be 'text'")
        _text(block, "system")


def _text(block: dict[str, Any], at: str) -> None:
    if not isinstance(block.get("text"), str):
        raise RequestError(f"{at}.text: Field required")
    if not block["text"].strip():
        empty = "non-empty" if not block["text"] else "non-whitespace text"
        raise RequestError(f"{at.split('.', maxsplit=1)[0]}: text content blocks must be {empty}")


def _messages(body: dict[str, Any], line: Line, version: str) -> None:
    turns: list[tuple[str, list[dict[str, Any]]]] = []
    for i, message in enumerate(body["messages"]):
        role, at = message.get("role"), f"messages.{i}"
        if role == "system":
            if line.version < (4, 8) or (line.name, line.version) == ("sonnet", (5,)):
                raise RequestError(f"{at}: role 'system' is not supported on this model")
            if not turns or turns[-1][0] != "user":
                raise RequestError(f"{at}: a system message must follow a user message")
            continue
        if role not in ("user", "assistant"):
            raise RequestError(f"{at}.role: Input should be 'user' or 'assistant'")
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list) or not blocks:
            raise RequestError(f"{at}: {role} messages must have non-empty content")
        for j, block in enumerate(blocks):
            _block(block, role, f"{at}.content.{j}", version)
        _unchanged(blocks, at)
        _follows(turns[-1] if turns else None, role, blocks, i)
        if turns and turns[-1][0] == role:
            turns[-1] = (role, turns[-1][1] + blocks)
        else:
            turns.append((role, blocks))
    if not turns or turns[0][0] != "user":
        raise RequestError('messages: first message must use the "user" role')
    _end(turns, line)
    if (body.get("thinking") or {}).get("type") == "enabled":
        _begins_with_thought(turns)


def _block(block: Any, role: str, at: str, version: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in (IN_USER if role == "user" else IN_ASSISTANT):
        raise RequestError(f"{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags")
    if kind == "text":
        _text(block, at)
        if version == NEW and role == "user" and block.get("citations"):
            raise RequestError(f"{at}.text.citations: Extra inputs are not permitted")
    elif kind in ("image", "document"):
        if version == NEW and role == "assistant":
            raise RequestError(f"{at}: Input tag 'document' is not permitted in assistant messages")
        _source(block.get("source") or {}, kind, f"{at}.{kind}.source")
    elif kind == "thinking" and not str(block.get("signature")).startswith("sim"):
        raise RequestError(f"{at}: Invalid `signature` in `thinking` block")
    elif kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise RequestError(f"{at}.tool_use.input: Input should be a valid dictionary")
    if kind in CALL_NAMES and not TOOL_ID.fullmatch(str(block.get(CALL_NAMES[kind]))):
        pattern = "String should match pattern '^[a-zA-Z0-9_-]+$'"
        raise RequestError(f"{at}.{kind}.{CALL_NAMES[kind]}: {pattern}")
    if kind == "tool_result" and isinstance(block.get("content"), list):
        for i, part in enumerate(block["content"]):
            if part.get("type") not in IN_RESULT:
                raise RequestError(f"{at}.tool_result.content.{i}: Input tag does not match any of the expected tags")
            _block(part, "user", f"{at}.tool_result.content.{i}", version)


def _unchanged(blocks: list[dict[str, Any]], at: str) -> None:
    """A thought is what it was, after what it came after."""
    for j, block in enumerate(blocks):
        if block["type"] != "thinking" or block["signature"] == signature(str(block.get("thinking")), blocks[:j]):
            continue
        if j == 0:
            raise RequestError(f"{at}.content.0: Invalid `signature` in `thinking` block")
        words = "These blocks must remain as they were in the original response."
        found = "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified."
        raise RequestError(f"{at}.content.{j}: {found} {words}")


def _source(source: dict[str, Any], kind: str, at: str) -> None:
    match source.get("type"):
        case "base64":
            taken = IMAGES if kind == "image" else {"application/pdf"}
            if source.get("media_type") not in taken:
                raise RequestError(f"{at}.base64.media_type: Input should be {' or '.join(sorted(map(repr, taken)))}")
        case "url":
            if not str(source.get("url")).startswith("https://"):
                raise RequestError(f"{at}.url.url: Only HTTPS URLs are supported")
        case "text" if kind == "document":
            if source.get("media_type") != "text/plain" or not source.get("data"):
                raise RequestError(f"{at}.text.data: Field required")
        case "file":
            raise RequestError(f"File not found: {source.get('file_id')}", code="not_found_error")
        case _:
            raise RequestError(f"{at}: Input tag does not match any of the expected tags")


def _follows(
    before: tuple[str, list[dict[str, Any]]] | None, role: str, blocks: list[dict[str, Any]], number: int
) -> None:
    """Calls of tools are answered at once, and nothing else is."""
    role_before, blocks_before = before or ("", [])
    called = [block["id"] for block in blocks_before if block["type"] == "tool_use"] if role != role_before else []
    answered = {block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"}
    if missing := [name for name in called if name not in answered]:
        words = "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        found = f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}"
        raise RequestError(f"messages.{number - 1}: {found}. {words}")
    for j, block in enumerate(blocks):
        if block["type"] != "tool_result":
            continue
        if block.get("tool_use_id") not in called:
            words = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            found = f"unexpected `tool_use_id` found in `tool_result` blocks: {block.get('tool_use_id')}"
            raise RequestError(f"messages.{number}.content.{j}: {found}. {words}")
        if any(one["type"] != "tool_result" for one in blocks[:j]):
            raise RequestError(f"messages.{number}: `tool_result` blocks must come before all other content")


def _end(turns: list[tuple[str, list[dict[str, Any]]]], line: Line) -> None:
    role, blocks = turns[-1]
    if role != "assistant":
        return
    if any(block["type"] == "tool_use" for block in blocks):
        raise RequestError("messages: the final assistant message has `tool_use` blocks without `tool_result` blocks")
    if line.version >= (4, 6) or line.always_thinks:
        words = "The conversation must end with a user message."
        raise RequestError(f"This model does not support assistant message prefill. {words}")
    if blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
        raise RequestError("messages: final assistant content cannot end with trailing whitespace")


def _begins_with_thought(turns: list[tuple[str, list[dict[str, Any]]]]) -> None:
    """With thinking on, a turn of tools that is under way begins with the thought that led to it."""
    place, first = 0, None
    for i in range(len(turns) - 1, -1, -1):
        role, blocks = turns[i]
        if role == "user" and any(block["type"] != "tool_result" for block in blocks):
            break
        if role == "assistant":
            place, first = i, blocks[0]["type"]
    if first is not None and first not in THOUGHTS:
        found = f"Expected `thinking` or `redacted_thinking`, but found `{first}`."
        words = "When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        raise RequestError(f"messages.{place}.content.0.type: {found} {words}.")
