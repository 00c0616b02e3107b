"""The sockets under our own clients: no cancellation leaves half a frame in one.

``httpcore`` forgets a socket that comes about after the client was closed; and it lets a call that
is cancelled while it writes leave half a frame behind, which breaks all others on an HTTP/2
connection. It takes a network of one's own; only ``httpx`` has no argument for it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import anyio

from .rules import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("put_under",)

WRITE_SECONDS = 10.0
"""How long a server may refuse to take one write of HTTP/2, which is 16 KiB at most."""


def put_under(client: Any, *, whole_writes: bool) -> None:
    """Put this network under an ``httpx.AsyncClient`` that is not used yet.

    Args:
        client: The client.
        whole_writes: Let no cancellation cut a write: it is whole, or the connection's end.
    """
    known = weakref.ref(client)  # a cycle would keep its sockets open until it is collected

    def is_closed() -> bool:
        found = known()
        return found is None or found.is_closed

    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Network(pool._network_backend, whole_writes, is_closed)


class _Network:
    """An ``httpcore.AsyncNetworkBackend``, on another one."""

    def __init__(self, network: Any, whole_writes: bool, is_closed: Callable[[], bool]) -> None:
        self._network = network
        self._whole_writes = whole_writes
        self._is_closed = is_closed

    async def connect_tcp(self, *args: Any, **options: Any) -> _Stream:
        stream = await self._network.connect_tcp(*args, **options)
        await _close_if_late(stream, self._is_closed)
        return _Stream(stream, self._whole_writes, self._is_closed)


class _Stream:
    """An ``httpcore.AsyncNetworkStream``."""

    __slots__ = ("_is_closed", "_stream", "_whole_writes", "read")

    def __init__(self, stream: Any, whole_writes: bool, is_closed: Callable[[], bool]) -> None:
        self._stream = stream
        self._whole_writes = whole_writes
        self._is_closed = is_closed
        self.read = stream.read  # the very method: it is called for each read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if not self._whole_writes:
            await self._stream.write(buffer, timeout)
            return
        with anyio.move_on_after(WRITE_SECONDS, shield=True):
            await self._stream.write(buffer, timeout)
            return
        import httpcore

        raise httpcore.WriteTimeout("the server takes no data")

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(self, *args: Any, **options: Any) -> _Stream:
        stream = await self._stream.start_tls(*args, **options)
        await _close_if_late(stream, self._is_closed)
        return _Stream(stream, self._whole_writes, self._is_closed)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


async def _close_if_late(stream: Any, is_closed: Callable[[], bool]) -> None:
    """Close a connection that came about after its client was closed: nobody else would."""
    if is_closed():
        import httpcore

        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            await stream.aclose()
        raise httpcore.ConnectError("the client was closed")
