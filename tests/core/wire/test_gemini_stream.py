"""Gemini's stream as ours: pieces of any size, no end but a reason, what breaks on the way."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BrokenOff, ContentRefused, Malformed, Overloaded, StreamCut
from core.types.frame import Kind
from core.types.usage import Usage
from core.wire import sse
from core.wire.assembly import completion_of
from core.wire.gemini.answers import completion_from
from core.wire.gemini.request import request_to
from core.wire.gemini.stream import GeminiStream

SEALS = st.sampled_from(["AAAA", "BBBB", "CCCC"])
FORMAT = "google-gemini-v1"


def event(*parts, finish=None, index=0, usage=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    said = {"candidates": [candidate], "responseId": "r1", "modelVersion": "gemini-3.8-flash-001"}
    return raw({**said, **({"usageMetadata": usage} if usage else {})})


def raw(data):
    return b"data: " + json.dumps(data).encode() + b"\r\n\r\n"


def stream(**given):
    return GeminiStream(model="m", created=7, limit=10_000, keep_usage=given.pop("keep_usage", False), **given)


def chunks(frames):
    return [json.loads(sse.data_of(frame.raw.strip()) or b"") for frame in frames if frame.kind is not Kind.END]


def deltas(frames):
    return [choice["delta"] for chunk in chunks(frames) for choice in chunk["choices"]]


WHOLE = (
    event({"text": "Hm", "thought": True})
    + event({"text": ", yes", "thought": True}, usage={"promptTokenCount": 5, "totalTokenCount": 5})
    + event({"text": "Let me "})
    + event({"text": "see"}, {"functionCall": {"name": "a", "args": {"b": 1}}, "thoughtSignature": "c2ln"})
    + event({"functionCall": {"id": "own", "name": "c"}})
    + event(
        {"text": "", "thoughtSignature": "ZW5k"},
        finish="STOP",
        usage={"promptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 14},
    )
)


@pytest.mark.parametrize("size", [1, 3, 64, 10_000])
def test_pieces_of_any_size(size):
    made, frames = stream(keep_usage=True), []
    for start in range(0, len(WHOLE), size):
        frames += made.feed(WHOLE[start : start + size])
    assert made.complete and not made.ended
    frames += made.finish()
    assert made.ended and frames[-1].raw == sse.DONE
    assert made.usage == Usage("reported", 5, output=7, reasoning=2)
    assert {(chunk["id"], chunk["model"], chunk["created"]) for chunk in chunks(frames)} == {
        ("r1", "gemini-3.8-flash-001", 7)
    }
    whole = completion_of([frame.raw for frame in frames], made.usage) or b""
    (choice,) = json.loads(whole)["choices"]
    assert choice["finish_reason"] == "tool_calls"
    message = choice["message"]
    assert (message["content"], message["reasoning_content"]) == ("Let me see", "Hm, yes")
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "Hm, yes", "format": FORMAT, "index": 0},
        {
            "type": "reasoning.encrypted",
            "data": "ZW5k",
            "format": FORMAT,
            "index": 1,
            "place": [10, 2, 10],
        },
    ]
    first, second = message["tool_calls"]
    assert (first["id"], first["function"]) == ("call_r1_0", {"name": "a", "arguments": '{"b":1}'})
    assert first["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert (second["id"], second["function"]) == ("own", {"name": "c", "arguments": "{}"})
    assert json.loads(whole)["usage"]["total_tokens"] == 14


def test_choices_that_come_in_turns():
    made = stream()
    frames = made.feed(event({"text": "a"}) + event({"text": "b"}, index=1) + event(finish="STOP"))
    assert not made.complete
    frames += made.feed(event(finish="MAX_TOKENS", index=1)) + made.finish()
    said = [(one["choices"][0]["index"], one["choices"][0]) for one in chunks(frames)]
    assert [index for index, choice in said if choice["delta"].get("role")] == [0, 1]
    assert [(index, choice["finish_reason"]) for index, choice in said if choice["finish_reason"]] == [
        (0, "stop"), (1, "length"),
    ]  # fmt: skip


def test_a_choice_that_is_cut_is_not_whole_because_another_is():
    made = stream()
    made.feed(event({"text": "a"}, finish="STOP") + event({"text": "b"}, index=1))
    assert not made.complete
    with pytest.raises(StreamCut):
        made.finish()


TEXTS, THOUGHTS = st.sampled_from(["a", "bc"]), st.sampled_from(["Hm", "So"])
PIECES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"text": TEXTS}, optional={"thoughtSignature": SEALS}),
        st.fixed_dictionaries({"text": st.just(""), "thoughtSignature": SEALS}),
        st.fixed_dictionaries({"text": THOUGHTS, "thought": st.just(True)}, optional={"thoughtSignature": SEALS}),
        st.fixed_dictionaries({"functionCall": st.just({"name": "f", "args": {}}), "thoughtSignature": SEALS}),
    ),
    min_size=1,
    max_size=8,
)


@given(PIECES)
def test_a_turn_goes_back_as_it_came(parts):
    """Whole and in a stream: each signature in its part, each part in its place."""
    parts = placed(parts)
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    whole, losses = completion_from({"candidates": [candidate]}, "m", 0)
    made = stream()
    frames = made.feed(b"".join(event(part) for part in parts) + event(finish="STOP")) + made.finish()
    streamed = json.loads(completion_of([frame.raw for frame in frames], made.usage) or b"")
    for message in (whole.message, streamed["choices"][0]["message"]):
        body, lost = request_to({"messages": [{"role": "user", "content": "?"}, message]}, "gemini-3.8-flash")
        assert joined(body["contents"][1]["parts"]) == joined(parts)
        assert losses == lost == []


def placed(parts):
    """With ids, and without what has no place: a text behind a call, unless something between them has one."""
    made = []
    for number, part in enumerate(parts):
        if "functionCall" in part:
            made.append({**part, "functionCall": {**part["functionCall"], "id": f"c{number}"}})
        elif not made or "functionCall" not in made[-1] or part.keys() != {"text"}:
            made.append(part)
    return made


def joined(parts):
    """What was cut is one part."""
    made: list[Any] = []
    for part in parts:
        if made and continues(made[-1], part):
            made[-1] = {**made[-1], **part, "text": made[-1]["text"] + part["text"]}
        else:
            made.append(part)
    return made


def continues(last, part):
    if "functionCall" in last.keys() | part.keys() or "thoughtSignature" in last:
        return False
    return last.get("thought") == part.get("thought") and ("thought" in part or "thoughtSignature" not in part)


def test_what_has_no_place_in_a_stream_is_said_once():
    made = stream()
    blob = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    frames = made.feed(
        event(blob) + event(blob, {"executableCode": {"code": "1"}}) + event({"text": "a"}, finish="STOP")
    )
    assert deltas(frames)[1:] == [{"content": "a"}, {}]
    assert made.losses == [
        "candidates[0] has inlineData, which was left out", "candidates[0] has executableCode, which was left out",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}}, ContentRefused),
        ({"candidates": [{"content": {"parts": []}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}, BrokenOff),
    ],
)
def test_what_comes_to_nothing_is_counted(data, error):
    data = {**data, "usageMetadata": {"promptTokenCount": 100_000, "thoughtsTokenCount": 9}}
    made = stream()
    with pytest.raises(error):
        made.feed(raw(data))
    with pytest.raises(error) as caught:
        completion_from(data, "m", 0)
    assert made.usage == caught.value.usage == Usage("reported", 100_000, reasoning=9)


def test_a_stream_without_a_reason_is_cut():
    made = stream()
    made.feed(event({"text": "a"}))
    with pytest.raises(StreamCut):
        made.finish()


def test_what_was_said_of_a_broken_one_is_estimated():
    """Its events count the prompt from the beginning, and the answer at the end only."""
    made = stream()
    made.feed(
        event({"text": "a"}, usage={"promptTokenCount": 5}) + event({"text": "b"}, usage={"promptTokenCount": 5})
    )
    assert made.usage == Usage("estimated", 5, output=2)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}, Overloaded),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, ContentRefused),
        ({"candidates": [{"content": {"parts": []}, "finishReason": "MALFORMED_FUNCTION_CALL"}]}, BrokenOff),
        ({"candidates": [5]}, Malformed),
    ],
)
def test_what_goes_wrong_before_output_is_raised_and_after_it_follows_what_came(data, error):
    with pytest.raises(error):
        stream().feed(raw(data))
    made = stream()
    made.feed(event({"text": "a"}))
    frames = made.feed(event({"text": "b"}) + raw(data))
    assert deltas(frames) == [{"content": "b"}]
    assert made.failed
    with pytest.raises(error):
        made.feed(b"")


def test_probabilities_of_words():
    result = {"chosenCandidates": [{"token": "a", "logProbability": -0.5}]}
    made = stream()
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "logprobsResult": result}
    found = [one["choices"][0]["logprobs"] for one in chunks(made.feed(raw({"candidates": [candidate]})))]
    (logs,) = [one for one in found if one]
    assert logs["content"][0]["logprob"] == -0.5
