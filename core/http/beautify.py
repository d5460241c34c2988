"""The face of beautifying: a text or a transcript in, the same cleaned with its receipt out."""

import orjson

from core.answers import Answer
from core.capabilities import Capability
from core.http import options
from core.http.surfaces import Body, Face, summary
from core.types.request import Request
from core.wire.beautify.parts import Beautified, beautify_facts, read_asked

PURPOSE = "beautify"
_DEFAULTS = (("temperature", 0),)


class BeautifyFace(Face):
    """/api/ai/beautify: what was asked for and its receipt in one flat object."""

    shows_receipt = True

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return beautify_request(body, route, timeout)

    def answer(self, answer: Answer[Beautified]) -> bytes:
        made = {name: value for name, value in answer.value._asdict().items() if value is not None}
        return orjson.dumps({**made, **summary(answer.receipt)})


def beautify_request(body: Body, route: str, timeout: float | None = None) -> Request:
    body = {name: value for name, value in body.items() if value is not None}
    chosen = options.take(body)
    asked = read_asked(body)
    facts = beautify_facts(body, asked)
    return Request(
        Capability.CHAT, body, chosen, facts, route=route, timeout=timeout, defaults=_DEFAULTS, purpose=PURPOSE,
        context=asked,
    )  # fmt: skip
