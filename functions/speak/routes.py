"""Speech: the canonical route of Patchbay, and OpenAI's."""

from starlette.routing import Route

from core.http.openapi import speech_operation
from core.http.speech import NativeSpeech, OpenAISpeech, SpeechEndpoint

ROUTES = [
    Route("/v1/audio/speech", SpeechEndpoint(OpenAISpeech()), methods=["POST"]),
    Route("/api/ai/speak", SpeechEndpoint(NativeSpeech()), methods=["POST"]),
]
OPERATIONS = {
    "/v1/audio/speech": speech_operation("Speech as OpenAI's API gives it"),
    "/api/ai/speak": speech_operation("Speech, with its receipt in headers, in JSON or in events"),
}
