"""h11 for LLM streams: bytes in, typed chunks out, every provider, both roles, both event loops.

The names below are loaded at first use, so importing this package costs next to nothing, and
``cogent.framing`` and ``cogent.wire`` can be had without an HTTP library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .chunks import Chunk as Chunk

_HOME: dict[str, str] = {}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'cogent' has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
