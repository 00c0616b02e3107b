"""What came along with the end of an answer, and was read with it, is the answer to no call."""

from __future__ import annotations

import threading

import pytest

from cogent.exchange import Call
from tests.support.script_server import document, forever, hold, read, send
from tests.support.transports import KINDS, opened

from .reading import rest, whole

OK = forever(read, send(document(200, b"Hello")))


async def ask(transport, url):
    return await whole(transport.exchange(Call(url, {}, b"hi")))


@pytest.mark.scorecard(14)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_record_of_tls_in_the_same_packet(serve, certificates, kind):
    """What TLS holds of bytes after the end is seen too, though the socket has none left."""
    both = [read, lambda connection: connection.send(document(200, b"Hello")), send(b"forged")]
    server = serve(both, OK, tls=certificates.for_server())
    async with opened(kind, verify=certificates.ca) as transport:
        exchange = transport.exchange(Call(server.url, {}, b"hi"))
        await exchange.head(None)
        await server.until(lambda server: server.connections[0].played)
        # Both records are read from the socket at once, and one of them from TLS.
        await rest(exchange)
        await exchange.aclose()
        assert await ask(transport, server.url) == b"Hello"
    assert server.accepted == 2


@pytest.mark.scorecard(14)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("tls", "length"), [(False, 65_536), (True, 60_000)])
async def test_more_came_at_once_than_a_read_gives(serve, certificates, kind, tls, length):
    """On asyncio 64 KiB of it are given, and the rest waits below, in TLS within a record."""
    gate = threading.Event()
    begun = send(document(200, b"", content_length=str(length)))
    more = [send(b"x" * length), send(document(200, b"y" * 16_384))]
    context = certificates.for_server() if tls else None
    server = serve([read, begun, hold(gate), *more], OK, tls=context)
    async with opened(kind, verify=certificates.ca) as transport:
        exchange = transport.exchange(Call(server.url, {}, b"hi"))
        await exchange.head(None)
        gate.set()
        await server.until(lambda server: server.connections[0].played)
        while await exchange.receive(None):
            pass
        await exchange.aclose()
        assert await ask(transport, server.url) == b"Hello"
    assert server.accepted == 2
