"""Transcription: the canonical routes of Patchbay, and OpenAI's."""

from starlette.routing import Route

from core.http.openapi import transcribe_operation
from core.http.transcripts import NativeTranscripts, OpenAITranscripts, TranscriptEndpoint

ROUTES = [
    Route("/v1/audio/transcriptions", TranscriptEndpoint(OpenAITranscripts()), methods=["POST"]),
    Route("/v1/audio/translations", TranscriptEndpoint(OpenAITranscripts("translate")), methods=["POST"]),
    Route("/api/ai/transcribe", TranscriptEndpoint(NativeTranscripts()), methods=["POST"]),
    Route("/api/ai/diarize", TranscriptEndpoint(NativeTranscripts(diarize=True)), methods=["POST"]),
]
OPERATIONS = {
    "/v1/audio/transcriptions": transcribe_operation("What was said, in OpenAI's formats", native=False),
    "/v1/audio/translations": transcribe_operation("What was said, in English, in OpenAI's formats", native=False),
    "/api/ai/transcribe": transcribe_operation("What was said, with the receipt", native=True),
    "/api/ai/diarize": transcribe_operation("What was said and by whom, with the receipt", native=True),
}
