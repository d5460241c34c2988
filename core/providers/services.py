"""What providers are for sound and for translation, where that is another API, address or key than their chat's."""

from dataclasses import replace

from core.capabilities import Capability, Feature
from core.providers.row import Hears, Row

_MIB = 2**20

AZURE_TRANSLATOR = Row(
    name="azure",
    title="Azure Translator",
    adapter="core.providers.azure_translator:AzureTranslator",
    base_url="https://api.cognitive.microsofttranslator.com",
    hosts=(
        ".cognitiveservices.azure.com",
        ".services.ai.azure.com",
        ".microsofttranslator.com",
        ".cognitiveservices.azure.us",
        ".microsofttranslator.us",
        ".cognitiveservices.azure.cn",
        ".translator.azure.cn",
    ),
    capabilities=frozenset({Capability.TRANSLATE}),
    features=frozenset({Feature.HTML}),
    default_models={Capability.TRANSLATE: "nmt"},
    needs=("translation_key",),
    key_field="translation_key",
    url_field="translation_url",
    key_header="ocp-apim-subscription-key",
    extra_params=frozenset({"profanity", "domain"}),
    lacks_params=frozenset({"formality", "context"}),
    max_inputs=1000,
    most_characters=50_000,  # times languages
)
_WHISPER_FEATURES = frozenset({Feature.SEGMENTS, Feature.WORDS, Feature.TO_ENGLISH})
OPENAI_SOUND = {Capability.TRANSCRIBE: "gpt-transcribe", Capability.SPEAK: "gpt-4o-mini-tts"}
TOGETHER_SOUND = {
    Capability.TRANSCRIBE: "openai/whisper-large-v3", Capability.SPEAK: "canopylabs/orpheus-3b-0.1-ft",
}  # fmt: skip
GROQ_SOUND = {Capability.TRANSCRIBE: "whisper-large-v3-turbo", Capability.SPEAK: "canopylabs/orpheus-v1-english"}
LOCAL_SOUND = {Capability.TRANSCRIBE: "large-v3"}


def listens(heard: Row, *capabilities: Capability) -> dict[Capability, Row]:
    """The same row for all of these, so that one adapter serves them."""
    return dict.fromkeys(capabilities, heard)


# OpenAI's audio API, and those who have it. What their models can stands in the catalogue; these are for others.
OPENAI_HEARS = Row(
    name="openai",
    title="OpenAI",
    adapter="core.providers.openai_audio:OpenAIAudio",
    base_url="https://api.openai.com/v1",
    hosts=(".api.openai.com",),
    features=_WHISPER_FEATURES,
    default_models=OPENAI_SOUND,
    hears=Hears(most_bytes=25 * _MIB),
    extra_params=frozenset({"chunking_strategy", "include"}),
)
OPENAI_SAYS = replace(
    OPENAI_HEARS,
    adapter="core.providers.openai_speech:OpenAISpeech",
    features=frozenset({Feature.STREAM}),
    says=("mp3", "opus", "aac", "flac", "wav", "pcm"),
    own_voices=True,
    most_characters=4096,
    extra_params=frozenset(),
)
TOGETHER_HEARS = Row(
    name="together",
    title="Together",
    adapter="core.providers.together:TogetherAudio",
    base_url="https://api.together.ai/v1",
    features=_WHISPER_FEATURES | {Feature.SPEAKERS},
    default_models=TOGETHER_SOUND,
    hears=Hears(kinds=frozenset({"wav", "mp3", "m4a", "flac", "webm"})),
)
TOGETHER_SAYS = replace(
    TOGETHER_HEARS,
    adapter="core.providers.together:TogetherSpeech",
    features=frozenset({Feature.STREAM}),
    says=("pcm",),  # which comes while it is made; mp3 and wav only when they are whole
    lacks_params=frozenset({"speed", "instructions"}),
)
GROQ_HEARS = Row(
    name="groq",
    title="Groq",
    adapter="core.providers.openai_audio:OpenAIAudio",
    base_url="https://api.groq.com/openai/v1",
    features=_WHISPER_FEATURES,
    recogniser="whisper",
    default_models=GROQ_SOUND,
    hears=Hears(most_bytes=25 * _MIB),  # of accounts that pay nothing; others may send 100 MB
)
GROQ_SAYS = replace(
    GROQ_HEARS,
    adapter="core.providers.openai_speech:OpenAISpeech",
    features=frozenset(),
    says=("wav",),
    most_characters=200,
    lacks_params=frozenset({"instructions"}),
)
LOCAL_HEARS = Row(
    name="local",
    title="Own GPU tier",
    adapter="core.providers.openai_audio:OpenAIAudio",
    path_prefix="/v1",
    features=_WHISPER_FEATURES | {Feature.SPEAKERS},
    recogniser="whisper",
    default_models=LOCAL_SOUND,
    needs=("base_url",),
    free=True,
    local=True,
)
AZURE_SOUND = {Capability.TRANSCRIBE: "azure-stt-fast", Capability.SPEAK: "azure-tts-neural"}
AZURE_HEARS = Row(
    name="azure",
    title="Azure Speech",
    adapter="core.providers.azure_speech:AzureSpeech",
    capabilities=frozenset({Capability.TRANSCRIBE, Capability.DIARIZE}),
    features=frozenset({Feature.SPEAKERS, Feature.SEGMENTS, Feature.WORDS}),
    default_models=AZURE_SOUND,
    needs=("speech_key", "speech_region|speech_url"),
    key_field="speech_key",
    url_field="speech_url",
    lacks_params=frozenset({"prompt", "temperature", "min_speakers", "known_speakers"}),
    extra_params=frozenset({"profanity"}),
    hears=Hears(300_000_000, 2 * 3600 - 1, frozenset({"wav", "mp3", "m4a", "ogg", "flac", "webm"})),
    # The SDK sends as fast as twice the speech: what is longer is heard by several sessions.
    hears_by={"azure-stt": Hears(None, 120, frozenset({"wav", "mp3", "m4a", "ogg", "flac", "webm"}), 2.0, 16)},
)
AZURE_SAYS = replace(
    AZURE_HEARS,
    hears_by={},
    capabilities=frozenset({Capability.SPEAK}),
    features=frozenset({Feature.STREAM, Feature.SSML}),
    lacks_params=frozenset({"instructions"}),
    extra_params=frozenset({"style"}),
    says=("mp3", "opus", "wav", "pcm"),
    most_characters=5000,  # what it says in one request may last 10 minutes
)
TRANSCRIBE_AND_DIARIZE = (Capability.TRANSCRIBE, Capability.DIARIZE)

GEMINI_SOUND = {Capability.TRANSCRIBE: "gemini-3.1-flash-lite", Capability.SPEAK: "gemini-3.8-flash-lite-tts"}
GEMINI_HEARS = Row(
    name="gemini",
    title="Google Gemini",
    adapter="core.providers.gemini_audio:GeminiAudio",
    base_url="https://generativelanguage.googleapis.com",
    features=frozenset({Feature.SEGMENTS, Feature.TO_ENGLISH}),
    default_models=GEMINI_SOUND,
    key_header="x-goog-api-key",
    # A request is 20 MB at most, in base64; what half an hour says is well within an answer.
    hears=Hears(14_500_000, 1800, frozenset({"wav", "mp3", "ogg", "flac", "aac"})),
)
GEMINI_SAYS = replace(
    GEMINI_HEARS,
    features=frozenset({Feature.STREAM}),
    extra_params=frozenset({"style"}),
    says=("pcm",),
    most_characters=4000,  # by its 8192 tokens, and the length of an answer
)
COHERE_HEARS = Row(
    name="cohere",
    title="Cohere",
    adapter="core.providers.cohere_audio:CohereAudio",
    base_url="https://api.cohere.com",
    features=frozenset(),
    default_models={Capability.TRANSCRIBE: "cohere-transcribe-03-2026"},
    lacks_params=frozenset({"prompt", "vocabulary"}),
    hears=Hears(25_000_000, None, frozenset({"wav", "mp3", "ogg", "flac"})),
)
REPLICATE_SOUND = {
    Capability.TRANSCRIBE: "openai/whisper",
    Capability.DIARIZE: "thomasmol/whisper-diarization",
    Capability.SPEAK: "minimax/speech-2.6-turbo",
}
REPLICATE_HEARS = Row(
    name="replicate",
    title="Replicate",
    adapter="core.providers.replicate_audio:ReplicateAudio",
    base_url="https://api.replicate.com",
    features=frozenset({Feature.SEGMENTS, Feature.TO_ENGLISH}),
    default_models=REPLICATE_SOUND,
    extra_params=frozenset({"input"}),
    hears=Hears(most_bytes=100_000_000),  # of a file that is put there
)
REPLICATE_SAYS = replace(
    REPLICATE_HEARS,
    features=frozenset(),
    extra_params=frozenset({"model_input", "style"}),
    lacks_params=frozenset({"instructions"}),
    says=("mp3", "wav"),
    most_characters=5000,
)
HUGGINGFACE_HEARS = Row(
    name="huggingface",
    title="Hugging Face",
    adapter="core.providers.huggingface_audio:HuggingFaceAudio",
    base_url="https://router.huggingface.co/v1",
    features=frozenset({Feature.SEGMENTS}),
    default_models={Capability.TRANSCRIBE: "openai/whisper-large-v3"},
    lacks_params=frozenset({"prompt", "vocabulary"}),
    hears=Hears(25_000_000, 1800),  # it documents no limits
)
