"""Cohere's transcription: a form, read as it comes; the file has to be the last of its parts."""

from infra.local.simulators.checks import RequestError
from infra.local.simulators.cohere import RefusedError, refused
from infra.local.simulators.forms import read_form
from infra.local.simulators.recognition import DeafError, recording
from infra.local.simulators.replies import Call, Reply, json_reply

LANGUAGES = ("en", "de", "fr", "it", "es", "pt", "el", "nl", "pl", "vi", "zh", "ar", "ja", "ko")
FIELDS = ("model", "language", "temperature", "file")


def transcribe(call: Call) -> Reply:
    try:
        fields, file = _form(call)
        _check(call, fields)
        heard = recording(file)
    except RequestError as error:
        return refused(call, RefusedError(f"invalid request: {error.message}"))
    except RefusedError as error:
        return refused(call, error)
    except DeafError:
        return refused(call, RefusedError("invalid request: the audio file could not be decoded"))
    return json_reply({"text": heard.text})


def _form(call: Call) -> tuple[dict[str, str], bytes]:
    form = read_form(call.request)
    for name in (*form.fields, *form.files):
        if name not in FIELDS:
            raise RefusedError(f"unknown field: parameter '{name}' is not a valid field", 422)
    fields = {name: values[-1] for name, values in form.fields.items()}
    at = call.request.body.find(b'name="file"')
    for name in ("model", "language"):
        if not fields.get(name) or call.request.body.find(f'name="{name}"'.encode()) > at >= 0:
            raise RefusedError(f"invalid request: {name} is required")
    if "file" not in form.files:
        raise RefusedError("invalid request: file is required")
    return fields, _file(call, *form.files["file"])


def _file(call: Call, name: str, data: bytes) -> bytes:
    endings = call.vendor.audio_files
    if name.rpartition(".")[2].lower() not in endings:
        raise RefusedError(f"invalid request: unsupported file extension, must be one of {', '.join(endings)}")
    if len(data) > (call.vendor.max_audio_bytes or 0):
        raise RefusedError("invalid request: file size exceeds the maximum of 25MB", 413)
    return data


def _check(call: Call, fields: dict[str, str]) -> None:
    if fields["model"] not in call.vendor.listeners:
        words = "make sure the correct model ID was used and that you have access to the model"
        raise RefusedError(f"model '{fields['model']}' not found, {words}", 404)
    if fields["language"] not in LANGUAGES:
        raise RefusedError(f"invalid request: language must be one of {', '.join(LANGUAGES)}")
    try:
        if not 0 <= float(fields.get("temperature", "0")) <= 1:
            raise RefusedError("invalid request: temperature must be between 0 and 1 inclusive.", 422)
    except ValueError:
        raise RefusedError("invalid request: temperature must be a number", 422) from None
