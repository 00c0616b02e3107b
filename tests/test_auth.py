"""Tokens that expire, and signatures over each request."""

from __future__ import annotations

import threading
import time
from functools import partial

import anyio
import pytest

from cogent import AuthenticationError, BearerToken, Model, Settings
from cogent.exchange import Call
from cogent.testing import Emulator, Reply

REFUSED = Reply(error=AuthenticationError("token expired", status=401))


class Tokens:
    """Hands out tokens, each valid for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.fetched = 0

    async def fetch(self) -> tuple[str, float]:
        self.fetched += 1
        return f"token-{self.fetched:08}", time.time() + self.seconds


def model(server: Emulator, auth) -> Model:
    settings = Settings(max_retries=0)
    return Model("azure:d", base_url=server.url, auth=auth, settings=settings)


def sent(server: Emulator) -> list[str]:
    return [request.headers["authorization"] for request in server.requests]


async def test_a_token_is_kept_until_shortly_before_it_expires():
    """One that is still good is used again; one that soon is not, is fetched again."""
    for seconds, fetched in ((3600, 1), (200, 2)):
        tokens = Tokens(seconds)
        with Emulator(Reply("Hi.")) as server:
            asked = model(server, BearerToken(tokens.fetch))
            for _ in range(2):
                await asked.stream("hi").drained()
        assert tokens.fetched == fetched
        assert sent(server)[0] == "Bearer token-00000001"
        assert all("api-key" not in request.headers for request in server.requests)


def test_a_token_is_shared_by_event_loops():
    """Threads that fetch at once do not wait for each other, and backends may come in turn."""
    together = threading.Barrier(2)
    given: list[object] = []

    async def fetch():
        if not given:
            await anyio.to_thread.run_sync(together.wait, 10)
        return "token-12345678", time.time() + 3600

    token = BearerToken(fetch)

    def prove(backend):
        ask = partial(token, Call("https://api.test", {}, b""), rejected=True)
        given.append(anyio.run(ask, backend=backend))

    threads = [threading.Thread(target=prove, args=("asyncio",), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    prove("asyncio")
    prove("trio")
    assert given == [{"authorization": "Bearer token-12345678"}] * 4


async def test_a_rejected_token_is_replaced_once():
    """A 401 fetches another token, though retries are off; a second 401 is the caller's."""
    tokens = Tokens(3600)
    with Emulator([REFUSED, Reply("Hi.")]) as server:
        response = await model(server, BearerToken(tokens.fetch)).stream("hi").drained()
    assert response.content == "Hi."
    assert sent(server) == ["Bearer token-00000001", "Bearer token-00000002"]

    with Emulator(REFUSED) as server, pytest.raises(AuthenticationError):
        await model(server, BearerToken(tokens.fetch)).stream("hi").drained()
    assert len(server.requests) == 2


async def test_a_token_that_the_server_repeats_is_not_shown():
    """What proves who one is may be in an error that the server writes; it is taken out there."""

    async def prove(call, *, rejected):
        return {"authorization": "Bearer token-new" if rejected else "Bearer token-old"}

    said = AuthenticationError("no such token-new", status=401)
    with Emulator(Reply(error=said)) as server, pytest.raises(AuthenticationError) as caught:
        await model(server, prove).stream("hi").drained()
    assert sent(server) == ["Bearer token-old", "Bearer token-new"]
    assert "no such" in str(caught.value)
    assert "token-new" not in str(caught.value)


async def test_a_run_that_is_stopped_as_the_token_comes_sends_nothing():
    """`cancel` counts, though nothing is awaited any more."""
    stopped = None

    async def prove(call, *, rejected):
        stopped.cancel()
        return {"authorization": "Bearer token"}

    with Emulator(Reply("Hi.")) as server:
        stopped = model(server, prove).stream("hi")
        assert (await stopped.drained()).finish_reason == "cancelled"
    assert not server.requests


async def test_a_signature_sees_the_request():
    """The hook gets the address, the headers and the body that are sent."""

    async def sign(call, *, rejected):
        return {"authorization": f"signed {len(call.body)} {rejected}"}

    with Emulator(Reply("Hi.")) as server:
        await model(server, sign).stream("hi").drained()
    assert sent(server) == [f"signed {len(server.requests[0].body)} False"]
