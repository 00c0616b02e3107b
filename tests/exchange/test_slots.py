"""Places for calls: on each host, and in all."""

from __future__ import annotations

import anyio
import pytest

from cogent.errors import ConfigurationError
from cogent.exchange.slots import Slots

SLOW, OTHER = "https://slow.test/v1/chat", "https://other.test/v1/chat"


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


async def now(slot) -> bool:
    """Tell whether a slot can be had at once."""
    with anyio.move_on_after(1):
        await slot.acquire()
    return slot.held


async def taken(slots: Slots, *urls: str) -> list:
    """Take slots; none of them has to be waited for."""
    made = [slots.slot(url) for url in urls]
    assert [await now(slot) for slot in made] == [True] * len(urls)
    return made


async def test_a_host_waits_for_itself_alone():
    """The call after the n-th waits for one of its host's to end; another host's does not."""
    slots = Slots(2)
    first, _second = await taken(slots, SLOW, "HTTPS://Slow.test/v2/models")
    third = slots.slot(SLOW)
    assert not await now(third)
    _others = await taken(slots, OTHER, OTHER, "https://slow.test:8443/", "http://slow.test")
    first.release()
    assert await now(third)


async def test_total():
    """All hosts together have a limit too."""
    slots = Slots(2, 3)
    first, *_rest = await taken(slots, SLOW, SLOW, OTHER)
    more = slots.slot(OTHER)
    assert not await now(more)
    first.release()
    assert await now(more)


async def test_who_waits_for_a_host_keeps_no_place_of_the_total():
    """A queue before a slow host stops no other host."""
    slots = Slots(1, 2)
    (_running,) = await taken(slots, SLOW)
    async with anyio.create_task_group() as tasks:
        queued = [slots.slot(SLOW) for _ in range(5)]
        for slot in queued:
            tasks.start_soon(slot.acquire)
        await anyio.wait_all_tasks_blocked()
        await taken(slots, OTHER)
        tasks.cancel_scope.cancel()


async def test_cancelled_in_the_queue():
    """One that gives up, before its host or before the total, frees what it had, once."""
    slots = Slots(1, 1)
    (running,) = await taken(slots, SLOW)
    for url in (SLOW, OTHER):
        slot = slots.slot(url)
        assert not await now(slot)
        slot.release()
    running.release()
    running.release()
    (again,) = await taken(slots, OTHER)
    assert not await now(slots.slot(SLOW))
    again.release()


async def test_dropped():
    """A slot that is dropped is free; a host without calls is forgotten."""
    slots = Slots(1)
    for _ in range(2):
        assert await now(slots.slot(SLOW))
    assert not slots._hosts


@pytest.mark.parametrize("limits", [(0,), (-1,), (1, 0)])
def test_limits_that_let_nothing_run(limits):
    """They are refused at once."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        Slots(*limits)
