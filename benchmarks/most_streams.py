"""The most streams that one client process holds so that no event comes late by 100 ms.

Late is what comes so long after the server's write of it. The number is doubled until a try fails,
and then halved in, to a quarter. What fails counts only if it fails twice: on a machine that others
use too, one late event need not be the client's.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from .load import loops, serving
from .load_client import Load
from .load_ways import NAMES, WAYS
from .measure import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .load import Server

RATE = 5.0
LATE_SECONDS = 0.1
LEAST, MOST = 125, 8000
STARTS = 300.0
SECONDS = 2.0
TRIES = 2
STEP = 1.25


def holds(server: Server, way: str, loop: str, streams: int) -> bool:
    """Tell whether so many are held. A server that is late itself holds none."""
    load = Load(way=way, loop=loop, streams=streams, starts=STARTS, seconds=SECONDS)
    for _ in range(TRIES):
        told = server.hold(load, patience=streams / STARTS + 6 * SECONDS)
        if told and max(told["delay_max"], told["server_late_max"]) < LATE_SECONDS:
            return True
    return False


def most(server: Server, way: str, loop: str) -> int:
    """Search; 0 where not even the least are held."""
    held, failed = 0, LEAST
    while failed <= MOST and holds(server, way, loop, failed):
        held, failed = failed, 2 * failed
    while held and failed > STEP * held and failed <= MOST:
        middle = (held + failed) // 2
        if holds(server, way, loop, middle):
            held = middle
        else:
            failed = middle
    return held


def run(*, loops: Sequence[str] = tuple(loops()), tls: bool | None = None) -> Iterator[Row]:
    """Measure; for the arguments see `benchmarks.load.run`."""
    for secure, loop in product((False, True) if tls is None else (tls,), loops):
        of = f"{RATE:g}/s each{', TLS' if secure else ''}"
        with serving(RATE, tls=secure) as server:
            for way in WAYS:
                value = most(server, way, loop)
                yield Row("most_streams", NAMES[way], of, loop, value, "")
