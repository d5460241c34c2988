"""Who is asking."""

from dataclasses import dataclass

ALL_SCOPES = frozenset({"generate", "read", "operate", "admin"})


@dataclass(frozen=True, slots=True)
class Caller:
    org: str
    project: str
    key: str
    scopes: frozenset[str]


# Loopback development without a gateway key.
LOCAL = Caller(org="local", project="default", key="loopback", scopes=ALL_SCOPES)
