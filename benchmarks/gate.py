"""What CI holds the library to: figures that are steady on a machine that others use too.

Calls of functions for each event, Python's and C's, counted with ``sys.setprofile``: the same on
every machine and in every run, and any work that is added for each event shows in them. They do
not see work inside C, as copying is; that is held by two ratios of CPU time, with much slack: to
the hand loop, and to a stream of half the length.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from . import growth, report
from .corpora import CORPORA, Corpus
from .decoding import READS, measure, stream_all
from .measure import Row, on_loop
from .stub import StubClient, model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

NAMES = ("chat_text", "responses_text", "anthropic_text", "gemini_text", "ollama_text")
SLACK = {"calls": 1.05, "stream / hand loop": 1.5}
DOUBLED = 3.0
"""Most that twice the length may cost: 2 where it is linear, 4 where it is quadratic."""

TRIES = 3
"""A ratio of times counts as exceeded if it was in each of so many tries."""


async def _calls(corpus: Corpus, reads: list[bytes]) -> int:
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    async with StubClient() as client:
        asked, nowhere = model(corpus.provider, client), deque(maxlen=0).append
        await stream_all(asked, client, reads, nowhere)  # what is made once is not counted
        gc.disable()  # what it calls back is not the library's
        sys.setprofile(note)
        try:
            await stream_all(asked, client, reads, nowhere)
        finally:
            sys.setprofile(None)
            gc.enable()
    return count


def calls_per_event(name: str, how: str) -> float:
    """Count what each event adds: the difference between a long and a short stream."""
    short, long = CORPORA[name](100), CORPORA[name](600)
    counts = [asyncio.run(_calls(corpus, corpus.reads(how))) for corpus in (short, long)]
    return (counts[1] - counts[0]) / (len(long.expected) - len(short.expected))


def time_ratio(name: str, how: str) -> tuple[float, tuple[float, float]]:
    return measure(CORPORA[name](1000), how, "asyncio", 5).ratio("stream", "hand loop")


def doubled(case: tuple[str, str, str, list[bytes], list[bytes]]) -> float:
    times = on_loop("asyncio", partial(growth.compare, *case[2:], 5))
    return times.ratio("twice", "once")[0]


def run() -> Iterator[Row]:
    """Measure what is to be noted."""
    for name in NAMES:
        for how in READS:
            yield Row("gate", "calls", name, how, calls_per_event(name, how), "")
    for how in READS:
        value, spread = time_ratio("chat_text", how)
        yield Row("gate", "stream / hand loop", "chat_text", how, value, "x", spread)


def main() -> int:
    """Compare with what is noted; give the exit status."""
    faults = 0
    for row in report.read()["gate"]["rows"]:
        what, name, how = row["what"], row["of"], row["how"]
        limit = row["value"] * SLACK[what]
        for _ in range(1 if what == "calls" else TRIES):
            value = calls_per_event(name, how) if what == "calls" else time_ratio(name, how)[0]
            if value <= limit:
                break
        faults += _told(f"{what}, {name}, {how}", value, limit)
    for case in growth.cases(events=50, large=2**20):
        for _ in range(TRIES):
            value = doubled(case)
            if value <= DOUBLED:
                break
        faults += _told(f"cost when length doubles, {case[0]}, {case[1]}", value, DOUBLED)
    if faults:
        print(f"{faults} over their limits; if it must be, note anew: python -m benchmarks gate")
    return min(faults, 1)


def _told(what: str, value: float, limit: float) -> bool:
    over = value > limit
    print(f"{'OVER' if over else 'ok':5} {what:55} {value:7.2f} of at most {limit:.2f}", flush=True)
    return over
