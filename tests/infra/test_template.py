"""template.yaml as CloudFormation will see it: linted, transformed, and held against the code."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.routing import Route

from core.cache import shelf
from core.config.settings import Settings
from core.providers.table import TABLE
from infra.local.sandbox import handler_of, known

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
REGION = {"AWS_DEFAULT_REGION": "us-east-1"}
# Read before the settings are: it names where others come from.
SOURCES = {"PATCHBAY_SECRETS"}
TABLE_ITSELF = {"Fn::GetAtt": ["Table", "Arn"]}
# What requests may name as s3://bucket/key.
AUDIO = {
    "Fn::If": [
        "OwnAudio",
        {"Fn::Sub": "${Bucket.Arn}/audio/*"},
        {"Fn::Sub": "arn:${AWS::Partition}:s3:::${AudioBucket}/*"},
    ]
}


class NoManagedPolicies:
    """What AWS itself grants a function, such as writing its own log, is not looked up."""

    def load(self) -> dict[str, str]:
        return {}


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    """The transformed resources; code lies where `sam package` would have put it."""
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    template = yaml_parse(TEMPLATE.read_text())
    template["Globals"]["Function"]["CodeUri"] = "s3://packed/code"
    with mock.patch.dict(os.environ, REGION):
        whole = transform(template, {}, NoManagedPolicies())
    made: dict[str, Any] = whole["Resources"]
    return made


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def functions(resources: dict[str, Any]) -> dict[str, Any]:
    """The functions by folder."""
    found = of_type(resources, "AWS::Lambda::Function")
    return {one["Handler"].split(".")[1]: {**one, "name": name} for name, one in found.items()}


def statements(resources: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def routes_of(function: str) -> set[tuple[str, str]]:
    routes = [route for route in import_module(f"functions.{function}.routes").ROUTES if isinstance(route, Route)]
    routes = [route for route in routes if route.include_in_schema]  # what only says no needs no way in
    return {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}


def test_it_is_without_a_fault():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), str(TEMPLATE)],
        env={"PATH": os.environ["PATH"], **REGION}, capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cloudformation_takes_no_anchors():
    assert not re.search(r"(^|\s)[&*][a-z]", TEMPLATE.read_text())


@pytest.mark.parametrize("function", known())
def test_the_api_has_a_functions_routes_and_no_others(resources, function):
    (api,) = of_type(resources, "AWS::ApiGateway::RestApi").values()
    name = functions(resources)[function]["name"]
    there = {
        (method.upper(), path)
        for path, methods in api["Body"]["paths"].items()
        for method, one in methods.items()
        if f"${{{name}.Arn}}" in json.dumps(one["x-amazon-apigateway-integration"]["uri"])
    }
    assert there == routes_of(function)


@pytest.mark.parametrize("function", known())
def test_a_handler_is_what_is_tested_and_its_build_is_in_the_makefile(resources, function):
    one = functions(resources)[function]
    assert one["Handler"] == handler_of(function)  # which the tests of the runtime start
    built = resources[one["name"]]["Metadata"]["BuildMethod"]
    assert built == "makefile"
    done = subprocess.run(
        ["make", "--dry-run", f"build-{one['name']}", "ARTIFACTS_DIR=/nowhere"],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"functions/{function}/requirements.txt" in done.stdout
    assert (ROOT / f"functions/{function}/requirements.txt").is_file()


def test_nothing_is_built_with_what_is_not_locked():
    done = subprocess.run(
        ["make", "--dry-run", "build-ChatFunction", "ARTIFACTS_DIR=/nowhere", "OWN=patchbay.yaml"],
        cwd=ROOT, capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    installs = [line for line in done.stdout.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert len(installs) == 2 and all("--require-hashes" in line for line in installs)
    assert "--with" not in done.stdout
    locked = (ROOT / "infra/local/requirements.txt").read_text()
    assert re.search(r"^pyyaml==[\d.]+ \\\n    --hash", locked, re.MULTILINE)  # which the build takes out of it


def test_a_functions_environment_is_settings_that_exist_and_no_secret(resources):
    names = {name for item in fields(Settings) for name in item.metadata.get("env", ())}
    names |= {name for row in TABLE for known in row.declared().names.values() for name in known}
    secret = {name for row in TABLE for kind in ("key", "token") for name in row.declared().names.get(kind, ())}
    for one in functions(resources).values():
        given = one["Environment"]["Variables"]
        assert given.keys() <= names | SOURCES
        # Named for `sam local`, which sets what is named; without a value they say nothing.
        assert not {name for name in secret | {"PATCHBAY_API_KEY"} if given.get(name)}
        assert given["PATCHBAY_TABLE"] == {"Ref": "Table"}
        assert given["PATCHBAY_BUCKET"] == {"Ref": "Bucket"}  # who has a table alone is warned
        assert given["PATCHBAY_SECRETS"] == {"Fn::Sub": "secretsmanager:${Secrets}"}


def test_what_is_secret_is_in_no_parameter_and_no_output(resources):
    text = TEMPLATE.read_text()
    assert "NoEcho" not in text
    assert "resolve:secretsmanager" not in text  # it would be plain in the function's configuration
    assert resources["Secrets"]["Properties"]["GenerateSecretString"]["GenerateStringKey"] == "PATCHBAY_API_KEY"


def test_every_function_may_do_what_it_needs_and_on_its_own_things_only(resources):
    granted: dict[str, set[str]] = {}
    for role, statement in statements(resources):
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not [action for action in actions if "*" in action]
        where = statement["Resource"]
        if actions == ["s3:ListBucket"]:
            assert where == {"Fn::GetAtt": ["Bucket", "Arn"]}
            assert statement["Condition"] == {"StringLike": {"s3:prefix": "cache/*"}}
        else:
            assert where in (TABLE_ITSELF, {"Fn::Sub": "${Bucket.Arn}/*"}, {"Ref": "Secrets"}, AUDIO)
        if where == AUDIO:
            assert actions == ["s3:GetObject"]
            continue
        granted.setdefault(role, set()).update(actions)
    answers = {
        "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem",
        "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:ListBucket",
    }  # fmt: skip
    for function, one in functions(resources).items():
        role = one["Role"]["Fn::GetAtt"][0]
        assert granted[role] >= {"dynamodb:GetItem", "dynamodb:Query", "secretsmanager:GetSecretValue"}
        needs = {"dynamodb:PutItem"} if function in {"catalog", "speak"} else answers  # they keep no answers
        if function == "transcribe":  # transcripts are not kept
            needs = {action for action in answers if action.startswith("dynamodb:")}
        assert granted[role] & answers == needs


def test_every_log_is_kept_for_a_time_and_no_longer(resources):
    logs = of_type(resources, "AWS::Logs::LogGroup")
    assert all(one["RetentionInDays"] == {"Ref": "LogDays"} for one in logs.values())
    used = [one["LoggingConfig"]["LogGroup"]["Ref"] for one in functions(resources).values()]
    assert sorted([*used, "ApiLogs"]) == sorted(logs)
    assert all(one["LoggingConfig"]["LogFormat"] == "JSON" for one in functions(resources).values())


def test_functions_run_as_they_are_built_and_are_traced(resources):
    for one in functions(resources).values():
        assert (one["Runtime"], one["Architectures"]) == ("python3.13", ["arm64"])
        assert one["TracingConfig"] == {"Mode": "Active"}
        assert one["Timeout"] <= 29  # API Gateway waits no longer
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
    assert stage["TracingEnabled"] is True
    (api,) = of_type(resources, "AWS::ApiGateway::RestApi").values()
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_the_table_is_what_the_store_expects(resources):
    table = resources["Table"]
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    assert {one["AttributeName"]: one["KeyType"] for one in table["Properties"]["KeySchema"]} == {
        "pk": "HASH",
        "sk": "RANGE",
    }
    assert {one["AttributeType"] for one in table["Properties"]["AttributeDefinitions"]} == {"S"}
    assert table["Properties"]["TimeToLiveSpecification"] == {"AttributeName": "exp", "Enabled": True}


def test_answers_of_the_cache_leave_the_bucket_by_themselves_and_nothing_else_does(resources):
    (rule,) = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["Prefix"], rule["ExpirationInDays"]) == ("Enabled", shelf._BLOBS, 1)


def test_the_bucket_is_nobody_elses(resources):
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    assert resources["Bucket"]["DeletionPolicy"] == "Retain"
