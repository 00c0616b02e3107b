"""One wait at a time, that a deadline or another task can end.

By a cancel scope, which is entered and left within one call, so none is ever alive between two;
or by a `Watchdog`, which does without.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import anyio

from .port import DeadlineReached, Interrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from .watchdog import Watch

__all__ = ("Wait",)

T = TypeVar("T")


class Wait:
    """Runs steps that can be interrupted; once interrupted, it stays so.

    Attributes:
        interrupted: `interrupt` was called.
    """

    __slots__ = ("_scope", "_watch", "interrupted")

    def __init__(self) -> None:
        self.interrupted = False
        self._watch: Watch | None = None
        self._scope: anyio.CancelScope | None = None

    def follow(self, watch: Watch | None) -> None:
        """Have a watchdog end later steps.

        Args:
            watch: Of the socket from which all of them read, until this is called again: what is
                done to a socket after its connection was given back is done to another call.
                ``None``: each has a cancel scope.
        """
        self._watch = watch

    @property
    def was_ended(self) -> bool:
        """Whether a step, or the socket below, was ended by us."""
        return self.interrupted or (self._watch is not None and self._watch.passed)

    def interrupt(self) -> None:
        """End the step in progress, or the next one, with `Interrupted`."""
        self.interrupted = True
        if self._scope is not None:
            self._scope.cancel()
        if self._watch is not None:
            self._watch.shut_down()

    def until(self, deadline: float | None) -> Self:
        """Bound what is awaited in a ``with`` block.

        Args:
            deadline: A moment of ``anyio.current_time()``; ``None`` waits for ever.

        Raises:
            DeadlineReached: The deadline passed; the step was ended.
            Interrupted: `interrupt` was called; the step was ended, or not begun.
        """
        if self.interrupted:
            raise Interrupted
        if self._watch is not None:
            self._watch.begin(deadline)
        else:
            self._scope = anyio.CancelScope(deadline=math.inf if deadline is None else deadline)
        return self

    def __enter__(self) -> None:
        if self._scope is not None:
            self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        scope, self._scope = self._scope, None
        if self._watch is not None:
            self._watch.deadline = math.inf
            by_us = error is not None and self.was_ended and isinstance(error, Exception)
        else:
            ended = scope is not None and scope.__exit__(kind, error, traceback)
            by_us = bool(ended) and error is not None
        if by_us:
            raise Interrupted if self.interrupted else DeadlineReached from None

    async def run(self, deadline: float | None, step: Callable[[], Awaitable[T]]) -> T:
        """Do one step; see `until`."""
        with self.until(deadline):
            return await step()
