"""One wait at a time, that a deadline or another task can end.

The scope is entered and left within one call, so none is ever alive between two.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import anyio

from .port import DeadlineReached, Interrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ("Wait",)

T = TypeVar("T")


class Wait:
    """Runs steps that can be interrupted; once interrupted, it stays so."""

    __slots__ = ("_scope", "interrupted")

    def __init__(self) -> None:
        self.interrupted = False
        self._scope: anyio.CancelScope | None = None

    def interrupt(self) -> None:
        """End the step in progress, or the next one, with `Interrupted`."""
        self.interrupted = True
        if self._scope is not None:
            self._scope.cancel()

    async def run(self, deadline: float | None, step: Callable[[], Awaitable[T]]) -> T:
        """Do one step.

        Args:
            deadline: A moment of ``anyio.current_time()``; ``None`` waits for ever.
            step: What to do.

        Raises:
            DeadlineReached: The deadline passed; the step was cancelled.
            Interrupted: `interrupt` was called; the step was cancelled.
        """
        self._check()
        with anyio.CancelScope(deadline=math.inf if deadline is None else deadline) as scope:
            self._scope = scope
            try:
                return await step()
            finally:
                self._scope = None
        self._check()
        raise DeadlineReached

    def _check(self) -> None:
        if self.interrupted:
            raise Interrupted
