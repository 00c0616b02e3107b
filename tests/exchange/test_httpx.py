"""The `httpx` adapter: its faults by phase, its connections, and what it never shows."""

from __future__ import annotations

import gzip
import ssl
import sys
import threading
import zlib
from contextlib import aclosing

import anyio
import httpx
import httpx2
import pytest

from cogent.errors import (
    BadResponse,
    ConfigurationError,
    ConnectFailed,
    NoResponse,
    StreamInterrupted,
    UsageError,
)
from cogent.exchange import Call, DeadlineReached
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.slots import Slots
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
from tests.support.transports import KINDS, opened

from .reading import whole

KEY = "sk-never-shown"


def call(server, **headers) -> Call:
    return Call(server.url, {"accept-encoding": "identity", **headers}, b"prompt")


@pytest.fixture(params=KINDS)
async def transport(request):
    """Give a transport on our own connections, or on a caller's client of either library."""
    async with opened(request.param, slots=Slots(9, 2)) as made:
        yield made


BEFORE_THE_HEAD = {
    "fin": ([read, fin], NoResponse),
    "reset": ([read, reset], NoResponse),
    "fin in the head": ([read, send(b"HTTP/1.1 200 OK\r\ncontent-"), fin], NoResponse),
    "not HTTP": ([read, send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")], BadResponse),
    "two lengths": ([read, send(document(200, b"", x="1\r\ncontent-length: 7"))], BadResponse),
    "endless head": ([read, send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000)], BadResponse),
}
IN_THE_BODY = {
    "fin": ([send(head(), part(b"one")), fin], StreamInterrupted),
    "fin in a chunk": ([send(head(), b"9\r\none"), fin], StreamInterrupted),
    "reset": ([send(head(), part(b"one")), reset], StreamInterrupted),
    "bad chunk": ([send(head(), part(b"one"), b"zz\r\n")], StreamInterrupted),
    "short": ([send(document(200, b"one", content_length="9")), fin], StreamInterrupted),
    "not gzip": ([send(head(content_encoding="gzip"), part(b"one"), LAST)], BadResponse),
    "unasked": ([send(head(content_encoding="br"), part(b"one"), LAST)], BadResponse),
}


@pytest.mark.scorecard(6, 7, 9, 10, 13)
@pytest.mark.parametrize(("steps", "error"), BEFORE_THE_HEAD.values(), ids=BEFORE_THE_HEAD)
async def test_faults_before_the_head(serve, transport, steps, error):
    """The same fault is the same error on both loops and libraries, with its cause."""
    exchange = transport.exchange(call(serve(steps), authorization=KEY))
    with pytest.raises(error) as caught:
        await whole(exchange)
    assert caught.value.__cause__ is not None
    assert type(caught.value).__module__ == "cogent.errors"
    assert str(caught.value).strip()
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize(("steps", "error"), IN_THE_BODY.values(), ids=IN_THE_BODY)
async def test_faults_in_the_body(serve, transport, steps, error):
    """Likewise in the body."""
    exchange = transport.exchange(call(serve([read, *steps])))
    with pytest.raises(error) as caught:
        await whole(exchange)
    assert str(caught.value).strip()


@pytest.mark.parametrize("fields", [{"content_encoding": "br"}, {"content_length": "3"}])
async def test_a_body_that_is_not_to_be_read_has_a_status(serve, transport, fields):
    """It is refused where it is read: of an error, the status may be all that is wanted."""
    server = serve([read, send(head(503, **fields), part(b"one"), LAST)])
    exchange = transport.exchange(call(server))
    assert (await exchange.head(None)).status == 503
    with pytest.raises(BadResponse):
        await exchange.receive(None)
    await exchange.aclose()


async def test_refused(transport):
    """No listener: nothing was sent."""
    with pytest.raises(ConnectFailed) as caught:
        await whole(transport.exchange(Call("http://127.0.0.1:1/", {}, b"")))
    assert caught.value.__cause__ is not None


async def test_connect_timeout(transport, full_backlog):
    """The library's own limit is on the connection."""
    with pytest.raises(ConnectFailed, match="ConnectTimeout"):
        await whole(transport.exchange(Call(full_backlog, {}, b"", 0.05)))


async def test_no_tls(serve):
    """A server that speaks no TLS where it should is no connection."""
    server = serve([send(b"HTTP/1.1 400 Bad Request\r\n\r\n")])
    async with aclosing(HTTPXTransport()) as transport:
        with pytest.raises(ConnectFailed):
            await whole(transport.exchange(Call(server.url.replace("http:", "https:"), {}, b"")))


async def test_certificate_that_nobody_vouches_for(monkeypatch, transport):
    """A certificate that is refused will be refused again."""

    told = "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"

    async def send(*_, **__):
        raise httpx.ConnectError(told)

    async def connect(*_, **__):
        raise ssl.SSLError(told)

    monkeypatch.setattr(anyio, "connect_tcp", connect)
    monkeypatch.setattr(httpx.AsyncClient, "send", send)
    monkeypatch.setattr(httpx2.AsyncClient, "send", send)
    with pytest.raises(ConnectFailed) as caught:
        await whole(transport.exchange(Call("http://127.0.0.1:1/", {}, b"")))
    assert caught.value.retryable is False


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("gzip", gzip.compress(b"one", mtime=0)), ("Deflate", zlib.compress(b"one"))],
    ids=["gzip", "deflate"],
)
async def test_compressed(serve, transport, encoding, data):
    """A body that is compressed though that was not asked for is read, however it is cut."""
    pieces = [part(bytes([byte])) for byte in data]
    server = serve([read, send(head(content_encoding=encoding), *pieces, LAST)])
    assert await whole(transport.exchange(call(server))) == b"one"


async def test_redirect_is_not_followed(serve, transport):
    """A redirect is an answer like others; neither key nor prompt go there."""
    other = serve()
    server = serve([read, send(document(307, b"", location=other.url))])
    exchange = transport.exchange(call(server, authorization=KEY))
    answer = await exchange.head(None)
    assert answer.status == 307
    await exchange.aclose()
    assert other.accepted == 0


@pytest.mark.parametrize("value", [f"{KEY}\n", f"{KEY}\r\nx: y", f"{KEY}\0", f"{KEY}é"])
async def test_illegal_header(serve, transport, value):
    """A header that HTTP cannot carry is refused unsent, and shown nowhere."""
    server = serve()
    with pytest.raises(ConfigurationError) as caught:
        await whole(transport.exchange(call(server, x_key=value)))
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    assert not server.requests


@pytest.mark.scorecard(43)
async def test_calls_queue_for_a_slot(serve):
    """With all slots taken a call waits before the client's pool and not in it."""
    gate = threading.Event()
    server = serve(forever(read, hold(gate), send(document(200, b"one"))))
    transport = HTTPXTransport(slots=Slots(9, 2))
    bodies = []

    async def one() -> None:
        bodies.append(await whole(transport.exchange(call(server))))

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
        await server.until_requests(2)
        await anyio.wait_all_tasks_blocked()
        pool = transport._own[False, True]._transport._pool
        assert len(pool._requests) == 2
        assert transport._slots._total.statistics().tasks_waiting == 3
        gate.set()
    assert bodies == [b"one"] * 5
    assert server.accepted == 2
    await transport.aclose()


async def test_slot_of_a_dropped_exchange(serve):
    """An exchange that is dropped unclosed gives its slot back when it is collected."""
    server = serve([read, send(document(200, b""))])
    transport = HTTPXTransport(slots=Slots(9, 1))
    exchange = transport.exchange(call(server))
    await exchange.head(None)
    response = exchange._response
    del exchange
    assert transport._slots._total.value == 1
    await response.aclose()
    await transport.aclose()


@pytest.mark.scorecard(43)
async def test_deadline_and_cancel_while_queued(serve):
    """A call that gives up in the queue leaves it, and takes no slot along."""
    server = serve(forever(read, send(document(200, b"one"))))
    transport = HTTPXTransport(slots=Slots(9, 1))
    first = transport.exchange(call(server))
    await first.head(None)
    queued = transport.exchange(call(server))
    with pytest.raises(DeadlineReached):
        await queued.head(anyio.current_time() + 0.01)
    with anyio.move_on_after(0.01):
        await transport.exchange(call(server)).head(None)
    await queued.aclose()
    await first.aclose()
    assert transport._slots._total.value == 1
    assert await whole(transport.exchange(call(server))) == b"one"
    await transport.aclose()


async def test_no_use_after_the_end(serve):
    """A transport that was closed makes no new connections, which nobody would close."""
    transport = HTTPXTransport()
    await transport.aclose()
    with pytest.raises(UsageError, match="closed"):
        transport.exchange(call(serve()))


@pytest.mark.parametrize("kind", KINDS)
async def test_what_was_sent_is_let_go(serve, kind):
    """A prompt may be long, and its answer may last."""
    server, body = serve([read, send(head())]), bytes(20_000)
    known = sys.getrefcount(body)
    async with opened(kind) as transport:
        exchange = transport.exchange(Call(server.url, {}, body))
        await exchange.head(anyio.current_time() + 5)
        assert sys.getrefcount(body) == known
        await exchange.aclose()
