"""Accounts: sets of credentials at providers, read from all layers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.capabilities import Capability
from core.config.kinds import (
    DURATION,
    FLAG,
    PRIORITY,
    SECRET,
    TEMPERATURE,
    TEXT,
    TOKENS,
    URL,
    VERSION,
    Kind,
    Misfit,
    choice,
)
from core.config.layers import Found, Layers, Origin, Unset
from core.config.secrets import Secret
from core.errors import Misconfigured

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials at one provider."""

    name: str = DEFAULT
    key: Secret | None = None
    token: Secret | None = None  # a bearer token in place of the key
    base_url: str | None = None
    api_version: str | None = None
    model: str | None = None
    embedding_model: str | None = None
    # Where it sells speech and translation apart from the rest.
    speech_key: Secret | None = None
    speech_region: str | None = None
    speech_url: str | None = None
    translation_key: Secret | None = None
    translation_region: str | None = None
    translation_url: str | None = None
    translation_version: str | None = None
    voice: str | None = None  # that speaks where nobody chose one
    command: str | None = None  # the vendor's own program, asked in place of the API by who is logged in there
    models: Mapping[str, str] = field(default_factory=dict, hash=False)  # of the other capabilities
    enabled: bool = True
    priority: int | None = None
    max_tokens: int | None = None  # these two for requests that name none
    temperature: float | None = None
    # How long a model stays loaded, and with how much context, where the provider lets its users choose.
    keep_alive: str | int | None = None
    num_ctx: int | None = None
    first: bool = False  # leads the default chain
    simulated: bool = False
    elsewhere: bool = True  # False: its base_url is the vendor's own, where nobody gets in without a key
    translates_by_token: bool = True  # False: the token is for another address than that of its translation

    @property
    def has_access(self) -> bool:
        """Somebody gave it a credential, a program or an address."""
        secrets = (self.key, self.token, self.speech_key, self.translation_key)
        return bool(any(secrets) or self.command or self.translation_url or (self.base_url and self.elsewhere))

    def model_for(self, capability: str) -> str | None:
        own = {Capability.CHAT: self.model, Capability.EMBED: self.embedding_model}
        return own[Capability(capability)] if capability in own else self.models.get(capability)


ACCOUNT_KINDS: dict[str, Kind] = {
    "key": SECRET,
    "token": SECRET,
    "base_url": URL,
    "api_version": VERSION,
    "model": TEXT,
    "embedding_model": TEXT,
    "speech_key": SECRET,
    "speech_region": VERSION,
    "speech_url": URL,
    "translation_key": SECRET,
    "translation_region": VERSION,
    "translation_url": URL,
    "translation_version": VERSION,
    "voice": TEXT,
    "command": TEXT,
    "enabled": FLAG,
    "priority": PRIORITY,
    "max_tokens": TOKENS,
    "temperature": TEMPERATURE,
    "keep_alive": DURATION,
    "num_ctx": TOKENS,
    "first": FLAG,
    "simulated": FLAG,
}
FIELD_DOCS: Mapping[str, str] = {
    "key": "The provider's key",
    "token": "A bearer token, sent in place of the key",
    "base_url": "Its address, or that of a server in its place",
    "api_version": "Version of its API, where it has several",
    "model": "The model of requests that name none",
    "embedding_model": "The same for embeddings",
    "speech_key": "Its key for speech, where that is another",
    "speech_region": "Where its speech is",
    "speech_url": "Address of its speech, or that of a server in its place",
    "translation_key": "Its key for translation, where that is another",
    "translation_region": "Where its translation is",
    "translation_url": "Address of its translation, or that of a server in its place",
    "translation_version": "Version of its API for translation",
    "voice": "The voice of requests that name none",
    "command": "Its own program, asked in place of its API by who is logged in there and has no key",
    "enabled": "false switches it off",
    "priority": "The lowest number goes first",
    "max_tokens": "Length of answers of requests that name none",
    "temperature": "Temperature of requests that name none",
    "keep_alive": "How long a model stays loaded after an answer: 10m, 0 for not at all, -1 for ever",
    "num_ctx": "Tokens of context that a model is loaded with; without it as many as a request needs",
}
MODELS = tuple(f"models.{one}" for one in Capability if one not in {Capability.CHAT, Capability.EMBED})
FIELDS = (*ACCOUNT_KINDS, *MODELS)
_ENABLED_FIRST = ("enabled", *(name for name in FIELDS if name != "enabled"))  # it decides what is needed
# How a file spells them; of several spellings in one place the first wins.
KEYS: Mapping[str, tuple[str, ...]] = {
    "enabled": ("enabled",),
    "key": ("api_key", "key"),
    "token": ("token",),
    "base_url": ("base_url", "endpoint"),
    "api_version": ("api_version",),
    "model": ("model", "default_model", "text_model", "models.chat"),
    "priority": ("priority",),
    "max_tokens": ("max_tokens",),
    "temperature": ("temperature",),
    "keep_alive": ("keep_alive",),
    "num_ctx": ("num_ctx",),
    "embedding_model": ("embedding_model", "models.embed"),
    "speech_key": ("speech_api_key", "speech_key", "speech.api_key", "speech.key"),
    "speech_region": ("speech_region", "speech.region"),
    "speech_url": ("speech_url", "speech_endpoint", "speech.endpoint"),
    "translation_key": ("translation_api_key", "translation_key", "translation.api_key", "translation.key"),
    "translation_region": ("translation_region", "translation.region"),
    "translation_url": ("translation_url", "translation_endpoint", "translation.endpoint"),
    "translation_version": ("translation_version", "translation.api_version"),
    "voice": ("voice", "tts_voice"),
    "command": ("command",),
    **{name: (name,) for name in MODELS},
}
_SERVICES = ("speech", "translation")
_SUFFIXES = {**dict.fromkeys(MODELS, ""), "key": "API_KEY"}


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings that a provider's row reads: field of Account → environment names, the first being ours."""

    provider: str
    names: Mapping[str, tuple[str, ...]]
    title: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)  # of the account's fields
    keyed: bool = True  # nobody gets in there without a key
    # Environment names without an effect in this version, and what for they are kept.
    later: Mapping[str, str] = field(default_factory=dict)
    command: str = ""  # its own program, which `auth_method: cli` asks for
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # all that a field may say


def key_of(provider: str, account: str, name: str) -> str:
    return f"providers.{provider}:{account}.{name}"


def names_of(row: Declared, account: str, name: str, taken: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The environment names of an account's field: a named account has its name in them."""
    if account == DEFAULT:
        return row.names.get(name, ())
    suffix = _SUFFIXES.get(name, name.upper())
    if name not in KEYS or not suffix:
        return ()
    whole = account if account.startswith(row.provider) else f"{row.provider}_{account}"
    made = f"{re.sub(r'[^A-Z0-9]', '_', whole.upper())}_{suffix}"
    return () if made in taken else (made,)


def _address(row: Declared, account: str, taken: frozenset[str]) -> Kind:
    """An address. What a vendor's portal shows says more: which deployment, and in which version."""
    if "api_version" not in row.names:
        return URL

    def parse(text: str) -> Any:
        if "/deployments/" in text:
            address, model, version = (
                (*names_of(row, account, name, taken), f"{name} of {account}")[0]
                for name in ("base_url", "model", "api_version")
            )
            raise Misfit(
                f"this one is of a single deployment: set {address} to what is before its path, {model} to the "
                f"deployment's name, {version} to what follows api-version="
            )
        return URL.parse(text)

    return Kind(URL.expects, parse)


def _apart(base: Account, own: Mapping[str, Any], service: str) -> Account:
    """What an account takes of its provider's service: a key only for the same place, a place as a whole."""
    key, region, url = (f"{service}_{part}" for part in ("key", "region", "url"))
    moved = [name for name in (region, url) if name in own and own[name] != getattr(base, name)]
    dropped: dict[str, Any] = {key: None} if moved or key in own else {}
    if region in moved and url not in own:
        dropped[url] = None  # it would go before the region
    if service == "translation" and moved:
        dropped["translates_by_token"] = False
    return replace(base, **dropped)


class Accounts:
    """Reads the accounts of each row from the layers."""

    def __init__(self, layers: Layers, problems: list[Misconfigured], warnings: list[str]) -> None:
        self._layers = layers
        self._problems = problems
        self._warnings = warnings
        self.origins: dict[str, Origin] = {}

    def of(self, row: Declared, named: Iterable[str], taken: frozenset[str]) -> tuple[Account, ...]:
        """The default account first; without a key it gives way to those that have a name and go where it goes."""
        base = self._read(row, DEFAULT, Account(), taken)
        made = [self._read(row, name, base, taken) for name in dict.fromkeys(named)]
        self._warn(row)
        secrets = (base.key, base.token, base.command, base.speech_key, base.translation_key)
        shared = not any(secrets) and any(one.base_url == base.base_url for one in made)
        return (base, *made) if not made or (base.has_access and not shared) else tuple(made)

    def _read(self, row: Declared, account: str, base: Account, taken: frozenset[str]) -> Account:
        """What it does not say itself it takes from its provider; a key only for the same address."""
        found: dict[str, Found] = {}
        needed = True
        for name in _ENABLED_FIRST:
            names = (*names_of(row, account, name, taken), key_of(row.provider, account, name))
            kind = _address(row, account, taken) if name == "base_url" else ACCOUNT_KINDS.get(name, TEXT)
            kind = choice(*row.choices[name]) if name in row.choices else kind
            one = self._look(names, kind, needed=needed)
            if one is not None:
                found[name] = one
            if name == "enabled":
                needed = one.value if one else base.enabled
        self._remember(row.provider, account, found)
        own: dict[str, Any] = {name: one.value for name, one in found.items() if "." not in name}
        models = {name.partition(".")[2]: one.value for name, one in found.items() if "." in name}
        vendors = row.defaults.get("base_url", "").casefold()
        address = own.get("base_url", base.base_url)
        of_its_own = own.keys() & {"key", "token", "command"}
        if of_its_own or (address or vendors).casefold() != (base.base_url or vendors).casefold():
            base = replace(base, key=None, token=None)
        for service in _SERVICES:
            url = f"{service}_url"
            if (own.get(url) or "").casefold() == row.defaults.get(url, "-").casefold():
                own[url] = None  # where it is anyway
            base = _apart(base, own, service)
        if "token" in own or account == DEFAULT:
            base = replace(base, translates_by_token=True)
        elsewhere = not (row.keyed and address and address.casefold() == vendors)
        made = replace(base, name=account, models={**base.models, **models}, elsewhere=elsewhere, **own)
        if made.command and (made.key or made.token):
            if "command" in found:
                self._warnings.append(f"{found['command'].origin} has no effect: the account has a key")
            made = replace(made, command=None)
        return made

    def _look(self, names: tuple[str, ...], kind: Kind, *, needed: bool) -> Found | None:
        try:
            return self._layers.look(names, kind)
        except Unset as error:
            if needed:
                self._problems.append(error)
            else:
                self._warnings.append(error.message)
        except Misconfigured as error:
            self._problems.append(error)
        return None

    def _remember(self, provider: str, account: str, found: Mapping[str, Found]) -> None:
        prefix = f"{provider}:{account}."
        if account != DEFAULT:
            ours = f"{provider}:{DEFAULT}."
            inherited = {
                prefix + name.removeprefix(ours): origin
                for name, origin in self.origins.items()
                if name.startswith(ours)
            }
            self.origins |= inherited
        self.origins |= {prefix + name: one.origin for name, one in found.items()}

    def _warn(self, row: Declared) -> None:
        prefix = f"{row.provider}:"
        seen = {name: origin for name, origin in self.origins.items() if name.startswith(prefix)}
        for name, origin in seen.items():
            capability = name.partition(".models.")[2]
            if capability and capability not in row.capabilities:
                self._warnings.append(f"{origin}: kept for {capability}, which this version cannot do there yet")
        for name, purpose in row.later.items():
            kept = self._look((name,), TEXT, needed=False)
            if kept is not None:
                self._warnings.append(f"{kept.origin}: kept for {purpose}, which this version cannot do yet")
