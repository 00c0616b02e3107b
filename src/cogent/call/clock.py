"""The clock of an event loop, for those who read it often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio.lowlevel import current_token

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("clock",)


def clock() -> Callable[[], float]:
    """Give ``anyio.current_time`` of this event loop, looked up once; asyncio's loops have it."""
    token = current_token()
    of_backend: Callable[[], float] = token.backend_class.current_time
    return getattr(token.native_token, "time", of_backend)
