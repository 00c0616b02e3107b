"""Cutting input into pieces: what a parser gives must not depend on where the network cut.

This is h11's ``tr`` made general. A cutting is a list of chunk lengths, zeros included.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

EVERY_SPLIT_UP_TO = 300
"""Longest input that is cut in two at every place; the cost is the square of the length."""


def cuttings(data: bytes) -> Iterator[list[int]]:
    """Give the cuttings that every input is tried with.

    Whole; byte by byte; byte by byte with empty chunks between; in two at every place.
    """
    size = len(data)
    yield [size]
    yield [1] * size
    yield [0, *(length for _ in range(size) for length in (1, 0))]
    if size <= EVERY_SPLIT_UP_TO:
        for cut in range(size + 1):
            yield [cut, size - cut]


def pieces(data: bytes, lengths: list[int]) -> Iterator[bytes]:
    """Cut the input."""
    start = 0
    for length in lengths:
        yield data[start : start + length]
        start += length
    assert start == len(data), "a cutting covers its input"


def every(data: bytes, size: int) -> list[int]:
    """Give the cutting into chunks of one size."""
    return [min(size, len(data) - start) for start in range(0, len(data), size)]


def partitions(data: bytes) -> SearchStrategy[list[int]]:
    """Draw a cutting, empty chunks among it."""
    cuts = st.lists(st.integers(0, len(data)), max_size=12).map(sorted)
    return cuts.map(
        lambda places: [end - start for start, end in pairwise([0, *places, len(data)])]
    )
