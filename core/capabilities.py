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
    SPEAKERS = "speakers"  # who said what
    SEGMENTS = "segments"  # when a sentence was said
    WORDS = "words"  # and each word
    TO_ENGLISH = "to_english"  # what was said, in English
    ONE_UTTERANCE = "one_utterance"  # up to the first pause
    SSML = "ssml"
    BOUNDARIES = "boundaries"  # when each word will be said
    FORMALITY = "formality"
    HTML = "html"
