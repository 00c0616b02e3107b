"""Calls that are cancelled about when their turn comes, and what is left of the connections then.

Twenty workers share ten connections; each call is given up after a time near the one that it has to
wait. Afterwards all ten connections should be there: as many streams are opened at once as should
run, and those that do not begin are **stuck**. Then 100 calls are made to a server that was healthy
all the time.
"""

from __future__ import annotations

import random
from functools import partial
from itertools import product
from time import monotonic
from typing import TYPE_CHECKING

import anyio

from .load import loops, serving
from .load_client import LOOPS
from .load_server import WHOLE_SECONDS
from .load_ways import NAMES, WAYS
from .measure import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .load import Server
    from .load_ways import Read

CONNECTIONS = 10
WORKERS = 20
SECONDS = 8.0
CALLS = 100
PATIENCE_SECONDS = 1.0
"""Of a call afterwards; it takes `WHOLE_SECONDS`."""


async def answered(read: Read, url: str, patience: float) -> bool:
    """Tell whether a call gave its event in time."""
    texts: list[str] = []

    def take(text: str) -> bool:
        texts.append(text)
        return False

    with anyio.move_on_after(patience):
        try:
            await read(url, take)
        except Exception:  # noqa: BLE001 - of any of the libraries; it is counted
            return False
    return bool(texts)


async def begin_at_once(read: Read, url: str) -> int:
    """Open as many streams as there are connections; give how many begin in time."""
    begun: set[int] = set()

    def take(number: int, text: str) -> bool:
        begun.add(number)
        if len(begun) == CONNECTIONS:
            scope.cancel()
        return False

    with anyio.move_on_after(PATIENCE_SECONDS) as scope:
        async with anyio.create_task_group() as tasks:
            for number in range(CONNECTIONS):
                tasks.start_soon(read, url, partial(take, number))
    return len(begun)


async def churn(server: Server, way: str) -> tuple[int, int, int]:
    """Give how many calls were cancelled, connections stuck, and calls that succeeded then."""
    moments = random.Random(7)
    counts = {True: 0, False: 0}
    url = server.url("whole")
    end = monotonic() + SECONDS

    async def work() -> None:
        while monotonic() < end:
            patience = moments.uniform(0.5, 3) * WHOLE_SECONDS
            counts[await answered(read, url, patience)] += 1

    async with WAYS[way](CONNECTIONS, server.certificate) as read:
        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(work)
        stuck = CONNECTIONS - await begin_at_once(read, server.url("paced"))
        succeeded: list[bool] = []

        async def call() -> None:
            succeeded.append(await answered(read, url, PATIENCE_SECONDS))

        for _ in range(CALLS // CONNECTIONS):
            async with anyio.create_task_group() as tasks:
                for _ in range(CONNECTIONS):
                    tasks.start_soon(call)
        return counts[False], stuck, sum(succeeded)


def run() -> Iterator[Row]:
    of = f"{WORKERS} workers, {CONNECTIONS} connections"
    with serving(1.0, tls=False) as server:
        for loop, way in product(loops(), WAYS):
            told = anyio.run(partial(churn, server, way), **LOOPS[loop])
            names = ("cancelled", "stuck connections", f"succeed of {CALLS} then")
            for what, value in zip(names, told, strict=True):
                yield Row("churn", what, of, f"{loop}, {NAMES[way]}", value, "")
