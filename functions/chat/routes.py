"""Chat: the canonical route of Patchbay, OpenAI's, and the Messages API."""

from starlette.routing import Route

from core.http.endpoint import ChatEndpoint
from core.http.messages import CountEndpoint, MessagesEndpoint
from core.http.openapi import chat_operation, count_operation, messages_operation
from core.http.surfaces import NativeChat, OpenAIChat

ROUTES = [
    Route("/v1/chat/completions", ChatEndpoint(OpenAIChat()), methods=["POST"]),
    Route("/v1/messages", MessagesEndpoint(), methods=["POST"]),
    Route("/v1/messages/count_tokens", CountEndpoint(), methods=["POST"]),
    Route("/api/ai/chat", ChatEndpoint(NativeChat()), methods=["POST"]),
]
OPERATIONS = {
    "/v1/chat/completions": chat_operation("Chat completion in OpenAI's format", native=False),
    "/v1/messages": messages_operation(),
    "/v1/messages/count_tokens": count_operation(),
    "/api/ai/chat": chat_operation("Chat completion with its receipt", native=True),
}
