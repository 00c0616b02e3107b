"""Some worlds of many; ``python -m tests.world --seeds 0:10000`` runs the others."""

from __future__ import annotations

import pytest

from .run import run_world

CHUNK = 10


@pytest.mark.parametrize("first", range(0, 100, CHUNK))
def test_the_promises_hold_in_every_world(first):
    for seed in range(first, first + CHUNK):
        try:
            run_world(seed)
        except BaseException as error:
            error.add_note(f"python -m tests.world {seed}")
            raise


def test_a_seed_is_a_world():
    """The same things happen at the same moments again, whatever happened before."""
    traces = [run_world(seed).trace for seed in range(9)]
    assert [run_world(seed).trace for seed in reversed(range(9))] == traces[::-1]
    assert len(set(traces)) == 9
