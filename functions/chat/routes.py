"""Chat: the canonical route of Patchbay, OpenAI's, and other faces of the same."""

from starlette.routing import Route

from core.gateway import Gateway
from core.http.beautify import BeautifyFace
from core.http.completions import CompletionsEndpoint
from core.http.endpoint import ChatEndpoint, Endpoint
from core.http.llm import LLM
from core.http.messages import CountEndpoint, MessagesEndpoint
from core.http.openapi import (
    beautify_operation,
    chat_operation,
    completions_operation,
    count_operation,
    llm_operation,
    messages_operation,
    responses_operation,
)
from core.http.responses import Responses, not_stored
from core.http.surfaces import NativeChat, OpenAIChat

ROUTES = [
    Route("/v1/chat/completions", ChatEndpoint(OpenAIChat()), methods=["POST"]),
    Route("/v1/responses", ChatEndpoint(Responses()), methods=["POST"]),
    Route("/v1/responses/{response_id}", not_stored, methods=["GET", "POST", "DELETE"], include_in_schema=False),
    Route("/v1/responses/{response_id}/{part}", not_stored, methods=["GET", "POST"], include_in_schema=False),
    Route("/v1/completions", CompletionsEndpoint(), methods=["POST"]),
    Route("/v1/messages", MessagesEndpoint(), methods=["POST"]),
    Route("/v1/messages/count_tokens", CountEndpoint(), methods=["POST"]),
    Route("/api/ai/chat", ChatEndpoint(NativeChat()), methods=["POST"]),
    Route("/api/ai/beautify", Endpoint(BeautifyFace(), Gateway.beautify), methods=["POST"]),
    Route("/api/v1/completion", ChatEndpoint(LLM()), methods=["POST"]),
]
OPERATIONS = {
    "/v1/chat/completions": chat_operation("Chat completion in OpenAI's format", native=False),
    "/v1/responses": responses_operation(),
    "/v1/completions": completions_operation(),
    "/v1/messages": messages_operation(),
    "/v1/messages/count_tokens": count_operation(),
    "/api/ai/chat": chat_operation("Chat completion with its receipt", native=True),
    "/api/ai/beautify": beautify_operation(),
    "/api/v1/completion": llm_operation(),
}
