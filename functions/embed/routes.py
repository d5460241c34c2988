"""Embeddings: the canonical route of Patchbay, and OpenAI's."""

from starlette.routing import Route

from core.gateway import Gateway
from core.http.endpoint import Endpoint
from core.http.openapi import embed_operation
from core.http.vectors import NativeEmbeddings, OpenAIEmbeddings

ROUTES = [
    Route("/v1/embeddings", Endpoint(OpenAIEmbeddings(), Gateway.embed), methods=["POST"]),
    Route("/api/ai/embed", Endpoint(NativeEmbeddings(), Gateway.embed), methods=["POST"]),
]
OPERATIONS = {
    "/v1/embeddings": embed_operation("Embeddings in OpenAI's format", native=False),
    "/api/ai/embed": embed_operation("Embeddings with their receipt", native=True),
}
