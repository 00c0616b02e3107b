"""Waits that a deadline or another task ends, and a connection that will not close."""

from __future__ import annotations

import anyio
import httpx
import pytest

from cogent.exchange import Call, DeadlineReached, Interrupted, Wait
from cogent.exchange.httpx import CLOSE_SECONDS, HTTPXExchange


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


async def test_result_and_error_come_through():
    """A step that ends in time gives what it gives."""
    wait = Wait()

    async def fail() -> None:
        raise LookupError

    assert await wait.run(anyio.current_time() + 1, lambda: anyio.sleep(0.5)) is None
    with pytest.raises(LookupError):
        await wait.run(None, fail)


async def test_deadline():
    """At its deadline a step is cancelled, neither before nor later; the next one runs."""
    wait = Wait()
    began = anyio.current_time()
    with pytest.raises(DeadlineReached):
        await wait.run(began + 3, anyio.sleep_forever)
    assert anyio.current_time() - began == pytest.approx(3)
    await wait.run(None, lambda: anyio.sleep(1))


async def test_interrupt():
    """Once interrupted, each step is: the one in progress and all later ones."""
    wait = Wait()

    async def interrupt() -> None:
        await anyio.sleep(1)
        wait.interrupt()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt)
        with pytest.raises(Interrupted):
            await wait.run(None, anyio.sleep_forever)
    with pytest.raises(Interrupted):
        await wait.run(None, anyio.sleep_forever)


async def test_outer_cancellation():
    """A caller's scope is the caller's, also where it ends in the same moment as a deadline."""
    end = anyio.current_time() + 1
    with anyio.CancelScope(deadline=end) as scope:
        await Wait().run(end + 1, anyio.sleep_forever)
    assert scope.cancelled_caught


class StuckClient:
    """A client whose answer never closes."""

    status_code = 200
    is_stream_consumed = False

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def build_request(self, *_, **__):
        return httpx.Request("POST", "http://stuck.test", content=b"")

    async def send(self, *_, **__):
        return self

    async def aiter_raw(self):
        yield b"one"
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        await anyio.sleep_forever()


async def test_closing_is_bounded_and_shielded():
    """A connection that will not close is given up after a while, in a cancelled scope too."""
    exchange = HTTPXExchange(StuckClient(), Call("http://stuck.test", {}, b""), None)
    await exchange.head(None)
    assert await exchange.receive(None) == b"one"
    began = anyio.current_time()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await exchange.aclose()
    assert anyio.current_time() - began == pytest.approx(CLOSE_SECONDS)
