"""Speech: text said by a voice."""

from core.answers import LiveAnswer
from core.errors import NotYet
from core.steps import Steps
from core.types.caller import Caller
from core.types.request import Request


class Speak:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def stream(self, caller: Caller, request: Request) -> LiveAnswer:  # noqa: ARG002 - until it is built
        raise NotYet("speak is being built", param="capability", code="no_speak")
