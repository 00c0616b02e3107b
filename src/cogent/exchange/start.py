"""What ``httpcore`` leaves undone when a call starts a connection, or uses one again.

Mended here, for clients of our own and of callers, through attributes that are not public where
there is no other way:

- A call that is cancelled once its connection is there, before its request is sent, leaves the
  connection in the pool: open, and never to be had. One in the handshake of TLS leaves the socket,
  and through a proxy's tunnel the connection too, also where the handshake fails.
  One that starts a connection of HTTP/2 leaves it unusable for those after it.
- A connection of HTTP/2 whose first call is cancelled while it connects is struck off the pool,
  though others wait for it; they finish the work, and nobody closes it.
- Bytes that come after the exact end of an answer, and are read along with it, are kept, and are
  taken for the answer to the next call: whoever can write them, an attacker or a broken gateway,
  has answered another call. (What comes later ``httpcore`` sees: it uses no idle connection on
  which there is something to read.)
- A task that asyncio itself cancels (``Task.cancel``, and so ``asyncio.timeout``) minds no shield:
  the pool's own steps are cut off too, wherever that hits them, and the connection is left in it.
- For what else there is on HTTP/2 see `cogent.exchange.http2`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import anyio

from .http2 import is_http2, prepare
from .read_ahead import has_read_ahead
from .rules import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Start",)

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

_SENT = frozenset(event for event in _SHIELDED if ".send_" in event)
"""The request is about to be sent, or what comes before it on a new connection."""


class Start:
    """Looks after a request while it is sent, as its ``trace`` extension.

    It looks at the connection of its own request alone: a pool may hold thousands.

    Args:
        client: An ``httpx.AsyncClient``, or one of ``httpx2``.
        request: The request, which it will send.
        scope: The scope in which it is sent.

    Attributes:
        connection: What the request is sent on, without what tunnels or picks the protocol around
            it; a bare stream before there is a protocol, and ``None`` before that.
    """

    __slots__ = ("_pool", "_scope", "_sent", "connection")

    def __init__(self, client: Any, request: Any, scope: anyio.CancelScope) -> None:
        self.connection: Any = None
        self._pool = _pool_of(client, request.url)
        self._sent: Any = None  # the request, as the pool has it
        self._scope: anyio.CancelScope | None = scope
        request.extensions["trace"] = self

    def end(self) -> None:
        """Let go of the scope: this lives as long as the answer, a scope keeps those around it."""
        self._scope = None

    async def close_left(self) -> None:
        """Close what the pool holds for nobody, unless this call has left it as it should.

        To look for that takes some milliseconds where a pool has a thousand connections.
        """
        pool = self._pool
        if pool is None or self._has_left():
            return
        others = [sent for sent in pool._requests if sent.request.extensions.get("trace") != self]
        pool._requests[:] = others
        serving = {sent.connection for sent in others}
        left = [
            each
            for each in pool._connections
            if not (each.is_idle() or each.is_closed() or each in serving)
            if not is_http2(_innermost(each))
        ]
        for connection in left:
            pool._connections.remove(connection)
        # Nothing was awaited by now: while one is closed, other calls take what was free.
        await pool._close_connections([*left, *pool._assign_requests_to_connections()])

    def _has_left(self) -> bool:
        """Tell whether the pool has let go of the request, and got its connection back."""
        if self._sent is None or self._sent in self._pool._requests:
            return False
        used = self._sent.connection
        return used is None or used.is_idle() or used.is_closed() or is_http2(_innermost(used))

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take an event of the library."""
        if self._scope is None:
            return
        self._scope.shield = _SHIELDED.get(event, self._scope.shield)
        if event.endswith(".connect_tcp.complete"):
            self.connection = info["return_value"]
        elif event.endswith(".start_tls.failed") and self.connection is not None:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self.connection.aclose()
        elif event in _SENT:
            self._find_connection()
            prepare(self.connection)
            self._leave_if_answered()

    def _find_connection(self) -> None:
        """Find the request's own connection, and see that the pool knows it."""
        for sent in reversed(getattr(self._pool, "_requests", ())):  # it is one of the last
            if sent.request.extensions.get("trace") is self:
                self._sent, self.connection = sent, sent.connection
                if self.connection not in self._pool._connections:
                    self._pool._connections.append(self.connection)
                break
        self.connection = _innermost(self.connection)

    def _leave_if_answered(self) -> None:
        """Make the pool take another connection, if this one has an answer already."""
        state = getattr(self.connection, "_h11_state", None)
        if state is None:
            return
        used = getattr(self.connection, "_request_count", 0) > 1
        below = getattr(self.connection, "_network_stream", None) if used else None
        if state.trailing_data[0] or has_read_ahead(below):
            library = import_module(type(self._pool).__module__.partition(".")[0])
            raise library.ConnectionNotAvailable


def _innermost(connection: Any) -> Any:
    while hasattr(connection, "_connection"):
        connection = connection._connection
    return connection


def _pool_of(client: Any, url: Any) -> Any:
    """Give the pool that a client uses for a URL; ``None`` where it has none."""
    transport_for = getattr(client, "_transport_for_url", None)
    return getattr(transport_for and transport_for(url), "_pool", None)
