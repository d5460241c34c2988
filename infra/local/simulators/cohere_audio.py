"""Cohere's transcription: a form, read as it comes; the file has to be the last of its parts."""

from infra.local.simulators.checks import RequestError
from infra.local.simulators.cohere import RefusedError, refused
from infra.local.simulators.ears import DeafError, recording
from infra.local.simulators.forms import Part, parts
from infra.local.simulators.replies import Call, Reply, json_reply

MOST_BYTES = 25 * 2**20
ENDINGS = ("flac", "mp3", "mpeg", "mpga", "ogg", "wav")
LANGUAGES = ("en", "de", "fr", "it", "es", "pt", "el", "nl", "pl", "vi", "zh", "ar", "ja", "ko")
FIELDS = ("model", "language", "temperature", "file")


def transcribe(call: Call) -> Reply:
    try:
        fields, file = _form(call)
        _check(call, fields)
        heard = recording(file.data)
    except RequestError as error:
        return refused(call, RefusedError(f"invalid request: {error.message}"))
    except RefusedError as error:
        return refused(call, error)
    except DeafError:
        return refused(call, RefusedError("invalid request: the audio file could not be decoded"))
    return json_reply({"text": heard.text})


def _form(call: Call) -> tuple[dict[str, str], Part]:
    fields: dict[str, str] = {}
    for part in parts(call.request):
        if part.name not in FIELDS:
            raise RefusedError(f"unknown field: parameter '{part.name}' is not a valid field", 422)
        if part.name == "file":
            for name in ("model", "language"):
                if not fields.get(name):
                    raise RefusedError(f"invalid request: {name} is required")
            return fields, _file(part)
        fields[part.name] = part.text
    raise RefusedError("invalid request: file is required")


def _file(part: Part) -> Part:
    ending = (part.filename or "").rpartition(".")[2].lower()
    if ending not in ENDINGS:
        raise RefusedError(f"invalid request: unsupported file extension, must be one of {', '.join(ENDINGS)}")
    if len(part.data) > MOST_BYTES:
        raise RefusedError("invalid request: file size exceeds the maximum of 25MB", 413)
    return part


def _check(call: Call, fields: dict[str, str]) -> None:
    if fields["model"] not in call.vendor.hearers:
        words = "make sure the correct model ID was used and that you have access to the model"
        raise RefusedError(f"model '{fields['model']}' not found, {words}", 404)
    if fields["language"] not in LANGUAGES:
        raise RefusedError(f"invalid request: language must be one of {', '.join(LANGUAGES)}")
    try:
        if not 0 <= float(fields.get("temperature", "0")) <= 1:
            raise RefusedError("invalid request: temperature must be between 0 and 1 inclusive.", 422)
    except ValueError:
        raise RefusedError("invalid request: temperature must be a number", 422) from None
