"""Reading an HTTP answer that is an error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from ..errors import BadResponse, ProviderError, quoted
from ..exchange import DeadlineReached
from ..exchange.rules import ERROR_BODY_BYTES, ERROR_BODY_SECONDS
from ..wire.failure import http_error
from .retry import retry_after

if TYPE_CHECKING:
    from ..exchange import Exchange, Head
    from .deadlines import Deadlines

__all__ = ("read_refusal",)


async def read_refusal(exchange: Exchange, head: Head, deadlines: Deadlines) -> ProviderError:
    """Make the error of an answer whose status is not 2xx.

    Args:
        exchange: Where its body is read from.
        head: Its head.
        deadlines: Of the call; its total time bounds the reading too.

    Raises:
        Interrupted: The exchange was interrupted.
    """
    if 300 <= head.status < 400:
        target = urlsplit(head.headers.get("location", "")).netloc or "the same host"
        return BadResponse(
            f"HTTP {head.status}, a redirect to {quoted(target)}, is not followed: "
            "set base_url to the right address"
        )
    body = bytearray()
    deadline = deadlines.within(anyio.current_time(), ERROR_BODY_SECONDS)
    try:
        while len(body) < ERROR_BODY_BYTES:
            data = await exchange.receive(deadline)
            if not data:
                break
            body += data
    except (DeadlineReached, ProviderError):
        pass  # the status alone says enough; the text is for the reader
    error = http_error(head.status, bytes(body[:ERROR_BODY_BYTES]), head.headers)
    wait = retry_after(head.headers, time.time())
    error.retry_after = error.retry_after if wait is None else wait
    wish = head.headers.get("x-should-retry")
    if wish in ("true", "false"):
        error.retryable = wish == "true"
    return error
