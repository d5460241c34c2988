"""Who may call, from where, and with what kind of body: checked once, before any route."""

import hmac
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import log
from core.config.settings import Settings
from core.errors import Forbidden, PatchbayError, Unauthenticated, WrongMediaType
from core.http.headers import receipt_headers
from core.http.problems import Problem, problem
from core.http.replies import send_problem
from core.http.uploads import FORM, is_form
from core.types.caller import ALL_SCOPES, LOCAL, Caller

PUBLIC = frozenset({"/health", "/api/v1/providers/health"})
_FIRST_KEY = Caller(org="local", project="default", key="PATCHBAY_API_KEY", scopes=ALL_SCOPES)
_NO_KEY = "PATCHBAY_API_KEY is not set: beyond loopback every caller needs a gateway key. Set it and restart."


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def on_lambda(environ: Mapping[str, str] = os.environ) -> bool:
    return "AWS_LAMBDA_FUNCTION_NAME" in environ


_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]@:/?#\s]+)(:\d*)?")
_ORIGIN = re.compile(r"https?://(.*)")


def host_of(value: str) -> str:
    """The host in a Host header, without its port; empty when it is not one."""
    found = _HOST.fullmatch(value)
    return found[1].lower() if found else ""


class Guard:
    """ASGI middleware. Puts the caller and the headers into the scope, or answers with what is wrong."""

    def __init__(self, app: ASGIApp, settings: Settings, busy: Mapping[str, ASGIApp], *, loopback: bool) -> None:
        self._app = app
        self._busy = busy  # generation endpoints by path: a look here saves them the framework's way to a route
        self._key = settings.api_key.reveal().encode() if settings.api_key else None
        self._loopback = loopback
        self._simulated = settings.simulated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            self._check(scope, headers)
        except PatchbayError as error:
            log.refusal(scope["method"], scope["path"], error)
            await send_problem(send, self.problem_on(scope["path"])(error, simulated=self._simulated))
            return
        scope["patchbay.headers"] = headers
        busy = self._busy.get(scope["path"]) if scope["method"] == "POST" else None
        if busy is not None:
            await busy(scope, receive, send)
        else:
            await self._app(scope, receive, partial(self._send, send))

    def problem_on(self, path: str) -> Callable[..., Problem]:
        """Whoever speaks a vendor's dialect is refused in it."""
        # Below a face's path is what it does not have, which its clients may ask for.
        face = self._busy.get(path) or next((one for at, one in self._busy.items() if path.startswith(f"{at}/")), None)
        found: Callable[..., Problem] = getattr(face, "problem", problem)
        return found

    async def _send(self, send: Send, message: Message) -> None:
        """Every answer has the receipt's headers, also those that have no receipt."""
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            fields = receipt_headers(None, simulated=self._simulated)
            message["headers"] = [*message["headers"], *(field for field in fields if field[0] not in names)]
        await send(message)

    def _check(self, scope: Scope, headers: Mapping[bytes, bytes]) -> None:
        if self._loopback:
            # Only a repeated header makes the two differ, and only a repeated Host matters.
            if len(headers) != len(scope["headers"]) and [name for name, _ in scope["headers"]].count(b"host") > 1:
                raise Forbidden("Two Host headers: which one is meant?", code="foreign_host")
            _same_house(headers)
        if scope["method"] in {"POST", "PUT", "PATCH"}:
            forms = getattr(self._busy.get(scope["path"]), "takes_forms", False)
            if forms and is_form(headers):
                _no_strangers_form(headers)
            else:
                _json_only(headers, or_form=forms)
        if scope["path"] not in PUBLIC:
            scope["patchbay.caller"] = self._caller(headers, (scope["client"] or ("127.0.0.1",))[0])

    def _caller(self, headers: Mapping[bytes, bytes], peer: str) -> Caller:
        if self._key is None:
            if not self._loopback or not is_loopback(peer):
                raise Unauthenticated(_NO_KEY, code="no_gateway_key")
            return LOCAL
        given = _credential(headers)
        if not given:
            raise Unauthenticated(
                "This gateway needs its key: send Authorization: Bearer <PATCHBAY_API_KEY>.",
                code="missing_key",
            )
        if not hmac.compare_digest(given, self._key):
            raise Unauthenticated(
                "That is not a key of this gateway. Provider keys stay in its configuration.",
                code="invalid_key",
            )
        return _FIRST_KEY


def _credential(headers: Mapping[bytes, bytes]) -> bytes:
    """A key wherever the vendors' own clients put theirs."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer" and token:
        return token.strip()
    return headers.get(b"x-api-key") or headers.get(b"api-key") or b""


def _same_house(headers: Mapping[bytes, bytes]) -> None:
    """A page of another site must not reach a gateway that trusts loopback, not even by a name it controls."""
    named = headers.get(b"host", b"").decode("latin-1")
    if not _is_here(named):
        raise Forbidden(f"Host {named[:100]!r} is not this machine: use localhost or 127.0.0.1.", code="foreign_host")
    origin = headers.get(b"origin")
    if origin is not None and not _is_ours(origin.decode("latin-1")):
        raise Forbidden("Pages of other sites may not call this gateway.", code="foreign_origin")


@lru_cache(maxsize=1024)
def _is_here(named: str) -> bool:
    return is_loopback(host_of(named))


def _is_ours(origin: str) -> bool:
    found = _ORIGIN.fullmatch(origin)
    return found is not None and is_loopback(host_of(found[1]))


def _no_strangers_form(headers: Mapping[bytes, bytes]) -> None:
    """A browser sends a form to any site without asking first, and says where it comes from."""
    if headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"}:
        raise Forbidden("Pages of other sites may not send forms to this gateway.", code="foreign_origin")


def _json_only(headers: Mapping[bytes, bytes], *, or_form: bool) -> None:
    kind = headers.get(b"content-type", b"")
    if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
        shown = kind.decode("latin-1") or "none"
        wanted = "The body must be JSON: send content-type: application/json"
        if or_form:
            wanted = f"The body must be a form with a file ({FORM}), or JSON (application/json): send one of them"
        raise WrongMediaType(f"{wanted}, not {shown}.", code="wrong_content_type")
