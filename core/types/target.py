"""Where a request can go: one model, on one account, at one provider."""

from typing import NamedTuple


class Target(NamedTuple):
    provider: str
    account: str
    model: str

    def __str__(self) -> str:
        where = self.provider if self.account == "default" else f"{self.provider}:{self.account}"
        return f"{where}/{self.model}"
