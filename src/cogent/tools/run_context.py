"""What a tool, or a function that makes instructions, is told of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("RunContext",)

ContextT = TypeVar("ContextT")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext(Generic[ContextT]):
    """One call of a tool, as the tool sees it: a parameter of this type is not the model's.

    A function that makes instructions gets the context alone.

    Attributes:
        context: The value that the caller gave to this run. It is never sent to the model.
        call_id: The call's id.
        tool_name: The name under which the model called.
        turn: Which turn of the run asked for the call, counted from 1; 0 is the one that a
            resumed run began with.
    """

    context: ContextT
    call_id: str = ""
    tool_name: str = ""
    turn: int = 1
    _emit: Callable[[object], None] = field(default=lambda progress: None, repr=False)

    def emit(self, progress: object) -> None:
        """Report progress: it is handed to the reader of the run as a `ToolProgressChunk`.

        May be called from the worker thread of a sync tool. Without an open `Client`, what is
        reported is handed out when the tools of the turn have finished.

        Args:
            progress: What JSON can hold, for the reader; the model does not see it.
        """
        self._emit(progress)
