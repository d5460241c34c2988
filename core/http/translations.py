"""The face of translation: /api/ai/translate, with the receipt."""

import orjson

from core.answers import Answer
from core.capabilities import Capability
from core.http import options
from core.http.surfaces import Body, Face, summary
from core.types.request import Request
from core.types.translation import Translation
from core.wire.translation import request as translation


class Translations(Face):
    """The translations and their receipt in one flat object."""

    shows_receipt = True

    def decode(self, body: Body, route: str, timeout: float | None) -> Request:
        return translate_request(body, route, timeout)

    def answer(self, answer: Answer[Translation]) -> bytes:
        asked = answer.receipt.request
        given: translation.Shape = asked.context
        said = translation.answer_of(answer.value, asked.body["targets"], given)
        return orjson.dumps({**said, "characters": asked.facts.characters, **summary(answer.receipt)})


def translate_request(body: Body, route: str, timeout: float | None = None) -> Request:
    given = {name: value for name, value in body.items() if value is not None}
    chosen = options.take(given)
    given.pop("model", None)
    made, unknown = translation.translate_body(given, insists=bool(chosen.model or chosen.models or chosen.provider))
    facts = translation.translate_facts(made, unknown)
    shape = translation.shape_of(given)
    return Request(Capability.TRANSLATE, made, chosen, facts, route=route, timeout=timeout, context=shape)
