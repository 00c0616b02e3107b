"""The sockets under our own clients: no cancellation leaves half a frame in one.

``httpcore`` lets a call that is cancelled while it writes leave half a frame behind, which breaks
all others on an HTTP/2 connection. It takes a network of one's own; only ``httpx`` has no argument
for it.
"""

from __future__ import annotations

from typing import Any

import anyio

__all__ = ("put_under",)

WRITE_SECONDS = 10.0
"""How long a server may refuse to take one write of HTTP/2, which is 16 KiB at most."""


def put_under(client: Any, *, whole_writes: bool) -> None:
    """Put this network under an ``httpx.AsyncClient`` that is not used yet.

    Args:
        client: The client.
        whole_writes: Let no cancellation cut a write: it is whole, or the connection's end.
    """
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Network(pool._network_backend, whole_writes)


class _Network:
    """An ``httpcore.AsyncNetworkBackend``, on another one."""

    def __init__(self, network: Any, whole_writes: bool) -> None:
        self._network = network
        self._whole_writes = whole_writes

    async def connect_tcp(self, *args: Any, **options: Any) -> _Stream:
        stream = await self._network.connect_tcp(*args, **options)
        return _Stream(stream, self._whole_writes)


class _Stream:
    """An ``httpcore.AsyncNetworkStream``."""

    def __init__(self, stream: Any, whole_writes: bool) -> None:
        self._stream = stream
        self._whole_writes = whole_writes
        self.read = stream.read
        self.write = self._write_whole if whole_writes else stream.write
        self.aclose = stream.aclose
        self.get_extra_info = stream.get_extra_info

    async def start_tls(self, *args: Any, **options: Any) -> _Stream:
        stream = await self._stream.start_tls(*args, **options)
        return _Stream(stream, self._whole_writes)

    async def _write_whole(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with anyio.move_on_after(WRITE_SECONDS, shield=True):
            await self._stream.write(buffer, timeout)
            return
        import httpcore

        raise httpcore.WriteTimeout("the server takes no data")
