"""Reading what is left of a body after the end of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ProviderError
from ..exchange import DeadlineReached, Interrupted

if TYPE_CHECKING:
    from ..exchange import Exchange

__all__ = ("drain",)

DRAIN_SECONDS = 0.1
DRAIN_BYTES = 64 * 1024
"""How long, and for how much, the rest of a body is read."""


async def drain(exchange: Exchange, now: float) -> None:
    """Read what is left of a body, so that its connection may be used again.

    Bounded in time and in bytes; cancelled, it leaves the connection to be closed.

    Args:
        exchange: Whose body it is.
        now: The moment, in ``anyio.current_time()``.
    """
    left = DRAIN_BYTES
    deadline = now + DRAIN_SECONDS
    try:
        while left > 0:
            data = await exchange.receive(deadline)
            if not data:
                return
            left -= len(data)
    except (DeadlineReached, Interrupted, ProviderError):
        return
