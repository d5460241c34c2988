"""`.env.example` and `patchbay.example.yaml`: every setting with its default, made from the settings themselves."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from core.capabilities import Capability
from core.config.accounts import FIELD_DOCS, KEYS, Declared
from core.config.kinds import SECRET
from core.config.settings import SETTINGS, Settings
from core.config.sources import Setting

_ENV_HEAD = """\
# Every setting of Patchbay by its environment name, made by `patchbay config example env`.
# Copy it to .env and change what you need. A line with # before a name shows its default.
# The environment wins over .env; .env wins over secrets files and patchbay.yaml.
"""
_YAML_HEAD = """\
# Every setting of Patchbay by its key, made by `patchbay config example yaml`.
# Copy it to patchbay.yaml and take the # away where you want another value than the default.
# patchbay.<env>.yaml is read below it where PATCHBAY_ENV names <env>. A value may hold ${NAME} or ${NAME:-default}.
"""
_ACCOUNTS = """\
# Accounts. An account with a name of its own can stand wherever a provider's name can: in requests, in chains,
# in routing.llm_provider, before the slash of provider/model. What it does not say it takes from its provider.
#   quick: {type: PROVIDER, model: some-small-model, priority: 1}
#   PROVIDER: {accounts: {west: {api_key: "${WEST_KEY}", base_url: "https://west.example.com"}}}
"""
_MODELS = """\
# Models of your own, or other facts about those of the catalogue; prices in USD for a million tokens.
#   local/my-model: {context: 32768, tier: fast, usd_per_mtok: {input: 0, output: 0}}
models:
"""
_VOICES = """\
# Voices of your own: what they are like, and who says it at each provider.
#   narrator: {language: en-GB, gender: male, style: calm, ids: {PROVIDER: name-there}}
voices:
"""
_LATER = "Settings that are kept for later versions"


def env_example(declared: Iterable[Declared]) -> str:
    parts = [_ENV_HEAD]
    for group, settings in _grouped(SETTINGS):
        lines = [line for row in settings for line in (f"# {row.doc}", _assignment(row.env[0], _shown(row)))]
        parts.append("\n".join([f"# --- {group}", *lines]) + "\n")
    parts.append("# --- providers\n" + "".join(f"# _{_suffix(field)}: {doc}\n" for field, doc in FIELD_DOCS.items()))
    rows = list(declared)
    parts += ["\n".join([f"# {row.title}", *_provider_env(row)]) + "\n" for row in rows]
    later = [line for row in rows for name, why in row.later.items() for line in (f"# {why}", f"{name}=")]
    return "\n".join([*parts, "\n".join([f"# --- {_LATER}", *later]) + "\n"])


def yaml_example(declared: Iterable[Declared]) -> str:
    parts = [_YAML_HEAD]
    for group, settings in _grouped(row for row in SETTINGS if row.keys):
        lines = [line for row in settings for line in (f"  # {row.doc}", f"  #{_entry(row)}")]
        parts.append("\n".join([f"{group}:", *lines]) + "\n")
    rows = list(declared)
    accounts = _ACCOUNTS.replace("PROVIDER", rows[0].provider)
    voices = _VOICES.replace("PROVIDER", rows[0].provider)
    docs = "".join(f"  # {KEYS[field][0]}: {doc}\n" for field, doc in FIELD_DOCS.items())
    docs += "  # models: {<capability>: <model>}, for the other capabilities\n"
    providers = "".join(f"  # {row.title}\n  {row.provider}:\n" + _provider_yaml(row) for row in rows)
    return "\n".join([*parts, f"{accounts}providers:\n{docs}{providers}", _MODELS, voices])


def shown(value: Any) -> str:
    """A value as a person writes it."""
    if value is None or (isinstance(value, tuple | list) and not value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _grouped(rows: Iterable[Setting]) -> list[tuple[str, list[Setting]]]:
    groups: dict[str, list[Setting]] = {}
    for row in rows:
        groups.setdefault(row.keys[0].partition(".")[0] if row.keys else "configuration", []).append(row)
    return list(groups.items())


def _shown(row: Setting) -> str:
    value = getattr(Settings(), row.name)
    return value.as_posix() if isinstance(value, Path) else shown(value)


def _assignment(name: str, default: str) -> str:
    return f"#{name}={default}" if default else f"{name}="


def _entry(row: Setting) -> str:
    name, default = row.keys[0].partition(".")[2], _shown(row)
    if row.kind is SECRET:
        default = f"${{{row.env[0]}:-}}"
    return f"{name}: {default}".rstrip()


def _suffix(field: str) -> str:
    return "API_KEY" if field == "key" else field.upper()


def _fields(row: Declared) -> Iterator[tuple[str, str]]:
    """What its examples show, with defaults."""
    defaults = {"enabled": "true", **row.defaults}
    without = set() if Capability.EMBED in row.capabilities else {"embedding_model"}
    return ((field, defaults.get(field, "")) for field in FIELD_DOCS if field in row.names and field not in without)


def _provider_env(row: Declared) -> Iterator[str]:
    for field, default in _fields(row):
        first, *others = row.names[field]
        if others:
            yield f"# also {', '.join(others)}"
        yield _assignment(first, default)
    for field, names in row.names.items():
        if field.startswith("models.") and field not in FIELD_DOCS:
            yield f"# for {field.partition('.')[2]}"
            yield f"{names[0]}="


def _provider_yaml(row: Declared) -> str:
    lines = []
    for field, default in _fields(row):
        value = f"${{{row.names[field][0]}:-}}" if field in {"key", "token"} else default
        lines.append(f"    #{KEYS[field][0]}: {value}".rstrip())
    return "\n".join(lines) + "\n"
