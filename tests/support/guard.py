"""What a test must not leave behind: tasks, sockets, connections that nobody gets back, a key.

Each part looks before and after; together they are the guard around every test of the scorecard.
Warnings, also those of the collector, are errors already.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import stat
import time
import traceback
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import httpcore
import httpcore2
import pytest
import trio

from cogent.exchange.direct_pool import Pool
from cogent.exchange.slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

KEY = "sk-never-shown"
"""The key that tests give, and that nothing may show."""

PATIENCE = 2.0
"""Seconds that the threads of a test's server have to close its end of a connection."""


# Tasks.


@asynccontextmanager
async def no_tasks_left() -> AsyncIterator[None]:
    """See that no task is left, and no object that complains when it is collected."""
    before = _tasks()
    yield
    # What the test dropped complains now; pytest turns complaints into an error of this test.
    gc.collect()
    await anyio.wait_all_tasks_blocked()
    assert _tasks() <= before, "tasks are left"


def _tasks() -> set[object]:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        root = trio.lowlevel.current_root_task()
        assert root is not None
        found, nurseries = {root}, list(root.child_nurseries)
        while nurseries:
            children = nurseries.pop().child_tasks
            found |= children
            nurseries += (nursery for child in children for nursery in child.child_nurseries)
        return found
    # The plug-in makes a task of its own for each thing that it runs.
    return {task for task in tasks if "TestRunner" not in task.get_coro().__qualname__}


# Sockets.


@contextmanager
def no_sockets_left() -> Iterator[None]:
    """See that every socket that was opened is closed, those of the test's own servers too."""
    before = _sockets()
    yield
    end = time.monotonic() + PATIENCE
    while (left := _sockets() - before) and time.monotonic() < end:
        time.sleep(0.002)
    assert not left, f"{len(left)} sockets are left open"


def _sockets() -> set[tuple[int, int]]:
    """Give all sockets of this process, each by what no other one shares with it."""
    found = set()
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # the listing's own is closed by now
            status = os.fstat(int(name))
            if stat.S_ISSOCK(status.st_mode):
                found.add((status.st_dev, status.st_ino))
    return found


# Connections.


@contextmanager
def no_slots_stuck() -> Iterator[None]:
    """See that every `Slot` was given back, and that no connection of a pool serves nobody.

    A pool is looked at whenever it is closed, which would hide what is stuck, and at the end.
    """
    limits: list[tuple[Slots, int | None]] = []
    pools: list[object] = []
    own_pools: list[Pool] = []
    with pytest.MonkeyPatch.context() as patch:
        _record(patch, Slots, lambda slots: limits.append((slots, _total(slots))))
        for kind in (httpcore.AsyncConnectionPool, httpcore2.AsyncConnectionPool):
            _record(patch, kind, pools.append)
            _looked_at(patch, kind)
        _record(patch, Pool, own_pools.append)
        yield
    for slots, total in limits:
        assert _total(slots) == total, "slots are stuck"
        assert all(host.value == slots._per_host for host in slots._hosts.values()), "stuck slots"
    for pool in own_pools:
        check_pool(pool)
    for pool in pools:
        assert not pool._requests, "a pool has calls that did not end"
        check_pool(pool)


def check_pool(pool) -> None:
    """See that every connection serves a call, or is to be had, or is closed.

    Of our own pool's, no call may be under way.
    """
    if isinstance(pool, Pool):
        gc.collect()
        stuck = [connection for connection in pool.used if connection.socket.fileno() >= 0]
        assert not stuck, f"connections are stuck: {stuck}"
        return
    served = {id(request.connection) for request in pool._requests}
    stuck = [
        connection
        for connection in pool.connections
        if not (connection.is_idle() or connection.is_closed() or id(connection) in served)
    ]
    assert not stuck, f"connections are stuck: {stuck}"


def _total(slots: Slots) -> int | None:
    return None if slots._total is None else slots._total.value


def _record(patch: pytest.MonkeyPatch, kind: type, record: Callable[..., object]) -> None:
    init = kind.__init__

    def recorded(self, *args, **options) -> None:
        init(self, *args, **options)
        record(self)

    patch.setattr(kind, "__init__", recorded)


def _looked_at(patch: pytest.MonkeyPatch, kind: type) -> None:
    aclose = kind.aclose

    async def looked_at(self) -> None:
        check_pool(self)
        await aclose(self)

    patch.setattr(kind, "aclose", looked_at)


# The key.


class _Everything(logging.Handler):
    """Keeps the text of all records."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def key_never_shown(test: pytest.Item) -> Iterator[None]:
    """See that `KEY` is in no log, no output, and no error that the test looked at."""
    log, shown = _Everything(), []
    root, fill = logging.getLogger(), pytest.ExceptionInfo.fill_unfilled

    def looked_at(info, caught) -> None:
        shown.append("".join(traceback.format_exception(caught[1])) + repr(caught[1]))
        fill(info, caught)

    level = root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pytest.ExceptionInfo, "fill_unfilled", looked_at)
        root.addHandler(log)
        root.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            root.setLevel(level)
            root.removeHandler(log)
    printed = [text for _, kind, text in test._report_sections if kind != "log"]
    places = {"log": log.lines, "output": printed, "error": shown}
    for place, texts in places.items():
        assert not any(KEY in text for text in texts), f"the {place} shows the key"
