"""The fault scorecard: when a request is sent again, how often, and what is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from secrets import token_hex

import anyio
import pytest

from cogent import (
    Agent,
    Client,
    ConnectFailed,
    DeadlineExceeded,
    Model,
    NoResponse,
    Overloaded,
    Provider,
    ProviderError,
    RateLimited,
    RetryPolicy,
)
from cogent.exchange import Head
from cogent.wire import OPENAI_CHAT
from tests.call.test_call import HELLO, fails, read, stream
from tests.exchange.fake import FakeTransport

DOWN = [Head(503, {})]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IN_20 = format_datetime(NOW + timedelta(seconds=20), usegmt=True)

approx = pytest.approx


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


def model(transport, name="openai-compatible:m-1", **options) -> Model:
    """Give a model whose calls go to this transport."""
    made = Model(name, **{"base_url": "https://fake.test/v1", "api_key": "k", **options})
    made.open_transport = lambda: (transport, False)
    return made


@pytest.mark.scorecard(45)
async def test_cancelled_in_the_pause():
    """A caller's scope ends the pause before another try, and none is made."""
    chunks, transport = stream([Head(503, {"retry-after": "50"})], HELLO)
    began = anyio.current_time()
    with anyio.move_on_after(20) as scope:
        await read(chunks)
    assert scope.cancelled_caught
    assert anyio.current_time() - began == approx(20)
    assert len(transport.exchanges) == 1


@pytest.mark.scorecard(55)
@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"retry-after": "1"}, 1, 1.1),
        ({"retry-after-ms": "1500"}, 1.5, 1.65),
        ({"retry-after": IN_20}, 20, 22),
        *(
            ({"retry-after": garbage}, 0.375, 0.5)
            for garbage in ("-1", "NaN", "1" + 35 * "0", "1e35", "soon", "", "0")
        ),
    ],
    ids=str,
)
async def test_every_spelling_of_retry_after(headers, least, most, monkeypatch):
    """What a server sensibly asks is waited for, up to a tenth longer; else it is our own delay."""
    monkeypatch.setattr("time.time", NOW.timestamp)
    chunks, transport = stream([Head(429, headers)], HELLO)
    await read(chunks)
    first, second = transport.exchanges
    assert least - 1e-6 <= second.began - first.began <= most + 1e-6


@pytest.mark.scorecard(56)
@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (503, Overloaded)])
async def test_retry_after_an_hour(status, error):
    """It is not waited for, and the error says how long it would be."""
    chunks, transport = stream([Head(status, {"retry-after": "3600"})])
    assert (await fails(chunks, error, after=0)).retry_after == 3600
    assert len(transport.exchanges) == 1


class Server:
    """A server that is down at first, at the port; it counts the requests that reach it.

    Args:
        fault: What comes of a request while it is down.
        seconds: How long that is.
    """

    def __init__(self, fault, seconds: float) -> None:
        self._broken, self._whole = FakeTransport(fault), FakeTransport(HELLO)
        self._until = anyio.current_time() + seconds
        self.requests = 0

    def exchange(self, call):
        self.requests += 1
        now = anyio.current_time()
        return (self._broken if now < self._until else self._whole).exchange(call)

    async def aclose(self) -> None:
        pass


async def outage(
    fault, seconds_between: float, *, callers: int = 1000, retry: RetryPolicy | None = None
) -> tuple[int, dict[int, ProviderError]]:
    """Have the callers of one client call a server that is down for a minute.

    Returns:
        How many requests it got, and the errors of those callers that got no answer.
    """
    server, errors = Server(fault, seconds=60), {}
    asked = model(server, client=Client(retry=retry))

    async def caller(number: int) -> None:
        await anyio.sleep(number * seconds_between)
        try:
            await asked.stream("hi").drained()
        except ProviderError as error:
            errors[number] = error

    async with anyio.create_task_group() as tasks:
        for number in range(callers):
            tasks.start_soon(caller, number)
    return server.requests, errors


@pytest.mark.scorecard(60)
@pytest.mark.parametrize(
    ("fault", "seconds_between"),
    [(DOWN, 0), (DOWN, 0.09), ([5, Head(504, {})], 0.09)],
    ids=["at once", "in 90 s", "timeouts"],
)
async def test_outage(fault, seconds_between):
    """1,000 callers send hardly more than 1,000 requests; after the outage all are answered."""
    requests, errors = await outage(fault, seconds_between)
    assert requests <= 1020
    assert all(number * seconds_between < 60 for number in errors)
    spent = ["not tried again: the retry quota for fake.test is spent"]
    assert all(e.attempt == 3 or e.__notes__ == spent for e in errors.values())


@pytest.mark.scorecard(60)
async def test_outage_without_a_quota():
    """It is the quota that does it."""
    requests, _ = await outage(DOWN, 0.9, callers=100, retry=RetryPolicy(quota=10_000))
    assert requests > 220


@pytest.mark.scorecard(60)
async def test_what_was_not_sent_is_tried_freely():
    """Connections in vain cost a server that is down nothing, and no quota."""
    transport = FakeTransport([ConnectFailed("refused")])
    asked = model(transport, client=Client(retry=RetryPolicy(quota=0)))
    error = await fails(asked.stream("hi"), ConnectFailed)
    assert (error.attempt, len(transport.exchanges)) == (3, 3)
    transport = FakeTransport(DOWN)
    asked.open_transport = lambda: (transport, False)
    assert (await fails(asked.stream("hi"), Overloaded)).attempt == 1


@pytest.mark.scorecard(60)
async def test_a_quota_is_of_one_host_and_key():
    """One host that is down, or one key that is throttled, takes nothing from another."""
    client = Client(retry=RetryPolicy(quota=5, max_retries=1))

    async def attempts(**options) -> int:
        asked = model(FakeTransport(DOWN), client=client, **options)
        return (await fails(asked.stream("hi"), Overloaded)).attempt

    assert [await attempts() for _ in range(2)] == [2, 1]
    assert await attempts(api_key="another") == 2
    assert await attempts(base_url="https://elsewhere.test/v1") == 2


@pytest.mark.scorecard(61)
async def test_total_deadline():
    """Three tries of three seconds within five end after five."""
    slow = [3, NoResponse("gone")]
    chunks, transport = stream(slow, slow, slow, total=5)
    error = await fails(chunks, DeadlineExceeded, after=5)
    assert (error.timer, error.attempt, len(transport.exchanges)) == ("total", 2, 2)


@pytest.mark.scorecard(62)
async def test_the_body_is_the_same_on_all_tries():
    """A body is always bytes, and no stream that can be sent once."""
    chunks, transport = stream(DOWN, DOWN, HELLO)
    await read(chunks)
    bodies = [exchange.call.body for exchange in transport.exchanges]
    assert len(bodies) == 3
    assert set(map(type, bodies)) == {bytes}
    assert len(set(bodies)) == 1


@pytest.mark.scorecard(63)
@pytest.mark.parametrize("header", ["idempotency-key", None])
async def test_idempotency_key(header):
    """Where a server knows one, it is the same on all tries of a call, and new for the next."""
    gateway = Provider(
        name="gateway", dialect=OPENAI_CHAT, key_required=False, idempotency_header=header
    )
    transport = FakeTransport(DOWN, DOWN, HELLO)
    asked = model(transport, "m-1", provider=gateway)
    for _ in range(2):
        await asked.stream("hi").drained()
    keys = [exchange.call.headers.get("idempotency-key") for exchange in transport.exchanges]
    if header is None:
        assert keys == [None] * 4
    else:
        assert keys[0] == keys[1] == keys[2] != keys[3]
        assert all(len(key) == len(token_hex(16)) for key in keys)


@pytest.mark.scorecard(64)
async def test_tries_of_an_agent_are_no_more_than_those_of_its_calls():
    """Models times tries, however often a run may begin anew; a loop around it meets the quota."""
    transport = FakeTransport(DOWN)
    client = Client()
    models = [model(transport, f"openai-compatible:{name}", client=client) for name in "ab"]
    agent = Agent(model=models, output_type=int, output_retries=5, client=client)
    for most in (6, 12, 18, 24, 30, 32, 34):
        with pytest.raises(Overloaded):
            await agent.run("hi")
        assert len(transport.exchanges) == most
