"""Settings from layers: run time › environment › `.env` › defaults. Read once, then passed in."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from core.config.secrets import Secret
from core.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Kind:
    """How a text becomes a value, and what to say when it does not."""

    expects: str
    parse: Callable[[str], Any]


def _flag(text: str) -> bool:
    return {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }[text.lower()]


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _whole(low: int, high: int) -> Kind:
    def parse(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError
        return value

    return Kind(f"a whole number from {low} to {high}", parse)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.port == 0:
        raise ValueError  # asking for the port has checked it
    return text.rstrip("/")


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", text):
        raise ValueError
    return text


def _secret(text: str) -> Secret:
    if not text.isprintable():
        raise ValueError
    return Secret(text)


def _choice(*words: str) -> Kind:
    return Kind("one of " + ", ".join(words), lambda text: words[words.index(text.lower())])


TEXT = Kind("text", str)
NAME = Kind("a name", lambda text: text.strip().lower())
FLAG = Kind("true or false", _flag)
SECONDS = Kind("a number of seconds above 0", _positive)
PAUSE = Kind("a number of seconds, or 0 for never", lambda text: 0.0 if float(text) == 0 else _positive(text))
NAMES = Kind("names with commas between them", lambda text: tuple(filter(None, re.split(r"[\s,]+", text.upper()))))
VERSION = Kind("letters, digits, dots and dashes", _version)
URL = Kind("an http:// or https:// address without a user in it", _url)
SECRET = Kind("one line of text", _secret)
PATH = Kind("a path", lambda text: Path(text).expanduser())
COUNT = _whole(0, 100)
WHOLE = _whole(0, 2**63)
MILLISECONDS = _whole(0, 3_600_000)
BYTES = _whole(1, 2**40)


def _setting(env: str, kind: Kind, default: Any, doc: str) -> Any:
    names = tuple(env.split())
    metadata = {"env": names, "kind": kind, "doc": doc}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials at one provider."""

    name: str = "default"
    key: Secret | None = None
    token: Secret | None = None  # a bearer token in place of the key
    base_url: str | None = None
    api_version: str | None = None
    model: str | None = None
    embedding_model: str | None = None
    enabled: bool = True
    priority: int | None = None
    first: bool = False  # leads the default chain
    simulated: bool = False


ACCOUNT_KINDS: dict[str, Kind] = {
    "key": SECRET,
    "token": SECRET,
    "base_url": URL,
    "api_version": VERSION,
    "model": TEXT,
    "embedding_model": TEXT,
    "enabled": FLAG,
    "priority": _whole(0, 10_000),
    "first": FLAG,
    "simulated": FLAG,
}


@dataclass(frozen=True, slots=True)
class Declared:
    """The settings that a provider's row reads: field of Account → environment names, the first being ours."""

    provider: str
    names: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Settings:
    host: str = _setting("HOST", TEXT, "127.0.0.1", "Address to listen on")
    port: int = _setting("PORT AI_PROVIDER_PORT", _whole(0, 65535), 8787, "Port to listen on; 0 takes a free one")
    home: Path = _setting("PATCHBAY_HOME", PATH, lambda: Path(".patchbay"), "Folder for state on a laptop")
    table: str | None = _setting("PATCHBAY_TABLE", TEXT, None, "DynamoDB table for state, in place of a file")
    bucket: str | None = _setting("PATCHBAY_BUCKET", TEXT, None, "S3 bucket for large bodies, in place of a folder")
    queue: str | None = _setting("PATCHBAY_QUEUE", URL, None, "SQS queue (its URL) for jobs, in place of a file")
    api_key: Secret | None = _setting(
        "PATCHBAY_API_KEY", SECRET, None, "The first gateway key; required beyond loopback"
    )
    llm_provider: str | None = _setting(
        "LLM_PROVIDER", NAME, None, "Provider that goes first; auto leaves it to the chain"
    )
    chat_provider: str | None = _setting(
        "CHAT_PROVIDER", NAME, None, "The same for chat alone; wins over LLM_PROVIDER"
    )
    embedding_provider: str | None = _setting(
        "EMBEDDING_PROVIDER", NAME, None, "The same for embeddings; its model is then the one that answers"
    )
    embedding_model: str | None = _setting(
        "EMBEDDING_MODEL", TEXT, None, "Embedding model where a request names none, at all who have it"
    )
    strategy: str = _setting("PROVIDER_STRATEGY", NAME, "fallback", "How candidates are ordered")
    enable_fallback: bool = _setting(
        "ENABLE_FALLBACK", FLAG, True, "Whether a failed provider is followed by the next"
    )
    max_retries: int = _setting("MAX_RETRIES", COUNT, 2, "Further tries at a target when no other is left")
    retry_delay_ms: int = _setting("RETRY_DELAY_MS", _whole(0, 60_000), 1000, "First wait before such a try")
    connect_timeout: float = _setting("PATCHBAY_CONNECT_TIMEOUT", SECONDS, 5.0, "Seconds to connect to a provider")
    first_token_timeout: float = _setting(
        "PATCHBAY_FIRST_TOKEN_TIMEOUT", SECONDS, 60.0, "Seconds until a stream's first output"
    )
    answer_timeout: float = _setting(
        "PATCHBAY_ANSWER_TIMEOUT",
        SECONDS,
        120.0,
        "Seconds for an answer that is not streamed while another target is left",
    )
    idle_timeout: float = _setting("PATCHBAY_IDLE_TIMEOUT", SECONDS, 60.0, "Seconds a stream may be silent")
    total_timeout: float = _setting(
        "PATCHBAY_TOTAL_TIMEOUT", SECONDS, 600.0, "Seconds for a request with all attempts"
    )
    max_body_bytes: int = _setting("PATCHBAY_MAX_BODY_BYTES", BYTES, 32 * 2**20, "Largest request body")
    max_answer_bytes: int = _setting("PATCHBAY_MAX_ANSWER_BYTES", BYTES, 32 * 2**20, "Largest answer or stream event")
    proxy: bool = _setting(
        "PATCHBAY_USE_PROXY", FLAG, False, "Whether HTTPS_PROXY and its kin apply to provider calls"
    )
    cache: bool = _setting("PATCHBAY_CACHE", FLAG, True, "Whether answers are kept for who asks the same again")
    cache_ttl: float = _setting("PATCHBAY_CACHE_TTL", SECONDS, 300.0, "Seconds an answer is kept")
    log_level: str = _setting(
        "LOG_LEVEL AI_PROVIDER_LOG_LEVEL",
        _choice("debug", "info", "warning", "error"),
        "info",
        "Least level to log",
    )
    log_format: str = _setting("LOG_FORMAT", _choice("auto", "json", "human"), "auto", "auto: human on a terminal")
    refresh: float = _setting(
        "PATCHBAY_REFRESH", PAUSE, 2.0, "Seconds between looks for settings changed at run time; 0: only at start"
    )
    locked: tuple[str, ...] | None = _setting(
        "PATCHBAY_LOCKED", NAMES, None, "Settings that cannot be changed at run time, with commas; * is all"
    )
    accounts: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)

    def first_for(self, capability: str) -> str | None:
        """The provider that configuration puts first, or None for auto."""
        own = {"chat": self.chat_provider, "embed": self.embedding_provider}.get(capability)
        chosen = own or self.llm_provider
        return None if chosen in {None, "auto"} else chosen

    @property
    def configured(self) -> bool:
        """Whether anybody gave a credential or a base URL: if not, simulators may answer."""
        return any(
            account.key or account.token or account.base_url
            for accounts in self.accounts.values()
            for account in accounts
        )


class Layers:
    """Looks a name up through the layers and says where it was found."""

    def __init__(self, *layers: tuple[str, Mapping[str, str]]) -> None:
        self._layers = layers

    def find(self, names: Iterable[str], kind: Kind) -> Any | None:
        for where, values in self._layers:
            for name in names:
                text = (values.get(name) or "").strip()
                if text:
                    return self._parse(name, where, text, kind)
        return None

    @staticmethod
    def _parse(name: str, where: str, text: str, kind: Kind) -> Any:
        try:
            return kind.parse(text)
        except (ValueError, KeyError):
            shown = "***" if kind is SECRET else repr(text)
            raise Misconfigured(f"{name} ({where}): expected {kind.expects}, got {shown}", param=name) from None


def read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - only a laptop has a .env; a cold start does not pay for it

    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error


def load(
    declared: Iterable[Declared],
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | Mapping[str, str] | None = None,
    run_time: Mapping[str, str] | None = None,
) -> Settings:
    """Read all layers; a value that does not fit is one clear line. `dotenv` is the file, or what was read of it."""
    layers = Layers(
        ("run time", run_time or {}),
        ("environment", os.environ if environ is None else environ),
        (".env", read_dotenv(dotenv) if isinstance(dotenv, Path) else dotenv or {}),
    )
    values: dict[str, Any] = {}
    for item in fields(Settings):
        if "env" in item.metadata:
            value = layers.find(item.metadata["env"], item.metadata["kind"])
            if value is not None:
                values[item.name] = value
    values["accounts"] = {row.provider: (_account(row, layers),) for row in declared}
    return Settings(**values)


def _account(row: Declared, layers: Layers) -> Account:
    found = {name: layers.find(env, ACCOUNT_KINDS[name]) for name, env in row.names.items()}
    return Account(**{name: value for name, value in found.items() if value is not None})
