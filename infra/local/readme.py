"""Tables of README.md, made from rows: `python -m infra.local.readme` writes them, a test compares."""

import re
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

from core.capabilities import Capability, Feature
from core.config.catalog import Catalog, load
from core.config.examples import shown
from core.config.settings import SETTINGS, Settings
from core.http.beautify import PURPOSE
from core.providers.row import Row
from core.providers.table import TABLE
from core.wire.structured import means_of

README = Path(__file__).parents[2] / "README.md"
_BLOCK = r"(<!-- {name}:.*?-->\n).*?(<!-- end -->)"
_FEATURES = {"tools": Feature.TOOLS, "vision": Feature.VISION}
_MEANS = {"native": "yes", "json_mode": "by JSON mode", "tool": "by a function call", None: ""}
_CAPABILITIES = {"chat": Capability.CHAT, "embeddings": Capability.EMBED, "reranking": Capability.RERANK}

_SOUND = {
    "transcription": Capability.TRANSCRIBE,
    "who spoke": Capability.DIARIZE,
    "speech": Capability.SPEAK,
    "translation": Capability.TRANSLATE,
}


def provider_table(rows: Iterable[Row] = TABLE) -> str:
    """Who can do what, what turns it on, and which models answer where none is named."""
    head = ["provider", "chat", *_FEATURES, "JSON schema", "embeddings", "reranking", "set", "default models"]
    return _table(head, [_cells(row) for row in rows])


def sound_table(rows: Iterable[Row] = TABLE) -> str:
    """Who hears, speaks and translates, and with which models where none is named."""
    lines = []
    for row in rows:
        if row.capabilities.isdisjoint(_SOUND.values()):
            continue
        models = [row.default_models[one] for one in _SOUND.values() if one in row.default_models]
        can = [_mark(one in row.capabilities) for one in _SOUND.values()]
        lines.append([f"`{row.name}` {row.title}", *can, ", ".join(models)])
    return _table(["provider", *_SOUND, "default models"], lines)


def settings_table() -> str:
    """Every setting by its names, with its default."""
    offered = {capability.value for row in TABLE for capability in row.capabilities} | {PURPOSE}
    rows = [
        [
            " or ".join(f"`{name}`" for name in row.env),
            f"`{row.keys[0]}`" if row.keys else "",
            shown(getattr(Settings(), row.name)),
            row.doc if row.capability is None or row.capability in offered else f"{row.doc}; *later*",
        ]
        for row in SETTINGS
    ]
    return _table(["name", "key in patchbay.yaml", "default", "meaning"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *rows])


def _cells(row: Row) -> list[str]:
    chat, *others = (_mark(one in row.capabilities) for one in _CAPABILITIES.values())
    able = _features(row)
    features = [_mark(one in able) for one in _FEATURES.values()]
    means = means_of({Feature.JSON_SCHEMA}, able, as_object=True)
    return [f"`{row.name}` {row.title}", chat, *features, _MEANS[means], *others, _set(row), _models(row)]


def _features(row: Row) -> frozenset[Feature]:
    """What some model of it has, by the catalogue, or by the row where that knows none."""
    models = [one for one in _catalog().models if one.provider == row.name and one.capability == Capability.CHAT]
    return row.features.union(*(one.features for one in models if one.lifecycle == "active"))


@cache
def _catalog() -> Catalog:
    return load()


def _mark(has: bool) -> str:  # noqa: FBT001 - it is what the function renders
    return "yes" if has else ""


def _set(row: Row) -> str:
    names = row.declared().names
    needed = " and ".join(f"`{names[name][0]}`" for name in row.needs)
    return f"found when it runs here, or {needed}" if row.detect else needed


def _models(row: Row) -> str:
    """Where the row has none, the setting that gives one."""
    if row.detect:
        return "the first it lists"
    names = row.declared().names
    fields = {Capability.CHAT: "model", Capability.EMBED: "embedding_model", Capability.RERANK: "models.rerank"}
    asked = [one for one in _CAPABILITIES.values() if one in row.capabilities]
    return ", ".join(row.default_models.get(one) or f"`{names[fields[one]][0]}`" for one in asked)


def rewritten(text: str) -> str:
    for name, made in (
        ("providers", provider_table()),
        ("sound", sound_table()),
        ("settings", settings_table()),
    ):
        text = re.sub(_BLOCK.format(name=name), partial(_within, made), text, flags=re.DOTALL)
    return text


def _within(made: str, found: re.Match[str]) -> str:
    return found[1] + made + found[2]


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text()))
