"""Everything that can go wrong, in one tree.

PatchbayError
├── CallerError                    the caller can mend it; no provider is tried
│   ├── BadRequest            400
│   ├── Unauthenticated       401
│   ├── Forbidden             403
│   ├── NotFound              404
│   ├── MethodNotAllowed      405
│   ├── MediaUnavailable      400  what an address in the request leads to cannot be had, or used by who was asked
│   ├── BadAudio              400  it cannot be heard: empty, no audio, or not what can be decoded
│   ├── BodyTooLarge          413
│   ├── AnswerTooLarge        413  what was asked for cannot be returned where this runs
│   ├── CallsItself           508  it has come through too many gateways
│   └── WrongMediaType        415
├── GatewayError                   ours, or how we are set up
│   ├── NoTarget              503  nothing configured can serve this request
│   ├── Misconfigured         500  a setting cannot be used
│   ├── DeadlinePassed        504  the caller's time ran out before any attempt could start
│   ├── StoreUnavailable      503  the state store does not answer
│   ├── Stopping              503  this gateway ends before the answer came
│   ├── NotYet                501  this version does not do it
│   └── InternalError         500
├── AllTargetsFailed               every attempt is listed; its status is that of what the caller should do
└── TargetError                    one attempt at one target failed
    ├── Unreachable                       connection refused, no such host, TLS
    ├── ConnectTimeout
    ├── FirstTokenTimeout                 no output in time
    ├── IdleTimeout                       output stopped coming
    │   └── Unacknowledged                what was sent was not taken for so long that no more can be sent
    ├── AttemptTimeout                    its share of the deadline is used up
    ├── Dropped                           the connection broke while an answer was due
    ├── Malformed                         the answer is not what the dialect says
    ├── SchemaMissed                      the answer is not the JSON that was asked for
    │   ├── SchemaUnmet                   and so many that it is the schema
    │   └── NoRoomToMend                  and max_cost leaves nothing for another try
    ├── NotTranslated                     the answer is no translation of the text
    ├── Unfaithful                        the answer says what the text does not
    │   └── NeverFaithful                 and so many that nobody else is asked
    ├── CutShort                          the answer ended at its greatest length, and a part of it is of no use
    ├── StreamCut                         the stream ended without its end
    ├── StreamFailed                      the provider sent an error inside its stream
    ├── RateLimited                       429
    ├── QuotaExhausted                    402, or 429 for an empty balance
    ├── CredentialRefused                 401, 403
    ├── ModelMissing                      404
    ├── ContextTooLong
    │   └── TooManyInputs                 one request asked for more than it may
    ├── ContentRefused                    this provider's content policy
    ├── ParameterRefused                  this provider does not take a parameter
    ├── RequestRefused                    400, 422: the request itself is wrong
    ├── Overloaded                        503, 529
    │   ├── BrokenOff                     the provider ran short in the middle of an answer
    │   └── SessionsFull                  as many live sessions run here as may
    ├── AdapterBroken                     an adapter of ours, or of a plug-in, raised something
    ├── OwnCodeFailed                     a provider of the program's own raised something
    ├── ProgramUnusable                   the vendor's own program is not there, or not set up
    ├── LibraryUnusable                   the vendor's own library cannot be loaded where this runs
    ├── Circle                            508: its address leads back to a gateway it came from
    └── ServerFault                       other 5xx, 408

Each TargetError class answers three questions: may the same target be tried again (`again`)? may the next
one (`next`)? whose `fault` is it: caller, account (our key or its limits), provider or network? An answer that
the target can mend when it is told what is wrong says so (`mends`).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from core.types.attempt import Attempt
    from core.types.plan import Exclusion
    from core.types.receipt import Receipt
    from core.types.usage import Usage

Fault = Literal["caller", "account", "provider", "network", "gateway"]


class PatchbayError(Exception):
    """The root: a message for people, a type for programs, a status for HTTP."""

    status: int = 500
    type: str = "internal_error"
    fault: Fault = "gateway"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.receipt: Receipt | None = None  # of the request that ended with this
        self.done: Mapping[str, Any] = {}  # what there is of its answer all the same


_FEW = 2  # targets that are named where one reason is that of many


class CallerError(PatchbayError):
    status = 400
    type = "invalid_request_error"
    fault: Fault = "caller"


class BadRequest(CallerError):
    pass


class Unauthenticated(CallerError):
    status = 401
    type = "authentication_error"


class Forbidden(CallerError):
    status = 403
    type = "permission_error"


class NotFound(CallerError):
    status = 404
    type = "not_found_error"


class MethodNotAllowed(CallerError):
    status = 405


class MediaUnavailable(CallerError):
    """`why` it cannot be had; `place` is the field that names it, once that is known."""

    def __init__(self, why: str, *, place: str | None = None, busy: bool = False) -> None:
        words = f"{place} cannot be used: {why}" if place else why
        # Sound is sent in fields of its own.
        is_sound = place is not None and (place.startswith("audio_") or place == "url")
        itself = "the file itself (file in a form, or audio_base64)" if is_sound else "the file itself (as a data URL)"
        advice = (
            f"Ask again in a moment, or send {itself}."
            if busy
            else f"Send {itself}, or an address that anybody may read."
        )
        super().__init__(f"{words}. {advice}" if place else words, param=place, code="media_unavailable")
        self.why = why
        self.cause = words  # without advice
        self.busy = busy
        if busy:
            self.status, self.type, self.fault = 503, "overloaded_error", "gateway"

    def at(self, place: str | None) -> "MediaUnavailable":
        """The same where it stands; None where the caller knows none of our names for it."""
        found = MediaUnavailable(
            self.why, place=place or "a file that the request names by its address", busy=self.busy
        )
        found.param, found.receipt = place, self.receipt
        return found


class BadAudio(CallerError):
    pass


class BodyTooLarge(CallerError):
    status = 413


class AnswerTooLarge(CallerError):
    status = 413


class WrongMediaType(CallerError):
    status = 415


class CallsItself(CallerError):
    status = 508


class GatewayError(PatchbayError):
    pass


class Misconfigured(GatewayError):
    type = "configuration_error"


class NoTarget(GatewayError):
    """Nothing was tried. `excluded` says why each target was left out; the caller's own wishes come first."""

    status = 503
    type = "no_target_error"

    def __init__(self, excluded: Sequence["Exclusion"]) -> None:
        own = [one for one in excluded if one.by_request]
        targets: dict[str, list[str]] = {}
        for one in own or excluded:
            targets.setdefault(one.reason, []).append(str(one.target))
        why = "; ".join(_said_of(reason, names) for reason, names in targets.items())
        why = why or "no provider offers it"
        param = next((one.param for one in own if one.param), None)
        super().__init__(f"No target can serve this request. {why}.", param=param, code="no_target")
        self.excluded = tuple(excluded)
        if own:
            self.status, self.type, self.fault = 400, "invalid_request_error", "caller"


def _said_of(reason: str, names: list[str]) -> str:
    """Of several the reason goes first, and not all of them are named."""
    if len(names) == 1:
        return f"{names[0]}: {reason}"
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{reason} ({', '.join(names[:_FEW])}{more})"


class DeadlinePassed(GatewayError):
    status = 504
    type = "timeout_error"


class StoreUnavailable(GatewayError):
    status = 503
    type = "store_unavailable"


class Stopping(GatewayError):
    """What was under way when the process was told to end. Another instance, or the next one, answers."""

    status = 503
    type = "stopping"
    retry_after: ClassVar[float] = 1

    def __init__(self) -> None:
        super().__init__("This gateway is stopping and gave the request up. Ask again.", code="stopping")


class NotYet(GatewayError):
    status = 501
    type = "not_implemented_error"


class InternalError(GatewayError):
    pass


class TargetError(PatchbayError):
    """One attempt failed; the facts of it are the provider's own words, without secrets."""

    status = 502
    type = "provider_error"
    fault: Fault = "provider"
    again: bool = True
    next: ClassVar[bool] = True
    mends: ClassVar[bool] = False
    # The provider may have worked, and may bill for it, though no answer came of it.
    billed: bool = False
    advice: str = "Try again, or let another provider answer."

    def __init__(
        self,
        message: str,
        *,
        provider_status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        usage: "Usage | None" = None,
    ) -> None:
        super().__init__(message, param=param, code=code)
        self.usage = usage  # what the provider said was used before it failed
        self.provider_status = provider_status
        self.request_id = request_id
        self.retry_after = retry_after


class Unreachable(TargetError):
    fault = "network"
    advice = "Check the provider's base URL and that it is up."


class ConnectTimeout(TargetError):
    fault = "network"
    status = 504
    advice = "Check the provider's base URL and the network between."


class FirstTokenTimeout(TargetError):
    billed = True
    status = 504
    advice = "Allow more time (x-patchbay-timeout-ms, PATCHBAY_FIRST_TOKEN_TIMEOUT) or use another model."


class IdleTimeout(TargetError):
    billed = True
    status = 504


class Unacknowledged(IdleTimeout):
    """The same would be sent again, and be met by the same silence."""

    again = False
    advice = "Let another provider answer, or ask for the whole answer by another model."


class AttemptTimeout(TargetError):
    billed = True
    status = 504
    again = False
    advice = "Allow more time (x-patchbay-timeout-ms) or ask for less at once."


class Dropped(TargetError):
    billed = True
    fault = "network"


class Malformed(TargetError):
    billed = True
    advice = "The provider, or a proxy in front of it, answered nonsense; check its base URL."


class SchemaMissed(TargetError):
    """What it used is known and counted, so nothing is left in doubt (`billed`)."""

    again = False
    mends = True
    advice = "Simplify the schema, describe its fields, or choose a model that keeps to schemas by itself."


class SchemaUnmet(SchemaMissed):
    """So many answers missed it that it is the schema: the chain stops."""

    mends = False
    next = False


class NoRoomToMend(SchemaMissed):
    status = 400
    fault: Fault = "caller"
    mends = False
    advice = "Raise max_cost, or simplify the schema."


class NotTranslated(TargetError):
    """What it used is known and counted."""

    again = False
    advice = "Ask another provider or model for this language."


class Unfaithful(TargetError):
    """What it used is known and counted."""

    again = False
    mends = True
    advice = "Choose a model that keeps to what it is given."


class NeverFaithful(Unfaithful):
    """So many answers did not keep to the text that the chain stops."""

    mends = False
    next = False
    advice = "Choose a model that keeps to what it is given, ask for less (`what`), or send a shorter text."


class CutShort(TargetError):
    """What it used is known and counted."""

    again = False
    advice = "Allow longer answers (<NAME>_MAX_TOKENS), or choose a model that gives them."


class StreamCut(TargetError):
    billed = True
    fault = "network"
    advice = "The answer is incomplete. Ask again."


class StreamFailed(TargetError):
    billed = True
    advice = "The answer is incomplete. Ask again."


class RateLimited(TargetError):
    status = 429
    fault = "account"
    advice = "Slow down, raise the account's limit at the provider, or configure another provider."


class QuotaExhausted(TargetError):
    fault = "account"
    again = False
    advice = "Top up or raise the spending limit of the account at the provider."


class CredentialRefused(TargetError):
    fault = "account"
    again = False
    advice = "Check the provider's key and what it is allowed to do."


class ModelMissing(TargetError):
    status = 404
    fault = "account"
    again = False
    advice = "Check the model's (or deployment's) name and that the account has access to it."


class ContextTooLong(TargetError):
    status = 400
    fault = "caller"
    again = False
    advice = "Shorten what does not fit or choose a model with a larger context."


class TooManyInputs(ContextTooLong):
    advice = "Send fewer inputs at once."


class ContentRefused(TargetError):
    status = 400
    fault = "caller"
    again = False
    advice = "This provider's content policy refused the request; change it or use another provider."


class ParameterRefused(TargetError):
    status = 400
    fault = "caller"
    again = False
    advice = "Leave the parameter out for this provider."

    def __init__(self, message: str, *, param: str | None = None, **facts: Any) -> None:
        super().__init__(message, param=param, **facts)
        if param is None:  # it has not said what it does not take
            self.advice = "Check what this provider takes, or let another one answer."


class RequestRefused(TargetError):
    """The caller's own mistake: the next provider would refuse it too, so the chain stops."""

    status = 400
    fault = "caller"
    again = False
    next = False
    advice = "Correct the request as the message says."


class Overloaded(TargetError):
    status = 503
    advice = "The provider is overloaded; try again later or configure another provider."


class BrokenOff(Overloaded):
    billed = True
    advice = "The answer is incomplete: the provider ran short. Ask again, or let another provider answer."


class SessionsFull(Overloaded):
    fault = "gateway"
    advice = "Raise PATCHBAY_SPEECH_SESSIONS, or set PATCHBAY_SPEECH_OVERFLOW=wait, or let another provider answer."


class ProgramUnusable(TargetError):
    fault = "account"
    again = False
    advice = (
        "Install the provider's own program where this gateway runs and log in with it, or set a key in its place."
    )


class LibraryUnusable(TargetError):
    fault = "gateway"
    again = False
    advice = "Install what it needs where this gateway runs, as README.md says, or let another provider answer."


class Circle(TargetError):
    status = 508
    fault = "account"
    again = False
    advice = "Check the provider's base URL: it leads back to this gateway, or through too many others."


class ServerFault(TargetError):
    pass


class AdapterBroken(TargetError):
    """A mistake in an adapter, which the same request would meet again. It may have asked before."""

    fault = "gateway"
    again = False
    billed = True
    advice = "Another provider may answer. Please report it with the trace in the gateway's log."


class OwnCodeFailed(TargetError):
    """Most likely a mistake in it, which the same call would meet again."""

    again = False
    advice = "This comes from the program's own provider: look into its code."


class AllTargetsFailed(PatchbayError):
    """Every attempt failed. The status is what all attempts agree on, or what stopped the chain, else 502."""

    status = 502
    type = "all_targets_failed"
    fault = "provider"

    def __init__(self, attempts: Sequence["Attempt"], errors: Sequence[TargetError]) -> None:
        last = errors[-1]
        who = ", ".join(dict.fromkeys(str(attempt.target) for attempt in attempts))
        said = last.message.rstrip(". ")
        if len(attempts) == 1:
            message = f"{who} failed: {said}. {last.advice}"
        else:
            message = f"All {len(attempts)} attempts failed ({who}). Last: {said}. {last.advice}"
        super().__init__(message, param=last.param, code=last.code)
        self.attempts = tuple(attempts)
        self.errors = tuple(errors)
        statuses = {error.status for error in errors}
        stopped = not last.next
        self.status = last.status if stopped or len(statuses) == 1 else 502
        waits = [error.retry_after for error in errors if error.retry_after is not None]
        self.retry_after = min(waits) if waits else None
