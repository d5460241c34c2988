"""Switches of the simulators while the server runs. They are there only when simulators answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from core.errors import BadRequest, NotFound
from core.http.replies import read_json
from core.wire.shapes import check_type
from infra.local.simulators.fleet import Fleet

_BODY_LIMIT = 64 * 1024
_FIELDS: dict[str, tuple[type, ...]] = {
    "provider": (str,), "fault": (str,), "rate": (int, float), "capability": (str,), "times": (int,),
}  # fmt: skip


def fleet_of(request: Request) -> Fleet:
    fleet: Fleet | None = request.app.state.fleet
    if fleet is None:
        raise NotFound("No simulators run here: this gateway has real providers.", code="no_simulators")
    return fleet


Running = Annotated[Fleet, Depends(fleet_of)]
router = APIRouter(prefix="/api/local/simulators")


async def _fields(request: Request, *required: str) -> dict[str, Any]:
    body = await read_json(request.receive, request.scope["patchbay.headers"], _BODY_LIMIT, "fixed")
    body = {name: value for name, value in body.items() if value is not None}
    for name, value in body.items():
        if name not in _FIELDS:
            raise BadRequest(f"{name} is not known; known: {', '.join(_FIELDS)}", param=name, code="unknown_field")
        check_type(name, value, _FIELDS[name])
    for name in required:
        if name not in body:
            raise BadRequest(f"{name} is missing", param=name, code="missing")
    return body


@router.get("")
async def status(fleet: Running) -> dict[str, Any]:
    return fleet.status()


@router.post("/faults")
async def fault(request: Request, fleet: Running) -> dict[str, Any]:
    body = await _fields(request, "provider", "fault")
    try:
        return await fleet.fault(body.pop("provider"), body.pop("fault"), **body)
    except (ValueError, LookupError) as error:
        raise BadRequest(str(error.args[0]), code="invalid_value") from error


@router.post("/clear")
async def clear(request: Request, fleet: Running) -> dict[str, Any]:
    body = await _fields(request)
    try:
        await fleet.clear(body.get("provider"))
    except LookupError as error:
        raise BadRequest(str(error.args[0]), param="provider", code="invalid_value") from error
    return fleet.status()


ROUTES = router.routes
