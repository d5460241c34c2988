"""Settings changed at run time with state on AWS: seen by a server and on Lambda, and missed by nobody's answer."""

import json
import logging
from contextlib import ExitStack

import pytest
from click.testing import CliRunner

from core.backends.reach import Reach
from infra.local.cli import main
from tests.functions.helpers import providers
from tests.harness import server
from tests.runtime.lambdas import Function, event, function

REFUSAL = json.dumps({"__type": "x#InternalServerError", "message": "oh"}).encode()


@pytest.fixture(scope="module")
def two():
    """The environment of a gateway with two providers, the first of which is openai."""
    with providers("openai", "together") as fleet:
        yield {
            "OPENAI_BASE_URL": f"{fleet.url('openai')}/v1",
            "OPENAI_API_KEY": "sk-test-1",
            "TOGETHER_BASE_URL": f"{fleet.url('together')}/v1",
            "TOGETHER_API_KEY": "t",
            "LLM_PROVIDER": "openai",
            "PATCHBAY_REFRESH": "0.000001",
        }


@pytest.fixture
def table(aws):
    yield aws.table()
    aws.fail.clear()


@pytest.fixture
def config(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def invoke(*args):
        env = {"PATCHBAY_TABLE": table, "PATCHBAY_HOME": str(tmp_path), "PATCHBAY_REFRESH": None}
        done = CliRunner().invoke(main, ["config", *args], env=env)
        assert done.exit_code == 0, done.output
        return done.stdout

    return invoke


@pytest.fixture
def invoke(aws, table, two, tmp_path):
    """The chat function in a process of its own, as Lambda runs it, started when it is first called."""
    environ = {**two, "PATCHBAY_TABLE": table, "AWS_ENDPOINT_URL": aws.url}
    started: list[Function] = []
    with ExitStack() as stack:

        def call():
            if not started:
                started.append(stack.enter_context(function("chat", tmp_path, **environ)))
            answer = started[0].answer(event("chat"))
            assert answer["statusCode"] == 200, answer
            return json.loads(answer["body"])["provider"]

        yield call


def test_a_warm_function_goes_by_it_at_its_next_invocation(invoke, config):
    assert invoke() == "openai"
    said = config("set", "LLM_PROVIDER", "together")
    assert "DynamoDB table" in said
    assert invoke() == "together"
    config("unset", "LLM_PROVIDER")
    assert invoke() == "openai"


def test_a_cold_function_begins_with_it(config, invoke):
    config("set", "LLM_PROVIDER", "together")
    assert invoke() == "together"


def provider(running):
    answer = running.chat()
    assert answer.status_code == 200, answer.text
    return answer.json()["provider"]


def later(running):
    """When the next look is due, and the table has been left alone for a while."""
    running.service._lasting.watch._reach = Reach(running.service.clock)
    running.service.due = 0.0


def test_while_the_table_does_not_answer_the_settings_stay(aws, table, two, config, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "patchbay"), server(tmp_path, PATCHBAY_TABLE=table, **two) as running:
        config("set", "LLM_PROVIDER", "together")
        assert provider(running) == "together"
        config("set", "LLM_PROVIDER", "openai")
        aws.fail = [("GetItem", 500, REFUSAL)] * 2  # the client asks twice
        assert provider(running) == "together"
        assert aws.fail == []
        assert provider(running) == "together"  # the next look is later
        later(running)
        assert provider(running) == "openai"
    assert caplog.text.count("settings changed at run time cannot be read") == 1
    assert "InternalServerError" in caplog.text and "can be read again" in caplog.text


def test_a_table_that_does_not_answer_stops_no_start(aws, table, two, config, tmp_path, caplog):
    config("set", "LLM_PROVIDER", "together")
    aws.fail = [("GetItem", 500, REFUSAL)] * 2  # the client asks twice
    with caplog.at_level(logging.ERROR, "patchbay"), server(tmp_path, PATCHBAY_TABLE=table, **two) as running:
        assert aws.fail == []
        assert provider(running) == "openai"
        later(running)
        assert provider(running) == "together"
    assert caplog.text.count("settings changed at run time cannot be read") == 1
