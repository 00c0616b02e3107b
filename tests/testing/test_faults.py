"""Each fault, seen at the socket: exactly so many bytes of the body, and that end."""

from __future__ import annotations

from contextlib import contextmanager

import anyio
import h11
import pytest
from trio.testing import MockClock

from cogent.testing import Emulator, Fault, Reply
from cogent.testing.answer import Answer
from cogent.testing.delivery import Delivery
from cogent.wire import ANTHROPIC, DIALECTS, GEMINI, OLLAMA, OPENAI_CHAT

from .raw import BODY, RawClient, chunks_of

PAYLOAD = b'data: {"a":1}\n\n: comment\n\ndata: [DONE]\n\n'
FRAMINGS = ("chunked", "length", "close")
every_framing = pytest.mark.parametrize("framing", FRAMINGS)
every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())


def sweep(make_fault, framing, **more):
    """Give server and client for a fault at each byte of the payload, and two beyond."""
    faults = [make_fault(n) for n in range(len(PAYLOAD) + 2)]
    return Emulator(Reply(body=PAYLOAD, framing=framing, fault=f, **more) for f in faults)


@contextmanager
def asked(reply, path="/v1/chat/completions"):
    """Give server and client once the client has asked."""
    with Emulator(reply) as server, RawClient(server.url) as client:
        client.ask(path)
        yield server, client


@every_framing
@pytest.mark.parametrize("cut", [None, 7], ids=["whole", "sliced"])
def test_a_cut_at_every_byte(framing, cut):
    with sweep(lambda n: Fault(cut_at=n), framing, slice=cut) as server:
        for n in range(len(PAYLOAD) + 1):
            with RawClient(server.url) as client:
                client.ask()
                assert client.read_to_end() == PAYLOAD[:n]
                assert client.end == "fin"
                assert client.head.startswith(b"http/1.1 200")
                assert not client.has_last_chunk
        with RawClient(server.url) as client:
            client.ask("/v1/chat/completions", BODY, "connection: close")
            assert client.read_to_end() == PAYLOAD, "past the end there is no fault"
            assert client.has_last_chunk == (framing == "chunked")
        assert server.disconnects == 0


@every_framing
def test_a_reset_at_every_byte(framing):
    with sweep(lambda n: Fault(reset_at=n), framing) as server:
        for n in range(len(PAYLOAD) + 1):
            with RawClient(server.url) as client:
                client.ask()
                assert client.read_to_end() == PAYLOAD[:n]
                assert client.end == "rst"


@every_framing
def test_a_stall_at_every_byte_leaves_the_connection_open(framing):
    with sweep(lambda n: Fault(stall_at=n), framing) as server:
        clients = [RawClient(server.url) for _ in range(len(PAYLOAD) + 1)]
        for n, client in enumerate(clients):
            client.ask()
            assert client.read_body(n) == PAYLOAD[:n]
        assert server.open_connections == len(clients)
        with clients.pop(5):
            pass
        server.wait_disconnects()
        server.wait_closed(1)
    for client in clients:
        with client:
            before = client.body
            assert client.read_to_end() == before, "nothing more came until the server was closed"
    assert server.disconnects == 1
    assert server.open_connections == 0


@every_dialect
@pytest.mark.parametrize("at", [0, 1, 100, 150])
def test_offsets_count_bytes_of_a_dialects_stream(dialect, at):
    replies = [Reply("Hello, you two!"), Reply("Hello, you two!", fault=Fault(cut_at=at))]
    with Emulator(replies) as server:
        bodies = []
        for _ in replies:
            with RawClient(server.url) as client:
                client.ask(dialect.route("m", True), BODY, "connection: close")
                bodies.append(client.read_to_end())
    whole, part = bodies
    assert len(part) == at < len(whole)
    assert part.replace(b"000002", b"000001") == whole[:at]


def test_a_cut_leaves_an_http_chunk_that_claims_more():
    with asked(Reply(body=PAYLOAD, fault=Fault(cut_at=3))) as (_, client):
        client.read_to_end()
    assert client.received.endswith(b"\r\n\r\n%x\r\ndat" % len(PAYLOAD))


@pytest.mark.parametrize("end", ["cut_at", "reset_at", "stall_at"])
def test_a_fault_before_the_head(end):
    fault = Fault(**{end: 3}, before_head=True)
    with asked(Reply("Hi", fault=fault)) as (server, client):
        server.wait_requests()
        if end == "stall_at":
            assert server.open_connections == 1
            server.close()
        client.read_to_end()
    assert client.received == b""
    assert end == "stall_at" or client.end == {"cut_at": "fin", "reset_at": "rst"}[end]


def test_no_keep_alives_before_the_head():
    """They are of the body, which has not begun."""

    async def stall() -> None:
        reply = Reply("Hi", keep_alive=1, fault=Fault(stall_at=0, before_head=True))
        answer = Answer(status=200, headers={}, pieces=[b"Hi"], comment=b":\n", manner=reply)
        with anyio.move_on_after(60) as scope:
            await Delivery(None, h11.Connection(h11.SERVER), answer).run()
        assert scope.cancelled_caught

    anyio.run(stall, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


def test_no_last_chunk():
    with asked(Reply(body=PAYLOAD, fault=Fault(no_last_chunk=True))) as (_, client):
        assert client.read_to_end() == PAYLOAD
    assert (client.end, client.has_last_chunk) == ("fin", False)


@every_framing
def test_hold_open(framing):
    reply = Reply(body=PAYLOAD, framing=framing, fault=Fault(hold_open=True))
    with asked(reply) as (server, client):
        assert client.read_body(len(PAYLOAD)) == PAYLOAD
        assert server.open_connections == 1
        server.close()
        assert client.read_to_end() == PAYLOAD
    assert not client.has_last_chunk


@every_dialect
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_trickle_goes_on_until_the_client_leaves(dialect, framing):
    reply = Reply("Hi", framing=framing, fault=Fault(trickle=True))
    with asked(reply, dialect.route("m", True)) as (server, client):
        decoder = dialect.decoder()
        whole = 0
        while not (decoder.ended or (dialect is GEMINI and decoder.raw_finish_reason)):
            assert client.read_once()
            decoder = dialect.decoder()
            decoder.feed(client.body)
            whole = len(client.body)
        comment = dialect.encoder().keep_alive() or b"\n"
        body = client.read_body(whole + 3 * len(comment))
        assert body[whole:].startswith(comment * 2)
        decoder.feed(body[whole:])
        client.socket.close()
        server.wait_disconnects()
        server.wait_closed()


def test_comments_go_on_in_a_stall_and_are_not_counted():
    reply = Reply("Hello you two", keep_alive=0.001, fault=Fault(stall_at=20))
    with asked(reply) as (_, client):
        body = client.read_body(20 + 100)
        assert body[20:].startswith(b": keep-alive\n\n" * 5)


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC], ids=lambda d: d.name)
def test_keep_alives_come_between_paced_chunks(dialect):
    reply = Reply("one two", pace=0.02, keep_alive=0.001)
    with asked(reply, dialect.route("m", True)) as (_, client):
        body = client.read_message()
    comment = dialect.encoder().keep_alive()
    first, last = body.index(b"one"), body.index(b" two")
    assert comment in body[first:last]
    assert comment in body[last:]
    assert comment not in body[:first]


def test_a_provider_without_keep_alives_sends_none():
    reply = Reply("one two", pace=0.002, keep_alive=0.001)
    with asked(reply, OLLAMA.route("m", True)) as (_, client):
        body = client.read_message()
    assert len(body.splitlines()) == 3


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_slices_are_http_chunks_of_their_own(size):
    with asked(Reply(body=PAYLOAD, slice=size)) as (_, client):
        client.read_message()
    chunks = chunks_of(client.received.partition(b"\r\n\r\n")[2])
    assert chunks == [PAYLOAD[i : i + size] for i in range(0, len(PAYLOAD), size)]


def test_by_default_each_stream_chunk_is_an_http_chunk():
    with asked(Reply("one two"), OLLAMA.route("m", True)) as (_, client):
        client.read_message()
    chunks = chunks_of(client.received.partition(b"\r\n\r\n")[2])
    assert len(chunks) == 3
    assert all(chunk.count(b"\n") == 1 and chunk.endswith(b"\n") for chunk in chunks)


def test_slow_bytes_arrive_whole_in_many_pieces():
    with asked(Reply(body=PAYLOAD, fault=Fault(slow_bytes_per_second=300))) as (_, client):
        assert client.read_message() == PAYLOAD
    sizes = [len(c) for c in chunks_of(client.received.partition(b"\r\n\r\n")[2])]
    assert sizes == [15, 15, len(PAYLOAD) - 30]


def test_a_slow_answer_can_be_cut_too():
    fault = Fault(cut_at=9, slow_bytes_per_second=2000)
    with asked(Reply(body=PAYLOAD, fault=fault)) as (_, client):
        assert client.read_to_end() == PAYLOAD[:9]
