"""What there is to do next in a run, as its loop says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..chunks import FinishReason, NoticeChunk, ToolCall
    from ..errors import RunError
    from ..messages import Message

__all__ = ("Action", "CallModel", "Finish", "RunTools", "Stop")


@dataclass(frozen=True, slots=True)
class CallModel:
    """Call the model with these messages.

    Attributes:
        messages: The conversation.
        notice: What the reader is told first.
    """

    messages: tuple[Message, ...]
    notice: NoticeChunk | None = None


@dataclass(frozen=True, slots=True)
class RunTools:
    """Run these calls, side by side.

    Attributes:
        calls: The calls.
        repeated: Those of them that the run has seen before, often enough to be noticed.
    """

    calls: tuple[ToolCall, ...]
    repeated: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over.

    Attributes:
        reason: Why.
        pending: The calls that wait for an approval, or for the caller to run them.
    """

    reason: FinishReason
    pending: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """The run must not go on."""

    error: RunError


Action: TypeAlias = CallModel | RunTools | Finish | Stop
