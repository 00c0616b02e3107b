"""What ``httpcore`` leaves undone when many calls share one HTTP/2 connection.

Mended here, through attributes of ``httpx`` and ``httpcore`` that are not public, for there is no
other way to them:

- A call that is left early is only forgotten: the server goes on generating (and charging), its
  bytes use up the connection's window of 16 MiB for good, and it counts as an open stream.
- Calls queue for the right to read. What one has read for another is not handed over before all
  that queue between them have read something too.
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
    from collections.abc import Callable

__all__ = ("is_http2", "prepare", "reset_left_streams")

_CANCEL = 8  # RFC 9113, section 7

_PLAIN_HEADERS = frozenset(
    b":method :scheme :authority :path accept accept-encoding content-length content-type "
    b"user-agent".split()
)
"""All other headers may hold secrets."""


def prepare(connection: Any) -> None:
    """Mend a connection that a request is about to be sent on; on HTTP/1.1 nothing is to be done.

    ``h2`` keeps only ``authorization`` out of its table (RFC 7541, section 7.1.3); keys have
    headers of other names too.

    Args:
        connection: The innermost, of ``httpcore``.
    """
    if not is_http2(connection):
        return
    if not isinstance(connection._receive_events, _SharedReads):
        connection._receive_events = _SharedReads(connection)
    encoder = connection._h2_state.encoder
    if "add" not in vars(encoder):
        encoder.add = partial(_add, encoder.add)


def _add(
    add: Callable[..., bytes], header: tuple[bytes, bytes], sensitive: bool, *rest: Any
) -> bytes:
    return add(header, sensitive or header[0] not in _PLAIN_HEADERS, *rest)


async def reset_left_streams(connection: Any, request: Any) -> None:
    """Reset the streams of a connection that nobody reads any more; there are none on HTTP/1.1.

    Args:
        connection: The innermost, of ``httpcore``.
        request: One that was sent on it, of ``httpx``.
    """
    if not is_http2(connection):
        return
    h2, read = connection._h2_state, connection._events  # by the number of the stream
    left = [number for number, s in h2.streams.items() if s.open and number not in read]
    for number in left:
        h2.reset_stream(number, _CANCEL)
    if left:
        await connection._write_outgoing_data(request)  # takes the connection's lock


def is_http2(connection: Any) -> bool:
    """Tell whether a connection, the innermost of ``httpcore``, speaks HTTP/2."""
    return hasattr(connection, "_h2_state")


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
