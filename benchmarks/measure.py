"""How things are timed, and what a result is.

CPU time of this thread, never the clock on the wall. The contenders of a comparison take turns
within each round, in an order that rotates, so what disturbs the machine disturbs all of them; a
ratio is taken within its round, and the median over the rounds is what is reported. The first
round only warms up. The garbage collector runs before each turn and is off during it.
"""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from time import thread_time
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Contender = Callable[[], Awaitable[object]]

LOOPS = ("asyncio", "trio")


@dataclass
class Row:
    """One figure.

    Attributes:
        benchmark: Which module measured it.
        what: What was measured, and of what it is a multiple where it is a ratio.
        of: The corpus, or another thing that it was measured on.
        how: Size of the reads, event loop, and the like.
        value: The median.
        unit: ``x`` for a ratio.
        spread: The quartiles.
    """

    benchmark: str
    what: str
    of: str
    how: str
    value: float
    unit: str
    spread: tuple[float, float] | None = None

    def plain(self) -> dict[str, object]:
        return asdict(self)


@dataclass
class Times:
    """Seconds of CPU time that each contender took, round by round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, to: str) -> tuple[float, tuple[float, float]]:
        """Give the median of the rounds' ratios, and their quartiles."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        ratios = [mine / theirs for mine, theirs in pairs]
        if len(ratios) < 2:
            return ratios[0], (ratios[0], ratios[0])
        low, middle, high = quantiles(ratios, n=4)
        return middle, (low, high)


async def take_turns(contenders: Mapping[str, Contender], rounds: int) -> Times:
    """Time contenders against each other; ``rounds`` counts those after the warm-up."""
    times = Times({name: [] for name in contenders})
    names = list(contenders)
    for turn in range(-1, rounds):
        for name in names:
            run = contenders[name]
            gc.collect()
            gc.disable()
            try:
                begin = thread_time()
                await run()
                seconds = thread_time() - begin
            finally:
                gc.enable()
            if turn >= 0:
                times.seconds[name].append(seconds)
        names.append(names.pop(0))
    return times


def on_loop(loop: str, work: Callable[[], Awaitable[Times]]) -> Times:
    return anyio.run(work, backend=loop)
