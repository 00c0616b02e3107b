"""Bytes that were read from a socket, and that nobody was given yet.

The socket does not show them any more: TLS holds them, of which a read gives one record, or on
asyncio ``anyio``, of which it gives 64 KiB of up to 256. Where a connection is used again they
would be taken for the answer to the next call.
"""

from __future__ import annotations

import ssl

__all__ = ("has_read_ahead",)


def has_read_ahead(stream: object) -> bool:
    """Tell whether there are such bytes; if there are, the stream is of no use any more.

    Args:
        stream: One of ``anyio`` or ``trio``, with TLS or without, or what ``httpcore`` puts around
            it. Nothing public tells of what they hold.
    """
    while stream is not None:
        tls: ssl.SSLObject | None = getattr(stream, "_ssl_object", None)
        if tls is not None and _holds(tls):
            return True
        if getattr(getattr(stream, "_protocol", None), "read_queue", ()):
            return True
        stream = getattr(stream, "transport_stream", None) or getattr(stream, "_stream", None)
    return False


def _holds(tls: ssl.SSLObject) -> bool:
    """Tell whether there is a record to read: data, the end, or an error."""
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True
