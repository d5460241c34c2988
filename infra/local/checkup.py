"""The doctor's questions about providers: keys, reachability and clocks."""

import asyncio
import time
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from yarl import URL

from core.bootstrap import Service
from core.capabilities import NOUNS, Capability
from core.config.accounts import names_of
from core.config.settings import Account
from core.errors import (
    ConnectTimeout,
    CredentialRefused,
    ModelMissing,
    QuotaExhausted,
    RateLimited,
    TargetError,
    Unreachable,
)
from core.http.guards import is_loopback
from core.net.transport import Incoming, Transport
from core.providers.contract import ListsModels
from core.providers.registry import load_adapter
from core.providers.row import Row
from infra.local.finding import Finding

_SKEW = 60  # seconds that clocks may differ; signatures and prices by the hour want less


# Fields of an account that are credentials, in the order in which they are taken.
_CREDENTIALS = ("token", "key", "command")


class _Listening(Transport):
    """Also hears how late it is elsewhere."""

    skew: float | None = None

    async def send(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None = None,
        *,
        idle: float = 60.0,
    ) -> Incoming:
        answer = await super().send(method, url, headers, body, idle=idle)
        date = answer.header("date")
        if date:
            try:
                self.skew = time.time() - parsedate_to_datetime(date).timestamp()
            except ValueError:
                self.skew = None  # not a date: no word about clocks
        return answer


@dataclass(slots=True)
class Checkup:
    service: Service
    offline: bool
    patience: float
    _skews: list[float] = field(default_factory=list)

    async def findings(self) -> list[Finding]:
        accounts = self.service.settings.accounts
        named = [(row, one) for row in self.service.registry.rows.values() for one in accounts.get(row.name, ())]
        given = [(row, one) for row, one in named if one.has_access]
        parts = [(row, one, what) for row, one in given for what in _parts(row, one)]
        providers = await asyncio.gather(*(self._provider(*one) for one in parts))
        return [*providers, *self._others(named, given), *self._clock()]

    async def _provider(self, row: Row, account: Account, what: Capability) -> Finding:
        name = row.name if account.name == "default" else f"{row.name}:{account.name}"
        if what is not Capability.CHAT:
            name = f"{name} {NOUNS[what]}"
        missing = self.service.registry.missing(row, account, what)
        if not account.enabled:
            return Finding(name, "ok", "switched off")
        if missing:
            needed = " and ".join(missing)
            return Finding(name, "warn", f"half configured: {needed} is missing", f"set {needed}, or remove the rest")
        if self.offline:
            return Finding(name, "ok", f"{self._credential(row, account, what)} is set; not tried (--offline)")
        return await self._tried(name, row, account, what)

    async def _tried(self, name: str, row: Row, account: Account, what: Capability) -> Finding:
        """One free call: its list of models."""
        transport = await _Listening(connect_timeout=self.patience, proxy=self.service.settings.proxy).open()
        began = time.monotonic()
        try:
            asked = row.of(account, what)
            adapter = load_adapter(asked)(asked, account, transport)
            by_token = asked.key_field != row.key_field and _key(row, account, what) == "token"
            if by_token or not isinstance(adapter, ListsModels):
                said = f"{self._credential(row, account, what)} is set; it has no free call to try it"
                return Finding(name, "ok", said)
            async with asyncio.timeout(self.patience):
                models = await adapter.models()
        except TimeoutError:
            said = f"did not answer in {self.patience:g} s"
            return Finding(name, "fail", said, "check the network and PATCHBAY_USE_PROXY; try again")
        except TargetError as error:
            return self._failed(name, row, account, what, error)
        finally:
            if transport.skew is not None:
                self._skews.append(transport.skew)
            await transport.close()
        listed = f"{len(models)} models, " if models else ""  # a program is only asked whether it is there
        said = f"{self._credential(row, account, what)} works: {listed}{(time.monotonic() - began):.1f} s"
        if row.local and account.model and models and account.model not in models:
            return Finding(
                name, "warn", f"{account.model} is not among its models: {', '.join(models[:5])}",
                f"load it there, or set {row.declared().names['model'][0]}",
            )  # fmt: skip
        return Finding(name, "ok", said)

    def _failed(self, name: str, row: Row, account: Account, what: Capability, error: TargetError) -> Finding:
        key, address = self._credential(row, account, what), self._name(row, account, _address(row, account, what))
        status = f" ({error.provider_status})" if error.provider_status else ""
        said = f"{type(error).__name__}{status}: {error.message}"
        match error:
            case CredentialRefused():
                return Finding(
                    name, "fail", f"{key} is refused{status}", f"make a new key and {self._mend(row, account, what)}"
                )
            case RateLimited():
                return Finding(name, "warn", f"{key} is at its limit{status}: {error.message}", error.advice)
            case QuotaExhausted():
                return Finding(name, "fail", f"the account of {key} is empty{status}", error.advice)
            case ModelMissing():
                return Finding(name, "warn", f"no list of models there{status}", f"check {address}")
            case Unreachable() | ConnectTimeout():
                return Finding(
                    name, "fail", said, f"check {address} and that it is up; {name} is passed over till then"
                )
        return Finding(name, "fail", said, error.advice)

    def _credential(self, row: Row, account: Account, what: Capability) -> str:
        """The name under which it was found; never what it is."""
        return self._name(row, account, _key(row, account, what))

    def _mend(self, row: Row, account: Account, what: Capability) -> str:
        """Where the new credential goes: to where the old one lies."""
        origin = self.service.settings.origin(row.name, account.name, _key(row, account, what))
        if origin is None or origin.layer == "environment":
            return f"put it in the environment as {self._credential(row, account, what)}"
        if origin.variable:
            return f"set {origin.variable}, which {origin} refers to"
        if origin.in_file:
            return f"write it in {origin.layer} at {origin.name}, or better a variable there: ${{MY_KEY}}"
        return f"put it in {origin.layer} as {origin.name}"

    def _name(self, row: Row, account: Account, field: str) -> str:
        """What sets a field of an account, or could."""
        origin = self.service.settings.origin(row.name, account.name, field)
        names = names_of(row.declared(), account.name, field)
        return origin.name if origin else names[0] if names else f"{field} of {row.name}:{account.name}"

    def _others(self, named: list[tuple[Row, Account]], given: list[tuple[Row, Account]]) -> list[Finding]:
        lacking = [
            f"{row.name} ({' and '.join(self.service.registry.missing(row, one))})"
            for row, one in named
            if (row, one) not in given and one.enabled
        ]
        if not given:
            fix = "put a key into .env, e.g. OPENAI_API_KEY=..."
            if not is_loopback(self.service.settings.host):
                return [Finding("providers", "fail", "nothing is configured, and HOST is not loopback", fix)]
            return [Finding("providers", "warn", "nothing is configured, so simulators answer", fix)]
        return [Finding("providers", "ok", f"not set up: {', '.join(lacking) or 'none'}; simulators are off")]

    def _clock(self) -> list[Finding]:
        if not self._skews:
            return []
        skew = min(self._skews, key=abs)  # one provider with a wrong clock says nothing of ours
        if abs(skew) > _SKEW:
            said = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the providers'"
            return [Finding("clock", "warn", said, "set the clock (NTP): signatures and prices go by it")]
        return [Finding("clock", "ok", "agrees with the providers'")]


def _parts(row: Row, account: Account) -> list[Capability]:
    """What of a provider has a key of its own, by one thing that is done with it; only what somebody set up."""
    services = [(service, can[-1]) for service, can in row.parts()[1:]]
    given = [what for one, what in services if getattr(account, one.key_field) or getattr(account, one.url_field)]
    own = any((account.key, account.token, account.command, account.base_url and account.elsewhere))
    return [Capability.CHAT, *given] if own or not given else given


def _key(row: Row, account: Account, what: Capability) -> str:
    """The field with the credential for it."""
    asked = row.of(account, what)
    if asked.key_field == row.key_field:
        return next((one for one in _CREDENTIALS if getattr(account, one)), "base_url")
    if asked.token(account) and not getattr(account, asked.key_field):
        return "token"
    return next((one for one in (asked.key_field, asked.url_field) if getattr(account, one)), asked.key_field)


def _address(row: Row, account: Account, what: Capability) -> str:
    """The field with where it is, as it was set."""
    asked = row.of(account, what)
    places = [one for one in (asked.url_field, *asked.own_fields()) if one.endswith(("_url", "_region"))]
    return next((one for one in places if getattr(account, one)), asked.url_field)
