"""Replicate's models for sound: what they call their inputs, and what their outputs mean. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from core.errors import Malformed, ParameterRefused
from core.types.audio import Audio, Segment, Transcript, Word
from core.wire.sound import whisper
from core.wire.sound.recognisers import NOBODY, base_of, complete, joined, left_out, seconds_of, timed

Body = dict[str, Any]


class Ears(NamedTuple):
    """What a model that hears calls its inputs; they refuse what they do not know. None: it has no such thing."""

    audio: str = "audio"
    language: str | None = "language"
    prompt: str | None = None
    temperature: str | None = None
    english: tuple[str, Any] | None = None
    speakers: str | None = None  # how many there are
    always: Mapping[str, Any] = {}


class Voice(NamedTuple):
    """The same of one that speaks."""

    text: str = "text"
    voice: str | None = "voice"
    speed: str | None = "speed"
    emotion: str | None = None


# As the models' pages show their schemas; `input` of a request says what is otherwise.
_EARS: Mapping[str, Ears] = {
    "openai/whisper": Ears(prompt="initial_prompt", temperature="temperature", english=("translate", True)),
    "openai/gpt-4o-transcribe": Ears("audio_file", prompt="prompt", temperature="temperature"),
    "openai/gpt-4o-mini-transcribe": Ears("audio_file", prompt="prompt", temperature="temperature"),
    "thomasmol/whisper-diarization": Ears(
        "file", prompt="prompt", speakers="num_speakers",
        always={"group_segments": False, "transcript_output_format": "both"},
    ),
    "victor-upmeet/whisperx": Ears("audio_file", prompt="initial_prompt", temperature="temperature"),
}  # fmt: skip
_VOICES: Mapping[str, Voice] = {"minimax": Voice(voice="voice_id", emotion="emotion")}
# Models of the community are asked for by a version; these are those whose inputs are known here.
_VERSIONS = {
    "openai/whisper": "8099696689d249cf8b122d833c36ac3f75505c666a395ca40ef26f68e7d3d16e",
    "thomasmol/whisper-diarization": "1495a9cddc83b2203b0d8d3516e38b80fd1572ebc4bc5700ac1da56a9b3ed886",
    "jaaari/kokoro-82m": "f559560eb822dc509045f3921a1921234918b91739db4bf3daab2169b71c7a13",
}
_EMOTIONS = frozenset({"happy", "sad", "angry", "fearful", "disgusted", "surprised", "calm", "fluent", "neutral"})
_TELLS = frozenset({"language", "languages", "input"})
_SAYS = frozenset({"input", "model_input", "sound", "ssml", "gender"})


def name_of(model: str) -> str:
    """Without its version."""
    return model.partition(":")[0]


def version_of(model: str) -> str:
    """With one, if it has to have one and it is known."""
    return f"{model}:{_VERSIONS[model]}" if model in _VERSIONS else model


def heard_to(body: Mapping[str, Any], model: str, address: str) -> tuple[Body, list[str]]:
    """The inputs of a model that hears what is at an address, and what of the request it cannot be told."""
    ears = _EARS.get(name_of(model), Ears())
    given: Body = {ears.audio: address, **ears.always}
    known = {
        *(("prompt", "vocabulary") if ears.prompt else ()), *(("temperature",) if ears.temperature else ()),
        *(("min_speakers", "max_speakers") if ears.speakers else ()), *_TELLS,
    }  # fmt: skip
    losses = left_out(body, known)
    languages = [body["language"]] if body.get("language") else list(body.get("languages") or ())
    if len(languages) == 1 and ears.language:
        given[ears.language] = base_of(languages[0])
    elif len(languages) > 1:
        losses.append("languages was left out: it takes one alone, or finds it out")
    hints = [
        *([body["prompt"]] if body.get("prompt") else ()),
        *([", ".join(body["vocabulary"])] if body.get("vocabulary") else ()),
    ]
    if hints and ears.prompt:
        given[ears.prompt] = "\n".join(hints)
    if ears.temperature and body.get("temperature") is not None:
        given[ears.temperature] = body["temperature"]
    if body.get("task") == "translate":
        if ears.english is None:
            raise ParameterRefused("this model does not translate what it hears", param="task")
        given[ears.english[0]] = ears.english[1]
    least, most = body.get("min_speakers"), body.get("max_speakers")
    if ears.speakers and least and least == most:
        given[ears.speakers] = least
    elif ears.speakers and (least or most):
        losses.append("min_speakers and max_speakers were left out: it takes an exact number, or finds it out")
    return {**given, **(body.get("input") or {})}, losses


def transcript_from(output: Any, body: Mapping[str, Any]) -> Transcript:
    """What a prediction gave: text, pieces of text, or a table with segments."""
    audio: Audio = body["audio"]
    duration = audio.ms / 1000
    table = output if type(output) is dict else {}
    rows = output if _is_rows(output) else table.get("segments") or table.get("chunks") or []
    if type(rows) is not list:
        raise Malformed("the output has segments that are no list")
    found = [_segment(one, duration) for one in rows]
    to_english = body.get("task") == "translate"
    text = _text_of(output, table, found, to_english=to_english)
    told: list[str] = []
    segments, words = timed(found, (), body, told)
    language = "en" if to_english else table.get("detected_language") or table.get("language")
    known, sure = whisper.language(language) if text else None, whisper.overall(segments)
    made = Transcript(text, known, duration, segments, words, sure, None if text else NOBODY, told=tuple(told))
    return complete(made, "this model", body)


def _is_rows(output: Any) -> bool:
    return type(output) is list and bool(output) and all(type(one) is dict for one in output)


def _text_of(output: Any, table: Body, found: Iterable[Segment], *, to_english: bool) -> str:
    if output is None:
        raise Malformed("the prediction has no output")
    names = ("translation", "text") if to_english else ("transcription", "text")
    text = next((table[name] for name in names if isinstance(table.get(name), str)), None)
    if type(output) is str:
        text = output
    elif type(output) is list and all(type(piece) is str for piece in output):
        text = "".join(output)
    elif text is None and (_is_rows(output) or "segments" in table or "chunks" in table):
        text = joined(one.text for one in found)
    if text is None:
        raise Malformed("the output of the prediction is no transcript")
    return str(text).strip()


def _segment(one: Any, duration: float) -> Segment:
    if type(one) is not dict or type(one.get("text")) is not str:
        raise Malformed("the output has a segment without text")
    start, end = _times(one, duration)
    speaker, words, score = one.get("speaker"), one.get("words") or [], one.get("avg_logprob")
    said = str(speaker) if isinstance(speaker, str | int) and not isinstance(speaker, bool) and speaker != "" else None
    made = tuple(_word(word, said, duration) for word in words if type(word) is dict) if type(words) is list else ()
    sure = whisper.confidence(score)
    return Segment(one["text"].strip(), start, end, said, sure, made)


def _word(one: Body, speaker: str | None, duration: float) -> Word:
    start, end = _times(one, duration)
    score = one.get("probability", one.get("score"))
    sure = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None
    return Word(str(one.get("word") or one.get("text") or "").strip(), start, end, sure, speaker)


def _times(one: Body, duration: float) -> tuple[float, float]:
    pair = one.get("timestamp")
    first, last = pair if type(pair) is list and len(pair) == 2 else (one.get("start"), one.get("end"))
    if last is None and first is not None:
        last = duration  # of the last one the end may be that of the audio
    start, end = seconds_of(first), seconds_of(last)
    return (float("inf"), float("inf")) if start is None or end is None else (start, end)


def said_to(body: Mapping[str, Any], model: str) -> tuple[Body, list[str]]:
    """The inputs of a model that speaks, and what of the request it cannot be told."""
    if body.get("ssml"):
        raise ParameterRefused("this model reads no SSML", param="ssml")
    name = name_of(model)
    voice = _VOICES.get(name) or _VOICES.get(name.partition("/")[0]) or Voice()
    given: Body = {voice.text: body["input"]}
    told = {*_SAYS, *(("voice",) if voice.voice else ()), *(("speed",) if voice.speed else ())}
    if voice.voice and body.get("voice"):
        given[voice.voice] = body["voice"]
    if voice.speed and body.get("speed") not in {None, 1}:
        given[voice.speed] = body["speed"]
    if voice.emotion and body.get("style") in _EMOTIONS:
        given[voice.emotion] = body["style"]
        told.add("style")
    return {**given, **(body.get("model_input") or {})}, left_out(body, told)


def place_of_speech(output: Any) -> str:
    """The address of what was said."""
    if type(output) is list and len(output) == 1:
        output = output[0]
    if type(output) is dict:
        output = next((output[name] for name in ("audio", "audio_out", "output", "url") if output.get(name)), None)
    if type(output) is not str or not output.startswith(("https://", "http://", "data:")):
        raise Malformed("the prediction has no address of any speech")
    return output
