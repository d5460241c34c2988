"""Looks a name up through the layers and says where it was found. A file's value may hold ${NAME}s of others."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from core.config import masking
from core.config.files import LIST, YES_OR_NO, Written
from core.config.kinds import FLAG, SECRET, URL, Kind, Misfit
from core.errors import Misconfigured

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{")


class Origin(NamedTuple):
    """Where a value came from."""

    layer: str
    name: str
    in_file: bool = False
    secret: bool = False  # lay among secrets, so that no text of it is told
    variable: str | None = None  # what a file's value refers to

    def __str__(self) -> str:
        return f"{self.layer}: {self.name}" if self.in_file else f"{self.name} ({self.layer})"


class Layer(NamedTuple):
    label: str
    values: Mapping[str, str]
    # Of a file, which is searched by keys: how it spells those that have several spellings.
    spelled: Mapping[str, str] | None = None
    secret: bool = False


class Found(NamedTuple):
    value: Any
    origin: Origin


class Unset(Misconfigured):
    """A file names a variable that no layer has."""


def named(label: str, values: Mapping[str, str], *, secret: bool = False) -> Layer:
    """A layer of environment names; one in small letters counts where the one in capitals is not set."""
    small = {name.upper(): value for name, value in values.items() if name.islower()}
    return Layer(label, {**small, **{name: value for name, value in values.items() if value.strip()}}, secret=secret)


class Layers:
    def __init__(self, *layers: Layer) -> None:
        self._layers = list(layers)

    def add(self, layer: Layer) -> None:
        """Below those that are there."""
        self._layers.append(layer)

    def find(self, names: Iterable[str], kind: Kind) -> Any | None:
        found = self.look(names, kind)
        return None if found is None else found.value

    def look(self, names: Iterable[str], kind: Kind) -> Found | None:
        """The value of the highest layer that has one of the names; empty is as good as absent."""
        for layer in self._layers:
            for name in names:
                given = layer.values.get(name) or ""
                text = given.strip()
                if not text:
                    continue
                origin = Origin(layer.label, name, secret=layer.secret)
                if layer.spelled is not None:
                    reference = _REFERENCE.search(text)
                    origin = Origin(
                        layer.label, layer.spelled.get(name, name), in_file=True, variable=reference and reference[1]
                    )
                    _check_form(given, kind, origin)
                whole = self.expand(text, origin).strip() if origin.in_file else text
                if whole:
                    return Found(_parse(whole, text, kind, origin), origin)
        return None

    def expand(self, text: str, origin: Origin) -> str:
        """Its ${NAME} and ${NAME:-default} from the layers of environment names."""
        if "${" not in text:
            return text

        def value(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            if match[1] is None:
                raise Misconfigured(
                    f"{origin}: a reference is ${{NAME}} or ${{NAME:-default}}; a plain ${{ is written $${{",
                    param=origin.name,
                )
            found = self._variable(match[1])
            if found is None and match[2] is None:
                raise Unset(
                    f"{origin}: {match[1]} is not set; set it, or write ${{{match[1]}:-}} where it may be empty",
                    param=origin.name,
                )
            return match[2] if found is None else found

        return _REFERENCE.sub(value, text)

    def _variable(self, name: str) -> str | None:
        for layer in self._layers:
            if layer.spelled is None and (text := (layer.values.get(name) or "").strip()):
                return text
        return None


def _parse(whole: str, written: str, kind: Kind, origin: Origin) -> Any:
    """The value; a misfit is shown as it was written, because what a reference stands for may be a secret."""
    try:
        return kind.parse(whole)
    except Misfit as error:
        words = f"{origin}: expected {kind.expects}; {error}"
    except (ValueError, KeyError):
        hidden = kind in {SECRET, URL} or origin.secret
        words = f"{origin}: expected {kind.expects}, got {masking.HIDDEN if hidden else masking.quoted(written)}"
    raise Misconfigured(words, param=origin.name)


def _check_form(given: str, kind: Kind, origin: Origin) -> None:
    """A list joined to a text, or a yes that became one, would be believed for long."""
    form = given.form if isinstance(given, Written) else None
    if form is None or (form == LIST and kind.many) or (form in YES_OR_NO and kind is FLAG):
        return
    hint = ""
    if form == LIST and kind is SECRET and origin.name.startswith("providers"):
        hint = "; several keys are several accounts: accounts: {first: {api_key: ...}, second: {api_key: ...}}"
    raise Misconfigured(f"{origin}: expected {kind.expects}, got {form}{hint}", param=origin.name)
