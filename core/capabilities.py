"""What a provider can be asked to do, and what a request may need of it."""

from enum import StrEnum


class Capability(StrEnum):
    CHAT = "chat"
    EMBED = "embed"
    RERANK = "rerank"
    TRANSCRIBE = "transcribe"
    DIARIZE = "diarize"
    SPEAK = "speak"
    TRANSLATE = "translate"


NOUNS = {
    Capability.CHAT: "chat",
    Capability.EMBED: "embeddings",
    Capability.RERANK: "reranking",
    Capability.TRANSCRIBE: "transcription",
    Capability.DIARIZE: "speaker diarization",
    Capability.SPEAK: "speech",
    Capability.TRANSLATE: "translation",
}


class Feature(StrEnum):
    STREAM = "stream"
    TOOLS = "tools"
    VISION = "vision"
    AUDIO = "audio"
    FILES = "files"  # PDFs and other documents among what is said
    JSON_MODE = "json_mode"
    JSON_SCHEMA = "json_schema"
    TOKENS = "tokens"  # ids of tokens in place of text
    DOCUMENTS = "documents"  # to answer from, with citations
