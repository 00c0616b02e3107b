"""Streaming endpoints: tokens reach the client one by one, and a client that leaves is noticed.

Everything runs over real sockets: client, uvicorn with the application, emulated provider.
"""

from __future__ import annotations

import logging
import socket
import warnings
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import httpx
import pytest

from cogent import RateLimited, TextChunk
from cogent.testing import Fault, Reply
from tests.user_document.document import requires_document
from tests.user_document.provider import emulated_openai

from .applications import EVENTS, TEXT, GoneAtSend, careful_app, documented_app, ready_app
from .serving import serve

ANSWER = "First of all, tokens come one by one.\nThen 🌹, and  two spaces; then the end."
AGAIN = "Still alive."

STALLED = Reply(ANSWER, fault=Fault(stall_at=2500))
"""Says some of the answer, and then nothing more until the client leaves."""

every_app = pytest.mark.parametrize(
    "make_app",
    [
        pytest.param(documented_app, marks=requires_document, id="documented"),
        pytest.param(careful_app, id="careful"),
    ],
)
every_endpoint = pytest.mark.parametrize("endpoint", [TEXT, EVENTS])


@pytest.fixture
def openai(monkeypatch):
    """Start the emulated provider with the replies that it is to give in turn."""
    return partial(emulated_openai, monkeypatch)


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    """See that neither the server nor its loop had an error to tell of."""
    yield
    told = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in told] == []


@contextmanager
def asked(url, endpoint):
    """Ask an endpoint, and give its answer while it comes."""
    with (
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
        client.stream("POST", endpoint, params={"message": "Tell me"}) as answer,
    ):
        yield answer


@contextmanager
def asked_and_not_read(url, endpoint):
    """Ask an endpoint over a bare socket with room for little, and give the socket."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(30)
        client.connect((urlsplit(url).hostname, urlsplit(url).port))
        client.sendall(f"POST {endpoint}?message=x HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        yield client


def read(answer):
    """Give the texts of an answer as they come; the events' names are as they should be."""
    assert answer.status_code == 200
    if not answer.headers["content-type"].startswith("text/event-stream"):
        yield from (data.decode() for data in answer.iter_raw())
        return
    names, name, data = [], "", []
    for line in answer.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and name:
            yield "\n".join(data)
            names.append(name)
            name, data = "", []
    assert names == ["token"] * (len(names) - 1) + ["done"]


@every_app
@every_endpoint
def test_tokens_reach_the_client_whole_and_in_order(make_app, endpoint, openai):
    """The whole answer arrives in many pieces, and the event that ends it comes once and last."""
    with openai(Reply(ANSWER)) as provider, serve(make_app()) as url:
        with asked(url, endpoint) as answer:
            pieces = [piece for piece in read(answer) if piece]
        provider.wait_closed()
        assert [seen.request.messages[-1].text for seen in provider.requests] == ["Tell me"]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 5


@every_app
@every_endpoint
def test_a_client_that_leaves_while_the_provider_is_silent(make_app, endpoint, openai):
    """What has come is read at once; leaving closes the provider's connection, bare loop or not."""
    with openai(STALLED, Reply(AGAIN)) as provider, serve(make_app()) as url:
        with asked(url, endpoint) as answer:
            pieces = read(answer)
            assert ANSWER.startswith(next(pieces) + next(pieces))
            assert not provider.disconnects
        provider.wait_disconnects()
        provider.wait_closed()
        with asked(url, endpoint) as answer:
            assert "".join(read(answer)) == AGAIN


@every_app
@every_endpoint
def test_a_generator_that_nobody_closes(make_app, endpoint, openai):
    """Left at its ``yield``, `async with` closes quietly; a bare loop is collected, and warns."""
    app = GoneAtSend(make_app(), sends=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with openai(STALLED, Reply(AGAIN)) as provider, serve(app) as url:
            with asked(url, endpoint) as answer:
                assert answer.read().count(b"First") == 1
            provider.wait_disconnects()
            provider.wait_closed()
            with asked(url, endpoint) as answer:
                assert "".join(read(answer)) == AGAIN
    assert [warning.category for warning in caught] == (
        [ResourceWarning] if make_app is documented_app else []
    )
    assert all("RunStream" in str(warning.message) for warning in caught)


@every_app
@every_endpoint
def test_a_client_that_does_not_read_slows_the_provider(make_app, endpoint, openai):
    """Nobody reads ahead: the provider is still writing when the client, long stuck, leaves."""
    more_than_buffers_hold = [TextChunk("x" * 65_536)] * 500
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with (
            openai(Reply(chunks=more_than_buffers_hold), Reply(AGAIN)) as provider,
            serve(make_app()) as url,
        ):
            with asked_and_not_read(url, endpoint) as client:
                while b"xxx" not in client.recv(8192):
                    pass
            provider.wait_disconnects()
            provider.wait_closed()
            with asked(url, endpoint) as answer:
                assert "".join(read(answer)) == AGAIN
    assert len(caught) <= (make_app is documented_app)


@every_app
@every_endpoint
def test_an_answer_that_was_cut_does_not_end_as_if_it_were_whole(
    make_app, endpoint, openai, caplog
):
    """The client's own connection breaks, so that it can tell; the server's log says why."""
    cut = Reply(ANSWER, fault=Fault(cut_at=2500))
    with openai(cut, Reply(AGAIN)) as provider, serve(make_app()) as url:
        received = []
        breaks = pytest.raises(httpx.RemoteProtocolError, match="incomplete")
        with asked(url, endpoint) as answer, breaks:
            received.extend(read(answer))
        provider.wait_closed()
        text = "".join(received)
        assert text
        assert ANSWER.startswith(text)
        assert text != ANSWER
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        assert "StreamInterrupted" in caplog.text
        caplog.clear()
        with asked(url, endpoint) as answer:
            assert "".join(read(answer)) == AGAIN


def test_ready_answers_a_rate_limit_with_a_rate_limit(openai):
    """With `ready` a provider's 429 is a 429 with its ``Retry-After``, and no broken 200."""
    busy = Reply(error=RateLimited("slow down", retry_after=120))
    with openai(busy, Reply(ANSWER)) as provider, serve(ready_app()) as url:
        with asked(url, TEXT) as answer:
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "120"
            assert "slow down" not in answer.read().decode()
        assert len(provider.requests) == 1
        provider.wait_closed()
        with asked(url, TEXT) as answer:
            pieces = list(read(answer))
        assert "".join(pieces) == ANSWER
        assert len(pieces) > 5
        provider.wait_closed()


def test_ready_returns_with_the_first_token(openai):
    """The status is sent while the provider is still silent, and leaving closes the stream."""
    with openai(STALLED, Reply(AGAIN)) as provider, serve(ready_app()) as url:
        with asked(url, TEXT) as answer:
            assert ANSWER.startswith(next(read(answer)))
        provider.wait_disconnects()
        provider.wait_closed()
        with asked(url, TEXT) as answer:
            assert "".join(read(answer)) == AGAIN


@pytest.mark.parametrize(
    "make_app",
    [
        pytest.param(documented_app, marks=requires_document, id="documented"),
        pytest.param(careful_app, id="careful"),
        pytest.param(ready_app, id="ready"),
    ],
)
def test_a_client_that_leaves_before_the_first_token(make_app, openai):
    """The stream is closed even if the response is never begun, or is begun for nobody."""
    late = replace(STALLED, delay=0.3)
    with openai(late, Reply(AGAIN)) as provider, serve(make_app()) as url:
        with asked_and_not_read(url, TEXT):
            provider.wait_requests()
        provider.wait_disconnects()
        provider.wait_closed()
        with asked(url, TEXT) as answer:
            assert "".join(read(answer)) == AGAIN
