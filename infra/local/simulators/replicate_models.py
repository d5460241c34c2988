"""Replicate's models for sound, and what their inputs may have."""

from infra.local.simulators.replies import Call

Kinds = dict[str, tuple[type, ...]]

NUMBER = (int, float)
HEARS: dict[str, Kinds] = {
    "openai/whisper": {
        "audio": (str,), "transcription": (str,), "translate": (bool,), "language": (str,), "temperature": NUMBER,
        "patience": NUMBER, "suppress_tokens": (str,), "initial_prompt": (str,), "condition_on_previous_text": (bool,),
        "temperature_increment_on_fallback": NUMBER, "compression_ratio_threshold": NUMBER,
        "logprob_threshold": NUMBER, "no_speech_threshold": NUMBER,
    },
    "openai/gpt-4o-transcribe": {
        "audio_file": (str,), "prompt": (str,), "language": (str,), "temperature": NUMBER,
    },
    "thomasmol/whisper-diarization": {
        "file_string": (str,), "file_url": (str,), "file": (str,), "group_segments": (bool,),
        "transcript_output_format": (str,), "num_speakers": (int,), "translate": (bool,), "language": (str,),
        "prompt": (str,), "offset_seconds": (int,),
    },
}  # fmt: skip
SPEAKS: dict[str, Kinds] = {
    "minimax/speech-2.6-turbo": {
        "text": (str,), "pitch": (int,), "speed": NUMBER, "volume": NUMBER, "bitrate": (int,), "channel": (str,),
        "emotion": (str,), "voice_id": (str,), "sample_rate": (int,), "language_boost": (str,), "audio_format": (str,),
        "english_normalization": (bool,), "subtitle_enable": (bool,),
    },
    "jaaari/kokoro-82m": {"text": (str,), "voice": (str,), "speed": NUMBER},
}  # fmt: skip
# Models of the community are asked for by their versions alone.
VERSIONS = {
    "8099696689d249cf8b122d833c36ac3f75505c666a395ca40ef26f68e7d3d16e": "openai/whisper",
    "1495a9cddc83b2203b0d8d3516e38b80fd1572ebc4bc5700ac1da56a9b3ed886": "thomasmol/whisper-diarization",
    "f559560eb822dc509045f3921a1921234918b91739db4bf3daab2169b71c7a13": "jaaari/kokoro-82m",
}


def asked(call: Call) -> str:
    """Which capability a prediction is for: all are made at the same paths."""
    said = call.request.path.encode() + call.request.body
    for capability, models in (("transcribe", HEARS), ("speak", SPEAKS)):
        versions = (digest for digest, model in VERSIONS.items() if model in models)
        if any(one.encode() in said for one in (*models, *versions)):
            return capability
    return "chat"
