"""Secrets in AWS's two stores: a layer like the others, and one clear line when it cannot be had."""

import json
import subprocess
import sys
import uuid

import boto3
import pytest

from core.config.secrets import Secret
from core.config.settings import examine
from core.providers.registry import Registry

ROWS = Registry().declared()
KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def read(tmp_path):
    def work(sources, **environ):
        environ = {"PATCHBAY_SECRETS": sources, "PATCHBAY_SECRETS_DIR": str(tmp_path), **environ}
        return examine(ROWS, environ=environ, dotenv=tmp_path / ".env")

    return work


@pytest.fixture
def secret(aws):
    """A new secret with this text; its name and its ARN."""
    client = boto3.client("secretsmanager")

    def made(text):
        answer = client.create_secret(Name=f"patchbay/{uuid.uuid4().hex}", SecretString=text)
        return answer["Name"], answer["ARN"]

    yield made
    client.close()


@pytest.fixture
def parameters(aws):
    """New parameters below a path; the path."""
    client = boto3.client("ssm")

    def made(values, kind="SecureString"):
        path = f"/patchbay/{uuid.uuid4().hex}"
        for name, value in values.items():
            client.put_parameter(Name=f"{path}/{name}", Value=value, Type=kind)
        return path

    yield made
    client.close()


def test_a_secret_is_an_object_of_names(read, secret):
    text = json.dumps({"OPENAI_API_KEY": KEY, "groq_api_key": "g", "PORT": 1234, "PATCHBAY_CACHE": False})
    for name in secret(text):
        config, problems = read(f"secretsmanager:{name}")
        assert not problems
        assert config.accounts["openai"][0].key == Secret(KEY)
        assert config.accounts["groq"][0].key == Secret("g")
        assert (config.port, config.cache) == (1234, False)
        assert str(config.origins["port"]) == f"PORT (secretsmanager:{name})"


def test_parameters_below_a_path(read, parameters):
    many = {f"other/OTHER_{number}": "x" for number in range(12)}  # more than one page
    path = parameters({"openai_api_key": KEY, "deep/GROQ_API_KEY": "g", "port": "1234", **many})
    config, problems = read(f"ssm:{path}")
    assert not problems
    assert config.accounts["openai"][0].key == Secret(KEY)
    assert config.accounts["groq"][0].key == Secret("g")
    assert config.port == 1234


def test_they_lie_below_files_of_secrets_and_above_configuration(read, secret, parameters, tmp_path):
    name, _ = secret(json.dumps({"PORT": "2", "HOST": "two", "MAX_RETRIES": "2"}))
    path = parameters({"PORT": "3", "HOST": "three", "MAX_RETRIES": "3", "RETRY_DELAY_MS": "3"}, "String")
    (tmp_path / "port").write_text("1")
    (tmp_path / "patchbay.yaml").write_text("service: {port: 4, host: four}\nrouting: {retry_delay_ms: 4}")
    config, _ = read(f"secretsmanager:{name}, ssm:{path}", MAX_RETRIES="0")
    assert (config.port, config.host, config.max_retries, config.retry_delay_ms) == (1, "two", 0, 3)


def test_a_file_may_refer_to_them(read, secret, tmp_path):
    name, _ = secret(json.dumps({"MY_KEY": KEY}))
    (tmp_path / "patchbay.yaml").write_text("providers: {openai: {api_key: '${MY_KEY}'}}")
    config, _ = read(f"secretsmanager:{name}")
    assert config.accounts["openai"][0].key == Secret(KEY)


@pytest.mark.parametrize("text", [KEY, f'["{KEY}"]', f'{{"A": {{"B": "{KEY}"}}}}', "", f'{{"A": "{KEY}"'])
def test_a_secret_of_another_form_is_one_line_without_it(read, secret, text):
    name, _ = secret(text or "x")
    _, (problem,) = read(f"secretsmanager:{name}")
    assert problem.message == f"secretsmanager:{name}: expected a JSON object of names and values"
    assert problem.param == "PATCHBAY_SECRETS"


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ("secretsmanager:nowhere", "secretsmanager:nowhere cannot be read: ResourceNotFoundException"),
        ("ssm:/nowhere", "ssm:/nowhere: there is no parameter below it"),
        ("vault:x", "PATCHBAY_SECRETS: expected secretsmanager:<name or arn> or ssm:<path>"),
        ("ssm:", "PATCHBAY_SECRETS: expected secretsmanager:<name or arn> or ssm:<path>"),
    ],
)
def test_what_cannot_be_read_is_one_line(aws, read, sources, words):
    _, (problem,) = read(sources)
    assert problem.message == words


def test_nobody_there_is_one_line(read, monkeypatch, aws):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    _, (problem,) = read("ssm:/patchbay")
    assert problem.message.startswith("ssm:/patchbay cannot be read: EndpointConnectionError")
    assert "\n" not in problem.message


def test_without_boto3_the_line_says_what_to_install(read, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    _, (problem,) = read("ssm:/patchbay")
    assert problem.message == "ssm:/patchbay needs boto3: pip install -e '.[aws]'"


def test_without_such_a_source_boto3_is_not_loaded(tmp_path):
    code = "import sys; from core.config.settings import load; load([], environ={}); print('boto3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "False"
