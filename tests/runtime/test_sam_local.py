"""`sam local invoke` as it is documented: each function with exactly the environment that SAM would give it."""

import json
import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from infra.local.sandbox import ROOT, known
from tests.runtime.lambdas import EVENTS, event, function

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text())
OVERRIDES = json.loads((EVENTS / "env.json").read_text())["Parameters"]
OWN = {f"functions.{name}.app.handler": name for name in known()}


def variables(name: str) -> dict[str, Any]:
    """What the template names for a function."""
    (own,) = [
        one["Properties"]
        for one in TEMPLATE["Resources"].values()
        if OWN.get(one["Properties"].get("Handler")) == name
    ]
    given: dict[str, Any] = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    return {**given, **own.get("Environment", {}).get("Variables", {})}


def resolved(value: Any) -> str:
    """A parameter is its default; a resource, which is nowhere, is its own name."""
    known_here = {name: one["Default"] for name, one in TEMPLATE["Parameters"].items()}
    match value:
        case {"Ref": name}:
            return str(known_here.get(name, name))
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{(\w+)\}", lambda found: str(known_here.get(found[1], found[1])), text)
    return str(value)


def by_sam(name: str, shell: dict[str, str], overrides: dict[str, str]) -> dict[str, str]:
    """SAM's rule: only what the template names, from the file, or else the shell, or else the template."""
    named = variables(name)
    made = {one: overrides.get(one, shell.get(one, resolved(value))) for one, value in named.items()}
    return {
        "AWS_SAM_LOCAL": "true",
        "AWS_ACCESS_KEY_ID": "defaultkey",
        "AWS_SECRET_ACCESS_KEY": "defaultsecret",
        **made,
    }


def started(name, tmp_path, shell, overrides=OVERRIDES, **more):
    (tmp_path / "tmp").mkdir()
    return function(name, tmp_path, exactly=by_sam(name, shell, overrides), TMPDIR=str(tmp_path / "tmp"), **more)


@pytest.mark.parametrize("name", ["chat", "embed"])
def test_it_answers_with_a_provider_of_the_shell(name, fleet, tmp_path):
    shell = {"OPENAI_API_KEY": "sk-test-1", "OPENAI_BASE_URL": f"{fleet.url('openai')}/v1"}
    with started(name, tmp_path, shell) as running:
        answer = running.answer(event(name))
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["headers"]["x-patchbay-provider"] == "openai"
    assert (tmp_path / "tmp/patchbay/state.db").exists()


def test_the_catalog_answers(tmp_path):
    with started("catalog", tmp_path, {}) as running:
        assert running.answer(event("catalog-status"))["statusCode"] == 200


@pytest.mark.parametrize("name", ["chat", "embed"])
def test_without_a_provider_it_says_what_to_set(name, tmp_path):
    with started(name, tmp_path, {}) as running:
        answer = running.answer(event(name))
    assert (answer["statusCode"], "OPENAI_API_KEY" in answer["body"]) == (503, True)


def test_without_the_file_nothing_would_start(tmp_path):
    """What SAM makes of a secret is no secret's name; if this ever answers, the file is not needed."""
    with started("chat", tmp_path, {}, {}, AWS_ENDPOINT_URL="http://127.0.0.1:1") as running:
        outcome = running.outcome(event("chat"))
    assert (outcome.kind, b"secretsmanager:Secrets" in outcome.body) == ("init", True), outcome.body


def test_the_file_names_what_is_only_at_aws_and_nothing_that_sam_ignores():
    named = {one for name in known() for one in variables(name)}
    assert OVERRIDES.keys() <= named
    away = {one for name in known() for one, value in variables(name).items() if not isinstance(value, str)}
    assert not any(OVERRIDES.get(one) for one in away)
    assert away - OVERRIDES.keys() == {"CHAT_PROVIDER", "LOG_LEVEL"}  # parameters with a default


def test_no_secret_has_a_value_in_the_template():
    assert {name: variables("chat")[name] for name in ("PATCHBAY_API_KEY", "OPENAI_API_KEY")} == {
        "PATCHBAY_API_KEY": "",
        "OPENAI_API_KEY": "",
    }
