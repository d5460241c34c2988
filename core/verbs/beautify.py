"""Beautifying: a text made readable, and nothing added to it."""

from typing import NamedTuple

from core.answers import Answer
from core.errors import NotYet
from core.steps import Steps
from core.types.caller import Caller
from core.types.request import Request


class Beautified(NamedTuple):
    text: str
    summary: str | None = None
    action_items: tuple[str, ...] = ()


class Beautify:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Beautified]:  # noqa: ARG002 - until it is built
        raise NotYet("beautify is being built", param="capability", code="no_beautify")
