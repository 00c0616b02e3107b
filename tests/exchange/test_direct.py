"""Our own sockets: which connections are used again, and what only they do."""

from __future__ import annotations

import gc
import socket
import threading

import anyio
import pytest

from cogent.errors import BadResponse, ConfigurationError, ConnectFailed, StreamInterrupted
from cogent.exchange import Call, direct_pool
from cogent.exchange.direct_head import origin_of
from tests.support.proxy import Proxy
from tests.support.script_server import (
    LAST,
    document,
    fin,
    forever,
    head,
    hold,
    part,
    read,
    reset,
    send,
)
from tests.support.transports import opened

from .reading import whole

OK = [read, send(document(200, b"Hello"))]
HELLO = forever(*OK)


@pytest.fixture(params=[False, True], ids=["", "watched"])
async def transport(request):
    async with opened("direct", watched=request.param) as made:
        yield made


async def ask(transport, url: str, **more) -> bytes:
    call = Call(url, **{"headers": {}, "body": b"hi", **more})
    return await whole(transport.exchange(call))


# Which connections are used again.

NOT_AGAIN = {
    "it says so": document(200, b"Hello", connection="close"),
    "HTTP/1.0": document(200, b"Hello").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "more came than its length": document(200, b"Hello") + b"x",
    "more came than its chunks": head() + part(b"Hello") + LAST + b"\r\n",
}


@pytest.mark.scorecard(14)
@pytest.mark.parametrize("answer", NOT_AGAIN.values(), ids=NOT_AGAIN)
async def test_not_used_again(serve, transport, answer):
    """Where the answer has said so, or has not ended exactly."""
    server = serve([read, send(answer)])
    assert [await ask(transport, server.url) for _ in range(2)] == [b"Hello"] * 2
    assert server.accepted == 2
    assert not transport._pool.idle


async def test_not_used_again_after_two_lengths(serve, transport):
    """Where the answer ends is then anybody's guess."""
    server = serve([read, send(head(503, content_length="5"), part(b"Hello"), LAST)])
    with pytest.raises(BadResponse, match="in two ways"):
        await ask(transport, server.url)
    assert not transport._pool.idle


@pytest.mark.scorecard(8, 14)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    "then", [fin, reset, send(b"HTTP/1.1 200 OK\r\n\r\n")], ids=["fin", "reset", "bytes"]
)
async def test_something_comes_while_it_is_idle(serve, certificates, tls, then):
    """An end, an error or bytes that nobody asked for: it is not used again."""
    gate = threading.Event()
    context = certificates.for_server() if tls else None
    server = serve([*OK, hold(gate), then], OK, tls=context)
    async with opened("direct", verify=certificates.ca) as transport:
        assert await ask(transport, server.url) == b"Hello"
        gate.set()
        await server.until(lambda server: server.connections[0].played)
        assert await ask(transport, server.url) == b"Hello"
    assert server.accepted == 2


async def test_idle_for_too_long(serve, transport, monkeypatch):
    """A connection expires; it is closed when another one is asked for."""
    monkeypatch.setattr(direct_pool, "IDLE_SECONDS", -1)
    server = serve(HELLO)
    for _ in range(3):
        assert await ask(transport, server.url) == b"Hello"
    await server.until(lambda server: server.open_connections == 1)
    assert server.accepted == 3


async def test_most_idle(serve, transport, monkeypatch):
    """Of many idle connections those are closed that were used the longest time ago."""
    monkeypatch.setattr(direct_pool, "MAX_IDLE", 2)
    servers = [serve(HELLO) for _ in range(3)]
    for server in (*servers, servers[1]):
        assert await ask(transport, server.url) == b"Hello"
    await servers[0].until_closed()
    assert [server.accepted for server in servers] == [1, 1, 1]
    assert [connection.origin.port for connection in transport._pool.idle] == [
        origin_of(server.url).port for server in (servers[2], servers[1])
    ]


async def test_dropped_unclosed(serve, transport):
    """What nobody closed is closed when it is collected, without a word."""
    server = serve([read, send(head(), part(b"Hello"))])
    exchange = transport.exchange(Call(server.url, {}, b"hi"))
    await exchange.head(None)
    assert await exchange.receive(anyio.current_time() + 5) == b"Hello"
    del exchange
    gc.collect()
    await anyio.wait_all_tasks_blocked()
    await server.until_closed()
    assert not transport._pool.used


async def test_closed_under_a_reader(serve, transport):
    """A transport that is closed ends what reads from it, and what still connects."""
    server = serve([read, send(head(), part(b"Hello"))])
    exchange = transport.exchange(Call(server.url, {}, b"hi"))
    await exchange.head(None)
    assert await exchange.receive(None) == b"Hello"

    async def wait() -> None:
        with pytest.raises(StreamInterrupted):
            await exchange.receive(None)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        await transport.aclose()
    await exchange.aclose()
    with pytest.raises(ConnectionAbortedError):
        await transport._pool.connect(origin_of(server.url), None)


@pytest.mark.parametrize(
    "begun",
    [head() + part(b"Hello"), document(200, b"Hello", content_length="9")],
    ids=["chunks", "length"],
)
async def test_a_body_that_ends_too_early(serve, transport, begun):
    """The error says how much is missing, and what it came of."""
    server = serve([read, send(begun), fin])
    with pytest.raises(StreamInterrupted, match="without sending complete") as caught:
        await ask(transport, server.url)
    assert isinstance(caught.value.__cause__, anyio.EndOfStream)


# Requests.


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("status", [200, 413])
async def test_an_answer_before_the_request_is_sent(serve, certificates, tls, status):
    """A refusal is read, though the server reads no more; else the request is sent first."""
    body = b"x" * 4_000_000  # more than lies between two sockets
    early = document(status, b"", content_length="9", connection="close")
    gate = threading.Event()

    def peek(connection) -> None:
        connection._more()

    steps = [peek, send(early), send(b"too large"), read if status == 200 else hold(gate)]
    server = serve(steps, tls=certificates.for_server() if tls else None)
    async with opened("direct", verify=certificates.ca) as transport:
        assert await ask(transport, server.url, body=body) == b"too large"
        assert not transport._pool.idle
        gate.set()
        if status == 200:
            await server.until_requests(1)
            assert server.requests[0].body == body


async def test_an_early_refusal_whose_body_does_not_end(serve, transport, monkeypatch):
    """Its status is told, though neither the request is sent nor the body comes."""
    monkeypatch.setattr("cogent.exchange.direct_head.ERROR_BODY_SECONDS", 0.01)
    early = document(429, b"too", content_length="9")
    server = serve(
        [lambda connection: connection._more(), send(early), hold(gate := threading.Event())]
    )
    exchange = transport.exchange(Call(server.url, {}, b"x" * 4_000_000))
    assert (await exchange.head(None)).status == 429
    assert await exchange.receive(None) == b"too"
    gate.set()
    await exchange.aclose()


async def test_what_is_sent(serve, transport):
    """The lengths are ours to say; what else a caller says of the connection is sent."""
    server = serve(HELLO)
    headers = {"X-One": "1", "Content-Length": "99", "Transfer-Encoding": "chunked"}
    await ask(transport, f"{server.url}/a%2Fb c\u00e9?d=e f&g=%20", headers=headers)
    await ask(transport, server.url.removesuffix("/v1"), headers={"Host": "other.test"})
    one, two = server.requests
    assert one.line == "POST /v1/a%2Fb%20c%C3%A9?d=e%20f&g=%20 HTTP/1.1"
    sent = {"host": server.origin, "user-agent": "cogent", "x-one": "1", "content-length": "2"}
    assert one.headers == sent
    assert (two.line, two.headers["host"]) == ("POST / HTTP/1.1", "other.test")
    assert one.body == two.body == b"hi"


@pytest.mark.parametrize(
    "url", ["", "api.test", "ftp://api.test", "http://", "http://a:x", "http://a..b", "http://[::1"]
)
def test_urls_that_are_none(url):
    """They are refused before anything is looked up."""
    with pytest.raises(ConfigurationError, match="its URL"):
        origin_of(url)


def test_origins():
    """Names are compared in one spelling, and ports have their defaults."""
    assert origin_of("HTTP://API.Test/v1") == (False, "api.test", 80)
    assert origin_of("https://[::1]:8443") == (True, "::1", 8443)
    assert origin_of("https://b\u00fccher.test") == (True, "xn--bcher-kva.test", 443)


async def test_interim_answers_are_passed_over(serve, transport):
    """An unasked change of the protocol is none of them."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
    server = serve([read, send(interim, document(200, b"Hello"))])
    assert await ask(transport, server.url) == b"Hello"
    changed = serve([read, send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: a\r\n\r\n")])
    with pytest.raises(BadResponse):
        await ask(transport, changed.url)


async def test_repeated_headers(serve, transport):
    """They are joined, and what is not UTF-8 is Latin-1, as both libraries have it."""
    answer = document(200, b"", connection="close", x_a="1\r\nX-A: 2", x_b="\u00e9")
    server = serve([read, send(answer, b"")], [read, send(answer.replace(b"\xc3\xa9", b"\xe9"))])
    for _ in range(2):
        exchange = transport.exchange(Call(server.url, {}, b""))
        answered = await exchange.head(anyio.current_time() + 5)
        assert (answered.headers["x-a"], answered.headers["x-b"]) == ("1, 2", "\u00e9")
        await exchange.aclose()


# What goes through httpx.


@pytest.mark.scorecard(77)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
async def test_a_proxy_of_the_environment(serve, monkeypatch, variable):
    """Calls for which it names a proxy go there; those to this machine, and others, do not."""
    server = serve(HELLO)
    with Proxy("407 No") as proxy:
        monkeypatch.setenv(variable, proxy.url())
        async with opened("direct") as transport:
            assert await ask(transport, server.url) == b"Hello"
            with pytest.raises(ConnectFailed, match="407"):
                await ask(transport, "http://api.test/v1")
    assert len(proxy.heads) == 1


async def test_no_proxy_for_the_scheme(monkeypatch):
    """It does not concern a call of another scheme."""

    async def connect(*_, **__):
        raise socket.gaierror("nobody")

    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setattr(anyio, "connect_tcp", connect)
    async with opened("direct") as transport:
        with pytest.raises(ConnectFailed, match="nobody"):
            await ask(transport, "http://api.test/v1")
