"""What 1,000 streams that are held take of the client's memory, each.

The server is another process; events come seldom, so that it is the streams that are measured and
not their texts.
"""

from __future__ import annotations

from itertools import product
from statistics import median
from typing import TYPE_CHECKING

from .load import NAMES, STARTS, loops, serving
from .load_client import WAYS, Load
from .measure import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = 1000
RATE = 0.5
SECONDS = 2.0
ROUNDS = 3


def run() -> Iterator[Row]:
    for tls in (False, True):
        of = f"{STREAMS:,} streams{', TLS' if tls else ''}"
        with serving(RATE, tls=tls) as server:
            for loop in loops():
                kib: dict[str, list[float]] = {way: [] for way in WAYS}
                for _, way in product(range(ROUNDS), WAYS):
                    load = Load(way=way, loop=loop, streams=STREAMS, starts=STARTS, seconds=SECONDS)
                    if told := server.hold(load):
                        kib[way].append(told["kib"])
                for way, each in kib.items():
                    if each:
                        yield Row("held", NAMES.get(way, way), of, loop, median(each), "KiB")
