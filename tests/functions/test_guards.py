"""Who may call, from where, with what kind of body; on this machine, beyond it and on Lambda."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.server import assembled
from tests.functions.helpers import calls, complete, has_receipt_headers, problem, providers, sse
from tests.harness import HELLO, QUICK, Server, server

KEY = "gate-7f3a9c51e2-secret"
HOME = Path(__file__).resolve().parents[2]
FORMS = ("/v1/audio/trans", "/api/ai/transcribe", "/api/ai/diarize")  # routes that take forms
PUBLIC = ("/health", "/api/v1/providers/health")
PROTECTED = (
    ("GET", "/api/ai/status"),
    ("GET", "/api/ai/providers"),
    ("GET", "/api/ai/decisions"),
    ("GET", "/api/ai/decisions/" + "0" * 32),
    ("GET", "/api/local/simulators"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/nope"),
    ("POST", "/api/ai/chat"),
    ("POST", "/api/ai/route"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/api/local/simulators/faults"),
    ("POST", "/api/local/simulators/clear"),
    ("DELETE", "/api/ai/chat"),
)
# What is not this gateway's key, by where it stands.
WRONG: list[dict[str, str | bytes]] = [
    {},
    {"authorization": ""},
    {"authorization": "Bearer"},
    {"authorization": "Bearer wrong"},
    {"authorization": f"Bearer {KEY}x"},
    {"authorization": f"Bearer {KEY[:-1]}"},
    {"authorization": f"Bearer {KEY.upper()}"},
    {"authorization": KEY},
    {"authorization": f"Basic {base64.b64encode(f'user:{KEY}'.encode()).decode()}"},
    {"authorization": f"Bearer wrong {KEY}"},
    {"authorization": b"Bearer \xff\xfe"},
    {"authorization": "Bearer " + "x" * 10_000},
    {"x-api-key": "wrong"},
    {"x-api-key": ""},
    {"api-key": "wrong"},
    {"x-api-key": f"Bearer {KEY}"},
    {"cookie": f"PATCHBAY_API_KEY={KEY}"},
]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A gateway on loopback that has a key."""
    with server(tmp_path_factory.mktemp("keyed"), PATCHBAY_API_KEY=KEY) as running:
        yield running


def call(gateway: Server, method: str, path: str, **options: Any) -> httpx.Response:
    return gateway.http.request(method, path, json=HELLO if method == "POST" else None, **options)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": f"BEARER  {KEY}"},
        {"x-api-key": KEY},
        {"api-key": KEY},
        {"X-Api-Key": KEY},
        {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": KEY},
    ],
    ids=json.dumps,
)
def test_the_key_is_taken_where_clients_put_it(keyed, headers):
    assert call(keyed, "POST", "/api/ai/chat", headers=headers).status_code == 200
    assert call(keyed, "GET", "/api/ai/status", headers=headers).json()["auth"] == "key"


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}], ids=["none", "wrong"])
def test_once_there_is_a_key_it_is_required(keyed, method, path, headers):
    before = calls(keyed)
    answer = call(keyed, method, path, headers=headers)
    error = problem(answer, 401)
    assert error["type"] == "authentication_error"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "simulators" not in answer.text and KEY not in answer.text
    assert calls(keyed) == before


@pytest.mark.parametrize("headers", WRONG, ids=[repr(one)[:50] for one in WRONG])
def test_a_wrong_key_is_refused_and_nothing_leaks(keyed, headers):
    answer = call(keyed, "POST", "/api/ai/chat", headers=headers)
    error = problem(answer, 401)
    assert "key" in error["message"]
    assert KEY not in answer.text and KEY not in str(answer.headers)
    for value in headers.values():
        given = value.decode("latin-1") if isinstance(value, bytes) else value
        words = [word for word in given.split() if len(word) > 8]
        assert not [word for word in words if word in answer.text]


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": KEY}], ids=str)
def test_public_paths_need_no_key(keyed, path, headers):
    answer = keyed.http.get(path, headers=headers)
    assert answer.status_code == 200
    has_receipt_headers(answer)


@pytest.mark.parametrize(
    "path", ["/health/", "/health/x", "//health", "/HEALTH", "/health%2f..%2fapi/ai/status", "/x/health"]
)
def test_what_only_looks_public_is_not(keyed, path):
    assert keyed.http.get(path).status_code in {401, 404}
    assert "chains" not in keyed.http.get(path).text


def test_the_gateways_key_reaches_no_provider(keyed):
    for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, {"api-key": KEY}):
        for provider in ("azure", "together", "openai"):
            answer = keyed.http.post("/api/ai/chat", json={**HELLO, "provider": provider}, headers=headers)
            assert answer.json()["provider"] == provider
            request = keyed.fleet.requests(provider)[-1]
            assert KEY not in str(request.headers) and KEY.encode() not in request.body


def test_a_providers_key_from_a_caller_goes_nowhere(gateway):
    headers = {"authorization": "Bearer sk-callers-own", "x-api-key": "sk-callers-own", "x-forwarded-for": "10.1.1.1"}
    assert gateway.http.post("/api/ai/chat", json=HELLO, headers=headers).status_code in {200, 401}
    for request in gateway.fleet.requests("azure"):
        assert "sk-callers-own" not in str(request.headers)


def test_without_a_key_loopback_is_org_local(gateway):
    receipt = gateway.receipt(gateway.chat().json()["decision_id"])
    assert (receipt["org"], receipt["key"]) == ("local", "loopback")


FOREIGN_HOSTS = [
    "evil.example",
    "evil.example:80",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "evil.example#127.0.0.1",
    "10.0.0.5",
    "0.0.0.0",
    "[2001:db8::1]",
    "[::1].evil.example",
    "[::1",
    "[evil",
    "::1]",
    "2130706433",
    "127.1",
    "localhost, evil.example",
    "",
]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/ai/chat"), ("GET", "/api/ai/status"), ("GET", "/health")])
def test_a_foreign_host_is_refused(gateway, host, method, path):
    before = calls(gateway)
    answer = call(gateway, method, path, headers={"host": host})
    assert answer.status_code in {400, 403}, answer.text[:200]
    if answer.status_code == 403:
        assert complete(answer)["code"] == "foreign_host"
    assert calls(gateway) == before


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8787", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:65535", "127.0.0.2", "[::1]", "[::1]:8787"],
)
def test_a_host_on_this_machine_is_fine(gateway, host):
    assert call(gateway, "POST", "/api/ai/chat", headers={"host": host}).status_code == 200
    assert call(gateway, "GET", "/health", headers={"host": host}).status_code == 200


FOREIGN_ORIGINS = [
    "https://evil.example",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example:3000",
    "http://localhost@evil.example",
    "http://10.0.0.5",
    "null",
    "file://",
    "chrome-extension://abcdef",
    "evil",
    "http://",
    "http://[",
    "http://[::1",
    "http://[evil]",
    "\u00ff",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/ai/chat"), ("GET", "/api/ai/status"), ("GET", "/health")])
def test_a_foreign_origin_is_refused(gateway, origin, method, path):
    before = calls(gateway)
    answer = call(gateway, method, path, headers=[(b"origin", origin.encode("latin-1"))])
    assert problem(answer, 403)["code"] == "foreign_origin"
    assert "access-control-allow-origin" not in answer.headers
    assert calls(gateway) == before


@pytest.mark.parametrize(
    "origin", ["http://localhost", "http://localhost:3000", "https://127.0.0.1:8443", "http://[::1]:5173"]
)
def test_an_origin_on_this_machine_is_fine(gateway, origin):
    assert call(gateway, "POST", "/api/ai/chat", headers={"origin": origin}).status_code == 200


def test_a_preflight_of_a_foreign_page_opens_nothing(gateway):
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = gateway.http.options("/api/ai/chat", headers=headers)
    problem(answer, 403)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}], ids=["host", "origin"]
)
def test_a_key_does_not_open_loopback_to_foreign_pages(keyed, headers):
    answer = call(keyed, "POST", "/api/ai/chat", headers={**headers, "x-api-key": KEY})
    problem(answer, 403)


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"content-type": "text/plain"}],
    ids=["host", "origin", "content type"],
)
def test_a_refusal_too_says_that_simulators_are_behind_it(gateway, headers):
    """With nothing configured every answer says so, and what the guard answers is no exception."""
    answer = gateway.http.post("/api/ai/chat", content=json.dumps(HELLO), headers=headers)
    assert answer.status_code in {403, 415}
    assert answer.headers["x-patchbay-simulated"] == "true"
    assert answer.json()["simulated"] is True


Message = MutableMapping[str, Any]


class Direct:
    """Drives the app without a socket, so that a peer can have any address."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self.routes: Any = app.routes  # type: ignore[attr-defined] # it is FastAPI's

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        peer: tuple[str, int] | None = ("127.0.0.1", 1),
        headers: dict[str, str] | None = None,
        messages: list[Message] | None = None,
        body: bytes = json.dumps(HELLO).encode(),
    ) -> httpx.Response | None:
        given = {"host": "127.0.0.1", "content-type": "application/json", **(headers or {})}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": peer,
            "server": ("127.0.0.1", 80),
        }
        incoming = iter(messages or [{"type": "http.request", "body": body, "more_body": False}])
        sent: list[Message] = []

        async def receive() -> Message:
            for message in incoming:
                return message
            await asyncio.Event().wait()  # nothing more comes from a caller that waits
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        await asyncio.wait_for(self.app(scope, receive, send), 20)
        if not sent:
            return None
        raw = b"".join(one.get("body", b"") for one in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=raw)


@asynccontextmanager
async def direct(home: Path, **environ: str) -> Any:
    async with assembled({**QUICK, "PATCHBAY_HOME": str(home), **environ}, home / ".env") as running:
        try:
            yield Direct(running.server.config.app)  # type: ignore[arg-type] # it is given as an object
        finally:
            await running.service.close()


def posts(drive: Direct) -> list[str]:
    found = [route.path for route in drive.routes if "POST" in (getattr(route, "methods", None) or ())]
    assert len(found) >= 5
    return found


def test_every_body_is_json_on_every_route(tmp_path):
    async def run() -> None:
        async with direct(tmp_path) as drive:
            for path in posts(drive):
                for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
                    answer = await drive("POST", path, headers={"content-type": kind})
                    assert answer is not None
                    taken = path.startswith(FORMS) and kind.startswith("multipart/")
                    assert answer.status_code == (400 if taken else 415)
                    if not taken:
                        assert "application/json" in problem(answer, 415)["message"], path

    asyncio.run(run())


@pytest.mark.parametrize(
    "peer", ["10.0.0.9", "192.168.1.1", "203.0.113.7", "::ffff:10.0.0.9", "fe80::1", "2001:db8::1", "testclient", ""]
)
def test_a_peer_beyond_loopback_needs_a_key(tmp_path, peer):
    async def run() -> None:
        async with direct(tmp_path) as drive:
            for path in posts(drive):
                answer = await drive("POST", path, peer=(peer, 1))
                assert answer is not None
                error = problem(answer, 401)
                assert "PATCHBAY_API_KEY" in error["message"] and "\n" not in error["message"]
            for path in PUBLIC:
                assert (await drive("GET", path, peer=(peer, 1))).status_code == 200

    asyncio.run(run())


@pytest.mark.parametrize("peer", [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1), None])
def test_a_peer_on_this_machine_needs_none(tmp_path, peer):
    async def run() -> None:
        async with direct(tmp_path) as drive:
            assert (await drive("POST", "/api/ai/chat", peer=peer)).status_code == 200

    asyncio.run(run())


def test_beyond_loopback_with_a_key_any_host_name_will_do(tmp_path):
    async def run() -> None:
        async with direct(tmp_path, HOST="0.0.0.0", PATCHBAY_API_KEY=KEY) as drive:
            peer, host = ("10.0.0.9", 1), {"host": "ai.example"}
            for headers in (host, {**host, "x-api-key": "wrong"}):
                answer = await drive("POST", "/api/ai/chat", peer=peer, headers=headers)
                problem(answer, 401)
            answer = await drive("GET", "/health", peer=peer, headers={**host, "x-api-key": KEY})
            assert answer.status_code == 200
            answer = await drive("POST", "/api/ai/chat", headers={"host": "127.0.0.1"})
            problem(answer, 401)  # the key is required of loopback too

    asyncio.run(run())


def test_a_caller_that_leaves_before_its_body_is_there_makes_no_noise(tmp_path):
    gone: list[Message] = [
        {"type": "http.request", "body": b'{"messages"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def run() -> None:
        async with direct(tmp_path) as drive:
            for path in posts(drive):
                answer = await drive("POST", path, messages=[dict(one) for one in gone])
                assert answer is None or answer.status_code < 500, path

    asyncio.run(run())


LAMBDA = """
import importlib, json, sys
cases = json.load(sys.stdin)
handler = importlib.import_module(sys.argv[1]).handler
class Context:
    aws_request_id, function_name, memory_limit_in_mb, invoked_function_arn = "1", "patchbay", 512, "arn:1"
    def get_remaining_time_in_millis(self): return 30000
print("ANSWERS" + json.dumps([handler(case, Context()) for case in cases]))
"""


def event(
    method: str = "POST",
    path: str = "/api/ai/chat",
    body: str | None = json.dumps(HELLO),
    *,
    binary: bool = False,
    **headers: str,
) -> dict[str, Any]:
    """An event of API Gateway's HTTP API, payload version 2.0."""
    given = {"content-type": "application/json", "host": "abc.execute-api.eu-central-1.amazonaws.com"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    if binary and body is not None:
        body = base64.b64encode(body.encode()).decode()
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": given,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": given["host"],
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test",
            },
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "20/Nov/2026:10:00:00 +0000",
            "timeEpoch": 1795168800000,
        },
        "body": body,
        "isBase64Encoded": binary,
    }


def rest(**headers: str) -> dict[str, Any]:
    """The same from API Gateway's REST API."""
    given = {"Content-Type": "application/json", "Host": "abc.execute-api.eu-central-1.amazonaws.com", **headers}
    return {
        "resource": "/{proxy+}",
        "path": "/api/ai/chat",
        "httpMethod": "POST",
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "127.0.0.1"}, "stage": "prod", "requestId": "1"},
        "body": json.dumps(HELLO),
        "isBase64Encoded": False,
    }


def on_lambda(home: Path, function: str, cases: list[dict[str, Any]], **environ: str) -> list[dict[str, Any]]:
    """What a function's handler answers, in a process that believes it is on Lambda."""
    given = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HOME),
        "AWS_LAMBDA_FUNCTION_NAME": "patchbay-chat",
        "PATCHBAY_HOME": str(home),
        **environ,
    }
    done = subprocess.run(
        [sys.executable, "-c", LAMBDA, f"functions.{function}.app"],
        input=json.dumps(cases),
        env=given,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert KEY not in done.stdout and KEY not in done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout.partition("ANSWERS")[2])
    return answers


def test_on_lambda_without_a_key_everybody_is_refused(tmp_path):
    cases = [
        event(),
        event(authorization="Bearer anything"),
        event(host="127.0.0.1"),
        event(path="/v1/chat/completions"),
    ]
    for answer in on_lambda(tmp_path, "chat", cases, OPENAI_API_KEY="sk-provider-0123456789"):
        assert answer["statusCode"] == 401
        error = json.loads(answer["body"])["error"]
        assert "PATCHBAY_API_KEY" in error["message"] and "\n" not in error["message"]
        assert error["type"] == "authentication_error"
        assert "sk-provider" not in answer["body"]
        assert answer["headers"]["x-patchbay-simulated"] == "false"


def test_on_lambda_health_is_public_and_the_rest_is_not(tmp_path):
    paths = [*PUBLIC, "/api/ai/status", "/api/ai/providers", "/api/ai/decisions"]
    cases = [event("GET", path, None) for path in paths]
    answers = on_lambda(tmp_path, "catalog", cases, OPENAI_API_KEY="sk-provider-0123456789")
    assert [one["statusCode"] for one in answers] == [200, 200, 401, 401, 401]
    assert json.loads(answers[0]["body"])["providers"] == ["openai"]


def test_on_lambda_with_a_key(tmp_path):
    bearer = f"Bearer {KEY}"
    stream = json.dumps({**HELLO, "stream": True})
    cases = [
        event(),
        event(authorization="Bearer wrong"),
        event(authorization=bearer),
        event(x_api_key=KEY),
        event(body=stream, authorization=bearer),
        event(path="/v1/chat/completions", body=stream, authorization=bearer),
        event(authorization=bearer, binary=True),
        event(body="{", authorization=bearer),
        event(body=None, authorization=bearer),
        event(body=json.dumps({"messages": []}), authorization=bearer),
        event(method="GET", authorization=bearer),
        event(path="/nope", authorization=bearer),
        event(authorization=bearer, content_type="text/plain"),
        rest(Authorization=bearer),
        rest(),
    ]
    with providers("openai") as fleet:
        given = {
            "PATCHBAY_API_KEY": KEY,
            "OPENAI_API_KEY": "sk-provider-0123456789",
            "OPENAI_BASE_URL": fleet.url("openai") + "/v1",
        }
        answers = on_lambda(tmp_path, "chat", cases, **given)
        received = fleet.requests("openai")
    assert [one["statusCode"] for one in answers] == [
        401,
        401,
        200,
        200,
        200,
        200,
        200,
        400,
        400,
        400,
        405,
        404,
        415,
        200,
        401,
    ]
    assert len(received) == 6
    assert all(one.headers["authorization"] == "Bearer sk-provider-0123456789" for one in received)
    assert all(KEY not in str(one.headers) for one in received)
    for answer in answers:
        assert "sk-provider" not in answer["body"] and KEY not in answer["body"]
        assert answer["headers"]["x-patchbay-simulated"] == "false"
    whole = json.loads(answers[2]["body"])
    assert whole["provider"] == "openai" and whole["simulated"] is False and "Hello" in whole["content"]
    native, plain = sse(answers[4]["body"]), sse(answers[5]["body"])
    assert native[-1] == plain[-1] == "[DONE]"
    assert native[-2]["provider"] == "openai" and native[-2]["usage"]["total_tokens"] > 0
    assert answers[4]["headers"]["content-type"].startswith("text/event-stream")


def test_on_lambda_a_provider_that_fails_is_named(tmp_path):
    given = {"PATCHBAY_API_KEY": KEY, "OPENAI_API_KEY": "sk-provider-0123456789", "MAX_RETRIES": "0"}
    with providers("openai") as fleet:
        url = fleet.url("openai")
    # The port is closed now.
    (answer,) = on_lambda(tmp_path, "chat", [event(x_api_key=KEY)], OPENAI_BASE_URL=url + "/v1", **given)
    assert answer["statusCode"] == 502
    error = json.loads(answer["body"])["error"]
    assert [(one["provider"], one["error"]) for one in error["attempts"]] == [("openai", "Unreachable")]
