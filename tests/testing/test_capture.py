"""A client that records: every byte, read and moment is in the file, no secret is, and callers see
what they would have seen without it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cogent
from cogent import (
    Agent,
    Client,
    ConfigurationError,
    Model,
    RateLimited,
    RetryPolicy,
    Settings,
    StreamInterrupted,
    StreamStalled,
    Timeouts,
)
from cogent.exchange import Call
from cogent.testing import Capture, Emulator, Fault, Recording, Reply
from cogent.testing.redaction import REMOVED

from .wires import Wire

KEY = "sk-emulated-9f3b71c2"
PROMPT = "What did Ada tell Charles?"
ONCE = Settings(max_retries=0)
CALL = Call("https://api.example/v1/chat/completions", {}, b"{}", model="openai:m")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bug.jsonl"


def model(server, client, **options):
    return Model("openai:m", api_key=KEY, base_url=f"{server.url}/v1", client=client, **options)


async def read(client, call=CALL):
    """Make one exchange at the port, to its end; give what was read."""
    exchange = client.transport.exchange(call)
    await exchange.head(None)
    reads = []
    while data := await exchange.receive(None):
        reads.append(data)
    await exchange.aclose()
    return reads


@given(reads=st.lists(st.binary(min_size=1, max_size=8), max_size=8))
def test_the_file_holds_the_very_reads(reads, tmp_path_factory):
    """Bytes that are UTF-8, bytes that are not, characters that a read cuts in two."""
    path = tmp_path_factory.getbasetemp() / "reads.jsonl"

    async def run():
        async with Capture(path, Wire(reads)) as client:
            assert await read(client) == reads

    anyio.run(run)
    (exchange,) = Recording.load(path).exchanges
    assert [data for _, data in exchange.reads] == reads
    assert exchange.ending == "end"


async def test_the_file_holds_what_a_server_sent(path):
    body = "data: häl\u2028lo 🌹\n\n".encode() + b"\xff\x00"
    with Emulator(Reply(body=body, slice=3)) as server:
        async with Capture(path) as client:
            call = Call(f"{server.url}/v1/chat/completions", {}, b'{"messages": []}')
            reads = await read(client, call)
    (exchange,) = Recording.load(path).exchanges
    assert exchange.body == body
    assert [data for _, data in exchange.reads] == reads
    assert exchange.status == 200
    assert exchange.headers["content-type"].startswith("text/event-stream")
    assert exchange.dialect == "openai-chat"


class TestInVirtualTime:
    @pytest.fixture
    def anyio_backend(self, virtual_time):
        return virtual_time

    async def test_moments_are_seconds_since_the_request(self, path):
        async with Capture(path, Wire([b"a", b"b"], pause=1.5)) as client:
            await anyio.sleep(10)
            await read(client)
            await read(client)
        for exchange in Recording.load(path).exchanges:
            times = [exchange.head_at, *(at for at, _ in exchange.reads), exchange.ended_at]
            assert times == pytest.approx([1.5, 3.0, 4.5, 6.0])

    async def test_exchanges_may_overlap(self, path):
        """They are told apart by their numbers, in the order of their requests."""
        client = Capture(path, Wire([b"a", b"b"], pause=1.0))
        async with client, anyio.create_task_group() as tasks:
            tasks.start_soon(read, client)
            await anyio.sleep(0.5)
            tasks.start_soon(read, client)
        lines = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
        assert [line["exchange"] for line in lines[:4]] == [1, 2, 1, 2]
        assert [exchange.body for exchange in Recording.load(path).exchanges] == [b"ab", b"ab"]


async def test_no_secret_is_in_the_file(path):
    """Not from a header or the URL, nor where the server repeats one, whole or cut in two."""
    told = f"no {KEY} and no hunter-two; no a-cookie-of-mine"
    reply = Reply(told, slice=5, headers={"set-cookie": "session=of-ada", "x-request-id": KEY})
    more = Settings(extra_headers={"cookie": "a-cookie-of-mine"})
    with Emulator(reply) as server:
        url = f"{server.url}/v1?key=hunter-two&api-version=2026-01-01"
        async with Capture(path) as client:
            asked = Model("openai:m", api_key=KEY, base_url=url, client=client, settings=more)
            live = await asked.complete(PROMPT)
    assert live.content == told
    written = path.read_text()
    for secret in (KEY, KEY[7:], "hunter-two", "a-cookie-of-mine", "of-ada", PROMPT):
        assert secret not in written
    assert f"?key={REMOVED}&api-version=2026-01-01" in written
    (exchange,) = Recording.load(path).exchanges
    assert exchange.request_headers["authorization"] == REMOVED
    assert exchange.headers["x-request-id"] == "*" * len(KEY)
    assert exchange.request_body is None
    replayed = await Recording.load(path).model().complete("")
    assert replayed.content == f"no {'*' * 20} and no {'*' * 10}; no {'*' * 16}"


async def test_the_prompt_is_kept_if_that_is_asked_for(path):
    with Emulator() as server:
        async with Capture(path, body=True, secrets=["Charles?"]) as client:
            await model(server, client).complete(PROMPT)
        sent = server.requests[0].body
    (exchange,) = Recording.load(path).exchanges
    assert exchange.request_body == sent.replace(b"Charles?", b"********")


async def test_each_try_is_an_exchange(path):
    limited = Reply(error=RateLimited("slow down", status=429, retry_after=0.001))
    with Emulator([limited, Reply("Hello.")]) as server:
        async with Capture(path, Client(retry=RetryPolicy(max_retries=1))) as client:
            assert (await model(server, client).complete("x")).content == "Hello."
    recording = Recording.load(path)
    assert [exchange.status for exchange in recording.exchanges] == [429, 200]
    assert {exchange.model for exchange in recording.exchanges} == {"openai:m"}
    assert recording.library == cogent.__version__


async def test_the_options_are_those_of_the_client(path):
    client = Client(timeouts=Timeouts(connect=3), retry=RetryPolicy(max_retries=7))
    capture = Capture(path, client)
    assert (capture.timeouts, capture.retry) == (client.timeouts, client.retry)


@pytest.mark.parametrize(
    ("reply", "ending", "failure"),
    [
        (Reply("Hello you.", fault=Fault(cut_at=500)), "error", StreamInterrupted),
        (Reply("Hello you.", fault=Fault(reset_at=500)), "error", StreamInterrupted),
        (Reply("Hello you.", fault=Fault(stall_at=500)), "deadline", StreamStalled),
        (Reply(fault=Fault(cut_at=0, before_head=True)), "error", cogent.NoResponse),
        (Reply("Hello you.", framing="close", fault=Fault(cut_at=500)), "end", None),
    ],
    ids=["cut", "reset", "stall", "before the head", "closed in order"],
)
async def test_how_an_answer_broke_is_in_the_file(path, reply, ending, failure):
    """And a replay breaks in the same way, at the same byte."""
    impatient = Timeouts(between_content=0.5) if ending == "deadline" else None
    settings = Settings(max_retries=0, timeouts=impatient)
    with Emulator(reply) as server:
        async with Capture(path) as client:
            live = model(server, client).stream("x", settings=settings)
            with pytest.raises(failure or cogent.StreamTruncated) as caught:
                await live.drained()
    (exchange,) = Recording.load(path).exchanges
    assert exchange.ending == ending
    assert (exchange.status is None) == (failure is cogent.NoResponse)
    with pytest.raises(type(caught.value)) as again:
        await Recording.load(path).model().stream("x", settings=settings).drained()
    assert again.value.message == caught.value.message
    assert again.value.partial.content == caught.value.partial.content


async def test_a_connection_that_was_not_made_is_in_the_file(path):
    async with Capture(path) as client:
        asked = Model("openai:m", api_key=KEY, base_url="http://127.0.0.1:1/v1", client=client)
        with pytest.raises(cogent.ConnectFailed):
            await asked.stream("x", settings=ONCE).drained()
    (exchange,) = Recording.load(path).exchanges
    assert (exchange.ending, exchange.error, exchange.retryable) == ("error", "ConnectFailed", True)


async def test_who_leaves_early_leaves_no_more_than_that(path):
    with Emulator(Reply("one two three", fault=Fault(stall_at=900))) as server:
        async with Capture(path) as client, model(server, client).stream("x") as stream:
            async for chunk in stream:
                if chunk.content:
                    break
            # What has come so far is in the file already.
            assert b"one" in Recording.load(path).exchanges[0].body
    (exchange,) = Recording.load(path).exchanges
    assert exchange.ending == "left"
    with pytest.raises(StreamInterrupted, match="recording ends here") as caught:
        await Recording.load(path).model().stream("x", settings=ONCE).drained()
    assert caught.value.partial.content.startswith("one")


async def test_what_is_not_sent_is_not_in_the_file(path):
    async with Capture(path, Wire([])) as client:
        await client.transport.exchange(CALL).aclose()
    assert Recording.load(path).exchanges == ()


async def test_a_cancelled_call_is_in_the_file(path):
    with Emulator(Reply("one two three", fault=Fault(stall_at=700))) as server:
        async with Capture(path) as client:
            with anyio.CancelScope() as scope:
                async for chunk in model(server, client).stream("x"):
                    if chunk.content:
                        scope.cancel()
            assert scope.cancelled_caught
    assert Recording.load(path).exchanges[0].ending == "left"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
class TestWhenTheDiskIsFull:
    async def test_the_call_goes_on_and_the_end_tells(self):
        capture = Capture("/dev/full", Wire([b"data"]))
        answered = False
        with pytest.raises(OSError, match="/dev/full"):
            async with capture as client:
                answered = await read(client) == [b"data"]
        assert answered

    async def test_the_caller_s_own_error_has_a_note_of_it(self):
        with pytest.raises(LookupError) as caught:
            async with Capture("/dev/full", Wire([])):
                raise LookupError
        assert "/dev/full" in caught.value.__notes__[0]


async def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path):
    with pytest.raises(OSError, match="missing"):
        async with Capture(tmp_path / "missing" / "bug.jsonl"):
            raise AssertionError


async def test_it_can_be_opened_again_and_begins_anew(path):
    capture = Capture(path, Wire([b"a"]))
    for _ in range(2):
        async with capture as client:
            await read(client)
    assert len(Recording.load(path).exchanges) == 1


async def test_an_agent_records_all_its_turns(path):
    @cogent.tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    call = cogent.ToolCallChunk(id="c", name="add", arguments='{"a": 1, "b": 2}')
    with Emulator([Reply(chunks=[call]), Reply("Three.")]) as server:
        async with Capture(path) as client:
            live = await Agent(model=model(server, client), tools=[add]).run("1 + 2?")
    again = await Agent(model=Recording.load(path).model(), tools=[add]).run("1 + 2?")
    assert again.content == live.content == "Three."
    assert again.turns[0].results == live.turns[0].results


@pytest.mark.parametrize("cut", [0, 1, 3, 10])
async def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes(path, cut):
    """As after a crash. Without its first line it is nothing."""
    async with Capture(path, Wire([b"a" * n for n in range(1, 9)])) as client:
        await read(client)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for line in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:line]) + lines[line][: cut * len(lines[line]) // 10 - 1])
        exchanges = Recording.load(path).exchanges
        reads = [data for exchange in exchanges for _, data in exchange.reads]
        assert reads == [b"a" * n for n in range(1, 9)][: max(0, line - 3)]
        assert all(exchange.ending is None for exchange in exchanges)
    path.write_bytes(lines[0][:20])
    with pytest.raises(ConfigurationError, match="no recording"):
        Recording.load(path)
    os.truncate(path, 0)
    with pytest.raises(ConfigurationError, match="no recording"):
        Recording.load(path)
