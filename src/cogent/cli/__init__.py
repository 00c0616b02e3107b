"""The ``cogent`` command."""

from __future__ import annotations

import sys
from io import TextIOWrapper

__all__ = ("main",)


def main() -> None:
    """Run the command; ``click`` is only needed here."""
    try:
        from .commands import cli
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        raise SystemExit("the command needs click: pip install 'cogent-stream[cli]'") from None
    for stream in (sys.stdin, sys.stdout):
        # A character that a terminal or a pipe does not know is no reason to break off.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    cli()
