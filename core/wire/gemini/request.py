"""Requests to Google Gemini's generateContent and to its embeddings, from canonical ones and back. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from core.errors import ParameterRefused
from core.wire.gemini.contents import contents_of, generation_of, messages_from
from core.wire.gemini.thinking import thinking_from, thinking_to

Body = dict[str, Any]

# Ours → theirs, where only the name differs.
_SAMPLING = {
    "temperature": "temperature", "top_p": "topP", "top_k": "topK", "n": "candidateCount",
    "presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty", "seed": "seed",
}  # fmt: skip
# What is said elsewhere, or needs nothing said.
_KNOWN = frozenset({
    *_SAMPLING, "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop",
    "logprobs", "top_logprobs", "tools", "tool_choice", "response_format", "reasoning_effort", "thinking",
    "safety_settings",
})  # fmt: skip
_CALLS = {"none": "NONE", "auto": "AUTO", "required": "ANY"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_SEEDS = range(-(2**31), 2**31)
_JSON = "application/json"
_WORD = re.compile(r"(?<=[a-z0-9])_([a-z])")
_CALLERS = frozenset(
    {"args", "response", "parametersJsonSchema", "responseJsonSchema", "parameters", "responseSchema"}
)
_TASKS = {
    "query": "RETRIEVAL_QUERY", "document": "RETRIEVAL_DOCUMENT", "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}  # fmt: skip


def request_to(body: Mapping[str, Any], model: str = "") -> tuple[Body, list[str]]:
    """The body for a model, and what of the request cannot be said there."""
    losses: list[str] = []
    model = model or str(body.get("model") or "")
    if body.get("functions"):
        raise ParameterRefused("functions: say tools, which this provider has", param="functions")
    contents, system = contents_of(body["messages"], model, losses)
    made: Body = {"contents": contents}
    if system:
        made["systemInstruction"] = {"parts": system}
    made |= _tools(body, model, losses)
    config = _sampling(body, losses) | _format(body, model, has_tools="tools" in made)
    if thinking := thinking_to(body, model, losses):
        config["thinkingConfig"] = thinking
    if config:
        made["generationConfig"] = config
    if body.get("safety_settings"):
        made["safetySettings"] = body["safety_settings"]
    left = [name for name, value in body.items() if value is not None and name not in _KNOWN]
    losses += [f"{name} was left out: there is no such thing here" for name in left]
    if _is_marked(body):
        losses.append("cache_control was left out: what is kept of prompts is decided there")
    return made, losses


def _is_marked(body: Mapping[str, Any]) -> bool:
    """Whether anything is marked to be kept for the next request."""
    for message in body["messages"]:
        content = message.get("content")
        if any("cache_control" in one for one in (message, *(content if isinstance(content, list) else ()))):
            return True
    return any("cache_control" in tool for tool in body.get("tools") or ())


def _tools(body: Mapping[str, Any], model: str, losses: list[str]) -> Body:
    declared, strict = [], False
    for index, tool in enumerate(body.get("tools") or ()):
        at = f"tools[{index}]"
        if tool.get("type") != "function":
            raise ParameterRefused(f"{at}: this provider calls functions only, not {tool.get('type')}", param=at)
        function = tool["function"]
        if not _NAME.fullmatch(function.get("name") or ""):
            words = f"{at}.function.name: here a name begins with a letter"
            raise ParameterRefused(words, param=f"{at}.function.name")
        made = {name: function[name] for name in ("name", "description") if function.get(name)}
        if function.get("parameters"):
            made["parametersJsonSchema"] = function["parameters"]
        declared.append(made)
        strict = strict or bool(function.get("strict"))
    if not declared:
        return {}
    config = _choice(body.get("tool_choice"), losses)
    if strict and config.get("mode", "AUTO") == "AUTO" and generation_of(model) >= (2, 5):
        config["mode"] = "VALIDATED"
    return {
        "tools": [{"functionDeclarations": declared}],
        **({"toolConfig": {"functionCallingConfig": config}} if config else {}),
    }


def _choice(wanted: Any, losses: list[str]) -> Body:
    if wanted is None:
        return {}
    if isinstance(wanted, str):
        return {"mode": _CALLS[wanted]} if wanted in _CALLS else {}
    if wanted.get("type") == "function":
        return {"mode": "ANY", "allowedFunctionNames": [wanted["function"]["name"]]}
    allowed = wanted.get("allowed_tools")
    if isinstance(allowed, dict):
        names = [tool["function"]["name"] for tool in allowed.get("tools") or () if tool.get("type") == "function"]
        return {"mode": "ANY" if allowed.get("mode") == "required" else "VALIDATED", "allowedFunctionNames": names}
    losses.append(f"tool_choice was left out: there is no {wanted.get('type')} here")
    return {}


def _sampling(body: Mapping[str, Any], losses: list[str]) -> Body:
    config = {theirs: body[ours] for ours, theirs in _SAMPLING.items() if body.get(ours) is not None}
    if config.get("seed", 0) not in _SEEDS:
        losses.append("seed was left out: here it has 32 bits")
        del config["seed"]
    if length := body.get("max_completion_tokens") or body.get("max_tokens"):
        config["maxOutputTokens"] = length
    if stop := body.get("stop"):
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if body.get("logprobs"):
        config["responseLogprobs"] = True
        if body.get("top_logprobs"):
            config["logprobs"] = body["top_logprobs"]
    return config


def _format(body: Mapping[str, Any], model: str, *, has_tools: bool) -> Body:
    wanted = body.get("response_format") or {}
    if wanted.get("type") not in {"json_object", "json_schema"}:
        return {}
    if has_tools and generation_of(model) < (3, 0):
        raise ParameterRefused(f"response_format: {model} gives JSON only without tools", param="response_format")
    schema = (wanted.get("json_schema") or {}).get("schema")
    return {"responseMimeType": _JSON, **({} if schema is None else {"responseJsonSchema": schema})}


def request_from(theirs: Mapping[str, Any], model: str = "") -> tuple[Body, list[str]]:
    """The way back: their body as a canonical request, and what cannot be said in it."""
    theirs = _in_one_case(theirs)
    losses: list[str] = []
    messages = messages_from(theirs.get("contents") or [], losses)
    system = (theirs.get("systemInstruction") or {}).get("parts") or []
    if system:
        parts = [{"type": "text", "text": part.get("text") or ""} for part in system]
        messages.insert(0, {"role": "system", "content": parts[0]["text"] if len(parts) == 1 else parts})
    config = dict(theirs.get("generationConfig") or {})
    body: Body = {"messages": messages, **({"model": model} if model else {})}
    body |= {ours: config.pop(name) for ours, name in _SAMPLING.items() if name in config}
    for ours, name in (("max_completion_tokens", "maxOutputTokens"), ("stop", "stopSequences")):
        if name in config:
            body[ours] = config.pop(name)
    if config.pop("responseLogprobs", False):
        body |= {"logprobs": True, **({"top_logprobs": config.pop("logprobs")} if "logprobs" in config else {})}
    body |= _format_from(config) | thinking_from(config.pop("thinkingConfig", {})) | _tools_from(theirs, losses)
    if theirs.get("safetySettings"):
        body["safety_settings"] = theirs["safetySettings"]
    known = {"contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings", "model"}
    left = [*(f"generationConfig.{name}" for name in config), *(name for name in theirs if name not in known)]
    return body, losses + [f"{name} was left out: no other provider has it" for name in left]


def _in_one_case(theirs: Any) -> Any:
    """Names as Google writes them in answers: in requests it takes snake_case as well. What callers name stays."""
    if isinstance(theirs, list):
        return [_in_one_case(one) for one in theirs]
    if not isinstance(theirs, Mapping):
        return theirs
    found = {_WORD.sub(lambda word: word[1].upper(), name): value for name, value in theirs.items()}
    return {name: value if name in _CALLERS else _in_one_case(value) for name, value in found.items()}


def _format_from(config: Body) -> Body:
    kind, schema = config.pop("responseMimeType", None), config.pop("responseJsonSchema", None)
    if kind != _JSON:
        return {}
    if schema is None:
        return {"response_format": {"type": "json_object"}}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}


def _tools_from(theirs: Mapping[str, Any], losses: list[str]) -> Body:
    tools = theirs.get("tools") or []
    losses += [f"tools.{name} was left out" for tool in tools for name in tool if name != "functionDeclarations"]
    config = (theirs.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode, allowed = config.get("mode"), config.get("allowedFunctionNames")
    declared = []
    for one in (one for tool in tools for one in tool.get("functionDeclarations") or ()):
        function = {name: one[name] for name in ("name", "description") if name in one}
        if "parametersJsonSchema" in one:
            function["parameters"] = one["parametersJsonSchema"]
        if mode == "VALIDATED" and not allowed:
            function["strict"] = True
        declared.append({"type": "function", "function": function})
    if not declared:
        return {}
    named = [{"type": "function", "function": {"name": name}} for name in allowed or ()]
    choice: Any = {word: ours for ours, word in _CALLS.items()}.get(mode or "")
    if len(named) == 1 and mode == "ANY":
        choice = named[0]
    elif named:
        chosen = {"mode": "required" if mode == "ANY" else "auto", "tools": named}
        choice = {"type": "allowed_tools", "allowed_tools": chosen}
    return {"tools": declared, **({"tool_choice": choice} if choice else {})}


def embed_to(body: Mapping[str, Any], items: list[Any], model: str) -> Body:
    """A batch of texts to embed."""
    options = {
        "taskType": _TASKS.get(body.get("input_type") or ""),
        "outputDimensionality": body.get("dimensions"),
    }
    asked = {"model": f"models/{model}", **{name: value for name, value in options.items() if value is not None}}
    return {"requests": [{**asked, "content": {"parts": [{"text": item}]}} for item in items]}
