"""The README's table of providers, made from the registry: ``python -m tests.providers.table``.

Its last column is ``verified.toml``: a line for each provider that somebody has checked, with what
``cogent verify`` printed in that column.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from cogent.cli.row import HEAD, row
from cogent.providers.vendors import VENDORS

VERIFIED: dict[str, str] = tomllib.loads(Path(__file__).with_name("verified.toml").read_text())


def table() -> str:
    """Make the table."""
    rows = [row(vendor, VERIFIED.get(vendor.name, "")) for vendor in VENDORS]
    return "\n".join([HEAD, *rows]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
