"""Some inputs of many; ``make fuzz`` tries millions, ``COGENT_FUZZ=50`` fifty times as many."""

from __future__ import annotations

import os

import pytest

from .targets import TARGETS, attempt

EFFORT = int(os.environ.get("COGENT_FUZZ", "1"))


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes_end_well_or_in_one_typed_error(target):
    for number in range(150 * EFFORT):
        try:
            attempt(target, number)
        except Exception as error:
            error.add_note(f"python -m tests.fuzz {target} --number {number}")
            raise
