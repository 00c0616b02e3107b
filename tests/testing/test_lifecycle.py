"""The server's life: connections kept and ended, waits, clients that leave, its own end."""

from __future__ import annotations

import gc
import socket
import threading

import httpx
import pytest
from anyio import create_task_group, move_on_after

from cogent.errors import UsageError
from cogent.testing import Emulator, Fault, Reply

from .raw import BODY, PLAIN, RawClient

ASK = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
ROUTE = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _nothing_left():
    """No thread outlives a test, and nothing is collected that was not closed."""
    before = threading.active_count()
    yield
    gc.collect()
    left = [
        t for t in threading.enumerate() if not t.name.startswith(("AnyIO worker", "Trio thread"))
    ]
    assert len(left) <= before


def test_one_connection_serves_many_requests():
    replies = [Reply("a"), Reply("b", framing="length"), Reply(status=500), Reply("c")]
    with Emulator(replies) as server, httpx.Client(base_url=server.url, **PLAIN) as client:
        statuses = [client.post(ROUTE, json=ASK).status_code for _ in range(4)]
        assert statuses == [200, 200, 500, 200]
        assert client.get("/nope").status_code == 404
        assert (server.connections, server.open_connections) == (1, 1)
        client.close()
        server.wait_closed()
        assert (server.connections, server.open_connections, server.disconnects) == (1, 0, 0)


def test_a_body_ended_by_closing_ends_its_connection():
    with Emulator(Reply("a", framing="close")) as server:
        with httpx.Client(base_url=server.url, **PLAIN) as client:
            for _ in range(2):
                answer = client.post(ROUTE, json=ASK)
                assert "transfer-encoding" not in answer.headers
                assert "content-length" not in answer.headers
                assert answer.content
        assert server.connections == 2
        assert server.disconnects == 0


def test_requests_sent_ahead_are_answered_in_order():
    replies = [Reply("first"), Reply("second")]
    with Emulator(replies) as server, RawClient(server.url) as client:
        client.ask()
        client.ask(ROUTE, BODY, "connection: close")
        client.read_to_end()
    assert client.received.count(b"HTTP/1.1 200") == 2
    assert client.received.index(b"first") < client.received.index(b"second")


def test_a_client_of_http_1_0_gets_no_chunks():
    with Emulator(Reply("Hi")) as server, RawClient(server.url) as client:
        head = f"POST {ROUTE} HTTP/1.0\r\ncontent-length: {len(BODY)}\r\n\r\n"
        client.socket.sendall(head.encode() + BODY)
        body = client.read_to_end()
    assert b"transfer-encoding" not in client.head
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_client_that_asks_first_is_told_to_go_on():
    with Emulator(Reply("Hi")) as server, RawClient(server.url) as client:
        client.ask(ROUTE, b"", "expect: 100-continue", "transfer-encoding: chunked")
        assert client.read_once()
        assert client.received.startswith(b"HTTP/1.1 100")
        client.socket.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        while b"[DONE]" not in client.received:
            assert client.read_once()


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01 hello\r\n\r\n", b"GET / HTTP/1.1\r\nx\r\n\r\n"])
def test_what_is_not_http_is_refused(garbage):
    with Emulator() as server, RawClient(server.url) as client:
        client.socket.sendall(garbage)
        assert b"emulated server" in client.read_to_end()
        assert client.head.startswith(b"http/1.1 400")
        assert server.requests == []


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nhost: x\r\n"])
def test_a_client_that_leaves_before_asking_is_no_disconnect(sent):
    with Emulator() as server:
        with RawClient(server.url) as client:
            client.socket.sendall(sent)
        server.wait_closed(1)
        assert (server.connections, server.disconnects) == (1, 0)


def test_a_client_that_leaves_in_mid_answer_is_noticed():
    with Emulator(Reply("word " * 1000, pace=0.01)) as server:
        with httpx.stream("POST", server.url + ROUTE, json=ASK, **PLAIN) as answer:
            assert next(answer.iter_raw())
        server.wait_disconnects(1)
        server.wait_closed(1)


def test_a_client_that_leaves_in_a_delay_is_noticed():
    with Emulator(Reply(delay=1000)) as server:
        with RawClient(server.url) as client:
            client.ask()
            server.wait_requests()
        server.wait_disconnects()


def test_a_client_that_resets_is_noticed():
    with Emulator(Reply(body=b"x" * 50_000_000)) as server:
        with RawClient(server.url) as client:
            client.ask()
            client.read_once()  # closing with bytes unread resets
        server.wait_disconnects()
        server.wait_closed()


def test_pace_keeps_the_order():
    with Emulator(Reply("a b c d", pace=0.001)) as server:
        text = httpx.post(server.url + ROUTE, json=ASK, **PLAIN).text
    places = [text.index(f'"content":"{word}"') for word in ("a", " b", " c", " d")]
    assert places == sorted(places)


def test_closing_ends_clients_at_once():
    with Emulator([Reply(fault=Fault(stall_at=5)), Reply(delay=1000)]) as server:
        stalled, waiting, idle = (RawClient(server.url) for _ in range(3))
        stalled.ask()
        assert stalled.read_body(5)
        waiting.ask()
        server.wait_requests(2)
        server.close()
        server.close()
        for client in (stalled, waiting, idle):
            with client:
                client.read_to_end()
                assert client.end is not None
    assert (server.open_connections, server.disconnects) == (0, 0)


def test_closing_ends_a_client_that_does_not_read():
    with Emulator(Reply(body=b"x" * 50_000_000)) as server, RawClient(server.url) as client:
        client.ask()
        assert client.read_once()
        server.close()


def test_after_closing_nobody_listens():
    with Emulator() as server:
        pass
    with pytest.raises(ConnectionRefusedError):
        RawClient(server.url)


def test_it_can_be_started_once_at_a_time():
    server = Emulator()
    with pytest.raises(UsageError):
        _ = server.url
    with server, pytest.raises(UsageError):
        server.start()
    with server:
        assert httpx.get(server.url + "/health", **PLAIN).status_code == 200


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Emulator(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            server.start()


def test_it_listens_on_the_port_that_is_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Emulator(port=port) as server:
        assert server.url == f"http://127.0.0.1:{port}"


def test_waits_time_out_and_say_what_is():
    with Emulator() as server, RawClient(server.url):
        server.wait_closed(0, timeout=0)
        with pytest.raises(TimeoutError, match="0 requests"):
            server.wait_requests(1, timeout=0)
        with pytest.raises(TimeoutError):
            server.wait_disconnects(1, timeout=0)
        with pytest.raises(TimeoutError):
            server.wait_closed(1, timeout=0)


async def test_it_serves_clients_of_its_own_event_loop():
    async with Emulator(Reply("a b c", fault=Fault(stall_at=400))) as server:
        async with httpx.AsyncClient(base_url=server.url, **PLAIN) as client:

            async def ask():
                async with client.stream("POST", ROUTE, json=ASK) as answer:
                    async for _ in answer.aiter_raw():
                        pass

            async with create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(ask)
                assert len(await server.awaited_requests(3)) == 3
                tasks.cancel_scope.cancel()
        await server.awaited_disconnects(3)
        await server.awaited_closed()
        assert server.open_connections == 0


async def test_it_ends_when_its_user_is_cancelled():
    with move_on_after(10) as scope:
        async with Emulator() as server:
            scope.cancel()
            await server.awaited_requests()
    assert scope.cancelled_caught
    with pytest.raises(ConnectionRefusedError):
        RawClient(server.url)
