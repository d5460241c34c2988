"""One thing the doctor found."""

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    state: Literal["ok", "warn", "fail"]
    said: str
    fix: str | None = None

    def row(self) -> dict[str, Any]:
        return asdict(self)
