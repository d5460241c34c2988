"""Where a request can go: one model, on one account, at one provider."""

from typing import NamedTuple


class Place(NamedTuple):
    """Somebody in a chain: an account, or all accounts of a provider."""

    provider: str
    account: str | None = None

    def covers(self, other: "Place") -> bool:
        return self.provider == other.provider and self.account in {None, other.account}

    def __str__(self) -> str:
        if self.account is None or self.account == "default":
            return self.provider
        # As it may be written: an account's name alone where it says whose it is.
        return self.account if self.account.startswith(f"{self.provider}-") else f"{self.provider}:{self.account}"


class Target(NamedTuple):
    provider: str
    account: str
    model: str

    @property
    def place(self) -> Place:
        return Place(self.provider, self.account)

    def __str__(self) -> str:
        where = self.provider if self.account == "default" else f"{self.provider}:{self.account}"
        return f"{where}/{self.model}" if self.model else where
