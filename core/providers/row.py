"""What a provider is: everything that differs from one to the next, declared."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from core.capabilities import Capability, Feature
from core.config.accounts import ACCOUNT_KINDS
from core.config.secrets import Secret
from core.config.settings import Account, Declared

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}")
CHATS = frozenset({Capability.CHAT, Capability.TRANSLATE})  # whoever chats translates
CHAT_FEATURES = frozenset({
    Feature.STREAM, Feature.TOOLS, Feature.VISION, Feature.JSON_MODE, Feature.JSON_SCHEMA,
})  # fmt: skip


class Images(NamedTuple):
    """How a provider takes images; None is a limit that it does not document."""

    urls: bool = True  # fetches what an address leads to; for who does not, and who should not, we do
    most: int | None = None  # in a request
    most_bytes: int | None = None  # of one that is given as data
    types: frozenset[str] | None = None
    plain: bool = True  # fetches also without TLS
    documents: bool = False  # fetches those, too
    own: tuple[str, ...] = ()  # addresses that mean something to it alone begin so


class Hears(NamedTuple):
    """What audio one request to a provider may hold; None is a limit that it does not have or document."""

    most_bytes: int | None = None
    most_seconds: float | None = None
    kinds: frozenset[str] = frozenset({"wav", "mp3", "m4a", "mp4", "ogg", "flac", "webm"})
    pace: float | None = None  # times faster than it was spoken is how audio is sent; None is at once
    at_once: int = 4  # requests, for parts of one audio


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    # Where the class is, imported on first use; or what makes an adapter, for a provider that a program brings along.
    adapter: str | Callable[..., Any] = "core.providers.openai_dialect:OpenAIDialect"
    base_url: str | None = None
    hosts: tuple[str, ...] = ()  # endings of the vendor's other hosts
    path_prefix: str = ""  # between the address a user gives and the API's paths
    # In place of path_prefix where the account names a dated version of the API; {model} is the target's.
    dated_prefix: str = ""
    capabilities: frozenset[Capability] = CHATS
    features: frozenset[Feature] = CHAT_FEATURES
    default_models: Mapping[Capability, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    # Environment names of the account's fields, beside the derived <NAME>_API_KEY, _BASE_URL, _MODEL, _ENABLED
    # and _PRIORITY.
    env: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[str, ...] = ("key",)
    key_header: str = "authorization"
    max_tokens_param: str = "max_completion_tokens"
    dialects: frozenset[str] = frozenset()  # which bodies it takes beside its own, as they come (types/request.py)
    extra_params: frozenset[str] = frozenset()  # what it takes beyond the dialect
    lacks_params: frozenset[str] = frozenset()
    thinking: str = ""  # a pattern: models that think, as reasoning_effort says; those without sampling do anyway
    json_alone: str = ""  # a pattern: models that give JSON only where there are no functions and no documents
    images: Images = Images()
    max_inputs: int = 2048  # texts to embed in one request
    max_request_tokens: int = 300_000  # and all their tokens
    max_documents: int = 1000  # to rank in one request
    base64: bool = True  # gives vectors in base64 when asked to
    free: bool = False  # runs on the user's own machines: no price per token
    local: bool = False
    detect: bool = False  # a laptop looks whether it runs at base_url, by its list of models
    command: str = ""  # the vendor's own program, asked in place of the API where an account names it
    by_command: "Row | None" = None  # what this row is then
    # What it is for other capabilities, where that has an adapter, an address or a key of its own.
    services: Mapping[Capability, "Row"] = field(default_factory=dict)
    places: Mapping[Capability, int] = field(default_factory=dict)  # in the default chain; the rest by the table
    hears: Hears = Hears()
    hears_by: Mapping[str, Hears] = field(default_factory=dict)  # of models that hear otherwise
    recogniser: str = "speech"  # what hears there, where the catalogue does not say it of the model
    says: tuple[str, ...] = ("mp3",)  # kinds of sound it gives, the usual one first
    own_voices: bool = False  # takes a voice as an object with its id
    key_field: str = "key"  # of the account, for its key
    url_field: str = "base_url"  # and for its address
    most_characters: int | None = None  # to say, or to translate, in one request
    uniform: bool = False  # its features are those of all its models, whatever these can elsewhere
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # all that a field of the account may say
    # Environment names that have no effect yet, and what for they are kept.
    later: Mapping[str, str] = field(default_factory=dict)

    def is_dated(self, api_version: str | None) -> bool:
        """Whether an account with this version has the paths, and only the dialect, from before there was a v1."""
        return bool(self.dated_prefix and _DATED.match(api_version or ""))

    def is_vendors(self, account: Account) -> bool:
        """Whether an account leads to the vendor, or to who stands in for him, and to no server of somebody's own."""
        if account.simulated:
            return True
        url = getattr(account, self.url_field)
        return self.is_vendors_host(url) if url else bool(self.base_url)

    def is_vendors_host(self, url: str) -> bool:
        host = urlsplit(url).hostname or ""
        return host.endswith(self.hosts) or bool(self.base_url and host == urlsplit(self.base_url).hostname)

    def hears_with(self, model: str, *, whole: bool = False) -> Hears:
        """What a request to a model may hold; `whole` where parts heard by themselves are of no use."""
        found = self.hears_by.get(model)
        if found is None:
            return self.hears
        return found._replace(most_seconds=None) if whole else found

    def token(self, account: Account) -> Secret | None:
        """An account's token, if it is for where this leads: of a service apart, to the vendor or to the same host."""
        token, url = account.token, getattr(account, self.url_field)
        if self.key_field == "key" or not token:
            return token
        if not url or not account.translates_by_token:
            return None
        known = not account.base_url or urlsplit(url).netloc == urlsplit(account.base_url).netloc
        return token if known or self.is_vendors_host(url) else None

    def identity(self, account: Account, model: str | None) -> tuple[Any, ...] | None:
        """What makes two accounts the same here, where it has credentials apart from chat's; None: never the same."""
        if self.key_field == "key":
            return None
        return (self.name, model, *(getattr(account, name) for name in self.own_fields()), self.token(account))

    def own_fields(self) -> tuple[str, ...]:
        """The account's fields for this alone, where it has credentials apart from chat's."""
        prefix = self.key_field.removesuffix("key")
        return tuple(name for name in ACCOUNT_KINDS if prefix and name.startswith(prefix))

    def parts(self) -> list[tuple["Row", tuple[Capability, ...]]]:
        """What of it has credentials of its own, and what each does. A translation is also asked of a chat."""
        own = tuple(one for one in Capability if one in self.capabilities and one not in self._apart())
        if Capability.CHAT in own and Capability.TRANSLATE in self.capabilities:
            own = tuple(one for one in Capability if one in {*own, Capability.TRANSLATE})
        found: dict[str, list[Capability]] = {}
        for capability, service in self._apart().items():
            found.setdefault(service.key_field, []).append(capability)
        return [(self, own), *((self.services[ones[0]], tuple(ones)) for ones in found.values())]

    def _apart(self) -> dict[Capability, "Row"]:
        return {one: service for one, service in self.services.items() if service.key_field != self.key_field}

    def of(self, account: Account, capability: Capability = Capability.CHAT) -> "Row":
        """What it is for an account."""
        if capability in self.services:
            return self.services[capability]
        return self.by_command if self.by_command is not None and account.command else self

    def ways(self, capability: Capability) -> tuple[Capability, ...]:
        """As what it can be asked for something. A language model translates, beside a service for it or without."""
        if capability is not Capability.TRANSLATE:
            return (capability,)
        own = capability in self.services or {capability} <= self.capabilities & self.default_models.keys()
        return (*((capability,) if own else ()), *((Capability.CHAT,) if Capability.CHAT in self.capabilities else ()))

    def declared(self) -> Declared:
        """The settings this row reads."""
        prefix = self.name.upper().replace("-", "_")
        derived = {
            "key": f"{prefix}_API_KEY",
            "base_url": f"{prefix}_BASE_URL",
            "model": f"{prefix}_MODEL",
            "embedding_model": f"{prefix}_EMBEDDING_MODEL",
            "enabled": f"{prefix}_ENABLED",
            "priority": f"{prefix}_PRIORITY",
            "max_tokens": f"{prefix}_MAX_TOKENS",
            "temperature": f"{prefix}_TEMPERATURE",
        }
        names = dict(self.env) | {
            name: tuple(dict.fromkeys((*self.env.get(name, ()), env))) for name, env in derived.items()
        }
        if self.command:
            names["command"] = (*self.env.get("command", ()), f"{prefix}_COMMAND")
        names["simulated"] = (f"{self.name}.simulated",)  # set by what is found here, never by hand
        models = {"model": Capability.CHAT, "embedding_model": Capability.EMBED}
        defaults = {field: self.default_models[one] for field, one in models.items() if one in self.default_models}
        for one in (*self.services.values(), self):
            if one.base_url and (one is self or one.url_field != self.url_field):
                defaults[one.url_field] = one.base_url
        return Declared(
            self.name, names, self.title, self.aliases, self.capabilities, defaults, "key" in self.needs, self.later,
            self.command, self.choices,
        )  # fmt: skip
