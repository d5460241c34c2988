"""YAML for configuration: safe, without duplicate keys, and a text stays the text that was written."""

import re
from collections.abc import Hashable
from typing import Any

import yaml

from core.errors import Misconfigured

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc] # chosen at run time
    """Only true, false, null and whole numbers are more than text: no 1.10 that becomes 1.1, no dates, no octals."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own form

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[Any] = set()
        for key, _ in node.value:
            name = getattr(key, "value", None)
            if key.tag != _MERGE and isinstance(name, str):
                if name in seen:
                    raise _Twice(None, None, f"{name} is there twice", key.start_mark)
                seen.add(name)
                key.tag = "tag:yaml.org,2002:str"  # who is called `off` or `1` is called so
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made


class _Twice(yaml.constructor.ConstructorError):  # type: ignore[misc] # PyYAML has no types
    """A key that is there already."""


_MERGE = "tag:yaml.org,2002:merge"
for tag, pattern, first in (
    ("bool", r"^(?:true|false|yes|no|on|off)$", "tTfFyYnNoO"),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("null", r"^(?:~|null|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern, re.IGNORECASE), list(first))


def parse(label: str, raw: bytes) -> Any:
    try:
        return yaml.load(raw, _Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}, column {mark.column + 1}:" if mark else ""
        problem = str(getattr(error, "problem", None) or "it is not YAML")
        if not isinstance(error, _Twice):
            problem = re.sub(r"'[^']{2,}'|\"[^\"]{2,}\"", "...", problem)  # it may quote a value, which may be secret
        raise Misconfigured(f"{label}:{where} {problem}") from None
    except RecursionError:
        raise Misconfigured(f"{label}: it is nested too deeply") from None
