"""Where a request can go: one model, on one account, at one provider."""

from typing import NamedTuple


class Place(NamedTuple):
    """Somebody in a chain: an account, or all accounts of a provider."""

    provider: str
    account: str | None = None

    def covers(self, other: "Place") -> bool:
        return self.provider == other.provider and self.account in {None, other.account}

    def __str__(self) -> str:
        return self.provider if self.account in {None, "default"} else f"{self.provider}:{self.account}"


class Target(NamedTuple):
    provider: str
    account: str
    model: str

    def __str__(self) -> str:
        where = self.provider if self.account == "default" else f"{self.provider}:{self.account}"
        return f"{where}/{self.model}" if self.model else where
