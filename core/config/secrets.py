"""Secrets that cannot be printed by accident, and AWS's two stores of them."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import orjson

from core.errors import Misconfigured

_MANAGER, _PARAMETERS = "secretsmanager", "ssm"


class Secret:
    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def from_aws(sources: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Names and values of each source, `secretsmanager:<name or arn>` or `ssm:<path>`."""
    for source in sources:
        service, _, what = source.partition(":")
        if service not in {_MANAGER, _PARAMETERS} or not what:
            raise _refused("PATCHBAY_SECRETS: expected secretsmanager:<name or arn> or ssm:<path>")
        yield source, _read(source, service, what)


def _read(source: str, service: str, what: str) -> dict[str, str]:
    try:
        import boto3  # noqa: PLC0415 - only who keeps secrets at AWS pays for its library
        from botocore.config import Config  # noqa: PLC0415 - see above
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        raise _refused(f"{source} needs boto3: pip install -e '.[aws]'") from None
    try:
        limits = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 3})
        with closing(boto3.client(service, config=limits)) as client:
            return _secret_object(client, what) if service == _MANAGER else _parameters(client, what)
    except ClientError as error:
        raise _refused(f"{source} cannot be read: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise _refused(f"{source} cannot be read: {type(error).__name__}: {error}") from None
    except _Unfit as error:
        raise _refused(f"{source}: {error}") from None


class _Unfit(Exception):
    """What is there is not what was expected."""


def _secret_object(client: Any, what: str) -> dict[str, str]:
    answer = client.get_secret_value(SecretId=what)
    try:
        data = orjson.loads(answer.get("SecretString") or "")
    except orjson.JSONDecodeError:
        data = None
    if not isinstance(data, dict) or not all(isinstance(value, str | int | float) for value in data.values()):
        raise _Unfit("expected a JSON object of names and values")
    return {
        name.upper().replace("-", "_"): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in data.items()
    }


def _parameters(client: Any, path: str) -> dict[str, str]:
    pages = client.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True, WithDecryption=True)
    found = [one for page in pages for one in page["Parameters"]]
    if not found:
        raise _Unfit("there is no parameter below it")
    return {one["Name"].rpartition("/")[2].upper().replace("-", "_"): one["Value"] for one in found}


def _refused(words: str) -> Misconfigured:
    return Misconfigured(words, param="PATCHBAY_SECRETS")
