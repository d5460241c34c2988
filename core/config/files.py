"""What lies in files beside the program: `.env`, secrets, patchbay.yaml and the places that came before it."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core.errors import Misconfigured

log = logging.getLogger("patchbay")

_OURS = ("patchbay.yaml", "patchbay.json")
# Read unchanged where there is no file of ours; the second name is that of an environment's own file.
_OLDER = (
    ("config/ai-provider/ai-provider.yml", "config/ai-provider/{env}.yml"),
    (".orchestrator/providers.yaml", None),
)
_LARGEST = 4 * 2**20
_DEEPEST = 8


class Tree(NamedTuple):
    """A configuration file as it was read."""

    label: str
    data: Mapping[str, Any]


def read_dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - only a laptop has a .env; a cold start does not pay for it

    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error


class SecretFiles(Mapping[str, str]):
    """A folder with a file for each secret, named like the environment name in small letters."""

    def __init__(self, folder: Path) -> None:
        self._read: dict[str, str] = {}
        try:
            self._paths = {path.name.upper(): path for path in folder.iterdir() if path.is_file()}
        except FileNotFoundError:
            self._paths = {}
        except OSError as error:
            raise Misconfigured(f"the secrets in {folder} cannot be listed ({error.strerror})") from error

    def __getitem__(self, name: str) -> str:
        if name not in self._read:
            self._read[name] = self._text(name, self._paths[name])
        return self._read[name]

    @staticmethod
    def _text(name: str, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(f"{path} cannot be read ({error.strerror})", param=name) from error
        except UnicodeDecodeError:
            raise Misconfigured(f"{path} is not text in UTF-8", param=name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


def find(folder: Path, named: Path | None, env: str | None) -> list[tuple[str, Path]]:
    """The files that are there with the names they go by, the one that wins first."""
    if named is not None:
        path = folder / named
        if not path.is_file():
            raise Misconfigured(f"PATCHBAY_CONFIG: there is no file {named}", param="PATCHBAY_CONFIG")
        return [(str(named), path), *_there(folder, _of_environment(str(named), env))]
    for name in _OURS:
        found = _there(folder, name, _of_environment(name, env))
        if found:
            return found
    older = [
        one
        for name, pattern in _OLDER
        for one in _there(folder, name, pattern.format(env=env) if pattern and env else None)
    ]
    if older:
        log.info("configuration is read from %s; a patchbay.yaml would take its place", older[0][0])
    return older


def _of_environment(name: str, env: str | None) -> str | None:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{env}.{suffix}" if env else None


def _there(folder: Path, *names: str | None) -> list[tuple[str, Path]]:
    return [(name, folder / name) for name in names if name and (folder / name).is_file()]


def read(label: str, path: Path) -> Tree:
    """A mapping from a YAML or JSON file."""
    try:
        if path.stat().st_size > _LARGEST:
            raise Misconfigured(f"{label} is larger than {_LARGEST // 2**20} MiB")
        raw = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{label} cannot be read ({error.strerror})") from error
    data = _json(label, raw) if path.suffix == ".json" else _yaml(label, raw)
    if not isinstance(data, Mapping | None):
        raise Misconfigured(f"{label}: expected a mapping of keys, got {shape(data)}")
    return Tree(label, data or {})


def _json(label: str, raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Misconfigured(f"{label} is not JSON: {error.msg} in line {error.lineno}") from None


def _yaml(label: str, raw: bytes) -> Any:
    try:
        from core.config import yamlfile  # noqa: PLC0415 - only who has a YAML file pays for a YAML library
    except ModuleNotFoundError:
        raise Misconfigured(
            f"{label}: reading YAML needs PyYAML (pip install -e '.[local]'); where there is none, use patchbay.json"
        ) from None
    return yamlfile.parse(label, raw)


def flat(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Nested keys joined by dots, values as text; what is null is absent."""
    found: dict[str, str] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < _DEEPEST:
            found |= flat(value, f"{name}.", depth + 1)
        elif value is not None:
            found[name] = text_of(value)
    return found


def text_of(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple) and not any(isinstance(one, list | tuple | Mapping) for one in value):
        return ", ".join(map(text_of, value))
    return shape(value) if isinstance(value, list | tuple | Mapping) else str(value)


def shape(value: Any) -> str:
    """What a value is, without telling it."""
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else "a single value"
