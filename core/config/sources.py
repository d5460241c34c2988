"""What lies outside the program, read once: environment, `.env`, secrets, files. Later edits change nothing."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from core.config import files
from core.config.files import SecretFiles, Tree
from core.config.kinds import Kind
from core.config.layers import Found, Layer, Layers, named
from core.config.secrets import from_aws
from core.errors import Misconfigured

T = TypeVar("T")

# The settings that say where others are: from the environment and `.env` alone.
EARLY = ("config", "env", "secrets", "secrets_dir")
_SECRETS = Path("/run/secrets")


class Setting(NamedTuple):
    """A row of the settings: its names come in the order in which they win."""

    name: str
    env: tuple[str, ...]
    keys: tuple[str, ...]  # in a file
    kind: Kind
    doc: str
    live: bool  # may change without a restart
    capability: str | None  # the only one it is about


@dataclass(frozen=True, slots=True)
class Sources:
    environ: Mapping[str, str]
    dotenv: Mapping[str, str]
    layers: tuple[Layer, ...]
    trees: tuple[Tree, ...]
    early: Mapping[str, Found] = field(default_factory=dict)
    problems: tuple[Misconfigured, ...] = ()
    warnings: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # names of files and secrets, as far as there are any

    @classmethod
    def read(cls, early: Iterable[Setting], *, environ: Mapping[str, str] | None, dotenv: Path | None) -> "Sources":
        return _Reader(early, dict(os.environ if environ is None else environ), dotenv).read()


class _Reader:
    def __init__(self, early: Iterable[Setting], environ: dict[str, str], dotenv: Path | None) -> None:
        self._problems: list[Misconfigured] = []
        self._warnings: list[str] = []
        self._environ = environ
        self._folder = dotenv.parent if dotenv else Path()
        self._read: list[str] = []
        self._dotenv = self._env_file(dotenv) if dotenv else {}
        self._layers = [named("environment", environ), named(".env", self._dotenv)]
        first = Layers(*self._layers)
        self._rows = list(early)
        found = {row.name: self._try(partial(first.look, row.env, row.kind), None) for row in self._rows}
        self._early = {name: one for name, one in found.items() if one is not None}

    def read(self) -> Sources:
        self._add_secrets()
        trees = self._trees()
        return Sources(
            environ=self._environ,
            dotenv=self._dotenv,
            trees=tuple(trees),
            layers=tuple(self._layers),
            early=self._early,
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
            labels=(*self._read, *(tree.label for tree in trees)),
        )

    def _env_file(self, path: Path) -> dict[str, str]:
        nothing: tuple[dict[str, str], list[int]] = ({}, [])
        values, bad = self._try(partial(files.parse_dotenv, path), nothing)
        self._warnings += [f"{path.name}: line {number} is not NAME=value, so it is passed over" for number in bad]
        if path.is_file():
            self._read.append(".env")
        elif path.is_dir() and path.name:
            self._warnings.append(f"{path.name} is a folder, so it is not read")
        return values

    def _add_secrets(self) -> None:
        folder = self._said("secrets_dir") or _SECRETS
        inside = self._try(partial(SecretFiles, folder), None)
        if "secrets_dir" in self._early and not folder.exists():
            self._warnings.append(f"{self._early['secrets_dir'].origin}: there is no folder {folder}")
        if inside:
            self._add_secret(Layer(str(folder), inside, secret=True))
        sources = self._said("secrets") or ()

        def fetch() -> None:
            for label, values in from_aws(sources):
                self._add_secret(named(label, values, secret=True))

        self._try(fetch, None)

    def _add_secret(self, layer: Layer) -> None:
        self._layers.append(layer)
        self._read.append(layer.label)
        for row in self._rows:
            words = "has no effect there: it is read from the environment and .env alone"
            self._warnings += [f"{name} ({layer.label}) {words}" for name in row.env if name in layer.values]

    def _trees(self) -> list[Tree]:
        path, env = self._said("config"), self._said("env")
        none: list[tuple[str, Path]] = []
        there = self._try(partial(files.find, self._folder, path, env), none)
        if env and not any(files.is_of(label, env) for label, _ in there):
            self._warnings.append(f"{self._early['env'].origin}: there is no file for the environment {env}")
        if path is None:
            self._warnings += files.passed_over(self._folder, [label for label, _ in there])
        trees = [self._try(partial(files.read, label, where), None) for label, where in there]
        return [tree for tree in trees if tree is not None]

    def _said(self, name: str) -> Any:
        return self._early[name].value if name in self._early else None

    def _try(self, what: Callable[[], T], otherwise: T) -> T:
        try:
            return what()
        except Misconfigured as error:
            self._problems.append(error)
            return otherwise
