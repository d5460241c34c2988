"""What lies in files beside the program: `.env`, secrets, patchbay.yaml and the places that came before it."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from core.errors import Misconfigured

log = logging.getLogger("patchbay")

_OURS = ("patchbay.yaml", "patchbay.json", "patchbay.toml")
# Nearly called like ours, and what they would have to be called.
_ALMOST = {"patchbay.yml": "patchbay.yaml", "config.toml": "patchbay.toml"}
# Read unchanged where there is no file of ours; the second name is that of an environment's own file.
_OLDER = (
    ("config/ai-provider/ai-provider.yml", "config/ai-provider/{env}.yml"),
    (".orchestrator/providers.yaml", None),
)
_LARGEST = 4 * 2**20
_DEEPEST = 8
LIST, DEEP, YES_OR_NO = "a list", "a list with lists or mappings in it", ("true", "false")


class Tree(NamedTuple):
    """A configuration file as it was read."""

    label: str
    data: Mapping[str, Any]


def read_dotenv(path: Path) -> dict[str, str]:
    return parse_dotenv(path)[0]


def parse_dotenv(path: Path) -> tuple[dict[str, str], list[int]]:
    """Its values, and the numbers of lines that are none."""
    if not path.is_file():
        return {}, []
    # Only a laptop has a .env; a cold start does not pay for it.
    from dotenv import dotenv_values  # noqa: PLC0415 - see above
    from dotenv.parser import parse_stream  # noqa: PLC0415 - see above

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from error
    good, bad = [], []
    for one in parse_stream(StringIO(text)):
        written = one.original.string
        if one.error:
            bad.append(one.original.line + written[: len(written) - len(written.lstrip())].count("\n"))
        else:
            good.append(written)
    values = dotenv_values(stream=StringIO("".join(good)))
    return {name: value for name, value in values.items() if value is not None}, bad


class SecretFiles(Mapping[str, str]):
    """A folder with a file for each secret, named like the environment name in small letters."""

    def __init__(self, folder: Path) -> None:
        self._read: dict[str, str] = {}
        try:
            self._paths = {name_of(path.name): path for path in folder.iterdir() if path.is_file()}
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


def name_of(text: str) -> str:
    """The environment name that a secret's name stands for."""
    return text.upper().replace("-", "_")


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


def passed_over(folder: Path, read: Iterable[str]) -> Iterator[str]:
    """What is said of files that look like configuration and are not read."""
    read = list(read)
    for name in (*_OURS, *(name for name, _ in _OLDER)):
        if (folder / name).is_dir():
            yield f"{name} is a folder, so it is not read"
        elif (folder / name).is_file() and name not in read:
            yield f"{name} is not read: {read[0]} takes its place"
    for name, right in _ALMOST.items():
        if not (folder / name).is_file():
            continue
        if not read:
            yield f"{name} is not read; call it {right}"
        elif name.startswith("patchbay"):
            yield f"{name} is not read: {read[0]} takes its place"


def _of_environment(name: str, env: str | None) -> str | None:
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.{env}.{suffix}" if env else None


def is_of(label: str, env: str) -> bool:
    """Whether a file that was found is an environment's own."""
    return Path(label).stem.endswith(f".{env}") or label in {
        pattern.format(env=env) for _, pattern in _OLDER if pattern
    }


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
    data = {".json": _json, ".toml": _toml}.get(path.suffix, _yaml)(label, raw)
    if not isinstance(data, Mapping | None):
        raise Misconfigured(f"{label}: expected a mapping of keys, got {shape(data)}")
    return Tree(label, data or {})


def _json(label: str, raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Misconfigured(f"{label} is not JSON: {error.msg} in line {error.lineno}") from None


def _toml(label: str, raw: bytes) -> Any:
    import tomllib  # noqa: PLC0415 - only who has such a file pays for it

    try:
        return tomllib.loads(raw.decode(), parse_float=str)  # a text stays what was written
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = re.search(r"\(at .*\)$", str(error))
        raise Misconfigured(f"{label} is not TOML {where[0] if where else ''}".rstrip()) from None


def _yaml(label: str, raw: bytes) -> Any:
    try:
        from core.config import yamlfile  # noqa: PLC0415 - only who has a YAML file pays for a YAML library
    except ModuleNotFoundError:
        raise Misconfigured(
            f"{label}: reading YAML needs PyYAML (pip install -e '.[local]'); where there is none, use patchbay.json"
        ) from None
    return yamlfile.parse(label, raw)


class Written(str):
    """A value that was no text in its file, as text; and what it was there."""

    __slots__ = ("form",)
    form: str

    @classmethod
    def of(cls, value: Any) -> str:
        if isinstance(value, bool):
            made = cls(str(value).lower())
            made.form = str(made)
        elif isinstance(value, list | tuple):
            deep = any(isinstance(one, list | tuple | Mapping) for one in value)
            made = cls("..." if deep else ", ".join(map(cls.of, value)))
            made.form = DEEP if deep else LIST
        elif isinstance(value, Mapping):
            made = cls("...")
            made.form = shape(value)
        else:
            return str(value)
        return made


def flat(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Nested keys joined by dots, values as text; what is null is absent."""
    found: dict[str, str] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < _DEEPEST:
            found |= flat(value, f"{name}.", depth + 1)
        elif value is not None:
            found[name] = Written.of(value)
    return found


def shape(value: Any) -> str:
    """What a value is, without telling it."""
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else "a single value"
