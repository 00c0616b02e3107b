"""Connections of HTTP/1.1, each for one exchange at a time, and kept for the next one.

One is kept only after the exact end of an answer, and used again only if nothing has come since,
not even its end: whatever came then would be taken for the answer to the next call.
"""

from __future__ import annotations

import select
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakSet

import anyio
from anyio.abc import SocketAttribute

from .read_ahead import has_read_ahead
from .rules import CLOSE_SECONDS

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from anyio.abc import ByteStream

__all__ = ("Connection", "Origin", "Pool")

IDLE_SECONDS = 5.0
"""How long an idle connection is kept: as long as ``httpx`` keeps one."""

MAX_IDLE = 100
"""How many are kept."""


class Origin(NamedTuple):
    """Where a connection leads."""

    tls: bool
    host: str
    port: int


class Connection:
    """One socket, with TLS on it or without.

    Attributes:
        origin: Where it leads.
        stream: What is read and written.
        socket: What is below.
        idle_until: When it has been idle for too long.
    """

    __slots__ = ("__weakref__", "idle_until", "origin", "socket", "stream")

    def __init__(self, origin: Origin, stream: ByteStream) -> None:
        self.origin = origin
        self.stream = stream
        self.socket: socket.socket = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - not Django's
        self.idle_until = 0.0

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to read: neither bytes, nor an end, nor an error."""
        return not _is_readable(self.socket) and not has_read_ahead(self.stream)

    async def aclose(self) -> None:
        """Close it; shielded from cancellation, and bounded in time."""
        with anyio.move_on_after(CLOSE_SECONDS, shield=True), suppress(Exception):
            await self.stream.aclose()

    def __del__(self) -> None:
        """Close what was dropped open, as far as that goes without waiting: up to the first wait.

        By then both event loops have closed the socket, or have been told to.
        """
        if self.socket.fileno() >= 0:
            closing = self.stream.aclose()
            with suppress(Exception):  # the loop is not there any more: the socket closes itself
                closing.send(None)
            closing.close()


class Pool:
    """Connections to many origins.

    Args:
        context: Gives the certificates to trust, when they are needed first.

    Attributes:
        closed: No connection is made any more.
        idle: Those to be had, the one that was used last at the end.
        used: Those that serve an exchange.
    """

    def __init__(self, context: Callable[[], ssl.SSLContext]) -> None:
        self.closed = False
        self.idle: list[Connection] = []
        # A dropped exchange closes its connection; nothing here is to keep it.
        self.used: WeakSet[Connection] = WeakSet()
        self._context = context

    async def take(self, origin: Origin) -> Connection | None:
        """Give an idle connection that can be used; ``None`` where there is none."""
        now = anyio.current_time()
        while self.idle and self.idle[0].idle_until <= now:
            await self.idle.pop(0).aclose()
        while (found := self._pop(origin)) is not None:
            if found.is_silent:
                self.used.add(found)
                return found
            await found.aclose()
        return None

    async def connect(self, origin: Origin, timeout: float | None) -> Connection:  # noqa: ASYNC109 - TLS is in it
        """Make a connection.

        Args:
            origin: Where to.
            timeout: Seconds for it, TLS included.

        Raises:
            OSError: There is none; its TLS, among them, is one with the server's certificate.
            TimeoutError: There is none yet.
            ConnectionAbortedError: The pool was closed meanwhile.
        """
        tls, host, port = origin
        stream: ByteStream
        with anyio.fail_after(timeout):
            if tls:
                context = self._context()
                stream = await anyio.connect_tcp(
                    host, port, ssl_context=context, tls_standard_compatible=False
                )
            else:
                stream = await anyio.connect_tcp(host, port)
            made = Connection(origin, stream)
        if self.closed:
            await made.aclose()
            raise ConnectionAbortedError("the client was closed")
        self.used.add(made)
        return made

    async def give(self, connection: Connection) -> None:
        """Take back a connection after the exact end of an answer."""
        self.used.discard(connection)
        if self.closed:
            await connection.aclose()
            return
        connection.idle_until = anyio.current_time() + IDLE_SECONDS
        self.idle.append(connection)
        if len(self.idle) > MAX_IDLE:
            await self.idle.pop(0).aclose()

    async def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used again."""
        self.used.discard(connection)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all, those that are in use too."""
        self.closed = True
        left = [*self.idle, *self.used]
        self.idle.clear()
        for connection in left:
            await connection.aclose()

    def _pop(self, origin: Origin) -> Connection | None:
        for at in reversed(range(len(self.idle))):
            if self.idle[at].origin == origin:
                return self.idle.pop(at)
        return None


def _is_readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return True
    if hasattr(select, "poll"):  # unlike select(), for file numbers of any size
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock.fileno()], [], [], 0)[0])
