"""Many calls on one HTTP/2 connection, of which each may be left at any moment."""

from __future__ import annotations

import gc
import itertools
import ssl
import traceback
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest

from cogent.errors import ConfigurationError, NoResponse, StreamInterrupted
from cogent.exchange import Call
from cogent.exchange.http2 import _SharedReads
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.own_client import OwnClients
from tests.support.cancelling import CancelledAt, cancelled_at_each_wait
from tests.support.http2_server import HTTP2Server
from tests.support.script_server import document, forever, read, send

from .reading import rest

KEY = "sk-never-shown"


@pytest.fixture
def server(certificates):
    with HTTP2Server(certificates) as server:
        yield server


@asynccontextmanager
async def opened(certificates):
    """Give a transport that speaks HTTP/2; no connection of it is stuck at the end."""
    transport = HTTPXTransport(own=OwnClients(verify=certificates.ca, http2=True))
    try:
        yield transport
        pool = transport._own[True, True]._transport._pool
        assert not pool._requests
        assert all(c.is_idle() or c.is_closed() for c in pool.connections)
    finally:
        await transport.aclose()


@asynccontextmanager
async def begun(transport, server, body: bytes = b"prompt"):
    """Give an exchange whose first part has come; close it."""
    exchange = transport.exchange(Call(server.url, {}, body))
    try:
        await exchange.head(anyio.current_time() + 5)
        assert await exchange.receive(anyio.current_time() + 5) == b"one"
        yield exchange
    finally:
        await exchange.aclose()


async def test_many_streams(server, certificates):
    """20 calls share a connection; one is left early and one cancelled, and 18 go on."""
    bodies = []

    async def one(number: int) -> None:
        async with begun(transport, server) as exchange:
            if number == 3:
                return
            with anyio.CancelScope() as scope:
                if number == 4:
                    scope.cancel()
                bodies.append(await rest(exchange))

    async with opened(certificates) as transport:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, number)
            await server.until(lambda server: server.left == 2)
            server.open()
        assert bodies == [b"two"] * 18
    assert server.versions == ["2"] * 20
    assert len(server.clients) == 1


class Connection:
    """What the sharing of reads knows of a connection, and streams that wait for their part."""

    def __init__(self) -> None:
        self._events = {1: [], 3: [], 5: [], 7: []}
        self._comes = anyio.Event()
        self.scopes: dict[int, anyio.CancelScope] = {}
        self.done: set[int] = set()
        self.reads = 0

    async def _receive_events(self, request, stream_id=None) -> None:
        self.reads += 1
        await self._comes.wait()
        self._comes = anyio.Event()

    async def send(self, *numbers: int) -> None:
        """Let something come for these streams."""
        for number in numbers:
            self._events[number].append(b"part")
        self._comes.set()
        await anyio.wait_all_tasks_blocked()

    async def start(self, tasks) -> None:
        """Start a reader of each stream, in their order."""
        shared = _SharedReads(self)

        async def wait(number: int) -> None:
            with anyio.CancelScope() as self.scopes[number]:
                while not self._events[number]:
                    await shared(None, number)
                self.done.add(number)

        for number in self._events:
            tasks.start_soon(wait, number)
            await anyio.wait_all_tasks_blocked()


async def test_silent_streams_keep_nothing_from_the_others():
    """What comes for a stream is handed over at once, whoever of the others has read it."""
    connection = Connection()
    async with anyio.create_task_group() as tasks:
        await connection.start(tasks)
        await connection.send(5, 7)
        assert connection.done == {5, 7}
        await connection.send(3)
        await connection.send(1)
    assert connection.done == {1, 3, 5, 7}
    assert connection.reads == 3


async def test_readers_that_are_cancelled():
    """Who reads, or is to read next, and is cancelled in that moment, leaves it to another."""
    connection = Connection()
    async with anyio.create_task_group() as tasks:
        await connection.start(tasks)
        connection.scopes[1].cancel()  # it reads, and 3 will be told to be next
        for number in (3, 5):
            connection.scopes[number].cancel()
        await anyio.wait_all_tasks_blocked()
        await connection.send(7)
    assert connection.done == {7}


async def test_left_streams_do_not_add_up(certificates):
    """More calls are left early than a connection may have streams, and the next one succeeds."""
    with HTTP2Server(certificates, h2_max_concurrent_streams=10) as server:
        async with opened(certificates) as transport:
            for _ in range(15):
                async with begun(transport, server):
                    pass
            await server.until(lambda server: server.left == 15)
            async with begun(transport, server) as exchange:
                server.open()
                assert await rest(exchange) == b"two"
        assert len(server.clients) == 1


async def test_left_on_a_callers_client(server, certificates):
    """A caller's client is helped likewise."""
    context = ssl.create_default_context(cafile=certificates.ca)
    async with httpx.AsyncClient(verify=context, http2=True) as client:
        transport = HTTPXTransport(client)
        async with begun(transport, server) as stays:
            async with begun(transport, server):
                pass
            await server.until(lambda server: server.left == 1)
            server.open()
            assert await rest(stays) == b"two"
    assert len(server.clients) == 1


async def test_cancelled_beside_another(server, certificates):
    """Wherever in a call it is cancelled, in a write too, the one beside it goes on."""

    async def one() -> None:
        async with begun(transport, server, b"prompt" * 20_000):
            pass

    async with opened(certificates) as transport, begun(transport, server) as stays:
        calls = await cancelled_at_each_wait(one)
        assert calls > 10
        await server.until(lambda server: server.left == len(server.versions) - 1)
        server.open()
        assert await rest(stays) == b"two"
    assert len(server.clients) == 1


async def test_cancelled_at_the_start(server, certificates):
    """Two calls start a connection; wherever the first is cancelled, it serves the other."""

    async def first() -> None:
        async with begun(transport, server):
            pass

    async def other() -> None:
        async with begun(transport, server) as exchange:
            bodies.append(await rest(exchange))

    server.open()
    bodies = []
    for times, n in enumerate(itertools.chain(range(1, 30), itertools.count(30, 25)), 1):
        async with opened(certificates) as transport, anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            with anyio.CancelScope() as scope:
                await CancelledAt(first(), scope, n)
        gc.collect()
        assert bodies == [b"two"] * times
        if not scope.cancelled_caught:
            break
    assert n > 10
    assert len(server.clients) == times


async def test_plain_http_and_servers_without_it(serve, certificates):
    """HTTP/2 is asked for, and not insisted upon."""
    hello = forever(read, send(document(200, b"one")))
    async with opened(certificates) as transport:
        for server in (serve(hello), serve(hello, tls=certificates.for_server())):
            async with begun(transport, server) as exchange:
                assert await rest(exchange) == b""


@pytest.mark.filterwarnings(
    "ignore:coroutine .TCPServer._idle_timeout.:RuntimeWarning"
)  # hypercorn's
async def test_server_ends_the_connection(certificates):
    """Streams on a connection that the server announces to end are cut off: a fault of httpcore.

    Should this fail one day, it is mended, and `cogent.exchange.http2` can say so.
    """
    with HTTP2Server(certificates, keep_alive_max_requests=1) as server:
        async with opened(certificates) as transport:
            async with begun(transport, server) as early:
                with pytest.raises(NoResponse) as caught:
                    async with begun(transport, server):
                        pass
                assert caught.value.retryable
                with pytest.raises(StreamInterrupted):
                    await rest(early)
            async with begun(transport, server) as later:
                server.open()
                assert await rest(later) == b"two"
        assert len(server.clients) == 2


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}\r\nx: y", f"{KEY}\0", f"{KEY}é"])
async def test_illegal_header(server, certificates, value):
    """A header that HTTP cannot carry is refused unsent and shown nowhere, as on HTTP/1.1."""
    async with opened(certificates) as transport, begun(transport, server) as stays:
        exchange = transport.exchange(Call(server.url, {"x-key": value}, b"prompt"))
        with pytest.raises(ConfigurationError) as caught:
            await exchange.head(anyio.current_time() + 5)
        await exchange.aclose()
        assert KEY not in "".join(traceback.format_exception(caught.value))
        server.open()
        assert await rest(stays) == b"two"
    assert len(server.versions) == 1
