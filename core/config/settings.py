"""The settings: a row each with environment names, key in a file, kind, default and meaning. Read once, passed in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from core.config import kinds
from core.config.accounts import Account, Declared
from core.config.kinds import COUNT, FLAG, LIST, NAME, NAMES, PATH, SECONDS, SECRET, TEXT, Kind, choice, whole
from core.config.layers import Origin
from core.config.reading import Reading
from core.config.secrets import Secret
from core.config.sources import EARLY, Setting, Sources
from core.errors import Misconfigured

__all__ = ["SETTINGS", "Account", "Declared", "Settings", "Sources", "examine", "gather", "load"]

_AUTO = "auto"
# Beside its own, these ask a language model: one setting is the default for all three.
_BY_LLM = ("chat", "embed", "beautify")


def _setting(
    env: str,
    kind: Kind,
    default: Any,
    doc: str,
    key: str = "",
    *,
    live: bool = True,
    only: str | None = None,
    decides: bool = False,
) -> Any:
    """`env` and `key` are names with blanks between them; `only` is the capability it is about.

    `decides`: with another value another one may answer, or otherwise; answers kept before are then not repeated.
    """
    metadata = {
        "env": tuple(env.split()),
        "key": tuple(key.split()),
        "kind": kind,
        "doc": doc,
        "live": live and kind is not SECRET,
        "only": only,
        "decides": decides,
    }
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _provider(env: str, doc: str, key: str, only: str | None = None) -> Any:
    return _setting(env, NAME, None, doc, f"routing.{key} {key}", only=only, decides=True)


def _chain(capability: str) -> Any:
    env, doc = f"{capability}_CHAIN", f"Who is asked for {capability} in which order, in place of the default chain"
    return _setting(env.upper(), NAMES, (), doc, f"chains.{capability}", only=capability, decides=True)


@dataclass(frozen=True, slots=True)
class Settings:
    host: str = _setting("HOST", TEXT, "127.0.0.1", "Address to listen on", "service.host", live=False)
    port: int = _setting(
        "PORT AI_PROVIDER_PORT", kinds.PORT, 8787, "Port to listen on; 0 takes a free one", "service.port", live=False
    )
    home: Path = _setting(
        "PATCHBAY_HOME", PATH, lambda: Path(".patchbay"), "Folder for state on a laptop", "storage.home", live=False
    )
    table: str | None = _setting(
        "PATCHBAY_TABLE", TEXT, None, "DynamoDB table for state, in place of a file", "storage.table", live=False
    )
    bucket: str | None = _setting(
        "PATCHBAY_BUCKET",
        TEXT,
        None,
        "S3 bucket for large bodies, in place of a folder",
        "storage.bucket",
        live=False,
    )
    queue: str | None = _setting(
        "PATCHBAY_QUEUE",
        kinds.URL,
        None,
        "SQS queue (its URL) for jobs, in place of a file",
        "storage.queue",
        live=False,
    )
    api_key: Secret | None = _setting(
        "PATCHBAY_API_KEY", SECRET, None, "The first gateway key; required beyond loopback", "service.api_key"
    )
    config: Path | None = _setting(
        "PATCHBAY_CONFIG", PATH, None, "Configuration file in place of patchbay.yaml", live=False
    )
    env: str | None = _setting(
        "PATCHBAY_ENV", kinds.VERSION, None, "Environment whose patchbay.<env>.yaml is read below it", live=False
    )
    secrets: tuple[str, ...] = _setting(
        "PATCHBAY_SECRETS", LIST, (), "AWS sources: secretsmanager:<name or arn>, ssm:<path>", live=False
    )
    secrets_dir: Path = _setting(
        "PATCHBAY_SECRETS_DIR", PATH, lambda: Path("/run/secrets"), "Folder of secrets files", live=False
    )
    llm_provider: str | None = _provider(
        "LLM_PROVIDER", "Provider that goes first; auto leaves it to the chain", "llm_provider"
    )
    chat_provider: str | None = _provider(
        "CHAT_PROVIDER", "The same for chat alone; wins over LLM_PROVIDER", "chat_provider", "chat"
    )
    embedding_provider: str | None = _provider(
        "EMBEDDING_PROVIDER",
        "The same for embeddings, even where its vectors are others; LLM_PROVIDER never changes those",
        "embedding_provider",
        "embed",
    )
    embedding_model: str | None = _setting(
        "EMBEDDING_MODEL",
        TEXT,
        None,
        "Embedding model where a request names none, at all who have it",
        "routing.embedding_model",
        only="embed",
        decides=True,
    )
    rerank_provider: str | None = _provider(
        "RERANK_PROVIDER", "Provider that goes first for reranking", "rerank_provider", "rerank"
    )
    beautify_provider: str | None = _provider(
        "BEAUTIFY_PROVIDER", "The same for beautifying answers", "beautify_provider", "chat"
    )
    stt_provider: str | None = _provider(
        "VOICE_STT_PROVIDER", "Provider that goes first for transcription", "voice_stt_provider", "transcribe"
    )
    tts_provider: str | None = _provider(
        "VOICE_TTS_PROVIDER", "Provider that goes first for speech", "voice_tts_provider", "speak"
    )
    translation_provider: str | None = _provider(
        "TRANSLATION_PROVIDER", "Provider that goes first for translation", "translation_provider", "translate"
    )
    chat_chain: tuple[str, ...] = _chain("chat")
    embed_chain: tuple[str, ...] = _chain("embed")
    rerank_chain: tuple[str, ...] = _chain("rerank")
    transcribe_chain: tuple[str, ...] = _chain("transcribe")
    diarize_chain: tuple[str, ...] = _chain("diarize")
    speak_chain: tuple[str, ...] = _chain("speak")
    translate_chain: tuple[str, ...] = _chain("translate")
    strategy: str = _setting(
        "PROVIDER_STRATEGY", NAME, "fallback", "How candidates are ordered", "routing.strategy", decides=True
    )
    prefer_local: bool = _setting(
        "PATCHBAY_PREFER_LOCAL", FLAG, False, "Whether own machines lead the default chain", "routing.prefer_local",
        decides=True,
    )  # fmt: skip
    max_cost: float | None = _setting(
        "PATCHBAY_MAX_COST",
        kinds.USD,
        None,
        "max_cost of requests that name none, in USD",
        "routing.max_cost_per_task",
        decides=True,
    )
    fallback_provider: str | None = _setting(
        "PATCHBAY_FALLBACK_PROVIDER", NAME, None, "Provider that follows right after the first",
        "routing.fallback_provider", decides=True,
    )  # fmt: skip
    enable_fallback: bool = _setting(
        "ENABLE_FALLBACK", FLAG, True, "Whether a failed provider is followed by the next",
        "routing.enable_fallback enable_fallback", decides=True,
    )  # fmt: skip
    max_retries: int = _setting(
        "MAX_RETRIES", COUNT, 2, "Further tries at a target when no other is left", "routing.max_retries max_retries"
    )
    retry_delay_ms: int = _setting(
        "RETRY_DELAY_MS", whole(0, 60_000), 1000, "First wait before such a try",
        "routing.retry_delay_ms retry_delay_ms",
    )  # fmt: skip
    connect_timeout: float = _setting(
        "PATCHBAY_CONNECT_TIMEOUT", SECONDS, 5.0, "Seconds to connect to a provider", "timeouts.connect"
    )
    first_token_timeout: float = _setting(
        "PATCHBAY_FIRST_TOKEN_TIMEOUT", SECONDS, 60.0, "Seconds until a stream's first output", "timeouts.first_token"
    )
    answer_timeout: float = _setting(
        "PATCHBAY_ANSWER_TIMEOUT",
        SECONDS,
        120.0,
        "Seconds for an answer that is not streamed while another target is left",
        "timeouts.answer",
    )
    idle_timeout: float = _setting(
        "PATCHBAY_IDLE_TIMEOUT", SECONDS, 60.0, "Seconds a stream may be silent", "timeouts.idle"
    )
    total_timeout: float = _setting(
        "PATCHBAY_TOTAL_TIMEOUT", SECONDS, 600.0, "Seconds for a request with all attempts", "timeouts.total"
    )
    max_body_bytes: int = _setting(
        "PATCHBAY_MAX_BODY_BYTES", kinds.BYTES, 32 * 2**20, "Largest request body", "limits.max_body_bytes"
    )
    max_answer_bytes: int = _setting(
        "PATCHBAY_MAX_ANSWER_BYTES", kinds.BYTES, 32 * 2**20, "Largest answer or stream event",
        "limits.max_answer_bytes",
    )  # fmt: skip
    max_audio_bytes: int = _setting(
        "PATCHBAY_MAX_AUDIO_BYTES", kinds.BYTES, 100 * 2**20,
        "Largest audio of a request, from a form or an address", "limits.max_audio_bytes",
    )  # fmt: skip
    max_audio_seconds: float = _setting(
        "PATCHBAY_MAX_AUDIO_SECONDS", SECONDS, 14_400.0, "Longest audio of a request", "limits.max_audio_seconds"
    )
    vocabulary: tuple[str, ...] = _setting(
        "PATCHBAY_VOCABULARY",
        LIST,
        (),
        "Names and terms that transcription expects; in a file also by organisation: vocabulary.<organisation>",
        "vocabulary.all vocabulary",
        only="transcribe",
    )
    fetch_bytes: int = _setting(
        "PATCHBAY_FETCH_BYTES", kinds.BYTES, 20 * 2**20,
        "Most bytes fetched for a chat from addresses in it", "limits.fetch_bytes",
    )  # fmt: skip
    fetch_private: tuple[str, ...] = _setting(
        "PATCHBAY_FETCH_PRIVATE", kinds.PLACES, (),
        "Hosts and networks that such addresses may lead to though they are not public", "service.fetch_private",
        live=False,
    )  # fmt: skip
    audio_buckets: tuple[str, ...] = _setting(
        "PATCHBAY_AUDIO_BUCKETS", LIST, (), "S3 buckets that requests may name audio in (s3://bucket/key)",
        "service.audio_buckets", live=False,
    )  # fmt: skip
    proxy: bool = _setting(
        "PATCHBAY_USE_PROXY", FLAG, False, "Whether HTTPS_PROXY and its kin apply to provider calls",
        "service.use_proxy", live=False,
    )  # fmt: skip
    speech_sessions: int = _setting(
        "PATCHBAY_SPEECH_SESSIONS", whole(1, 10_000), 100,
        "Live sessions of speech at once, each of which has three threads of its own", "limits.speech_sessions",
    )  # fmt: skip
    speech_overflow: str = _setting(
        "PATCHBAY_SPEECH_OVERFLOW", choice("wait", "refuse"), "wait",
        "What becomes of the next one: it waits, or is refused and another provider is asked",
        "limits.speech_overflow",
    )  # fmt: skip
    cache: bool = _setting(
        "PATCHBAY_CACHE", FLAG, True, "Whether answers are kept for who asks the same again", "cache.enabled"
    )
    cache_ttl: float = _setting("PATCHBAY_CACHE_TTL", SECONDS, 300.0, "Seconds an answer is kept", "cache.ttl")
    log_level: str = _setting(
        "LOG_LEVEL AI_PROVIDER_LOG_LEVEL",
        choice("debug", "info", "warning", "error"),
        "info",
        "Least level to log",
        "logging.level",
    )
    log_format: str = _setting(
        "LOG_FORMAT",
        choice("auto", "json", "human"),
        "auto",
        "auto: human on a terminal",
        "logging.format",
        live=False,
    )
    refresh: float = _setting(
        "PATCHBAY_REFRESH",
        kinds.PAUSE,
        2.0,
        "Seconds between looks for settings changed at run time; 0: only at start",
        "service.refresh",
        live=False,
    )
    locked: tuple[str, ...] | None = _setting(
        "PATCHBAY_LOCKED",
        kinds.SETTINGS,
        None,
        "Settings that cannot be changed at run time, with commas; *_MODEL is a pattern, * is all",
        "service.locked",
        live=False,
    )
    accounts: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)  # a user's own, over the catalogue
    voices: Mapping[str, Any] = field(default_factory=dict)  # the same of voices
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by organisation
    warnings: tuple[str, ...] = field(default=(), compare=False)
    # Of what is set: field, or provider:account.field.
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, repr=False)

    def first_for(self, capability: str) -> str | None:
        """Whom configuration puts first, or None for auto."""
        chosen = self.chosen_for(capability) or (self.llm_provider if capability in _BY_LLM else None)
        return None if chosen in {None, _AUTO} else chosen

    def chosen_for(self, capability: str) -> str | None:
        """Whom the capability's own setting puts first; auto is a choice, too."""
        return {
            "chat": self.chat_provider,
            "embed": self.embedding_provider,
            "rerank": self.rerank_provider,
            "beautify": self.beautify_provider,
            "transcribe": self.stt_provider,
            "diarize": self.stt_provider,
            "speak": self.tts_provider,
            "translate": self.translation_provider,
        }.get(capability)

    def chain_for(self, capability: str) -> tuple[str, ...]:
        """The names of an explicit chain; none leaves it to the default one."""
        chain: tuple[str, ...] = getattr(self, f"{capability}_chain", ())
        return chain

    def origin(self, provider: str, account: str, name: str) -> Origin | None:
        """Where a field of an account came from; None for a default."""
        return self.origins.get(f"{provider}:{account}.{name}")

    @property
    def deciding(self) -> dict[str, Any]:
        """All that decides who answers and how, the same wherever it is configured alike."""
        # A simulator has another address at every start, and what it says does not depend on it.
        accounts = {
            name: tuple(
                replace(one, base_url=None, speech_url=None, translation_url=None) if one.simulated else one
                for one in ones
            )
            for name, ones in self.accounts.items()
        }
        said = {row.name: getattr(self, row.name) for row in SETTINGS if row.decides}
        return {**said, "accounts": accounts, "models": self.models, "voices": self.voices}

    @property
    def configured(self) -> bool:
        """Whether anybody was given a credential or an address, be he of use or not: if not, simulators may answer."""
        return any(one.has_access for accounts in self.accounts.values() for one in accounts)

    @property
    def simulated(self) -> bool:
        """Simulators stand in for all providers or for none."""
        return any(one.simulated for accounts in self.accounts.values() for one in accounts)


SETTINGS = tuple(
    Setting(one.name, *(one.metadata[part] for part in ("env", "key", "kind", "doc", "live", "only", "decides")))
    for one in fields(Settings)
    if one.metadata
)


def load(
    declared: Iterable[Declared],
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    sources: Sources | None = None,
    **changing: Mapping[str, str] | None,
) -> Settings:
    """Read all layers; a value that does not fit is one clear line. `changing` are layers by name, see `examine`."""
    settings, problems = examine(declared, environ=environ, dotenv=dotenv, sources=sources, **changing)
    if problems:
        raise problems[0]
    return settings


def examine(
    declared: Iterable[Declared],
    *,
    environ: Mapping[str, str] | None = None,
    dotenv: Path | None = None,
    sources: Sources | None = None,
    pinned: Mapping[str, str] | None = None,
    run_time: Mapping[str, str] | None = None,
    found: Mapping[str, str] | None = None,
) -> tuple[Settings, list[Misconfigured]]:
    """The settings as far as they can be read, and everything that is wrong with them.

    Over what `sources` hold lie: what this machine `found`, what was changed at `run_time`, what is `pinned`.
    """
    lasting = gather(environ=environ, dotenv=dotenv) if sources is None else sources
    reading = Reading(SETTINGS, declared, lasting, pinned=pinned, run_time=run_time, found=found)
    values, accounts = reading.settings(), reading.accounts()
    reading.look_for_slips()
    warnings = tuple(dict.fromkeys(reading.warnings))
    problems = list({problem.message: problem for problem in reading.problems}.values())
    made = Settings(
        **values, accounts=accounts, models=reading.models, voices=reading.voices,
        vocabularies=reading.vocabularies, warnings=warnings,
        origins=reading.origins,
    )  # fmt: skip
    return made, problems


def gather(*, environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Sources:
    """All that lies outside the program, read once: the environment, `.env` and what lies beside it, secrets."""
    return Sources.read([row for row in SETTINGS if row.name in EARLY], environ=environ, dotenv=dotenv)
