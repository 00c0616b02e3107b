"""What one stream that nobody reads does to the others: their delays without it and with it.

The server writes to it as fast as the connection takes it; its reader has the first event and then
does something else.
"""

from __future__ import annotations

from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from .load import SECONDS, STARTS, loops, serving
from .load_client import Load
from .load_ways import NAMES, WAYS
from .measure import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAMS = 50
RATE = 20.0
ROUNDS = 2


def run(*, loops: Sequence[str] = tuple(loops()), rounds: int = ROUNDS) -> Iterator[Row]:
    """Measure; for the arguments see `benchmarks.load.run`."""
    of = f"{STREAMS} x {RATE:g}/s"
    with serving(RATE, tls=False) as server:
        for loop, way in product(loops, WAYS):
            delays: dict[int, list[float]] = {0: [], 1: []}
            for _, unread in product(range(rounds), delays):
                load = Load(
                    way=way, loop=loop, streams=STREAMS, starts=STARTS, seconds=SECONDS,
                    unread=unread,
                )  # fmt: skip
                if told := server.hold(load):
                    delays[unread].append(told["delay_p99"])
            if not all(delays.values()):
                continue
            for unread, what in ((0, "delay, p99"), (1, "with one unread")):
                value = 1e3 * median(delays[unread])
                yield Row("unread", what, of, f"{loop}, {NAMES[way]}", value, "ms")
