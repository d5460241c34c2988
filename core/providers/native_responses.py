"""A request for a response, as its caller sent it, to a provider that has the Responses API."""

from collections.abc import Mapping
from typing import Any

from core.errors import TargetError
from core.net.transport import Incoming
from core.providers.api import Api, checked
from core.providers.contract import Call, Reply, lost
from core.providers.frames import Frames
from core.types.request import Native
from core.wire.openai import Completion
from core.wire.responses.answers import read_response
from core.wire.responses.request import request_to
from core.wire.responses.stream import ResponsesStream

PATH = "/responses"


def body_for(call: Call, native: Native) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What is sent, and what of it had to stay behind."""
    body, losses = request_to(native.body, call.body)
    return {**body, "model": call.target.model}, checked(losses, call)


async def whole(api: Api, answer: Incoming, call: Call, warnings: tuple[str, ...]) -> Reply[Completion]:
    try:
        completion = read_response(await answer.read(call.max_bytes), api.secrets)
    except TargetError as error:
        api.tell(error, answer)
        raise
    finally:
        answer.close()
    warnings += lost(completion.losses, call.target, strict=False)
    return Reply(completion, completion.usage, api.said(answer.request_id), warnings)


def streamed(api: Api, answer: Incoming, call: Call, native: Native, warnings: tuple[str, ...]) -> Frames:
    api.must_stream(answer)
    reader = ResponsesStream(limit=call.max_bytes, secrets=api.secrets)
    return Frames(answer, reader, api.said(answer.request_id), warnings, native.dialect)
