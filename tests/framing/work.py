"""Counting a framer's work, so that linear time is tested without a clock.

Two counts together: the bytes that are copied out of, put into or searched in the framer's
buffer, which C code does and a tracer cannot see; and the lines of Python that run. Both are the
same in every run.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from cogent.framing import json_array
from tests.support.cuts import every, pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class CountedBuffer(bytearray):
    """A buffer that adds up the bytes that it is asked to copy, move or search."""

    work = 0

    def __iadd__(self, other):
        self.work += len(other)
        return super().__iadd__(other)

    def __add__(self, other):
        self.work += len(self) + len(other)
        return super().__add__(other)

    def __bytes__(self):
        self.work += len(self)
        return bytes(memoryview(self))

    def __contains__(self, other):
        self.work += len(self)
        return super().__contains__(other)

    def __getitem__(self, key):
        part = super().__getitem__(key)
        self.work += len(part) if isinstance(key, slice) else 1
        return part

    def __setitem__(self, key, value):
        self.work += len(self) - key.indices(len(self))[0] + len(value)
        super().__setitem__(key, value)

    def __delitem__(self, key):
        # From the front or the back a bytearray drops bytes without moving the others.
        start, end, _ = key.indices(len(self))
        self.work += len(self) if 0 < start < end < len(self) else 1
        super().__delitem__(key)


def _charged(name: str) -> Callable[..., object]:
    method = getattr(bytearray, name)

    def charged(self, *args):
        start = args[1] if len(args) > 1 and isinstance(args[1], int) else 0
        self.work += len(self) - start
        return method(self, *args)

    return charged


for _name in (
    *("copy", "count", "find", "index", "rfind", "rindex", "partition", "rpartition", "replace"),
    *("lstrip", "rstrip", "strip", "removeprefix", "split", "rsplit", "splitlines", "decode"),
):
    setattr(CountedBuffer, _name, _charged(_name))


class CountedPattern:
    """A compiled pattern that charges the buffer for what it looks at."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self.pattern = pattern

    def search(self, buffer, start=0):
        found = self.pattern.search(buffer, start)
        buffer.work += (found.end() if found else len(buffer)) - start
        return found

    def sub(self, by, buffer):
        buffer.work += len(buffer)
        return self.pattern.sub(by, buffer)


def count_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the patterns of the array framer charge for what they look at."""
    for name, value in list(vars(json_array).items()):
        if isinstance(value, re.Pattern):
            monkeypatch.setattr(json_array, name, CountedPattern(value))


def lines_run(call: Callable[[], object]) -> int:
    """Count the lines of Python that a call runs."""
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines


def work_of(framer, buffer: str, data: bytes, chunk: int) -> tuple[int, int]:
    """Feed data in chunks to a framer; give the bytes that it handled and the lines it ran."""
    chunks = list(pieces(data, every(data, chunk)))
    counted = CountedBuffer()
    setattr(framer, buffer, counted)

    def feed() -> None:
        for piece in chunks:
            framer.feed(piece)

    lines = lines_run(feed)
    assert getattr(framer, buffer) is counted, "the framer's buffer was replaced and not counted"
    return counted.work, lines


def assert_linear(
    framer: Callable[[], object], buffer: str, shape: Callable[[int], bytes], chunk: int
) -> None:
    """Eight times the input is eight times the work; if it were squared, it would be 64 times.

    Eight and not two, since work that is done at each doubling of a buffer comes in steps. The
    allowance of a quarter is for these.
    """
    small = work_of(framer(), buffer, shape(2_048), chunk)
    large = work_of(framer(), buffer, shape(8 * 2_048), chunk)
    for before, after in zip(small, large, strict=True):
        assert after <= 1.25 * 8 * before + 100
