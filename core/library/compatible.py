"""The third seed's way to a new provider: who speaks OpenAI's dialect says its address and key, and that is all."""

from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import orjson
from yarl import URL

from core.capabilities import Capability
from core.config.settings import Account
from core.errors import BadRequest, Malformed
from core.library import members, scope
from core.library.provider import Provider
from core.library.requests import ProviderConfig
from core.library.scope import Member, Scope
from core.net.transport import Transport, address
from core.providers.api import Api
from core.providers.contract import Call
from core.providers.openai_dialect import OpenAIDialect
from core.providers.registry import Registry
from core.providers.row import Row
from core.wire.openai import read_error

_MAX_BYTES = 32 * 2**20
_MODELS = "/models"


class OpenAICompatible:
    """Override what differs."""

    def __init__(self, base_url: str = "", api_key: str | None = None) -> None:
        self._base_url = base_url
        self._api_key = api_key

    def base_url(self) -> str:
        return self._base_url

    def api_key(self) -> str | None:
        return self._api_key

    def auth_headers(self) -> dict[str, str]:
        key = self.api_key()
        return {"authorization": f"Bearer {key}"} if key else {}

    def transform_endpoint(self, endpoint: str) -> str:
        return endpoint

    def build_url(self, endpoint: str) -> str:
        return self.base_url().rstrip("/") + self.transform_endpoint(endpoint)


class OpenAICompatibleProvider(Provider):
    """An adapter with a configuration, as a provider like any other."""

    def __init__(self, adapter: OpenAICompatible, config: ProviderConfig | None = None) -> None:
        name = (config and config.name) or type(adapter).__name__.removesuffix("Adapter").removesuffix("Provider")
        super().__init__(replace(config or ProviderConfig(), name=name.lower()))
        self._asked = members.checked_name(name.lower())
        self._adapter = adapter

    def member(self, where: Scope) -> Member:
        key, given = self._adapter.api_key(), self._given or ProviderConfig()
        config = ProviderConfig(**{**vars(given), "api_key": key, "base_url": self._adapter.base_url()})
        adapter = self._adapter
        row = Row(
            name=self._asked,
            title=self._asked,
            adapter=lambda *parts: _Custom(adapter, *parts),
            capabilities=frozenset({Capability.CHAT, Capability.EMBED}),
            needs=(),
        )
        config.name = self._asked
        return members.from_row(where, row, config)

    @property
    def scope(self) -> Scope:
        if self._home is None:
            here = scope.current()
            self._home = here.sub(self.member(here))
        return self._home


class _Custom(OpenAIDialect):
    def __init__(self, custom: OpenAICompatible, row: Row, account: Account, transport: Transport) -> None:
        super().__init__(row, account, transport)
        self._custom = custom
        self._models_url = address(custom.build_url(_MODELS))
        key = account.key.reveal() if account.key else ""
        own = {name.lower(): value for name, value in custom.auth_headers().items()}
        self._api = Api(transport, "", own, (key,))

    def _url(self, call: Call, path: str) -> URL:  # noqa: ARG002 - the dialect's own way
        return address(self._custom.build_url(path))


class HttpProviderClient:
    """Requests by hand over the shared connections, with our errors: for APIs of their own."""

    def __init__(self, base_url: str = "", headers: dict[str, str] | None = None, timeout: float = 60.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"accept": "application/json", "user-agent": "patchbay", **(headers or {})}
        self._timeout = timeout

    async def get_json(self, path: str) -> Any:
        return await self._send("GET", path, None)

    async def post_json(self, path: str, body: Any) -> Any:
        return await self._send("POST", path, orjson.dumps(body))

    async def _send(self, method: str, path: str, body: bytes | None) -> Any:
        headers = self._headers if body is None else {**self._headers, "content-type": "application/json"}
        async with scope.current().gateway() as gateway:
            transport = gateway.registry.transport
            answer = await transport.send(method, address(self._base_url + path), headers, body, idle=self._timeout)
            try:
                raw = await answer.read(_MAX_BYTES)
            finally:
                answer.close()
        if not 200 <= answer.status < 300:
            secrets = tuple(self._headers.values())
            raise read_error(answer.status, raw, secrets=secrets, retry_after=answer.retry_after)
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise Malformed(f"the answer is not JSON ({len(raw)} bytes)") from None


@cache
def adapter_class(title: str) -> type[OpenAICompatible] | None:
    """`<Name>Adapter` for a row whose API speaks the dialect: its address, and the key that it is given."""
    stem = title.removesuffix("Adapter").lower()
    rows = Registry.with_plugins().rows.values()
    names = {name.replace("-", ""): row for row in rows for name in (row.name, *row.aliases)}
    row = names.get(stem)
    if row is None:
        return None

    class Adapter(OpenAICompatible):
        row: ClassVar[Row]

        def __init__(self, api_key: str | None = None, base_url: str | None = None) -> None:
            if not (base_url or self.row.base_url):
                raise BadRequest(f"{self.row.title} needs a base_url", param="base_url", code="missing")
            super().__init__(OpenAIDialect.base_url(self.row, Account(base_url=base_url)), api_key)

        def auth_headers(self) -> dict[str, str]:
            key, header = self.api_key(), self.row.key_header
            if not key:
                return {}
            return {header: f"Bearer {key}" if header == "authorization" else key}

    return type(title, (Adapter,), {"row": row, "__module__": __name__})
