"""Configuration files as a function is packed with them: JSON, because nothing there reads YAML."""

import json
import sys
from pathlib import Path

from core.config import yamlfile

_EXAMPLE = "patchbay.example.yaml"


def ship(source: Path, target: Path) -> list[Path]:
    """Write patchbay.json and those of environments; references in them are resolved where they are read."""
    made = []
    for path in sorted(source.glob("patchbay*.yaml")):
        if path.name != _EXAMPLE:
            made.append(target / path.with_suffix(".json").name)
            made[-1].write_text(json.dumps(yamlfile.parse(path.name, path.read_bytes()) or {}))
    return made


if __name__ == "__main__":
    ship(Path(), Path(sys.argv[1]))
