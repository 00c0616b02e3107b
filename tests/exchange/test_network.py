"""Writes that no cancellation cuts, and connections that come too late."""

from __future__ import annotations

import anyio
import httpcore
import httpx
import pytest

from cogent.exchange.network import WRITE_SECONDS, put_under


class Slow:
    """A network, and its stream, that takes its time to write."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.read = self.aclose = self.get_extra_info = None
        self.written = 0

    async def connect_tcp(self) -> Slow:
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await anyio.sleep(self.seconds)
        self.written += len(buffer)


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


async def stream_on(slow: Slow, *, whole_writes: bool):
    client = httpx.AsyncClient(verify=False)
    pool = client._transport._pool
    pool._network_backend = slow
    put_under(client, whole_writes=whole_writes)
    return client, await pool._network_backend.connect_tcp()


@pytest.mark.parametrize("whole_writes", [True, False])
async def test_cancelled_in_a_write(whole_writes):
    """On HTTP/2 it is done all the same; on HTTP/1.1 there is no need."""
    slow = Slow(3)
    _, stream = await stream_on(slow, whole_writes=whole_writes)
    with anyio.move_on_after(1):
        await stream.write(b"frame")
    assert slow.written == (5 if whole_writes else 0)


async def test_a_server_that_takes_nothing():
    """After a while the connection is given up."""
    _, stream = await stream_on(Slow(3600), whole_writes=True)
    began = anyio.current_time()
    with pytest.raises(httpcore.WriteTimeout, match="takes no data"):
        await stream.write(b"frame")
    assert anyio.current_time() - began == pytest.approx(WRITE_SECONDS)


class Late:
    """A network, and its stream, that is there after a second; its handshake takes another."""

    read = write = get_extra_info = None

    def __init__(self) -> None:
        self.closed = False

    async def connect_tcp(self) -> Late:
        await anyio.sleep(1)
        return self

    start_tls = connect_tcp

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("seconds", [0.5, 1.5], ids=["connecting", "handshake"])
async def test_the_client_is_closed_while_it_connects(seconds):
    """Nobody else would close what comes about then: the pool knows nothing of it."""
    late = Late()
    client = httpx.AsyncClient(verify=False)
    pool = client._transport._pool
    pool._network_backend = late
    put_under(client, whole_writes=False)

    async def close() -> None:
        await anyio.sleep(seconds)
        await client.aclose()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(close)
        with pytest.raises(httpcore.ConnectError, match="closed"):
            await (await pool._network_backend.connect_tcp()).start_tls()
    assert late.closed
