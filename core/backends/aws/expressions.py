"""Conditions and changes in DynamoDB's expression language; every name is an alias, as many words are reserved."""

from typing import Any

from core.backends.aws.values import Typed, encode
from core.backends.ports import Change, When


class Expression:
    """Collects names and values of one call. DynamoDB refuses those that are not used, so ask only for what is."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._names: dict[str, str] = {}
        self._values: dict[str, Typed] = {}

    def when(self, when: When, *, alive: bool = False) -> str:
        """What is over but not yet swept counts as nothing. `alive`: fail on it, whatever else holds."""
        parts = []
        if when.exists is not None:
            there = f"attribute_exists({self._name('pk')})"
            parts.append(there if when.exists else f"(NOT {there} OR {self._over()})")
        for name, value in when.equals.items():
            if value is None:
                it = self._name(name)
                parts.append(f"(attribute_not_exists({it}) OR {it} = {self._value(None)} OR {self._over()})")
            else:
                parts.append(f"{self._name(name)} = {self._value(value)}")
        parts += [f"{self._name(name)} >= {self._value(value)}" for name, value in when.at_least.items()]
        parts += [f"{self._name(name)} < {self._value(value)}" for name, value in when.below.items()]
        if alive or (parts and not when.holds(None)):
            parts.append(f"NOT ({self._over()})")
        return " AND ".join(parts)

    def change(self, change: Change) -> str:
        """A name that is both set and added to is set to the sum."""
        both = {name: change.set[name] + amount for name, amount in change.add.items() if name in change.set}
        sets = [f"{self._name(name)} = {self._value(value)}" for name, value in {**change.set, **both}.items()]
        adds = [f"{self._name(name)} {self._value(value)}" for name, value in change.add.items() if name not in both]
        return " ".join([*(["SET " + ", ".join(sets)] if sets else []), *(["ADD " + ", ".join(adds)] if adds else [])])

    def arguments(self, **expressions: str) -> dict[str, Any]:
        """The arguments of the call; expressions that say nothing are left out."""
        said: dict[str, Any] = {name: text for name, text in expressions.items() if text}
        if self._names:
            said["ExpressionAttributeNames"] = self._names
        if self._values:
            said["ExpressionAttributeValues"] = self._values
        return said

    def _over(self) -> str:
        return f"{self._name('exp')} <= {self._value(self._now)}"

    def _name(self, name: str) -> str:
        alias = next((one for one, known in self._names.items() if known == name), f"#n{len(self._names)}")
        self._names[alias] = name
        return alias

    def _value(self, value: Any) -> str:
        alias = f":v{len(self._values)}"
        self._values[alias] = encode(value)
        return alias
