"""Many calls at once, one after another, and beside one that nobody reads.

``COGENT_FUZZ=50`` makes fifty times as many short calls, and holds a thousand streams.
"""

from __future__ import annotations

import os
import random
import resource
import tracemalloc

import anyio
import pytest

from cogent import CogentError, RetryPolicy, Timeouts
from cogent.testing import Emulator, Fault, Reply
from tests.support.script_server import (
    answer,
    document,
    failure,
    fin,
    forever,
    head,
    part,
    read,
    reset,
    said,
    send,
)

from .asking import QUICK, model, text_of

EFFORT = int(os.environ.get("COGENT_FUZZ", "1"))
HELD = min(50 * EFFORT, 1000)
CALLS = 200 * EFFORT
BUSY = b'{"error": {"type": "overloaded_error", "message": "too much to do"}}'


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request) -> str:
    # Without asyncio's debug mode, which keeps a stack for each future.
    return request.param


@pytest.fixture
def many_files():
    """Let the process have as many sockets as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.scorecard(52)
@pytest.mark.timeout(120 * EFFORT)
async def test_many_idle_streams(http, many_files, no_log, request):
    """All are held, each for a little memory (the server's is counted in), and all are let go."""
    whole = Reply("Hello, you two!")
    stalls = Reply("Hello, you two!", fault=Fault(stall_at=400))
    with Emulator([whole, *[stalls] * HELD]) as server:
        async with http.opened(limit=HELD, timeouts=Timeouts()) as client:
            asked = model(server.url + "/v1", client)
            await asked.complete("warm up")
            streams = []
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(HELD):
                streams.append(asked.stream("hi"))
                await streams[-1].ready()
            each = (tracemalloc.get_traced_memory()[0] - before) / HELD / 1024
            tracemalloc.stop()
            assert server.open_connections >= HELD
            for stream in streams:
                await stream.aclose()
            await server.awaited_closed()
    request.node.user_properties.append(("KiB a stream", each))
    assert each < 200


@pytest.mark.scorecard(53)
async def test_one_that_is_not_read(serve, http):
    """It is held back at its socket, and all others go on."""
    sent = []

    def flood(connection) -> None:
        for _ in range(10_000):
            connection.send(part(said("x" * 10_000)))
            sent.append(10_000)

    slow = serve([read, send(head()), flood])
    quick = serve(forever(read, send(answer("Hel", "lo"))))
    texts = []

    async def one() -> None:
        texts.append(text_of([chunk async for chunk in model(quick.url, client).stream("hi")]))

    async with http.opened(retry=QUICK) as client, model(slow.url, client).stream("hi") as unread:
        await unread.ready()
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(one)
        assert texts == ["Hello"] * 30
        assert len(unread.partial.content) < 1_000_000
    assert sum(sent) < 50_000_000


FAULTS = {
    "none": [send(answer("Hel", "lo"))],
    "fin": [fin],
    "reset": [reset],
    "garbage": [send(b"garbage\r\n\r\n")],
    "busy": [send(document(503, BUSY))],
    "cut before content": [send(head()), fin],
    "cut": [send(head(), part(said("Hel"))), fin],
    "reset in the body": [send(head(), part(said("Hel"))), reset],
    "error in the stream": [send(head(), part(said("Hel")), part(failure("overloaded_error")))],
}


@pytest.mark.scorecard(54)
@pytest.mark.timeout(120 * EFFORT)
async def test_short_calls_with_faults(serve, http, request):
    """Each gives the whole text, or what had come and an error; nothing is left of any."""
    weights = [9, *[1] * (len(FAULTS) - 1)]
    names = iter(random.Random(54).choices(list(FAULTS), weights, k=4 * CALLS))

    def answer_or_fail(connection) -> None:
        for step in FAULTS[next(names, "none")]:
            step(connection)

    server = serve(forever(read, answer_or_fail))
    ended = []

    async def one() -> None:
        chunks, failed = [], None
        try:
            async for chunk in model(server.url, client).stream("hi"):
                chunks.append(chunk)
        except CogentError as error:
            failed = error
        text = text_of(chunks)
        assert text == ("Hello" if failed is None else failed.partial.content)
        assert text in ("", "Hel", "Hello")
        ended.append(text)

    policy = RetryPolicy(first_delay=0.001)
    async with http.opened(limit=10, retry=policy) as client:
        for _ in range(CALLS // 20):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one)
    request.node.user_properties.append(("short calls", len(ended)))
    assert len(ended) == CALLS
    assert CALLS // 2 < ended.count("Hello") < CALLS
