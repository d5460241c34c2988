"""The codec of the Messages dialect under the dialect's name: its modules have its maker's. For who needs it."""

from core.wire.anthropic import completion_to, request_from, usage_to
from core.wire.messages_stream import MessagesStream

__all__ = ["MessagesStream", "completion_to", "request_from", "usage_to"]
