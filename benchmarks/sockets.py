"""Sockets: many paced streams at once, one event a read; CPU time of the client's process alone.

The library through its own adapter and its httpx adapter, a bare httpx loop with its own timers,
the ``openai`` client where it is installed, and loops on an anyio byte stream without any timer,
which check what HTTP says of chunks or do not, take turns; the loops decode with the hand loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .load import STARTS, serving, take_turns
from .load_ways import FLOORS, NAMES, WAYS
from .measure import LOOPS, Row, Times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .load import Server

STREAMS = 50
RATE = 20.0
"""Events a second of each stream: a client that keeps up is idle most of the time."""

SECONDS = 2.5
ROUNDS = 5
RATIOS = (
    ("cogent", "httpx"),
    ("httpx", "anyio"),
    ("cogent", "anyio"),
    ("cogent direct", "read"),
    ("cogent direct", "anyio"),
    ("httpx", "cogent direct"),
    ("openai", "cogent direct"),
)


def run() -> Iterator[Row]:
    for tls in (False, True):
        with serving(RATE, tls=tls) as server:
            for loop in LOOPS:
                yield from _rows(server, loop, f"{STREAMS} streams{', TLS' if tls else ''}")


def _rows(server: Server, loop: str, of: str) -> Iterator[Row]:
    told = take_turns(
        server, (*WAYS, *FLOORS), ROUNDS, loop=loop, streams=STREAMS, starts=STARTS, seconds=SECONDS
    )
    times = Times({way: [each["us"] for each in all_of] for way, all_of in told.items()})
    for way in told:
        yield Row("sockets", NAMES[way], of, loop, times.median(way), "µs")
    for way, to in RATIOS:
        if way in told and to in told:
            value, spread = times.ratio(way, to)
            yield Row("sockets", f"{NAMES[way]} / {NAMES[to]}", of, loop, value, "x", spread)
    read = max(
        each["events"] / each["reads"]
        for all_of in told.values()
        for each in all_of
        if each["reads"]
    )
    yield Row("sockets", "events in a read, at most", of, loop, read, "")
