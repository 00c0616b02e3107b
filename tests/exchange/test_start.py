"""What is mended when a request is sent: on its own connection, whatever leads to that."""

from __future__ import annotations

import gc
import ssl
import threading
from contextlib import asynccontextmanager, nullcontext
from types import SimpleNamespace

import anyio
import pytest

from cogent.exchange import Call
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.start import Start
from tests.support.cancelling import cancelled_at_each_wait
from tests.support.http2_server import HTTP2Server
from tests.support.proxy import Proxy
from tests.support.script_server import document, forever, head, hold, part, read, send
from tests.support.transports import LIBRARIES

from .reading import rest, whole


@pytest.fixture(params=LIBRARIES.values(), ids=LIBRARIES)
def library(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["directly", "by a proxy"])
def proxy(request):
    with Proxy() if request.param else nullcontext() as proxy:
        yield proxy and proxy.url()


@asynccontextmanager
async def opened(library, certificates, **options):
    context = ssl.create_default_context(cafile=certificates.ca)
    async with library.AsyncClient(verify=context, **options) as client:
        yield HTTPXTransport(client)


@pytest.mark.scorecard(14)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_an_answer_that_nobody_asked_for(serve, certificates, library, proxy, tls):
    """The next call takes another connection, beside calls that are under way."""
    busy, forged = [read, send(document(200, b"one"))], document(200, b"forged")
    answers = [read, send(document(200, b"one") + forged)], [read, send(document(200, b"two"))]
    server = serve(busy, *answers, tls=certificates.for_server() if tls else None)
    async with opened(library, certificates, proxy=proxy) as transport:
        beside = transport.exchange(Call(server.url, {}, b"hi"))
        await beside.head(anyio.current_time() + 5)
        for body in (b"one", b"two"):
            assert await whole(transport.exchange(Call(server.url, {}, b"hi"))) == body
        assert await rest(beside) == b"one"
        await beside.aclose()
    assert server.accepted == 3


@pytest.mark.scorecard(44)
async def test_cancelled_on_the_way_to_tls(serve, certificates, library, proxy):
    """Wherever that is, the pool has no connection left that is of no use."""
    server = serve(forever(read, send(document(200, b"one"))), tls=certificates.for_server())

    async def one() -> None:
        async with opened(library, certificates, proxy=proxy) as transport:
            client = transport._callers
            try:
                await whole(transport.exchange(Call(server.url, {}, b"hi")))
            finally:
                pool = client._transport_for_url(library.URL(server.url))._pool
                assert all(connection.is_idle() for connection in pool.connections)

    assert await cancelled_at_each_wait(one) > 5


async def test_a_stream_that_is_left(certificates, library, proxy):
    """On HTTP/2 it is reset, and those beside it go on."""
    with HTTP2Server(certificates) as server:
        async with opened(library, certificates, proxy=proxy, http2=True) as transport:
            stays, leaves = (transport.exchange(Call(server.url, {}, b"hi")) for _ in range(2))
            for exchange in (stays, leaves):
                await exchange.head(anyio.current_time() + 5)
            await leaves.aclose()
            await server.until(lambda server: server.left == 1)
            server.open()
            assert await rest(stays) == b"onetwo"
            await stays.aclose()
        assert len(server.clients) == 1


async def test_a_stream_that_is_held_keeps_no_scope(serve, certificates, library):
    """Each would hold a kilobyte, and those around it, up to the end of the answer."""

    def scopes() -> int:
        gc.collect()
        return sum(issubclass(type(found), anyio.CancelScope) for found in gc.get_objects())

    server = serve([read, send(document(200, b"one"))])
    async with opened(library, certificates) as transport:
        before = scopes()
        exchange = transport.exchange(Call(server.url, {}, b"hi"))
        await exchange.head(anyio.current_time() + 5)
        assert scopes() == before
        await exchange.aclose()


class Busy:
    """A connection that no other request may look at."""

    def __getattr__(self, name: str):
        raise AssertionError(name)


async def test_the_connections_of_others_are_left_alone():
    """What a request costs does not grow with the connections of the pool."""
    own = SimpleNamespace(_h11_state=SimpleNamespace(trailing_data=(b"", False)))
    request = SimpleNamespace(extensions={}, url="http://api.test", stream=SimpleNamespace())
    others = [SimpleNamespace(request=Busy(), connection=Busy()) for _ in range(3)]
    sent = SimpleNamespace(request=request, connection=own)
    pool = SimpleNamespace(_requests=[*others, sent], _connections=[Busy(), own])
    client = SimpleNamespace(_transport_for_url=lambda _: SimpleNamespace(_pool=pool))
    with anyio.CancelScope() as scope:
        start = Start(client, request, scope)
        await request.extensions["trace"]("http11.send_request_headers.started", {})
    assert start.connection is own


class Left:
    """A connection that serves nobody. While it is closed, a call takes another one."""

    def __init__(self, taken) -> None:
        self._taken = taken

    def is_idle(self) -> bool:
        return False

    is_closed = has_expired = is_available = is_idle

    def can_handle_request(self, origin) -> bool:
        return False

    async def aclose(self) -> None:
        await self._taken()


async def test_what_is_closed_for_a_call_serves_no_other(serve, certificates, library):
    """Nor does it by the time when its turn comes: a call has taken what was free before."""
    gate = threading.Event()
    answer = send(document(200, b"one"))
    server = serve([read, answer, read, hold(gate), answer])
    async with opened(library, certificates) as transport:
        asked = Call(server.url, {}, b"hi")
        assert await whole(transport.exchange(asked)) == b"one"
        beside = transport.exchange(asked)
        said = []

        async def take() -> None:
            tasks.start_soon(hear)
            await server.until_requests(2)

        async def hear() -> None:
            said.append(await whole(beside))

        pool = transport._callers._transport_for_url(library.URL(server.url))._pool
        pool._connections.insert(0, Left(take))
        request = transport._callers.build_request("POST", server.url)
        async with anyio.create_task_group() as tasks:
            await Start(transport._callers, request, anyio.CancelScope()).close_left()
            gate.set()
        assert said == [b"one"]
        assert len(pool._connections) == 1


async def test_a_call_that_left_its_connection_looks_at_no_other(serve, certificates, library):
    """Where a pool holds a thousand of them, that takes milliseconds."""
    server = serve(forever(read, send(head(), part(b"one"))))
    async with opened(library, certificates) as transport:
        exchange = transport.exchange(Call(server.url, {}, b"hi"))
        await exchange.head(anyio.current_time() + 5)
        assert await exchange.receive(anyio.current_time() + 5) == b"one"
        pool = transport._callers._transport_for_url(library.URL(server.url))._pool
        rounds = []
        assign = pool._assign_requests_to_connections
        pool._assign_requests_to_connections = lambda: rounds.append(1) or assign()
        await exchange.aclose()
        assert (len(rounds), len(pool._connections)) == (1, 0)
