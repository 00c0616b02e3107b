"""What ``httpcore`` leaves undone when a call starts a connection, or uses one again.

Mended here, for clients of our own and of callers, through attributes that are not public where
there is no other way:

- A call that is cancelled once its connection is there, before its request is sent, leaves the
  connection in the pool: open, and never to be had. One in the handshake of TLS leaves the socket.
- Bytes that come after the exact end of an answer, in the same packet, are kept, and are taken
  for the answer to the next call: whoever can write them, an attacker or a broken gateway, has
  answered another call. (What comes later ``httpcore`` sees: it uses no idle connection on which
  there is something to read.)
- For HTTP/2 see `cogent.exchange.http2`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import anyio

from .http2 import innermost_connections, keep_out_of_the_table, pool_of, share_connections
from .rules import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ("safe_start",)

# Between these there are one write at most, and locks that are free.
_SHIELDED = {
    "connection.connect_tcp.complete": True,
    **{f"{to}.start_tls.started": False for to in ("connection", "proxy", "socks")},
    **{f"{to}.start_tls.complete": True for to in ("connection", "proxy", "socks")},
    "http2.send_connection_init.started": True,
    "http11.send_request_headers.started": False,
    "http2.send_request_headers.started": False,
}
"""From, and until, which events a call must not be cancelled."""


def safe_start(
    client: Any, url: Any, scope: anyio.CancelScope
) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """Make a ``trace`` extension that looks after a request until it is sent.

    Args:
        client: An ``httpx.AsyncClient``, or one of ``httpx2``.
        url: Where the request goes, of the client's own type.
        scope: The scope in which it is sent.
    """
    stream: Any = None

    async def trace(event: str, info: Mapping[str, Any]) -> None:
        nonlocal stream
        scope.shield = _SHIELDED.get(event, scope.shield)
        if event.endswith(".connect_tcp.complete"):
            stream = info["return_value"]
        elif event.endswith(".start_tls.failed") and stream is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await stream.aclose()
        elif event == "http2.send_request_headers.started":
            keep_out_of_the_table(pool_of(client, url))
        elif event in ("http2.send_connection_init.started", "http11.send_request_headers.started"):
            pool = pool_of(client, url)
            share_connections(pool, info["request"])
            _leave_if_answered(pool)

    return trace


def _leave_if_answered(pool: Any) -> None:
    """Make the pool take another connection, where the one at hand has an answer already."""
    for connection in innermost_connections(pool):
        state = getattr(connection, "_h11_state", None)
        if state is None or connection.is_idle():
            continue  # of HTTP/2, or not the one at hand
        if str(state.our_state) == "IDLE" and state.trailing_data[0]:
            library = import_module(type(pool).__module__.partition(".")[0])
            raise library.ConnectionNotAvailable
