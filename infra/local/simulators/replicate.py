"""Replicate: predictions that are made, asked for again, streamed and cancelled."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from infra.local.simulators.answers import answers, prompt_tokens, tokens
from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import error_body, lost
from infra.local.simulators.replicate_models import HEARS, SPEAKS, VERSIONS
from infra.local.simulators.replies import Call, Reply, Stream, json_reply

KEPT = 1000
FAILED = "CUDA out of memory"
DONE = ("succeeded", "failed", "canceled", "aborted")
# What a model's input may have: anything else is refused before the model is started.
LLAMA = frozenset({
    "prompt", "system_prompt", "max_tokens", "min_tokens", "temperature", "top_p", "top_k", "presence_penalty",
    "frequency_penalty", "stop_sequences", "prompt_template", "seed",
})  # fmt: skip
INPUTS: dict[str, frozenset[str]] = {
    "openai": frozenset({
        "prompt", "system_prompt", "messages", "image_input", "temperature", "top_p", "presence_penalty",
        "frequency_penalty", "max_completion_tokens", "reasoning_effort", "verbosity",
    }),
    "simulated": LLAMA | {"image"},
}  # fmt: skip
KINDS: dict[str, tuple[type, ...]] = {
    "prompt": (str,), "system_prompt": (str,), "max_tokens": (int,), "max_completion_tokens": (int,),
    "temperature": (int, float), "top_p": (int, float), "top_k": (int,), "stop_sequences": (str,), "seed": (int,),
    "image": (str,), "image_input": (list,),
}  # fmt: skip


@dataclass
class Prediction:
    id: str
    model: str
    version: str
    input: dict[str, Any]
    pieces: list[str]
    tokens: tuple[int, int]
    created: int
    steps: list[str] = field(default_factory=list)  # what it will be, each time that somebody asks
    status: str = "starting"
    made: Any = None  # what is no text

    @property
    def is_done(self) -> bool:
        return self.status in DONE

    def advance(self) -> None:
        if not self.is_done and self.steps:
            self.status = self.steps.pop(0)

    def finish(self) -> None:
        while self.steps and not self.is_done:
            self.advance()

    def row(self, base: str) -> dict[str, Any]:
        url = f"{base}/v1/predictions/{self.id}"
        urls = {"get": url, "cancel": f"{url}/cancel", "web": f"https://replicate.com/p/{self.id}"}
        if self.model != "simulated/no-stream":
            urls["stream"] = f"{base}/v1/streams/{self.id}"
        failed, at = self.status == "failed", f"{datetime.fromtimestamp(self.created, UTC):%Y-%m-%dT%H:%M:%S}.123Z"
        output: Any = (
            self.pieces if self.status == "succeeded" else self.pieces[:2] if self.status == "processing" else None
        )
        if self.made is not None:
            output = self.made if self.status == "succeeded" else None
        return {
            "id": self.id, "model": self.model, "version": self.version, "input": self.input, "logs": "",
            "output": output, "data_removed": False, "error": FAILED if failed else None,
            "source": "api", "status": self.status, "created_at": at,
            "started_at": None if self.status == "starting" else at, "completed_at": at if self.is_done else None,
            "urls": urls, "metrics": self._metrics() if self.status in ("succeeded", "failed") else {},
        }  # fmt: skip

    def _metrics(self) -> dict[str, Any]:
        times = {"predict_time": 1.25, "total_time": 1.5}
        if self.model == "simulated/by-the-second" or self.made is not None:
            return times
        return {**times, "input_token_count": self.tokens[0], "output_token_count": self.tokens[1]}


def create(call: Call) -> Reply:
    try:
        body, model, version = _asked(call)
        made = _made(call, model, version, body["input"])
    except RequestError as error:
        field_name = error.param or "input"
        problem = error_body(call.vendor, 422, f"- {field_name}: {error.message}\n")
        problem["invalid_fields"] = [{"type": error.code, "field": field_name, "description": error.message}]
        return json_reply(problem, 422, {"content-type": "application/problem+json"})
    waits = call.request.headers.get("prefer", "").startswith("wait")
    if waits and model not in ("simulated/cold-start", "simulated/never-ends"):
        made.finish()
    _keep(call, made)
    return json_reply(made.row(_base(call)), 201)


def show(call: Call) -> Reply:
    found = call.kept.get(call.names["prediction"])
    if not isinstance(found, Prediction):
        return lost(call.vendor, call.request.method, call.request.path)
    found.advance()
    return json_reply(found.row(_base(call)))


def cancel(call: Call) -> Reply:
    found = call.kept.get(call.names["prediction"])
    if not isinstance(found, Prediction):
        return lost(call.vendor, call.request.method, call.request.path)
    if not found.is_done:
        found.status = "canceled"
    return json_reply(found.row(_base(call)))


def stream(call: Call) -> Reply | Stream:
    found = call.kept.get(call.names["prediction"])
    if not isinstance(found, Prediction):
        return lost(call.vendor, call.request.method, call.request.path)
    found.finish()
    mark = f"{call.created}:"
    headers = {"content-type": call.vendor.event_stream, "cache-control": "no-store"}
    error = _event("error", mark + "9", '{"detail":"Prediction interrupted; please retry (code: PA)"}')
    if found.status == "failed":
        ended = (_event("error", mark + "9", FAILED), _event("done", mark + "10", '{"reason":"error"}'))
        return Stream(headers, (), (), ended, error)
    output = tuple(_event("output", f"{mark}{index}", piece) for index, piece in enumerate(found.pieces))
    logs = _event("logs", mark + "0", "loading the model")
    return Stream(headers, (logs,), output, (_event("done", mark + "10", "{}"),), error)


def models(call: Call) -> Reply:
    return json_reply({"next": None, "previous": None, "results": _rows(call)})


def collection(call: Call) -> Reply:
    about = {"name": "Language models", "slug": "language-models", "description": "Models that write"}
    return json_reply({**about, "models": _rows(call)})


def _rows(call: Call) -> list[dict[str, Any]]:
    return [
        {"url": f"https://replicate.com/{name}", "owner": owner, "name": last, "visibility": "public", "run_count": 1}
        for name in call.vendor.models
        for owner, _, last in [name.partition("/")]
    ]


def _asked(call: Call) -> tuple[dict[str, Any], str, str]:
    """The body, which model it is for, and in which version."""
    try:
        body = orjson.loads(call.request.body)
    except orjson.JSONDecodeError as error:
        raise RequestError("the body is not JSON", "body", "invalid_json") from error
    if not isinstance(body, dict) or not isinstance(body.get("input"), dict):
        raise RequestError("input is required", "body", "required")
    names, version = call.names, body.get("version")
    if "name" in names:
        return body, f"{names['owner']}/{names['name']}", "hidden"
    if "deployment_name" in names:
        return body, f"{names['owner']}/{names['deployment_name']}", "deployed"
    if not isinstance(version, str):
        raise RequestError("version is required", "body", "required")
    model, _, digest = version.rpartition(":")
    return body, model or VERSIONS.get(digest) or "meta/meta-llama-3-8b-instruct", digest


def _made(call: Call, model: str, version: str, given: dict[str, Any]) -> Prediction:
    # The same letters as theirs: 26 of base 36.
    mark = "".join("abcdefghijklmnopqrstuvwxyz0123456789"[byte % 36] for byte in (call.id * 2).encode()[:26])
    if model in HEARS or model in SPEAKS:
        from infra.local.simulators import replicate_audio  # noqa: PLC0415 - who only writes needs no decoders

        made = replicate_audio.output_of(call, model, given)
        kept = {name: value for name, value in given.items() if not str(value).startswith("data:")}
        return Prediction(mark, model, version, kept, [], (0, 0), call.created, ["processing", "succeeded"], made=made)
    allowed = INPUTS.get(model.partition("/")[0], LLAMA)
    if not isinstance(given.get("prompt"), str):
        raise RequestError("prompt is required", "input", "required")
    for name, value in given.items():
        if name not in allowed:
            words = f"Additional property {name} is not allowed"
            raise RequestError(words, f"input.{name}", "additional_property_not_allowed")
        kinds = KINDS.get(name)
        if kinds and (not isinstance(value, kinds) or isinstance(value, bool)):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise RequestError(f"Invalid type. Expected: {expected}", f"input.{name}", "invalid_type")
    images = [given["image"]] if "image" in given else given.get("image_input") or []
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    asked = [{"role": "user", "content": [{"type": "text", "text": given["prompt"]}, *parts]}]
    if given.get("system_prompt"):
        asked.insert(0, {"role": "system", "content": given["system_prompt"]})
    limit = given.get("max_tokens") or given.get("max_completion_tokens")
    stops = [stop for stop in (given.get("stop_sequences") or "").split(",") if stop]
    body = {"messages": asked, "max_tokens": limit, "stop": stops}
    text = answers(body, call.vendor.name, model)[0].text or ""
    counts = (prompt_tokens(body), tokens(text))
    last = "failed" if model == "simulated/always-fails" else "succeeded"
    steps = ["processing"] if model == "simulated/never-ends" else ["processing", last]
    return Prediction(mark, model, version, given, re.findall(r"\S+\s*|\s+", text), counts, call.created, steps)


def _keep(call: Call, made: Prediction) -> None:
    while len(call.kept) >= KEPT:
        del call.kept[next(iter(call.kept))]
    call.kept[made.id] = made


def _base(call: Call) -> str:
    return f"http://{call.request.headers.get('host', 'localhost')}"


def _event(name: str, mark: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\nid: {mark}\n{lines}\n".encode()
