"""What Gemini's front turns away: names and types as its protocol buffers have them, then what its models demand."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from infra.local.simulators.checks import RequestError

# A string is a scalar, a list repeats its only element, a table is a message. "any" is not looked into.
BLOB = {"mimeType": "string", "data": "bytes", "displayName": "string"}
PART: dict[str, Any] = {
    "text": "string",
    "thought": "bool",
    "thoughtSignature": "bytes",
    "inlineData": BLOB,
    "fileData": {"mimeType": "string", "fileUri": "string"},
    "functionCall": {"id": "string", "name": "string", "args": "object"},
    "functionResponse": {
        "id": "string", "name": "string", "response": "object", "parts": [{"inlineData": BLOB}],
        "willContinue": "bool", "scheduling": "string",
    },
    "executableCode": "object",
    "codeExecutionResult": "object",
    "videoMetadata": "object",
    "mediaResolution": "object",
    "partMetadata": "object",
    "speechMetadata": {"style": "string", "speaker": "string"},
}  # fmt: skip
DATA = tuple(
    name
    for name in PART
    if name
    not in {
        "thought",
        "thoughtSignature",
        "partMetadata",
        "mediaResolution",
        "speechMetadata",
    }
)
CONTENT = {"role": "string", "parts": [PART]}
DECLARATION = {
    "name": "string", "description": "string", "behavior": "string", "parameters": "object",
    "parametersJsonSchema": "any", "response": "object", "responseJsonSchema": "any",
}  # fmt: skip
SPEECH = {
    "voiceConfig": {
        "voice": "string", "prebuiltVoiceConfig": {"voiceName": "string"}, "replicatedVoiceConfig": "object",
    },
    "languageCode": "string",
    "multiSpeakerVoiceConfig": "object",
}  # fmt: skip
GENERATION = {
    "temperature": "number", "topP": "number", "topK": "number", "candidateCount": "int", "maxOutputTokens": "int",
    "stopSequences": ["string"], "seed": "int", "presencePenalty": "number", "frequencyPenalty": "number",
    "responseLogprobs": "bool", "logprobs": "int", "responseMimeType": "string", "responseSchema": "object",
    "responseJsonSchema": "any", "responseModalities": ["string"], "speechConfig": SPEECH, "imageConfig": "object",
    "mediaResolution": "string", "enableEnhancedCivicAnswers": "bool", "audioTimestamp": "bool",
    "thinkingConfig": {"includeThoughts": "bool", "thinkingBudget": "int", "thinkingLevel": "string"},
}  # fmt: skip
GENERATE: dict[str, Any] = {
    "model": "string",
    "contents": [CONTENT],
    "systemInstruction": CONTENT,
    "tools": [{
        "functionDeclarations": [DECLARATION], "googleSearch": "object", "codeExecution": "object",
        "urlContext": "object", "googleMaps": "object",
    }],
    "toolConfig": {
        "functionCallingConfig": {"mode": "string", "allowedFunctionNames": ["string"]}, "retrievalConfig": "object",
    },
    "safetySettings": [{"category": "string", "threshold": "string"}],
    "generationConfig": GENERATION,
    "cachedContent": "string",
    "serviceTier": "string",
    "store": "bool",
}  # fmt: skip
COUNT = {"contents": [CONTENT], "generateContentRequest": GENERATE}
TASK = {"taskType": "string", "title": "string", "outputDimensionality": "int"}
EMBED: dict[str, Any] = {"model": "string", "content": CONTENT, **TASK, "embedContentConfig": TASK}
BATCH = {"requests": [EMBED]}

KINDS: dict[str, tuple[type[Any], ...]] = {
    "string": (str,), "bytes": (str,), "bool": (bool,), "int": (int,), "number": (int, float), "object": (dict,),
}  # fmt: skip
MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
TASKS = ("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
         "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY")  # fmt: skip
FUNCTION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
SKIPS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
ALPHABET = str.maketrans("-_", "+/")
SIGNED = b"simulated signature of "


def generation_of(model: str) -> tuple[int, ...]:
    """3.8 of gemini-3.8-flash; what has no number is the latest."""
    found = re.match(r"gemini-(\d+)(?:\.(\d+))?", model)
    return (int(found[1]), int(found[2] or 0)) if found else (9, 9)


def named(kind: Any, value: Any, at: str = "") -> Any:
    """The value with every name in camel case; a message takes both spellings and nothing that it does not know."""
    if isinstance(kind, list):
        given = value if isinstance(value, list) else [value]
        return [named(kind[0], one, f"{at}[{index}]") for index, one in enumerate(given)]
    if not isinstance(kind, dict):
        return _scalar(kind, value, at)
    if not isinstance(value, dict):
        raise RequestError(f"Invalid value at '{at}' (type.googleapis.com/Message), {value!r}", at)
    found = {}
    for name, one in value.items():
        camel = re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)
        where = f"{at}.{snake(camel)}" if at else snake(camel)
        if camel not in kind:
            place = f" at '{at}'" if at else ""
            words = f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
            raise RequestError(words, at)
        if one is not None:
            found[camel] = named(kind[camel], one, where)
    return found


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda letter: "_" + letter[1].lower(), name)


def decoded(text: str) -> bytes:
    """Either alphabet of base64 is taken, with or without its padding."""
    return b64decode(text.rstrip("=").translate(ALPHABET) + "=" * (-len(text.rstrip("=")) % 4), validate=True)


def _scalar(kind: str, value: Any, at: str) -> Any:
    if kind == "any":
        return value
    if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
        raise RequestError(f"Invalid value at '{at}' (TYPE_{kind.upper()}), {value!r}", at)
    if kind == "bytes" and value not in SKIPS:
        try:
            decoded(str(value))
        except NotBase64:
            raise RequestError(f"Invalid value at '{at}' (TYPE_BYTES), Base64 decoding failed", at) from None
    return value


def check_generate(body: dict[str, Any], model: str) -> None:
    """What a request to generate, its names settled, is refused for."""
    if not body.get("contents"):
        raise RequestError("* GenerateContentRequest.contents: contents is not specified\n", "contents")
    for index, content in enumerate(body["contents"]):
        _content(content, f"contents[{index}]")
    if "systemInstruction" in body:
        _content({**body["systemInstruction"], "role": "user"}, "system_instruction")
    _turns(body["contents"])
    if generation_of(model) >= (3,):
        _signatures(body["contents"])
    _tools(body)
    _generation(body.get("generationConfig") or {}, bool(body.get("tools")), model)


def _content(content: dict[str, Any], at: str) -> None:
    if content.get("role", "user") not in {"user", "model"}:
        raise RequestError("Please use a valid role: user, model.", f"{at}.role")
    if not content.get("parts"):
        raise RequestError(f"* GenerateContentRequest.{at}.parts: contents.parts must not be empty.\n", f"{at}.parts")
    for index, part in enumerate(content["parts"]):
        where = f"{at}.parts[{index}]"
        if not any(name in part for name in DATA):
            words = "required oneof field 'data' must have one initialized field"
            raise RequestError(f"* GenerateContentRequest.{where}.data: {words}\n", f"{where}.data")
        for kind in ("functionCall", "functionResponse"):
            if kind in part and not part[kind].get("name"):
                name = f"{where}.{snake(kind)}.name"
                raise RequestError(f"* GenerateContentRequest.{name}: Name cannot be empty.\n", name)


def _turns(contents: list[dict[str, Any]]) -> None:
    """Calls follow the user or a tool's answer, and each is answered in the very next turn."""
    for index, content in enumerate(contents):
        calls = [part for part in content["parts"] if "functionCall" in part]
        answers = [part for part in content["parts"] if "functionResponse" in part]
        if calls and (index == 0 or contents[index - 1].get("role", "user") == "model"):
            words = "function call turn comes immediately after a user turn or after a function response turn"
            raise RequestError(f"Please ensure that {words}.", "contents")
        before = [part for part in contents[index - 1]["parts"] if "functionCall" in part] if index else []
        if answers and not before:
            words = "function response turn comes immediately after a function call turn"
            raise RequestError(f"Please ensure that {words}.", "contents")
        if before and len(answers) != len(before):
            words = "number of function response parts is equal to the number of function call parts"
            raise RequestError(f"Please ensure that the {words} of the function call turn.", "contents")


def _signatures(contents: list[dict[str, Any]]) -> None:
    """The first call of each step since the user last spoke has to bring its signature back."""
    spoken = [
        index
        for index, content in enumerate(contents)
        if content.get("role", "user") == "user" and not any("functionResponse" in part for part in content["parts"])
    ]
    start = spoken[-1] if spoken else 0
    for index, content in enumerate(contents):
        calls = [part for part in content["parts"] if "functionCall" in part]
        if calls and index > start and not calls[0].get("thoughtSignature"):
            words = (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                "work correctly, and missing thought_signature may lead to degraded model performance. Additional "
                f"data, function call `default_api:{calls[0]['functionCall']['name']}` , position {index + 1}."
            )
            raise RequestError(words, "contents")
        for part in content["parts"]:
            signature = part.get("thoughtSignature")
            if signature and signature not in SKIPS and not decoded(signature).startswith(SIGNED):
                raise RequestError("Thought signature is not valid.", "contents")


def _tools(body: dict[str, Any]) -> None:
    names = []
    for index, tool in enumerate(body.get("tools") or ()):
        for place, declared in enumerate(tool.get("functionDeclarations") or ()):
            at = f"tools[{index}].function_declarations[{place}]"
            if not FUNCTION_NAME.fullmatch(declared.get("name") or ""):
                raise RequestError(f"* GenerateContentRequest.{at}.name: Invalid function name.\n", f"{at}.name")
            if "parameters" in declared and "parametersJsonSchema" in declared:
                raise RequestError(f"Only one of parameters and parameters_json_schema may be set in {at}.", at)
            names.append(declared["name"])
    if len(names) != len(set(names)):
        raise RequestError("Duplicate function declaration found.", "tools")
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if config.get("mode", "AUTO") not in MODES:
        at = "tool_config.function_calling_config.mode"
        raise RequestError(f"Invalid value at '{at}' (TYPE_ENUM), \"{config['mode']}\"", at)
    if config.get("allowedFunctionNames") and config.get("mode") not in {"ANY", "VALIDATED"}:
        words = "allowed_function_names should only be set when the function calling mode is ANY or VALIDATED"
        raise RequestError(words, "tool_config")
    if missing := set(config.get("allowedFunctionNames") or ()) - set(names):
        words = f"allowed_function_names: {sorted(missing)} are not declared"
        raise RequestError(words, "tool_config.function_calling_config.allowed_function_names")


def _generation(config: dict[str, Any], has_tools: bool, model: str) -> None:  # noqa: FBT001 - of the same request
    def refuse(name: str, words: str) -> None:
        raise RequestError(words, f"generation_config.{name}")

    if not 0 <= config.get("temperature", 1) <= 2:
        refuse("temperature", "Invalid value for temperature: it must be in the range [0.0, 2.0].")
    if not 0 <= config.get("topP", 1) <= 1:
        refuse("top_p", "Invalid value for top_p: it must be in the range [0.0, 1.0].")
    if not 1 <= config.get("candidateCount", 1) <= 8:
        refuse("candidate_count", "candidate_count must be in the range [1, 8].")
    if config.get("maxOutputTokens", 1) < 1:
        refuse("max_output_tokens", "max_output_tokens must be positive.")
    if len(config.get("stopSequences") or ()) > 5:
        refuse("stop_sequences", "The number of stop sequences must be at most 5.")
    as_json = config.get("responseMimeType", "text/plain") == "application/json"
    if not as_json and ("responseSchema" in config or "responseJsonSchema" in config):
        refuse("response_schema", "A response schema needs the response_mime_type application/json.")
    if as_json and has_tools and generation_of(model) < (3,):
        words = "Function calling with a response mime type: 'application/json' is unsupported"
        refuse("response_mime_type", words)
    if "logprobs" in config and not (config.get("responseLogprobs") and 0 <= config["logprobs"] <= 20):
        refuse("logprobs", "logprobs needs response_logprobs, and must be in the range [0, 20].")
    _thinking(config.get("thinkingConfig") or {}, model)


def _thinking(config: dict[str, Any], model: str) -> None:
    at, number = "generation_config.thinking_config", generation_of(model)
    if config and number < (2, 5):
        raise RequestError("Thinking is not enabled for this model.", at)
    if "thinkingLevel" in config and "thinkingBudget" in config:
        raise RequestError("You can only set only one of thinking budget and thinking level.", at)
    if (level := config.get("thinkingLevel")) is not None:
        if number < (3,):
            raise RequestError("Thinking level is not supported for this model.", at)
        if level.upper() not in LEVELS or (level.upper() == "MINIMAL" and "pro" in model):
            raise RequestError(f"Thinking level {level} is not supported for this model.", at)
    if (budget := config.get("thinkingBudget")) is not None:
        least, most = (128, 32_768) if "pro" in model else (0, 24_576)
        if budget != -1 and not least <= budget <= most:
            words = f"The thinking budget {budget} is invalid. Please choose a value between {least} and {most}."
            raise RequestError(words, at)


def check_modalities(config: dict[str, Any], model: str, *, speaks: bool) -> None:
    """What it refuses of who asks for sound, or does not."""
    wanted, has = (
        sorted(one.upper() for one in config.get("responseModalities") or ("TEXT",)),
        "AUDIO" if speaks else "TEXT",
    )
    if wanted != [has] and (speaks or "AUDIO" in wanted):
        words = (
            f"The requested combination of response modalities ({', '.join(wanted)}) is not supported by the model."
        )
        raise RequestError(f"{words} models/{model} accepts the following combination: * {has}", "generation_config")
