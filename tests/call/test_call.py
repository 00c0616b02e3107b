"""One model call over all its tries: deadlines and retries, in virtual time."""

from __future__ import annotations

import json
from dataclasses import astuple
from weakref import ref

import anyio
import pytest

from cogent import (
    Agent,
    BadRequest,
    Client,
    ConnectFailed,
    DeadlineExceeded,
    Model,
    NoResponse,
    Overloaded,
    ProviderError,
    RateLimited,
    Settings,
    StreamInterrupted,
    StreamStalled,
    StreamTruncated,
    Timeouts,
)
from cogent.exchange import Head

from ..exchange.fake import HANG, OK, FakeTransport
from ..support.script_server import DONE, KEEP_ALIVE, PREAMBLE, STOP, event, failure, said

HELLO = [PREAMBLE, said("Hel"), said("lo"), STOP, DONE]
ALIVE = [1, KEEP_ALIVE] * 5000
"""Comments for longer than any deadline."""

approx = pytest.approx


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


def stream(*scripts, model="openai-compatible:m-1", include_raw=False, retries=None, **timeouts):
    """Give a stream with these timeouts, and the transport that it runs on."""
    model = Model(model, base_url="https://fake.test/v1", api_key="k")
    transport = FakeTransport(*scripts)
    model.open_transport = lambda: (transport, True)
    settings = Settings(timeouts=Timeouts(**timeouts), max_retries=retries)
    return model.stream("hi", settings=settings, include_raw=include_raw), transport


async def read(chunks, *, pause: float = 0) -> list:
    """Read to the end, with pauses between one chunk and the next."""
    got = []
    async for chunk in chunks:
        got.append(chunk)
        if pause:
            await anyio.sleep(pause)
    return got


async def fails(chunks, error, *, after: float | None = None) -> ProviderError:
    """See that a stream fails with this error and no other, and when."""
    began = anyio.current_time()
    with pytest.raises(ProviderError) as caught:
        await read(chunks)
    assert type(caught.value) is error
    if after is not None:
        assert anyio.current_time() - began == approx(after)
        assert caught.value.elapsed == approx(after)
    return caught.value


# Deadlines.


async def test_connect_timeout_is_the_transports():
    """The time for a connection is handed down with the call."""
    chunks, transport = stream(HELLO, connect=3)
    await read(chunks)
    assert transport.exchanges[0].call.connect_timeout == 3


@pytest.mark.scorecard(4, 11, 29, 30)
@pytest.mark.parametrize(
    ("script", "phase"),
    [
        ([HANG], "headers"),
        ([9, OK, 9, *HELLO], "first content"),
        ([OK, *ALIVE], "first content"),
        ([PREAMBLE, *ALIVE], "first content"),
        ([3, PREAMBLE, HANG], "first content"),
        ([*[1, b"d"] * 5000], "first content"),
    ],
    ids=["no head", "late", "keep-alives", "preamble", "silence", "dribble"],
)
async def test_first_content(script, phase):
    """The first content has its time from the sending of the request; nothing else extends it."""
    chunks, transport = stream(script, first_content=10)
    error = await fails(chunks, DeadlineExceeded, after=10)
    assert (error.timer, error.phase, error.attempt) == ("first_content", phase, 1)
    assert "first_content" in str(error)
    assert transport.exchanges[0].closed
    assert len(transport.exchanges) == 1


async def test_first_content_is_not_the_readers_time():
    """A slow reader of what comes before the content is not a server that sends none."""
    chunks, _ = stream([4, PREAMBLE, 5, *HELLO], include_raw=True, first_content=10)
    assert "Hello" in "".join(chunk.content for chunk in await read(chunks, pause=100))
    began = anyio.current_time()
    chunks, _ = stream([4, PREAMBLE, HANG], include_raw=True, first_content=10)
    await anext(chunks)
    await anyio.sleep(100)
    await fails(chunks, DeadlineExceeded)
    assert anyio.current_time() - began == approx(110)


@pytest.mark.scorecard(28, 29, 30)
@pytest.mark.parametrize("rest", [[HANG], ALIVE, [1, b"d"] * 5000], ids=["no", "comments", "bytes"])
async def test_between_content(rest):
    """An answer that stops coming is stalled, whatever else comes; its text is on the error."""
    chunks, transport = stream([PREAMBLE, 5, said("Hel"), 5, said("lo"), *rest], between_content=7)
    error = await fails(chunks, StreamStalled, after=17)
    assert (error.partial.content, error.phase, error.chunks) == ("Hello", "content", 2)
    assert "between_content" in str(error)
    assert len(transport.exchanges) == 1


@pytest.mark.parametrize("raw", [False, True])
async def test_pings_are_no_content(raw):
    """A provider's own keep-alive events extend no deadline, also where they are shown."""
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    script = [4, ping] * 1000
    chunks, _ = stream(script, model="anthropic:m", include_raw=raw, first_content=30)
    await fails(chunks, DeadlineExceeded, after=30)
    text = (
        b'data: {"type": "content_block_delta", "index": 0, '
        b'"delta": {"type": "text_delta", "text": "Hi"}}\n\n'
    )
    chunks, _ = stream([text, *script], model="anthropic:m", include_raw=raw, between_content=30)
    error = await fails(chunks, StreamStalled, after=30)
    assert error.partial.content == "Hi"


@pytest.mark.parametrize(
    ("script", "content"),
    [
        ([HANG], ""),
        ([PREAMBLE, *ALIVE], ""),
        ([PREAMBLE, *[4, said("a")] * 1000], "aa"),
        ([*HELLO[:2], HANG], "Hel"),
    ],
    ids=["no head", "keep-alives", "content", "stalled"],
)
async def test_total(script, content):
    """The whole call has its time too, also while content comes."""
    chunks, _ = stream(script, total=10)
    error = await fails(chunks, DeadlineExceeded, after=10)
    assert (error.timer, error.partial.content) == ("total", content)


@pytest.mark.scorecard(61)
async def test_total_is_over_all_tries():
    """Retries do not start the time anew, and none is begun for which there is no time."""
    chunks, transport = stream([3, ConnectFailed("no")], [HANG], total=5)
    error = await fails(chunks, DeadlineExceeded, after=5)
    assert (error.timer, error.attempt) == ("total", 2)
    chunks, transport = stream([3, Head(503, {"retry-after": "2"})], total=5)
    await fails(chunks, Overloaded, after=3)
    assert len(transport.exchanges) == 1


@pytest.mark.scorecard(31)
async def test_no_deadlines():
    """``None`` waits for ever; reasoning counts as content."""
    waits = {"connect": None, "first_content": None, "between_content": None, "total": None}
    chunks, _ = stream([1e6, *HELLO[:2], 1e6, *HELLO[2:]], **waits)
    assert len(await read(chunks)) == 3
    chunks, _ = stream([*[100, event({"reasoning_content": "hm"})] * 60, *HELLO])
    assert len(await read(chunks)) == 63


async def test_slow_reader_is_not_a_slow_server():
    """The time that a reader takes between two chunks counts for no deadline but the total one."""
    chunks, _ = stream(HELLO[:2] + HELLO, first_content=5, between_content=5)
    assert len(await read(chunks, pause=1000)) == 4
    chunks, _ = stream(HELLO, total=1500)
    with pytest.raises(DeadlineExceeded):
        await read(chunks, pause=1000)


# Calls that the wire closes before the turn has ended.


def sse(*events: dict) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)


BLOCK = {"type": "tool_use", "id": "c", "name": "act"}
BLOCK_DELTA = {"type": "input_json_delta", "partial_json": '{"n": 1}'}
ITEM = {"type": "function_call", "id": "i", "call_id": "c", "name": "act", "arguments": ""}
CLOSING = {
    "anthropic:m": (
        sse(
            {"type": "content_block_start", "index": 0, "content_block": BLOCK},
            {"type": "content_block_delta", "index": 0, "delta": BLOCK_DELTA},
        ),
        sse({"type": "content_block_stop", "index": 0}),
    ),
    "openai-responses:m": (
        sse(
            {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
            {
                "type": "response.function_call_arguments.delta",
                "output_index": 0,
                "item_id": "i",
                "delta": '{"n": 1}',
            },
        ),
        sse(
            {
                "type": "response.output_item.done",
                "output_index": 0,
                "item": {**ITEM, "arguments": '{"n": 1}'},
            }
        ),
    ),
}
"""What begins a call, and the event that closes it, of which no chunk is made."""


@pytest.mark.parametrize("model", CLOSING)
async def test_an_eager_tool_starts_when_its_call_is_closed(model):
    """It waits for no further event, and the event that closes its call extends no deadline."""
    began, closed = CLOSING[model]
    started_at = []

    async def act(n: int) -> None:
        started_at.append(anyio.current_time())

    async with Client() as client:
        asked = Model(model, base_url="https://fake.test/v1", api_key="k", client=client)
        asked.open_transport = lambda: (FakeTransport([began, 5, closed, HANG]), True)
        settings = Settings(timeouts=Timeouts(between_content=7))
        agent = Agent(model=asked, tools=[act], eager=True, settings=settings)
        beginning = anyio.current_time()
        await fails(agent.run_stream("hi"), StreamStalled, after=7)
    assert started_at == [approx(beginning + 5)]


VISIBLE = {
    "text": said("a"),
    "refusal": event({"refusal": "No"}),
    "tool call": event({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": " "}}]}),
    "media": event({"images": [{"image_url": {"url": "https://fake.test/a.png"}}]}),
}
THOUGHT = event({"reasoning_content": "hm"})
FILTER_FAILED = (
    b'data: {"choices": [{"index": 0, "delta": {}, '
    b'"content_filter_results": {"error": {"code": "content_filter_error"}}}]}\n\n'
)


@pytest.mark.parametrize("before", [[], [said("a")], [VISIBLE["tool call"]]], ids=len)
async def test_visible(before):
    """Reasoning feeds the clock of content, and not that of what is visible."""
    script = [*before, *[4, THOUGHT] * 1000]
    chunks, transport = stream(script, first_content=10, between_content=10, visible=30)
    error = await fails(chunks, DeadlineExceeded, after=30)
    assert (error.timer, error.partial.reasoning) == ("visible", 7 * "hm")
    assert "timeouts.visible" in str(error)
    assert len(transport.exchanges) == 1


@pytest.mark.parametrize("seen", VISIBLE.values(), ids=VISIBLE)
async def test_what_is_visible(seen):
    """Each kind of it begins its clock anew."""
    chunks, _ = stream([*[10, THOUGHT, 10, seen] * 9, STOP, DONE], visible=21)
    assert len(await read(chunks)) >= 18


async def test_visible_without_an_answer():
    """Its clock begins with the try."""
    chunks, _ = stream([HANG], visible=20)
    assert (await fails(chunks, DeadlineExceeded, after=20)).timer == "visible"
    chunks, _ = stream([15, FILTER_FAILED, NoResponse("gone")], [15, *HELLO], visible=20)
    assert len(await read(chunks)) == 5


async def test_visible_is_not_the_readers_time():
    """A slow reader of reasoning is not a server that shows nothing."""
    chunks, _ = stream([*[1, THOUGHT] * 9, *HELLO], visible=20)
    assert len(await read(chunks, pause=1000)) == 12


# The end.


@pytest.mark.parametrize("rest", [[HANG], ALIVE])
async def test_stop_reason_then_silence(rest):
    """After a stop reason five seconds without the marker are the end, comments or not."""
    chunks, transport = stream([*HELLO[:4], *rest])
    began = anyio.current_time()
    *_, final = await read(chunks)
    assert anyio.current_time() - began == approx(5)
    assert (final.finish_reason, final.metadata["clean_end"]) == ("stop", False)
    assert transport.exchanges[0].closed


async def test_stop_reason_then_a_slow_reader():
    """What a slow reader leaves in the socket is read: the usage and the marker are not lost."""
    usage = event({}, usage={"prompt_tokens": 3, "completion_tokens": 2})
    chunks, _ = stream([event({"content": "Hi"}, "stop"), usage, DONE])
    *_, final = await read(chunks, pause=100)
    assert final.metadata["tokens"].total_tokens == 5
    assert final.metadata["clean_end"] is True


@pytest.mark.scorecard(21)
@pytest.mark.parametrize("end", [[], [StreamInterrupted("cut")]])
async def test_stop_reason_without_the_marker(end):
    """A stop reason is evidence enough, however the bytes end."""
    chunks, _ = stream([*HELLO[:4], *end])
    *_, final = await read(chunks)
    assert (final.finish_reason, final.metadata["clean_end"]) == ("stop", False)


# Retries. What comes first fails, then the answer comes.


OVERLOADED = failure("overloaded_error")
AGAIN = {
    "refused": [ConnectFailed("refused")],
    "no response": [NoResponse("gone")],
    **{f"HTTP {s}": [Head(s, {})] for s in (408, 409, 429, 500, 502, 503, 504, 529)},
    "first event overloaded": [OVERLOADED],
    "overloaded after the preamble": [PREAMBLE, OVERLOADED],
    "cut before": [StreamInterrupted("cut")],
    "cut after the preamble": [PREAMBLE, KEEP_ALIVE, StreamInterrupted("cut")],
    "ended after the preamble": [PREAMBLE],
    "empty": [],
    "told to": [Head(400, {"x-should-retry": "true"})],
    "first event is no JSON": [b"data: {oops\n\n"],
}
FINAL = {
    **{f"HTTP {s}": [Head(s, {})] for s in (400, 401, 403, 404, 413, 422)},
    "quota": [Head(429, {}), b'{"error": {"code": "insufficient_quota", "message": "pay"}}'],
    "first event is a bad request": [failure("invalid_request_error")],
    "told not to": [Head(503, {"x-should-retry": "false"})],
    "redirect": [Head(307, {"location": "http://elsewhere.test/"})],
    "a web page": [b"<html><title>Sign in</title>"],
    "cut after text": [*HELLO[:3], StreamInterrupted("cut")],
    "ended after text": HELLO[:3],
    "overloaded after text": [*HELLO[:3], OVERLOADED],
    "cut after reasoning": [event({"reasoning_content": "hm"}), StreamInterrupted("cut")],
}


@pytest.mark.scorecard(33, 35, 58, 59)
@pytest.mark.parametrize("script", AGAIN.values(), ids=AGAIN)
async def test_tried_again(script):
    """What failed before its first content is tried again, once for each failure, and shown."""
    chunks, transport = stream(script, script, HELLO)
    *retries, text, more, final = await read(chunks)
    assert [chunk.kind for chunk in retries] == ["retry", "retry"]
    assert text.content + more.content == "Hello"
    assert final.metadata["attempts"] == 3
    assert all(exchange.closed for exchange in transport.exchanges)
    for number, chunk in enumerate(retries, 1):
        assert chunk.attempt == number
        assert "\n" not in chunk.error
        before, after = transport.exchanges[number - 1 : number + 1]
        assert after.began - before.began == approx(chunk.delay)


@pytest.mark.scorecard(33, 58, 59)
@pytest.mark.parametrize("script", AGAIN.values(), ids=AGAIN)
async def test_given_up(script):
    """The failure of the last try is raised, and says which one it was."""
    chunks, transport = stream(script)
    with pytest.raises(ProviderError) as caught:
        await read(chunks)
    assert (caught.value.attempt, len(transport.exchanges)) == (3, 3)
    assert caught.value.chunks == 2


@pytest.mark.scorecard(34, 57, 58, 59)
@pytest.mark.parametrize("script", FINAL.values(), ids=FINAL)
async def test_not_tried_again(script):
    """What a repetition cannot mend, or would repeat, fails at once."""
    chunks, transport = stream(script)
    with pytest.raises(ProviderError) as caught:
        await read(chunks)
    assert len(transport.exchanges) == caught.value.attempt == 1
    if HELLO[1] in script:
        assert caught.value.partial.content == "Hello"


@pytest.mark.scorecard(35)
async def test_a_notice_is_no_content():
    """What tells something about the answer, and is no part of it, commits to no try."""
    chunks, _ = stream([FILTER_FAILED, StreamInterrupted("cut")], [FILTER_FAILED, *HELLO])
    kinds = [chunk.kind for chunk in await read(chunks)]
    assert kinds == ["notice", "retry", "notice", "text", "text", "turn"]
    chunks, _ = stream([FILTER_FAILED, 5, said("Hi"), STOP, DONE], first_content=10)
    began = anyio.current_time()
    async with chunks:
        await chunks.ready()
        assert anyio.current_time() - began == approx(5)


async def test_no_retries():
    """``max_retries=0`` is one try."""
    chunks, transport = stream(AGAIN["empty"], retries=0)
    await fails(chunks, StreamTruncated)
    assert len(transport.exchanges) == 1


@pytest.mark.scorecard(55)
@pytest.mark.parametrize("header", [("retry-after", "7"), ("retry-after-ms", "7000")])
async def test_the_servers_wish(header):
    """A server's own delay is waited for, also one for an error inside the stream."""
    for failed in ([Head(429, dict([header]))], [Head(200, dict([header])), OVERLOADED]):
        chunks, transport = stream(failed, HELLO)
        delay = (await anext(chunks)).delay
        assert 7 <= delay <= 7.7
        await read(chunks)
        first, second = transport.exchanges
        assert second.began - first.began == approx(delay)


@pytest.mark.scorecard(56)
async def test_the_servers_wish_is_too_long():
    """A delay beyond the cap is not waited for; the error tells it."""
    chunks, transport = stream([Head(429, {"retry-after": "3600"})])
    error = await fails(chunks, RateLimited, after=0)
    assert error.retry_after == 3600
    assert len(transport.exchanges) == 1


async def test_backoff_and_jitter():
    """Delays double, with up to a quarter taken off at random."""
    chunks, _ = stream(AGAIN["refused"], AGAIN["refused"], HELLO)
    delays = [chunk.delay for chunk in await read(chunks) if chunk.kind == "retry"]
    assert 0.375 <= delays[0] <= 0.5
    assert 0.75 <= delays[1] <= 1.0


async def test_slow_reader_between_two_tries():
    """A reader who takes longer than the pause finds it over."""
    chunks, _ = stream(AGAIN["refused"], HELLO, first_content=5)
    assert len(await read(chunks, pause=100)) == 4


@pytest.mark.scorecard(45)
async def test_cancel_between_two_tries():
    """`cancel` ends the pause before another try, and none is made."""
    chunks, transport = stream([Head(503, {"retry-after": "50"})], HELLO)
    began = anyio.current_time()
    assert (await anext(chunks)).kind == "retry"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, chunks)
        await anyio.sleep(20)
        chunks.cancel()
    assert anyio.current_time() - began == approx(20)
    assert len(transport.exchanges) == 1


async def test_error_body_that_does_not_end():
    """An HTTP error is told though its body goes on for ever."""
    chunks, transport = stream([Head(400, {}), *[1, b" "] * 5000])
    error = await fails(chunks, BadRequest)
    assert error.elapsed <= 10
    assert not transport.exchanges[0].reusable


async def test_request_id_is_of_the_try_that_failed():
    """A failure does not borrow the request id of an earlier try."""
    chunks, _ = stream([Head(503, {"x-request-id": "req-1"})], AGAIN["refused"])
    error = await fails(chunks, ConnectFailed)
    assert (error.request_id, error.attempt) == (None, 3)


UNKNOWN = [Head(400, {}), b'{"error": {"message": "Unknown parameter: \'stream_options\'."}}']


async def test_a_field_that_the_server_does_not_know_is_left_out():
    """Once, at once, shown as a retry, and whatever number of retries is allowed."""
    chunks, transport = stream(UNKNOWN, HELLO, retries=0)
    got = await read(chunks)
    assert "".join(chunk.content for chunk in got) == "Hello"
    assert [(c.attempt, c.delay) for c in got if c.kind == "retry"] == [(1, 0.0)]
    first, second = (json.loads(exchange.call.body) for exchange in transport.exchanges)
    assert first.pop("stream_options") == {"include_usage": True}
    assert second == first


async def test_a_server_that_goes_on_refusing_is_not_asked_for_ever():
    """The second refusal names a field that is not sent any more."""
    chunks, transport = stream(UNKNOWN)
    await fails(chunks, BadRequest)
    assert len(transport.exchanges) == 2


async def test_what_a_server_does_not_know_is_not_told_again():
    """The next call leaves it out from the start, once an answer came without it."""
    chunks, transport = stream(UNKNOWN, HELLO)
    await read(chunks)
    (asked,) = chunks._steps.caller._models
    await read(asked.stream("hi"))
    assert [b"stream_options" in e.call.body for e in transport.exchanges] == [True, False, False]

    _, transport = stream(UNKNOWN, [Head(400, {})], HELLO)
    asked = Model("openai-compatible:m-1", base_url="https://fake.test/v1", api_key="k")
    asked.open_transport = lambda: (transport, True)
    await fails(asked.stream("hi"), BadRequest)
    await read(asked.stream("hi"))
    assert b"stream_options" in transport.exchanges[2].call.body


async def test_the_request_is_let_go_with_the_first_content():
    """No other try is made then, and a prompt may be long."""
    chunks, _ = stream([Head(503, {})], HELLO)
    assert (await anext(chunks)).kind == "retry"
    tries = ref(chunks._steps._call._tries)
    assert tries() is not None
    assert (await anext(chunks)).kind == "text"
    assert tries() is None
    await chunks.aclose()


async def test_headers_are_on_the_error():
    """Those of the last answer, for what the library has no name for."""
    chunks, _ = stream([Head(400, {"x-region": "north", "set-cookie": "secret"})])
    error = await fails(chunks, BadRequest)
    assert error.headers["x-region"] == "north"
    assert "secret" not in repr(error) + str(error)


async def test_a_field_of_two_names_is_said_by_each_once():
    """A server that refuses both names is not asked for ever either."""
    refusal = b'{"error": {"message": "Unknown: max_tokens and max_completion_tokens."}}'
    _, transport = stream([Head(400, {}), refusal])
    model = Model("openai-compatible:m-1", base_url="https://fake.test/v1", api_key="k")
    model.open_transport = lambda: (transport, True)
    await fails(model.stream("hi", settings=Settings(max_tokens=5)), BadRequest)
    sent = [json.loads(exchange.call.body) for exchange in transport.exchanges]
    assert [body.keys() & {"max_tokens", "max_completion_tokens"} for body in sent] == [
        {"max_tokens"},
        {"max_completion_tokens"},
    ]


# What a client tells of its calls.


async def test_stats():
    """What is open, what waits in vain, what was tried again, what was not understood."""
    down = [Head(503, {"retry-after": "50"})]
    hello = [
        PREAMBLE,
        THOUGHT,
        said("Hel"),
        30,
        b"".join([said("lo"), STOP, DONE, said("after the end")]),
    ]
    transport, client = FakeTransport(down, hello), Client()
    model = Model("openai-compatible:m-1", base_url="https://fake.test/v1", client=client)
    model.open_transport = lambda: (transport, False)

    async def told(**options) -> tuple[int, ...]:
        await anyio.wait_all_tasks_blocked()
        return astuple(client.stats(**options))

    async with client, anyio.create_task_group() as tasks:
        chunks = model.stream("hi")
        assert (await anext(chunks)).kind == "retry"
        assert await told() == (0, 0, 0, 0, 0)
        for kind in ("reasoning", "text"):
            assert (await anext(chunks)).kind == kind
            await anyio.sleep(1000)
            assert await told(stalled_after=0.1) == (1, 0, 0, 1, 0)
        tasks.start_soon(read, chunks)
        await anyio.sleep(20)
        assert await told() == (1, 0, 0, 1, 0)
        assert await told(stalled_after=19) == (1, 0, 1, 1, 0)
        await anyio.sleep(20)
        assert await told(stalled_after=0.1) == (0, 0, 0, 1, 1)
