"""Transcription in OpenAI's dialect: what a recogniser says is what it hears in the sound that it was sent."""

from base64 import b64decode
from math import ceil
from typing import Any

from core.errors import BadAudio
from infra.local.simulators.answers import tokens
from infra.local.simulators.audio_models import Listener
from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import error_body, invalid
from infra.local.simulators.forms import Form, read_form
from infra.local.simulators.recognition import LANGUAGES, Segment, language_of, said, segments, subtitles
from infra.local.simulators.replies import Call, Reply, Stream, event, json_reply
from infra.local.simulators.signal import Heard, hear, heard, samples
from infra.local.simulators.vendor import Vendor

RATE = 16_000
SHORTEST = 0.1
CHUNKED_FROM = 30  # seconds from which a diarizing model wants to be told how to cut
TOKENS_PER_SECOND = 10
FIELDS = frozenset({"model", "language", "prompt", "response_format", "temperature", "timestamp_granularities"})
OPENAI_FIELDS = FIELDS | {
    "stream", "include", "chunking_strategy", "keywords", "languages", "known_speaker_names",
    "known_speaker_references",
}  # fmt: skip
TRANSLATING = frozenset({"model", "prompt", "response_format", "temperature"})
OBJECTS = frozenset({"chunking_strategy"})  # name[key]
LISTS = frozenset({
    "timestamp_granularities", "include", "keywords", "languages", "known_speaker_names", "known_speaker_references",
})  # fmt: skip


def respond(call: Call) -> Reply | Stream:
    return _answered(call, translates=False)


def translate(call: Call) -> Reply | Stream:
    """Into English: what is said here is taken for English in any case."""
    return _answered(call, translates=True)


def _answered(call: Call, *, translates: bool) -> Reply | Stream:
    vendor = call.vendor
    try:
        form = read_form(call.request)
        model = form.one("model") or ""
        listener = vendor.listeners.get(model)
        if listener is None or (translates and not listener.translates):
            message = f"The model `{model}` does not exist or does not hear."
            return json_reply(error_body(vendor, 404, message), 404)
        _check_fields(vendor, listener, form, translates=translates)
        if (large := _too_large(vendor, form)) is not None:
            return large
        found, seconds = _listened(vendor, listener, form)
    except RequestError as error:
        return invalid(vendor, error.message, error.param, error.code)
    shown = _Shown(call, listener, form, found, seconds, translates=translates)
    return shown.stream() if listener.streams and form.one("stream") == "true" else shown.whole()


def _check_fields(vendor: Vendor, listener: Listener, form: Form, *, translates: bool) -> None:
    if vendor.strict:
        taken = TRANSLATING if translates else OPENAI_FIELDS if vendor.name == "openai" else FIELDS
        for name in form.fields:
            bare, _, inside = name.partition("[")
            if bare not in taken or (inside and bare not in (LISTS if inside == "]" else OBJECTS)):
                raise RequestError(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    kind = form.one("response_format") or "json"
    if kind not in listener.formats:
        words = " or ".join(f"'{one}'" for one in listener.formats)
        message = f"response_format '{kind}' is not compatible with model '{form.one('model')}'. Use {words} instead."
        raise RequestError(message, "response_format", "unsupported_value")
    for name, fine in (
        ("prompt", listener.prompts), ("keywords", listener.keywords), ("languages", listener.keywords),
        ("include", listener.logprobs and kind == "json"),
    ):  # fmt: skip
        if form.several(name) and not fine:
            message = f"'{name}' is not supported by this model."
            raise RequestError(message, name, "unsupported_parameter")
    granularities = form.several("timestamp_granularities")
    if granularities and (kind != "verbose_json" or not listener.words or set(granularities) - {"word", "segment"}):
        message = "timestamp_granularities are 'word' and 'segment', with response_format verbose_json."
        raise RequestError(message, "timestamp_granularities", "invalid_value")
    _check_values(form)
    _check_chunking(form)


def _check_chunking(form: Form) -> None:
    """`auto`, or an object."""
    said = form.one("chunking_strategy")
    parts = {name.partition("[")[2][:-1] for name in form.fields if name.startswith("chunking_strategy[")}
    known = {"type", "prefix_padding_ms", "silence_duration_ms", "threshold"}
    fine = not parts if said == "auto" else said is None and parts <= known
    if not fine or (parts and form.one("chunking_strategy[type]") != "server_vad"):
        raise RequestError(
            "chunking_strategy must be 'auto' or a server_vad object.", "chunking_strategy", "invalid_value"
        )


def _check_values(form: Form) -> None:
    language = form.one("language")
    if language is not None and language not in {*LANGUAGES, "auto"}:
        message = f"Invalid language '{language}'. Language parameter must be specified in ISO-639-1 format."
        raise RequestError(message, "language", "invalid_language_format")
    try:
        warm = float(form.one("temperature") or 0)
    except ValueError:
        warm = -1
    if not 0 <= warm <= 1:
        raise RequestError("Invalid 'temperature': must be from 0 to 1.", "temperature", "invalid_value")


def _too_large(vendor: Vendor, form: Form) -> Reply | None:
    size, most = sum(len(content) for _, content in form.files.values()), vendor.max_audio_bytes
    if most is None or size <= most:
        return None
    message = f"413: Maximum content size limit ({most}) exceeded ({size} bytes read)"
    return json_reply(error_body(vendor, 413, message), 413)


def _listened(vendor: Vendor, listener: Listener, form: Form) -> tuple[list[Heard], float]:
    """The words, and the length of what was heard."""
    if "file" not in form.files:
        raise RequestError("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    name, content = form.files["file"]
    if name.rpartition(".")[2].lower() not in vendor.audio_files:
        kinds = str(list(vendor.audio_files))
        raise RequestError(f"Invalid file format. Supported formats: {kinds}", "file", "invalid_value")
    try:
        sound, rate = samples(content, RATE)
    except BadAudio as error:
        raise RequestError("Audio file might be corrupted or unsupported", "file", "invalid_value") from error
    seconds = len(sound) / rate
    if seconds < SHORTEST:
        message = f"Audio file is too short. Minimum audio length is {SHORTEST} seconds."
        raise RequestError(message, "file", "audio_too_short")
    if listener.most_seconds is not None and seconds > listener.most_seconds:
        message = f"audio duration {seconds:.3f} seconds is longer than {listener.most_seconds:g} seconds"
        raise RequestError(f"{message} which is the maximum for this model", "file", "invalid_value")
    if (
        listener.speakers == "format"
        and seconds > CHUNKED_FROM
        and not form.several("chunking_strategy")
        and "chunking_strategy[type]" not in form.fields
    ):
        message = "chunking_strategy is required for diarization models"
        raise RequestError(message, "chunking_strategy", "invalid_value")
    return hear(sound, rate), seconds


class _Shown:
    """One transcript in the forms that it can be asked for."""

    def __init__(
        self, call: Call, listener: Listener, form: Form, words: list[Heard], seconds: float, *, translates: bool
    ) -> None:
        self.vendor, self.listener, self.form, self.words = call.vendor, listener, form, words
        self.seconds = round(seconds, 3)
        self.task = "translate" if translates else "transcribe"
        self.kind = form.one("response_format") or "json"
        self.text = said(words)
        self.names = self._named()
        named = form.one("language")
        named = None if named == "auto" else named
        english = translates or (call.vendor.hears_english and form.one("language") is None)
        self.language = "english" if english else LANGUAGES[named] if named else language_of(self.text)
        self.segments = segments(words, by_speaker=self.kind == "diarized_json")

    def whole(self) -> Reply:
        if self.kind in {"text", "srt", "vtt"}:
            plain = self.text + "\n" if self.kind == "text" else subtitles(self.segments, self.kind)
            return Reply(200, {"content-type": "text/plain; charset=utf-8"}, plain.encode())
        answer: dict[str, Any] = {"text": self.text}
        if self.kind == "verbose_json":
            answer = {"task": self.task, "language": self.language, "duration": self.seconds, **answer}
            answer |= self._verbose()
        if self.kind == "diarized_json":
            answer = {"task": self.task, "duration": self.seconds, **answer}
            answer["segments"] = [self._diarized(place, one) for place, one in enumerate(self.segments)]
        if self.listener.keywords:
            answer["languages"] = [{"code": code} for code, name in LANGUAGES.items() if name == self.language]
        if self.form.several("include"):
            answer["logprobs"] = [self._likely(piece) for piece in self._pieces()]
        if self.listener.billed:
            answer["usage"] = self._usage()
        if self.vendor.name == "groq":
            answer["x_groq"] = {"id": "req_simulated"}
        return json_reply(answer)

    def stream(self) -> Stream:
        done: dict[str, Any] = {"type": "transcript.text.done", "text": self.text, "usage": self._usage()}
        if self.kind == "diarized_json":
            output = [event(self._diarized(place, one)) for place, one in enumerate(self.segments)]
        else:
            told = bool(self.form.several("include"))
            likely = [{"logprobs": [self._likely(piece)]} if told else {} for piece in self._pieces()]
            output = [
                event({"type": "transcript.text.delta", "delta": piece, **more})
                for piece, more in zip(self._pieces(), likely, strict=True)
            ]
            done |= {"logprobs": [self._likely(piece) for piece in self._pieces()]} if told else {}
        headers = {"content-type": self.vendor.event_stream, "cache-control": "no-cache"}
        closing = (event(done), b"data: [DONE]\n\n")
        return Stream(headers, (), tuple(output), closing, event(error_body(self.vendor, 500)))

    def _pieces(self) -> list[str]:
        return [(" " if place else "") + one.word for place, one in enumerate(self.words)]

    def _likely(self, piece: str) -> dict[str, Any]:
        return {"token": piece, "logprob": -0.01 * len(piece), "bytes": list(piece.encode())}

    def _verbose(self) -> dict[str, Any]:
        asked = self.form.several("timestamp_granularities") or ["segment"]
        found: dict[str, Any] = {}
        # Together always has its segments, OpenAI only if they are asked for or nothing is.
        if "segment" in asked or self.vendor.name == "together":
            found["segments"] = [self._segment(place, one) for place, one in enumerate(self.segments)]
        spoken = self.listener.speakers == "field" and self.form.one("diarize") == "true"
        if "word" in asked or spoken:
            found["words"] = [self._word(place, one, spoken=spoken) for place, one in enumerate(self.words)]
        if spoken:
            spans = segments(self.words, by_speaker=True)
            found["speaker_segments"] = [self._span(place, one) for place, one in enumerate(spans)]
        return found

    def _segment(self, place: int, one: Segment) -> dict[str, Any]:
        shown = {"id": place, "start": one.start, "end": one.end, "text": f" {one.text}"}
        if self.vendor.name == "together":
            return shown
        rated = {"temperature": 0.0, "avg_logprob": -0.1, "compression_ratio": 1.2, "no_speech_prob": 0.01}
        return {**shown, "seek": 0, "tokens": [], **rated}

    def _span(self, place: int, one: Segment) -> dict[str, Any]:
        words = [self._word(at, word, spoken=True) for at, word in enumerate(one.words)]
        shown = {"id": place, "speaker_id": self._numbered(one.speaker), "start": one.start, "end": one.end}
        return {**shown, "text": one.text, "words": words}

    def _word(self, place: int, one: Heard, *, spoken: bool) -> dict[str, Any]:
        shown = {"word": one.word.strip(".,;:!?"), "start": round(one.start, 3), "end": round(one.end, 3)}
        return {"id": place, **shown, "speaker_id": self._numbered(one.speaker)} if spoken else shown

    def _numbered(self, speaker: int) -> str:
        """Speakers in the order in which they speak; those who are more than there may be are taken for the last."""
        order = list(dict.fromkeys(word.speaker for word in self.words))
        return f"SPEAKER_{min(order.index(speaker), int(self.form.one('max_speakers') or 99) - 1):02}"

    def _diarized(self, place: int, one: Segment) -> dict[str, Any]:
        timed = {"id": f"seg_{place}", "start": one.start, "end": one.end}
        return {"type": "transcript.text.segment", **timed, "text": one.text, "speaker": self.names[one.speaker]}

    def _named(self) -> dict[int, str]:
        """The names of those whose voices were sent, letters for all others."""
        known: dict[int, str] = {}
        names = self.form.several("known_speaker_names")
        for name, url in zip(names, self.form.several("known_speaker_references"), strict=True):
            voices = [word.speaker for word in heard(b64decode(url.partition("base64,")[2]))]
            known |= {voices[0]: name} if voices else {}
        order = dict.fromkeys(word.speaker for word in self.words)
        letters = iter("ABCDEFGH")
        return {speaker: known.get(speaker) or next(letters) for speaker in order}

    def _usage(self) -> dict[str, Any]:
        if self.listener.billed == "duration":
            return {"type": "duration", "seconds": ceil(self.seconds)}
        sound, words = ceil(self.seconds * TOKENS_PER_SECOND), tokens(self.form.one("prompt") or "")
        made = tokens(self.text)
        return {
            "type": "tokens", "input_tokens": sound + words, "output_tokens": made,
            "total_tokens": sound + words + made,
            "input_token_details": {"audio_tokens": sound, "text_tokens": words},
        }  # fmt: skip
