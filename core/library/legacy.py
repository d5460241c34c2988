"""Adapters of the second seed's first version: kept for old callers, who are told what to use now."""

import warnings
from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from core.config.catalog import TIERS
from core.errors import NotFound
from core.library.provider import Provider
from core.library.results import GenerationResult

ModelType = Enum("ModelType", "CLAUDE_SONNET GEMINI_PRO GEMINI_FLASH")
"""Vendor and family, as old callers name a model; the newest of the family answers."""


class LegacyAdapter:
    vendor: ClassVar[str] = ""

    def __init__(self, model_type: ModelType, working_dir: str | Path = ".") -> None:
        warnings.warn(
            f"{type(self).__name__} is deprecated and leaves with version 2.0; use {self.vendor.capitalize()}Provider"
            " or ProviderRegistry",
            DeprecationWarning,
            stacklevel=2,
        )
        self.model_type = model_type
        self.working_dir = Path(working_dir)

    async def generate(self, prompt: str, context: Mapping[str, Any] | None = None, **more: Any) -> GenerationResult:
        provider = Provider.of(self.vendor)
        return await provider.generate(model=self._model(provider), prompt=prompt, context=context, **more)

    def _model(self, provider: Provider) -> str:
        """The family's first in the catalogue's order, which begins with the newest."""
        family = self.model_type.name.lower().partition("_")[2]
        of_family = [one for one in provider.available_models if family in one.model_id.split("-")]
        if not of_family:
            raise NotFound(f"{provider.name} has no model of the family {family}", code="model_not_found")
        return min(of_family, key=lambda one: -TIERS.index(one.tier)).model_id


@cache
def adapter_class(title: str) -> type[LegacyAdapter] | None:
    """`<Vendor>Adapter` for the vendors of ModelType."""
    vendor = title.removesuffix("Adapter").lower()
    if vendor not in {one.name.partition("_")[0].lower() for one in ModelType}:
        return None
    return type(title, (LegacyAdapter,), {"vendor": vendor, "__module__": __name__})
