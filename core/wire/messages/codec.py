"""The codec of the Messages dialect under the dialect's name: its modules have its maker's. For who needs it."""

from core.wire.anthropic.asked import translated
from core.wire.anthropic.chat import completion_to, usage_to
from core.wire.messages.stream import MessagesStream

__all__ = ["MessagesStream", "completion_to", "translated", "usage_to"]
