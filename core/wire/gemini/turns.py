"""What a Gemini model says, thinks and calls: its parts as one message of an assistant, and back. Pure.

A signature is good in the part it came with alone. So an item of reasoning keeps the `place` of its part: how many
characters of the text and how many calls came before it, and where in the text it ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from core.wire.canonical import arguments_of, tool_call

Body = dict[str, Any]
Place = tuple[int, int, int]

FORMAT = "google-gemini-v1"
# What Google documents for calls that another model made: without a signature they would be refused.
SKIP = "skip_thought_signature_validator"


def turn_to(message: Body, said: list[Body], at: str, losses: list[str], *, signed: bool) -> list[Body]:
    """Its parts; `said` are those of its content. With `signed`, its first call is refused without a signature."""
    own = _own(message, at, losses)
    skips = signed and not any(_signature(item) for item in own)
    calls = list(_calls(message, at, losses, skips=skips))
    placed = _placed(own, said, calls)
    return _gathered(own, said, at, losses) + calls if placed is None else placed


def _own(message: Body, at: str, losses: list[str]) -> list[Body]:
    """What was thought here."""
    items = message.get("reasoning_details") or []
    own = [item for item in items if item.get("format") == FORMAT]
    others = sorted({str(item.get("format") or "unnamed") for item in items} - {FORMAT})
    if others:
        losses.append(f"{at}.reasoning_details was left out: only who made it can read {', '.join(others)}")
    elif message.get("reasoning_content") and not own and not _is_sealed(message):
        losses.append(f"{at}.reasoning_content was left out: it was thought elsewhere")
    return [item for item in own if item.get("text") or _signature(item)]


def _is_sealed(message: Body) -> bool:
    """Whether it is Google's own turn, of which its calls carry the seal."""
    extras = [call.get("extra_content") or {} for call in message.get("tool_calls") or ()]
    return any((extra.get("google") or {}).get("thought_signature") for extra in extras)


def _calls(message: Body, at: str, losses: list[str], *, skips: bool) -> Iterator[Body]:
    for number, call in enumerate(message.get("tool_calls") or ()):
        where, function = f"{at}.tool_calls[{number}]", call["function"]
        arguments = arguments_of(function, where, losses)
        part: Body = {"functionCall": {"id": call["id"], "name": function["name"], "args": arguments}}
        google = (call.get("extra_content") or {}).get("google") or {}
        if google.get("thought_signature"):
            part["thoughtSignature"] = google["thought_signature"]
        elif skips and number == 0:
            part["thoughtSignature"] = SKIP
            losses.append(f"{where} has no signature of Google's, so the thoughts behind it are lost: sent as {SKIP}")
        yield part


def _placed(items: list[Body], said: list[Body], calls: list[Body]) -> list[Body] | None:
    """All parts as they came; None where that is not known, or what is said has become less since."""
    if not items:
        return said + calls
    if not all(part.keys() == {"text"} for part in said):
        return None
    text = "".join(part["text"] for part in said)
    parts: list[Body] = []
    told = called = 0
    for item in items:
        place = _place_of(item)
        if place is None:
            return None
        start, before, end = place
        if not (told <= start <= end <= len(text) and called <= before <= len(calls)):
            return None
        parts += [*_text(text[told:start]), *calls[called:before], _part_of(item, text[start:end])]
        told, called = end, before
    return [*parts, *_text(text[told:]), *calls[called:]]


def _place_of(item: Mapping[str, Any]) -> Place | None:
    """A thought without one stood first; what was signed is in doubt."""
    place = item.get("place", None if item.get("data") else [0, 0])
    found = [one for one in place if isinstance(one, int) and one >= 0] if type(place) is list else []
    return (found[0], found[1], found[-1] if len(found) == 3 else found[0]) if 1 < len(found) < 4 else None


def _part_of(item: Body, text: str) -> Body:
    signature = {"thoughtSignature": found} if (found := _signature(item)) else {}
    return {"text": text, **signature} if item.get("data") else {**_thought(item), **signature}


def _gathered(items: list[Body], said: list[Body], at: str, losses: list[str]) -> list[Body]:
    """Without their places: thoughts first, and what was signed last is what is said."""
    parts = [_part_of(item, "") for item in items if not item.get("data")]
    closing = [item["data"] for item in items if item.get("data")]
    if len(closing) > 1 or any("place" in item for item in items):
        losses.append(f"{at}.reasoning_details: what was signed is not as it was, or not where")
    parts += [{"text": "", "thoughtSignature": one} for one in (closing[:-1] if said else closing)]
    if said and closing:
        said = [*said[:-1], {**said[-1], "thoughtSignature": closing[-1]}]
    return parts + said


def _signature(item: Mapping[str, Any]) -> Any:
    return item.get("data") or item.get("signature")


def _thought(item: Mapping[str, Any]) -> Body:
    return {"text": item.get("text") or "", "thought": True}


def _text(text: str) -> list[Body]:
    return [{"text": text}] if text else []


def message_from(parts: Iterable[Body], prefix: str, losses: list[str], at: str) -> Body:
    """What a model said, thought and called, as a message of the assistant; `prefix` begins the ids of calls."""
    text = thought = ""
    details: list[Body] = []
    calls: list[Body] = []
    for part in parts:
        signature, words = part.get("thoughtSignature"), part.get("text") or ""
        if "functionCall" in part:
            calls.append(call_from(part, f"{prefix}_{len(calls)}"))
        elif part.get("thought"):
            thought += words
            place = (len(text), len(calls), len(text))
            details.append(thought_from(words, len(details), signature, place))
        elif is_text(part):
            if signature:
                place = (len(text), len(calls), len(text) + len(words))
                details.append(signature_from(signature, len(details), place))
            text += words
        else:
            losses.append(left_out(part, at))
    return {
        "content": text if text or not calls else None,
        **({"reasoning_content": thought} if thought else {}),
        **({"reasoning_details": details} if details else {}),
        **({"tool_calls": calls} if calls else {}),
    }


def is_text(part: Mapping[str, Any]) -> bool:
    """Also without a word, as the one that closes a stream with a signature."""
    return "text" in part or not part.keys() - {"thoughtSignature"}


def left_out(part: Mapping[str, Any], at: str) -> str:
    return f"{at} has {', '.join(sorted(part))}, which was left out"


def thought_from(text: str, index: int, signature: str | None, place: Place) -> Body:
    placed = {"place": list(place)} if any(place) else {}
    item = {"type": "reasoning.text", "text": text, "format": FORMAT, "index": index, **placed}
    return {**item, "signature": signature} if signature else item


def signature_from(signature: str, index: int, place: Place) -> Body:
    return {"type": "reasoning.encrypted", "data": signature, "format": FORMAT, "index": index, "place": list(place)}


def call_from(part: Body, ident: str) -> Body:
    call = part["functionCall"]
    made = tool_call(call.get("id") or ident, call.get("name") or "", call.get("args") or {})
    if part.get("thoughtSignature"):
        made["extra_content"] = {"google": {"thought_signature": part["thoughtSignature"]}}
    return made
