"""Azure Speech in words of ours: what recognisers are told, and what they have heard. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from core.errors import Malformed
from core.types.audio import Audio, Segment, Transcript, Word
from core.wire.sound.recognisers import NOBODY, joined, left_out, timed

TICKS = 10_000_000  # in a second
_MOST_SPEAKERS = 36
_SPEAKERS = frozenset({"max_speakers", "channels"})
_KNOWN = _SPEAKERS | {"language", "languages", "vocabulary", "profanity", "single_utterance"}
# What it is told to do with swearing. Nobody else masks it by default, so a fallback must not change words.
PROFANITY = {"raw": "None", "masked": "Masked", "removed": "Removed", "tags": "Tags"}
_PLAIN = {"none": "raw"}
# Among these a language is looked for where nobody named any; in a single utterance among the first four.
GUESSES = ("en-US", "es-ES", "fr-FR", "de-DE", "it-IT", "pt-BR", "hi-IN", "zh-CN", "ja-JP", "ru-RU")
_MOST_AT_START, _MOST_GUESSES = 4, 10
# Where a language is spoken, if nobody says.
_LOCALES = {
    one.partition("-")[0]: one
    for one in (
        "af-ZA", "am-ET", "ar-EG", "az-AZ", "bg-BG", "bn-IN", "bs-BA", "ca-ES", "cs-CZ", "cy-GB", "da-DK", "de-DE",
        "el-GR", "en-US", "es-ES", "et-EE", "eu-ES", "fa-IR", "fi-FI", "fil-PH", "fr-FR", "ga-IE", "gl-ES", "gu-IN",
        "he-IL", "hi-IN", "hr-HR", "hu-HU", "hy-AM", "id-ID", "is-IS", "it-IT", "ja-JP", "jv-ID", "ka-GE", "kk-KZ",
        "km-KH", "kn-IN", "ko-KR", "lo-LA", "lt-LT", "lv-LV", "mk-MK", "ml-IN", "mn-MN", "mr-IN", "ms-MY", "mt-MT",
        "my-MM", "nb-NO", "ne-NP", "nl-NL", "pa-IN", "pl-PL", "ps-AF", "pt-BR", "ro-RO", "ru-RU", "si-LK", "sk-SK",
        "sl-SI", "so-SO", "sq-AL", "sr-RS", "sv-SE", "sw-KE", "ta-IN", "te-IN", "th-TH", "tr-TR", "uk-UA", "ur-IN",
        "uz-UZ", "vi-VN", "wuu-CN", "yue-CN", "zh-CN", "zu-ZA",
    )
} | {"no": "nb-NO", "tl": "fil-PH", "iw": "he-IL", "jw": "jv-ID"}  # fmt: skip


class Live(NamedTuple):
    """What a live recogniser is told."""

    locales: tuple[str, ...]  # several: it finds out which is spoken
    phrases: tuple[str, ...]
    profanity: str  # of PROFANITY
    diarize: bool
    once: bool  # up to the first pause


def locale_of(language: str) -> str:
    """A language with a country: en-US for en."""
    return _LOCALES.get(language.lower(), language)


def definition(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a fast transcription is told, and what it is not."""
    losses = left_out(body, _KNOWN - {"single_utterance"})
    made: dict[str, Any] = {"profanityFilterMode": PROFANITY[_profanity(body)]}
    if locales := _locales(body):
        made["locales"] = locales  # without any it finds out by itself, of all that it knows
    if body.get("diarize"):
        made["diarization"] = {"enabled": True}
        if most := body.get("max_speakers"):
            made["diarization"]["maxSpeakers"] = min(max(most, 2), _MOST_SPEAKERS)
        if body.get("channels"):
            losses.append("channels was left out: it is not told together with diarization")
    elif body.get("channels"):
        made["channels"] = [0, 1]
    if phrases := body.get("vocabulary"):
        made["phraseList"] = {"phrases": list(phrases)}
    return made, losses


def live_of(body: Mapping[str, Any]) -> tuple[Live, list[str], tuple[str, ...]]:
    """What a live recogniser is told, what it is not, and of what else the caller should know."""
    losses = left_out(body, _KNOWN - _SPEAKERS)
    profanity = _profanity(body)
    if profanity == "tags":
        losses.append("profanity was masked: tags are not for live recognition")
        profanity = "masked"
    once = bool(body.get("single_utterance"))
    most = _MOST_AT_START if once else _MOST_GUESSES
    named = _locales(body)
    locales = tuple(named or GUESSES)[:most]
    if len(named) > most:
        losses.append(f"languages after the first {most} were left out: so many can be told apart")
    told = () if named else (f"no language was named: it was looked for among {', '.join(locales)}",)
    return Live(locales, tuple(body.get("vocabulary") or ()), profanity, bool(body.get("diarize")), once), losses, told


def transcript_from(found: Any, body: Mapping[str, Any]) -> Transcript:
    """The answer of a fast transcription."""
    phrases = found.get("phrases") if type(found) is dict else None
    if type(phrases) is not list:
        raise Malformed("the answer has no phrases")
    segments = [_segment(one) for one in phrases]
    whole = found.get("combinedPhrases")
    texts = [one.get("text") for one in whole if type(one) is dict] if type(whole) is list else []
    text = texts[0] if len(texts) == 1 and type(texts[0]) is str else None
    return transcript_of(sorted(segments, key=lambda one: one.start), body, text)


def transcript_of(found: Iterable[Segment], body: Mapping[str, Any], text: str | None = None) -> Transcript:
    """Phrases as one transcript of the audio that was sent."""
    audio: Audio = body["audio"]
    found, told = tuple(found), list[str]()
    segments, words = timed(found, (), body, told)
    whole = (joined(one.text for one in found) if text is None else text).strip()
    return Transcript(
        text=whole,
        language=_language(found),
        duration=audio.ms / 1000,
        segments=segments,
        words=words,
        confidence=_confidence(segments),
        reason=None if whole else NOBODY,
        told=tuple(told),
    )


def phrase_from(said: Any, locale: str | None = None) -> Segment | None:
    """A phrase of a live recogniser, as it came; None for one that says that there was nothing."""
    if type(said) is not dict:
        raise Malformed("a phrase is no object")
    best = said.get("NBest")
    first = best[0] if type(best) is list and best and type(best[0]) is dict else {}
    text = said.get("DisplayText") or first.get("Display") or ""
    if said.get("RecognitionStatus") != "Success" or type(text) is not str or not text.strip():
        return None
    start, length = seconds(said.get("Offset")), seconds(said.get("Duration"))
    language = said.get("PrimaryLanguage")
    speaker, sure = speaker_of(said.get("SpeakerId")), _share(first.get("Confidence"))
    return Segment(
        text=text.strip(),
        start=start,
        end=round(start + length, 4),
        speaker=speaker,
        confidence=sure,
        words=_live_words(first.get("Words"), text.split(), speaker),
        language=(language.get("Language") if type(language) is dict else None) or locale,
    )


def seconds(ticks: Any) -> float:
    """Of hundreds of nanoseconds."""
    if isinstance(ticks, bool) or not isinstance(ticks, int | float) or ticks < 0:
        raise Malformed("a time in the answer is no number")
    return round(ticks / TICKS, 4)


def speaker_of(said: Any) -> str | None:
    """The same name by either way: 1, and Guest-1."""
    if isinstance(said, int) and not isinstance(said, bool):
        return f"speaker_{said}"
    if type(said) is not str or said in {"", "Unknown"}:
        return None
    return f"speaker_{said.removeprefix('Guest-')}"


def _segment(said: Any) -> Segment:
    if type(said) is not dict or type(said.get("text")) is not str:
        raise Malformed("a phrase of the answer has no text")
    start, end = _until(said)
    speaker = speaker_of(said.get("speaker"))
    if speaker is None and type(said.get("channel")) is int:
        speaker = f"channel_{said['channel']}"
    spoken = said.get("words")
    words = tuple(
        Word(str(one["text"]), *_until(one), speaker=speaker)
        for one in (spoken if type(spoken) is list else ())
        if type(one) is dict and "text" in one
    )
    return Segment(
        said["text"].strip(), start, end, speaker, _share(said.get("confidence")), words, said.get("locale")
    )


def _until(said: Mapping[str, Any]) -> tuple[float, float]:
    """When it begins and ends."""
    at, length = _of_ms(said, "offsetMilliseconds"), _of_ms(said, "durationMilliseconds")
    return at, round(at + length, 3)


def _of_ms(said: Mapping[str, Any], name: str) -> float:
    value = said.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise Malformed(f"{name} in the answer is no number")
    return value / 1000


def _live_words(said: Any, shown: list[str], speaker: str | None) -> tuple[Word, ...]:
    """They come as they were said, in small letters and without marks: where as many are shown, those are meant."""
    found = [one for one in said if type(one) is dict and "Word" in one] if type(said) is list else []
    texts = shown if len(shown) == len(found) else [str(one["Word"]) for one in found]
    return tuple(
        Word(text, at := seconds(one.get("Offset")), round(at + seconds(one.get("Duration")), 4),
             _share(one.get("Confidence")), speaker)
        for text, one in zip(texts, found, strict=True)
    )  # fmt: skip


def _share(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1 else None


def _confidence(segments: Iterable[Segment]) -> float | None:
    """Of the whole, by how long each part is."""
    known = [(one.confidence, one.end - one.start) for one in segments if one.confidence is not None]
    total = sum(length for _, length in known)
    return round(sum(sure * length for sure, length in known) / total, 4) if total else None


def _language(segments: Iterable[Segment]) -> str | None:
    """The one that is spoken for longest."""
    spoken: Counter[str] = Counter()
    for one in segments:
        if one.language:
            spoken[one.language] += int((one.end - one.start) * 1000)
    return spoken.most_common(1)[0][0] if spoken else None


def _locales(body: Mapping[str, Any]) -> list[str]:
    named = body.get("languages") or ([body["language"]] if body.get("language") else [])
    return list(dict.fromkeys(map(locale_of, named)))


def _profanity(body: Mapping[str, Any]) -> str:
    given = str(body.get("profanity") or "raw").lower()
    given = _PLAIN.get(given, given)
    return given if given in PROFANITY else "raw"
