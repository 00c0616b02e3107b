"""What may be said of one run beside its message."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ..settings import Settings
    from .fallback import ModelChoice

__all__ = ("RunOptions", "StreamOptions")


class RunOptions(TypedDict, total=False):
    """Options of one run; see `Agent.run_stream`."""

    context: object
    settings: Settings | None
    model: ModelChoice | None


class StreamOptions(RunOptions, total=False):
    """Options of one run whose chunks are read; see `Agent.run_stream`."""

    include_raw: bool
