"""A conversation with tools and images that its first provider drops in the middle, for every ordered pair."""

import json
import re
from itertools import permutations
from typing import Any

import pytest

from core.capabilities import Feature
from core.providers.row import Row
from core.types.usage import Usage
from core.wire.assembly import completion_of
from core.wire.sse import event
from tests.contract.cases import OPENAI, Mode
from tests.contract.cells import PNG, WEATHER, chatting, image, model_with, text, user
from tests.contract.talk import Heard, ask
from tests.harness import Server

PAIRS = list(permutations(chatting(), 2))
RESULT = "22 degrees and clear"
PICTURE = PNG.partition(",")[2][:48].encode()  # as every dialect that takes bytes carries it
REASON = re.compile("reasoning|thought|thinking|signature", re.IGNORECASE)


class Conversation:
    """What both of two providers can do, said turn by turn to whoever answers of them."""

    def __init__(self, gateway: Server, first: Row, second: Row, mode: Mode) -> None:
        able = [
            both for both in (Feature.TOOLS, Feature.VISION) if all(model_with(one, both) for one in (first, second))
        ]
        if len(able) == 2 and not all(model_with(one, *able) for one in (first, second)):
            able = [Feature.TOOLS]  # one of them has no model with both
        self.features = frozenset(able)
        self.messages: list[dict[str, Any]] = []
        self._names = [f"{one.name}/{model_with(one, *able)}" for one in (first, second)]
        self._gateway = gateway
        self._mode = mode

    def say(self, words: str) -> Heard:
        """With a picture where both can see."""
        self.messages.append(user(text(words), image()) if Feature.VISION in self.features else user(words))
        return self._ask()

    def tell(self, result: str) -> Heard:
        """What the tools found that the latest answer called."""
        for call in self.messages[-1]["tool_calls"]:
            self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        return self._ask()

    def _ask(self) -> Heard:
        tools: dict[str, Any] = {"tools": [WEATHER]} if Feature.TOOLS in self.features else {}
        thinking: dict[str, Any] = {"reasoning_effort": "low"}  # so that who can think has something to keep
        answer = ask(
            self._gateway, OPENAI, self._mode, models=self._names, messages=self.messages, **tools, **thinking
        )
        assert answer.status == 200, answer.body
        assert answer.errors == []
        self.messages.append(self._message(answer))
        return answer

    def _message(self, answer: Heard) -> dict[str, Any]:
        """As a client keeps it: all of it."""
        body = answer.body
        if answer.events:
            whole = completion_of([event(json.dumps(one).encode()) for one in answer.events], Usage())
            assert whole is not None
            body = json.loads(whole)
        found: dict[str, Any] = body["choices"][0]["message"]
        return found

    @property
    def seals(self) -> list[str]:
        """What the latest answer's maker alone can read, and wants back unchanged."""
        items = self.last.get("reasoning_details") or ()
        calls = [call.get("extra_content", {}).get("google", {}) for call in self.last.get("tool_calls") or ()]
        return [one[name] for one in (*items, *calls) for name in ("signature", "thought_signature") if one.get(name)]

    @property
    def last(self) -> dict[str, Any]:
        return self.messages[-1]


def who(answer: Heard) -> str:
    return answer.headers["x-patchbay-provider"]


def received(gateway: Server, name: str) -> bytes:
    """What a provider was asked last."""
    found: bytes = next(one.body for one in reversed(gateway.fleet.requests(name)) if one.method == "POST")
    return found


@pytest.mark.parametrize("mode", ["plain", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda row: row.name)
def test_a_conversation_goes_on_at_another_provider_and_back(gateways, first, second, mode):
    gateway = gateways("everybody")
    talk = Conversation(gateway, first, second, mode)
    tools, sees = (one in talk.features for one in (Feature.TOOLS, Feature.VISION))

    answer = talk.say("Look at this and use get_weather" if tools else "Look at this")
    assert who(answer) == first.name
    assert (PICTURE in received(gateway, first.name)) == sees
    seals = talk.seals
    if tools:
        (call,) = talk.last["tool_calls"]
        assert call["id"]
        assert call["function"]["name"] == "get_weather"

    # In the middle of it: the first one is down, and the other one must understand all that was said.
    gateway.fault(first.name, "500")
    answer = talk.tell(RESULT) if tools else talk.say("And again")
    assert who(answer) == second.name
    assert answer.headers["x-patchbay-attempts"] == "2"
    assert (RESULT if tools else "And again") in talk.last["content"]
    asked = received(gateway, second.name)
    assert (PICTURE in asked) == sees
    assert not tools or (RESULT.encode() in asked and b"get_weather" in asked)
    if seals:
        assert not any(seal.encode() in asked for seal in seals)
        assert any(REASON.search(one) for one in gateway.receipt(answer.decision)["warnings"])

    # And back, with another's words in the history: a whole turn with a tool at the first one.
    gateway.clear()
    answer = talk.say("And tomorrow, with get_weather?" if tools else "Once more")
    assert who(answer) == first.name
    asked = received(gateway, first.name)
    assert asked.count(PICTURE) == (0 if not sees else 2 if tools else 3)
    assert all(seal.encode() in asked for seal in seals)
    if tools:
        assert talk.last["tool_calls"]
        answer = talk.tell(RESULT)
        assert who(answer) == first.name
        assert RESULT in talk.last["content"]
    assert answer.headers["x-patchbay-attempts"] == "1"


def test_some_have_something_to_keep(gateways):
    """Or the test above would prove nothing of it."""
    gateway = gateways("everybody")
    keeping = set()
    for row in chatting():
        talk = Conversation(gateway, row, row, "plain")
        if Feature.TOOLS in talk.features:
            talk.say("Use get_weather")
            keeping |= {row.name} if talk.seals else set()
    assert keeping >= {"anthropic", "gemini"}
