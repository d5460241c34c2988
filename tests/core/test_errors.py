"""The tree that is drawn is the tree that is there, and each class answers its questions."""

import re
from http import HTTPStatus
from typing import get_args

import pytest

import core.errors
from core.errors import (
    AdapterBroken,
    AllTargetsFailed,
    BadRequest,
    ContextTooLong,
    CredentialRefused,
    Fault,
    GatewayError,
    LibraryUnusable,
    NoTarget,
    PatchbayError,
    RateLimited,
    RequestRefused,
    ServerFault,
    SessionsFull,
    TargetError,
)
from core.types.attempt import Attempt
from core.types.plan import Exclusion
from core.types.target import Target

CLASSES = {
    name: one
    for name, one in vars(core.errors).items()
    if isinstance(one, type) and issubclass(one, PatchbayError) and one.__module__ == "core.errors"
}
TARGET_ERRORS = [one for one in CLASSES.values() if issubclass(one, TargetError)]
A, B = Target("azure", "default", "m"), Target("openai", "eu", "n")


def drawn():
    """(name, parent, status) of each line of the drawing."""
    found: list[tuple[str, str | None, int | None]] = []
    above: list[str] = []
    for line in (core.errors.__doc__ or "").splitlines():
        match = re.match(r"^((?:│   |    )*)(?:├── |└── )(\w+)(?:\s+(\d{3})\b)?|^(PatchbayError)$", line)
        if match is None:
            continue
        indent, name, status, root = match.groups()
        depth = 0 if root else len(indent) // 4 + 1
        above[depth:] = [root or name]
        found.append((root or name, above[depth - 1] if depth else None, int(status) if status else None))
    return found


DRAWN = drawn()


def attempt(number, target, error):
    return Attempt(number=number, target=target, outcome="failed", started_at=0.0, ms=1.0, error=type(error).__name__)


def failed(*errors):
    return AllTargetsFailed([attempt(1 + n, (A, B)[n % 2], error) for n, error in enumerate(errors)], errors)


class TestDrawing:
    def test_every_class_is_in_it_once(self):
        names = [name for name, _, _ in DRAWN]
        assert len(names) == len(set(names)) > 25
        assert set(CLASSES) == set(names)

    @pytest.mark.parametrize(("name", "parent", "status"), DRAWN)
    def test_it_hangs_where_it_is_drawn(self, name, parent, status):
        assert CLASSES[name].__bases__[0].__name__ == (parent or "Exception")

    @pytest.mark.parametrize(
        ("name", "status"),
        [(name, status) for name, parent, status in DRAWN if status and parent != "TargetError"],
    )
    def test_its_status_is_the_one_drawn(self, name, status):
        assert CLASSES[name].status == status

    def test_every_error_of_ours_has_its_status_drawn(self):
        for name, parent, status in DRAWN:
            if parent in {"CallerError", "GatewayError"}:
                assert status, name


@pytest.mark.parametrize("cls", CLASSES.values(), ids=lambda cls: cls.__name__)
def test_status_type_and_fault(cls):
    assert HTTPStatus(cls.status) >= 400
    assert re.fullmatch(r"[a-z_]+", cls.type)
    assert cls.fault in get_args(Fault)


class TestTargetErrors:
    @pytest.mark.parametrize("cls", TARGET_ERRORS, ids=lambda cls: cls.__name__)
    def test_each_answers_three_questions(self, cls):
        assert isinstance(cls.again, bool)
        assert isinstance(cls.next, bool)
        # Who fails at a target is not the gateway, unless its own adapter does, or what it runs here for a provider.
        ours = {AdapterBroken, LibraryUnusable, SessionsFull}
        assert cls.fault in set(get_args(Fault)) - ({"gateway"} if cls not in ours else set())

    @pytest.mark.parametrize("cls", TARGET_ERRORS, ids=lambda cls: cls.__name__)
    def test_each_has_advice_that_is_a_sentence(self, cls):
        assert len(cls.advice) > 15
        assert cls.advice[0].isupper()
        assert cls.advice.endswith(".")

    @pytest.mark.parametrize("cls", TARGET_ERRORS, ids=lambda cls: cls.__name__)
    def test_what_would_fail_everywhere_is_not_repeated(self, cls):
        assert cls.next or not cls.again
        assert cls.fault != "caller" or not cls.again
        assert cls.fault != "caller" or 400 <= cls.status < 500

    @pytest.mark.parametrize("cls", TARGET_ERRORS, ids=lambda cls: cls.__name__)
    def test_each_is_made_alike(self, cls):
        error = cls("words", provider_status=500, code="c", param="p", request_id="r", retry_after=1.5)
        assert str(error) == error.message == "words"
        assert (error.provider_status, error.code, error.param) == (500, "c", "p")
        assert (error.request_id, error.retry_after) == ("r", 1.5)
        assert isinstance(error, PatchbayError)
        assert error.receipt is None


class TestAllTargetsFailed:
    def test_one_attempt_speaks_for_itself(self):
        error = failed(CredentialRefused("Incorrect key"))
        assert error.message == f"azure/m failed: Incorrect key. {CredentialRefused.advice}"
        assert error.status == 502

    def test_several_are_named_and_the_last_one_quoted(self):
        error = failed(ServerFault("down"), RateLimited("slow down."))
        assert error.message.startswith("All 2 attempts failed (azure/m, openai:eu/n). Last: slow down. ")
        assert error.message.endswith(RateLimited.advice)

    @pytest.mark.parametrize(
        ("errors", "status"),
        [
            ([RateLimited("x"), RateLimited("x")], 429),
            ([RateLimited("x"), ServerFault("x")], 502),
            ([ServerFault("x"), RateLimited("x")], 502),
            ([ContextTooLong("x"), ContextTooLong("x")], 400),
            ([ContextTooLong("x"), ServerFault("x")], 502),
            ([ServerFault("x"), RequestRefused("x")], 400),
            ([CredentialRefused("x"), ServerFault("x")], 502),
        ],
    )
    def test_the_status_is_what_all_agree_on_or_what_stopped_it(self, errors, status):
        assert failed(*errors).status == status

    def test_it_keeps_everything(self):
        errors = [ServerFault("x"), RequestRefused("y", param="n", code="c")]
        error = failed(*errors)
        assert list(error.errors) == errors
        assert [one.number for one in error.attempts] == [1, 2]
        assert (error.param, error.code) == ("n", "c")

    @pytest.mark.parametrize(
        ("waits", "expected"), [([None, None], None), ([5.0, 2.0], 2.0), ([None, 3.0], 3.0), ([0.0, 3.0], 0.0)]
    )
    def test_it_may_be_asked_again_when_the_first_is_ready(self, waits, expected):
        assert failed(*(RateLimited("x", retry_after=wait) for wait in waits)).retry_after == expected


class TestNoTarget:
    OPERATORS = Exclusion(target=A, code="not_configured", reason="set AZURE_OPENAI_KEY")
    OWN = Exclusion(target=B, code="features", reason="does not take vision", by_request=True)

    def test_what_the_operator_must_mend_is_503(self):
        error = NoTarget([self.OPERATORS])
        assert (error.status, error.fault) == (503, "gateway")
        assert "AZURE_OPENAI_KEY" in error.message
        assert isinstance(error, GatewayError)

    def test_what_the_caller_can_change_is_400(self):
        error = NoTarget([self.OPERATORS, self.OWN])
        assert (error.status, error.fault) == (400, "caller")
        assert "vision" in error.message
        assert list(error.excluded) == [self.OPERATORS, self.OWN]

    def test_nobody_at_all(self):
        assert NoTarget([]).status == 503
        assert NoTarget([]).message


def test_a_message_is_what_is_shown():
    error = BadRequest("n must be a whole number", param="n", code="invalid_type")
    assert (str(error), error.message, error.param, error.code) == (error.message, error.message, "n", "invalid_type")
