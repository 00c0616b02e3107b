"""Lets a world happen, and looks at what is left of it."""

from __future__ import annotations

import gc
import hashlib
import os
import random
import secrets
import sys
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch
from weakref import WeakKeyDictionary

import anyio
import httpcore
import httpcore2
import httpx
import httpx2
import trio._core._run as trio_run
from trio.testing import MockClock

from cogent import Client
from cogent.exchange import direct_pool, watchdog
from tests.support.jumping_loop import JumpingLoop

from .callers import Caller
from .checks import check_caller, check_client
from .network import Log, Network
from .plans import Plan
from .server import Servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .callers import Outcome

LONG = 1e7
"""Seconds after which whatever still waits will wait for ever."""


@dataclass(frozen=True)
class World:
    """What follows from a seed before anything happens.

    Attributes:
        calm: Which part of the connections nothing befalls.
        closes: When the client is closed under its callers; ``None``: after the last of them.
        library: Whose client carries the calls: our own, or a caller's of either library.
        transport: What moves the bytes of our own clients.
    """

    seed: int
    plans: tuple[Plan, ...]
    per_host: int
    total: int | None
    calm: float
    closes: float | None
    library: str
    transport: str

    @classmethod
    def draw(cls, seed: int) -> World:
        rng = random.Random(f"{seed} world")
        count = rng.choice([1, 1, 2, 3, 5, 8, rng.randrange(1, 21)])
        return cls(
            seed=seed,
            plans=tuple(Plan.draw(rng, f"{seed}-{number}") for number in range(count)),
            per_host=rng.choice([1, 3, 100, 100]),
            total=rng.choice([None, None, None, 2, 5]),
            calm=rng.choice([1, 0.8, 0.3]),
            closes=rng.choice(
                [*[None] * 15, rng.uniform(0, 1), rng.uniform(0, 4), rng.uniform(0, 20)]
            ),
            library=rng.choice(["own", "own", "own", "httpx", "httpx2"]),
            transport=rng.choice(["direct", "httpx"]),
        )

    def make_http_client(self) -> httpx.AsyncClient | httpx2.AsyncClient | None:
        """Make the caller's own client, where it has one."""
        if self.library == "own":
            return None
        library = httpx if self.library == "httpx" else httpx2
        return library.AsyncClient(verify=False, limits=library.Limits(max_connections=None))

    def make_client(self, http_client: httpx.AsyncClient | httpx2.AsyncClient | None) -> Client:
        """Make the client that the callers share."""
        if http_client is not None:
            return Client(http_client=http_client)
        return Client(max_connections_per_host=self.per_host, max_connections=self.total)


@dataclass(frozen=True)
class Ended:
    """What a world came to: all that happened in it, and how its callers fared."""

    log: Log
    outcomes: tuple[Outcome, ...]

    @property
    def trace(self) -> str:
        """A hash of all that happened, and when."""
        return hashlib.sha256(repr(self.log.entries).encode()).hexdigest()


def run_world(seed: int, log: Log | None = None, *, loop: str = "trio") -> Ended:
    """Let the world of a seed happen, on ``trio`` or on ``asyncio``.

    Raises:
        AssertionError: A promise was broken.
        BaseException: Something else went wrong; nothing is caught.
    """
    options: dict[str, object] = {"loop_factory": JumpingLoop}
    if loop == "trio":
        options = {"clock": MockClock(autojump_threshold=0)}
    world = World.draw(seed)
    chosen = patch.dict(os.environ, COGENT_TRANSPORT=world.transport)
    with _repeatable(seed), chosen, _complaints() as complaints:
        ended = anyio.run(_live, world, log or Log(), backend=loop, backend_options=options)
    assert not complaints, complaints
    return ended


async def _live(world: World, log: Log) -> Ended:
    everybody = anyio.Event()
    tasks_before = len(anyio.get_running_tasks())
    callers_own = world.make_http_client()
    client = world.make_client(callers_own)
    callers = [Caller(plan, client, log) for plan in world.plans]
    servers = Servers(world.seed, {plan.name: plan for plan in world.plans}, log)

    async def called() -> None:
        async with anyio.create_task_group() as tasks:
            for caller in callers:
                tasks.start_soon(caller.run)
        everybody.set()

    with anyio.fail_after(LONG):
        async with anyio.create_task_group() as serving, anyio.create_task_group() as calling:
            network = Network(world.seed, world.calm, tasks=serving, serve=servers.serve, log=log)
            calling.start_soon(called)
            with _replacing(network):
                async with client:
                    with anyio.move_on_after(world.closes):
                        await everybody.wait()
                    if everybody.is_set():
                        await anyio.wait_all_tasks_blocked()
                        check_client(client, network, tasks_before)
                    closed = anyio.current_time()
                assert anyio.current_time() - closed < 1, "the client took its time to close"
                await everybody.wait()
                if callers_own is not None:
                    await callers_own.aclose()
            assert not network.open, "connections are open"
        gc.collect()
        await anyio.wait_all_tasks_blocked()
        assert len(anyio.get_running_tasks()) == tasks_before, "tasks are left"
    for caller in callers:
        check_caller(caller.outcome, servers.served, closed=world.closes is not None)
    return Ended(log, tuple(caller.outcome for caller in callers))


@contextmanager
def _replacing(network: Network) -> Iterator[None]:
    """Put a network, and the world's time, under all that connects."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(anyio, "connect_tcp", network.connect_tcp))
        for library in (httpcore, httpcore2):
            connect = library.AnyIOBackend.connect_tcp
            stack.enter_context(patch.object(library.TrioBackend, "connect_tcp", connect))
            clock = SimpleNamespace(monotonic=anyio.current_time)
            stack.enter_context(patch.object(library._async.http11, "time", clock))
        yield


class _OrderedWeakSet(WeakKeyDictionary[object, None]):
    """A set whose order does not follow from where in memory things are."""

    def add(self, item: object) -> None:
        self[item] = None

    def discard(self, item: object) -> None:
        self.pop(item, None)


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Let all that is random follow from the seed."""
    before = random.getstate()
    random.seed(seed)
    trio_run._r.seed(seed)
    with (
        patch.object(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        patch.object(direct_pool, "WeakSet", _OrderedWeakSet),
        patch.object(watchdog, "WeakSet", _OrderedWeakSet),
        patch.object(secrets, "_sysrand", random.Random(seed)),
    ):
        try:
            yield
        finally:
            random.setstate(before)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect warnings, and what was raised where nobody could catch it."""
    complaints: list[str] = []
    collecting = gc.isenabled()
    gc.disable()  # what is collected in between would be so at another moment each time
    with (
        warnings.catch_warnings(),
        patch.object(sys, "unraisablehook", lambda it: complaints.append(repr(it.exc_value))),
        patch.object(warnings, "showwarning", lambda it, *_: complaints.append(str(it))),
    ):
        warnings.simplefilter("always")
        try:
            yield complaints
        finally:
            if collecting:
                gc.enable()
