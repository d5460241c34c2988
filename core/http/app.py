"""The FastAPI app around a set of routes: guard, errors in our form, OpenAPI entries, one open service."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from inspect import isfunction
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from core import __version__, log
from core.errors import BadRequest, InternalError, MethodNotAllowed, NotFound, PatchbayError
from core.http.guards import Guard, is_loopback, on_lambda
from core.http.replies import CallerLeft
from core.http.service import Service

_LONGEST_PATH = 200

Operations = Mapping[str, Mapping[str, Any]]


class Door(FastAPI):
    """FastAPI behind the guard, which also knows the shortest way to the busy routes."""

    guard: Guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self.guard(scope, receive, send)


def make_app(title: str, routes: Sequence[BaseRoute], operations: Operations, service: Service) -> FastAPI:
    """`operations` are the OpenAPI entries of plain routes, by path."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await service.open()
        yield
        await service.close()

    loopback = is_loopback(service.settings.host) and not on_lambda()
    busy = {route.path: route.endpoint for route in routes if type(route) is Route and not isfunction(route.endpoint)}
    app = Door(
        title=title,
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.guard = Guard(partial(FastAPI.__call__, app), service.settings, busy, loopback=loopback)
    app.state.service = service
    # A function's API has its own routes and no documentation.
    app.state.there = f"there are {_listed(routes)}" if on_lambda() else "see /docs"
    app.router.routes[:0] = routes  # before the documentation's own: they are the busy ones
    app.add_exception_handler(PatchbayError, _answer)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(CallerLeft, _nobody)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_exception_handler(Exception, _answer)  # the server logs its trace
    describe(app, operations)
    return app


def describe(app: FastAPI, operations: Operations) -> None:
    """Add the plain routes to what FastAPI says of itself."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        schema = generate()
        for path, operation in operations.items():
            schema["paths"].setdefault(path, dict(operation))
        return schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own documented way


async def _answer(request: Request, error: Exception) -> Response:
    service: Service = request.app.state.service
    simulated = service.gateway.simulated if service.gateway else False
    ours = _ours(request, error)
    log.refusal(request.method, request.url.path, ours)
    status, headers, body = request.app.guard.problem_on(request.url.path)(ours, simulated=simulated)
    named = {name.decode(): value.decode() for name, value in headers}
    if isinstance(error, HTTPException) and error.headers and "Allow" in error.headers:
        named["allow"] = error.headers["Allow"]
    return Response(body, status, named)


async def _nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)  # the caller left: nobody reads this


def _ours(request: Request, error: Exception) -> PatchbayError:
    if isinstance(error, PatchbayError):
        return error
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"][1:])
        return BadRequest(f"{where}: {first['msg']}", param=where, code="invalid_value")
    if not isinstance(error, HTTPException):
        return InternalError("The gateway failed. Its log says why; please report it.")
    where = f"{request.method} {request.url.path[:_LONGEST_PATH]}"
    if error.status_code == 405:
        return MethodNotAllowed(f"{where}: the path is there, the method is not.", code="method_not_allowed")
    return NotFound(f"{where} is not there; {request.app.state.there}.", code="unknown_route")


def _listed(routes: Sequence[BaseRoute]) -> str:
    plain = [one for one in routes if isinstance(one, Route) and one.include_in_schema]
    return ", ".join(f"{min((one.methods or set()) - {'HEAD'})} {one.path}" for one in plain)
