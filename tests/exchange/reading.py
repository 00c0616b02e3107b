"""How tests read an answer at the port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from cogent.exchange import Exchange


async def rest(exchange: Exchange) -> bytes:
    """Read what is left of a body."""
    body = b""
    while data := await exchange.receive(anyio.current_time() + 5):
        body += data
    return body


async def whole(exchange: Exchange) -> bytes:
    """Make an exchange, to the end of its body; close it, whatever comes of it."""
    try:
        await exchange.head(anyio.current_time() + 5)
        return await rest(exchange)
    finally:
        await exchange.aclose()
