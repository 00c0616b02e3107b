"""Where the reference data is.

It lies beside the repository, or where ``COGENT_REFERENCE_DATA`` says (a relative path counts
from the root of the repository). Tests that need it are skipped where it is missing; CI makes a
missing directory an error before it runs any test.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def reference(*parts: str) -> Path:
    """Give the path of a piece of the reference data, whether it is there or not."""
    root = ROOT / os.environ.get("COGENT_REFERENCE_DATA", "../shared")
    return root.resolve().joinpath(*parts)


def vectors(name: str) -> list:
    """Read one file of vectors, each a pytest parameter; none where the data is missing."""
    if not _PRESENT:
        return []
    entries = json.loads(reference("vectors", name).read_bytes())
    return [pytest.param(entry, id=entry["id"]) for entry in entries]


_PRESENT = reference("vectors").is_dir() and reference("corpus").is_dir()

requires_reference = pytest.mark.skipif(not _PRESENT, reason="reference data not present")
"""Skips a test where the reference data is missing."""
