"""What there is, how it is, what would be chosen and what was."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from core.accounting import report
from core.config.catalog import Query as ModelQuery
from core.errors import BadRequest, NotFound
from core.gateway import Gateway
from core.http import views
from core.http.openapi import CHAT_BODY
from core.http.planned import planned
from core.http.replies import read_json
from core.http.service import gateway_of


async def opened(request: Request) -> Gateway:
    return await gateway_of(request.scope)


Open = Annotated[Gateway, Depends(opened)]
router = APIRouter()


@router.get("/health")
async def health(gateway: Open) -> dict[str, Any]:
    return views.health(gateway)


@router.get("/api/v1/providers/health")
async def providers_health(gateway: Open) -> dict[str, bool]:
    return views.providers_health(gateway)


@router.get("/api/ai/status")
async def status(gateway: Open) -> dict[str, Any]:
    return views.status(gateway)


@router.get("/api/ai/providers")
async def providers(gateway: Open) -> dict[str, Any]:
    return views.providers(gateway)


@router.get("/api/ai/models")
async def models(
    request: Request,
    gateway: Open,
    capability: str | None = None,
    skill: str | None = None,
    tier: str | None = None,
    max_cost: float | None = None,
    provider: str | None = None,
    *,
    retired: bool = False,
) -> dict[str, Any]:
    """Models that fit; max_cost is USD per thousand input tokens, and 0 means free."""
    _check_names(request, (*ModelQuery._fields, "retired"))
    return views.models(gateway, ModelQuery(capability, skill, tier, max_cost, provider), retired=retired)


@router.get("/api/ai/voices")
async def voices(
    request: Request,
    gateway: Open,
    language: str | None = None,
    gender: str | None = None,
    provider: str | None = None,
) -> dict[str, Any]:
    """Voices that speak a language, of a gender, at a provider."""
    _check_names(request, ("language", "gender", "provider"))
    return views.voices(gateway, language, gender, provider)


@router.get("/v1/models")
async def model_list(gateway: Open) -> dict[str, Any]:
    """The models of who can answer, as OpenAI's clients list them."""
    return views.model_list(gateway)


@router.post("/api/ai/route", openapi_extra={"requestBody": CHAT_BODY})
async def route(request: Request, gateway: Open) -> dict[str, Any]:
    """The plan for a call, without the call."""
    limit = gateway.settings.max_body_bytes
    body = await read_json(request.receive, request.scope["patchbay.headers"], limit)
    wanted = planned(body)._replace(most_bytes=request.scope.get("patchbay.most_bytes"))
    return views.plan(gateway, gateway.plan(wanted), wanted.facts)


@router.get("/api/ai/decisions")
async def decisions(
    request: Request, gateway: Open, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> dict[str, Any]:
    org = request.scope["patchbay.caller"].org
    return {"decisions": [views.decision(item) for item in await gateway.ledger.recent(org, limit)]}


@router.get("/api/ai/usage")
async def usage(
    request: Request,
    gateway: Open,
    days: Annotated[int, Query(ge=1, le=90)] = 7,
    by: Annotated[str, Query(max_length=200)] = "provider,model",
) -> dict[str, Any]:
    """What was used and what it cost in the last days (UTC), in groups."""
    _check_names(request, ("days", "by"))
    try:
        groups = report.checked(by)
    except ValueError as error:
        raise BadRequest(str(error), param="by", code="invalid_value") from error
    return await gateway.report.usage(request.scope["patchbay.caller"].org, days, groups)


@router.get("/api/ai/decisions/{decision}")
async def decision(request: Request, gateway: Open, decision: str) -> dict[str, Any]:
    item = await gateway.ledger.find(request.scope["patchbay.caller"].org, decision)
    if item is None:
        raise NotFound(f"decision {decision!r} is not known", param="decision", code="unknown_decision")
    return views.decision(item)


def _check_names(request: Request, known: Sequence[str]) -> None:
    """A filter that is not one would be answered with everything."""
    for name in request.query_params:
        if name not in known:
            raise BadRequest(
                f"{name[:100]!r} is not a filter; known: {', '.join(known)}",
                param=name[:100],
                code="unknown_parameter",
            )


ROUTES = router.routes
