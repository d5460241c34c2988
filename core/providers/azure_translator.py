"""Azure Translator by its REST API, in version 3.0 or 2026-06-06: several texts and languages in one request."""

from dataclasses import replace

from core.config.settings import Account
from core.errors import TargetError
from core.net.transport import Incoming, Transport, address
from core.providers.api import Api
from core.providers.contract import Call, Reply
from core.providers.row import Row
from core.types.translation import Translation
from core.types.usage import Usage
from core.wire.azure import translator as wire
from core.wire.translation.request import glossary_for

_LANGUAGES = "api-version=3.0&scope=translation"
_KEY = "ocp-apim-subscription-key"
_REGION = "ocp-apim-subscription-region"
_METERED = "x-metered-usage"


class AzureTranslator:
    def __init__(self, row: Row, account: Account, transport: Transport) -> None:
        root = (account.translation_url or row.base_url or "").rstrip("/")
        version = self._version = account.translation_version or wire.V3
        key = account.translation_key
        own = replace(account, base_url=root, key=key, token=None if key else row.token(account))
        self._api = Api.of(row, own, transport, wire.read_error)
        self._path = f"{wire.path_for(root, version)}/translate"
        self._key = key.reveal() if key else ""
        self._token = wire.token_at(account.translation_url, account.translation_region)
        self._transport = transport
        self._region = {_REGION: account.translation_region} if account.translation_region else {}

    async def translate(self, call: Call) -> Reply[Translation]:
        """One glossary holds for all languages of a request: who has several asks for one at a time."""
        body = call.body
        glossary = glossary_for(body, body["targets"][0])
        elements = wire.elements_of(body["texts"], html=body["html"], glossary=glossary)
        query, sent = wire.request_for(body, elements, call.target.model, self._version)
        found, answer = await self._api.post_json(self._api.url(f"{self._path}?{query}"), sent, call, self._region)
        try:
            made = wire.translation_from(found, body, elements, self._version)
        except TargetError as error:
            self._api.tell(error, answer)
            raise
        counted = sum(len(one.text) for one in elements) * len({*map(wire.code_for, body["targets"])})
        usage = Usage("reported", characters=_metered(answer) or counted)
        told = wire.losses_of(body["targets"])
        return Reply(made._replace(model=call.target.model), usage, self._api.said(answer.request_id), told)

    async def models(self) -> list[str]:
        """A token for some minutes, which costs nothing and says whether the key is right. There is no list.

        Who has no key is only asked for his languages.
        """
        if not self._key:
            await self._api.get_json(self._api.url(f"{self._path.removesuffix('/translate')}/languages?{_LANGUAGES}"))
            return []
        answer = await self._transport.send("POST", address(self._token), {_KEY: self._key}, b"")
        if answer.status != 200:
            raise await self._api.refusal(answer)
        answer.close()
        return []


def _metered(answer: Incoming) -> int:
    """The characters that it bills, if it says so."""
    said = answer.header(_METERED) or ""
    return int(said) if said.isdecimal() and len(said) < 12 else 0
