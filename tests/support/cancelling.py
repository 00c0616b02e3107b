"""Cancel a coroutine at a moment that a test chooses."""

from __future__ import annotations

import gc
import itertools
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class CancelledAt:
    """Await something, and cancel the scope when it waits for the n-th time."""

    def __init__(self, awaitable, scope: anyio.CancelScope, n: int) -> None:
        self.awaitable = awaitable
        self.scope = scope
        self.left = n

    def __await__(self):
        steps = self.awaitable.__await__()
        resume, value = steps.send, None
        while True:
            try:
                trap = resume(value)
            except StopIteration as end:
                return end.value
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()
            try:
                resume, value = steps.send, (yield trap)
            except BaseException as error:  # noqa: BLE001 - passed on
                resume, value = steps.throw, error


async def cancelled_at_each_wait(call: Callable[[], Awaitable[object]]) -> int:
    """Call again and again, cancelled one wait later each time, until it comes to its end.

    Returns:
        How often it was called.
    """
    for n in itertools.count(1):
        with anyio.CancelScope() as scope:
            await CancelledAt(call(), scope, n)
        if not scope.cancelled_caught:
            return n
        gc.collect()
    raise AssertionError
