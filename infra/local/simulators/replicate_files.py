"""Replicate's files: those that are put there, and those that predictions make."""

from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from typing import Any

from infra.local.simulators.checks import RequestError
from infra.local.simulators.errors import error_body, lost
from infra.local.simulators.forms import read_form
from infra.local.simulators.replies import Call, Reply, json_reply


@dataclass(frozen=True, slots=True)
class File:
    """Something that was put there, or that a prediction made."""

    id: str
    name: str
    kind: str
    data: bytes

    def row(self, base: str, created: int) -> dict[str, Any]:
        return {
            "id": self.id, "name": self.name, "content_type": self.kind, "size": len(self.data), "etag": self.id,
            "checksums": {"sha256": sha256(self.data).hexdigest()}, "metadata": {}, "created_at": created,
            "expires_at": created + 86_400, "urls": {"get": f"{base}/v1/files/{self.id}"},
        }  # fmt: skip


def base(call: Call) -> str:
    return f"http://{call.request.headers.get('host', 'localhost')}"


def put(call: Call) -> Reply:
    try:
        name, data = read_form(call.request).files["content"]
    except (RequestError, KeyError):
        return json_reply(error_body(call.vendor, 400, "Missing content"), 400)
    made = File(f"in{call.id[:20]}", name, guess_type(name)[0] or "application/octet-stream", data)
    call.kept[made.id] = made
    return json_reply(made.row(base(call), call.created), 201)


def show(call: Call) -> Reply:
    found = call.kept.get(call.names["file"])
    if not isinstance(found, File):
        return lost(call.vendor, call.request.method, call.request.path)
    return json_reply(found.row(base(call), call.created))


def remove(call: Call) -> Reply:
    found = call.kept.get(call.names["file"])
    if not isinstance(found, File):
        return lost(call.vendor, call.request.method, call.request.path)
    del call.kept[found.id]
    return Reply(204, {}, b"")


def deliver(call: Call) -> Reply:
    """What a prediction made; whoever has its address may have it."""
    found = call.kept.get(call.names["file"])
    if not isinstance(found, File):
        return Reply(404, {"content-type": "text/plain"}, b"Not Found")
    return Reply(200, {"content-type": found.kind}, found.data)
