"""`RunStream`: what it gives at every moment, on a transport in memory."""

from __future__ import annotations

import anyio
import pytest

from cogent import (
    ConfigurationError,
    Model,
    RateLimited,
    StreamInterrupted,
    StreamTruncated,
    UsageError,
)
from cogent.exchange import Head
from cogent.messages import Message, TextPart, user
from cogent.run.actions import CallModel, Finish
from cogent.run.caller import Caller
from cogent.run.loop import Loop
from cogent.run.steps import Steps
from cogent.run.stream import RunStream
from cogent.wire.fields import dump

from ..exchange.fake import HANG, FakeExchange, FakeTransport
from ..support.script_server import DONE, PREAMBLE, STOP, event, said

HELLO = [PREAMBLE, said("Hel"), said("lo"), STOP, DONE]
HELLO_PARTS = (TextPart("Hello"),)
BUSY = [Head(429, {"retry-after": "7"}), b'{"error": {"message": "slow down"}}']
LIMITED = [Head(429, {"retry-after": "700"}), b'{"error": {"message": "slow down"}}']


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


def stream(*scripts, provider="openai-compatible", **more):
    """Give a stream, and the transport that its run has for its own."""
    model = Model(f"{provider}:m-1", base_url="https://fake.test/v1", api_key="k")
    transport = FakeTransport(*scripts)
    model.open_transport = lambda: (transport, True)
    return model.stream("hi", **more), transport


async def kinds(chunks) -> list[str]:
    return [chunk.kind async for chunk in chunks]


# Ready.


async def test_ready_returns_with_the_first_chunk_in_hand():
    """`ready` waits for the first content and takes none of it away."""
    chunks, transport = stream(HELLO)
    await chunks.ready()
    assert not chunks.partial.finish_reason
    assert chunks.partial.content == "Hel"
    await chunks.ready()
    assert await kinds(chunks) == ["text", "text", "turn"]
    await chunks.ready()
    assert transport.closed == 1


async def test_ready_raises_the_providers_error():
    """`ready` raises what iterating would raise, again and again."""
    chunks, transport = stream(LIMITED)
    for use in (chunks.ready, chunks.ready, chunks.__anext__):
        with pytest.raises(RateLimited, match="slow down") as caught:
            await use()
    assert (caught.value.status, caught.value.retry_after) == (429, 700)
    assert caught.value.chunks == 0
    assert transport.closed == 1


async def test_ready_waits_over_retries():
    """`ready` waits until a try gives content; the retries are shown all the same."""
    chunks, _ = stream(BUSY, BUSY, HELLO)
    await chunks.ready()
    assert await kinds(chunks) == ["retry", "retry", "text", "text", "turn"]


async def test_ready_raises_after_the_last_retry():
    """The retries before a failure are still handed out after it is known."""
    chunks, _ = stream(BUSY)
    with pytest.raises(RateLimited):
        await chunks.ready()
    assert [(await anext(chunks)).kind for _ in range(2)] == ["retry", "retry"]
    with pytest.raises(RateLimited):
        await anext(chunks)


async def test_ready_of_a_cancelled_stream():
    """`ready` of a stream that was cancelled returns at once."""
    chunks, transport = stream(HELLO)
    chunks.cancel()
    await chunks.ready()
    assert transport.exchanges == []


# Text, partial and whole response.


async def test_text_gives_strings():
    """`text` leaves out what is no text, and can close the stream."""
    chunks, transport = stream([event({"reasoning_content": "hm"}), *HELLO])
    assert [text async for text in chunks.text()] == ["Hel", "lo"]
    chunks, transport = stream([*HELLO[:2], HANG])
    texts = chunks.text()
    assert await anext(texts) == "Hel"
    await texts.aclose()
    assert transport.exchanges[0].closed


async def test_partial_at_every_moment():
    """`partial` is what has arrived, before, during and after the run."""
    chunks, _ = stream(HELLO)
    assert chunks.partial.content == ""
    assert chunks.partial.messages == (user("hi"),)
    seen = [(chunks.partial.content, chunks.partial.finish_reason) async for _ in chunks]
    assert seen == [("Hel", None), ("Hello", None), ("Hello", "stop")]
    assert chunks.partial == chunks.response


async def test_response_is_whole_after_the_end_and_refused_before():
    """`response` before the end is a `UsageError`; after it, all that the run amounts to."""
    chunks, _ = stream(HELLO)
    async for chunk in chunks:
        if not chunk.is_final:
            with pytest.raises(UsageError, match="has not ended"):
                _ = chunks.response
    response = chunks.response
    assert (response.content, response.finish_reason) == ("Hello", "stop")
    assert response.metadata == chunk.metadata
    assert (response.model, response.provider) == ("m-1", "openai-compatible")
    assert (response.response_id, response.request_id) == ("r-1", "req-1")
    assert response.new_messages[0].text == "Hello"
    assert response.metadata["turns"] == response.metadata["attempts"] == 1


async def test_timings_are_of_the_stream_and_not_of_its_reader():
    """First chunk and end are timed when they come, however slow the reader is."""
    chunks, _ = stream([3, *HELLO[:3], 2, STOP + DONE])
    async for chunk in chunks:
        if not chunk.is_final:
            await anyio.sleep(10)
    assert chunk.metadata["first_chunk_seconds"] == pytest.approx(3)
    assert chunk.metadata["total_seconds"] == pytest.approx(25)


CALL = event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}]})
THOUGHT = event({"reasoning_content": "hm"})


async def test_response_after_cancel():
    """After `cancel` the response is partial, and its history is what every provider accepts."""
    chunks, transport = stream([THOUGHT, *HELLO[:3], CALL, HANG])
    async for chunk in chunks:
        if chunk.kind == "tool_call":
            chunks.cancel()
    response = chunks.response
    assert response.finish_reason == "cancelled"
    assert (response.content, response.reasoning) == ("Hello", "hm")
    assert [part.text for part in response.new_messages[0].parts] == ["Hello"]
    assert transport.exchanges[0].closed
    assert transport.closed == 1
    assert await kinds(chunks) == []


async def test_cancel_of_a_call_that_is_whole_but_not_handed_out():
    """A turn whose end was not handed out has not ended: its call goes from the history too."""
    finished = event({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}, "tool_calls")
    chunks, _ = stream([CALL + finished + DONE])
    assert (await anext(chunks)).kind == "tool_call"
    chunks.cancel()
    assert await kinds(chunks) == []
    assert chunks.response.finish_reason == "cancelled"
    assert chunks.response.messages == (user("hi"),)


async def test_cancel_of_an_answer_whose_body_has_ended():
    """What was read to its end is not read again to find that nobody wants it."""
    said = {"message": {"content": "Hello"}, "finish_reason": "stop"}
    chunks, transport = stream([dump({"choices": [said]})])
    assert (await anext(chunks)).content == "Hello"
    chunks.cancel()
    assert await kinds(chunks) == []
    assert chunks.response.content == "Hello"
    assert transport.exchanges[0].closed


async def test_cancel_after_the_end_changes_nothing():
    """`cancel` after the final chunk is too late."""
    chunks, _ = stream(HELLO)
    assert (await kinds(chunks))[-1] == "turn"
    chunks.cancel()
    assert chunks.response.finish_reason == "stop"


# Failures


async def test_interrupted_after_text():
    """A broken connection is raised after the text, carries it, and is raised again."""
    chunks, transport = stream([*HELLO[:3], StreamInterrupted("broken")])
    with pytest.raises(StreamInterrupted) as caught:
        await kinds(chunks)
    error = caught.value
    assert (error.partial.content, error.chunks, error.phase) == ("Hello", 2, "content")
    assert error.partial.messages == (
        user("hi"),
        Message("assistant", HELLO_PARTS, "openai-chat", "openai-compatible"),
    )
    for use in (chunks.__anext__, chunks.ready):
        with pytest.raises(StreamInterrupted) as again:
            await use()
        assert again.value is error
    with pytest.raises(UsageError):
        _ = chunks.response
    assert transport.closed == 1


async def test_clean_end_without_evidence():
    """Bytes that end without a stop reason or marker are no success."""
    chunks, _ = stream(HELLO[:3])
    with pytest.raises(StreamTruncated) as caught:
        await kinds(chunks)
    assert caught.value.partial.content == "Hello"


async def test_closed_before_its_end():
    """A stream that was closed before its end says so; `partial` stays."""
    chunks, _ = stream([*HELLO[:2], HANG])
    async with chunks:
        await anext(chunks)
    for use in (chunks.__anext__, chunks.ready):
        with pytest.raises(UsageError, match="closed before its end"):
            await use()
    assert chunks.partial.content == "Hel"
    assert repr(chunks) == "<RunStream closed, 1 chunks handed out>"


async def test_cancelled_scope_does_not_stop_the_release():
    """A wait that is cancelled from outside still closes the connection, and what holds it."""
    chunks, transport = stream([*HELLO[:2], HANG])
    with anyio.move_on_after(3) as scope:
        await kinds(chunks)
    assert scope.cancelled_caught
    assert transport.exchanges[0].closed
    assert transport.closed == 1


async def test_entered_twice():
    """One `async with` at a time, and no second one."""
    chunks, _ = stream(HELLO)
    async with chunks:
        with pytest.raises(UsageError, match="another"):
            await chunks.__aenter__()


async def test_wrong_set_up_is_told_at_first_use(monkeypatch):
    """A missing key is a `ConfigurationError` at first use, and closes what was opened."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    chunks = Model("openai:gpt-4o").stream("hi")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
            await anext(chunks)


# Races: what another task asks for in the moment in which bytes come.


async def test_cancel_in_the_moment_a_chunk_comes():
    """A chunk that comes together with `cancel` is not handed out, and the stream is closed."""
    chunks, transport = stream([*HELLO[:2], lambda: chunks.cancel(), *HELLO[2:]])
    assert await kinds(chunks) == ["text"]
    assert transport.exchanges[0].closed
    assert transport.closed == 1


async def test_aclose_in_the_moment_a_chunk_comes(monkeypatch):
    """`aclose` of another task returns after the release, even if no wait was left to end."""
    coming = anyio.Event()
    chunks, transport = stream([*HELLO[:2], coming, *HELLO[2:]])
    monkeypatch.setattr(FakeExchange, "interrupt", lambda _: coming.set())
    await anext(chunks)

    async def reader() -> None:
        with pytest.raises(UsageError, match="closed by another task"):
            await anext(chunks)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reader)
        await anyio.wait_all_tasks_blocked()
        await chunks.aclose()
        assert transport.closed == 1


# More than one turn. (The agent's own loop will have tools between them.)


class Turns(Loop):
    """Asks the model a number of times."""

    def __init__(self, count: int) -> None:
        super().__init__((user("hi"),), new_from=1)
        self.count = count

    def turn_ended(self, turn):
        super().turn_ended(turn)
        if len(self.turns) < self.count:
            return CallModel((*self.history, turn.message))
        return Finish("stop")


def turns(count, *scripts):
    model = Model("openai-compatible:m-1", base_url="https://fake.test/v1")
    transport = FakeTransport(*scripts)
    model.open_transport = lambda: (transport, True)
    return RunStream(Steps(Turns(count), Caller((model,), {}))), transport


async def test_turns_of_one_run():
    """One chunk is final, each turn's connection is given back before the next call."""
    chunks, transport = turns(3, HELLO)
    ends = []
    async for chunk in chunks:
        if chunk.kind == "turn":
            ends.append((chunk.is_final, chunk.finish_reason))
        assert [e.closed for e in transport.exchanges[:-1]] == [True] * (
            len(transport.exchanges) - 1
        )
    assert ends == [(False, "stop"), (False, "stop"), (True, "stop")]
    assert chunks.response.content == "HelloHelloHello"
    assert chunks.response.metadata["turns"] == 3
    assert all(exchange.reusable for exchange in transport.exchanges)


async def test_cancel_between_turns():
    """`cancel` while one turn's body is drained: the next call is not made."""
    chunks, transport = turns(2, [*HELLO, lambda: chunks.cancel()])
    assert await kinds(chunks) == ["text", "text", "turn"]
    assert chunks.response.finish_reason == "cancelled"
    assert len(transport.exchanges) == 1


async def test_cancelled_between_turns():
    """A run that is cancelled waits for no rest of a body: its connection is closed at once."""
    began = anyio.current_time()
    with anyio.CancelScope() as scope:
        chunks, transport = turns(2, [*HELLO, lambda: scope.cancel(), HANG])
        await kinds(chunks)
    assert scope.cancelled_caught
    assert anyio.current_time() == began
    (exchange,) = transport.exchanges
    assert exchange.closed
    assert not exchange.reusable
