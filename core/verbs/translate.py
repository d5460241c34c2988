"""Translation: a text in other languages."""

from core.answers import Answer
from core.errors import NotYet
from core.steps import Steps
from core.types.caller import Caller
from core.types.request import Request
from core.types.translation import Translation


class Translate:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Translation]:  # noqa: ARG002 - until it is built
        raise NotYet("translate is being built", param="capability", code="no_translate")
