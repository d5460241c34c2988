"""OpenAPI entries of the generation routes, which are plain routes and so unknown to FastAPI."""

from typing import Any

from core.capabilities import Capability
from core.wire.chat import CHAT_PARAMS

_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "provider": {"type": ["string", "null"], "description": "Goes first; the chain follows."},
    "fallback": {
        "type": "boolean",
        "default": True,
        "description": "false: only the provider or model named.",
    },
    "models": {"type": "array", "items": {"type": "string"}, "description": "Exactly these, in this order."},
    "strategy": {"type": "string", "description": "How candidates are ordered."},
    "cache": {"enum": ["off", "read", "write", "on"]},
    "max_cost": {
        "type": "number",
        "minimum": 0,
        "description": "USD; bounds the answer; dearer targets are left out.",
    },
    "tier": {"enum": ["fast", "standard", "advanced", "local"]},
    "strict": {
        "type": "boolean",
        "default": False,
        "description": "The same as compatibility=strict.",
    },
    "compatibility": {
        "enum": ["strict", "warn", "permissive"],
        "default": "warn",
        "description": "What a target does not take: it is passed over, or not sent it, or sent what nobody knows.",
    },
}


def _types(kinds: tuple[type, ...]) -> dict[str, Any]:
    names = [_JSON_TYPES[kind] for kind in kinds]
    return {"type": names[0] if len(names) == 1 else names}


def _body(params: dict[str, dict[str, Any]], *required: str) -> dict[str, Any]:
    params["model"]["description"] = "A model, provider/model, provider/auto, or auto: the chain decides."
    schema = {
        "type": "object",
        "required": list(required),
        "properties": {**params, **_OPTIONS},
        "additionalProperties": True,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _chat_body() -> dict[str, Any]:
    return _body({name: _types(kinds) for name, kinds in CHAT_PARAMS.items()}, "messages")


def _embed_body(*, native: bool) -> dict[str, Any]:
    from core.wire.embeddings import EMBED_PARAMS, FORMATS, FURTHER_PARAMS, INPUT_TYPES  # noqa: PLC0415 - not for chat

    params = {name: _types(kinds) for name, kinds in (EMBED_PARAMS | FURTHER_PARAMS).items()}
    params["input"]["description"] = "A text, any number of texts, ids of tokens, or lists of them."
    params["dimensions"] |= {"minimum": 1, "description": "Only of models whose vectors can be shortened."}
    params["encoding_format"] |= {"enum": list(FORMATS), "default": FORMATS[0]}
    params["input_type"]["enum"] = list(INPUT_TYPES)
    if not native:
        return _body(params, "input")
    others: dict[str, dict[str, Any]] = {
        "text": {"type": "string", "description": "Another name of input."},
        "texts": {"type": "array", "items": {"type": "string"}, "description": "Another name of input."},
    }
    return _body(params | others)


CHAT_BODY = _chat_body()


def chat_operation(summary: str, *, native: bool) -> dict[str, Any]:
    answer = "The answer with its receipt" if native else "The provider's chat completion"
    return _operation(summary, Capability.CHAT, CHAT_BODY, answer, {"text/event-stream": {}})


def responses_operation() -> dict[str, Any]:
    from core.wire.responses.request import RESPONSES_PARAMS  # noqa: PLC0415 - as with embeddings

    params = {name: _types(kinds) for name, kinds in RESPONSES_PARAMS.items()}
    params["input"]["description"] = "A text, or items: messages, calls of functions and what came of them, reasoning."
    answer = "A response; it is kept only by a provider that has this API"
    return _operation("Response in OpenAI's format", Capability.CHAT, _body(params), answer, {"text/event-stream": {}})


def completions_operation() -> dict[str, Any]:
    from core.wire.completions import COMPLETIONS_PARAMS  # noqa: PLC0415 - as with embeddings

    params = {name: _types(kinds) for name, kinds in COMPLETIONS_PARAMS.items()}
    params["prompt"]["description"] = "A text or several; each is a chat of its own."
    body, answer = _body(params, "prompt"), "A text for each prompt, or as many as n says"
    return _operation("Completion of prompts, over chat", Capability.CHAT, body, answer, {"text/event-stream": {}})


def llm_operation() -> dict[str, Any]:
    params = {name: _types(kinds) for name, kinds in CHAT_PARAMS.items()}
    params["temperature"]["default"], params["max_tokens"]["default"] = 0.7, 4000
    params["metadata"]["description"] = "Comes back with the answer; no provider sees it."
    answer = "The content with model, provider, usage, cost_estimate, response_time_ms, timestamp and metadata"
    body = _body(params, "messages")
    return _operation("Completion, kept for a while", Capability.CHAT, body, answer, {"text/event-stream": {}})


_CONTENT = {"type": ["string", "array"]}
_MESSAGES: dict[str, dict[str, Any]] = {
    "model": {"type": "string"},
    "max_tokens": {"type": "integer", "minimum": 0},
    "messages": {"type": "array", "minItems": 1},
    "system": _CONTENT,
    "stream": {"type": "boolean"},
    "stop_sequences": {"type": "array", "items": {"type": "string"}},
    "tools": {"type": "array"},
    **{name: {"type": "object"} for name in ("tool_choice", "thinking", "output_config", "metadata")},
}


def messages_operation() -> dict[str, Any]:
    body = _body({name: dict(one) for name, one in _MESSAGES.items()}, "messages", "max_tokens")
    answer = "A message, from whichever provider answered"
    return _operation("Chat in the form of the Messages API", Capability.CHAT, body, answer, {"text/event-stream": {}})


def count_operation() -> dict[str, Any]:
    body = _body(
        {name: dict(one) for name, one in _MESSAGES.items() if name not in {"max_tokens", "stream"}}, "messages"
    )
    answer = "input_tokens; the header x-patchbay-count says whether they are reported or estimated"
    return _operation("Tokens of a request in the form of the Messages API", Capability.CHAT, body, answer, {})


def embed_operation(summary: str, *, native: bool) -> dict[str, Any]:
    answer = "The vectors with their receipt" if native else "A list of embeddings in the order of the inputs"
    return _operation(summary, Capability.EMBED, _embed_body(native=native), answer, {})


def rerank_operation(summary: str, *, native: bool) -> dict[str, Any]:
    from core.wire.rerank import FURTHER_PARAMS, RERANK_PARAMS  # noqa: PLC0415 - not for chat

    params = {name: _types(kinds) for name, kinds in (RERANK_PARAMS | FURTHER_PARAMS).items()}
    params["documents"]["description"] = "Texts, or objects whose fields are read; rank_fields says which."
    params["top_n"] |= {"minimum": 1, "description": "So many of the best; without it all."}
    params["return_documents"] |= {"default": False}
    answer = "The ranks with their receipt" if native else "Places and scores, the best first"
    return _operation(summary, Capability.RERANK, _body(params, "query", "documents"), answer, {})


def beautify_operation() -> dict[str, Any]:
    from core.wire.beautify.parts import BEAUTIFY_PARAMS, FORMATS, WHAT  # noqa: PLC0415 - not for chat

    params = {name: _types(kinds) for name, kinds in BEAUTIFY_PARAMS.items()}
    params["transcript"]["description"] = "As transcription gives it; speakers and times are kept. Or a text."
    params["what"] |= {"items": {"enum": list(WHAT)}, "default": ["punctuation", "paragraphs"]}
    params["format"] |= {"enum": list(FORMATS), "default": FORMATS[0]}
    answer = "The cleaned text with its receipt"
    return _operation("Text or transcript cleaned, nothing invented", Capability.CHAT, _body(params), answer, {})


def translate_operation() -> dict[str, Any]:
    from core.wire.translation.request import FORMALITIES, FORMATS, PROFANITIES, TRANSLATE_PARAMS  # noqa: PLC0415 - as above

    params = {name: _types(kinds) for name, kinds in TRANSLATE_PARAMS.items()}
    params["text"]["description"] = "A text or a list of texts."
    params["target_language"]["description"] = "Its code or its English name; targets is for several."
    params["source_language"]["description"] = "Without it the language is detected."
    params["glossary"]["description"] = "Term to translation, or to an object of language to translation."
    params["format"] |= {"enum": list(FORMATS), "default": FORMATS[0]}
    params["formality"]["enum"], params["profanity"]["enum"] = list(FORMALITIES), list(PROFANITIES)
    answer = "The translations with their receipt"
    return _operation("Texts in other languages", Capability.TRANSLATE, _body(params), answer, {})


def transcribe_operation(summary: str, *, native: bool) -> dict[str, Any]:
    from core.http.sources import KINDS  # noqa: PLC0415 - not for chat
    from core.wire.sound.transcripts import FORMATS, GRANULARITIES  # noqa: PLC0415 - see above

    params = {name: _types(kinds) for name, kinds in KINDS.items() if name not in _OPTIONS}
    params["response_format"] |= {"enum": list(FORMATS), "default": FORMATS[0]}
    params["timestamp_granularities"]["items"] = {"enum": list(GRANULARITIES)}
    params["audio_base64"]["description"] = "The audio, where it is sent in JSON; or one of the next three."
    params["audio_s3"]["description"] = "s3://bucket/key, in a bucket that PATCHBAY_AUDIO_BUCKETS names."
    params["vocabulary"]["description"] = "Names and terms to expect; keywords and phrase_list are other names of it."
    answer = "The transcript with its receipt" if native else "The transcript in the format that was asked for"
    body = _body(params)
    table = body["content"]["application/json"]["schema"]
    file = {"file": {"type": "string", "format": "binary"}}
    form = {**table, "required": ["file"], "properties": {**file, **table["properties"]}}
    body["content"]["multipart/form-data"] = {"schema": form}
    others: dict[str, Any] = {"text/plain": {}, "application/x-subrip": {}, "text/vtt": {}, "text/event-stream": {}}
    capability = Capability.DIARIZE if "by whom" in summary else Capability.TRANSCRIBE
    return _operation(summary, capability, body, answer, others)


def speech_operation(summary: str) -> dict[str, Any]:
    from core.wire.sound.speech import GENDERS, KINDS, SPEECH_PARAMS  # noqa: PLC0415 - not for chat

    params = {name: _types(kinds) for name, kinds in SPEECH_PARAMS.items()}
    params["response_format"] |= {"enum": list(KINDS), "default": "mp3"}
    params["stream_format"] |= {"enum": ["audio", "sse"], "default": "audio"}
    params["gender"] |= {"enum": list(GENDERS)}
    params["speed"] |= {"minimum": 0.25, "maximum": 4, "default": 1}
    params["sample_rate"] |= {"minimum": 8000, "maximum": 48000, "default": 24000}
    params["boundaries"]["description"] = "When each word is said, in JSON and in events."
    params["ssml"]["description"] = "Whether the input is SSML; without it, whether it begins as such."
    answer = "The speech; as JSON for Accept: application/json, in events for stream_format sse"
    further: dict[str, Any] = {"audio/*": {"schema": {"type": "string", "format": "binary"}}, "text/event-stream": {}}
    return _operation(summary, Capability.SPEAK, _body(params, "input"), answer, further)


def _operation(
    summary: str, capability: Capability, body: dict[str, Any], answer: str, further: dict[str, Any]
) -> dict[str, Any]:
    error = {"application/json": {"schema": {"type": "object", "required": ["error"]}}}
    deadline = {
        "name": "x-patchbay-timeout-ms",
        "in": "header",
        "required": False,
        "schema": {"type": "integer", "minimum": 1},
    }
    return {
        "post": {
            "summary": summary,
            "tags": [capability.value],
            "parameters": [deadline],
            "requestBody": body,
            "responses": {
                "200": {
                    "description": answer,
                    "content": {"application/json": {"schema": {"type": "object"}}, **further},
                },
                "4XX": {"description": "The request cannot be served as it is", "content": error},
                "5XX": {"description": "Every target failed; each attempt is listed", "content": error},
            },
        }
    }
