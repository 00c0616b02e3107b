"""Memory that a very long stream takes, over what a short one has taken before it.

Measured in a process of its own: the peak of what it holds in memory (Linux, ``VmHWM``).
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from .corpora import CORPORA, READ_BYTES, cut
from .measure import Row
from .stub import StubClient, model

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 1_000_000


def status(field: str) -> int:
    """Give one figure of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


async def grow(events: int) -> dict[str, int]:
    """Read a long stream; give the bytes of its text as a ``str``, and those that it took."""
    corpus = CORPORA["chat_text"]()
    first, *middle, last, end = corpus.frames
    times = events // len(corpus.expected)
    reads = cut(b"".join(middle), READ_BYTES)
    async with StubClient() as client:
        client.reads = corpus.reads("16 KiB")
        async for _ in model("openai", client).stream("Say hello."):
            pass
        gc.collect()
        _forget_peak()
        before = status("VmRSS")
        client.reads = chain([first], chain.from_iterable(repeat(reads, times)), [last, end])
        async with model("openai", client).stream("Say hello.") as stream:
            length = 0
            async for chunk in stream:
                length += len(chunk.content)
            took = status("VmHWM") - before
            text = stream.response.content
    assert len(text) == length == times * sum(len(chunk.content) for chunk in corpus.expected)
    return {"text": sys.getsizeof(text), "took": took, "events": times * len(corpus.expected)}


def run() -> Iterator[Row]:
    command = [sys.executable, "-m", "benchmarks.memory", str(EVENTS)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    of = f"{told['events']:,} events of chat_text"
    mebibyte = 2**20
    yield Row("memory", "the text as one str", of, "16 KiB", told["text"] / mebibyte, "MiB")
    yield Row("memory", "stream", of, "16 KiB", told["took"] / mebibyte, "MiB")
    over = (told["took"] - mebibyte) / told["text"]
    yield Row("memory", "(stream - 1 MiB) / the text", of, "16 KiB", over, "x")


if __name__ == "__main__":
    print(json.dumps(anyio.run(grow, int(sys.argv[1]))))
