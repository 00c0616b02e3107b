"""What the calls of an application share: connections that queue, and are never lost."""

from __future__ import annotations

import asyncio
import gc
import gzip
import itertools
import os
import random
import ssl
import threading
from contextlib import suppress
from functools import partial

import anyio
import httpx
import httpx2
import pytest

from cogent import (
    Agent,
    AuthenticationError,
    BadRequest,
    Client,
    ClientStats,
    CogentError,
    ConfigurationError,
    ConnectFailed,
    Model,
    NoResponse,
    RetryPolicy,
    Settings,
    StreamInterrupted,
    Timeouts,
    UsageError,
)
from cogent.exchange.direct import DirectTransport
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.tls import default_context

from .exchange.fake import FakeTransport
from .support.cancelling import CancelledAt
from .support.guard import KEY, check_pool
from .support.http_clients import HTTP
from .support.script_server import (
    DONE,
    STOP,
    answer,
    document,
    forever,
    head,
    hold,
    part,
    read,
    said,
    send,
)

HELLO = forever(read, send(answer("Hel", "lo")))
NOTHING = {"stalled": 0, "retried": 0, "unknown_events": 0}
EFFORT = int(os.environ.get("COGENT_FUZZ", "1"))
"""How many times as often the slow searches look."""


def model(server, **more) -> Model:
    return Model("openai-compatible:m-1", base_url=server.url, api_key=KEY, **more)


async def ask(model: Model) -> str:
    return "".join([text async for text in model.stream("hi").text()])


def pool_of(client: Client):
    return client.transport._own[False, True]._transport._pool


def free(client: Client) -> int:
    """Give how many more calls may run."""
    return client.transport._slots._total.value


def stuck(client: Client) -> list:
    """Give the pool's connections that serve nobody and are not to be had either."""
    pool = pool_of(client)
    return [c for c in pool.connections if not (c.is_idle() or c.is_closed())]


async def test_is_used_within_async_with():
    """A client is open within one `async with`, and says so elsewhere."""
    client = Client()
    shared = Model("openai-compatible:m-1", base_url="http://127.0.0.1:1/v1", client=client)
    with pytest.raises(UsageError, match="not open"):
        await ask(shared)
    async with client:
        with pytest.raises(UsageError, match="open already"):
            await client.__aenter__()
    with pytest.raises(UsageError, match="not open"):
        await ask(shared)


@pytest.mark.scorecard(82)
async def test_fork():
    """A child process is told that the connections are its parent's."""
    async with Client() as client:
        asked = Model("openai:m", api_key="k", client=client)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                asked.open_transport()
            except UsageError as error:
                status = 0 if "after the fork" in str(error) else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert asked.open_transport() == (client.transport, False)


@pytest.mark.scorecard(82)
async def test_event_loop_of_another_thread(anyio_backend_name):
    """A call from there is an error before anything is sent."""
    async with Client() as client:
        chunks = Model("openai:m", api_key="k", client=client).stream("hi")
        elsewhere = partial(anyio.run, chunks.__anext__, backend=anyio_backend_name)
        with pytest.raises(UsageError, match="another event loop"):
            await anyio.to_thread.run_sync(elsewhere)
        with pytest.raises(UsageError, match="another event loop"):
            await anyio.to_thread.run_sync(client.stats)


@pytest.mark.scorecard(82)
def test_the_next_event_loop_of_a_thread():
    """So it is where one loop follows another: ``asyncio.run``, called twice."""
    client = Client()
    anyio.run(client.__aenter__)
    with pytest.raises(UsageError, match="another event loop"):
        anyio.run(Model("openai:m", api_key="k", client=client).stream("hi").drained)


def test_closed_by_another_task(serve):
    """As fixtures of some plugins are; it is told what to do, and the connections are closed."""
    server = serve(HELLO)

    async def fixture():
        async with Client() as client:
            yield client

    with asyncio.Runner() as runner:
        opened = fixture()
        client = runner.run(anext(opened))
        assert runner.run(ask(model(server, client=client))) == "Hello"
        with pytest.raises(UsageError, match=r"another task.*pytest"):
            runner.run(anext(opened))
    server.wait(lambda server: not server.open_connections)


def test_closed_before_a_scope_that_was_opened_after_it():
    """As by hand, or in a generator: another task is not the only reason that is told."""

    async def misplaced():
        client = Client()
        await client.__aenter__()
        with anyio.CancelScope():
            await client.__aexit__(None, None, None)

    with pytest.raises(UsageError, match="cancel scope that is still open"):
        asyncio.run(misplaced())


def test_one_of_client_and_http_client():
    """Whose connections are used is said once."""
    with pytest.raises(ConfigurationError, match="not both"):
        Model("openai:gpt-4o", client=Client(), http_client=httpx.AsyncClient(verify=False))


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://127.0.0.1:1"},
        {"verify": "ca.pem"},
        {"cert": "client.pem"},
        {"http2": True},
        {"max_connections": 5},
        {"max_connections_per_host": 5},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_are_for_our_own_connections(options):
    """What a caller's client does is the caller's to set, and nothing is passed over."""
    with pytest.raises(ConfigurationError, match="set them on http_client itself"):
        Client(http_client=httpx.AsyncClient(verify=False), **options)


@pytest.mark.parametrize("limit", ["max_connections", "max_connections_per_host"])
def test_limit_that_lets_nothing_run(limit):
    """It is refused when the client is made, and not when it is entered."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        Client(**{limit: 0})


async def test_its_timeouts_and_policy_are_the_default(serve):
    """A client's timeouts and retry policy hold where settings do not say otherwise."""
    server = serve(forever(read, send(document(503, b""))))
    client = Client(timeouts=Timeouts(total=9), retry=RetryPolicy(max_retries=1, first_delay=0.01))
    async with client:
        shared = model(server, client=client)
        async with shared.stream("hi") as chunks:
            with pytest.raises(CogentError, match="attempt 2"):
                await chunks.text().__anext__()
            assert chunks._steps._call._deadlines._timeouts.total == 9
        settings = Settings(max_retries=0, timeouts=Timeouts(total=8))
        async with shared.stream("hi", settings=settings) as chunks:
            with pytest.raises(CogentError, match="attempt 1"):
                await chunks.text().__anext__()
            assert chunks._steps._call._deadlines._timeouts.total == 8


@pytest.mark.scorecard(43)
async def test_calls_queue_here(serve):
    """With n connections the call after the n-th waits for its turn, and not in the pool."""
    gate = threading.Event()
    server = serve(forever(read, hold(gate), send(answer("Hello"))))
    texts = []

    async def one() -> None:
        texts.append(await ask(shared))

    async with Client(max_connections=3, transport="httpx") as client:
        shared = model(server, client=client)
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(one)
            await server.until_requests(3)
            await anyio.wait_all_tasks_blocked()
            assert len(pool_of(client)._requests) == len(server.requests) == 3
            assert client.stats() == ClientStats(open=3, queued=5, **NOTHING)
            gate.set()
        assert stuck(client) == []
        assert client.stats() == ClientStats(open=0, queued=0, **NOTHING)
    assert texts == ["Hello"] * 8
    assert server.accepted == 3


@pytest.mark.scorecard(43)
async def test_cancelled_in_the_queue(serve):
    """Calls that are cancelled while they queue take no slot with them."""
    gate = threading.Event()
    server = serve(forever(read, hold(gate), send(answer("Hello"))))
    async with Client(max_connections=2) as client:
        shared = model(server, client=client)
        async with anyio.create_task_group() as tasks:
            queued = [shared.stream("hi") for _ in range(6)]
            for chunks in queued:
                tasks.start_soon(partial(_read, chunks))
            await server.until_requests(2)
            await anyio.wait_all_tasks_blocked()
            waiting = [chunks for chunks in queued if not chunks._steps._call._exchange._slot.held]
            assert len(waiting) == 4
            for chunks in waiting:
                chunks.cancel()
            await anyio.wait_all_tasks_blocked()
            gate.set()
        assert free(client) == 2
        assert await ask(shared) == "Hello"
    assert len(server.requests) == 3


async def test_a_slow_host_stops_itself_alone(serve):
    """The call after the n-th to a host waits, also for one cancelled; another host's does not."""
    gate = threading.Event()
    slow = serve(forever(read, hold(gate), send(answer("Hello"))))
    quick = serve(HELLO)
    async with Client(max_connections_per_host=2, max_connections=4) as client:
        async with anyio.create_task_group() as tasks:
            calls = [model(slow, client=client).stream("hi") for _ in range(5)]
            for chunks in calls:
                tasks.start_soon(partial(_read, chunks))
            await slow.until_requests(2)
            await anyio.wait_all_tasks_blocked()
            assert await ask(model(quick, client=client)) == "Hello"
            next(c for c in calls if not c._steps._call._exchange._slot.held).cancel()
            await anyio.wait_all_tasks_blocked()
            assert len(slow.requests) == 2
            gate.set()
        assert free(client) == 4
    assert (len(slow.requests), slow.accepted) == (4, 2)


async def _read(chunks) -> None:
    async for _ in chunks:
        pass


@pytest.mark.scorecard(43)
@pytest.mark.timeout(120 * EFFORT)
async def test_churn(serve, http):
    """Cancelled calls, at any moment of their lives, cost no connection for good.

    A caller's client has no limit here: where its own pool queues, it is the library's affair.
    """
    server = serve(HELLO)
    moments = random.Random(7)
    done = []

    async def one(patience: float) -> None:
        with anyio.move_on_after(patience):
            done.append(await ask(shared))

    limit = 8 if http.is_own else None
    async with http.opened(limit=limit, retry=RetryPolicy(max_retries=0)) as client:
        shared = model(server, client=client)
        for _ in range(EFFORT):
            done.clear()
            async with anyio.create_task_group() as tasks:
                for number in range(60):
                    tasks.start_soon(one, 60 if number % 3 else moments.uniform(0, 0.3))
            assert set(done) == {"Hello"}
            assert len(done) >= 40
            check_pool(HTTP.pool(client))
        assert limit is None or free(client) == limit
        done.clear()
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one, 60)
        assert done == ["Hello"] * 20
        check_pool(HTTP.pool(client))
        assert limit is None or HTTP.connections(client) <= limit


@pytest.mark.scorecard(42)
async def test_cancelled_at_every_wait(serve, http):
    """Wherever in a call it is cancelled: nothing is left, and the next call succeeds."""
    server = serve(HELLO)
    async with http.opened(limit=1) as client:
        shared = model(server, client=client)
        for n in itertools.count(1):
            with anyio.CancelScope() as scope:
                text = await CancelledAt(ask(shared), scope, n)
            if not scope.cancelled_caught:
                assert text == "Hello"
                break
            check_pool(HTTP.pool(client))
            assert not http.is_own or free(client) == 1
            gc.collect()
        assert n > 3
        assert await ask(shared) == "Hello"


@pytest.mark.scorecard(42)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_cancelled_by_asyncio_at_every_wait(serve, http):
    """Its own way of cancelling, as of ``asyncio.timeout``, minds no shield; nothing is left."""
    server = serve(HELLO)
    async with http.opened(limit=1) as client:
        shared = model(server, client=client)
        for n in itertools.count(1):
            task = asyncio.ensure_future(cancelled_by_asyncio(ask(shared), n))
            with suppress(asyncio.CancelledError):
                assert await task == "Hello"
            check_pool(HTTP.pool(client))
            assert not http.is_own or free(client) == 1
            assert client.stats() == ClientStats(open=0, queued=0, **NOTHING)
            gc.collect()
            if not task.cancelled():
                break
        assert n > 3
        assert await ask(shared) == "Hello"
        assert HTTP.connections(client) == 1


async def cancelled_by_asyncio(awaitable, n: int):
    """Await something, and have the task cancelled when it waits for the n-th time."""
    task = asyncio.current_task()
    return await CancelledAt(awaitable, task, n)


@pytest.mark.scorecard(50)
@pytest.mark.parametrize("transport", ["own", "direct"])
async def test_left_with_a_stream_open(serve, transport):
    """Leaving the client ends what runs on it, with an error of ours."""
    server = serve([read, send(head(), part(said("Hel")))])
    caught = []

    async def reader() -> None:
        with pytest.raises(StreamInterrupted) as error:
            await _read(chunks)
        caught.append(error.value)

    async with anyio.create_task_group() as tasks, HTTP(transport).opened() as client:
        chunks = model(server, client=client).stream("hi")
        await chunks.ready()
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
    assert caught[0].partial.content == "Hel"


async def test_left_between_two_tries():
    """A try that would come after the client was left is not made."""
    policy = RetryPolicy(first_delay=0.001)
    async with Client(retry=policy) as client:
        base = "http://127.0.0.1:1/v1"
        chunks = Model("openai-compatible:m", base_url=base, client=client).stream("hi")
        assert (await anext(chunks)).kind == "retry"
    with pytest.raises(UsageError, match="closed"):
        await anext(chunks)


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("give", ["client", "model", "agent"])
async def test_callers_http_client(serve, library, give):
    """A caller's client is used, wherever it is given, and is the caller's to close."""
    server = serve(HELLO)
    async with library.AsyncClient(verify=False, headers={"x-mine": "1"}) as http_client:
        if give == "agent":
            # A model that is not the agent's own keeps the connections it was made with.
            agent = Agent(model=model(server, http_client=http_client))
            assert [(await agent.run("hi")).content for _ in range(2)] == ["Hello"] * 2
        elif give == "model":
            asked = model(server, http_client=http_client)
            assert [await ask(asked) for _ in range(2)] == ["Hello"] * 2
        else:
            async with Client(http_client=http_client) as client:
                asked = model(server, client=client)
                assert [await ask(asked) for _ in range(2)] == ["Hello"] * 2
        assert not http_client.is_closed
        assert {request.headers["x-mine"] for request in server.requests} == {"1"}
    assert (server.accepted, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_callers_http_client_that_was_closed(library):
    """That is no fault of a connection, which another try or another model could mend."""
    async with library.AsyncClient(verify=False) as http_client:
        asked = Model("openai:m", api_key="k", http_client=http_client)
    with pytest.raises(UsageError, match="http_client was closed"):
        await ask(asked)


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_callers_hook_that_raises_for_the_status(serve, library):
    """The status is told as ever, and decides on another try."""

    async def raise_for_status(response):
        response.raise_for_status()

    server = serve(forever(read, send(document(401, b"no"))))
    hooks = {"response": [raise_for_status]}
    async with library.AsyncClient(verify=False, event_hooks=hooks) as http_client:
        with pytest.raises(AuthenticationError, match="HTTP 401"):
            await ask(model(server, http_client=http_client))
    assert len(server.requests) == 1


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_callers_hook_that_another_server_refuses(serve, library):
    """As where it fetches a token: that is no answer of the provider's."""
    other = serve(forever(read, send(document(401, b"no"))))

    async def fetch_token(request):
        async with library.AsyncClient(verify=False) as tokens:
            (await tokens.post(other.url)).raise_for_status()

    server = serve(HELLO)
    hooks = {"request": [fetch_token]}
    async with (
        library.AsyncClient(verify=False, event_hooks=hooks) as http_client,
        Client(http_client=http_client, retry=RetryPolicy(max_retries=0)) as client,
    ):
        with pytest.raises(NoResponse, match=r"before an answer.*401"):
            await ask(model(server, client=client))
    assert not server.requests


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_callers_hook_that_reads_the_answer(serve, library):
    """What it has read is the answer all the same, of an error too."""

    async def log(response):
        await response.aread()

    server = serve([read, send(answer("Hel", "lo")), read, send(document(400, b'{"error": "hm"}'))])
    hooks = {"response": [log]}
    async with library.AsyncClient(verify=False, event_hooks=hooks) as http_client:
        asked = model(server, http_client=http_client)
        assert await ask(asked) == "Hello"
        with pytest.raises(BadRequest, match="hm"):
            await ask(asked)


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_callers_transport_for_tests(library):
    """Its answers are there as a whole, with their encoding taken off."""
    packed = {"content-encoding": "gzip", "content-type": "text/event-stream"}
    body = gzip.compress(said("Hel") + said("lo") + STOP + DONE)
    mock = library.MockTransport(lambda _: library.Response(200, headers=packed, content=body))
    async with library.AsyncClient(transport=mock) as http_client:
        asked = Model("openai:m", api_key="k", http_client=http_client)
        assert await ask(asked) == "Hello"


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_callers_http_client_must_be_async(library):
    """The other one is refused at once."""
    refused = pytest.raises(ConfigurationError, match=r"AsyncClient.*not Client")
    with library.Client(verify=False) as http_client, refused:
        Agent(model="openai:m", http_client=http_client)


async def test_tls_context_is_made_once(monkeypatch):
    """The certificates are loaded for the first client that needs them, and never again."""
    default_context.cache_clear()
    made = []
    make = ssl.create_default_context

    def counted(*args, **options):
        made.append(options)
        return make(*args, **options)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for scheme, count in (("http", 0), ("https", 1), ("https", 1)):
        asked = Model("openai-compatible:m", base_url=f"{scheme}://127.0.0.1:1/v1")
        with pytest.raises(ConnectFailed):
            await _read(asked.stream("hi", settings=Settings(max_retries=0)))
        assert len(made) == count


# What moves the bytes.


@pytest.mark.parametrize(
    ("asked", "environment", "used"),
    [
        (None, None, HTTPXTransport),
        (None, "", HTTPXTransport),
        (None, "direct", DirectTransport),
        ("httpx", "direct", HTTPXTransport),
        ("direct", "httpx", DirectTransport),
    ],
)
async def test_which_transport(monkeypatch, asked, environment, used):
    """What a caller asks for comes before what the environment says."""
    monkeypatch.delenv("COGENT_TRANSPORT", raising=False)
    if environment is not None:
        monkeypatch.setenv("COGENT_TRANSPORT", environment)
    async with Client(transport=asked) as client:
        assert type(client.transport) is used
    assert type(Client(transport=asked).make_transport()) is used


def test_transports_that_are_none(monkeypatch):
    """They are refused by the name of the place where they were named."""
    with pytest.raises(ConfigurationError, match=r"^transport must be one of httpx, direct"):
        Client(transport="http2")
    monkeypatch.setenv("COGENT_TRANSPORT", "yes")
    with pytest.raises(ConfigurationError, match=r"^COGENT_TRANSPORT must be one of .* not 'yes'"):
        Client()


def test_what_our_own_sockets_do_not_do(monkeypatch):
    """Asked for with them it is refused; where the environment chose them, httpx does it."""
    excluded = [{"proxy": "http://127.0.0.1:1"}, {"http2": True}]
    excluded.append({"http_client": httpx.AsyncClient(verify=False)})
    for options in excluded:
        with pytest.raises(ConfigurationError, match="or say transport='httpx'"):
            Client(transport="direct", **options)
    monkeypatch.setenv("COGENT_TRANSPORT", "direct")
    for options in excluded:
        assert type(Client(**options).make_transport()) is HTTPXTransport


async def test_a_transport_around_the_clients(monkeypatch):
    """A function is given what would be used; what it gives is used, and closed, instead."""
    monkeypatch.delenv("COGENT_TRANSPORT", raising=False)
    given, fakes = [], []

    def around(made):
        given.append(type(made))
        fakes.append(FakeTransport([b"".join([said("Hello"), STOP, DONE])]))
        return fakes[-1]

    client = Client(transport=around)
    async with client:
        assert client.transport is fakes[0]
        asked = Model("openai-compatible:m", base_url="https://fake.test/v1", client=client)
        assert await ask(asked) == "Hello"
        assert fakes[0].closed == 0
    async with client:
        assert client.transport is fakes[1]
    assert [fake.closed for fake in fakes] == [1, 1]
    assert set(given) == {HTTPXTransport}
