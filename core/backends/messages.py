"""What all queues share: what may be sent, and what becomes of a message that was handled."""

import asyncio
import logging
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from core.backends.ports import Body, Done, Handled, Handler, Message, Poison, Retry
from core.errors import PatchbayError

log = logging.getLogger("patchbay")

SCHEMA = 1
LONGEST_DELAY = 900  # seconds, as on SQS
# SQS takes 1 MiB now, and 256 KiB in queues that were made before; what goes along with a body needs room as well.
LARGEST = 250_000
UNREADABLE = "its body is no JSON object"
_REASON = 1000  # characters
_BACKOFF, _LONGEST_BACKOFF = 2.0, 900.0  # seconds
_NEWER = 300.0  # seconds until a message of a newer version is looked at again: a deployment takes minutes
# What SQS refuses in a text, though JSON allows it. Control characters are escaped already.
_ESCAPES = {0xFFFE: "\\ufffe", 0xFFFF: "\\uffff"}


def packed(bodies: tuple[Body, ...], delay: int) -> list[str]:
    """The bodies as text, when all of them may be sent."""
    if not 0 <= delay <= LONGEST_DELAY:
        raise ValueError(f"a message can be delayed by 0 to {LONGEST_DELAY} seconds, not {delay}")
    texts = []
    for body in bodies:
        try:
            text = orjson.dumps(dict(body)).decode().translate(_ESCAPES)
        except TypeError as error:  # orjson's own kind is one
            raise ValueError(f"the body of a message is JSON: {error}") from error
        if (size := len(text.encode())) > LARGEST:
            raise ValueError(
                f"the body of a message has {size} bytes and may have {LARGEST}: "
                "put what is large into Blobs and send its key"
            )
        texts.append(text)
    return texts


def unpacked(text: str | bytes) -> dict[str, Any] | None:
    """None for what is no JSON object."""
    try:
        body = orjson.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


@dataclass(frozen=True, slots=True)
class Consumer:
    """A handler, and how often and how long it is asked. The same behind SQS and behind the embedded worker."""

    handler: Handler
    chance: Random
    limit: float  # seconds for one message
    most: int = 5  # attempts; then it goes to the dead letters with the reason of the last

    async def outcome(self, message: Message) -> Handled:
        """Done, Poison, or Retry with its wait. Whatever the handler raises is a reason to try again."""
        handled = await self._ask(message)
        if isinstance(handled, Done):
            return handled
        reason = handled.reason[:_REASON]
        if isinstance(handled, Poison):
            return self.poison(message.id, reason)
        if message.attempt >= self.most:
            return self.poison(message.id, f"gave up after {message.attempt} attempts; the last: {reason}")
        after = self._backoff(message.attempt) if handled.after is None else max(0.0, handled.after)
        log.warning("message %s comes again in %.1f s: %s", message.id, after, reason)
        return Retry(reason, after)

    @staticmethod
    def poison(name: str, reason: str) -> Poison:
        """Its reason is one line that every queue takes."""
        kept = "".join(one if one.isprintable() and one not in "\ufffe\uffff" else " " for one in reason)
        reason = kept.strip() or "no reason was given"
        log.error("message %s goes to the dead letters: %s", name, reason)
        return Poison(reason)

    async def _ask(self, message: Message) -> Handled:
        if message.v is not None and message.v > SCHEMA:
            return Retry(
                f"it was sent by a newer version of Patchbay (schema {message.v}; this one reads up to {SCHEMA}): "
                "update this one",
                _NEWER,
            )
        timer = asyncio.timeout(self.limit)
        try:
            async with timer:
                return await self.handler(message)
        except PatchbayError as error:
            return Retry(f"{type(error).__name__}: {error.message}")
        except TimeoutError:
            if timer.expired():
                return Retry(f"handling took longer than {self.limit:g} s")
            log.exception("message %s", message.id)
            return Retry("TimeoutError")
        except Exception as error:
            # Its words may quote what was handled, which a reason must not; the log has where it was.
            log.exception("message %s", message.id)
            return Retry(type(error).__name__)

    def _backoff(self, attempt: int) -> float:
        return min(_LONGEST_BACKOFF, _BACKOFF * 2.0 ** (attempt - 1)) * self.chance.uniform(0.5, 1.0)
