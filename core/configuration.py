"""Settings that fit what is there: providers, accounts, catalogue. What lies in files is read once."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.config import catalog, settings
from core.config.catalog import Catalog
from core.config.overrides import merge
from core.config.settings import Account, Settings
from core.errors import Misconfigured
from core.providers.registry import Registry
from core.routing import effects, fitness


class Configuration:
    def __init__(
        self,
        registry: Registry,
        *,
        environ: Mapping[str, str] | None = None,
        dotenv: Path | None = None,
        found: Mapping[str, str] | None = None,
        pinned: Mapping[str, str] | None = None,
    ) -> None:
        self._registry = registry
        sources = settings.gather(environ=environ, dotenv=dotenv)
        self.files = sources.labels  # all that was read beside the environment
        self._read = partial(settings.examine, registry.declared(), sources=sources, found=found, pinned=pinned)
        self._at_start = self._read()
        self._unfit: list[Misconfigured] = []
        self.catalog = self._catalog(self._at_start[0])
        self._check_voices(self._at_start[0])

    def load(self, run_time: Mapping[str, str]) -> Settings:
        """Settings with these changes; the first thing that is wrong is raised."""
        config, problems = self.examine(run_time)
        if problems:
            raise problems[0]
        return config

    def examine(self, run_time: Mapping[str, str] | None = None) -> tuple[Settings, list[Misconfigured]]:
        """Settings as far as they go, and all that keeps them from being used."""
        config, problems = self._read(run_time=run_time) if run_time else self._at_start
        config = _with_whole_names(config, self.catalog)
        problems = [*problems, *self._unfit, *fitness.problems(config, self._registry, self.catalog)]
        words = (
            *config.warnings,
            *fitness.warnings(config),
            *effects.warnings(config, self._registry),
        )
        return replace(config, warnings=words), problems

    def _catalog(self, config: Settings) -> Catalog:
        """With a user's own models over it."""
        models = catalog.load()
        if not config.models:
            return models
        try:
            return merge(models, config.models, self._registry.canonical)
        except Misconfigured as error:
            self._unfit.append(_in_file(error, config))
            return models

    def _check_voices(self, config: Settings) -> None:
        if not config.voices:
            return
        from core.config import voices  # noqa: PLC0415 - only who has voices of his own need load them

        try:
            voices.check(config.voices, self._registry.rows)
        except Misconfigured as error:
            self._unfit.append(_in_file(error, config))


def _in_file(error: Misconfigured, config: Settings) -> Misconfigured:
    """With the file that names it."""
    labels = [origin.layer for name, origin in config.origins.items() if f"{error.param}.".startswith(f"{name}.")]
    return Misconfigured(f"{labels[0]}: {error.message}", param=error.param) if labels else error


def _with_whole_names(config: Settings, models: Catalog) -> Settings:
    """Models of accounts by their whole ids where somebody gave the last part only."""
    accounts: dict[str, tuple[Account, ...]] = {}
    words = []
    for provider, ones in config.accounts.items():
        for one in ones:
            whole = models.whole_name(provider, one.model) if one.model else None
            if whole is not None:
                words.append(f"{config.origin(provider, one.name, 'model')}: {one.model} is taken for {whole}")
                made = accounts.get(provider, ones)
                accounts[provider] = tuple(replace(each, model=whole) if each is one else each for each in made)
    if not accounts:
        return config
    return replace(config, accounts={**config.accounts, **accounts}, warnings=(*config.warnings, *words))
