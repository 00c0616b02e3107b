"""A client process that holds very many paced streams, in one of several ways, and tells how.

Usage: ``python -m benchmarks.load_client URL '{"way": "cogent", ...}'``, the fields of `Load` as
JSON. The streams begin one after the other and go on while it measures. What it measures is CPU
time of this process, memory of this process, and delays: from the server's write of an event, which
its text tells, to the user's loop that has it. The garbage collector stays on, as in life.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from array import array
from dataclasses import dataclass
from time import monotonic, monotonic_ns, process_time
from typing import TYPE_CHECKING

import anyio

from .load_ways import FLOORS, WAYS, Counted
from .memory import status

if TYPE_CHECKING:
    from .load_ways import Read, Take

SETTLE_SECONDS = 0.5
MOST_SETTLES = 6
CALM_SECONDS = 0.02
STARTS_AT_ONCE = 50
"""Most streams that have not begun, so that a slow client is not measured by a storm of its own."""

LOOPS = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}


@dataclass(frozen=True, kw_only=True)
class Load:
    """What to do.

    Attributes:
        way: One of `WAYS` or `FLOORS`.
        loop: One of `LOOPS`.
        streams: How many to hold.
        starts: How many of them begin in a second, at most.
        seconds: How long to measure.
        unread: Of how many more, to which the server writes all that they take, only the first
            event is ever read.
        certificate: A file with the authority that signed the server's certificate.
    """

    way: str
    loop: str
    streams: int
    starts: float
    seconds: float
    unread: int = 0
    certificate: str | None = None


class Meter:
    """Delays, in seconds: of each stream's first event, and of all events while it measures."""

    def __init__(self) -> None:
        self.first, self.after_call, self.delays = array("d"), array("d"), array("d")
        self.measuring = False
        self.starts = anyio.Semaphore(STARTS_AT_ONCE)

    def stream(self) -> Take:
        """Give what takes the texts of one stream, which is called now."""
        called = monotonic_ns()

        def take(text: str) -> bool:
            nonlocal called
            now = monotonic_ns()
            if self.measuring:
                self.delays.append((now - int(text)) / 1e9)
            elif called:
                self.first.append((now - int(text)) / 1e9)
                self.after_call.append((now - called) / 1e9)
                self.starts.release()
                called = 0
            return False

        return take


async def hold(load: Load, url: str) -> None:
    """Hold the streams, measure, print, and end the process: thousands of streams close slowly."""
    meter = Meter()
    async with (WAYS | FLOORS)[load.way](load.streams + load.unread, load.certificate) as read:
        await _read_one(read, f"{url}/whole")  # what is made once is no stream's
        gc.collect()
        before = status("VmRSS")
        async with anyio.create_task_group() as tasks:
            for _ in range(load.unread):
                tasks.start_soon(read, f"{url}/flood", lambda _: True)
            for _ in range(load.streams):
                await anyio.sleep(1 / load.starts)
                await meter.starts.acquire()
                tasks.start_soon(read, f"{url}/paced", meter.stream())
            for _ in range(STARTS_AT_ONCE):  # until all have begun
                await meter.starts.acquire()
            gc.collect()
            took = status("VmRSS") - before
            await _settle(meter)
            told = await _measure(meter, load.seconds)
            print(json.dumps({"kib": took / 1024 / load.streams, **told}), flush=True)
            os._exit(0)


async def _read_one(read: Read, url: str) -> None:
    texts: list[str] = []

    def take(text: str) -> bool:
        texts.append(text)
        return False

    await read(url, take)
    assert len(texts) == 1


async def _settle(meter: Meter) -> None:
    """Wait until the streams that began last, and the collector, keep nobody waiting."""
    for _ in range(MOST_SETTLES):
        meter.measuring = True
        await anyio.sleep(SETTLE_SECONDS)
        meter.measuring = False
        delays, meter.delays = meter.delays, array("d")
        if max(delays, default=0.0) < CALM_SECONDS:
            return


async def _measure(meter: Meter, seconds: float) -> dict[str, float]:
    begin, cpu, meter.measuring = monotonic(), process_time(), True
    Counted.reads = 0
    await anyio.sleep(seconds)
    end, cpu, meter.measuring = monotonic(), process_time() - cpu, False
    return {
        "begin": begin,
        "end": end,
        "events": len(meter.delays),
        "reads": Counted.reads,
        "cpu": cpu / (end - begin),
        "us": 1e6 * cpu / len(meter.delays),
        **_quantiles("first", meter.first),
        **_quantiles("after_call", meter.after_call),
        **_quantiles("delay", meter.delays),
    }


def _quantiles(name: str, seconds: array[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"{name}_p50": ordered[len(ordered) // 2],
        f"{name}_p99": ordered[int(len(ordered) * 0.99)],
        f"{name}_max": ordered[-1],
    }


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    url, fields = sys.argv[1:]
    load = Load(**json.loads(fields))
    anyio.run(hold, load, url, **LOOPS[load.loop])
