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
    decides: bool  # who answers, or how


@dataclass(frozen=True, slots=True)
class Sources:
    environ: Mapping[str, str]
    dotenv: Mapping[str, str]
    layers: tuple[Layer, ...]
    trees: tuple[Tree, ...]
    early: Mapping[str, Found] = field(default_factory=dict)
    problems: tuple[Misconfigured, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def read(cls, early: Iterable[Setting], *, environ: Mapping[str, str] | None, dotenv: Path | None) -> "Sources":
        return _Reader(early, dict(os.environ if environ is None else environ), dotenv).read()


class _Reader:
    def __init__(self, early: Iterable[Setting], environ: dict[str, str], dotenv: Path | None) -> None:
        self._problems: list[Misconfigured] = []
        self._warnings: list[str] = []
        self._environ = environ
        self._folder = dotenv.parent if dotenv else Path()
        self._dotenv: dict[str, str] = self._try(partial(files.read_dotenv, dotenv), {}) if dotenv else {}
        self._layers = [named("environment", environ), named(".env", self._dotenv)]
        first = Layers(*self._layers)
        found = {row.name: self._try(partial(first.look, row.env, row.kind), None) for row in early}
        self._early = {name: one for name, one in found.items() if one is not None}

    def read(self) -> Sources:
        self._add_secrets()
        return Sources(
            environ=self._environ,
            dotenv=self._dotenv,
            trees=tuple(self._trees()),
            layers=tuple(self._layers),
            early=self._early,
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
        )

    def _add_secrets(self) -> None:
        folder = self._said("secrets_dir") or _SECRETS
        inside = self._try(partial(SecretFiles, folder), None)
        if inside is not None:
            self._layers.append(Layer(str(folder), inside))
        sources = self._said("secrets") or ()

        def fetch() -> None:
            for label, values in from_aws(sources):
                self._layers.append(named(label, values))

        self._try(fetch, None)

    def _trees(self) -> list[Tree]:
        path, env = self._said("config"), self._said("env")
        none: list[tuple[str, Path]] = []
        there = self._try(partial(files.find, self._folder, path, env), none)
        if env and not any(env in Path(label).name for label, _ in there):
            self._warnings.append(f"{self._early['env'].origin}: there is no file for the environment {env}")
        if not there and (self._folder / "patchbay.yml").is_file():
            self._warnings.append("patchbay.yml is not read; call it patchbay.yaml")
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
