"""What 1,000 streams that are held take of the client's memory, each.

The server is another process; events come seldom, so that it is the streams that are measured and
not their texts.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from .load import STARTS, loops, serving, take_turns
from .load_ways import NAMES, WAYS
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
                told = take_turns(
                    server, WAYS, ROUNDS,
                    loop=loop, streams=STREAMS, starts=STARTS, seconds=SECONDS,
                )  # fmt: skip
                for way, all_of in told.items():
                    kib = median(each["kib"] for each in all_of)
                    yield Row("held", NAMES[way], of, loop, kib, "KiB")
