"""The agent's decisions, apart from all doing: what happened goes in, what to do comes out.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .chunks import FinishReason
    from .messages import Message
    from .response import Turn

__all__ = ("Action", "CallModel", "Finish", "Loop")


@dataclass(frozen=True, slots=True)
class CallModel:
    """Call the model with these messages."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over."""

    reason: FinishReason


Action: TypeAlias = CallModel | Finish


class Loop:
    """One run, from its first message to its end.

    Args:
        history: The messages that the run begins with, the new one included.
        new_from: Where in them the new ones begin.
    """

    def __init__(self, history: tuple[Message, ...], *, new_from: int = 0) -> None:
        self.history = history
        self.new_from = new_from
        self.turns: tuple[Turn, ...] = ()

    def begin(self) -> Action:
        """Say what to do first."""
        return CallModel(self.history)

    def turn_ended(self, turn: Turn) -> Action:
        """Take a turn that has ended, and say what to do next.

        Calls are left to the caller: the run ends with them.
        """
        self.turns = (*self.turns, turn)
        return Finish(turn.finish_reason or "unknown")
