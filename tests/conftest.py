"""Both event loops, virtual time, and a guard that finds what a test leaves behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from trio.testing import MockClock

from .support.certificates import Certificates
from .support.guard import key_never_shown, no_slots_stuck, no_sockets_left, no_tasks_left
from .support.http_clients import HTTP, LIBRARIES
from .support.jumping_loop import JumpingLoop
from .support.script_server import ScriptServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from cogent import Client

# The same examples in every run; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("search", max_examples=5_000, deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure() -> None:
    # Let Ctrl-C be heard, also by what tests start: the jobs of some shells ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # In debug mode asyncio notes a stack for each callback, which costs more than all its checks.
    asyncio.constants.DEBUG_STACK_DEPTH = 1


MARKED = pytest.StashKey[list[pytest.Item]]()
"""The tests of the fault scorecard, before any are left out by name or mark."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = (item for item in items if item.get_closest_marker("scorecard") is not None)
    config.stash[MARKED] = list(marked)
    # What may take long comes first, so that in the end no process waits for another.
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


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
    if request.node.get_closest_marker("scorecard") is not None:
        request.getfixturevalue("guard")
    if "anyio_backend" in request.fixturenames:
        # What is alive before a test is not looked at after it: that would cost more than the test.
        gc.collect()
        gc.freeze()
        request.getfixturevalue("nothing_left")


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """Fail a test that leaves tasks, or objects that complain when they are collected."""
    async with no_tasks_left():
        yield


@pytest.fixture
def guard(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves sockets or stuck connections, or that shows the key."""
    with no_sockets_left(), no_slots_stuck(), key_never_shown(request.node):
        yield


@pytest.fixture
def no_log() -> Iterator[None]:
    """Let nobody keep a log, where its time or memory would count."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(params=["own", "direct", "httpx", "httpx2"])
def http(request: pytest.FixtureRequest) -> HTTP:
    """Give whose connections the test uses: our own, or those of a caller's client."""
    return HTTP(request.param)


@pytest.fixture
async def client(http: HTTP) -> AsyncIterator[Client]:
    """Give an open `Client` with such connections."""
    async with http.opened() as client:
        yield client


@pytest.fixture
async def http_client(http: HTTP, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[object]:
    """Give a caller's own client, as careless as it can be; or none, for our own."""
    library = LIBRARIES.get(http.kind)
    if library is None:
        monkeypatch.setenv("COGENT_TRANSPORT", http.transport)
        yield None
        return
    async with library.AsyncClient(verify=False, follow_redirects=True) as http_client:
        yield http_client


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


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
