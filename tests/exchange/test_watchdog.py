"""Reads that a watchdog ends: at their deadlines to the moment, and no others."""

from __future__ import annotations

import gc
import math
import socket

import anyio
import pytest

from cogent.exchange import DeadlineReached, Interrupted, Wait
from cogent.exchange.watchdog import Watchdog


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


class Line(socket.socket):
    """A socket whose reads last until it is shut down, and the wait of who reads from it."""

    def __init__(self, dog: Watchdog) -> None:
        # Without the base's own: it is a socket of no file.
        self.wait = Wait()
        self.wait.follow(dog.watch(self))
        self.shut_at: float | None = None
        self._ended = anyio.Event()

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_RDWR
        if self.shut_at is not None:
            raise OSError("not connected")
        self.shut_at = anyio.current_time()
        self._ended.set()

    async def read(self, seconds: float = math.inf) -> bytes:
        """Give a byte after a while; an end where it is shut down before."""
        with anyio.move_on_after(seconds):
            await self._ended.wait()
            raise anyio.EndOfStream
        return b"."


@pytest.fixture
async def dog():
    """Give a watchdog that is awake."""
    async with anyio.create_task_group() as tasks:
        made = Watchdog()
        tasks.start_soon(made.run)
        yield made
        tasks.cancel_scope.cancel()


async def test_at_the_deadline(dog):
    """A read that waits is ended at its deadline, and not before; the next one not begun."""
    line = Line(dog)
    deadline = anyio.current_time() + 7
    with pytest.raises(DeadlineReached):
        await line.wait.run(deadline, line.read)
    assert line.shut_at == pytest.approx(deadline)
    assert line.wait.was_ended
    with pytest.raises(DeadlineReached):
        await line.wait.run(None, line.read)


async def test_deadlines_that_move_later(dog):
    """Each read sets its own; none ends at one of an earlier read."""
    line = Line(dog)
    for _ in range(9):
        assert await line.wait.run(anyio.current_time() + 3, lambda: line.read(2)) == b"."
    deadline = anyio.current_time() + 3
    with pytest.raises(DeadlineReached):
        await line.wait.run(deadline, line.read)
    assert line.shut_at == pytest.approx(deadline)


async def test_deadlines_of_many(dog):
    """An earlier one that comes later wakes it; others wait on, as long as they may."""
    began = anyio.current_time()
    lines = {seconds: Line(dog) for seconds in (50, 5, 0, 20, -3, math.inf)}
    left = []

    async def read(seconds: float) -> None:
        try:
            await lines[seconds].wait.run(began + seconds, lines[seconds].read)
        except DeadlineReached:
            left.append(seconds)

    async with anyio.create_task_group() as tasks:
        for seconds in lines:
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(read, seconds)
        await anyio.sleep(1000)
        assert sorted(left) == [-3, 0, 5, 20, 50]
        for seconds in (5, 20, 50):
            assert lines[seconds].shut_at == pytest.approx(began + seconds)
        tasks.cancel_scope.cancel()


async def test_who_does_not_wait_is_never_ended(dog):
    """Neither between two reads, nor after one that was cancelled, nor one without a deadline."""
    line = Line(dog)
    await line.wait.run(anyio.current_time() + 3, lambda: line.read(1))
    await anyio.sleep(100)
    with anyio.move_on_after(1):
        await line.wait.run(anyio.current_time() + 3, line.read)
    await anyio.sleep(100)
    await line.wait.run(None, lambda: line.read(100))
    assert line.shut_at is None
    assert not line.wait.was_ended


async def test_reads_that_outlast_it():
    """One that waits when it is cancelled, and one begun later, end like their connections."""
    dog = Watchdog()
    waiting, later = Line(dog), Line(dog)
    began = anyio.current_time()

    async def read(line: Line) -> None:
        with pytest.raises(anyio.EndOfStream):
            await line.wait.run(began + 9, line.read)
        assert line.shut_at == began

    with anyio.fail_after(99):
        async with anyio.create_task_group() as readers:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(dog.run)
                readers.start_soon(read, waiting)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
            await read(later)


async def test_interrupt(dog):
    """Another task can end a read, and the next one is not begun."""
    line = Line(dog)

    async def wait() -> None:
        for _ in range(2):
            with pytest.raises(Interrupted):
                await line.wait.run(anyio.current_time() + 9, line.read)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        line.wait.interrupt()
        line.wait.interrupt()


async def test_errors_and_cancellation_stay_what_they_are(dog):
    """What ends a read otherwise is not taken for a deadline."""
    line = Line(dog)

    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await line.wait.run(anyio.current_time() + 9, fail)
    with anyio.move_on_after(1) as scope:
        await line.wait.run(anyio.current_time() + 9, line.read)
    assert scope.cancelled_caught


async def test_what_cannot_be_shut_down_is_not_watched(dog):
    """Of its sockets uvloop shows an object that can do nothing."""

    class Shown:
        def shutdown(self, how: int) -> None:
            raise TypeError("transport sockets do not support shutdown() method")

    wait = Wait()
    wait.follow(dog.watch(Shown()))
    with pytest.raises(DeadlineReached):
        await wait.run(anyio.current_time() + 3, anyio.sleep_forever)


async def test_what_is_dropped_is_forgotten(dog):
    """It keeps nothing alive, and sleeps on for ever where nobody waits."""
    lines = [Line(dog) for _ in range(3)]
    await lines[0].wait.run(anyio.current_time() + 3, lambda: lines[0].read(1))
    assert len(dog._watches) == 3
    lines.clear()
    await anyio.sleep(100)  # it has looked at them, for the deadline of the read that ended
    gc.collect()
    assert not dog._watches
    assert dog.wakes_at == math.inf
