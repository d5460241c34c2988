"""Models that transcribe and speak in OpenAI's dialect, by vendor."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listener:
    """A model that transcribes, as Whisper is run unless it says otherwise."""

    formats: tuple[str, ...] = ("json", "text", "verbose_json")
    words: bool = True  # gives times of words in verbose_json
    streams: bool = False
    speakers: str = ""  # who spoke is said in a format of its own, or where a field asks for it; empty: by nobody
    keywords: bool = False  # takes them, and several languages
    prompts: bool = True
    translates: bool = True
    billed: str = "duration"  # what its usage counts; empty: it has none
    most_seconds: float | None = None
    logprobs: bool = False  # tells how likely each token was, where it is asked to


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model that speaks."""

    voices: tuple[str, ...]
    formats: tuple[str, ...] = ("mp3", "opus", "aac", "flac", "wav", "pcm")
    most_characters: int | None = None
    events: str = ""  # the parameter that asks for sound in events
    instructed: bool = True


OLD_VOICES = ("alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer")
VOICES = (*OLD_VOICES, "ballad", "verse", "marin", "cedar")

OPENAI_LISTENERS = {
    "whisper-1": Listener(("json", "text", "srt", "verbose_json", "vtt")),
    "gpt-transcribe": Listener(("json", "text"), streams=True, keywords=True, translates=False),
    "gpt-4o-transcribe": Listener(
        ("json", "text"), streams=True, translates=False, billed="tokens", most_seconds=1400, logprobs=True
    ),
    "gpt-4o-mini-transcribe": Listener(
        ("json", "text"), streams=True, translates=False, billed="tokens", most_seconds=1400, logprobs=True
    ),
    "gpt-4o-transcribe-diarize": Listener(
        ("json", "text", "diarized_json"),
        words=False,
        streams=True,
        speakers="format",
        prompts=False,
        translates=False,
        billed="tokens",
        most_seconds=1400,
    ),
}
OPENAI_SPEAKERS = {
    "tts-1": Speaker(OLD_VOICES, most_characters=4096, instructed=False),
    "tts-1-hd": Speaker(OLD_VOICES, most_characters=4096, instructed=False),
    "gpt-4o-mini-tts": Speaker(VOICES, most_characters=4096, events="stream_format"),
}
TOGETHER_LISTENERS = {"openai/whisper-large-v3": Listener(("json", "verbose_json"), speakers="field", billed="")}
TOGETHER_SPEAKERS = {
    "canopylabs/orpheus-3b-0.1-ft": Speaker(
        ("tara", "leah", "jess", "leo", "dan", "mia", "zac", "zoe"), ("mp3", "wav", "raw"), events="stream"
    ),
    "hexgrad/Kokoro-82M": Speaker(
        ("af_heart", "af_alloy", "af_bella", "am_adam", "bf_emma", "bm_george"),
        ("mp3", "wav", "raw"),
        events="stream",
    ),
    "cartesia/sonic": Speaker(
        ("helpful woman", "friendly sidekick", "laidback woman", "calm lady"),
        ("mp3", "wav", "raw"),
        events="stream",
    ),
}
GROQ_LISTENERS = {
    "whisper-large-v3": Listener(billed=""),
    "whisper-large-v3-turbo": Listener(translates=False, billed=""),
}
GROQ_SPEAKERS = {
    "canopylabs/orpheus-v1-english": Speaker(
        ("autumn", "diana", "hannah", "austin", "daniel", "troy"), ("wav",), most_characters=200
    ),
    "canopylabs/orpheus-arabic-saudi": Speaker(("fahad", "sultan", "lulwa", "noura"), ("wav",), most_characters=200),
}
LOCAL_LISTENERS = dict.fromkeys(("large-v3", "medium"), Listener(speakers="field", billed=""))
