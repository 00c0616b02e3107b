"""The contract of the port, on all that fills it: a fake, our own sockets, both libraries."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager

import anyio
import pytest

from cogent.errors import StreamInterrupted
from cogent.exchange import Call, DeadlineReached, Head, Interrupted
from tests.support.script_server import LAST, fin, forever, head, hold, part, read, reset, send
from tests.support.transports import KINDS, opened

from .fake import HANG, FakeTransport
from .reading import rest


@pytest.fixture(params=["asyncio", "uvloop", "trio"])
def anyio_backend(request):
    if request.param == "uvloop":
        pytest.importorskip("uvloop")  # there is none for Windows
        return "asyncio", {"use_uvloop": True}
    return request.param, {}


class OnSockets:
    """An adapter on real sockets, and the server that it talks to."""

    def __init__(self, serve, kind: str, *, watched: bool) -> None:
        self._serve = serve
        self._kind = kind
        self._watched = watched

    @asynccontextmanager
    async def playing(self, *pieces: bytes, end: str):
        """Give the transport, with a server that answers every request with these pieces."""
        parts = [send(part(piece)) for piece in pieces]
        ends = {"exact": [send(LAST)], "silence": [], "cut": [fin], "reset": [reset]}
        steps = [read, send(head(x_request_id="r-1")), *parts, *ends[end]]
        self.server = self._serve(forever(*steps) if end == "exact" else steps)
        async with opened(self._kind, watched=self._watched) as transport:
            yield transport

    def call(self) -> Call:
        return Call(self.server.url, {"x-test": "1"}, b"body")

    async def connections(self) -> int:
        return self.server.accepted


class InMemory:
    """The fake."""

    @asynccontextmanager
    async def playing(self, *pieces: bytes, end: str):
        ends = {"exact": [], "silence": [HANG]}
        script = [Head(200, {"x-request-id": "r-1"}), *pieces]
        script += ends.get(end, [StreamInterrupted("broken")])
        self.transport = FakeTransport(script)
        yield self.transport

    def call(self) -> Call:
        return Call("https://fake.test/", {"x-test": "1"}, b"body")

    async def connections(self) -> int:
        made = self.transport.exchanges
        return 1 + sum(not exchange.reusable for exchange in made[:-1])


@pytest.fixture(params=["fake", *KINDS, *(f"{kind}, watched" for kind in KINDS)])
def port(request, serve):
    if request.param == "fake":
        return InMemory()
    kind, _, watched = request.param.partition(", ")
    return OnSockets(serve, kind, watched=bool(watched))


async def test_head_and_body(port):
    """The head has lower-case names; the body comes as it is, then ``b""`` as often as asked."""
    async with port.playing(b"one", b"two", end="exact") as transport:
        exchange = transport.exchange(port.call())
        answer = await exchange.head(None)
        assert (answer.status, answer.headers["x-request-id"]) == (200, "r-1")
        assert await rest(exchange) == b"onetwo"
        assert await exchange.receive(None) == b""
        await exchange.aclose()


async def test_exact_end_gives_the_connection_back(port):
    """After the exact end of the body the next exchange uses the same connection."""
    async with port.playing(b"one", end="exact") as transport:
        for _ in range(3):
            exchange = transport.exchange(port.call())
            await exchange.head(None)
            assert await rest(exchange) == b"one"
            await exchange.aclose()
        assert await port.connections() == 1


@pytest.mark.parametrize("received", [0, 1])
async def test_early_close_gives_it_up(port, received):
    """After an early close, before or in the body, the next exchange has a new connection."""
    async with port.playing(b"one", end="silence") as transport:
        for _ in range(2):
            exchange = transport.exchange(port.call())
            await exchange.head(None)
            for _ in range(received):
                assert await exchange.receive(None) == b"one"
            await exchange.aclose()
        assert await port.connections() == 2


@pytest.mark.parametrize("end", ["cut", "reset"])
async def test_broken_body(port, end):
    """A body that ends otherwise than HTTP says is an error of ours, after all that came."""
    async with port.playing(b"one", end=end) as transport:
        exchange = transport.exchange(port.call())
        await exchange.head(None)
        with pytest.raises(StreamInterrupted):
            await rest(exchange)
        await exchange.aclose()


async def test_deadline_in_the_body(port):
    """A deadline ends a wait, and afterwards the exchange can be closed."""
    async with port.playing(b"one", end="silence") as transport:
        exchange = transport.exchange(port.call())
        await exchange.head(anyio.current_time() + 10)
        assert await exchange.receive(anyio.current_time() + 10) == b"one"
        with pytest.raises(DeadlineReached):
            await exchange.receive(anyio.current_time() + 0.01)
        await exchange.aclose()


async def test_deadline_that_is_over(port):
    """A deadline in the past ends a wait at once."""
    async with port.playing(end="silence") as transport:
        exchange = transport.exchange(port.call())
        with pytest.raises(DeadlineReached):
            await exchange.head(anyio.current_time() - 1)
        await exchange.aclose()


async def test_interrupt_in_a_wait(port):
    """Another task can end a wait; the exchange stays interrupted."""
    async with port.playing(end="silence") as transport:
        exchange = transport.exchange(port.call())
        await exchange.head(None)

        async def wait() -> None:
            for _ in range(2):
                with pytest.raises(Interrupted):
                    await exchange.receive(None)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            exchange.interrupt()
        await exchange.aclose()


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("kind", KINDS)
async def test_interrupt_after_the_end(serve, kind, watched):
    """By then the connection may serve another exchange, which is left alone."""
    gate = threading.Event()
    first = [read, send(head(), part(b"one"), LAST)]
    second = [read, send(head(), part(b"two")), hold(gate), send(part(b"three"), LAST)]
    server = serve([*first, *second])
    async with opened(kind, watched=watched) as transport:
        ended, other = (transport.exchange(Call(server.url, {}, b"body")) for _ in range(2))
        await ended.head(None)
        assert await rest(ended) == b"one"
        if kind == "direct":  # the others have given it back already
            await ended.aclose()
        await other.head(None)
        ended.interrupt()
        gate.set()
        assert await rest(other) == b"twothree"
        for exchange in (ended, other):
            await exchange.aclose()


async def test_interrupt_before_use(port):
    """An exchange that is interrupted before its use sends nothing."""
    async with port.playing(end="exact") as transport:
        exchange = transport.exchange(port.call())
        exchange.interrupt()
        with pytest.raises(Interrupted):
            await exchange.head(None)
        await exchange.aclose()
        assert await port.connections() <= 1


async def test_outer_cancellation_is_not_swallowed(port):
    """A caller's scope ends a wait as its own, and not as a deadline of ours."""
    async with port.playing(end="silence") as transport:
        exchange = transport.exchange(port.call())
        await exchange.head(None)
        with anyio.move_on_after(0.01) as scope:
            await exchange.receive(anyio.current_time() + 10)
        assert scope.cancelled_caught
        await exchange.aclose()


async def test_aclose_is_idempotent_shielded_and_for_any_task(port):
    """Closing works twice, in a cancelled scope, in another task, and before any use."""
    async with port.playing(b"one", end="silence") as transport:
        await transport.exchange(port.call()).aclose()
        exchange = transport.exchange(port.call())
        await exchange.head(None)
        await exchange.receive(None)

        async def close() -> None:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await exchange.aclose()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
        await exchange.aclose()
