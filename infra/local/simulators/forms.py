"""Forms with files, as they come in."""

from dataclasses import dataclass, field
from io import BytesIO

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File

from infra.local.simulators.checks import RequestError
from infra.local.simulators.httpd import Request


@dataclass(slots=True)
class Form:
    fields: dict[str, list[str]] = field(default_factory=dict)  # a name with [] is one of a list
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # name in the form → file's name, content

    def one(self, name: str) -> str | None:
        return self.fields[name][-1] if name in self.fields else None

    def several(self, name: str) -> list[str]:
        return [*self.fields.get(name, []), *self.fields.get(f"{name}[]", [])]


def read_form(request: Request) -> Form:
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        raise RequestError("Invalid Content-Type header; expected multipart/form-data.")
    form = Form()

    def on_field(one: Field) -> None:
        name, value = (one.field_name or b"").decode(), (one.value or b"").decode()
        form.fields.setdefault(name, []).append(value)

    def on_file(one: File) -> None:
        one.file_object.seek(0)
        form.files[(one.field_name or b"").decode()] = ((one.file_name or b"").decode(), one.file_object.read())
        one.close()

    head = {"Content-Type": kind.encode(), "Content-Length": str(len(request.body)).encode()}
    try:
        parse_form(head, BytesIO(request.body), on_field, on_file)
    except FormParserError as error:
        raise RequestError("Could not parse multipart form.") from error
    return form
