"""What ``httpcore`` leaves undone when many calls share one HTTP/2 connection.

Mended here, through attributes of ``httpx`` and ``httpcore`` that are not public, for there is no
other way to them:

- A call that is left early is only forgotten: the server goes on generating (and charging), its
  bytes use up the connection's window of 16 MiB for good, and it counts as an open stream.
- Calls queue for the right to read. What one has read for another is not handed over before all
  that queue between them have read something too.
- A call that is cancelled while it starts the connection leaves it unusable for those after it.
- A connection whose first call is cancelled while it connects is struck off the pool, though
  others wait for it; they finish the work, and nobody closes it.
- Keys that come in headers of other names than ``authorization`` are put into the table of the
  header compression, and into the logs of ``hpack``.

Not to be mended from outside: a server that announces the end of a connection (GOAWAY) breaks
all its streams at once, also those that it would have finished. They are `StreamInterrupted`, or
`NoResponse`, which is tried again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = (
    "innermost_connections",
    "keep_out_of_the_table",
    "pool_of",
    "reset_left_streams",
    "share_connections",
)

_CANCEL = 8  # RFC 9113, section 7

_PLAIN_HEADERS = frozenset(
    b":method :scheme :authority :path accept accept-encoding content-length content-type "
    b"user-agent".split()
)
"""All other headers may hold secrets."""


def share_connections(pool: Any, request: Any) -> None:
    """Let calls start a connection together, and share it.

    Args:
        pool: The pool of an ``httpx.AsyncClient``, or of one of ``httpx2``.
        request: The pool's own, about to be the first on its connection.
    """
    for sent in getattr(pool, "_requests", ()):
        if sent.request is request and sent.connection not in pool._connections:
            pool._connections.append(sent.connection)
    for connection in _http2_connections(pool):
        if not isinstance(connection._receive_events, _SharedReads):
            connection._receive_events = _SharedReads(connection)


def keep_out_of_the_table(pool: Any) -> None:
    """Let no header that may be a secret be indexed (RFC 7541, section 7.1.3), nor be logged.

    ``h2`` does so for ``authorization`` alone; keys have headers of other names too.

    Args:
        pool: The pool of an ``httpx.AsyncClient``, or of one of ``httpx2``.
    """
    for connection in _http2_connections(pool):
        encoder = connection._h2_state.encoder
        if "add" not in vars(encoder):
            encoder.add = partial(_add, encoder.add)


def _add(
    add: Callable[..., bytes], header: tuple[bytes, bytes], sensitive: bool, *rest: Any
) -> bytes:
    return add(header, sensitive or header[0] not in _PLAIN_HEADERS, *rest)


async def reset_left_streams(client: Any, request: Any) -> None:
    """Reset the streams that nobody reads any more, on the connections a request may have used.

    Does nothing on HTTP/1.1, and on clients that are built in another way.

    Args:
        client: An ``httpx.AsyncClient``, or one of ``httpx2``.
        request: A request that was made by it.
    """
    for connection in _http2_connections(pool_of(client, request.url)):
        h2, read = connection._h2_state, connection._events  # by the number of the stream
        left = [number for number, s in h2.streams.items() if s.open and number not in read]
        for number in left:
            h2.reset_stream(number, _CANCEL)
        if left:
            await connection._write_outgoing_data(request)  # takes the connection's lock


class _SharedReads:
    """Reads for all streams of a connection, one at a time, and wakes those that got something."""

    def __init__(self, connection: Any) -> None:
        self._read = connection._receive_events
        self._got = connection._events
        self._reading = False
        self._waiting: dict[anyio.Event, int | None] = {}

    async def __call__(self, request: Any, stream_id: int | None = None) -> None:
        """Return when there may be something; the caller looks, and calls again if not."""
        if self._reading:
            turn = anyio.Event()
            self._waiting[turn] = stream_id
            try:
                await turn.wait()
            except BaseException:
                self._waiting.pop(turn, None)
                if turn.is_set():
                    self._wake()  # it was to read, and will not
                raise
            return
        self._reading = True
        try:
            await self._read(request, stream_id)
        finally:
            self._reading = False
            self._wake()

    def _wake(self) -> None:
        """Wake who got something, who waits to write, and one more, to read next."""
        reader = self._reading
        for turn, stream_id in tuple(self._waiting.items()):
            ready = stream_id is None or self._got.get(stream_id)
            if ready or not reader:
                reader = reader or not ready
                del self._waiting[turn]
                turn.set()


def pool_of(client: Any, url: Any) -> Any:
    """Give the pool that a client uses for a URL; ``None`` where it has none."""
    transport_for = getattr(client, "_transport_for_url", None)
    return getattr(transport_for and transport_for(url), "_pool", None)


def innermost_connections(pool: Any) -> Iterator[Any]:
    """Give a pool's connections, without what tunnels or picks the protocol around them."""
    for connection in getattr(pool, "connections", ()):
        while hasattr(connection, "_connection"):
            connection = connection._connection
        yield connection


def _http2_connections(pool: Any) -> Iterator[Any]:
    return (each for each in innermost_connections(pool) if hasattr(each, "_h2_state"))
