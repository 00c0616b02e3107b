"""Which chunks are content, and which of them a reader sees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import NoticeChunk, RawChunk, ReasoningChunk, RetryChunk

if TYPE_CHECKING:
    from ..chunks import Chunk

__all__ = ("is_content", "is_visible")

_BESIDE: frozenset[type] = frozenset({NoticeChunk, RawChunk, RetryChunk})
_UNSEEN = _BESIDE | {ReasoningChunk}


def is_content(chunk: Chunk) -> bool:
    """Tell whether a chunk is part of the answer: once it is handed over, no other try is made."""
    return type(chunk) not in _BESIDE


def is_visible(chunk: Chunk) -> bool:
    """Tell whether it is content other than reasoning."""
    return type(chunk) not in _UNSEEN
