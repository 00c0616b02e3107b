"""What tools check without running anything: style, types, and the rules of async code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ASYNC_FILES = sorted(str(p) for p in (ROOT / "src").rglob("*.py") if "async " in p.read_text())
"""What the rules of async code can be about; to read every file takes a minute."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "--output-format=concise"], id="ruff-check"),
        pytest.param(["ruff", "format", "--check"], id="ruff-format"),
        pytest.param(["mypy", "--no-error-summary"], id="mypy"),
        pytest.param(["pyright"], id="pyright"),
        # Rules of scopes, cleanup and generators that ruff does not have.
        pytest.param(
            ["flake8-async", "--enable=ASYNC101,ASYNC102,ASYNC119,ASYNC120,ASYNC900", *ASYNC_FILES],
            id="flake8-async",
        ),
    ],
)
def test_nothing_is_found(command):
    """The tool has nothing to say."""
    tool = Path(sys.executable).with_name(command[0])
    if shutil.which(str(tool)) is None:
        assert "CI" not in os.environ, f"{command[0]} is missing"
        pytest.skip(f"{command[0]} is not installed: pip install --group static")
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
