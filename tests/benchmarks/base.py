"""A chat function with what any has to import, and nothing else: the floor under ours for a cold start.

FastAPI, Mangum, the same HTTP client, one boto3 client, Powertools' Logger and Metrics; takes our environment.
"""

import os
from typing import Any

import aiohttp
import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from fastapi import FastAPI, Request
from mangum import Mangum

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
HEADERS = {"authorization": "Bearer bench"}

logger = Logger(service="base")
metrics = Metrics(namespace="Base", service="base")
table = boto3.client("dynamodb")
app = FastAPI()
session: list[aiohttp.ClientSession] = []


@app.post("/api/ai/chat")
async def chat(request: Request) -> Any:
    if not session:
        session.append(aiohttp.ClientSession())
    async with session[0].post(URL, json=await request.json(), headers=HEADERS) as answer:
        body = await answer.json()
    logger.info("request")
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    return body


handler = logger.inject_lambda_context(
    metrics.log_metrics(Mangum(app, lifespan="off"), capture_cold_start_metric=True)
)
