"""Transcription: what was said, and by whom."""

from core.answers import Answer, LiveAnswer
from core.errors import NotYet
from core.steps import Steps
from core.types.audio import Transcript
from core.types.caller import Caller
from core.types.request import Request


class Transcribe:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def answer(self, caller: Caller, request: Request) -> Answer[Transcript]:  # noqa: ARG002 - until it is built
        raise NotYet("transcribe is being built", param="capability", code="no_transcribe")

    async def stream(self, caller: Caller, request: Request) -> LiveAnswer:  # noqa: ARG002 - until it is built
        raise NotYet("transcribe is being built", param="capability", code="no_transcribe")
