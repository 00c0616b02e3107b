"""Both event loops, virtual time, and a guard that finds what a test leaves behind."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio
import pytest
import trio
from hypothesis import settings
from trio.testing import MockClock

from .support.jumping_loop import JumpingLoop
from .support.script_server import ScriptServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("search", max_examples=5_000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_finish() -> None:
    """Take what is alive by now out of every later collection, so that each is fast."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    return request.param, {"debug": True} if request.param == "asyncio" else {}


@pytest.fixture(params=["asyncio", "trio"])
def virtual_time(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Give a backend whose clock jumps to the next deadline once all tasks wait.

    A module without real I/O takes it as its ``anyio_backend``.
    """
    if request.param == "trio":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return "asyncio", {"loop_factory": JumpingLoop}


@pytest.fixture(autouse=True)
def _guarded(request: pytest.FixtureRequest) -> None:
    if "anyio_backend" in request.fixturenames:
        request.getfixturevalue("nothing_left")


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves tasks, or objects that complain when they are collected."""
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


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptServer]]:
    """Start servers; when the test is over, no connection to any of them may be open."""
    with ExitStack() as stack:
        servers: list[ScriptServer] = []

        def start(*scripts: object, **options: object) -> ScriptServer:
            servers.append(stack.enter_context(ScriptServer(*scripts, **options)))
            return servers[-1]

        yield start
        for server in servers:
            server.wait(lambda server: not server.open_connections)


@pytest.fixture
def full_backlog() -> Iterator[str]:
    """Give the URL of a server that no connection can be made to: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
