"""Chat: the canonical route of Patchbay, and OpenAI's."""

from starlette.routing import Route

from core.http.endpoint import ChatEndpoint
from core.http.openapi import chat_operation
from core.http.surfaces import NativeChat, OpenAIChat

ROUTES = [
    Route("/v1/chat/completions", ChatEndpoint(OpenAIChat()), methods=["POST"]),
    Route("/api/ai/chat", ChatEndpoint(NativeChat()), methods=["POST"]),
]
OPERATIONS = {
    "/v1/chat/completions": chat_operation("Chat completion in OpenAI's format", native=False),
    "/api/ai/chat": chat_operation("Chat completion with its receipt", native=True),
}
