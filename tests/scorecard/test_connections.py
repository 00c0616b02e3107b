"""Connections: that cannot be made, that end between two calls, that answer unasked."""

from __future__ import annotations

import datetime
import socket
import threading

import anyio
import pytest

from cogent import ConnectFailed, Timeouts
from tests.support.cancelling import cancelled_at_each_wait
from tests.support.script_server import answer, fin, forever, hold, read, send

from .asking import QUICK, ask, model, text_of

HELLO = forever(read, send(answer("Hel", "lo")))


@pytest.mark.scorecard(1)
async def test_nobody_listens(serve, http):
    """A port that is closed is tried three times."""
    server = serve(listens=False)
    async with http.opened(retry=QUICK) as client:
        chunks, error = await ask(server.url, client, ConnectFailed)
    assert (error.attempt, error.phase) == (3, "connect")
    assert [chunk.kind for chunk in chunks] == ["retry", "retry"]


@pytest.mark.scorecard(2)
async def test_refused_twice(serve, http):
    """The third try finds a server that listens by then, and its answer comes once."""
    server = serve(HELLO, listens=False)
    chunks = []
    async with http.opened(retry=QUICK) as client:
        async for chunk in model(server.url, client).stream("hi"):
            chunks.append(chunk)
            if chunk.kind == "retry" and chunk.attempt == 2:
                server.listen()
    assert text_of(chunks) == "Hello"
    assert chunks[-1].metadata["attempts"] == 3
    assert len(server.requests) == server.accepted == 1


@pytest.mark.scorecard(3)
async def test_unknown_name(monkeypatch, http):
    """A name that nobody knows is a connection in vain."""

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    async with http.opened(retry=QUICK) as client:
        _, error = await ask("https://nobody.invalid/v1", client, ConnectFailed)
    assert error.attempt == 3


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.mark.scorecard(5)
@pytest.mark.parametrize("fault", ["nobody vouches for it", "of another host", "expired"])
async def test_certificates(serve, http, certificates, fault):
    """A server that cannot prove who it is gets no request, and is not asked again."""
    identity = "elsewhere.test" if fault == "of another host" else "127.0.0.1"
    expires = YESTERDAY if fault == "expired" else None
    server = serve(HELLO, tls=certificates.for_server(certificates.of(identity, expires)))
    ca = certificates.stranger if fault == "nobody vouches for it" else certificates.ca
    async with http.opened(ca=ca, retry=QUICK) as client:
        _, error = await ask(server.url, client, ConnectFailed)
    assert "certificate" in str(error)
    assert (error.attempt, error.retryable, server.requests) == (1, False, [])


@pytest.mark.scorecard(8)
@pytest.mark.parametrize("asked", [False, True], ids=["before", "with"])
async def test_server_closes_the_idle_connection(serve, http, asked):
    """It closes before the next request, or as it comes: there is another connection."""
    gate = threading.Event()
    once = [read, send(answer("one")), *([read] if asked else [hold(gate)]), fin]
    server = serve(once, [read, send(answer("two"))])
    async with http.opened(retry=QUICK) as client:
        chunks, _ = await ask(server.url, client)
        assert text_of(chunks) == "one"
        if not asked:
            gate.set()
            await server.until(lambda server: server.connections[0].played)
        chunks, _ = await ask(server.url, client)
    assert text_of(chunks) == "two"
    assert [chunk.kind for chunk in chunks].count("retry") == asked
    assert len(server.requests) == 2 + asked


@pytest.mark.scorecard(14)
@pytest.mark.parametrize("together", [True, False], ids=["same packet", "later"])
async def test_an_answer_that_nobody_asked_for(serve, http, together):
    """What a server sends after the end of an answer is the answer to no call."""
    gate = threading.Event()
    forged = [send(answer("one"), answer("forged"))]
    if not together:
        forged = [send(answer("one")), hold(gate), send(answer("forged"))]
    server = serve([read, *forged], [read, send(answer("two"))])
    async with http.opened(retry=QUICK) as client:
        chunks, _ = await ask(server.url, client)
        assert text_of(chunks) == "one"
        gate.set()
        await server.until(lambda server: server.connections[0].played)
        chunks, _ = await ask(server.url, client)
    assert text_of(chunks) == "two"
    assert [chunk.kind for chunk in chunks].count("retry") == 0
    assert server.accepted == len(server.requests) == 2


@pytest.mark.scorecard(44)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_cancelled_while_it_connects(serve, http, certificates, tls):
    """Wherever it is cancelled on its way to the first answer, no socket stays open."""
    server = serve(HELLO, tls=certificates.for_server() if tls else None)

    async def one() -> None:
        async with http.opened(ca=certificates.ca) as client:
            await ask(server.url, client)

    assert await cancelled_at_each_wait(one) > 5


@pytest.mark.scorecard(44)
async def test_stopped_while_it_connects(http, full_backlog):
    """The time for a connection, and `cancel`, end the wait for one."""
    async with http.opened(retry=QUICK, timeouts=Timeouts(connect=0.05)) as client:
        _, error = await ask(full_backlog, client, ConnectFailed)
        assert error.attempt == 3
    async with http.opened() as client:  # which would wait long enough, on any machine
        chunks = model(full_backlog, client).stream("hi")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chunks.ready)
            await anyio.wait_all_tasks_blocked()
            chunks.cancel()
        assert chunks.response.finish_reason == "cancelled"
