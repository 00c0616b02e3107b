"""The life of a stream, over real sockets, on both event loops, with warnings as errors.

Each row of the table that the design promises is a test here. Where a test says "closed", the
server has seen it while nothing else ran on the event loop.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from contextlib import aclosing

import anyio
import pytest

from cogent import APIError, Client, Model, RunStream, UsageError

from .support.guard import KEY, check_pool
from .support.http_clients import HTTP
from .support.script_server import (
    DONE,
    LAST,
    STOP,
    answer,
    failure,
    fin,
    forever,
    head,
    hold,
    part,
    read,
    said,
    send,
    trickle,
)

HELLO = ("Hel", "lo", "!")
FIRST = [read, send(head(), part(said("Hel")))]
"""A server that says one word, and then nothing until the client leaves."""
WHOLE = head() + part(b"".join([*map(said, HELLO), STOP, DONE])) + LAST
"""An answer that comes in one read."""

asyncio_only = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"debug": True})], ids=["asyncio"]
)


def stream(server, **more) -> RunStream:
    model = Model("openai-compatible:m-1", base_url=server.url, api_key=KEY, **more)
    return model.stream("hi")


async def texts(chunks) -> list[str]:
    return [chunk.content async for chunk in chunks if chunk.content]


def closed_now(server) -> None:
    """See that the server's connections are closed, while the event loop stands still."""
    server.wait(lambda server: server.accepted > 0 and not server.open_connections)


async def collected(server) -> None:
    """Have dropped streams collected, one layer of generators after the other."""
    gc.collect()
    await server.until_closed()
    for _ in range(10):
        await anyio.wait_all_tasks_blocked()
        gc.collect()


# Read to the end.


async def test_bare_loop_to_the_end(serve, client):
    """Runs that are read to their end give all chunks and share one connection."""
    server = serve(forever(read, send(answer(*HELLO))))
    for _ in range(3):
        chunks = [chunk async for chunk in stream(server, client=client)]
        assert [chunk.content for chunk in chunks] == [*HELLO, ""]
        assert [chunk.is_final for chunk in chunks] == [False, False, False, True]
    check_pool(HTTP.pool(client))
    assert HTTP.connections(client) == 1
    assert (server.accepted, len(server.requests)) == (1, 3)


async def test_bare_loop_without_a_client(serve):
    """A run without a client has a connection of its own, closed when the loop ends."""
    server = serve([read, send(answer(*HELLO))])
    assert await texts(stream(server)) == list(HELLO)
    closed_now(server)


@pytest.mark.scorecard(46)
async def test_created_and_never_iterated(serve, client):
    """A stream that is not used sends nothing and does not complain."""
    assert repr(stream(server := serve(), client=client)) == "<RunStream new, 0 chunks handed out>"
    gc.collect()
    assert server.accepted == 0


# Left early.


@pytest.mark.scorecard(46)
async def test_bare_break_warns_once(serve, client):
    """A bare `break` is released by the collector, with one warning that names the class."""
    server = serve(FIRST)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        async for _ in stream(server, client=client):
            break
        await collected(server)
    ours = [str(w.message) for w in seen if "RunStream" in str(w.message)]
    assert len(ours) == 1
    assert "async with" in ours[0]
    others = {str(w.message) for w in seen if "RunStream" not in str(w.message)}
    assert all("Async generator 'httpx" in text or "'httpcore" in text for text in others)


@pytest.mark.scorecard(46, 48)
@pytest.mark.parametrize("entered", [lambda stream: stream, aclosing], ids=["with", "aclosing"])
async def test_break_inside_async_with(serve, entered, client):
    """Leaving by `break` closes before the next statement; closing again does nothing."""
    server = serve(FIRST)
    async with entered(stream(server, client=client)) as chunks:
        async for _ in chunks:
            break
    closed_now(server)
    await chunks.aclose()


@pytest.mark.scorecard(47)
async def test_exception_in_the_body(serve, client):
    """An exception of the body comes out as it is, and the stream is closed."""
    server = serve(FIRST)
    error = LookupError("mine")

    async def body() -> None:
        async with stream(server, client=client) as chunks:
            async for _ in chunks:
                raise error

    with pytest.raises(LookupError) as caught:
        await body()
    assert caught.value is error
    closed_now(server)


async def test_final_chunk_then_break(serve):
    """Leaving at the final chunk is leaving at the end, in `async with`."""
    server = serve(forever(read, send(answer(*HELLO))))
    async with Client() as client:
        for _ in range(2):
            async with stream(server, client=client) as chunks:
                async for chunk in chunks:
                    if chunk.is_final:
                        break
            assert chunks.response.content == "Hello!"
    assert server.accepted == 1


# Cancelled from outside.


@pytest.mark.scorecard(51)
async def test_scope_timeout_while_waiting(serve, client):
    """A scope that ends the wait for a chunk of a bare loop closes the stream at once."""
    server = serve(FIRST)
    chunks = stream(server, client=client)
    with anyio.move_on_after(0.05) as scope:
        assert await texts(chunks) == []
    assert scope.cancelled_caught
    closed_now(server)
    with pytest.raises(UsageError, match="closed before its end"):
        await anext(chunks)


@pytest.mark.scorecard(51)
async def test_scope_timeout_while_the_body_works(serve, client):
    """A scope that ends the body's own work closes the stream on the way out."""
    server = serve(FIRST)
    with anyio.move_on_after(0.05) as scope:
        async with stream(server, client=client) as chunks:
            async for _ in chunks:
                await anyio.sleep_forever()
    assert scope.cancelled_caught
    closed_now(server)


@pytest.mark.scorecard(51)
async def test_fail_after_is_the_callers(serve, client):
    """A caller's own `TimeoutError` comes out as the caller's, not as an error of ours."""
    server = serve(FIRST)
    with pytest.raises(TimeoutError) as caught, anyio.fail_after(0.05):
        await texts(stream(server, client=client))
    assert type(caught.value) is TimeoutError
    closed_now(server)


@pytest.mark.scorecard(51)
@asyncio_only
async def test_wait_for(serve, client):
    """`asyncio.wait_for` around a wait for a chunk closes the stream at once."""
    server = serve(FIRST)
    chunks = stream(server, client=client)
    await anext(chunks)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(chunks), 0.05)
    closed_now(server)


@pytest.mark.scorecard(42)
@asyncio_only
async def test_task_cancel(serve, client):
    """`Task.cancel` in a bare loop closes the stream at once."""
    server = serve(FIRST)
    task = asyncio.create_task(texts(stream(server, client=client)))
    await server.until_requests(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closed_now(server)


# The stop button.


@pytest.mark.scorecard(42)
async def test_cancel_while_waiting(serve):
    """`cancel` from another task ends the reader's loop, without a final chunk."""
    server = serve(FIRST)
    chunks = stream(server)
    got: list[object] = []

    async def reader() -> None:
        got.extend([chunk async for chunk in chunks])
        closed_now(server)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await server.until_requests(1)
        await anyio.wait_all_tasks_blocked()
        chunks.cancel()
    assert not any(chunk.is_final for chunk in got)
    assert chunks.response.finish_reason == "cancelled"


@pytest.mark.parametrize("parts", [FIRST, [read, send(answer(*HELLO))], [read, send(WHOLE)]])
async def test_cancel_between_chunks(serve, parts):
    """`cancel` between two chunks, in a bare loop: it ends there, and the stream is closed."""
    server = serve(parts)
    chunks = stream(server)
    async for chunk in chunks:
        assert chunk.content == "Hel"
        chunks.cancel()
    closed_now(server)
    assert chunks.response.finish_reason == "cancelled"
    assert [message.role for message in chunks.response.messages] == ["user", "assistant"]


async def test_cancel_before_use(serve):
    """A stream that is cancelled before its use sends nothing."""
    server = serve()
    chunks = stream(server)
    chunks.cancel()
    assert await texts(chunks) == []
    assert chunks.response.content == ""
    assert server.accepted == 0


@pytest.mark.scorecard(44)
async def test_cancel_while_connecting(full_backlog):
    """`cancel` ends the wait for a connection."""
    chunks = Model("openai-compatible:m-1", base_url=full_backlog).stream("hi")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(texts, chunks)
        await anyio.wait_all_tasks_blocked()
        chunks.cancel()
    assert chunks.response.finish_reason == "cancelled"


# Several tasks.


async def test_three_tasks_in_turn(serve):
    """The first chunk in one task, the second in another, closed in a third."""
    server = serve([*FIRST, send(part(said("lo")))])
    chunks = stream(server)
    got: list[str] = []

    async def take() -> None:
        got.append((await anext(chunks)).content)

    for step in (take, take, chunks.aclose):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)
    assert got == ["Hel", "lo"]
    closed_now(server)


@pytest.mark.scorecard(49)
async def test_two_tasks_at_once(serve, client):
    """The second of two readers is refused; the first one does not notice."""
    gate = threading.Event()
    server = serve([read, hold(gate), send(answer(*HELLO))])
    chunks = stream(server, client=client)
    got: list[str] = []

    async def reader() -> None:
        got.extend(await texts(chunks))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await server.until_requests(1)
        with pytest.raises(UsageError, match="another task is waiting"):
            await anext(chunks)
        gate.set()
    assert got == list(HELLO)


@pytest.mark.scorecard(48)
async def test_aclose_while_another_task_reads(serve, client):
    """Closing wakes a reader, with an error that says so; it returns once all is released."""
    server = serve(FIRST)
    chunks = stream(server, client=client)

    async def reader() -> None:
        with pytest.raises(UsageError, match="closed by another task"):
            await texts(chunks)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await server.until_requests(1)
        await anyio.wait_all_tasks_blocked()
        await chunks.aclose()
        closed_now(server)


# Inside a caller's generator that a web server drops.


async def _guarded_body(chunks):
    async with chunks:
        async for chunk in chunks:
            yield chunk.content


async def _bare_body(chunks):
    async for chunk in chunks:
        yield chunk.content


@pytest.mark.scorecard(46)
@pytest.mark.parametrize("body", [_guarded_body, _bare_body])
async def test_generator_dropped_by_a_web_server(serve, body, anyio_backend_name, client):
    """A caller's generator that is dropped is closed by the collector, and the loop lives on."""
    server = serve(FIRST, [read, send(answer(*HELLO))])

    async def respond() -> None:
        async for _ in body(stream(server, client=client)):
            raise ConnectionError("the browser is gone")

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(ConnectionError):
            await respond()
        await collected(server)
    ours = [w for w in seen if "RunStream" in str(w.message)]
    assert len(ours) == (body is _bare_body)
    if body is _guarded_body:
        assert len(seen) == (anyio_backend_name == "trio")  # about the caller's generator
    assert await texts(stream(server, client=client)) == list(HELLO)


# The end of the answer, and of the body.


ENDS = {"trickle": [trickle(part(b": more\n\n"))], "silence": [], "no last chunk": [fin]}


@pytest.mark.scorecard(19, 20)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_marker_then_no_end_of_the_body(serve, end, client):
    """The final chunk comes with the marker; a body that goes on, or is cut, is left behind."""
    server = serve([read, send(head(), *map(part, (said("Hi"), STOP, DONE))), *end])
    async with stream(server, client=client) as chunks:
        final = [chunk async for chunk in chunks if chunk.is_final]
        assert final[0].metadata["clean_end"] is True
        closed_now(server)
    assert chunks.response.finish_reason == "stop"


@pytest.mark.scorecard(21)
async def test_stop_reason_then_silence(serve, monkeypatch, client):
    """After a stop reason silence is the end, told as such."""
    monkeypatch.setattr("cogent.call.deadlines.SILENCE_AFTER_STOP", 0.05)
    server = serve([read, send(head(), part(said("Hi")), part(STOP))])
    chunks = stream(server, client=client)
    assert await texts(chunks) == ["Hi"]
    assert chunks.response.metadata["clean_end"] is False
    closed_now(server)


@pytest.mark.scorecard(34)
async def test_provider_error_after_half_the_text(serve):
    """An error event is raised after the text before it, which it carries; again if asked again."""
    server = serve([read, send(head(), part(said("Hel") + failure("overloaded_error")), LAST)])
    chunks = stream(server)
    assert (await anext(chunks)).content == "Hel"
    for _ in range(2):
        with pytest.raises(APIError) as caught:
            await anext(chunks)
        assert not isinstance(caught.value, ExceptionGroup)
        assert caught.value.partial.content == "Hel"
        assert caught.value.chunks == 1
    closed_now(server)
