"""Embeddings and reranking: the canonical routes of Patchbay, OpenAI's, and that of most reranking APIs."""

from starlette.routing import Route

from core.gateway import Gateway
from core.http.endpoint import Endpoint
from core.http.openapi import embed_operation, rerank_operation
from core.http.ranks import NativeRerank, PlainRerank
from core.http.vectors import NativeEmbeddings, OpenAIEmbeddings

ROUTES = [
    Route("/v1/embeddings", Endpoint(OpenAIEmbeddings(), Gateway.embed), methods=["POST"]),
    Route("/api/ai/embed", Endpoint(NativeEmbeddings(), Gateway.embed), methods=["POST"]),
    Route("/v1/rerank", Endpoint(PlainRerank(), Gateway.rerank), methods=["POST"]),
    Route("/api/ai/rerank", Endpoint(NativeRerank(), Gateway.rerank), methods=["POST"]),
]
OPERATIONS = {
    "/v1/embeddings": embed_operation("Embeddings in OpenAI's format", native=False),
    "/api/ai/embed": embed_operation("Embeddings with their receipt", native=True),
    "/v1/rerank": rerank_operation("Documents by their relevance, in the format that most APIs share", native=False),
    "/api/ai/rerank": rerank_operation("Documents by their relevance, with the receipt", native=True),
}
